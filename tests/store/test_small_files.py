"""Files are joined by the commits that add more; nobody sees it but for the number of files."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from dvdup import store
from dvdup.store import Index, find_damage, small_files
from dvdup.store.small_files import drop_old, rows_of, to_join


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Three files of a level are many."""
    monkeypatch.setattr(small_files, "MOST", 3)


def sizes(table):
    return [fragment.count_rows() for fragment in table.get_fragments()]


def names_and_rows(index):
    """All that an index holds: of every case its rows, whatever files they lie in."""
    return {
        (case.key, case.content, case.checksum): index.rows_of(*case.key, case.content).embedding
        for case in index.cases
    }


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize(
    ("writes", "files"),
    [(3, [1, 1, 1]), (4, [4]), (6, [4, 1, 1]), (8, [4, 4]), (12, [4, 4, 4]), (13, [13])],
)
def test_files_of_a_level_are_joined_by_the_commit_that_would_add_one(
    folder, write, rows, case, writes, files
):
    for number in range(writes):
        write((case(f"c{number:02}"), rows(number, 1)))
    index = Index(folder)
    assert (sizes(index.dataset), sizes(index.slices)) == (files, files)
    assert [each.case_id for each in index.cases] == [f"c{n:02}" for n in range(writes)]
    assert find_damage(index) == ()


def test_however_many_commands_there_were_files_are_few(folder, write, rows, case):
    for number in range(40):
        write((case(f"c{number % 20}", content=f"content {number}"), rows(number, 2)))
    index = Index(folder)
    assert len(index.cases) == 20
    assert len(sizes(index.dataset)) <= 3 * 4
    assert len(sizes(index.slices)) <= 3 * 5
    assert find_damage(index) == ()
    for each in index.cases:
        number = int(each.content.removeprefix("content "))
        kept = index.rows_of(*each.key, each.content).embedding
        assert np.array_equal(kept, rows(number, 2).embedding.astype(np.float16))


def test_every_version_and_tag_stays_what_it_was(folder, write, rows, case):
    seen = {}
    for number in range(9):
        index = write((case(f"c{number % 5}", content=f"content {number}"), rows(number)))
        if number == 2:
            store.add_tag(index, "v1")
        seen[index.version] = names_and_rows(index)
    assert all(same(names_and_rows(Index(folder, version)), seen[version]) for version in seen)
    assert len(Index(folder, "v1").cases) == 3
    log = store.log(Index(folder))
    assert [entry.command for entry in log].count("sync") == 9  # joining is no command of its own
    assert sum(entry.counts.get("embedded", 0) for entry in log) == 9


def test_a_case_that_is_replaced_or_deleted_as_its_file_is_joined_is_gone(
    folder, write, rows, case
):
    for name in "abc":
        write((case(name), rows(ord(name))))
    writer = store.Writer(Index(folder), "sync")
    writer.delete(("train", "a"))
    writer.put(case("b", content="new"), rows(7), "embedded")
    writer.flush()
    index = Index(folder)
    assert sizes(index.dataset) == [2]
    assert [(each.case_id, each.content) for each in index.cases] == [
        ("b", "new"),
        ("c", "content of c"),
    ]
    assert find_damage(index) == ()


def test_large_files_are_left_alone(folder, write, rows, case, monkeypatch):
    monkeypatch.setattr(small_files, "_LARGE", 1)
    for name in "abcde":
        write((case(name), rows(ord(name))))
    assert sizes(Index(folder).dataset) == [1] * 5
    assert to_join(Index(folder).slices) == []


def test_files_that_nobody_reads_any_more_go_after_a_day(folder, write, rows, case):
    for name in "abcd":
        write((case(name), rows(ord(name))))
    data = folder / "index" / "slices.lance" / "data"
    assert len(list(data.iterdir())) == 4  # three of one case, one of all
    drop_old(Index(folder).slices)
    assert len(list(data.iterdir())) == 4
    drop_old(Index(folder).slices, timedelta(0))
    assert len(list(data.iterdir())) == 1
    assert find_damage(Index(folder)) == ()


@pytest.mark.parametrize("fault", [OSError, RuntimeError, ValueError])
def test_files_that_cannot_be_dropped_are_left_to_gc(folder, write, rows, case, monkeypatch, fault):
    for name in "abc":
        write((case(name), rows(ord(name))))

    def refused(*args, **options):
        raise fault("permission denied")

    monkeypatch.setattr("lance.LanceDataset.cleanup_old_versions", refused)
    write((case("d"), rows(1)))
    assert sizes(Index(folder).slices) == [20]


def test_rows_of_some_files_are_those_that_were_not_deleted(folder, write, rows, case):
    write((case("a"), rows(1)), (case("b"), rows(2)))
    write((case("c"), rows(3)))
    writer = store.Writer(Index(folder), "sync")
    writer.delete(("train", "a"))
    writer.flush()
    table = Index(folder).dataset
    assert rows_of(table, table.get_fragments()).column("case_id").to_pylist() == ["b", "c"]
