"""Coarse scores: what they count, that they depend on two cases alone, and what they cannot see."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvdup.compare.coarse import coarse_scores_of
from dvdup.compare.scores import COUNTS, Block
from dvdup.compare.variant_rows import ASKED_COARSELY, UNIT, VariantRows

SEEDS = st.lists(st.integers(0, 6), min_size=1, max_size=5)


def one_way(x: VariantRows, y: VariantRows) -> int:
    """By the definition, row by row."""
    total = 0
    n_changes, n_slices, _ = x.asking.shape
    for change in range(n_changes):
        for i in range(n_slices):
            found = [(y.slices, y.slice_cells)]
            found += [(y.crops, y.crop_cells)] if change < x.n_asking_crops else []
            for rows, cells in found:
                for cell in x.asking_cells[change, i, :ASKED_COARSELY].tolist():
                    met = rows[cells == cell].astype(np.int64)
                    if len(met):
                        best = int((met @ x.asking[change, i].astype(np.int64)).max())
                        total += int(COUNTS[min(max(best, 0), UNIT)])
    return total // n_slices


@settings(max_examples=25, deadline=None)
@given(mine=SEEDS, theirs=SEEDS, channels=st.integers(1, 2))
def test_scores_are_what_the_rows_of_two_cases_count(rows, mine, theirs, channels):
    x = [rows(seed, 1 + seed % 4, channels) for seed in mine]
    y = [rows(seed + 3, 1 + seed % 3, 1 + seed % 2) for seed in theirs]
    scores = coarse_scores_of(Block(x), Block(y))
    ahead = np.array([[one_way(one, other) for other in y] for one in x])
    back = np.array([[one_way(other, one) for other in y] for one in x])
    np.testing.assert_array_equal(scores.change, ahead + back)
    np.testing.assert_array_equal(scores.bag, np.maximum(ahead, back))


def test_it_does_not_matter_who_asks(rows):
    x, y = ([rows(seed, 4) for seed in seeds] for seeds in (range(4), range(3, 9)))
    one, other = coarse_scores_of(Block(x), Block(y)), coarse_scores_of(Block(y), Block(x))
    np.testing.assert_array_equal(one.change, other.change.T)
    np.testing.assert_array_equal(one.bag, other.bag.T)


def test_rows_that_meet_in_further_cells_only_are_passed_by(rows):
    """That is what makes them coarse."""
    case = rows(1, 1)
    asking = np.full((*case.asking.shape[:2], 4), 9, np.uint8) + np.arange(4, dtype=np.uint8)
    query = dataclasses.replace(case, asking_cells=asking, slice_cells=np.array([200], np.uint8))
    query = dataclasses.replace(query, crop_cells=np.full(len(query.crops), 200, np.uint8))
    scores = []
    for cell in (9 + ASKED_COARSELY - 1, 9 + ASKED_COARSELY):
        known = dataclasses.replace(
            query, slice_cells=np.array([cell], np.uint8), asking_cells=asking + 100
        )
        scores.append(int(coarse_scores_of(Block([query]), Block([known])).bag[0, 0]))
    assert scores[0] > 0
    assert scores[1] == 0


@pytest.mark.parametrize("channels", [1, 3])
def test_among_strangers_a_case_is_nearest_to_itself(rows, channels):
    cases = [rows(seed, 6, channels, wide=64) for seed in range(6)]
    scores = coarse_scores_of(Block(cases), Block(cases))
    assert scores.change.argmax(axis=1).tolist() == list(range(6))
