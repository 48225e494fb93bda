"""Draw a pair: matching slices, their difference, and the matrix of slice similarities.

In: two scans and how they lie on each other. Out: PNG bytes, or text for a terminal. Pillow draws;
no font but its own is needed.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dvdup.verify.grid import Grid, make_grid, resampled, usable_spacing
from dvdup.verify.order import Line, Track
from dvdup.verify.scans import Scan, usable_extent

SIDE = 220
"""Pixels of the longest side of a picture."""

_GAP, _HEAD = 8, 18
_PLANES = ("sagittal", "coronal", "axial")  # the plane across each axis
_SHADES = " .:-=+*#%@"


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """Similarities of the slices of a plane of a to those of a plane of b, and the fitted line."""

    similarity: np.ndarray
    """float (S, T)."""
    a: Track
    b: Track
    line: Line | None


def draw(
    a: Scan,
    b: Scan,
    place: np.ndarray,
    titles: tuple[str, str],
    matrix: Matrix | None = None,
) -> bytes:
    """Draw the middle slices of what two scans have in common, side by side.

    Args:
        a: One scan; its slices are shown as they are.
        b: The other; it is brought onto a.
        place: float64 (4, 4), mm of a to mm of b; the identity lays centre on centre.
        titles: Names of a and b.
        matrix: The similarity matrix to put beside them.

    Returns:
        A PNG: a row each for the axial, coronal and sagittal slice, with a, b and the difference
        (blue where b is darker, red where it is brighter).
    """
    from PIL import Image, ImageDraw

    rows = [
        [_grey(ours), _grey(theirs), _difference(ours, theirs)]
        for ours, theirs in _slices(a, b, place)
    ]
    pictures = [[Image.fromarray(_enlarged(picture)) for picture in row] for row in rows]
    names = [titles[0], titles[1], "difference"]
    if matrix is not None:
        pictures[0].append(Image.fromarray(_drawn(matrix)))
        names.append("slice similarity")
    sheet = _sheet(pictures)
    canvas = ImageDraw.Draw(sheet)
    for column, name in enumerate(names):
        place_x = _GAP + column * (SIDE + _GAP)
        canvas.text((place_x, 4), _fitting(canvas, name), fill=(230, 230, 230))
    file = io.BytesIO()
    sheet.save(file, "PNG", optimize=False)
    return file.getvalue()


def terminal(a: Scan, b: Scan, place: np.ndarray, width: int = 78) -> str:
    """Draw the axial slices of a and of b, brought onto it, in characters.

    Args:
        a: One scan.
        b: The other.
        place: float64 (4, 4), mm of a to mm of b.
        width: Columns to use.

    Returns:
        Lines of plain ASCII, a on the left; brighter is denser.
    """
    ours, theirs = _slices(a, b, place)[0]
    columns = max(8, (width - 3) // 2)
    lines = []
    for left, right in zip(_shaded(ours, columns), _shaded(theirs, columns), strict=True):
        lines.append(f"{left} | {right}".rstrip())
    return "\n".join(lines)


def _slices(a: Scan, b: Scan, place: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """The axial, coronal and sagittal slice in the middle of the overlap, (H, W) 0 to 1.

    Non-square voxels become square; row 0 is anterior or superior.
    """
    step = float(max(usable_extent(a))) / SIDE
    one, other = _fine(a, step), _fine(b, step)
    seen, inside = resampled(other.values, other, place, one)
    seen = np.where(inside, seen, np.nan)
    found = []
    for axis in (2, 1, 0):
        others = tuple(i for i in range(3) if i != axis)
        common = np.flatnonzero(inside.any(axis=others))
        middle = int(common[len(common) // 2]) if common.size else one.values.shape[axis] // 2
        size = one.spacing[list(others)]
        ours, theirs = one.values.take(middle, axis), seen.take(middle, axis)
        found.append((_squared(ours, size).T[::-1], _squared(theirs, size).T[::-1]))
    return found


def _fine(scan: Scan, step: float) -> Grid:
    grid = make_grid(scan.values, scan.spacing, step)
    if grid is not None:
        return grid
    size = usable_spacing(scan.spacing)
    middle = -(np.array(scan.values.shape) - 1) / 2 * size
    return Grid(np.zeros(scan.values.shape, np.float32), size, middle)


def _squared(picture: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Repeat rows or columns until pixels are about square."""
    factors = np.maximum(1, np.round(size / size.min())).astype(int)
    return picture.repeat(factors[0], axis=0).repeat(factors[1], axis=1)


