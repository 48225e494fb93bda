"""Arrays that are pictures: which ones are, and how to read them as the same picture in a PNG.

An array does not say whether three planes are red, green and blue or three slices. It is taken for
a colour picture if its first or last axis is 3 or 4, both other sides are 16 or more, and its
values are those of a picture, more than two, from 0 to 255 or from 0 to 1; of four planes the last
must look like alpha. Each plane is a channel then, so that nothing is lost if they are slices after
all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvdup.readers.axes import colour_channels, picture_axes

IN_COLOUR = "read as a colour picture, not as slices"
"""What the note on a colour picture ends with."""

_SHORTEST = 16  # side of a picture; what is smaller may be anything
_EXTREME = 0.9  # share of the pixels of an alpha that are fully opaque or fully transparent
_OPAQUE = 0.1  # share of them that are opaque: a contrast of a scan has its highest value rarely
_ROUNDING = 1e-3  # grey levels: how far from a whole one a value that was divided by 255 may be


@dataclass(frozen=True, slots=True, eq=False)
class ArrayPicture:
    """An array read as a picture."""

    channels: tuple[np.ndarray, ...]
    """Each (X, Y)."""
    notes: tuple[str, ...] = ()


def as_picture(array: np.ndarray) -> ArrayPicture | None:
    """Read an array as a picture, if it is one.

    Args:
        array: Real, of two or three axes.

    Returns:
        Its channels as `pictures` gives them, grey levels that were divided by 255 as whole ones;
        None if it is taken for a volume.
    """
    if array.ndim == 2:
        return ArrayPicture((picture_axes(_whole_levels(array)),))
    axis = _plane_axis(array)
    if axis is None:
        return None
    planes = list(np.moveaxis(_whole_levels(array), axis, 0))
    if len(planes) == 1:
        return ArrayPicture((picture_axes(planes[0]),))
    channels = tuple(picture_axes(plane) for plane in colour_channels(planes))
    shape = " x ".join(map(str, array.shape))
    return ArrayPicture(channels, (f"array of {shape} {IN_COLOUR}",))


def slices_note(array: np.ndarray) -> list[str]:
    """What to say about a volume of as few planes as a colour picture has."""
    few = [n for n in (array.shape[0], array.shape[-1]) if n in (3, 4)]
    others = sorted(array.shape)[1:]
    if array.ndim != 3 or not few or min(others) < _SHORTEST:
        return []
    return [
        f"array of {' x '.join(map(str, array.shape))} read as {few[-1]} slices, not as colours"
    ]


def _plane_axis(array: np.ndarray) -> int | None:
    """The axis of the colours, or of 1 that a grey picture has there; None for a volume."""
    sides = {0: array.shape[1:], -1: array.shape[:-1]}
    for axis in (-1, 0):
        if min(sides[axis]) < _SHORTEST or array.shape[axis] not in (1, 3, 4):
            continue
        planes = np.moveaxis(array, axis, 0)
        if len(planes) == 1 and axis == 0:  # rows behind one another, also of a single slice
            return axis
        if _has_picture_values(array) and (len(planes) < 4 or _is_alpha(planes[3], array)):
            return axis
    return None


def _has_picture_values(array: np.ndarray) -> bool:
    """Whether all values lie from 0 to 255, more than two of them."""
    if array.dtype.kind not in "uif" or not array.size:
        return False
    low, high = array.min(), array.max()  # NaN makes both NaN, and the comparison false
    return bool(low >= 0 and high <= 255 and ((array != low) & (array != high)).any())


def _is_alpha(plane: np.ndarray, array: np.ndarray) -> bool:
    """Whether a plane is opacity: constant, or hardly anything between nothing and everything."""
    opaque = np.count_nonzero(plane == (255 if array.max() > 1 else 1))
    extreme = opaque + np.count_nonzero(plane == 0)
    if (plane == plane.flat[0]).all():
        return True
    return bool(opaque >= _OPAQUE * plane.size and extreme >= _EXTREME * plane.size)


def _whole_levels(array: np.ndarray) -> np.ndarray:
    """uint8 grey levels of a picture whose values are whole ones, or whole 255ths from 0 to 1."""
    if array.dtype.kind != "f" or array.dtype.itemsize < 4 or not array.size:
        return array
    low, high = array.min(), array.max()
    if not (low >= 0 and high <= 1) or not ((array > 0) & (array < 1)).any():
        return array
    levels = array.astype(np.float64) * 255
    whole = np.rint(levels)
    return whole.astype(np.uint8) if np.abs(levels - whole).max() <= _ROUNDING else array
