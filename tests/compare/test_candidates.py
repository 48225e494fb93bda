"""Lists that are kept are certain, and walks along them stop where they should."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvdup.compare.candidates import Nearest, Ranking, candidates_of, next_candidates

CONTENTS = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=2), st.integers(0, 4), max_size=12
)
"""Scores by content: few values, so that there are ties."""


def ranking(scores: dict[str, int], most: int) -> Ranking:
    """The list of all, cut."""
    entries = tuple(sorted((-score, content) for content, score in scores.items()))
    return Ranking(entries[:most], len(entries) <= most)


def is_true_of(found: Ranking, scores: dict[str, int]) -> bool:
    """Whether a list is the beginning of the list of all, and tells whether it is all of it."""
    every = ranking(scores, 99).entries
    is_prefix = found.entries == every[: len(found.entries)]
    return is_prefix and (not found.whole or len(found.entries) == len(every))


@settings(max_examples=200, deadline=None)
@given(scores=CONTENTS, most=st.integers(1, 6), data=st.data())
def test_without_some_a_list_is_still_the_beginning(scores, most, data):
    gone = set(data.draw(st.lists(st.sampled_from([*scores, "zz"]), unique=True)))
    left = {content: score for content, score in scores.items() if content not in gone}
    assert is_true_of(ranking(scores, most).without(gone), left)


@settings(max_examples=300, deadline=None)
@given(scores=CONTENTS, data=st.data(), most=st.integers(1, 6))
def test_merged_lists_are_the_beginning_of_the_list_of_all(scores, data, most):
    """However much of the two was known."""
    come = set(data.draw(st.lists(st.sampled_from(sorted(scores)), unique=True))) if scores else ()
    old = {content: score for content, score in scores.items() if content not in come}
    new = {content: score for content, score in scores.items() if content in come}
    known = ranking(old, data.draw(st.integers(0, 6)))
    newcomers = ranking(new, data.draw(st.integers(0, 6)))
    merged = known.merged(newcomers, most)
    assert is_true_of(merged, scores)
    assert len(merged.entries) <= most
    if known.whole and newcomers.whole:
        assert merged == ranking(scores, most)
    if len(known.entries) >= most and len(newcomers.entries) >= most:
        assert merged.entries == ranking(scores, most).entries


def test_a_list_that_ended_stays_cut_when_others_come():
    """Behind its last entry may lie others that are not known."""
    known = Ranking(((-9, "a"), (-5, "b")), whole=False)
    merged = known.merged(Ranking(((-7, "c"), (-1, "d"))), 8)
    assert merged == Ranking(((-9, "a"), (-7, "c"), (-5, "b")), whole=False)


def test_a_list_of_nobody_that_is_not_whole_is_certain_of_nothing():
    merged = Ranking((), whole=False).merged(Ranking(((-7, "c"),)), 8)
    assert merged == Ranking((), whole=False)


@pytest.mark.parametrize(
    ("change", "bag", "n", "lasts"),
    [
        (Ranking(), Ranking(), 3, True),
        (Ranking(((-1, "a"),), whole=False), Ranking(), 1, True),
        (Ranking(((-1, "a"),), whole=False), Ranking(), 2, False),
        (Ranking(), Ranking((), whole=False), 1, False),
        (Ranking((), whole=False), Ranking(), 0, True),
    ],
)
def test_a_list_lasts_where_enough_is_known_or_all(change, bag, n, lasts):
    assert Nearest(change, bag).lasts(n) == lasts


def listed(*contents: str, whole: bool = True) -> Ranking:
    return Ranking(tuple((-99 + i, content) for i, content in enumerate(contents)), whole)


A_TO_E = Nearest(listed(*"abcde"), listed(*"edcba"))


@pytest.mark.parametrize(
    ("known", "misses", "compare"),
    [
        ({}, 1, "ae"),
        ({}, 2, "abde"),
        ({}, 9, "abcde"),
        ({}, 0, ""),
        ({"a": True}, 1, "be"),
        ({"a": True, "b": True, "e": False}, 1, "c"),
        ({"a": False, "e": False}, 1, ""),
        ({"a": False, "e": False}, 2, "bd"),
        (dict.fromkeys("abcde", True), 1, ""),
    ],
)
def test_copies_are_walked_past_and_misses_end_a_walk(known, misses, compare):
    found = next_candidates(A_TO_E, known.get, misses)
    assert "".join(found.compare) == compare
    assert not found.ended


@pytest.mark.parametrize("which", [0, 1])
def test_a_list_that_ends_in_copies_is_wanted_further(which):
    short = [listed("x"), listed("x")]
    short[which] = listed("a", "b", whole=False)
    nearest = Nearest(*short)
    copies = {"a": True, "b": True, "x": False}
    assert next_candidates(nearest, copies.get, 1).ended
    assert not next_candidates(nearest, (copies | {"b": False}).get, 1).ended
    assert next_candidates(nearest, (copies | {"b": False}).get, 2).ended
    assert not next_candidates(nearest, copies.get, 0).ended


ORDERS = st.permutations("abcdefg")


@settings(max_examples=100, deadline=None)
@given(change=ORDERS, bag=ORDERS, copies=st.sets(st.sampled_from("abcdefg")), n=st.integers(0, 3))
def test_the_cases_that_are_compared_are_copies_up_to_some_that_are_none(change, bag, copies, n):
    asked = []

    def verdict_of(content):
        asked.append(content)
        return content in copies

    found = candidates_of(Nearest(listed(*change), listed(*bag)), verdict_of, n)
    expected = set()
    for order in (change, bag):
        none = [place for place, content in enumerate(order) if content not in copies]
        stop = none[n - 1] + 1 if len(none) >= n > 0 else len(order) if n else 0
        expected |= set(order[:stop])
    assert list(found) == sorted(expected)
    assert sorted(asked) == sorted(expected)


@settings(max_examples=100, deadline=None)
@given(order=ORDERS, copies=st.sets(st.sampled_from("abcdefg")), cut=st.integers(0, 7))
def test_a_walk_along_a_cut_list_that_goes_on_asks_for_the_same(order, copies, cut):
    whole = Nearest(listed(*order), listed(*order))
    short = Nearest(*(listed(*order[:cut], whole=cut == 7) for _ in range(2)))
    known: dict[str, bool] = {}
    while True:
        following = next_candidates(short, known.get, 1)
        if following.compare:
            known |= {content: content in copies for content in following.compare}
        elif following.ended:
            short = whole
        else:
            break
    assert sorted(known) == list(candidates_of(whole, copies.__contains__, 1))
