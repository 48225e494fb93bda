"""The value hash: of the values alone, and those of the slices along an axis add up to it."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvdup.hashing import value_hashes

SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 6))


def drawn(seed: int, shape: tuple[int, ...], levels: int = 50) -> np.ndarray:
    values = np.random.default_rng(seed).integers(0, levels, shape).astype(np.float32)
    return np.asfortranarray(values)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 999), shape=SHAPES, axes=st.permutations(range(3)), signs=st.data())
def test_no_order_of_axes_changes_it(seed, shape, axes, signs):
    values = drawn(seed, shape)
    steps = [signs.draw(st.sampled_from([1, -1])) for _ in range(3)]
    turned = values.transpose(axes)[tuple(slice(None, None, step) for step in steps)]
    ours, theirs = value_hashes(values), value_hashes(turned)
    assert ours.whole == theirs.whole
    for axis, (along, step) in enumerate(zip(axes, steps, strict=True)):
        np.testing.assert_array_equal(theirs.slices[axis], ours.slices[along][::step])


@pytest.mark.parametrize("shape", [(24, 2, 1), (4, 3, 4), (48, 1, 1)])
def test_no_reshaping_changes_it(shape):
    values = drawn(1, (4, 3, 4))
    assert value_hashes(values.reshape(shape)).whole == value_hashes(values).whole


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), shape=SHAPES)
def test_slices_add_up_to_the_whole(seed, shape):
    found = value_hashes(drawn(seed, shape, levels=1 << 20))
    for slices in found.slices:
        if found.whole and slices.all():
            assert int(slices.sum()) == found.whole


def test_a_slice_has_the_hash_of_the_slice_as_a_scan():
    values = drawn(2, (6, 7, 8))
    for axis in range(3):
        alone = value_hashes(np.asfortranarray(values.take([3], axis)))
        assert alone.whole == value_hashes(values).slices[axis][3]


def test_another_value_is_another_hash():
    values = drawn(3, (5, 5, 5))
    seen = {value_hashes(values).whole}
    for place in permutations(range(3)):
        changed = values.copy(order="F")
        changed[place] += 1000
        seen.add(value_hashes(changed).whole)
        values = changed
    assert len(seen) == 7


def test_zeros_and_holes_count_alike_whatever_their_bits():
    values = drawn(4, (4, 4, 4))
    values[0, 0, 0], values[1, 1, 1] = 0.0, np.nan
    other = values.copy(order="F")
    other[0, 0, 0] = -0.0
    other[1, 1, 1:2] = np.array([0x7FC12345], np.uint32).view(np.float32)
    assert value_hashes(values).whole == value_hashes(other).whole


def test_constant_channels_and_slices_have_none():
    assert value_hashes(np.full((3, 4, 5), 7, np.float32)).whole == 0
    values = drawn(5, (4, 5, 6))
    values[:, :, 2] = 9
    found = value_hashes(values)
    assert found.whole
    assert (found.slices[2] == 0).tolist() == [False, False, True, False, False, False]
    assert not (found.slices[0] == 0).any()


def test_big_channels_are_hashed_in_blocks():
    """As if they were one."""
    values = drawn(6, (300, 300, 9))
    parts = [value_hashes(values[:, :, i : i + 1]).whole for i in range(9)]
    assert value_hashes(values).slices[2].tolist() == parts
