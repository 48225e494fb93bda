"""Pairs are seen as a comparison sees them: proxies first, the channels that are most alike."""

from __future__ import annotations

import zlib
from types import SimpleNamespace

import numpy as np
import pytest

from dvdup import verify, voxels
from dvdup.compare.cases import FileChannel
from dvdup.lab.bench.database import Database, join
from dvdup.lab.bench.pairs import MemoryChannel, Pairs
from dvdup.lab.bench.shelf import Shelf
from dvdup.lab.evaluate.scans import Scan
from dvdup.records import Embedded, FileStat, IndexedCase
from dvdup.verify import ALL, Steps


def scan(*seeds, shape=(70, 20, 10)) -> Scan:
    channels = tuple(
        np.asfortranarray(np.random.default_rng(seed).random(shape, np.float32)) for seed in seeds
    )
    return Scan("case", channels, tuple(range(len(seeds))), (1.0, 2.0, 3.0))


def rows(embedding, channel) -> Embedded:
    n = len(embedding)
    zeros = np.zeros(n, np.int32)
    return Embedded(
        np.array(embedding, np.float32),
        np.array(channel, np.int16),
        zeros.astype(np.uint8),
        zeros,
        zeros.astype(np.float32),
    )


@pytest.fixture
def judged(monkeypatch):
    seen = []

    def judge(a, b, full, limits, steps, **more):
        seen.append((a, b, full, steps))
        decision = verify.Decision(None, "other-structure", 0.9)
        return SimpleNamespace(score=float(len(seen)), decision=decision)

    monkeypatch.setattr("dvdup.compare.pair.verify.judge", judge)
    return seen


ONE, TWO = [1.0, 0.0], [0.0, 1.0]


def test_a_pair_is_compared_once_for_each_set_of_steps(judged):
    database = join([np.eye(2, dtype=np.float32)] * 2)
    pairs = Pairs(scan(0), rows([ONE], [0]), database, Shelf(lambda code: scan(code + 1)))
    assert [pairs.score(0, ALL), pairs.score(1, ALL), pairs.score(0, ALL)] == [1.0, 2.0, 1.0]
    assert pairs.score(0, Steps(greys=False)) == 3.0
    assert len(judged) == 3


def test_proxies_come_first_and_scans_are_there_if_needed(judged):
    database = join([np.eye(2, dtype=np.float32)])
    query, other = scan(0), scan(1)
    Pairs(query, rows([ONE], [0]), database, Shelf(lambda code: other)).score(0, ALL)
    b, a, full, _ = judged[0]  # the case of the database is the side that is asked
    assert np.array_equal(a.values, voxels.proxy(query.channels[0]))
    assert np.array_equal(b.values, voxels.proxy(other.channels[0]))
    for small in (a, b):
        assert small.spacing == (2.0, 2.0, 3.0)  # 70 voxels are more than a proxy has
        assert not small.full
        assert not small.exact
    theirs, ours = full()
    assert ours.values is query.channels[0]
    assert theirs.values is other.channels[0]
    assert ours.full
    assert ours.exact
    assert ours.spacing == (1.0, 2.0, 3.0)


def test_the_channels_that_are_most_alike_are_compared(judged):
    """Channel 1 of the query is channel 0 of the case."""
    query, other = scan(0, 1), scan(1, 2)
    database = Database(
        np.array([TWO, [-1.0, 0.0]], np.float32), np.array([0, 2]), np.array([0, 1], np.int16)
    )
    Pairs(query, rows([ONE, TWO], [0, 1]), database, Shelf(lambda code: other)).score(0, ALL)
    theirs, ours = judged[0][2]()
    assert ours.values is query.channels[1]
    assert theirs.values is other.channels[0]


def test_a_channel_in_memory_is_what_an_index_and_files_say_of_it(tmp_path, save):
    """So that a bench and a comparison judge the same pair alike."""
    values = np.asfortranarray(np.random.default_rng(0).integers(1, 900, (70, 20, 10)), np.float32)
    file = save(tmp_path / "a.nii.gz", values.astype(np.int16), (1.0, 2.0, 3.0))
    stat = file.stat()
    small = voxels.proxy(values)[None]
    case = IndexedCase(
        "train",
        "a",
        (FileStat("a.nii.gz", stat.st_size, stat.st_mtime_ns),),
        content="a",
        n_channels=1,
        shape=values.shape,
        spacing=(1.0, 2.0, 3.0),
        proxy=zlib.compress(small.tobytes()),
        proxy_shape=small.shape,
    )
    in_files = FileChannel(tmp_path, case, 0)
    in_memory = MemoryChannel(
        lambda: Scan("a", (values,), (0,), (1.0, 2.0, 3.0)),
        verify.of_proxy(small[0], values.shape, (1.0, 2.0, 3.0)),
        0,
        values.shape,
        (1.0, 2.0, 3.0),
    )
    bigger = (2.0, 4.0, 6.0)
    for one, other in (
        (in_files, in_memory),
        (in_files.resized(bigger), in_memory.resized(bigger)),
    ):
        assert tuple(one.shape) == tuple(other.shape)
        assert tuple(one.spacing) == tuple(other.spacing)
        for ours, theirs in ((one.proxy(), other.proxy()), (one.full(), other.full())):
            np.testing.assert_array_equal(ours.values, theirs.values)
            assert (ours.spacing, ours.full, ours.exact) == (
                theirs.spacing,
                theirs.full,
                theirs.exact,
            )


def test_a_proxy_at_hand_spares_reading_the_scan(judged):
    read = []

    def bring(code: int) -> Scan:
        read.append(code)
        return scan(1)

    shelf = Shelf(bring, most=1)
    database = join([np.eye(2, dtype=np.float32)] * 2)
    for seed in range(3):
        query = Pairs(scan(seed), rows([ONE], [0]), database, shelf)
        query.score(0, ALL)
        query.score(1, ALL)
    assert read == [0, 1]


def test_the_shelf_keeps_what_was_used_last():
    read = []

    def bring(code: int) -> Scan:
        read.append(code)
        return scan(code)

    size = scan(0).channels[0].nbytes
    shelf = Shelf(bring, most=2 * size)
    for code in (0, 1, 0, 2, 0, 1):
        shelf.scan(code)
    assert read == [0, 1, 2, 1]


def test_a_scan_bigger_than_the_shelf_is_still_given():
    shelf = Shelf(scan, most=1, most_small=1)
    assert np.array_equal(shelf.scan(3).channels[0], scan(3).channels[0])
    assert np.array_equal(shelf.proxies(3).channels[0].values, voxels.proxy(scan(3).channels[0]))
