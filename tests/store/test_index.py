"""What is put comes back: every field, every row, in a fixed order; what an index is made with."""

from __future__ import annotations

import dataclasses
import json
import shutil
import zlib

import lancedb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dvdup import store
from dvdup.errors import StoreDamagedError, StoreError, StoreMismatchError
from dvdup.records import Embedded, FileStat, IndexedCase
from dvdup.store import Index, IndexMeta, Writer

TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=12)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SIZE = st.integers(0, 2**53)
STATS = st.builds(FileStat, TEXT, SIZE, st.integers(-1, 2**62), ANY_TEXT)
CASES = st.builds(
    IndexedCase,
    split=TEXT,
    case_id=TEXT,
    files=st.lists(STATS, max_size=3).map(tuple),
    group=st.none() | ANY_TEXT,
    origin=st.sampled_from(["declared", "added"]),
    series=st.none() | ANY_TEXT,
    status=st.sampled_from(["ok", "unchecked", "unreadable"]),
    reason=ANY_TEXT,
    notes=st.lists(ANY_TEXT, max_size=2).map(tuple),
    content=TEXT,
    voxel_hashes=st.lists(TEXT, max_size=3).map(tuple),
    n_channels=st.integers(0, 9),
    n_slices=st.just(0),
    shape=st.lists(st.integers(1, 2000), max_size=3).map(tuple),
    spacing=st.lists(st.floats(0.01, 100), max_size=3).map(tuple),
    modality=ANY_TEXT,
    checksum=st.just(""),
    proxy=st.binary(max_size=30),
    proxy_shape=st.lists(st.integers(0, 64), max_size=4).map(tuple),
)
ONE_INDEX = [HealthCheck.function_scoped_fixture]  # each example writes into the same index


def fields(case: IndexedCase, *, proxy: bool = True) -> dict[str, object]:
    named = dataclasses.asdict(case)
    if not proxy:
        del named["proxy"], named["proxy_shape"]
    return named


@settings(max_examples=40, deadline=None, suppress_health_check=ONE_INDEX)
@given(put=st.lists(CASES, max_size=4, unique_by=lambda case: case.key))
def test_cases_come_back_field_by_field(folder, put):
    """Quotes, percent signs, any script in names: they go through SQL filters too."""
    writer = Writer(Index(folder), "sync")
    for case in Index(folder).cases:
        writer.delete(case.key)
    for case in put:
        writer.put(case, None, "embedded")
    writer.mark()
    index = Index(folder)
    expected = sorted(put, key=lambda case: case.key)
    assert [fields(case, proxy=False) for case in index.cases] == [
        fields(case, proxy=False) for case in expected
    ]
    keys = [case.key for case in put]
    assert [fields(case) for case in index.with_proxies(keys)] == [fields(c) for c in expected]
    assert store.find_damage(index) == ()


@settings(max_examples=30, deadline=None, suppress_health_check=ONE_INDEX)
@given(name=TEXT, split=TEXT, content=TEXT)
def test_rows_come_back_whatever_the_names(folder, rows, case, same_rows, name, split, content):
    seed = zlib.crc32(repr((name, split, content)).encode())
    put = rows(seed, 1 + seed % 20)
    writer = Writer(Index(folder), "sync")
    stored = writer.put(case(name, split, content), put, "embedded")
    writer.flush()
    assert same_rows(Index(folder).rows_of(split, name, content), put)
    (found,) = [each for each in Index(folder).cases if each.key == (split, name)]
    assert (found.n_slices, found.checksum) == (len(put.channel), stored.checksum)


def test_rows_of_one_case(write, rows, case, same_rows):
    put = rows(3, 17)
    index = write((case("a"), put), (case("b"), rows(4)))
    assert same_rows(index.rows_of("train", "a", "content of a"), put)
    nothing = index.rows_of("train", "a", "content of b")
    assert nothing.embedding.shape == (0, 4)
    assert len(index.rows_of("test", "a", "content of a").channel) == 0


@pytest.mark.parametrize("block", [1, 3, 8192])
def test_blocks_hold_every_row_once_in_stored_order(write, rows, case, block):
    sizes = (4, 1, 9, 2)
    put = {name: rows(seed, n) for seed, (name, n) in enumerate(zip("abcd", sizes, strict=True))}
    index = write(*((case(name), its) for name, its in put.items()))
    wanted = [c for c in index.cases if c.case_id in "dab"][::-1]
    blocks = list(index.blocks(wanted, rows=block))
    assert all(len(b.case) == len(b.embedding) == len(b.channel) <= block for b in blocks)
    codes = np.concatenate([b.case for b in blocks])
    embedding = np.concatenate([b.embedding for b in blocks])
    channel = np.concatenate([b.channel for b in blocks])
    for code, each in enumerate(wanted):
        expected = put[each.case_id]
        assert np.array_equal(embedding[codes == code], expected.embedding.astype(np.float16))
        assert np.array_equal(channel[codes == code], expected.channel)


