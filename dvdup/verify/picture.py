"""Draw a pair: matching slices, their difference, and the matrix of slice similarities.

In: two scans and how they lie on each other. Out: PNG bytes, or text for a terminal. Pillow draws;
no font but its own is needed.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dvdup.records import Embedded, SliceLine
from dvdup.verify.grid import Grid, covered, make_grid, resampled, usable_spacing
from dvdup.verify.order import MIN_POINTS, Track, align, fitting, tracks
from dvdup.verify.scans import Scan, usable_extent

SIDE = 280
"""Pixels of the longest side of a picture."""

_GAP, _ROW, _LETTER = 8, 18, 12  # pixels: between pictures, a line of text, its letters
_GROUND, _LETTERS, _TITLES, _LINE = (32, 32, 32), (190, 190, 190), (255, 255, 255), (255, 140, 0)
_THIN = 3  # voxels below which a plane makes no picture
_TALLEST, _NARROWEST = 40, 16  # lines and columns of a view in characters
_PLANES = ("sagittal", "coronal", "axial")  # the plane across each axis
_SHADES = " .:-=+*#%@"


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """Similarities of the slices of a plane of a to those of a plane of b, and the fitted line."""

    similarity: np.ndarray
    """float (S, T)."""
    a: Track
    b: Track
    line: SliceLine | None


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One picture of a sheet."""

    pixels: np.ndarray
    """uint8 (H, W, 3)."""
    caption: str
    """Which slice it is, or what its colours mean."""


def matrix_of(a: Embedded, b: Embedded, place: np.ndarray) -> Matrix | None:
    """The similarities of the planes with the best line; of the first plane where there is none.

    Args:
        a: Slices of one channel.
        b: Slices of one channel of the other case.
        place: float64 (4, 4), mm of a to mm of b; lines that it contradicts do not count.

    Returns:
        The matrix, or None if no plane has enough slices in both.
    """
    lines = fitting(align(a, b), place)
    ours, theirs = (
        {track.plane: (track, rows) for track, rows in tracks(case) if len(rows) >= MIN_POINTS}
        for case in (a, b)
    )
    planes = [(line.plane_a, line.plane_b) for line in lines]
    planes += [(plane, plane) for plane in sorted(set(ours) & set(theirs))]
    if not planes:
        return None
    (one, i), (other, k) = ours[planes[0][0]], theirs[planes[0][1]]
    line = lines[0] if lines else None
    return Matrix(a.embedding[i] @ b.embedding[k].T, one, other, line)


def draw(
    a: Scan,
    b: Scan,
    place: np.ndarray,
    titles: tuple[str, str],
    matrix: Matrix | None = None,
    words: Sequence[str] = (),
) -> bytes:
    """Draw the middle slices of what two scans have in common, side by side.

    Args:
        a: One scan; its slices are shown as they are.
        b: The other; it is brought onto a.
        place: float64 (4, 4), mm of a to mm of b; the identity lays centre on centre.
        titles: Names of a and b.
        matrix: The similarity matrix to put beside them.
        words: Sentences to write above.

    Returns:
        A PNG: a row each for the axial, coronal and sagittal slice, all in one scale, with a, b
        and the difference (blue where b is darker, red where it is brighter). Planes across
        which a is only a few voxels wide are left out.
    """
    rows = panels(a, b, place)
    names = [*titles, "difference"]
    if matrix is not None:
        rows[0].append(matrix_panel(matrix))
        names.append("similarity of slices")
    file = io.BytesIO()
    _sheet(rows, names, words).save(file, "PNG", optimize=False)
    return file.getvalue()


def panels(a: Scan, b: Scan, place: np.ndarray) -> list[list[Panel]]:
    """The pictures that `draw` lays on a sheet: a row each for a plane of a.

    Args:
        a: One scan.
        b: The other; it is brought onto a.
        place: As in `draw`.

    Returns:
        In each row a slice of a, the matching one of b, and their difference; all in one scale, at
        most `SIDE` pixels wide and high.
    """
    cuts = _cuts(a, b, place)
    scale = SIDE / max(max(cut.size_mm) for cut in cuts)
    return [_panels(cut, scale) for cut in cuts]


def matrix_panel(matrix: Matrix) -> Panel:
    """The similarities of slices as `draw` shows them, b upwards, with the fitted line."""
    return Panel(_drawn(matrix), _axes_in_words(matrix))


