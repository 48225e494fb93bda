import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvdup.verify import same_values

VALUES = np.random.default_rng(4).normal(1000, 300, (7, 8, 9)).astype(np.float32)


def test_as_stored():
    assert same_values(VALUES, VALUES.copy()).as_stored


def test_other_arithmetic_of_slope_and_intercept():
    stored = np.round(VALUES)
    scaled = (stored.astype(np.float64) * 0.0244200244 - 1024).astype(np.float32)
    other = stored * np.float32(0.02442) + np.float32(-1024)
    assert same_values(scaled, other.astype(np.float32)).as_stored


def test_one_grey_level_in_one_voxel_is_no_rounding():
    changed = VALUES.copy()
    changed[3, 3, 3] += 1
    assert same_values(VALUES, changed) is None


@settings(max_examples=40, deadline=None)
@given(st.permutations(range(3)), st.tuples(*[st.sampled_from((1, -1))] * 3))
def test_every_order_of_axes_is_found(axes, signs):
    """The map that is found takes a direction in a to the same direction in b."""
    turned = VALUES.transpose(axes)[tuple(slice(None, None, sign) for sign in signs)]
    found = same_values(VALUES, turned)
    assert found is not None
    assert found.as_stored == (tuple(axes) == (0, 1, 2) and signs == (1, 1, 1))
    middle_a, middle_b = ((np.array(v.shape) - 1) / 2 for v in (VALUES, turned))
    for place in ((0, 0, 0), (6, 2, 1), (3, 7, 8)):
        there = np.rint(found.linear() @ (np.array(place) - middle_a) + middle_b).astype(int)
        assert VALUES[place] == turned[tuple(there)]


def test_nan_equals_nan_and_nothing_else():
    holed = VALUES.copy()
    holed[0, 0, 0] = np.nan
    assert same_values(holed, holed.copy()).as_stored
    assert same_values(holed, VALUES) is None


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_constant_volumes_say_nothing(value):
    even = np.full((4, 4, 4), value, np.float32)
    assert same_values(even, even) is None


def test_other_lengths():
    assert same_values(VALUES, VALUES[:-1]) is None


def test_one_voxel_of_metal_does_not_make_noise_a_rounding():
    metal = VALUES.copy()
    metal[0, 0, 0] = 1e9
    noisy = metal + np.random.default_rng(0).normal(0, 40, VALUES.shape).astype(np.float32)
    noisy[0, 0, 0] = 1e9
    assert same_values(metal, noisy) is None
    assert same_values(metal, (metal.astype(np.float64) * (1 + 1e-7)).astype(np.float32)).as_stored


def test_a_few_voxels_that_differ_are_the_whole_range():
    lesion = np.zeros((20, 20, 20), np.float32)
    lesion[3, 3, 3:6] = 5, 6, 7
    assert same_values(lesion, lesion.copy()).as_stored
    assert same_values(lesion, lesion[::-1]).signs == (-1, 1, 1)
    assert same_values(lesion, np.where(lesion == 6, np.float32(6.1), lesion)) is None
