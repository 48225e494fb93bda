"""What `dvdup log` shows, tags, and what `split@version` means."""

from __future__ import annotations

import re

import pytest

from dvdup import store
from dvdup.errors import InputError
from dvdup.store import Index, Writer


def test_one_entry_a_command_newest_first(folder, rows, case):
    first = Writer(Index(folder), "sync", commit_rows=1)
    for name in "abc":
        first.put(case(name), rows(ord(name)), "embedded")
    first.delete(("train", "a"))
    first.flush()
    second = Writer(Index(folder), "rm train/b")
    second.delete(("train", "b"))
    second.flush()
    newest, oldest = store.log(Index(folder))
    assert (newest.command, newest.counts) == ("rm train/b", {"removed": 1})
    assert (oldest.command, oldest.counts) == ("sync", {"embedded": 3, "removed": 1})
    assert (oldest.first_version, oldest.version, newest.version) == (2, 5, 6)
    assert newest.run != oldest.run
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", e.time) for e in (newest, oldest))


def test_a_new_index_has_no_history(folder):
    assert store.log(Index(folder)) == ()
    assert store.tags(Index(folder)) == {}


def test_a_tag_is_an_entry_that_keeps_its_version(folder, write, rows, case):
    write((case("a"), rows(0)))
    version = store.add_tag(Index(folder), "v1")
    index = write((case("b"), rows(1)))
    assert store.tags(index) == {"v1": version}
    assert store.resolve(index, "v1") == version
    assert [c.case_id for c in index.at(version).cases] == ["a"]
    assert [(e.command, e.tags) for e in store.log(index)] == [
        ("sync", ()),
        ("tag v1", ("v1",)),
        ("sync", ()),
    ]


def test_tags_are_sorted_and_a_name_is_taken_once(folder, write, rows, case):
    write((case("a"), rows(0)))
    for name in ("v2", "v10", "2024.Q1_final-x"):
        store.add_tag(Index(folder), name)
    assert list(store.tags(Index(folder))) == ["2024.Q1_final-x", "v10", "v2"]
    before = Index(folder).version
    with pytest.raises(InputError, match=r"tag 'v2' is taken \(version \d\); choose another"):
        store.add_tag(Index(folder), "v2")
    assert Index(folder).version == before


@pytest.mark.parametrize(
    "name",
    ["", " ", "a b", "a/b", "../up", "-v", "v1@2", "7", "é", "a\n", "..", ".", "a..b", ".a", "a.",
     "a.lock", "x" * 300],
)  # fmt: skip
def test_names_that_are_no_tags_leave_no_trace(folder, name):
    before = Index(folder).version
    with pytest.raises(InputError, match="not possible"):
        store.add_tag(Index(folder), name)
    assert Index(folder).version == before
    assert store.tags(Index(folder)) == {}


def test_a_version_number_is_a_version(folder, write, rows, case):
    index = write((case("a"), rows(0)))
    assert store.resolve(index, "2") == 2
    with pytest.raises(InputError, match=r"no version 9 \(newest: 2\); see `dvdup log`"):
        store.resolve(index, "9")


@pytest.mark.parametrize("name", ["v9", "", "-1", "1.0", "²"])
def test_an_unknown_tag_lists_those_there_are(folder, name):
    with pytest.raises(InputError, match="none yet; `dvdup tag NAME` makes one"):
        store.resolve(Index(folder), name)
    store.add_tag(Index(folder), "v1")
    store.add_tag(Index(folder), "v2")
    with pytest.raises(InputError, match=rf"no tag {re.escape(repr(name))} \(tags: v1, v2\)"):
        store.resolve(Index(folder), name)
