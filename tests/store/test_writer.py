"""Windows, replacing, renaming, deleting, orphans: against a plain dictionary, and one by one."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dvdup import store
from dvdup.errors import StoreError
from dvdup.records import Embedded, EmbedderSpec, IndexedCase
from dvdup.store import Index, IndexMeta, Writer, small_files

META = IndexMeta(EmbedderSpec("made-up", "", 4, 32), {}, "r")


def rows_of_content(content: int) -> Embedded:
    """The same content has the same slices, whoever holds it."""
    rng = np.random.default_rng(content)
    embedding = rng.normal(size=(1 + content, 4)).astype(np.float32)
    embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
    n = len(embedding)
    return Embedded(
        embedding,
        np.zeros(n, np.int16),
        np.zeros(n, np.uint8),
        np.arange(n, dtype=np.int32),
        np.arange(n, dtype=np.float32),
    )


class WriterAgainstDictionary(RuleBasedStateMachine):
    """Any order of puts, deletions and commits leaves what a dictionary would hold."""

    names = st.sampled_from(["a", "b", "c"])
    contents = st.integers(0, 3)

    def __init__(self):
        super().__init__()
        self.place = tempfile.TemporaryDirectory()
        self.folder = Path(self.place.name)
        store.create(self.folder, META)
        self.committed: dict[tuple[str, str], int] = {}
        self.start()

    def start(self):
        self.writer = Writer(Index(self.folder), "sync", commit_rows=10**9, commit_seconds=1e9)
        self.pending = dict(self.committed)

    @rule(name=names, content=contents)
    def put(self, name, content):
        case = IndexedCase("train", name, (), content=f"c{content}")
        known = self.writer.stored_rows(case.content)
        if known is not None:
            expected = rows_of_content(content).embedding.astype(np.float16)
            assert np.array_equal(known.embedding.astype(np.float16), expected)
        rows = rows_of_content(content) if known is None else known
        self.writer.put(case, rows, "embedded")
        self.pending[case.key] = content

    @rule(name=names)
    def delete(self, name):
        self.writer.delete(("train", name))
        self.pending.pop(("train", name), None)

    @rule()
    def commit(self):
        self.writer.flush()
        self.committed = dict(self.pending)

    @rule()
    def next_command(self):
        self.commit()
        self.start()

    @precondition(lambda self: self.pending != self.committed)
    @rule()
    def killed_before_the_commit(self):
        self.start()

    @precondition(lambda self: self.writer._rows)
    @rule()
    def killed_between_the_two_tables(self):
        self.writer._append_slices()
        self.start()

    @invariant()
    def the_index_is_what_was_committed(self):
        index = Index(self.folder)
        assert {case.key: case.content for case in index.cases} == {
            key: f"c{content}" for key, content in self.committed.items()
        }
        assert store.find_damage(index) == ()
        for block in index.blocks(index.cases):
            for code, case in enumerate(index.cases):
                rows = rows_of_content(int(case.content[1:])).embedding.astype(np.float16)
                assert np.array_equal(block.embedding[block.case == code], rows)

    def teardown(self):
        self.place.cleanup()


class WriterThatJoins(WriterAgainstDictionary):
    """The same where files are joined all the time."""

    def __init__(self):
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(small_files, "MOST", 2)
        super().__init__()

    def teardown(self):
        super().teardown()
        self.patch.undo()


TestWriter = WriterAgainstDictionary.TestCase
TestWriter.settings = settings(max_examples=12, stateful_step_count=12, deadline=None)
TestJoining = WriterThatJoins.TestCase
TestJoining.settings = settings(max_examples=12, stateful_step_count=12, deadline=None)


def versions_and_cases(folder):
    """What every commit after the creation left."""
    index = Index(folder)
    return [len(index.at(version).cases) for version in range(2, index.version + 1)]


def test_a_window_is_full_at_so_many_rows(folder, rows, case):
    writer = Writer(Index(folder), "sync", commit_rows=10)
    for number in range(7):
        writer.put(case(f"c{number}"), rows(number, 4), "embedded")
    writer.flush()
    assert versions_and_cases(folder) == [3, 6, 7]
    assert writer.commits == 3


def test_a_window_is_committed_after_so_many_seconds(folder, rows, case):
    now = iter([0, 10, 31, 31, 35, 60, 99, 99, 99])
    writer = Writer(Index(folder), "sync", commit_seconds=30.0, clock=lambda: next(now))
    for number in range(5):
        writer.put(case(f"c{number}"), rows(number), "embedded")
    writer.flush()
    assert versions_and_cases(folder) == [2, 5]


def test_nothing_to_commit_is_no_version(folder):
    before = Index(folder).version
    writer = Writer(Index(folder), "sync")
    writer.flush()
    assert (Index(folder).version, writer.commits) == (before, 0)


def test_until_the_commit_nothing_is_seen(folder, rows, case):
    writer = Writer(Index(folder), "sync")
    writer.put(case("a"), rows(0), "embedded")
    assert Index(folder).cases == ()
    writer.flush()
    assert len(Index(folder).cases) == 1


def test_a_case_put_again_replaces_the_old_one(write, rows, case):
    write((case("a", content="old"), rows(0, 3)), (case("b"), rows(1)))
    index = write((case("a", content="new", group="g"), rows(2, 6)))
    assert [(c.case_id, c.content, c.n_slices, c.group) for c in index.cases] == [
        ("a", "new", 6, "g"),
        ("b", "content of b", 5, None),
    ]
    assert store.find_damage(index) == ()


def test_a_rename_is_one_commit_and_one_count(folder, write, rows, case, same_rows):
    write((case("a", content="x"), rows(0)), (case("b"), rows(1)))
    writer = Writer(Index(folder), "sync")
    writer.put(case("z", content="x"), writer.stored_rows("x"), "renamed")
    writer.delete(("train", "a"), what=None)
    writer.flush()
    index = Index(folder)
    assert [c.case_id for c in index.cases] == ["b", "z"]
    assert same_rows(index.rows_of("train", "z", "x"), rows(0))
    assert (writer.commits, store.log(index)[0].counts) == (1, {"renamed": 1})


def test_a_swap_of_two_contents_costs_their_rows_once(write, rows, case):
    write((case("a", content="x"), rows(0)), (case("b", content="y"), rows(1)))
    write((case("a", content="y"), rows(1)), (case("b", content="x"), rows(0)))
    index = write((case("a", content="x"), rows(0)), (case("b", content="y"), rows(1)))
    assert index.slices.count_rows() == 4 * 5
    assert store.find_damage(index) == ()


def test_deleting_what_is_not_there_is_harmless(write, folder, rows, case):
    write((case("a"), rows(0)))
    writer = Writer(Index(folder), "rm")
    writer.delete(("train", "zzz"))
    writer.flush()
    assert [c.case_id for c in Index(folder).cases] == ["a"]


def test_many_deletions_go_through_in_batches(folder, case):
    writer = Writer(Index(folder), "add")
    for number in range(1203):
        writer.put(case(f"c{number:04}"), None, "embedded")
    writer.flush()
    writer = Writer(Index(folder), "rm")
    for number in range(1203):
        if number % 400:
            writer.delete(("train", f"c{number:04}"))
    writer.flush()
    assert [c.case_id for c in Index(folder).cases] == ["c0000", "c0400", "c0800", "c1200"]
    assert versions_and_cases(folder) == [1203, 4]


def test_orphans_of_a_killed_run_are_taken_up(folder, rows, case, same_rows):
    """Killed between the two tables: the rows are there and no case refers to them."""
    writer = Writer(Index(folder), "sync")
    writer.put(case("a"), rows(0), "embedded")
    writer._append_slices()
    assert Index(folder).cases == ()
    again = Writer(Index(folder), "sync")
    known = again.stored_rows("content of a")
    assert same_rows(known, rows(0))
    again.put(case("a"), known, "reused")
    again.flush()
    index = Index(folder)
    assert index.slices.count_rows() == 5
    assert store.find_damage(index) == ()


def test_rows_of_this_window_are_known_before_it_is_written(folder, rows, case, same_rows):
    writer = Writer(Index(folder), "sync")
    assert writer.stored_rows("content of a") is None
    writer.put(case("a"), rows(0), "embedded")
    assert same_rows(writer.stored_rows("content of a"), rows(0))


def test_the_row_is_given_back_as_stored(folder, rows, case):
    writer = Writer(Index(folder), "sync")
    stored = writer.put(case("a"), rows(0, 7), "embedded")
    writer.flush()
    (found,) = Index(folder).with_proxies([stored.key])
    assert dataclasses.asdict(found) == dataclasses.asdict(stored)
    assert stored.n_slices == 7


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="permissions do not bind")
def test_an_index_that_cannot_be_written_says_so(folder, rows, case):
    writer = Writer(Index(folder), "sync")
    writer.put(case("a"), rows(0), "embedded")
    tables = [path for path in (folder / "index").rglob("*") if path.is_dir()]
    for path in tables:
        path.chmod(0o555)
    try:
        with pytest.raises(StoreError, match="make the index folder writable or use --index"):
            writer.flush()
    finally:
        for path in tables:
            path.chmod(0o755)
