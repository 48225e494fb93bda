"""Whether two scans share their noise: copies do, two acquisitions of one anatomy do not.

A copy carries the noise of its source, however it was turned, windowed or compressed; a second
acquisition of the same patient, a frame of a cine, another visit, has noise of its own. So where
structures agree it is looked at what is left in even tissue: correlated, it is one acquisition. A
copy that was covered with noise has more of it than its source, which tells it from a second
acquisition with about as much.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from dvdup.verify.bands import band, blurred
from dvdup.verify.compare import FINE, MIDDLE, grey_curves, looked_up
from dvdup.verify.grid import Grid, cut, make_grid, resampled, structured
from dvdup.verify.scans import Scan, comes_first, on_voxels

_FINEST = 1e-6  # mm: voxels stay what they are
_SIDE = 80  # voxels of the middle that are looked at, along each axis
_BLOCK, _SHIFT = 16, 2  # voxels of a block, and how far it may lie from where it belongs
_EVEN = 0.5  # of the voxels, those with least structure
_FULL = 0.25  # of a block that must be even
_ENDS = 0.01  # of the range; what lies closer to its ends may have been clipped
_FEWEST = 6  # blocks
_SHARED, _ALIKE = 0.15, 0.17  # fitted on heads, hippocampi, chests and made second acquisitions


@dataclass(frozen=True, slots=True)
class NoiseMatch:
    """How the noise of two scans compares."""

    shared: float
    """Median over blocks of the highest correlation of the noise near by, about -1 to 1."""
    ratio: float
    """Variance of the weaker noise over that of the stronger one, each in proportion to what the
    scan shows, 0 to 1."""
    blocks: int
    """Blocks that were compared."""

    @property
    def independent(self) -> bool:
        """Whether each has noise of its own, about as strong: two acquisitions."""
        return self.blocks >= _FEWEST and self.shared < _SHARED and self.ratio > _ALIKE


def match_noise(a: Scan, b: Scan, place: np.ndarray) -> NoiseMatch | None:
    """Compare the noise of two scans in even tissue; which of them comes first does not matter.

    Args:
        a: One scan at full resolution.
        b: The other.
        place: float64 (4, 4), mm of a to mm of b, both from the centre of the scan.

    Returns:
        None where a scan is constant or too little of both is to be seen.
    """
    if comes_first(b, a):
        return match_noise(b, a, np.linalg.inv(place))
    grids = [make_grid(scan.values, scan.spacing, _FINEST) for scan in (a, b)]
    if grids[0] is None or grids[1] is None:
        return None
    ours, other, laid = _middle(grids[0]), grids[1], on_voxels(place, a, b)
    theirs, seen = resampled(other.values, other, laid, ours)
    usable = seen & structured(ours) & looked_up(structured(other), other, laid, ours)
    for each in (ours.values, theirs):
        usable &= (each > _ENDS) & (each < 1 - _ENDS)
    if usable.sum() < _BLOCK**2:
        return None
    curves = grey_curves(ours.values[usable], theirs[usable])
    pair = curves.of_a(ours.values), curves.of_b(theirs)
    even = _even(pair, usable)
    one, two = (each - blurred(each, FINE * np.ones(3)) for each in pair)
    # of the values as they are: a curve to noisy values flattens the noise of the other scan
    powers = sorted(_power(each, even, usable) for each in (ours.values, theirs))
    found = [_highest(one[box] * even[box], two[box] * even[box]) for box in _blocks(even)]
    return NoiseMatch(
        shared=float(np.median(found)) if found else 0.0,
        ratio=powers[0] / max(1e-12, powers[1]),
        blocks=len(found),
    )


def _middle(grid: Grid) -> Grid:
    n = np.array(grid.values.shape)
    first = (n - np.minimum(n, _SIDE)) // 2
    return cut(grid, first, first + _SIDE)


def _even(pair: tuple[np.ndarray, np.ndarray], usable: np.ndarray) -> np.ndarray:
    """Bool (X, Y, Z): the usable voxels about which both scans change least."""
    voxel = np.ones(3)
    steep = np.zeros(usable.shape, np.float32)
    for each in pair:
        steep += np.abs(band(each, voxel, MIDDLE)) / max(1e-9, float(each[usable].std()))
    even: np.ndarray = usable & (steep <= np.quantile(steep[usable], _EVEN))
    return even


def _power(values: np.ndarray, even: np.ndarray, usable: np.ndarray) -> float:
    """Variance of the noise over that of what is no noise."""
    smooth = blurred(values, MIDDLE * np.ones(3))
    noise = values - blurred(values, FINE * np.ones(3))
    return float(noise[even].var()) / max(1e-12, float(smooth[usable].var()))


def _blocks(even: np.ndarray) -> list[tuple[slice, ...]]:
    """Boxes of which enough is even."""
    # of small scans they overlap by half, as else there would be too few
    steps = (max(_BLOCK // 2, min(_BLOCK, n // 5)) for n in even.shape)
    starts = (
        range(0, max(1, n - _BLOCK + 1), step) for n, step in zip(even.shape, steps, strict=True)
    )
    boxes = [tuple(slice(first, first + _BLOCK) for first in each) for each in product(*starts)]
    return [box for box in boxes if even[box].mean() >= _FULL]


def _highest(one: np.ndarray, two: np.ndarray) -> float:
    """The highest correlation of two blocks at small shifts."""
    from scipy import fft

    shape = [n + _SHIFT for n in one.shape]
    spectra = fft.rfftn(one, shape) * np.conj(fft.rfftn(two, shape))
    found = fft.irfftn(spectra, shape)
    near = np.ix_(*([*range(min(_SHIFT, n - 1) + 1), *range(-min(_SHIFT, n - 1), 0)]
                    for n in one.shape))  # fmt: skip
    power = float(np.sqrt((one * one).sum() * (two * two).sum()))
    return float(found[near].max()) / max(1e-12, power)
