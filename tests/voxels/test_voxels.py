"""Stored voxels to values, and the proxy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvdup import voxels
from dvdup.records import Volume

REAL_TYPES = ["b", "B", "h", "H", "i", "I", "q", "Q", "e", "f", "d", "g", "?"]


def volume_of(stored: np.ndarray, slope: float = 1.0, intercept: float = 0.0) -> Volume:
    return Volume((stored,), ((slope, intercept),), (1.0, 1.0, 1.0))


def by_definition(stored: np.ndarray, slope: float, intercept: float) -> np.ndarray:
    return (stored.astype(np.float64) * slope + intercept).astype(np.float32)


@settings(max_examples=120, deadline=None)
@given(
    dtype=st.sampled_from(REAL_TYPES),
    order=st.sampled_from("<>"),
    view=st.sampled_from(["C", "F", "flip", "turn"]),
    scaling=st.sampled_from([(1.0, 0.0), (0.1, 7.0), (2.0, -1024.0), (1.0, 1e-9)]),
    seed=st.integers(0, 10),
)
def test_definition(
    dtype: str, order: str, view: str, scaling: tuple[float, float], seed: int
) -> None:
    raw = np.random.default_rng(seed).integers(0, 120, (3, 4, 5)).astype(dtype)
    raw = raw.astype(raw.dtype.newbyteorder(order))
    stored = {
        "C": raw,
        "F": np.asfortranarray(raw),
        "flip": raw[::-1, :, ::-1],
        "turn": raw.transpose(2, 0, 1),
    }[view]
    values = voxels.channel_values(volume_of(stored, *scaling), 0)
    assert values.dtype == np.float32
    assert values.flags.f_contiguous
    np.testing.assert_array_equal(values, by_definition(stored, *scaling))


@pytest.mark.parametrize(
    "stored",
    [
        np.array([[[2**53 + 1, -(2**62) - 1, 2**24 + 1]]], dtype=np.int64),
        np.array([[[2**63 + 2**39 + 1, 2**31 + 129, 3]]], dtype=np.uint64),
        np.array([[[2**31 - 65, -(2**31) + 1, 16777217]]], dtype=np.int32),
    ],
)
def test_big_integers_round_through_float64(stored: np.ndarray) -> None:
    values = voxels.channel_values(volume_of(stored), 0)
    np.testing.assert_array_equal(values, by_definition(stored, 1.0, 0.0))


def test_what_is_there_is_not_copied() -> None:
    stored = np.asfortranarray(np.ones((3, 4, 5), np.float32))
    assert np.shares_memory(voxels.channel_values(volume_of(stored), 0), stored)


def test_overflow_becomes_infinite() -> None:
    values = voxels.channel_values(volume_of(np.array([[[1e300, np.nan, -1e300]]])), 0)
    np.testing.assert_array_equal(values, np.array([[[np.inf, np.nan, -np.inf]]], np.float32))


def test_blocks_do_not_show() -> None:
    stored = np.random.default_rng(0).integers(-900, 900, (300, 200, 21)).astype(np.int16)
    values = voxels.channel_values(volume_of(stored, 0.3, 1.1), 0)
    np.testing.assert_array_equal(values, by_definition(stored, 0.3, 1.1))


def test_proxy_is_the_block_mean() -> None:
    values = np.asfortranarray(np.random.default_rng(0).uniform(0, 1, (130, 64, 7)), np.float32)
    small = voxels.proxy(values)
    assert small.shape == (44, 64, 7)
    assert small.dtype == np.uint8
    assert small.flags.c_contiguous
    bottom, top = voxels.robust_range(values) or (0.0, 1.0)
    mean = values[3:6].mean(axis=0)
    expected = np.clip((mean - bottom) / (top - bottom) * 255, 0, 255)
    assert np.abs(small[1] - expected).max() <= 0.51
    last = np.clip((values[129] - bottom) / (top - bottom) * 255, 0, 255)
    assert np.abs(small[43] - last).max() <= 0.51


@pytest.mark.parametrize("shape", [(1, 1, 1), (64, 65, 1), (3, 200, 129), (640, 2, 2)])
def test_proxy_side(shape: tuple[int, int, int]) -> None:
    values = np.asfortranarray(np.random.default_rng(0).normal(size=shape), np.float32)
    small = voxels.proxy(values)
    assert max(small.shape) <= voxels.PROXY_SIDE
    assert small.shape == tuple(-(-n // voxels.proxy_factor(n)) for n in shape)


def test_proxy_ignores_outliers_and_holes() -> None:
    values = np.asfortranarray(np.linspace(0, 100, 8000).reshape(20, 20, 20), np.float32)
    damaged = values.copy(order="F")
    damaged[0, 0, :3] = (np.nan, np.inf, -np.inf)
    damaged[0, 1, 0] = 3e38
    small, other = voxels.proxy(values), voxels.proxy(damaged)
    assert other[0, 0, :3].tolist() == [0, 0, 0]
    assert np.abs(small[1:].astype(int) - other[1:]).max() <= 1


@pytest.mark.parametrize("fill", [0.0, 7.0, np.nan, np.inf])
def test_proxy_of_a_constant_is_black(fill: float) -> None:
    small = voxels.proxy(np.full((5, 6, 7), fill, np.float32, order="F"))
    assert not small.any()


def test_robust_range() -> None:
    values = np.asfortranarray(np.arange(27000, dtype=np.float32).reshape(30, 30, 30))
    bottom, top = voxels.robust_range(values, 1, 99) or (0.0, 0.0)
    assert bottom == pytest.approx(270, rel=0.01)
    assert top == pytest.approx(26730, rel=0.01)
    assert voxels.robust_range(np.full((2, 2, 2), np.nan, np.float32)) is None


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("blank", [0.0, np.nan])
def test_blank_slices_in_between_do_not_hide_the_others(axis, first, blank) -> None:
    """Failed before: the subsample hit none but the blank ones."""
    shape = (144, 144, 90)
    values = np.random.default_rng(0).uniform(100, 200, shape).astype(np.float32, order="F")
    every = [slice(None)] * 3
    every[axis] = slice(first, None, 2)
    values[tuple(every)] = blank
    bottom, top = voxels.robust_range(values) or (0.0, 0.0)
    assert bottom == pytest.approx(100 if np.isnan(blank) else 0, abs=2)
    assert top == pytest.approx(200, abs=2)
    assert voxels.proxy(values).std() > 0


def test_an_organ_in_a_large_black_frame_has_a_range() -> None:
    """Failed before: fewer voxels than the percentiles leave out."""
    values = np.zeros((90, 90, 90), np.float32, order="F")
    values[40:54, 40:54, 40:54] = np.random.default_rng(0).uniform(50, 90, (14, 14, 14))
    bottom, top = voxels.robust_range(values) or (0.0, 0.0)
    assert bottom == 0
    assert top == pytest.approx(90, abs=1)


@pytest.mark.parametrize("fill", [0.0, -1024.0, 3.5])
def test_a_constant_has_no_range(fill) -> None:
    assert voxels.robust_range(np.full((80, 80, 80), fill, np.float32)) == (fill, fill)


@settings(max_examples=60, deadline=None)
@given(
    background=st.floats(-1e6, 1e6, width=32),
    others=st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=6),
    shape=st.sampled_from([(5, 6, 7), (70, 60, 50), (40, 90, 1)]),
    seed=st.integers(0, 9),
)
def test_whatever_is_not_constant_has_a_range(background, others, shape, seed) -> None:
    """Nobody who asks for a range has to look for another one."""
    values = np.full(shape, background, np.float32, order="F")
    places = np.random.default_rng(seed).choice(values.size, len(others), replace=False)
    values.flat[places] = others
    bottom, top = voxels.robust_range(values) or (0.0, 0.0)
    assert (bottom < top) == (values.min() < values.max())
