"""2D pictures: PNG and JPEG through Pillow, TIFF (also stacks of pages) through tifffile.

One picture is one case. X runs to the right and Y upwards; 16 bits stay 16 bits; EXIF orientation
and palette are applied; equal red, green and blue are one channel; a constant alpha is dropped.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dvdup.errors import ReadError
from dvdup.readers.axes import (
    MAX_CHANNELS,
    as_volume,
    colour_channels,
    frame_notes,
    picture_axes,
    real_channels,
)
from dvdup.readers.sources import Source, looks_like, peek, reason, require, wrong_format
from dvdup.records import Volume

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")

_PLAIN_MODES = {"L", "I", "F", "I;16", "I;16B", "I;16L", "RGB", "RGBA", "LA"}
_BIG_TIFF = (b"II+\0", b"MM\0+")
_SANE_BYTES = 1 << 30  # a TIFF may leave out empty strips; beyond this it must hold real data
_SANE_RATIO = 4096


def read(source: Source) -> Volume:
    """Read one picture, or one TIFF stack.

    Args:
        source: The file.

    Returns:
        The volume (X, Y, 1), or (X, Y, pages) of a TIFF with several pages; not oriented,
        spacing 1.

    Raises:
        ReadError: If the file is damaged, truncated or no picture.
        PointerError: If the file is a pointer.
    """
    require(source)
    head = peek(source, 512)
    big_tiff = head[:4] in _BIG_TIFF
    if not big_tiff and not looks_like(head).endswith("picture"):
        raise wrong_format(source, "a picture", head)
    try:
        components, colours = _components(source, head)
    except ReadError:
        raise
    except Exception as error:  # decoders raise anything on damaged data
        raise ReadError(
            f"{source.name}: the picture cannot be decoded: {reason(error)}; copy it again"
        ) from error
    channels = colour_channels(components) if colours else components
    notes = frame_notes(len(channels))
    return as_volume(channels, directions=None, spacing=(1.0, 1.0, 1.0), notes=notes)


def _components(source: Source, head: bytes) -> tuple[list[np.ndarray], bool]:
    """The components, each (X, Y) or (X, Y, pages), and whether they are colours and alpha."""
    if head[:2] in (b"II", b"MM"):
        return _tiff_components(source)
    deep_colour = head.startswith(b"\x89PNG") and head[24] == 16 and head[25] != 0
    array = _deep_png(source) if deep_colour else _pillow(source)
    if array.ndim == 2:
        return [picture_axes(array)], True
    return [picture_axes(array[..., c]) for c in range(array.shape[2])], True


def _pillow(source: Source) -> np.ndarray:
    """(rows, columns) or (rows, columns, components), upright, palette applied."""
    from PIL import Image, ImageOps

    with Image.open(source.path, formats=("PNG", "JPEG")) as opened:
        upright: Any = ImageOps.exif_transpose(opened)
        if upright.mode == "1":
            upright = upright.convert("L")
        elif upright.mode == "P":
            upright = upright.convert("RGBA" if "transparency" in upright.info else "RGB")
        elif upright.mode not in _PLAIN_MODES:
            upright = upright.convert("RGB")
        return np.asarray(upright)


def _deep_png(source: Source) -> np.ndarray:
    """A PNG of 16 bits a colour, which Pillow would cut to 8."""
    import SimpleITK as sitk  # noqa: N813, the name everybody knows it by

    return np.asarray(
        sitk.GetArrayFromImage(sitk.ReadImage(str(source.path), imageIO="PNGImageIO"))
    )


def _tiff_components(source: Source) -> tuple[list[np.ndarray], bool]:
    """As `_components`; spectral channels, which have an axis of their own, are no colours."""
    import tifffile

    with tifffile.TiffFile(source.path) as tiff:
        series = tiff.series[0]
        page = series.keyframe
        wanted = math.prod(series.shape) * series.dtype.itemsize
        if wanted > max(_SANE_BYTES, _SANE_RATIO * source.path.stat().st_size):
            raise ReadError(
                f"{source.name}: truncated: its header promises {wanted:,} bytes; copy it again"
            )
        array = np.asarray(series.asarray())
        axes, palette = series.axes, page.colormap
        inverted = int(page.photometric) == 0
        turn = int(page.tags.valueof(274, 1))
    if palette is not None:
        array, axes = _painted(array, palette), axes + "S"
    array = real_channels(array, source.name)[0][0]
    if inverted and array.dtype.kind == "u":
        array = np.iinfo(array.dtype).max - array
    letter = next((a for a in "SC" if a in axes and array.shape[axes.index(a)] <= MAX_CHANNELS), "")
    parts = list(np.moveaxis(array, axes.index(letter), 0)) if letter else [array]
    colours = letter == "S" and len(parts) <= 4
    return [_pages(part, turn, source.name) for part in parts], colours


def _painted(indices: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """Colours (..., 3) of palette indices; 8 bit where the palette has no more."""
    colours = np.asarray(palette).T
    if not (colours % 257).any():
        colours = (colours // 257).astype(np.uint8)
    return np.asarray(colours[indices])


def _pages(array: np.ndarray, turn: int, name: str) -> np.ndarray:
    """(..., rows, columns) to (X, Y) or (X, Y, pages), upright."""
    while array.ndim > 3 and 1 in array.shape[:-2]:
        array = array.squeeze(axis=array.shape.index(1))
    if array.ndim > 3 or array.ndim < 2:
        raise ReadError(f"{name}: a TIFF of shape {array.shape} is no picture or stack; exclude it")
    upright = _turned(np.moveaxis(array, (-2, -1), (0, 1)), turn)
    return upright[::-1].swapaxes(0, 1)


def _turned(picture: np.ndarray, turn: int) -> np.ndarray:
    """Apply a TIFF orientation (1 to 8) to (rows, columns, ...)."""
    if turn in (5, 6, 7, 8):
        picture = picture.swapaxes(0, 1)
    if turn in (3, 4, 7, 8):
        picture = picture[::-1]
    if turn in (2, 3, 6, 7):
        picture = picture[:, ::-1]
    return picture
