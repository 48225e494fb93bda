"""Sizes that files do not say, or say wrongly: found from the contents, in any order of axes."""

from __future__ import annotations

import numpy as np
import pytest
from heads import channel, head
from scipy import ndimage

from dvdup.compare.extents import assumptions, best_fit
from dvdup.compare.pair import PairJob, judge_pair

SPACING = (1.5, 1.0, 3.0)


def cube(values: np.ndarray, n: int) -> np.ndarray:
    return ndimage.zoom(values, [n / size for size in values.shape], order=1)


ARRAYS = {
    "as stored": lambda values: values,
    "z y x": lambda values: values.transpose(2, 1, 0),
    "y x z, flipped": lambda values: values.transpose(1, 0, 2)[::-1],
    "scaled to 0..1, z y x": lambda values: values.transpose(2, 1, 0) / 255,
    "gamma, z y x": lambda values: (values.transpose(2, 1, 0) / 255) ** 0.6,
    "a cube": lambda values: cube(values, 40),
    "a cube, z y x": lambda values: cube(values, 64).transpose(2, 1, 0),
}
"""What a trainer keeps of a scan."""


@pytest.mark.parametrize("name", [name for name in ARRAYS if "cube" not in name])
def test_arrays_are_stretched_back(name):
    """The axes of the array get the sizes of those of the scan, in whatever order they are."""
    source = channel(head(1), SPACING)
    array = channel(ARRAYS[name](head(1)))
    fit = best_fit(source.proxy(), array.proxy())
    assert fit.correlation > 0.95
    order = [2, 1, 0] if "z y x" in name else [1, 0, 2] if "y x z" in name else [0, 1, 2]
    np.testing.assert_allclose(fit.scale, np.array(SPACING)[order], rtol=0.02)


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("array_first", [False, True])
def test_arrays_without_spacing_are_copies(name, array_first):
    """Failed before: a pair of which one file had millimetres and the other had none."""
    pair = [channel(head(1), SPACING), channel(ARRAYS[name](head(1)))]
    judged = judge_pair(PairJob(*(pair[::-1] if array_first else pair))).found
    exact = name in ("as stored", "z y x", "y x z, flipped")
    assert judged.decision.verdict == ("identical" if exact else "near"), judged.decision.rule


@pytest.mark.parametrize("name", ["as stored", "z y x", "a cube"])
def test_arrays_of_others_are_none(name):
    pair = channel(head(1), SPACING), channel(ARRAYS[name](head(2)))
    assert judge_pair(PairJob(*pair)).found.decision.verdict is None


def test_a_stated_size_is_doubted_where_the_content_speaks_against_it():
    pair = channel(head(1), (1.2, 1.2, 1.2)), channel(head(1) + 3, (1.2, 1.2, 5.0))
    judged = judge_pair(PairJob(*pair)).found
    assert judged.decision.verdict in ("identical", "near")


def test_where_a_size_was_assumed_the_place_is_told_in_millimetres_of_the_files():
    source, array = channel(head(1), SPACING), channel(head(1))
    place = judge_pair(PairJob(source, array)).found.evidence.place
    point = np.array([15.0, -9.0, 12.0, 1.0])  # 10, -9 and 4 voxels from the centre
    np.testing.assert_allclose((place @ point)[:3], [10, -9, 4], atol=0.3)


def test_nothing_is_assumed_where_sizes_agree():
    pair = channel(head(1), SPACING), channel(head(1), SPACING)
    assert [each.scales for each in assumptions(*pair)] == [None]


def test_a_constant_scan_fits_nothing():
    blank = channel(np.zeros((20, 20, 20)))
    assert best_fit(blank.proxy(), channel(head(1)).proxy()) is None
