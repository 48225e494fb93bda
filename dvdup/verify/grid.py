"""One channel brought to a grid of a wanted fineness, with positions in mm about its centre.

Voxels that were set to one value - padding, masks, erased blocks - say nothing about the scan, and
the edge between them and the anatomy belongs to whoever drew it. So they are told here, once, and
left out of everything that is compared: a scan without its face agrees with its source in what both
show.

Everything in this room happens on `Grid`s: values 0 to 1 over the robust range, finite, and a place
for voxel 0, so that grids of different fineness of one scan lie on top of one another. The centre
of a scan is the zero of its mm; headers (origins, directions) play no part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dvdup.voxels import robust_range

_EVEN = 1e-4  # of the range; a neighbourhood without this much change is even
_LEVELS = 10_000  # grey levels that are told apart where even neighbourhoods are counted
_FILL = 0.002  # of the voxels; a value that even neighbourhoods hold as often was filled in
_HALF = 0.5  # of a wider voxel; what shows less of itself shows nothing


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """A scan, coarsened."""

    values: np.ndarray
    """float32 (X, Y, Z), 0 to 1 over the 0.5 to 99.5 percentile range, clipped, finite."""
    spacing: np.ndarray
    """float64 (3,), mm."""
    origin: np.ndarray
    """float64 (3,), mm from the centre of the scan to its voxel 0."""
    blank: np.ndarray | None = None
    """Bool (X, Y, Z), as `filled` returns it; None: the values tell."""
    margin: int = 2
    """Voxels around what was filled in that its edge spoils."""

    @property
    def extent(self) -> np.ndarray:
        """float64 (3,): mm that the voxels cover."""
        size: np.ndarray = np.array(self.values.shape) * self.spacing
        return size

    def to_mm(self) -> np.ndarray:
        """float64 (4, 4): voxels to mm."""
        matrix = np.diag([*self.spacing, 1.0])
        matrix[:3, 3] = self.origin
        return matrix


def make_grid(values: np.ndarray, spacing: Sequence[float], target_mm: float) -> Grid | None:
    """Coarsen a channel to voxels of about `target_mm`, or leave it if it is coarser already.

    Args:
        values: Real (X, Y, Z); non-finite voxels count as the bottom of the range.
        spacing: mm along X, Y, Z; what is not above 0 counts as 1.
        target_mm: Wanted edge of a voxel.

    Returns:
        The grid, or None if the channel is constant.
    """
    span = robust_range(values)
    if span is None or not span[1] > span[0]:
        return None
    size = usable_spacing(spacing)
    factors = [
        min(n, max(1, round(target_mm / s))) for n, s in zip(values.shape, size, strict=True)
    ]
    scaled = np.clip((values - np.float32(span[0])) * np.float32(1 / (span[1] - span[0])), 0, 1)
    scaled = np.nan_to_num(scaled.astype(np.float32, copy=False), nan=0.0)
    for axis, factor in enumerate(factors):
        scaled = _block_means(scaled, axis, factor)
    steps = np.array(factors, float)
    first = (steps - 1) / 2 - (np.array(values.shape) - 1) / 2
    return Grid(np.ascontiguousarray(scaled), steps * size, first * size)


@lru_cache(maxsize=8)  # the grids of one pair: every way of a registration asks for them
def coarser(grid: Grid, target_mm: float) -> Grid:
    """The same scan on voxels of about `target_mm`, as far as they are not as wide already."""
    values, steps = grid.values, np.ones(3)
    for axis, n in enumerate(values.shape):
        factor = min(n, max(1, round(target_mm / float(grid.spacing[axis]))))
        values = _block_means(values, axis, factor)
        steps[axis] = factor
    origin = grid.origin + (steps - 1) / 2 * grid.spacing
    blank = filled(grid).astype(np.float32)
    for axis, factor in enumerate(steps.astype(int).tolist()):
        blank = _block_means(blank, axis, factor)
    margin = max(1, round(grid.margin / float(steps.max())))
    return Grid(np.ascontiguousarray(values), steps * grid.spacing, origin, blank >= _HALF, margin)


def cut(grid: Grid, first: np.ndarray, last: np.ndarray) -> Grid:
    """A box of a grid, as far as it lies within, and at least one voxel.

    Args:
        grid: The grid.
        first: int (3,), the first voxel of the box.
        last: int (3,), that after its last one.
    """
    n = np.array(grid.values.shape)
    first = np.clip(first, 0, n - 1)
    last = np.clip(last, first + 1, n)
    box = tuple(slice(low, high) for low, high in zip(first.tolist(), last.tolist(), strict=True))
    values = np.ascontiguousarray(grid.values[box])
    origin = grid.origin + first * grid.spacing
    return Grid(values, grid.spacing, origin, filled(grid)[box], grid.margin)


@lru_cache(maxsize=8)  # the grids of one pair
def structured(grid: Grid) -> np.ndarray:
    """Bool (X, Y, Z): False where the scan was set to one value, and close by.

    Not to be written to.
    """
    from scipy import ndimage

    blank = filled(grid)
    if not blank.any():
        return ~blank
    cube = np.ones((3, 3, 3), bool)
    near: np.ndarray = ndimage.binary_dilation(blank, cube, iterations=grid.margin)
    return ~near


@lru_cache(maxsize=8)
def filled(grid: Grid) -> np.ndarray:
    """Bool (X, Y, Z): True where the scan was set to one value.

    At the bottom of the range every even neighbourhood counts, elsewhere those of values that are
    as even in a hundredth of the scan; values at the top of the range may have been clipped there.
    Not to be written to.
    """
    return _even(grid.values) if grid.blank is None else grid.blank


def _even(values: np.ndarray) -> np.ndarray:
    """Bool (X, Y, Z): voxels whose neighbours, and they themselves, have one filled-in value."""
    from scipy import ndimage

    highest = ndimage.maximum_filter(values, 3)
    bottom: np.ndarray = highest < _EVEN
    other = (highest - ndimage.minimum_filter(values, 3) < _EVEN) & ~bottom
    other &= values < 1 - _EVEN
    if not other.any():
        return bottom
    levels = np.round(values[other] * _LEVELS).astype(int)
    counts = np.bincount(levels, minlength=_LEVELS + 1)
    even: np.ndarray = bottom.copy()
    even[other] = counts[levels] >= _FILL * values.size
    return even


def box_of(grid: Grid) -> np.ndarray:
    """float64 (3,): mm along each axis of the box that holds all that a scan shows."""
    shown = ~filled(grid)
    if not shown.any():
        return grid.extent
    sides = [np.flatnonzero(shown.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    size: np.ndarray = grid.spacing * [side[-1] + 1 - side[0] for side in sides]
    return size


def usable_spacing(spacing: Sequence[float]) -> np.ndarray:
    """float64 (3,): the spacing, 1 mm where it makes no sense."""
    size = np.array(spacing, float)
    return np.where(np.isfinite(size) & (size > 0), size, 1.0)


@lru_cache(maxsize=8)  # those of one pair: a registration asks for the same again and again
def smoothed(grid: Grid, width_mm: float) -> np.ndarray:
    """float32 (X, Y, Z): as if its voxels were `width_mm` wide, where they are finer.

    A box of width w has the variance w^2 / 12; the deficit is made up by a gaussian. Not to be
    written to.
    """
    from scipy import ndimage

    deficit = np.maximum(0.0, width_mm**2 - grid.spacing**2) / 12
    sigmas = np.sqrt(deficit) / grid.spacing
    sigmas[np.array(grid.values.shape) == 1] = 0.0
    values: np.ndarray = ndimage.gaussian_filter(grid.values, sigmas, mode="nearest", truncate=3.0)
    return values


def resampled(
    values: np.ndarray, grid: Grid, place: np.ndarray, on: Grid
) -> tuple[np.ndarray, np.ndarray]:
    """Look at a scan from the grid of another.

    Args:
        values: float32, on `grid`.
        grid: Where `values` are.
        place: float64 (4, 4), mm of `on` to mm of `grid`.
        on: The grid to look from.

    Returns:
        float32 values on `on`, linearly interpolated; bool, True where `grid` covers them.
    """
    from scipy import ndimage

    matrix = np.linalg.inv(grid.to_mm()) @ place @ on.to_mm()
    seen: np.ndarray = ndimage.affine_transform(
        values, matrix[:3, :3], matrix[:3, 3], output_shape=on.values.shape, order=1, mode="nearest"
    )
    return seen, covered(values.shape, matrix, on.values.shape)


def covered(inside: Sequence[int], matrix: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Bool `shape`: whether the place of a voxel lies within a box of `inside` voxels.

    Args:
        inside: Voxels of the box, which reaches half a voxel beyond their centres.
        matrix: float64 (4, 4), voxels of `shape` to voxels of `inside`.
        shape: The voxels asked about.
    """
    result = np.ones(tuple(shape), bool)
    axes = [np.arange(n, dtype=np.float32) for n in shape]
    for row, n in zip(matrix[:3].astype(np.float32), inside, strict=True):
        place = (row[0] * axes[0] + row[3])[:, None, None]
        place = place + (row[1] * axes[1])[None, :, None] + (row[2] * axes[2])[None, None, :]
        result &= (place >= -0.51) & (place <= n - 0.49)
    return result


def _block_means(values: np.ndarray, axis: int, factor: int) -> np.ndarray:
    """Means of `factor` neighbours; what is left over at the far end is one block less wide."""
    n = values.shape[axis]
    if factor == 1:
        return values
    whole = n // factor * factor
    head = np.moveaxis(values, axis, 0)[:whole]
    means = head.reshape(n // factor, factor, *head.shape[1:]).mean(axis=1, dtype=np.float32)
    return np.moveaxis(means, 0, axis)
