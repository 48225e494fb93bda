"""Where proxies lie: their last blocks may reach beyond the scan, which must not shift a pair."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from dvdup import verify, voxels

SHAPES = [
    ((66, 70, 65), (75, 67, 70)),  # blocks of two voxels, odd and even
    ((50, 65, 75), (64, 64, 64)),  # the second is its own proxy
    ((64, 60, 50), (75, 75, 75)),
]


@pytest.fixture(scope="module")
def texture():
    rng = np.random.default_rng(0)
    return ndimage.gaussian_filter(rng.normal(size=(75, 75, 75)), 2.5).astype(np.float32)


def corner(texture, shape):
    return np.ascontiguousarray(texture[tuple(slice(n) for n in shape)])


@pytest.mark.parametrize(("shape_a", "shape_b"), SHAPES)
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.0, 2.0, 2.0)])
def test_proxies_lie_as_their_scans_do(texture, shape_a, shape_b, spacing):
    values = [corner(texture, shape) for shape in (shape_a, shape_b)]
    found = verify.compare(
        *(verify.of_proxy(voxels.proxy(each), each.shape, spacing) for each in values)
    )
    expected = (np.array(shape_a) - np.array(shape_b)) / 2 * spacing  # both start at one voxel
    np.testing.assert_allclose(found.place[:3, 3], expected, atol=0.2 * spacing[0])


def test_a_placement_on_voxels_is_that_of_scans_whose_centres_agree():
    rng = np.random.default_rng(1)
    place = np.eye(4)
    place[:3] += rng.normal(0, 0.1, (3, 4))
    one = verify.Scan(np.zeros((2, 2, 2)), (1, 1, 1), centre=(0.5, 0.0, 1.0))
    other = verify.Scan(np.zeros((2, 2, 2)), (1, 1, 1), centre=(0.0, 1.5, 0.0))
    point = np.array([3.0, 4.0, 5.0, 1.0])  # mm from the centre of a
    seen = verify.on_voxels(place, one, other) @ (point - [0.5, 0.0, 1.0, 0])
    np.testing.assert_allclose(seen + np.array([0.0, 1.5, 0.0, 0]), place @ point)
    whole = verify.Scan(np.zeros((2, 2, 2)), (1, 1, 1))
    np.testing.assert_array_equal(verify.on_voxels(place, whole, whole), place)
