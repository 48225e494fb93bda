"""Every score against its definition, written down slice by slice in float64."""

from __future__ import annotations

import collections
import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dvdup.compare.match import MatchSettings, match, score_pairs
from dvdup.records import MIN_COHORT

ALL = MatchSettings(keep_above=-1.0)
"""Keep every pair."""
EDGE = 1e-5
"""Distance from a threshold below which float32 and float64 may disagree."""


class Reference:
    """The scores of one query case against all candidates, by the words of the module."""

    def __init__(self, query, own, candidates, limits):
        self.keys = [key for key in sorted(candidates) if key != own]
        self.channels = sorted({channel for channel, _ in query})
        self.per_channel = [
            self._channel([row for channel, row in query if channel == c], candidates, limits)
            for c in self.channels
        ]

    def _channel(self, query, candidates, limits):
        s = np.array(
            [
                [max(_cosine(row, other) for _, other in candidates[key]) for key in self.keys]
                for row in query
            ]
        )
        best, median = s.max(axis=1, keepdims=True), np.median(s, axis=1, keepdims=True)
        floor = median + limits.floor * (1 - median)
        if len(self.keys) < MIN_COHORT:
            floor = np.full_like(median, -1.0)
        for edge in (s - (best - limits.margin), s - floor):
            assume(not (np.abs(edge) < EDGE).any())
        gap = best - s
        assume(not ((gap > 1e-7) & (gap < EDGE)).any())
        winners = [self.keys[int((row >= row.max() - 1e-7).argmax())] for row in s]
        votes = (s >= best - limits.margin) & (s >= floor)
        return {
            "count": {key: np.mean([w == key for w in winners]) for key in self.keys},
            "shared": dict(zip(self.keys, votes.mean(axis=0), strict=True)),
            "similarity": dict(zip(self.keys, s.mean(axis=0), strict=True)),
            "background": np.median(s.mean(axis=0)),
        }

    def score(self, name, key):
        return max(channel[name][key] for channel in self.per_channel)

    @property
    def background(self):
        return max(channel["background"] for channel in self.per_channel)


def _cosine(a, b):
    return float(a.astype(np.float64) @ b.astype(np.float64))


def most_in_a_channel(slice_rows):
    return max(collections.Counter(channel for channel, _ in slice_rows).values())


def check(found, a, b, limits):
    """Compare what `match` found with the reference, in both directions."""
    ahead = {key: Reference(a[key], key, b, limits) for key in a if set(b) - {key}}
    back = {key: Reference(b[key], key, a, limits) for key in b if set(a) - {key}}
    for pair in found:
        forth, reverse = ahead[pair.a], back[pair.b]
        for name, score in (
            ("count", pair.count_score),
            ("shared", pair.shared_score),
            ("similarity", pair.similarity),
        ):
            # nothing is more alike than alike, whatever float16 made of the length of the rows
            there, here = min(1.0, forth.score(name, pair.b)), min(1.0, reverse.score(name, pair.a))
            assert score.a_to_b == pytest.approx(there, abs=2e-6), name
            assert score.b_to_a == pytest.approx(here, abs=2e-6), name
        assert pair.background.a_to_b == pytest.approx(min(1.0, forth.background), abs=2e-6)
        assert pair.background.b_to_a == pytest.approx(min(1.0, reverse.background), abs=2e-6)
        assert pair.slices == (most_in_a_channel(a[pair.a]), most_in_a_channel(b[pair.b]))
        assert pair.cohort == (len(forth.keys), len(reverse.keys))


def cases(draw, make, split, *, copies=True):
    """Up to 11 cases of up to 3 channels; some may be copies of the one before."""
    few = st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=3), max_size=4)
    many = st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=2), min_size=8, max_size=11)
    sizes = draw(st.one_of(few, many))
    made = make(draw(st.integers(0, 10_000)), split, sizes, dimensions=4)
    keys = sorted(made)
    for before, key in itertools.pairwise(keys):
        if copies and draw(st.booleans()):
            made[key] = made[before]
    return made


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_two_sides(slice_rows, side, data):
    a, b = cases(data.draw, slice_rows, "train"), cases(data.draw, slice_rows, "test")
    found = match(side(a, 3, 1), side(b, 2, 2), ALL)
    assert [(pair.a, pair.b) for pair in found] == [(i, k) for i in sorted(a) for k in sorted(b)]
    check(found, a, b, ALL)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_one_side_with_itself(slice_rows, side, data):
    a = cases(data.draw, slice_rows, "train")
    one = side(a, 3, 1)
    found = match(one, one, ALL)
    assert [(pair.a, pair.b) for pair in found] == [
        (i, k) for i in sorted(a) for k in sorted(a) if i < k
    ]
    check(found, a, a, ALL)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_two_versions_of_one_split(slice_rows, side, data):
    """Some cases are in both; they never meet themselves, whatever they held then."""
    a, b = cases(data.draw, slice_rows, "train"), cases(data.draw, slice_rows, "train")
    found = match(side(a), side(b), ALL)
    assert {(pair.a, pair.b) for pair in found} == {(i, k) for i in a for k in b if i != k}
    check(found, a, b, ALL)


