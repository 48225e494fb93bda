"""Shortlists: exact where they hold everybody, and the same in whatever order cases came."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_variants import NAMES

from dvdup.compare import search as searching
from dvdup.compare import shortlist
from dvdup.compare.coarse import coarse_scores_of
from dvdup.compare.scores import Block, rank_scores_of
from dvdup.compare.search import Known, Search
from dvdup.compare.shortlist import Shortlists, from_json, to_json
from dvdup.compare.variant_rows import VariantRows

EMPTY = "e0"
"""A content without rows."""


@pytest.fixture
def short(monkeypatch):
    """Shortlists that do not hold everybody."""
    monkeypatch.setattr(shortlist, "FIRST", 2)
    monkeypatch.setattr(shortlist, "_SPARE", 1)
    monkeypatch.setattr(searching, "_GROUP", 3)


def make(cases, pool, asked=None) -> Search:
    def stream(contents: Collection[str]) -> Iterator[tuple[str, VariantRows]]:
        if asked is not None:
            asked.append(set(contents))
        return ((name, cases[name]) for name in sorted(cases) if name in contents)

    return Search(stream, stream, pool)


def test_where_everybody_is_on_them_the_lists_are_those_of_all_pairs(cases, pool):
    search = make(cases, pool)
    kept = Shortlists().update(search, [*NAMES[:6], EMPTY], [*NAMES[3:], EMPTY])
    expected = search.update(Known(), [*NAMES[:6], EMPTY], [*NAMES[3:], EMPTY], 1)
    assert kept.nearest() == expected.nearest


def test_what_is_listed_has_its_true_score_and_is_of_the_shortlist(cases, pool, short):
    kept = Shortlists().update(make(cases, pool), NAMES, NAMES)
    for name, nearest in kept.nearest().items():
        others = [other for other in NAMES if other != name]
        x, y = Block([cases[name]]), Block([cases[other] for other in others])
        coarse, exact = coarse_scores_of(x, y), rank_scores_of(x, y)
        drawn = {
            others[place]
            for scores in (coarse.change[0], coarse.bag[0])
            for place in sorted(range(len(others)), key=lambda i: (-scores[i], others[i]))[:2]
        }
        for ranking, scores in zip(nearest.rankings, (exact.change, exact.bag), strict=True):
            true = dict(zip(others, scores[0].tolist(), strict=True))
            assert {other for _, other in ranking.entries} == drawn
            assert list(ranking.entries) == sorted((-true[other], other) for other in drawn)
            assert not ranking.whole


SIDES = st.sets(st.sampled_from([*NAMES, EMPTY]))


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(st.tuples(SIDES, SIDES), min_size=1, max_size=5), within=st.booleans())
def test_after_any_comings_and_goings_they_are_those_of_a_new_search(
    cases, pool, short, steps, within
):
    search, kept = make(cases, pool), Shortlists()
    for asking, others in steps:
        others = asking if within else others
        kept = from_json(to_json(kept.update(search, asking, others)))
        fresh = Shortlists().update(search, asking, others)
        nobody = not asking - {EMPTY} or not others - {EMPTY}
        assert nobody or kept.nearest() == fresh.nearest()


def test_a_newcomer_alone_is_searched(cases, pool, short):
    asked: list[set[str]] = []
    search = make(cases, pool, asked)
    kept = Shortlists().update(search, NAMES[:3], NAMES[:9])
    asked.clear()
    again = kept.update(search, NAMES[:3], NAMES[:9])
    assert again == kept
    assert not any(asked)
    kept.update(search, NAMES[:3], NAMES[:10])
    assert set().union(*asked) == {*NAMES[:3], NAMES[9]}


def test_text_is_equal_for_equal_lists_and_gives_them_back(cases, pool, short):
    kept = Shortlists().update(make(cases, pool), NAMES[:5], NAMES)
    turned = Shortlists().update(make(cases, pool), NAMES[4::-1], NAMES[::-1])
    assert to_json(kept) == to_json(turned)
    assert from_json(to_json(kept)) == kept