def _grey(picture: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 3); what is not there is dark blue."""
    value = np.nan_to_num(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    colour = np.stack([value, value, value], axis=-1)
    colour[np.isnan(picture)] = (16, 20, 48)
    return colour


def _difference(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 3): red where b is brighter, blue where it is darker, after matching greys."""
    both = ~np.isnan(theirs)
    apart = np.zeros_like(ours)
    if both.sum() > 10:
        apart[both] = _matched(theirs[both], ours[both]) - ours[both]
    strong = np.clip(apart * 3, -1, 1)
    colour = np.full((*ours.shape, 3), 255.0)
    colour[..., 1] -= 255 * np.abs(strong)
    colour[..., 2] -= 255 * np.clip(strong, 0, 1)
    colour[..., 0] -= 255 * np.clip(-strong, 0, 1)
    colour[~both] = (16, 20, 48)
    return colour.astype(np.uint8)


def _matched(values: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Values with their quantiles moved to those of `like`: gamma and window are no difference."""
    shares = np.linspace(0, 1, 33)
    x, y = np.quantile(values, shares), np.quantile(like, shares)
    keep = np.concatenate([[True], np.diff(x) > 1e-6])
    matched: np.ndarray = np.interp(values, x[keep], y[keep])
    return matched


def _drawn(matrix: Matrix) -> np.ndarray:
    """uint8 (T, S, 3): the matrix, b upwards, with the fitted line."""
    values = matrix.similarity.T[::-1]
    low, high = np.percentile(values, (5, 100))
    colour = _grey((values - low) / max(1e-6, high - low))
    colour = _enlarged(colour)
    if matrix.line is None:
        return colour
    height, width = colour.shape[:2]
    x = np.linspace(matrix.a.position_mm[0], matrix.a.position_mm[-1], 4 * width)
    y = matrix.line.signed_slope * x + matrix.line.offset_mm
    across = np.interp(x, matrix.a.position_mm, np.linspace(0, width - 1, len(matrix.a.index)))
    inside = (y >= matrix.b.position_mm[0]) & (y <= matrix.b.position_mm[-1])
    up = np.interp(y, matrix.b.position_mm, np.linspace(0, height - 1, len(matrix.b.index)))
    dashes = inside & ((np.arange(len(x)) // 16) % 2 == 0)
    rows = (height - 1 - np.round(up[dashes])).astype(int)
    colour[rows, np.round(across[dashes]).astype(int)] = (255, 140, 0)
    return colour


def _enlarged(picture: np.ndarray) -> np.ndarray:
    """Scaled to `SIDE` without smoothing."""
    height, width = picture.shape[:2]
    factor = SIDE / max(height, width)
    rows = np.minimum(height - 1, (np.arange(max(1, round(height * factor))) / factor).astype(int))
    columns = np.minimum(width - 1, (np.arange(max(1, round(width * factor))) / factor).astype(int))
    return np.ascontiguousarray(picture[np.ix_(rows, columns)])


def _sheet(pictures: Sequence[Sequence[Any]]) -> Any:
    """All pictures on one dark sheet, rows as high as their highest picture."""
    from PIL import Image

    heights = [max(picture.height for picture in row) for row in pictures]
    columns = max(len(row) for row in pictures)
    size = (_GAP + columns * (SIDE + _GAP), _HEAD + _GAP + sum(h + _GAP for h in heights))
    sheet = Image.new("RGB", size, (32, 32, 32))
    top = _HEAD + _GAP
    for row, height in zip(pictures, heights, strict=True):
        for column, picture in enumerate(row):
            sheet.paste(picture, (_GAP + column * (SIDE + _GAP), top))
        top += height + _GAP
    return sheet


def _fitting(canvas: Any, text: str) -> str:
    """The end of a text that fits above a picture, which is what tells cases apart."""
    plain = text.encode("ascii", "replace").decode()
    while len(plain) > 4 and canvas.textlength(plain) > SIDE:
        plain = "..." + plain.lstrip(".")[1:]
    return plain


def _shaded(picture: np.ndarray, columns: int) -> list[str]:
    """A picture as lines of characters, which are twice as high as wide."""
    height, width = picture.shape
    rows = max(1, round(height / width * columns / 2))
    y = np.minimum(height - 1, ((np.arange(rows) + 0.5) * height / rows).astype(int))
    x = np.minimum(width - 1, ((np.arange(columns) + 0.5) * width / columns).astype(int))
    values = np.nan_to_num(picture[np.ix_(y, x)])
    levels = np.clip(values * len(_SHADES), 0, len(_SHADES) - 1).astype(int)
    return ["".join(_SHADES[level] for level in line) for line in levels]
