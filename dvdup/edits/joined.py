"""Edits that bring in a second scan: a made-up one, so that nobody else's copy is in the result."""

from __future__ import annotations

import numpy as np

from dvdup.edits.scan import Done, Scan

_ORGANS = 12


def mixup(scan: Scan, share: float, rng: np.random.Generator) -> Done:
    """Add another scan of the same size, `share` of it to the rest of this one."""
    other = made_up(scan, scan.values.shape, rng)
    return Done((1 - share) * scan.values + share * other, {})


def concat(scan: Scan, share: float, rng: np.random.Generator) -> Done:
    """Put another scan before or behind this one, `share` of its length along the same axis."""
    shape = list(scan.values.shape)
    axis = int(rng.choice([each for each in range(3) if shape[each] > 1] or (0,)))
    before = bool(rng.integers(2))
    shape[axis] = max(1, round(share * shape[axis]))
    other = made_up(scan, (shape[0], shape[1], shape[2]), rng)
    parts = (other, scan.values) if before else (scan.values, other)
    offset = np.zeros(3)
    offset[axis] = -shape[axis] if before else 0
    return Done(np.concatenate(parts, axis), {"axis": axis, "before": before}, offset=offset)


def made_up(scan: Scan, shape: tuple[int, int, int], rng: np.random.Generator) -> np.ndarray:
    """A body with organs of smooth texture, in the range of a scan: float32 of the shape."""
    axes = [np.linspace(-1, 1, n, dtype=np.float32) if n > 1 else np.zeros(1) for n in shape]
    x, y, z = np.meshgrid(*axes, indexing="ij", sparse=True)

    def inside(centre: np.ndarray, radii: np.ndarray) -> np.ndarray:
        parts = ((each - c) / r for each, c, r in zip((x, y, z), centre, radii, strict=True))
        found: np.ndarray = sum(part**2 for part in parts) <= 1
        return found

    body = inside(rng.uniform(-0.1, 0.1, 3), rng.uniform(0.7, 0.9, 3))
    greys = np.where(body, np.float32(rng.uniform(0.3, 0.6)), np.float32(0))
    for _ in range(_ORGANS):
        organ = inside(rng.uniform(-0.6, 0.6, 3), rng.uniform(0.1, 0.4, 3)) & body
        greys[organ] = rng.uniform(0.1, 1)
    noise = rng.standard_normal(shape, dtype=np.float32)
    greys = np.clip(greys + 0.05 * noise * body, 0, 1)
    values: np.ndarray = np.float32(scan.low) + np.float32(scan.span) * greys
    return values
