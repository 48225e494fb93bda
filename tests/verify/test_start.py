"""Where registrations begin."""

from __future__ import annotations

import numpy as np
import pytest

from dvdup.verify import start
from dvdup.verify.grid import Grid, make_grid
from dvdup.verify.scans import COARSE_SIDE, Scan, _look, _rivals, compare
from dvdup.verify.steps import ALL


def placed(shift: float, turned: bool = False) -> np.ndarray:
    place = np.diag([-1.0 if turned else 1.0, 1.0, 1.0, 1.0])
    place[0, 3] = shift
    return place


def test_one_map_with_two_shifts_is_two_starts():
    """The best shift of the outline and that of the edges may both be needed."""
    starts = [start.Start(placed(shift), 0.9, masked=False) for shift in (0.0, 3.0, 40.0)]
    mirrored = start.Start(placed(0.0, turned=True), 0.8, masked=False)
    kept = list(start.distinct([*starts, mirrored], 4, reach=10.0))
    assert kept == [starts[0], starts[2], mirrored]


def blob(sides: tuple[int, int, int]) -> Grid:
    values = np.zeros((40, 40, 40), np.float32)
    box = tuple(slice(20 - n // 2, 20 + n // 2) for n in sides)
    values[box] = np.random.default_rng(0).normal(500, 100, sides)
    grid = make_grid(values, (2.0, 2.0, 2.0), 2.0)
    assert grid is not None
    return grid


def test_a_frame_is_tried_at_the_size_of_what_it_shows():
    found = start.fitted(blob((32, 32, 32)), blob((20, 20, 20)))
    assert len(found) == 4
    for flip, linear in zip(start.flips(), found, strict=True):
        np.testing.assert_allclose(linear, flip * np.cbrt(np.linalg.det(flip @ linear)))


def test_where_slices_were_shrunk_each_axis_has_a_size_of_its_own():
    found = start.fitted(blob((32, 32, 32)), blob((20, 20, 32)))
    ratios = np.abs([np.diag(linear) for linear in found[4:]])
    assert len(found) == 8
    assert np.all(ratios[:, :2] < 0.8)
    np.testing.assert_allclose(ratios[:, 2], 1.0, atol=0.05)


def test_things_of_one_size_need_no_fitting():
    assert start.fitted(blob((32, 32, 32)), blob((32, 32, 32))) == ()


@pytest.mark.parametrize("axis", [None, 0, 1, 2])
def test_values_that_wrapped_around_start_as_they_are_stored(person, axis):
    """Neither grey values nor edges of a scan with wrong signs look like those of its source."""
    values = person(1)
    wrapped = np.where(values > np.quantile(values, 0.9), values - 2 * values.max(), values)
    other = wrapped if axis is None else np.flip(wrapped, axis)
    size = (2.0, 2.0, 2.0)
    found = compare(Scan(other, size), Scan(values, size), COARSE_SIDE)
    truth = np.ones(3)
    if axis is not None:
        truth[axis] = -1
    assert found is not None
    np.testing.assert_allclose(found.place[:3, :3], np.diag(truth), atol=0.1)


def test_of_places_that_lie_alike_the_one_with_finer_agreement_is_the_first(person):
    # mutual information of values that wrapped around may prefer a place beside the right one
    scan = Scan(person(1), (1.0, 1.0, 1.0))
    look = _look(scan, Scan(0.9 * scan.values, scan.spacing), COARSE_SIDE, ALL).coarser()
    right, beside, mirrored = np.eye(4), np.eye(4), np.diag([-1.0, 1, 1, 1])
    beside[:3, 3] = 1.5
    tried = [(0.95, beside), (0.93, right), (0.9, mirrored)]
    first, second = _rivals(look, tried)
    assert first[1] is right
    assert second[1] is mirrored
    assert _rivals(look, []) == []
