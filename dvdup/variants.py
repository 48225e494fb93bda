"""Query variants: the same slices as they would look had the scan been mirrored, turned or zoomed.

In: uint8 (S, H, W) slices and the plane of each. Out: named looks of the whole stack.

A look is a change of the volume, so it changes the planes differently: mirroring left-right flips
the columns of axial and coronal slices and leaves sagittal ones as they are; a turn about the
axis across one plane turns the slices of that plane alone. `LOOKS` says which change each plane
takes; since a change is shared by several looks, slices have to be embedded once a change only.
One look holds for all slices of a query, then the best look counts.

Crops are changes of the other side: a scan that shows a part of another one resembles that one
only once it is cropped alike. A crop of a volume lies at one of 27 places, `PLACES`, and shows
each plane at one of nine, `CROPS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

SAME = "same"
"""The change that changes nothing."""
ANGLE = 20.0
"""Degrees of a turn."""
SHRINK = 0.8
"""Side of a shrunk picture as a share of the frame."""

CHANGES = (SAME, "columns", "rows", "left", "right", "shrunk", "enlarged")
"""Changes of a single picture: columns or rows reversed, turned, smaller or larger in its frame."""

SHARE = 0.65
"""Side of a cropped picture as a share of the frame."""

_ROWS = {"top": -1, "middle": 0, "bottom": 1}
_COLUMNS = {"left": -1, "middle": 0, "right": 1}
_CROPPED = {
    f"{row} {column}": (down, right)
    for row, down in _ROWS.items()
    for column, right in _COLUMNS.items()
}
CROPS = tuple(_CROPPED)
"""Changes that show a part of a picture, as large as the frame."""

Planes = tuple[str, str, str]
"""The change of each plane, in the order of `slicing.PLANES`: axial, coronal, sagittal."""

LOOKS: Mapping[str, Planes] = MappingProxyType(
    {
        "identity": (SAME, SAME, SAME),
        "mirror left-right": ("columns", "columns", SAME),
        "mirror front-back": ("rows", SAME, "columns"),
        "mirror head-feet": (SAME, "rows", "rows"),
        "axial turn left": ("left", SAME, SAME),
        "axial turn right": ("right", SAME, SAME),
        "coronal turn left": (SAME, "left", SAME),
        "coronal turn right": (SAME, "right", SAME),
        "sagittal turn left": (SAME, SAME, "left"),
        "sagittal turn right": (SAME, SAME, "right"),
        "shrunk": ("shrunk", "shrunk", "shrunk"),
        "enlarged": ("enlarged", "enlarged", "enlarged"),
    }
)
"""Change of each plane by look; `identity` first."""


def _crop_names(x: int, y: int, z: int) -> Planes:
    """What a part that lies to the right (x), front (y) and head (z) shows of each plane."""
    name = {offset: crop for crop, offset in _CROPPED.items()}
    return name[-y, x], name[-z, x], name[-z, y]  # rows run from front to back, from head to feet


PLACES: Mapping[str, Planes] = MappingProxyType(
    {
        f"{x_name} {y_name} {z_name}": _crop_names(x, y, z)
        for x, x_name in enumerate(("left", "middle", "right"), -1)
        for y, y_name in enumerate(("back", "middle", "front"), -1)
        for z, z_name in enumerate(("feet", "middle", "head"), -1)
    }
)
"""Crop of each plane by the place of the part in the volume."""


def changed(pixels: np.ndarray, change: str) -> np.ndarray:
    """Apply one change to every picture.

    Args:
        pixels: uint8 (S, H, W).
        change: A name of `CHANGES` or `CROPS`.

    Returns:
        uint8 (S, H, W); what comes into view from outside the frame repeats its edge.
    """
    if change == SAME or not len(pixels):
        return pixels
    if change == "columns":
        return np.ascontiguousarray(pixels[:, :, ::-1])
    if change == "rows":
        return np.ascontiguousarray(pixels[:, ::-1])
    if change in _CROPPED:
        return _resampled(pixels, np.eye(2) * SHARE, (1 - SHARE) * np.array(_CROPPED[change]))
    return _resampled(pixels, _MAPS[change])


def pick(by_change: Mapping[str, np.ndarray], plane: np.ndarray, look: str) -> np.ndarray:
    """Put together what belongs to a look.

    Args:
        by_change: Arrays (S, ...) by change, row i for slice i.
        plane: uint8 (S,), index into `slicing.PLANES`.
        look: A name of `LOOKS`.

    Returns:
        (S, ...): of each slice the row of the change that its plane takes.
    """
    chosen = by_change[SAME].copy()
    for number, change in enumerate(LOOKS[look]):
        rows = plane == number
        chosen[rows] = by_change[change][rows]
    return chosen


def best(table: Mapping[str, Planes], parts: Mapping[str, np.ndarray]) -> np.ndarray:
    """The highest sum over the planes of any row of a table.

    Args:
        table: `LOOKS` or `PLACES`.
        parts: By change (P, ...): what each plane says under it.

    Returns:
        (...).
    """
    sums = [
        sum(parts[change][plane] for plane, change in enumerate(changes))
        for changes in table.values()
    ]
    found: np.ndarray = np.max(sums, axis=0)
    return found


def _turn(degrees: float) -> np.ndarray:
    angle = np.radians(degrees)
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


_MAPS = {
    "left": _turn(ANGLE),
    "right": _turn(-ANGLE),
    "shrunk": np.eye(2) / SHRINK,
    "enlarged": np.eye(2) * SHRINK,
}
"""2 x 2, from places in the new picture to places in the old one, about the centre."""


def _resampled(
    pixels: np.ndarray, linear: np.ndarray, shift: np.ndarray | tuple[float, float] = (0, 0)
) -> np.ndarray:
    """Bilinear, all pictures at once; a shift by 1 is half a frame."""
    _, height, width = pixels.shape
    centre = np.array([(height - 1) / 2, (width - 1) / 2])
    grid = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij"), -1)
    place = (grid - centre) @ linear.T + centre + centre * shift
    place = np.clip(place, 0, (height - 1, width - 1))
    low = np.floor(place).astype(int)
    high = np.minimum(low + 1, (height - 1, width - 1))
    share = (place - low).astype(np.float32)
    found = np.zeros(pixels.shape, np.float32)
    for rows, down in ((low[..., 0], 1 - share[..., 0]), (high[..., 0], share[..., 0])):
        for columns, right in ((low[..., 1], 1 - share[..., 1]), (high[..., 1], share[..., 1])):
            found += pixels[:, rows, columns] * (down * right)
    grey: np.ndarray = np.clip(found + 0.5, 0, 255).astype(np.uint8)
    return grey
