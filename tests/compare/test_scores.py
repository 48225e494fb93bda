"""The scores of two cases against their words, and that they depend on these two alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_variants import in_one_cell

from dvdup.compare.scores import ONE, Block, rank_scores_of, weights
from dvdup.compare.variant_rows import UNIT, VariantRows


def counts(product: int) -> int:
    return round(float(weights(np.array([min(max(product, 0), UNIT) / UNIT]))[0]) * ONE)


def by_hand(x: VariantRows, y: VariantRows) -> tuple[int, int]:
    """`change` and `bag` where x asks y, slice by slice, in the cells that each looks into."""

    def nearest(change: int, i: int, rows: np.ndarray, cells: np.ndarray) -> int:
        met = rows[np.isin(cells, x.asking_cells[change, i])].astype(np.int64)
        return max((counts(int(x.asking[change, i] @ row)) for row in met), default=0)

    best = {"change": 0, "bag": 0}
    for channel in set(x.channel.tolist()):
        own = np.flatnonzero(x.channel == channel).tolist()
        n_changes = len(x.asking)
        each = [[nearest(a, i, y.slices, y.slice_cells) for i in own] for a in range(n_changes)]
        # for crops as it is, and shrunk; a picture under every change
        n_crops = len(x.asking) if len(x.slices) == len(set(x.channel.tolist())) else 2
        each += [[nearest(a, i, y.crops, y.crop_cells) for i in own] for a in range(n_crops)]
        change = max(sum(row) for row in each) // len(own)
        bag = sum(max(column) for column in zip(*each, strict=True)) // len(own)
        best["change"] = max(best["change"], change)
        best["bag"] = max(best["bag"], bag)
    return best["change"], best["bag"]


ONE_CHANNEL = np.zeros(1, np.uint8)
CASES = st.lists(
    st.tuples(st.integers(0, 999), st.integers(1, 5), st.integers(1, 3)), min_size=1, max_size=5
)


def block(rows, drawn) -> Block:
    return Block([rows(*each) for each in drawn])


@settings(max_examples=15, deadline=None)
@given(x=CASES, y=CASES)
def test_the_higher_score_of_both_directions_slice_by_slice(rows, x, y):
    ours, theirs = block(rows, x[:2]), block(rows, y[:2])
    scores = rank_scores_of(ours, theirs)
    for i, one in enumerate(ours.cases):
        for k, other in enumerate(theirs.cases):
            ahead, back = by_hand(one, other), by_hand(other, one)
            assert scores.change[i, k] == max(ahead[0], back[0])
            assert scores.bag[i, k] == max(ahead[1], back[1])


@settings(max_examples=40, deadline=None)
@given(x=CASES, y=CASES)
def test_it_does_not_matter_who_came_first(rows, x, y):
    ours, theirs = block(rows, x), block(rows, y)
    ahead, back = rank_scores_of(ours, theirs), rank_scores_of(theirs, ours)
    np.testing.assert_array_equal(ahead.change, back.change.T)
    np.testing.assert_array_equal(ahead.bag, back.bag.T)


@settings(max_examples=40, deadline=None)
@given(x=CASES, y=CASES, data=st.data())
def test_blocks_and_orders_change_no_score(rows, x, y, data):
    whole = rank_scores_of(block(rows, x), block(rows, y))
    mine = data.draw(st.permutations(range(len(x))))
    others = data.draw(st.permutations(range(len(y))))
    cut = data.draw(st.integers(1, len(y)))
    for part in (others[:cut], others[cut:]):
        if part:
            found = rank_scores_of(
                block(rows, [x[i] for i in mine]), block(rows, [y[k] for k in part])
            )
            np.testing.assert_array_equal(found.change, whole.change[np.ix_(mine, part)])
            np.testing.assert_array_equal(found.bag, whole.bag[np.ix_(mine, part)])


@settings(max_examples=40, deadline=None)
@given(x=CASES, y=CASES)
def test_scores_are_whole_numbers_of_at_most_one_and_bags_the_higher_ones(rows, x, y):
    scores = rank_scores_of(block(rows, x), block(rows, y))
    for each in (scores.change, scores.bag):
        assert np.issubdtype(each.dtype, np.integer)
        assert each.shape == (len(x), len(y))
        assert ((each >= 0) & (each <= ONE)).all()
    assert (scores.bag >= scores.change).all()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 999), n=st.integers(1, 6), channels=st.integers(1, 3))
def test_a_case_scores_one_with_itself_but_for_rounding(rows, seed, n, channels):
    case = Block([rows(seed, n, channels, wide=64)])
    scores = rank_scores_of(case, case)
    # rounded rows are shorter or longer than 127 by up to 4 a cent or so, and exp(12) tells it
    for each in (scores.change, scores.bag):
        assert 0.6 * ONE < each[0, 0] <= ONE


def test_a_case_of_rows_without_rounding_scores_one_with_itself(rows):
    axes = np.eye(64, dtype=np.int8)[:3] * 127
    case = in_one_cell(axes, axes, axes[None], np.zeros(3, np.uint8))
    scores = rank_scores_of(Block([case]), Block([case]))
    assert scores.change.tolist() == scores.bag.tolist() == [[ONE]]


def test_the_best_channel_counts(rows):
    """A channel that is a copy makes the case one, whatever the others show."""
    other, stranger = rows(1, 3), rows(2, 3)
    both = in_one_cell(
        np.concatenate([stranger.slices, other.slices]),
        np.concatenate([stranger.crops, other.crops]),
        np.concatenate([stranger.asking, other.asking], axis=1),
        np.concatenate([stranger.channel, other.channel + 1]),
    )
    other, stranger = (
        in_one_cell(each.slices, each.crops, each.asking, each.channel)
        for each in (other, stranger)
    )
    alone = rank_scores_of(Block([other]), Block([other]))
    for pair in ((both, other), (other, both)):
        scores = rank_scores_of(*(Block([each]) for each in pair))
        assert scores.change[0, 0] >= alone.change[0, 0]
        assert scores.bag[0, 0] >= alone.bag[0, 0]
    mixed = dataclasses.replace(both, channel=np.zeros_like(both.channel))
    less = rank_scores_of(Block([mixed]), Block([rows(3, 3)]))
    more = rank_scores_of(Block([both]), Block([rows(3, 3)]))
    assert (more.change >= less.change).all()


def test_one_change_for_all_is_asked_by_change_and_each_its_own_by_bag():
    """Slice 0 is found turned, slice 1 mirrored: no one change finds both."""
    axes = np.eye(64, dtype=np.int8) * 127
    nothing = np.zeros(64, np.int8)
    asking = np.array([[axes[10], axes[11]], [axes[0], nothing], [nothing, axes[1]]])
    query = in_one_cell(axes[10:12], axes[10:12], asking, np.zeros(2, np.uint8))
    known = in_one_cell(axes[:2], axes[2:4], axes[None, 20:22], np.zeros(2, np.uint8))
    scores = rank_scores_of(Block([query]), Block([known]))
    assert scores.change[0, 0] == ONE // 2
    assert scores.bag[0, 0] == ONE


def test_crops_are_found_by_slices_as_they_are_and_shrunk_alone():
    """By a picture, which has no other slices to ask with, under every change."""
    axes = np.eye(64, dtype=np.int8) * 127
    known = in_one_cell(axes[:1], axes[1:2], axes[None, 20:21], np.zeros(1, np.uint8))

    def asked(n_slices: int, *rows: int) -> int:
        case = in_one_cell(axes[5 : 5 + n_slices], axes[9:10], axes[list(rows), None], ONE_CHANNEL)
        return int(rank_scores_of(Block([case]), Block([known])).change[0, 0])

    for n_slices in (1, 2):
        assert asked(n_slices, 1) == asked(n_slices, 10, 1) == ONE  # as it is; shrunk
    assert asked(2, 10, 11, 1) == 0  # turned
    assert asked(1, 10, 11, 1) == ONE


@pytest.mark.parametrize(
    ("cosine", "weight"), [(1.0, 1.0), (1.2, 1.0), (0.5, np.exp(-6)), (0.49, 0.0), (-1.0, 0.0)]
)
def test_far_slices_count_nothing_and_equal_ones_count_most(cosine, weight):
    assert weights(np.array([cosine]))[0] == pytest.approx(weight)


def test_a_row_is_found_in_the_cells_that_are_asked_and_in_no_other():
    axes = np.eye(64, dtype=np.int8) * 127
    query = in_one_cell(axes[:1], axes[:1], axes[None, :1], np.zeros(1, np.uint8))
    asking = np.array([[[3, 7]]], np.uint8)
    query = dataclasses.replace(query, asking_cells=asking, slice_cells=np.array([200], np.uint8))
    for cell, found in ((3, ONE), (7, ONE), (0, 0), (255, 0)):
        known = in_one_cell(axes[:1], axes[2:3], axes[None, 4:5], np.zeros(1, np.uint8))
        known = dataclasses.replace(known, slice_cells=np.array([cell], np.uint8))
        scores = rank_scores_of(Block([query]), Block([known]))
        assert scores.change[0, 0] == scores.bag[0, 0] == found
