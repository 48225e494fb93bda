"""What an edit works on and what it leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """What an edit works on."""

    values: np.ndarray
    spacing: tuple[float, float, float]
    low: float
    high: float
    across: int
    """The axis that the slices lie across."""

    @property
    def span(self) -> float:
        """The range."""
        return self.high - self.low

    @property
    def in_plane(self) -> tuple[int, int]:
        """The axes of a slice."""
        first, second = (axis for axis in range(3) if axis != self.across)
        return first, second


@dataclass(frozen=True, slots=True, eq=False)
class Done:
    """What an edit leaves; what it does not touch is not named."""

    values: np.ndarray
    said: dict[str, Any]
    spacing: tuple[float, float, float] | None = None
    linear: np.ndarray | None = None
    """3 x 3, from voxels of the copy to voxels of the source."""
    offset: np.ndarray | None = None


def as_size(spacing: Sequence[float]) -> tuple[float, float, float]:
    """Three floats."""
    x, y, z = (float(each) for each in spacing)
    return x, y, z


def as_scan(values: np.ndarray, spacing: tuple[float, float, float]) -> Scan:
    """Take the range of a scan, fill its holes and find the axis across its slices."""
    finite = np.isfinite(values)
    known = values if finite.all() else values[finite]
    low, high = (0.0, 0.0)
    if known.size:
        low, high = (float(each) for each in np.percentile(known, (0.5, 99.5)))
    filled = values if finite.all() else np.where(finite, values, np.float32(low))
    widest = max(reversed(range(3)), key=lambda axis: spacing[axis])
    across = next((axis for axis in (2, 1, 0) if values.shape[axis] == 1), widest)
    return Scan(filled.astype(np.float32, copy=False), spacing, low, high, across)


def unit(scan: Scan, bottom: float, top: float) -> np.ndarray:
    """The values between two limits as 0 to 1, clipped."""
    unit: np.ndarray = np.clip((scan.values - bottom) / max(1e-12, top - bottom), 0, 1)
    return unit


def sign(rng: np.random.Generator) -> int:
    """-1 or 1."""
    return int(rng.choice((-1, 1)))
