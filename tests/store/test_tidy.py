"""What `gc` drops of the tables: nothing that a version that stays holds, whenever it is killed."""

from __future__ import annotations

import datetime
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dvdup import store
from dvdup.store import Index, Writer, find_damage, plan_tables, tidy_tables
from dvdup.store import tidy as tidy_module
from dvdup.store.tables import folder_bytes


def nothing(done: int, total: int) -> None:
    """Ignore progress."""


def tidy(folder, keep_days=None, advance=nothing):
    """Plan and do it as the command does."""
    index = Index(folder)
    todo = plan_tables(index, keep_days)
    if not todo.is_empty:
        tidy_tables(index, todo, lambda: Writer(Index(folder), "gc").mark(), advance)
    return todo


def numbers(todo):
    return {waste.what: waste.number for waste in todo.wastes if waste.number}


def replaced(write, rows, case, n=4):
    """n commands, each of which replaces the one before."""
    for number in range(n):
        index = write((case("a", content=f"content {number}"), rows(number)))
    return index


def rows_by_content(folder):
    return {
        case.content: store.index.schema.checksum(Index(folder).rows_of(*case.key, case.content))
        for case in Index(folder).cases
    }


def test_rows_of_no_version_go_and_the_rest_is_as_it_was(folder, write, rows, case):
    write((case("b"), rows(9)))
    index = replaced(write, rows, case)
    assert set(index.holders()) == {"content of b", *(f"content {n}" for n in range(4))}
    before = rows_by_content(folder)
    todo = tidy(folder, keep_days=0)
    assert numbers(todo)["slice rows of no case"] == 15
    assert set(Index(folder).holders()) == {"content of b", "content 3"}
    assert rows_by_content(folder) == before
    assert find_damage(Index(folder)) == ()


def test_without_history_every_version_keeps_its_rows(folder, write, rows, case):
    replaced(write, rows, case)
    before = {version: Index(folder, version).cases for version in range(2, 6)}
    todo = tidy(folder)
    assert todo.gone == ()
    assert "slice rows of no case" not in numbers(todo)
    for version, cases in before.items():
        then = Index(folder, version)
        assert [c.content for c in then.cases] == [c.content for c in cases]
        assert find_damage(then) == ()


def test_rows_that_a_killed_writer_left_go(folder, write, rows, case):
    write((case("a"), rows(0)))
    killed = Writer(Index(folder), "sync")
    killed.put(case("lost"), rows(1), "embedded")
    killed._append_slices()
    assert "content of lost" in Index(folder).holders()
    assert numbers(tidy(folder))["slice rows of no case"] == 5
    assert set(Index(folder).holders()) == {"content of a"}


def test_tagged_versions_open_with_their_rows(folder, write, rows, case):
    write((case("a"), rows(0)), (case("b"), rows(1)))
    store.add_tag(Index(folder), "v1")
    write((case("a", content="new"), rows(2)))
    store.add_tag(Index(folder), "v2")
    write((case("a", content="newest"), rows(3)))
    writer = Writer(Index(folder), "rm train/b")
    writer.delete(("train", "b"))
    writer.flush()
    tidy(folder, keep_days=0)
    held = {}
    for name in ("v1", "v2"):
        index = Index(folder, store.resolve(Index(folder), name))
        assert find_damage(index) == ()
        held[name] = [each.content for each in index.cases]
    assert held == {
        "v1": ["content of a", "content of b"],
        "v2": ["new", "content of b"],
    }
    assert [each.content for each in Index(folder).cases] == ["newest"]
    assert find_damage(Index(folder)) == ()
    assert [entry.command for entry in store.log(Index(folder))] == ["gc", "tag v2", "tag v1"]


def test_a_forgotten_tag_goes_with_the_history(folder, write, rows, case):
    write((case("a"), rows(0)))
    version = store.add_tag(Index(folder), "v1")
    write((case("a", content="new"), rows(1)))
    store.remove_tag(Index(folder), "v1")
    assert version in tidy(folder, keep_days=0).gone
    assert set(Index(folder).holders()) == {"new"}


@pytest.mark.parametrize(("days_on", "gone"), [(0, 0), (6, 0), (8, 5)])
def test_history_of_some_days_stays(folder, write, rows, case, monkeypatch, days_on, gone):
    replaced(write, rows, case)

    class Clock(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.datetime.now(tz) + datetime.timedelta(days=days_on)

    monkeypatch.setattr(tidy_module, "datetime", Clock)
    assert len(plan_tables(Index(folder), 7).gone) == gone


@pytest.mark.parametrize("keep_days", [None, 0])
def test_what_is_tidy_stays_as_it_is(folder, write, rows, case, keep_days):
    replaced(write, rows, case)
    tidy(folder, keep_days)
    version = Index(folder).version
    assert tidy(folder, keep_days).is_empty
    assert Index(folder).version == version


def test_a_plan_changes_nothing(folder, write, rows, case):
    replaced(write, rows, case)

    def files():
        return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}

    before = files()
    assert not plan_tables(Index(folder), 0).is_empty
    assert files() == before


