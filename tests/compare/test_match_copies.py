"""What the scores are for: copies, look-alikes, channels, and which pairs are kept."""

from __future__ import annotations

import numpy as np
import pytest

from dvdup.compare.match import MatchSettings, match

ALL = MatchSettings(keep_above=-1.0)
SIZES = [[8]] * 12


@pytest.mark.parametrize("copies", [1, 2, 3, 5])
def test_copies_share_the_count_and_not_the_shared_score(slice_rows, side, copies):
    """All votes of the count go to the copy of the smallest name."""
    train = slice_rows(0, "train", SIZES)
    source = train["train", "c4"]
    for number in range(copies - 1):
        train["train", f"z{number}"] = source
    found = match(side(train), side({("test", "q"): source}), ALL)
    of_source = [pair for pair in found if train[pair.a] is source]
    assert len(of_source) == copies
    assert [pair.shared_score.b_to_a for pair in of_source] == [1.0] * copies
    assert [pair.count_score.b_to_a for pair in of_source] == [1.0] + [0.0] * (copies - 1)
    assert all(pair.similarity.b_to_a == pytest.approx(1, abs=2e-3) for pair in of_source)


@pytest.mark.parametrize("copies", [2, 3, 5])
def test_noisy_copies_split_the_count_and_not_the_shared_score(slice_rows, side, copies):
    rng = np.random.default_rng(0)
    train = slice_rows(0, "train", [[40]] * 12, dimensions=64)
    source = train.pop(("train", "c4"))
    names = [("train", f"z{number}") for number in range(copies)]
    for name in names:
        noisy = [(c, row.astype(np.float32) + rng.normal(size=64) * 0.002) for c, row in source]
        train[name] = [(c, (row / np.linalg.norm(row)).astype(np.float16)) for c, row in noisy]
    found = match(side(train), side({("test", "q"): source}), ALL)
    of_source = {pair.a: pair for pair in found if pair.a in names}
    counts = [of_source[name].count_score.b_to_a for name in names]
    assert sum(counts) == pytest.approx(1)
    assert max(counts) < 0.95
    assert min(pair.shared_score.b_to_a for pair in of_source.values()) == 1.0


def test_the_count_sums_to_one_over_all_candidates(slice_rows, side):
    train, test = slice_rows(0, "train", SIZES), slice_rows(1, "test", [[5], [9], [1]])
    found = match(side(train), side(test), ALL)
    for key in test:
        ours = [pair for pair in found if pair.b == key]
        assert sum(pair.count_score.b_to_a for pair in ours) == pytest.approx(1)
    for key in train:
        ours = [pair for pair in found if pair.a == key]
        assert sum(pair.count_score.a_to_b for pair in ours) == pytest.approx(1)


def test_slices_that_look_alike_in_everybody_vote_for_nobody(side):
    """The floor: all cases are equally near, so near the median is not enough."""
    rng = np.random.default_rng(0)
    middle = rng.normal(size=256)

    def person():
        slice_rows = middle + 0.5 * rng.normal(size=(6, 256))
        return [(0, (row / np.linalg.norm(row)).astype(np.float16)) for row in slice_rows]

    train = {("train", f"c{i}"): person() for i in range(9)}
    loose = MatchSettings(keep_above=-1.0, margin=2.0)
    found = match(side(train), side({("test", "q"): person()}), loose)
    assert len(found) == 9
    assert max(pair.shared_score.b_to_a for pair in found) == 0.0
    assert sum(pair.count_score.b_to_a for pair in found) == pytest.approx(1)


def test_ties_go_to_the_smaller_name(side):
    """Also of equal scans in one block and in different splits."""
    row = np.eye(4, dtype=np.float16)
    same = [(0, row[0]), (0, row[1])]
    many = {(split, name): same for split in ("b", "a") for name in ("y", "x")}
    found = match(side(many), side({("q", "q"): same}), ALL)
    counts = {pair.a: pair.count_score.b_to_a for pair in found}
    assert counts == {("a", "x"): 1.0, ("a", "y"): 0.0, ("b", "x"): 0.0, ("b", "y"): 0.0}


def test_one_channel_in_common_is_enough(slice_rows, side):
    train = slice_rows(0, "train", SIZES)
    four = slice_rows(2, "test", [[8, 8, 8, 8]])["test", "c0"]
    train["train", "one"] = [(0, row) for channel, row in four if channel == 2]
    found = match(side(train), side({("test", "four"): four}), ALL)
    pair = next(pair for pair in found if pair.a == ("train", "one"))
    assert pair.count_score.b_to_a == pair.count_score.a_to_b == 1.0
    assert pair.shared_score.b_to_a == pair.shared_score.a_to_b == 1.0
    assert pair.similarity.b_to_a == pytest.approx(1, abs=2e-3)


def test_a_slab_speaks_in_its_own_direction(slice_rows, side):
    train = slice_rows(0, "train", [[40]] * 10, dimensions=32)
    slab = {("test", "slab"): train["train", "c3"][10:20]}
    pair = next(pair for pair in match(side(train), side(slab), ALL) if pair.a == ("train", "c3"))
    assert pair.shared_score.b_to_a == 1.0
    assert pair.similarity.b_to_a == pytest.approx(1, abs=2e-3)
    assert pair.similarity.a_to_b < 0.7


def test_only_pairs_worth_a_look_are_kept(slice_rows, side):
    """By similarity the nearest of each case, in both directions; more only by their scores."""
    train, test = slice_rows(0, "train", [[12]] * 20), slice_rows(1, "test", [[12]] * 3)
    everything = match(side(train), side(test), ALL)
    few = match(side(train), side(test), MatchSettings(keep_nearest=1, keep_above=2.0))
    expected = set()
    for key in train:
        ours = [pair for pair in everything if pair.a == key]
        best = max(ours, key=lambda pair: pair.similarity.a_to_b)
        expected.add((best.a, best.b))
    for key in test:
        ours = [pair for pair in everything if pair.b == key]
        best = max(ours, key=lambda pair: pair.similarity.b_to_a)
        expected.add((best.a, best.b))
    assert {(pair.a, pair.b) for pair in few} == expected
    assert len(few) < len(everything)
    by_score = match(side(train), side(test), MatchSettings(keep_nearest=0, keep_above=0.3))
    assert {(pair.a, pair.b) for pair in by_score} == {
        (pair.a, pair.b)
        for pair in everything
        if max(pair.count_score.best, pair.shared_score.best) >= 0.3
    }
    assert by_score


@pytest.mark.parametrize("sides", [([], []), ([[3]], []), ([], [[3]])])
def test_an_empty_side_gives_no_pair(slice_rows, side, sides):
    a, b = slice_rows(0, "train", sides[0]), slice_rows(1, "test", sides[1])
    assert match(side(a), side(b), MatchSettings()) == []


def test_a_lone_case_has_nobody_to_meet(slice_rows, side):
    alone = side(slice_rows(0, "train", [[3]]))
    assert match(alone, alone, MatchSettings()) == []
