"""Baselines that take a scan as a whole: what a method with a network has to beat.

Each turns one channel into one unit row whose cosine with another row is its score, after the
background around the content has been cut away and the rest resampled to 32 voxels an axis.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from dvdup import voxels

_SIDE = 32
_LOW = 6  # frequencies of the hash along each axis, the lowest
_BACKGROUND = 0.02  # share of a layer that must stand out for the layer to be content


@dataclass(frozen=True, slots=True)
class Baseline:
    """One row of the table."""

    what: str
    dimensions: int
    version: int
    """Grows whenever the rows change."""
    describe: Callable[[np.ndarray], np.ndarray | None]
    """float32 (X, Y, Z) -> float32 (D,) of unit length, or None where there is nothing to see."""


def correlation(values: np.ndarray) -> np.ndarray | None:
    """Grey values less their mean: the cosine of two rows is Pearson's correlation."""
    grid = _standard(values)
    if grid is None:
        return None
    row = (grid - grid.mean()).ravel()
    length = float(np.linalg.norm(row))
    return (row / length).astype(np.float32) if length > 0 else None


def phash(values: np.ndarray) -> np.ndarray | None:
    """Signs of the 215 lowest frequencies: the cosine is 1 - 2 x Hamming distance / bits.

    Source: the perceptual hash of pictures (phash.org, DCT of a 32 x 32 picture, low frequencies
    against their median), with one axis more.
    """
    from scipy import fft

    grid = _standard(values)
    if grid is None:
        return None
    low = fft.dctn(grid, norm="ortho")[:_LOW, :_LOW, :_LOW].ravel()[1:]
    bits = np.where(low > np.median(low), 1.0, -1.0)
    row: np.ndarray = (bits / np.sqrt(bits.size)).astype(np.float32)
    return row


def _standard(values: np.ndarray) -> np.ndarray | None:
    """The content at 32 voxels an axis; None for a scan without any."""
    small = voxels.proxy(values).astype(np.float32)
    inside = small > small.mean()
    box = []
    for axis in range(3):
        others = tuple(each for each in range(3) if each != axis)
        used = np.flatnonzero(inside.mean(axis=others) > _BACKGROUND)
        if used.size == 0:
            return None
        box.append(slice(int(used[0]), int(used[-1]) + 1))
    grid = small[tuple(box)]
    for axis in range(3):
        grid = _resampled(grid, axis)
    return grid


def _resampled(grid: np.ndarray, axis: int) -> np.ndarray:
    """Area means along one axis; fewer voxels than asked for are repeated."""
    n = grid.shape[axis]
    edges = np.arange(_SIDE + 1) * n / _SIDE
    upper = np.minimum(edges[1:, None], np.arange(1, n + 1))
    overlap = np.clip(upper - np.maximum(edges[:-1, None], np.arange(n)), 0, None)
    shares = (overlap / overlap.sum(axis=1, keepdims=True)).astype(np.float32)
    return np.moveaxis(np.tensordot(shares, grid, (1, axis)), 0, axis)


BASELINES: Mapping[str, Baseline] = MappingProxyType(
    {
        "correlation": Baseline(
            "correlation of whole scans, content at 32 voxels an axis", _SIDE**3, 1, correlation
        ),
        "phash3d": Baseline("perceptual hash in three dimensions", _LOW**3 - 1, 1, phash),
    }
)
"""By name, as given to `--embedder`."""
