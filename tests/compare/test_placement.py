"""Placements on their way into a report and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvdup.compare.placement import in_mm, in_voxels
from dvdup.records import IndexedCase

SIZES = st.sampled_from(
    [(1.0, 1.0, 1.0), (0.0005, 0.0005, 0.002), (0.7, 0.7, 5.0), (0.0, 1.0, 2.0)]
)
SHAPES = st.tuples(*[st.integers(1, 300)] * 3)


def case(shape, spacing) -> IndexedCase:
    return IndexedCase("train", "a", (), shape=shape, spacing=spacing)


CASES = st.builds(case, SHAPES, SIZES)


@given(a=CASES, b=CASES, seed=st.integers(0, 9), shift=st.floats(-100, 100))
def test_a_placement_comes_back_though_it_was_rounded(a, b, seed, shift):
    """To a tenth of a voxel, whatever the millimetres are."""
    rows = np.eye(3, 4) + np.random.default_rng(seed).uniform(-0.2, 0.2, (3, 4))
    rows[:, 3] = shift
    place = in_mm(rows, a, b)
    said = np.round(in_voxels(place, a, b), 4)
    again = np.array(in_voxels(in_mm(said, a, b), a, b))
    corners = np.array([[0, 0, 0, 1], [*a.shape, 1]]).T
    np.testing.assert_allclose(again @ corners, rows @ corners, atol=0.1)


def test_the_same_voxels_lie_where_they_lie():
    a, b = case((10, 20, 30), (1.0, 2.0, 3.0)), case((10, 20, 30), (2.0, 2.0, 3.0))
    np.testing.assert_allclose(in_mm(np.eye(3, 4), a, b), np.diag([2.0, 1.0, 1.0, 1.0]))
    np.testing.assert_allclose(in_voxels(np.diag([2.0, 1.0, 1.0, 1.0]), a, b), np.eye(3, 4))


def test_what_does_not_start_at_the_same_voxel():
    a, b = case((40, 40, 40), (3.0, 3.0, 3.0)), case((40, 30, 40), (3.0, 3.0, 3.0))
    np.testing.assert_allclose(in_mm(np.eye(3, 4), a, b)[1, 3], 5 * 3.0)  # the centres are 5 apart


@pytest.mark.parametrize(
    "rows",
    [
        None,
        "a",
        7,
        [],
        [[1, 0, 0, 0]],
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1]],
        [[1, 0, 0, "x"]] * 3,
        [[1, 0, 0, None], [0, 1, 0, 0], [0, 0, 1, 0]],
        [[1, 0, 0, 10**400], [0, 1, 0, 0], [0, 0, 1, 0]],
        [[1, 0, 0, 1e300], [0, 1, 0, 0], [0, 0, 1, 0]],
        [[0, 0, 0, 0]] * 3,
    ],
)
def test_what_is_no_placement_is_none(rows):
    one = case((10, 20, 30), (1.0, 1.0, 1.0))
    assert in_mm(rows, one, one) is None


def test_what_did_not_converge_is_none():
    one = case((10, 20, 30), (1.0, 1.0, 1.0))
    assert in_voxels(np.full((4, 4), np.nan), one, one) is None
