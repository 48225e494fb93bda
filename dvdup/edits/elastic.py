"""A smooth deformation that no header tells of."""

from __future__ import annotations

import numpy as np

from dvdup.edits.scan import Done, Scan

KNOTS = 4
"""Along each axis; natural cubic splines go through them."""


def elastic(scan: Scan, share: float, rng: np.random.Generator) -> Done:
    """Deform at random; no voxel comes from farther away than `share` of the extent.

    A voxel of the copy shows the source at its own place plus the displacement there. `knots`,
    (3, KNOTS, KNOTS, KNOTS), holds the displacements along X, Y, Z in voxels.
    """
    from scipy import ndimage

    shape = np.array(scan.values.shape)
    knots = rng.uniform(-1, 1, (3, KNOTS, KNOTS, KNOTS)) * (shape > 1)[:, None, None, None]
    farthest = float(np.sqrt((displacements(knots, scan.values.shape) ** 2).sum(axis=0)).max())
    knots *= share * shape[:, None, None, None] / (farthest or 1.0)
    places = displacements(knots, scan.values.shape)
    places += np.indices(scan.values.shape, np.float32)
    values = ndimage.map_coordinates(scan.values, places, order=1, mode="constant", cval=scan.low)
    return Done(values, {"knots": knots.tolist()})


def displacements(knots: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The displacement of every voxel: float32 (3, X, Y, Z), in the unit of the knots.

    Args:
        knots: float (3, KNOTS, KNOTS, KNOTS), evenly from the first to the last voxel of each axis.
        shape: X, Y, Z.
    """
    weights = [_weights(n) for n in shape]
    found: np.ndarray = np.einsum(
        "dabc,xa,yb,zc->dxyz", knots.astype(np.float32), *weights, optimize=True
    )
    return found


def _weights(n: int) -> np.ndarray:
    """Float32 (n, KNOTS): what each knot adds to each of n voxels."""
    from scipy.interpolate import CubicSpline

    spline = CubicSpline(np.linspace(0, 1, KNOTS), np.eye(KNOTS), bc_type="natural")
    weights: np.ndarray = spline(np.linspace(0, 1, n) if n > 1 else np.array([0.5]))
    return weights.astype(np.float32)
