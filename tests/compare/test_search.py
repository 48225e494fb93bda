"""Lists that are brought up to date are those of a search from the beginning."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_variants import NAMES

from dvdup.compare import search
from dvdup.compare.candidates import Nearest, Ranking
from dvdup.compare.scores import Block, rank_scores_of
from dvdup.compare.search import Known, Search, ranked
from dvdup.compare.variant_rows import VariantRows

EMPTY = ("e0", "e1")
"""Contents without rows."""


def streamed(cases, asked=None, backwards=False):
    def stream(contents: Collection[str]) -> Iterator[tuple[str, VariantRows]]:
        if asked is not None:
            asked.append(set(contents))
        for name in sorted(cases, reverse=backwards):
            if name in contents:
                yield name, cases[name]

    return stream


def make(cases, pool, most=4, asked=None, **more) -> Search:
    return Search(streamed(cases, asked), streamed(cases), pool, most=most, **more)


@pytest.mark.parametrize(
    ("tile", "block", "ahead", "columns"), [(256, 64, 8, 99), (1, 1, 1, 1), (3, 2, 2, 4)]
)
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize(("mine", "theirs"), [(NAMES[:6], NAMES[3:]), (NAMES[3:], NAMES[:6])])
def test_a_search_is_all_pairs_sorted(
    cases, pool, monkeypatch, mine, theirs, tile, block, ahead, columns, backwards
):
    """Whatever the order in which rows come and however they are cut."""
    sizes = {"_TILE": tile, "_BLOCK": block, "_AHEAD": ahead, "_COLUMNS": columns}
    for name, value in sizes.items():
        monkeypatch.setattr(search, name, value)
    told = []
    whole = Search(
        streamed(cases, backwards=backwards),
        streamed(cases, backwards=backwards),
        pool,
        most=99,
        advance=told.append,
    )
    found = whole.nearest([*mine, *EMPTY], [*theirs, *EMPTY])
    assert sorted(found) == list(mine)
    assert sum(told) == len(mine) * len(theirs)
    for name, nearest in found.items():
        others = [other for other in theirs if other != name]
        scores = rank_scores_of(Block([cases[name]]), Block([cases[other] for other in others]))
        for ranking, values in zip(nearest.rankings, (scores.change, scores.bag), strict=True):
            pairs = zip((-values[0]).tolist(), others, strict=True)
            assert ranking == Ranking(tuple(sorted(pairs)), whole=True)


@pytest.mark.parametrize(("asking", "others"), [((), NAMES), (NAMES, ()), ((), ())])
def test_nobody_finds_nobody(cases, pool, asking, others):
    assert make(cases, pool).nearest(asking, others) == {}


def test_where_nobody_has_rows_lists_are_empty_and_whole(cases, pool):
    assert make(cases, pool).nearest(NAMES[:1], EMPTY) == {NAMES[0]: Nearest()}


def test_cases_without_slices_are_never_found(cases, pool):
    found = make(cases, pool, most=99).nearest([*NAMES, *EMPTY], [*NAMES, *EMPTY])
    assert not set(EMPTY) & set(found)
    for nearest in found.values():
        assert not set(EMPTY) & {other for r in nearest.rankings for _, other in r.entries}


def agree(ours: Ranking, theirs: Ranking, needed: int) -> bool:
    """Whether the entries that both know are equal, and enough of them are known."""
    n = min(len(ours.entries), len(theirs.entries))
    is_enough = ours.whole or len(ours.entries) >= needed
    is_all = not ours.whole or len(ours.entries) >= len(theirs.entries)
    return ours.entries[:n] == theirs.entries[:n] and is_enough and is_all


SIDES = st.sets(st.sampled_from([*NAMES, *EMPTY]))


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(st.tuples(SIDES, SIDES), min_size=1, max_size=5),
    most=st.integers(2, 5),
    needed=st.integers(1, 2),
    within=st.booleans(),
)
def test_after_any_comings_and_goings_lists_are_those_of_a_new_search(
    cases, pool, steps, most, needed, within
):
    one = make(cases, pool, most)
    known = Known()
    for asking, others in steps:
        others = asking if within else others
        known = one.update(known, asking, others, needed)
        expected = one.update(Known(), asking, others, needed)
        assert known.others == expected.others == others
        for name in asking - set(EMPTY) if others - set(EMPTY) else ():
            ours = known.nearest.get(name, Nearest())
            theirs = expected.nearest.get(name, Nearest())
            for mine, new in zip(ours.rankings, theirs.rankings, strict=True):
                assert agree(mine, new, needed), name


def test_where_nothing_has_changed_nothing_is_searched(cases, pool):
    asked: list[set[str]] = []
    one = make(cases, pool, asked=asked)
    known = one.update(Known(), NAMES[:5], NAMES, 1)
    assert asked == [set(NAMES[:5])]
    assert one.update(known, NAMES[:5], NAMES, 1) == known
    assert len(asked) == 1


def test_a_newcomer_asks_all_and_is_asked_about_by_all(cases, pool):
    asked: list[set[str]] = []
    one = make(cases, pool, asked=asked)
    known = one.update(Known(), NAMES[:5], NAMES[:8], 1)
    asked.clear()
    one.update(known, NAMES[:6], NAMES[:9], 1)
    assert sorted(asked, key=len) == [{NAMES[5]}, set(NAMES[:5])]


def test_a_list_that_has_become_too_short_is_searched_anew(cases, pool):
    asked: list[set[str]] = []
    one = make(cases, pool, most=2, asked=asked)
    known = one.update(Known(), NAMES[:1], NAMES[1:], 1)
    first = {content for _, content in known.nearest[NAMES[0]].change.entries}
    asked.clear()
    left = set(NAMES[1:]) - first
    again = one.update(known, NAMES[:1], left, 1)
    assert asked == [{NAMES[0]}]
    assert again == one.update(Known(), NAMES[:1], left, 1)


def test_who_wants_to_stop_is_heard(cases, pool, monkeypatch):
    monkeypatch.setattr(search, "_TILE", 2)
    done = []

    def advance(n):
        done.append(n)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(cases, pool, advance=advance).nearest(NAMES, NAMES)
    assert done == [2 * len(NAMES)]


@pytest.mark.parametrize("most", [1, 2, 3, 4])
@pytest.mark.parametrize("itself", ["b", "none"])
def test_ties_come_by_name_and_a_case_is_not_its_own_neighbour(most, itself):
    found = ranked(np.array([5, 9, 9, 5]), ["a", "b", "c", "d"], itself, most)
    every = [(-9, "b"), (-9, "c"), (-5, "a"), (-5, "d")]
    every = [entry for entry in every if entry[1] != itself]
    assert found == Ranking(tuple(every[:most]), len(every) <= most)
