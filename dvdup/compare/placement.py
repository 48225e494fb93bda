"""How two scans lie on each other, as reports have it: from voxels of one to voxels of the other.

Verification works in mm from the centres of the scans. Voxels stay right where millimetres are
unknown or tiny, so that a placement may be rounded, kept in a report and drawn again.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dvdup.records import IndexedCase, Placement
from dvdup.verify import usable_spacing

_FLAT = 1e-9  # determinant of what lays a scan on a plane
_FAR = 1e6  # voxels that nobody's scan is away


def in_voxels(place: np.ndarray, a: IndexedCase, b: IndexedCase) -> Placement | None:
    """A placement of verification as one of voxels.

    Args:
        place: float64 (4, 4), mm of a to mm of b, both from the centre of the scan.
        a: The one scan.
        b: The other.

    Returns:
        As `PairResult.a_to_b`; None where it is no placement, because something did not converge.
    """
    rows = (np.linalg.inv(_to_mm(b)) @ place @ _to_mm(a))[:3]
    return _rows(rows) if np.isfinite(rows).all() else None


def in_mm(rows: Any, a: IndexedCase, b: IndexedCase) -> np.ndarray | None:
    """A placement out of a report as verification has it.

    Args:
        rows: What a report says; anything, since others write reports too.
        a: The one scan.
        b: The other.

    Returns:
        float64 (4, 4), mm of a to mm of b, both from the centre of the scan; None if the report
        says nothing that lays one volume on another.
    """
    try:
        known = np.array(rows, np.float64)
    except (TypeError, ValueError, OverflowError):
        return None
    if known.shape != (3, 4) or not (np.abs(known) < _FAR).all():  # nan is not
        return None
    place: np.ndarray = _to_mm(b) @ np.vstack([known, [0, 0, 0, 1]]) @ np.linalg.inv(_to_mm(a))
    return place if abs(np.linalg.det(known[:, :3])) > _FLAT else None


def _rows(rows: np.ndarray) -> Placement:
    first, second, third = (
        (float(x), float(y), float(z), float(shift)) for x, y, z, shift in rows.tolist()
    )
    return first, second, third


def _to_mm(case: IndexedCase) -> np.ndarray:
    """float64 (4, 4): a voxel, by its numbers along X, Y, Z, to mm from the centre of the scan."""
    size = usable_spacing(case.spacing)
    matrix = np.diag([*size, 1.0])
    matrix[:3, 3] = -(np.array(case.shape) - 1) / 2 * size
    return matrix
