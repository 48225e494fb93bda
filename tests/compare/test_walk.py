"""Whose voxels are compared: walks along lists, more where they end, and lists that are kept."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvdup.compare import walk
from dvdup.compare.candidates import Nearest, Ranking, candidates_of
from dvdup.compare.search import Known
from dvdup.compare.walk import Walk
from dvdup.records import PairResult


def side(case, split: str, n: int, **more):
    """Cases <split>0, <split>1 ... whose contents are their names."""
    found = [
        dataclasses.replace(case(split, f"{split}{i}"), content=f"{split}{i}", **more)
        for i in range(n)
    ]
    return SimpleNamespace(cases=found, voting=found)


class Lists:
    """Stands in for a search: lists in a given order, cut after `most` entries."""

    def __init__(self, order, most=8, misses=1):
        self.order, self.most, self.misses = order, most, misses
        self.asked_whole = []

    def _of(self, content, others, most):
        order = [name for name in self.order[content] if name != content]
        there = {each.content for each in others.voting}
        entries = tuple((-99 + i, each) for i, each in enumerate(order) if each in there)
        ranking = Ranking(entries[:most], len(entries) <= most)
        return Nearest(ranking, ranking)

    def nearest(self, asking, others, name):
        self.name = name
        return {c.content: self._of(c.content, others, self.most) for c in asking.voting}

    def whole(self, content, others):
        self.asked_whole.append(content)
        return self._of(content, others, 1 << 30)


class Voxels:
    """Stands in for a comparison of voxels, and keeps what it was asked."""

    def __init__(self, *copies, away=()):
        self.copies, self.away, self.asked = copies, away, []

    def __call__(self, pairs):
        self.asked += pairs
        return {
            (a, b): verified("near" if {a[1], b[1]} in map(set, self.copies) else None)
            for a, b in pairs
            if {a[1], b[1]} not in map(set, self.away)
        }


def verify_candidates(lists, sides, voxels, **options):
    walk = Walk(lists, sides, **options)
    while pairs := walk.wanted():
        walk.learn(pairs, voxels(pairs))
    return walk.verified


def verified(verdict):
    return PairResult(verdict=verdict, rule="same-structure", decided=True, confidence=1.0)


def names(pairs):
    return sorted((a[1], b[1]) for a, b in pairs)


ORDER = {"b0": ["a2", "a0", "a3", "a1"], "b1": ["a1", "a2", "a3", "a0"]}


@pytest.mark.parametrize(
    ("copies", "compared"),
    [
        ([], [("a1", "b1"), ("a2", "b0")]),
        ([("a2", "b0")], [("a0", "b0"), ("a1", "b1"), ("a2", "b0")]),
        ([("a2", "b0"), ("a0", "b0")], [("a0", "b0"), ("a1", "b1"), ("a2", "b0"), ("a3", "b0")]),
        ([("a2", "b1")], [("a1", "b1"), ("a2", "b0")]),  # a1 is none, so a2 is not asked about
    ],
)
def test_the_first_is_compared_and_the_next_one_after_a_copy(case, copies, compared):
    voxels = Voxels(*copies)
    found = verify_candidates(Lists(ORDER), (side(case, "a", 4), side(case, "b", 2)), voxels)
    assert names(found) == compared
    assert len(voxels.asked) == len(set(voxels.asked)) == len(found)


def test_either_side_may_ask_and_pairs_stay_in_order(case):
    a, b = side(case, "a", 2), side(case, "b", 2)
    order = {"a0": ["b1", "b0"], "a1": ["b0", "b1"]}
    found = verify_candidates(Lists(order), (a, b), Voxels(), asks_first=True)
    assert names(found) == [("a0", "b1"), ("a1", "b0")]


def test_inside_one_side_a_pair_is_compared_once(case):
    a = side(case, "a", 3)
    order = {"a0": ["a1", "a2"], "a1": ["a0", "a2"], "a2": ["a0", "a1"]}
    voxels = Voxels()
    assert names(verify_candidates(Lists(order), (a, a), voxels)) == [("a0", "a1"), ("a0", "a2")]
    assert len(voxels.asked) == 2


def test_equal_voxels_need_no_comparison_and_are_walked_past(case):
    a, b = side(case, "a", 4), side(case, "b", 1)
    a.voting[2] = dataclasses.replace(a.voting[2], voxel_hashes=("h", "i"))
    b.voting[0] = dataclasses.replace(b.voting[0], voxel_hashes=("h",))
    assert names(verify_candidates(Lists(ORDER), (a, b), Voxels())) == [("a0", "b0")]


def test_one_scan_under_two_names_is_walked_past(case):
    a, b = side(case, "a", 4), side(case, "b", 1)
    own = {(a.voting[2].key, b.voting[0].key)}
    found = verify_candidates(Lists(ORDER), (a, b), Voxels(), without=own)
    assert names(found) == [("a0", "b0")]


def test_what_could_not_be_compared_is_no_copy(case):
    voxels = Voxels(away=[("a2", "b0")])
    found = verify_candidates(Lists(ORDER), (side(case, "a", 4), side(case, "b", 1)), voxels)
    assert found == {}
    assert names(voxels.asked) == [("a2", "b0")]


@pytest.mark.parametrize("most", [1, 2, 3])
def test_a_list_that_ends_in_copies_is_asked_for_further(case, most):
    a, b = side(case, "a", 6), side(case, "b", 2)
    order = {"b0": [f"a{i}" for i in range(6)], "b1": ["a5"]}
    lists = Lists(order, most)
    found = verify_candidates(lists, (a, b), Voxels(*(((f"a{i}"), "b0") for i in range(4))))
    assert names(found) == [*((f"a{i}", "b0") for i in range(5)), ("a5", "b1")]
    assert lists.asked_whole == ["b0"]


@pytest.mark.parametrize(
    ("named", "asks_first", "kept"),
    [(None, False, None), (("x", "y"), False, ("x", "y", "False")),
     (("x", "y"), True, ("x", "y", "True"))],
)  # fmt: skip
def test_lists_are_kept_under_the_names_of_the_sides(case, named, asks_first, kept):
    lists = Lists({"a0": ["b0"], "b0": ["a0"]})
    both = side(case, "a", 1), side(case, "b", 1)
    verify_candidates(lists, both, Voxels(), asks_first=asks_first, name=named)
    assert lists.name == kept


@settings(max_examples=60, deadline=None)
@given(data=st.data(), misses=st.integers(0, 3), most=st.integers(1, 4))
def test_all_together_are_the_candidates_of_each(case, data, misses, most):
    a, b = side(case, "a", 5), side(case, "b", 3)
    contents = [each.content for each in a.voting]
    order = {each.content: data.draw(st.permutations(contents)) for each in b.voting}
    pairs = [(one, other) for one in contents for other in order]
    copies = data.draw(st.lists(st.sampled_from(pairs), unique=True))
    found = verify_candidates(Lists(order, most, misses), (a, b), Voxels(*copies))
    expected = {
        (one, other)
        for other in order
        for one in candidates_of(
            Lists(order)._of(other, a, 99), lambda one, other=other: (one, other) in copies, misses
        )
    }
    assert names(found) == sorted(expected)


def test_lists_are_kept_as_they_are():
    known = Known(
        frozenset({"x", "y"}),
        {"q": Nearest(Ranking(((-7, "x"), (-2, "y"))), Ranking(((-3, "y"),), whole=False))},
    )
    text = walk._to_json(known)
    assert walk._from_json(text) == known
    assert walk._to_json(walk._from_json(text)) == text