def test_blocks_skip_rows_that_no_case_refers_to(folder, write, rows, case):
    write((case("a", content="old"), rows(0)), (case("b"), rows(1)))
    index = write((case("a", content="new"), rows(2, 3)))
    writer = Writer(index, "rm")
    writer.delete(("train", "b"))
    writer.flush()
    index = Index(folder)
    (block,) = index.blocks(index.cases)
    assert np.array_equal(block.embedding, rows(2, 3).embedding.astype(np.float16))


def test_missing_rows_are_no_silent_loss(write, rows, case):
    index = write((case("a"), rows(0)), (case("b", n_slices=3), None))
    with pytest.raises(StoreDamagedError, match="holds 0 of 3 slices of train/b; make it anew"):
        list(index.blocks(index.cases))


def test_row_order_does_not_depend_on_the_order_of_work(tmp_path, meta, rows, case):
    """Within a window; so an index made by many threads equals one made by one."""
    tables = []
    for order in ("abc", "cab"):
        store.create(tmp_path / order, meta)
        writer = Writer(Index(tmp_path / order), "sync")
        for name in order:
            writer.put(case(name), rows(ord(name)), "embedded")
        writer.flush()
        index = Index(tmp_path / order)
        tables.append([t.to_table().to_pylist() for t in (index.slices, index.dataset)])
    assert tables[0] == tables[1]


def test_plain_lancedb_opens_both_tables(folder, write, rows, case):
    write((case("a"), rows(0)))
    tables = lancedb.connect(folder / "index")
    assert tables.open_table("cases").count_rows() == 1
    found = tables.open_table("slices").search(rows(0).embedding[2].tolist()).limit(1).to_list()
    assert found[0]["index"] == rows(0).index[2]


def test_what_it_was_made_with_is_kept(folder, meta):
    assert Index(folder).meta == meta
    assert IndexMeta.from_json(meta.to_json()) == meta


def test_a_newer_format_is_refused(meta):
    text = json.dumps(json.loads(meta.to_json()) | {"format": 99})
    with pytest.raises(StoreMismatchError, match=r"format 99, this dvdup reads \d+; update dvdup"):
        IndexMeta.from_json(text)


def test_a_table_of_somebody_else_is_told(tmp_path):
    lancedb.connect(tmp_path / "index").create_table("cases", [{"x": 1}])
    lancedb.connect(tmp_path / "index").create_table("slices", [{"x": 1}])
    with pytest.raises(StoreDamagedError, match="is not one that dvdup made"):
        Index(tmp_path)


def test_without_an_index_it_says_how_to_make_one(tmp_path):
    assert not store.exists(tmp_path)
    with pytest.raises(StoreError, match=r"no index in .*; make one with `dvdup sync`"):
        Index(tmp_path)


def test_creating_again_keeps_what_is_there(folder, write, rows, case, meta):
    write((case("a"), rows(0)))
    assert [each.case_id for each in store.create(folder, meta).cases] == ["a"]


def test_a_creation_that_was_killed_is_started_over(folder, meta, write, rows, case):
    """Killed between the two tables: without `cases` nothing counts."""
    shutil.rmtree(folder / "index/cases.lance")
    assert not store.exists(folder)
    store.create(folder, meta)
    index = write((case("a"), rows(0)))
    assert index.slices.count_rows() == 5
    assert store.find_damage(index) == ()


def test_an_empty_index_streams_nothing(folder):
    index = Index(folder)
    assert index.cases == ()
    assert list(index.blocks([])) == []
    assert index.with_proxies([]) == ()
    assert index.holders() == {}


def test_an_older_version_is_what_it_was(folder, write, rows, case):
    first = write((case("a", group="g1"), rows(0)))
    second = write((case("a", group="g2", content="other"), rows(1)), (case("b"), rows(2)))
    assert first.version < second.version
    old = second.at(first.version)
    assert [(c.case_id, c.group) for c in old.cases] == [("a", "g1")]
    (block,) = old.blocks(old.cases)
    assert np.array_equal(block.embedding, rows(0).embedding.astype(np.float16))
    with pytest.raises(StoreDamagedError):
        second.at(99)


def embedded_of(embedding: np.ndarray) -> Embedded:
    n = len(embedding)
    return Embedded(
        embedding,
        np.zeros(n, np.int16),
        np.zeros(n, np.uint8),
        np.arange(n, dtype=np.int32),
        np.arange(n, dtype=np.float32),
    )


@pytest.mark.parametrize(
    "bad", [np.nan, np.inf, 2.0, 0.0], ids=["nan", "infinite", "too long", "zero"]
)
def test_rows_that_are_no_unit_rows_are_refused(folder, case, bad):
    embedding = np.eye(4, dtype=np.float32)
    embedding[2] *= bad if np.isfinite(bad) else 1
    if not np.isfinite(bad):
        embedding[2, 0] = bad
    writer = Writer(Index(folder), "sync")
    with pytest.raises(StoreError, match="not finite unit vectors for train/a"):
        writer.put(case("a"), embedded_of(embedding), "embedded")
    writer.flush()
    assert Index(folder).cases == ()