BUDGETS = st.sampled_from([1, 1500, 4000])
BLOCKS = st.integers(1, 7)
ORDERS = st.integers(0, 9)


@settings(max_examples=30, deadline=None)
@given(data=st.data(), budget=BUDGETS, block=BLOCKS, order=ORDERS)
def test_tiles_and_blocks_change_no_score(slice_rows, side, data, budget, block, order):
    a, b = cases(data.draw, slice_rows, "train"), cases(data.draw, slice_rows, "test")
    expected = match(side(a), side(b), ALL)
    tiled = dataclasses.replace(ALL, budget=budget)
    found = match(side(a, block, order), side(b, block, order + 1), tiled)
    assert [(pair.a, pair.b) for pair in found] == [(pair.a, pair.b) for pair in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.cohort == other.cohort
        for name in ("count_score", "shared_score", "similarity", "background"):
            left, right = getattr(one, name), getattr(other, name)
            assert left.a_to_b == pytest.approx(right.a_to_b, abs=2e-6), name
            assert left.b_to_a == pytest.approx(right.b_to_a, abs=2e-6), name


@settings(max_examples=30, deadline=None)
@given(data=st.data(), budget=BUDGETS, block=BLOCKS, order=ORDERS)
def test_tiles_and_blocks_do_not_decide_which_pairs_are_kept(
    slice_rows, side, data, budget, block, order
):
    a = cases(data.draw, slice_rows, "train", copies=False)
    b = cases(data.draw, slice_rows, "test", copies=False)
    few = MatchSettings(keep_nearest=2, keep_above=0.6)
    expected = match(side(a), side(b), few)
    tiled = dataclasses.replace(few, budget=budget)
    found = match(side(a, block, order), side(b, block, order + 1), tiled)
    assert [(pair.a, pair.b) for pair in found] == [(pair.a, pair.b) for pair in expected]


def test_more_slices_than_one_product_takes(slice_rows, side):
    a = slice_rows(0, "train", [[700], [600, 500]])
    b = slice_rows(1, "test", [[900], [300]])
    found = match(side(a, 8192), side(b, 100), MatchSettings(keep_above=-1.0))
    s = {
        key: [max(_cosine(row, other) for _, other in b[key]) for _, row in a["train", "c0"]]
        for key in b
    }
    pairs = {(pair.a, pair.b): pair for pair in found}
    for key in b:
        pair = pairs[("train", "c0"), key]
        assert pair.similarity.a_to_b == pytest.approx(np.mean(s[key]), abs=1e-5)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), budget=BUDGETS, block=BLOCKS, within=st.booleans())
def test_chosen_pairs_have_the_scores_of_a_whole_match(
    slice_rows, side, data, budget, block, within
):
    """Also of pairs that `match` would not keep, and whatever else is asked for."""
    a = cases(data.draw, slice_rows, "train")
    one, other = side(a), side(a if within else cases(data.draw, slice_rows, "test"))
    every = {(pair.a, pair.b): pair for pair in match(one, one if within else other, ALL)}
    wanted = data.draw(st.lists(st.sampled_from(sorted(every)), unique=True)) if every else []
    again = side(a, block, 3)
    found = score_pairs(wanted, again, again if within else other, MatchSettings(budget=budget))
    assert [(pair.a, pair.b) for pair in found] == sorted(wanted)
    for pair in found:
        expected = every[pair.a, pair.b]
        assert (pair.cohort, pair.slices) == (expected.cohort, expected.slices)
        for name in ("count_score", "shared_score", "similarity", "background"):
            left, right = getattr(pair, name), getattr(expected, name)
            assert left.a_to_b == pytest.approx(right.a_to_b, abs=2e-6), name
            assert left.b_to_a == pytest.approx(right.b_to_a, abs=2e-6), name


def test_pairs_of_nobody_have_no_scores(slice_rows, side):
    """Cases without slices are on no side, and no case is compared with itself."""
    a, b = side(slice_rows(0, "train", [[3], [2]])), side(slice_rows(1, "test", [[3]]))
    absent = [(("train", "c9"), ("test", "c0")), (("train", "c0"), ("test", "c9"))]
    assert score_pairs(absent, a, b) == []
    assert score_pairs([(("train", "c0"), ("train", "c0"))], a, a) == []
    assert score_pairs([], a, b) == []
