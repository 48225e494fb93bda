"""Edits that take parts of a scan away or draw over them, and leave every voxel in its place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dvdup.edits.scan import Done, Scan

_CONTENT = 0.1  # of the range above its low end: darker voxels are background


def ellipse(scan: Scan, share: float, rng: np.random.Generator) -> Done:
    """Fill what is outside an ellipse of each slice, or outside an ellipsoid.

    Semi-axes are `share` of half the box around the content. Half of the masked scans have their
    minimum outside, half their mean.
    """
    of_slices, fill = bool(rng.integers(2)), _fill(scan, rng)
    distance = np.zeros((1, 1, 1))
    for axis, content in enumerate(_content_box(scan)):
        n = scan.values.shape[axis]
        if n > 1 and not (of_slices and axis == scan.across):
            middle, half = (
                (content.start + content.stop - 1) / 2,
                (content.stop - content.start) / 2,
            )
            distance = distance + (_on_axis(np.arange(n) - middle, axis) / (share * half)) ** 2
    values = np.where(distance <= 1, scan.values, np.float32(fill))
    return Done(values, {"fill": fill, "of": "each slice" if of_slices else "the volume"})


def box(scan: Scan, share: float, rng: np.random.Generator) -> Done:
    """Fill what is outside a box, `share` of the box around the content long on each axis."""
    place, fill = rng.random(3), _fill(scan, rng)
    kept = _placed(_content_box(scan), share, place)
    values = np.full_like(scan.values, np.float32(fill))
    values[kept] = scan.values[kept]
    return Done(values, {"fill": fill, "kept": _as_lists(kept)})


def erase(scan: Scan, share: float, rng: np.random.Generator) -> Done:
    """Fill a block: `share` of the box around the content of the scan, anywhere in it."""
    place, fill = rng.random(3), _fill(scan, rng)
    found = _content_box(scan)
    axes = sum(each.stop - each.start > 1 for each in found)
    block = _placed(found, share ** (1 / max(1, axes)), place)
    values = scan.values.copy()
    values[block] = np.float32(fill)
    return Done(values, {"fill": fill, "erased": _as_lists(block)})


def deface(scan: Scan, share: float, rng: np.random.Generator) -> Done:
    """Cut `share` of the body away, from the front and from below, by an oblique plane."""
    degrees = float(rng.uniform(30, 60))
    normal = np.array([0.0, np.cos(np.radians(degrees)), -np.sin(np.radians(degrees))])
    normal *= np.array(scan.values.shape) > 1
    depth = np.zeros((1, 1, 1))
    for axis in (1, 2):
        mm = scan.spacing[axis] * np.arange(scan.values.shape[axis])
        depth = depth + _on_axis(normal[axis] * mm, axis)
    depth = np.broadcast_to(depth, scan.values.shape)
    limit = float(np.quantile(depth[_content(scan)], 1 - share))
    values = np.where(depth > limit, scan.values.min(), scan.values)
    return Done(values, {"degrees": degrees})


def text(scan: Scan, height: float, rng: np.random.Generator) -> Done:
    """Burn words and a marker into every slice, in white; letters `height` of the slice high."""
    corner = int(rng.integers(4))
    shape = [scan.values.shape[axis] for axis in scan.in_plane]
    words = _WORDS[: 1 if height < _FEW_WORDS else None]
    drawn = _drawn(words, max(_SMALLEST, round(height * max(shape))), shape, corner)
    values = scan.values + np.expand_dims(drawn, scan.across) * (
        np.float32(scan.high) - scan.values
    )
    return Done(values, {"corner": corner, "words": list(words)})


_WORDS = ("MILLER A 1951", "0042 L", "R")
_FEW_WORDS = 0.07  # of the slice: smaller letters come alone
_SMALLEST = 6  # pixels; smaller letters cannot be read
_MARGIN = 2  # pixels


def _drawn(words: Sequence[str], size: int, shape: Sequence[int], corner: int) -> np.ndarray:
    """Letters as a slice of 0 to 1, float32: each word in a corner of its own, from `corner` on."""
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.new("L", (shape[0], shape[1]))
    drawing, font = ImageDraw.Draw(picture), ImageFont.load_default(size)
    for number, word in enumerate(words, start=corner):
        right, low = bool(number & 1), bool(number & 2)
        place = (shape[0] - _MARGIN if right else _MARGIN, shape[1] - _MARGIN if low else _MARGIN)
        anchor = ("r" if right else "l") + ("d" if low else "a")
        drawing.text(place, word, fill=255, font=font, anchor=anchor)
    upright = np.asarray(picture, np.float32)[::-1]  # rows of a picture run downwards
    return upright.T / np.float32(255)


def _on_axis(row: np.ndarray, axis: int) -> np.ndarray:
    """Numbers along an axis, ready to broadcast."""
    return np.expand_dims(row, [each for each in range(3) if each != axis])


def _fill(scan: Scan, rng: np.random.Generator) -> float:
    """The minimum or the mean."""
    return float(scan.values.mean() if rng.integers(2) else scan.values.min())


def _content(scan: Scan) -> np.ndarray:
    """Which voxels are brighter than the background: bool (X, Y, Z); all where none is."""
    found: np.ndarray = scan.values > scan.low + _CONTENT * scan.span
    return found if found.any() else np.ones_like(found)


def _content_box(scan: Scan) -> tuple[slice, slice, slice]:
    content = _content(scan)
    ends = [np.flatnonzero(content.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    x, y, z = (slice(int(found[0]), int(found[-1]) + 1) for found in ends)
    return x, y, z


def _placed(outer: Sequence[slice], share: float, place: np.ndarray) -> tuple[slice, slice, slice]:
    """A box in a box: `share` as long on each axis, at `place`, 0 to 1 from end to end."""
    found = []
    for each, at in zip(outer, place.tolist(), strict=True):
        length = each.stop - each.start
        kept = max(1, round(length * share))
        first = each.start + int(at * (length - kept + 1))
        found.append(slice(first, first + kept))
    x, y, z = found
    return x, y, z


def _as_lists(place: Sequence[slice]) -> list[list[int]]:
    return [[each.start, each.stop] for each in place]
