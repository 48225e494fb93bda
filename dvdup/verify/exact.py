"""Whether two channels hold the same values, up to the rounding of floats and the order of axes.

The voxel hash finds equal values fast; this finds those that another arithmetic of slope and
intercept, or a decimal header, changed in the last digits, and those whose axes were reordered or
flipped without the header saying so.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import permutations, product

import numpy as np

ROUNDING = 1e-5
"""Largest difference that counts as rounding, share of the range of nearly all values."""

_FLOAT = 2.0**-21  # share of a value that float32 arithmetic may lose: four of its steps
_SAMPLE = 4096  # voxels that are compared before all are
_RANKED = 1 << 20  # voxels whose range is taken
_BLOCK = 1 << 22  # voxels compared at once
_FEWEST_VALUES, _FEWEST_LEVELS = 4096, 128  # that make a coincidence unthinkable


@dataclass(frozen=True, slots=True)
class Same:
    """The values are the same."""

    axes: tuple[int, int, int]
    """Axis of b that became axis 0, 1, 2 of a."""
    signs: tuple[int, int, int]
    """-1 for an axis that runs the other way."""

    @property
    def as_stored(self) -> bool:
        """Whether every voxel has stayed where it was."""
        return self.axes == (0, 1, 2) and self.signs == (1, 1, 1)

    def linear(self) -> np.ndarray:
        """float64 (3, 3): a direction in a to the same direction in b."""
        matrix = np.zeros((3, 3))
        matrix[list(self.axes), range(3)] = self.signs
        return matrix


def same_values(a: np.ndarray, b: np.ndarray) -> Same | None:
    """Find the order of axes, if any, in which two channels hold the same values.

    Args:
        a: Real (X, Y, Z); NaN equals NaN.
        b: Real, any three lengths.

    Returns:
        The order, as stored if that does it; None if there is none, or a channel is constant.
    """
    if sorted(a.shape) != sorted(b.shape):
        return None
    tolerance = _tolerance(a)
    if tolerance is None:
        return None
    for axes, signs in orders():
        turned = b.transpose(axes)[tuple(slice(None, None, sign) for sign in signs)]
        if turned.shape == a.shape and _equal(a, turned, tolerance):
            return Same(axes, signs)
    return None


def same_multiset(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two channels hold the same values, each as often, and enough different ones.

    Args:
        a: Real, of any shape.
        b: Real, of any shape.

    Returns:
        False also where there are so few values or so few different ones (masks, label maps, cut
        outs of background) that other scans may well hold the same.
    """
    if a.size != b.size or a.size < _FEWEST_VALUES:
        return False
    ours, theirs = np.sort(a, axis=None), np.sort(b, axis=None)
    if not np.array_equal(ours, theirs, equal_nan=True):
        return False
    return int(np.count_nonzero(np.diff(ours))) >= _FEWEST_LEVELS


Order = tuple[tuple[int, int, int], tuple[int, int, int]]
"""Axes in their new order, and -1 for each that then runs the other way."""


@cache
def orders() -> tuple[Order, ...]:
    """The 48 orders and directions of three axes, as stored first."""
    return tuple(
        ((i, j, k), (up, right, on))
        for i, j, k in permutations(range(3))
        for up, right, on in product((1, -1), repeat=3)
    )


def _tolerance(values: np.ndarray) -> float | None:
    """Difference that counts as rounding; None for a constant channel.

    One voxel of a metal clip or a wrong fill value must not make noise a matter of rounding, so
    the outermost 0.5 % at either end do not stretch the range, unless all the others are equal.
    """
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return None
    low, high = float(finite.min()), float(finite.max())
    if low == high:
        return None
    few = finite[:: max(1, finite.size // _RANKED)]
    start, end = np.percentile(few, [0.5, 99.5]).tolist()
    return ROUNDING * (end - start if end > start else high - low)


def _equal(a: np.ndarray, b: np.ndarray, tolerance: float) -> bool:
    # an odd stride, so that the sample does not run along one line of the scan
    stride = tuple(slice(None, None, max(1, n // 15) | 1) for n in a.shape)
    if a.size > _SAMPLE and not _close(a[stride], b[stride], tolerance):
        return False
    step = max(1, _BLOCK * a.shape[2] // a.size)
    return all(
        _close(a[..., i : i + step], b[..., i : i + step], tolerance)
        for i in range(0, a.shape[2], step)
    )


def _close(a: np.ndarray, b: np.ndarray, tolerance: float) -> bool:
    with np.errstate(invalid="ignore"):
        ours = a.astype(np.float64)
        apart = np.abs(ours - b) > np.maximum(tolerance, _FLOAT * np.abs(ours))
    return not apart.any() and bool(np.array_equal(np.isfinite(a), np.isfinite(b)))