def terminal(
    a: Scan, b: Scan, place: np.ndarray, width: int = 78, titles: tuple[str, str] | None = None
) -> str:
    """Draw the axial slices of a and of b, brought onto it, in characters.

    Args:
        a: One scan.
        b: The other.
        place: float64 (4, 4), mm of a to mm of b.
        width: Columns to use.
        titles: Names of a and b, to write above.

    Returns:
        Lines of plain ASCII (titles apart), a on the left; brighter is denser.
    """
    cut = _cuts(a, b, place)[0]
    aspect = cut.size_mm[0] / cut.size_mm[1] / 2  # characters are twice as high as wide
    columns = max(_NARROWEST, min((width - 3) // 2, int(_TALLEST / aspect)))
    rows = min(_TALLEST, max(1, round(columns * aspect)))
    heads = [] if titles is None else [tuple(_ending(title, columns) for title in titles)]
    views = [_shaded(picture, rows, columns) for picture in (cut.ours, cut.theirs)]
    lines = [*heads, *zip(*views, strict=True)]
    return "\n".join(f"{left:<{columns}} | {right}".rstrip() for left, right in lines)


@dataclass(frozen=True, slots=True, eq=False)
class _Cut:
    """A slice of a and what b shows there."""

    ours: np.ndarray
    """float (H, W), 0 to 1; row 0 is anterior or superior."""
    theirs: np.ndarray
    """The same of b; NaN where it shows nothing."""
    size_mm: tuple[float, float]
    """Height and width."""
    captions: tuple[str, str]


def _cuts(a: Scan, b: Scan, place: np.ndarray) -> list[_Cut]:
    """The axial, coronal and sagittal slice in the middle of the overlap."""
    step = float(max(usable_extent(a))) / SIDE
    one, other = _fine(a, step), _fine(b, step)
    onto = np.linalg.inv(other.to_mm()) @ place @ one.to_mm()
    inside = covered(other.values.shape, onto, one.values.shape)
    axes = [i for i in (2, 1, 0) if min(np.delete(a.values.shape, i)) >= _THIN] or [2]
    middles = [_middle(inside, axis) for axis in range(3)]
    found = []
    for axis in axes:
        flat = _slice(one, axis, middles[axis])
        seen, shown = resampled(other.values, other, place, flat)  # not the whole, which takes long
        both = flat.values, np.where(shown, seen, np.nan)
        ours, theirs = (values.take(0, axis).T[::-1] for values in both)
        width, height = np.delete(one.extent, axis).tolist()
        captions = _captions(a, b, place, one.origin + np.array(middles) * one.spacing, axis)
        found.append(_Cut(ours, theirs, (height, width), captions))
    return found


def _slice(grid: Grid, axis: int, number: int) -> Grid:
    """One slice of a grid as a grid of its own."""
    origin = grid.origin.copy()
    origin[axis] += number * grid.spacing[axis]
    return Grid(grid.values.take([number], axis), grid.spacing, origin)


def _middle(inside: np.ndarray, axis: int) -> int:
    """The middle slice across an axis of those that b shows; of all if it shows none."""
    shown = np.flatnonzero(inside.any(axis=tuple(i for i in range(3) if i != axis)))
    return int(shown[len(shown) // 2]) if shown.size else inside.shape[axis] // 2


def _captions(
    a: Scan, b: Scan, place: np.ndarray, centre: np.ndarray, axis: int
) -> tuple[str, str]:
    """The slices of a and of b that meet at `centre`, float64 (3,) mm of a."""
    along = int(np.abs(place[:3, axis]).argmax())
    there = place[:3, :3] @ centre + place[:3, 3]
    return _caption(a, axis, centre), _caption(b, along, there)


def _caption(scan: Scan, axis: int, point: np.ndarray) -> str:
    """Plane and number of a slice; of a proxy, whose slices are numbered otherwise, the plane.

    A scan of one slice has neither.
    """
    n = scan.values.shape[axis]
    if n == 1:
        return "the whole picture"
    number = round(point[axis] / usable_spacing(scan.spacing)[axis] + (n - 1) / 2)
    inside = scan.full and 0 <= number < n
    return f"{_PLANES[axis]}, slice {number} of 0-{n - 1}" if inside else _PLANES[axis]


def _fine(scan: Scan, step: float) -> Grid:
    grid = make_grid(scan.values, scan.spacing, step)
    if grid is not None:
        return grid
    size = usable_spacing(scan.spacing)
    middle = -(np.array(scan.values.shape) - 1) / 2 * size
    return Grid(np.zeros(scan.values.shape, np.float32), size, middle)


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
    """uint8 (SIDE, SIDE, 3) at most: the matrix, b upwards, with the fitted line."""
    values = matrix.similarity.T[::-1]
    low, high = np.percentile(values, (5, 100))
    factor = SIDE / max(values.shape)
    shape = tuple(max(1, round(n * factor)) for n in values.shape)
    colour = _scaled(_grey((values - low) / max(1e-6, high - low)), shape)
    if matrix.line is not None:
        rows, columns = _dashes(matrix, matrix.line, shape)
        for beside in (0, 1):
            colour[np.minimum(rows + beside, shape[0] - 1), columns] = _LINE
    return colour


def _dashes(
    matrix: Matrix, line: SliceLine, shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the pixels of a dashed line, over a matrix drawn in `shape`."""
    ours, theirs = matrix.a.position_mm, matrix.b.position_mm
    x = np.linspace(ours[0], ours[-1], 4 * max(shape))
    y = line.signed_slope * x + line.offset_mm
    # slice i lies in the middle of its own square
    across = (np.interp(x, ours, np.arange(len(ours))) + 0.5) * shape[1] / len(ours)
    up = (np.interp(y, theirs, np.arange(len(theirs))) + 0.5) * shape[0] / len(theirs)
    shown = (y >= theirs[0]) & (y <= theirs[-1]) & ((np.arange(len(x)) // 16) % 3 < 2)
    return (shape[0] - up[shown]).astype(int), across[shown].astype(int)


def _axes_in_words(matrix: Matrix) -> str:
    ours, theirs = (
        f"{_PLANES[2 - track.plane]} {track.index[0]}-{track.index[-1]}"
        for track in (matrix.a, matrix.b)
    )
    return f"right: {ours}, up: {theirs}"


def _scaled(picture: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Scaled to (H, W) without smoothing."""
    rows, columns = (
        ((np.arange(wanted) + 0.5) * n / wanted).astype(int)
        for wanted, n in zip(shape, picture.shape[:2], strict=True)
    )
    return np.ascontiguousarray(picture[np.ix_(rows, columns)])


def _panels(cut: _Cut, scale: float) -> list[Panel]:
    """A slice of a, the same of b, and their difference, at `scale` pixels a mm."""
    shape = tuple(max(1, round(size * scale)) for size in cut.size_mm)
    pictures = _grey(cut.ours), _grey(cut.theirs), _difference(cut.ours, cut.theirs)
    captions = (*cut.captions, "red: second is brighter, blue: darker")
    return [
        Panel(_scaled(picture, shape), caption)
        for picture, caption in zip(pictures, captions, strict=True)
    ]


def _sheet(rows: Sequence[Sequence[Panel]], names: Sequence[str], words: Sequence[str]) -> Any:
    """All panels on one dark sheet, sentences and names above them."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(_LETTER)
    width = _GAP + len(names) * (SIDE + _GAP)
    ruler = ImageDraw.Draw(Image.new("RGB", (1, 1)))

    def fits(text: str, room: int) -> bool:
        return bool(ruler.textlength(text, font=font) <= room)

    head = [line for text in words for line in _wrapped(text, lambda t: fits(t, width - 2 * _GAP))]
    heights = [_ROW + max(len(panel.pixels) for panel in row) + _GAP for row in rows]
    sheet = Image.new("RGB", (width, 2 * _GAP + _ROW * (len(head) + 1) + sum(heights)), _GROUND)
    canvas = ImageDraw.Draw(sheet)
    for number, line in enumerate(head):
        canvas.text((_GAP, _GAP + number * _ROW), line, fill=_LETTERS, font=font)
    top = 2 * _GAP + len(head) * _ROW
    for column, name in enumerate(names):
        title = _shortened(name, lambda t: fits(t, SIDE))
        canvas.text((_GAP + column * (SIDE + _GAP), top), title, fill=_TITLES, font=font)
    top += _ROW
    for row, height in zip(rows, heights, strict=True):
        for column, panel in enumerate(row):
            left = _GAP + column * (SIDE + _GAP)
            caption = _shortened(panel.caption, lambda t: fits(t, SIDE))
            canvas.text((left, top), caption, fill=_LETTERS, font=font)
            sheet.paste(Image.fromarray(panel.pixels), (left, top + _ROW))
        top += height
    return sheet


def _wrapped(text: str, fits: Callable[[str], bool]) -> list[str]:
    """A sentence as lines that fit."""
    lines: list[str] = []
    for word in text.split():
        if lines and fits(f"{lines[-1]} {word}"):
            lines[-1] += f" {word}"
        else:
            lines.append(_shortened(word, fits))
    return lines


def _shortened(text: str, fits: Callable[[str], bool]) -> str:
    """The end of a text that fits, which is what tells cases apart."""
    for start in range(len(text)):
        if fits(shorter := text if not start else f"...{text[start:]}"):
            return shorter
    return ""


def _ending(text: str, columns: int) -> str:
    return _shortened(text, lambda shorter: len(shorter) <= columns)


def _shaded(picture: np.ndarray, rows: int, columns: int) -> list[str]:
    """A picture as lines of characters."""
    values = np.nan_to_num(_scaled(picture, (rows, columns)))
    levels = np.clip(values * len(_SHADES), 0, len(_SHADES) - 1).astype(int)
    return ["".join(_SHADES[level] for level in line) for line in levels]
