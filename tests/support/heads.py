"""Made-up scans in memory, as channels of a pair."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from dvdup import verify, voxels
from dvdup.lab.bench.pairs import MemoryChannel
from dvdup.lab.evaluate.scans import Scan


def head(seed: int, shape: tuple[int, int, int] = (48, 56, 44)) -> np.ndarray:
    """A body of smooth and of fine structures, its own for each seed; float32, Fortran order."""
    rng = np.random.default_rng(seed)
    coarse = ndimage.gaussian_filter(rng.normal(size=shape), 5) * 40
    fine = ndimage.gaussian_filter(rng.normal(size=shape), 1.5) * 6
    grid = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    sizes = rng.uniform(0.62, 0.88, 3)
    inside = sum((axis / size) ** 2 for axis, size in zip(grid, sizes, strict=True)) < 1
    values = np.where(inside, 100 + 30 * (coarse + fine), 0)
    return np.asfortranarray(np.clip(values, 0, 255).round(), np.float32)


def channel(values: np.ndarray, spacing: tuple[float, ...] = (1.0, 1.0, 1.0)) -> MemoryChannel:
    """Values (X, Y, Z) as a channel of a pair; a picture (X, Y) as one slice."""
    whole = np.asfortranarray(values if values.ndim == 3 else values[:, :, None], np.float32)
    x, y, z = spacing
    scan = Scan("scan", (whole,), (0,), (x, y, z))
    small = verify.of_proxy(voxels.proxy(whole), whole.shape, spacing)
    return MemoryChannel(lambda: scan, small, 0, whole.shape, spacing)