def test_small_files_of_cases_are_joined_once_they_are_many(folder, write, rows, case, monkeypatch):
    monkeypatch.setattr(tidy_module, "_MOST_FILES", 3)
    for name in "abc":
        write((case(name), rows(ord(name))))
    assert "cases files to join" not in numbers(tidy(folder))
    write((case("d"), rows(3)))
    lost_rows(folder, case("lost"), rows(4, 2000))  # what goes with them pays for the copies
    todo = tidy(folder)
    assert numbers(todo)["cases files to join"] == 4
    assert (todo.left_small, todo.copied > 0) == (0, True)
    assert len(Index(folder).dataset.get_fragments()) == 1
    assert [each.case_id for each in Index(folder, 3).cases] == ["a", "b"]


def lost_rows(folder, case, rows):
    killed = Writer(Index(folder), "sync")
    killed.put(case, rows, "embedded")
    killed._append_slices()


def test_without_history_an_index_never_grows(folder, write, rows, case, monkeypatch):
    """Joined, the small copies of the scans would be there twice."""
    monkeypatch.setattr(tidy_module, "_MOST_FILES", 3)
    noise = np.random.default_rng(0)
    for name in "abcdef":
        proxy = noise.bytes(64**3)
        write((case(name, proxy=proxy, proxy_shape=(1, 64, 64, 64)), rows(ord(name))))
    before = folder_bytes(folder)
    todo = tidy(folder)
    assert (todo.join_cases, todo.left_small) == (False, 6)
    assert folder_bytes(folder) < before
    store.add_tag(Index(folder), "v1")
    before = folder_bytes(folder)
    assert not tidy(folder, keep_days=0).join_cases  # the tag keeps them as the history did
    assert folder_bytes(folder) < before
    store.remove_tag(Index(folder), "v1")
    again = tidy(folder, keep_days=0)
    assert (again.join_cases, again.left_small) == (True, 0)
    assert len(Index(folder).dataset.get_fragments()) == 1


class KilledError(Exception):
    """As if the process had ended here."""


@pytest.mark.parametrize("keep_days", [None, 0])
@pytest.mark.parametrize("step", range(6))
def test_killed_between_any_two_steps_nothing_is_lost(folder, write, rows, case, keep_days, step):
    write((case("b"), rows(9)))
    store.add_tag(Index(folder), "v1")
    replaced(write, rows, case)
    now = Index(folder).cases

    def advance(done, total):
        if done == step:
            raise KilledError

    with pytest.raises(KilledError):
        tidy(folder, keep_days, advance)
    for version in ("v1", None):
        index = Index(folder, version)
        assert find_damage(index) == ()
    assert [each.content for each in Index(folder).cases] == [each.content for each in now]
    tidy(folder, keep_days)
    assert tidy(folder, keep_days).is_empty
    assert find_damage(Index(folder)) == find_damage(Index(folder, "v1")) == ()


_STEP = st.tuples(st.sampled_from("abc"), st.integers(0, 4), st.sampled_from(("put", "rm", "tag")))


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(_STEP, min_size=1, max_size=7), keep_days=st.sampled_from([None, 0]))
def test_whatever_was_done_what_stays_is_whole(folder, rows, case, meta, steps, keep_days):
    shutil.rmtree(folder / "index")
    store.create(folder, meta)
    for number, (name, content, what) in enumerate(steps):
        writer = Writer(Index(folder), what)
        if what == "put":
            writer.put(case(name, content=f"content {content}"), rows(content), "embedded")
        else:
            writer.delete(("train", name))
        writer.flush()
        if what == "tag":
            store.add_tag(Index(folder), f"t{number}")
    seen = {
        version: [(c.key, c.content, c.checksum) for c in Index(folder, version).cases]
        for version in [*store.tags(Index(folder)).values(), Index(folder).version]
    }
    newest = seen[Index(folder).version]
    tidy(folder, keep_days)
    for version in store.tags(Index(folder)).values():
        index = Index(folder, version)
        assert [(c.key, c.content, c.checksum) for c in index.cases] == seen[version]
        assert find_damage(index) == ()
    assert [(c.key, c.content, c.checksum) for c in Index(folder).cases] == newest
    assert find_damage(Index(folder)) == ()
