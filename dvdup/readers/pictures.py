"""2D pictures: TIFF (also stacks of pages) through tifffile, what it cannot and others by Pillow.

One picture is one case. X runs to the right and Y upwards; 16 bits stay 16 bits; EXIF orientation
and palette are applied; equal red, green and blue are one channel; a constant alpha is dropped.
Pages of a TIFF and frames of an animation are slices. All of it is decoded in a child process.
"""

from __future__ import annotations

import dataclasses
import math
import re
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dvdup.errors import ReadError
from dvdup.readers import isolation, limits
from dvdup.readers.axes import (
    MAX_CHANNELS,
    as_volume,
    colour_channels,
    real_channels,
)
from dvdup.readers.sources import Source, looks_like, peek, reason, require, wrong_format
from dvdup.readers.thumbnails import is_thumbnail, may_be_thumbnail
from dvdup.readers.tiff_chain import count_pages
from dvdup.records import Volume

SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".webp", ".gif", ".bmp"),
    *(".jp2", ".jpx", ".j2k", ".ppm", ".pgm", ".pbm", ".pnm"),
)

_PLAIN_MODES = {"L", "I", "F", "I;16", "I;16B", "I;16L", "RGB", "RGBA", "LA"}
_BIG_TIFF = (b"II+\0", b"MM\0+")
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "JPEG2000", "PPM")
_PNG = b"\x89PNG\r\n\x1a\n"
_SHORT_MAGIC = re.compile(rb"BM|P[1-6]\s")  # too short to tell it from text by itself
_REDUCED, _MASK = 1, 4  # bits of NewSubfileType: a smaller copy, a mask of another page


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
    size = require(source)
    head = peek(source, 512)
    known = looks_like(head).endswith("picture") or head[:4] in _BIG_TIFF
    if not known and not _SHORT_MAGIC.match(head):
        raise wrong_format(source, "a picture", head)
    picture: Picture = isolation.call(
        "dvdup.readers.pictures:decode",
        *(str(source.path), source.name),
        name=source.name,
        stored=size,
    )
    channels = list(picture.components)
    if picture.colours:
        channels = colour_channels(channels)
    return as_volume(channels, directions=None, spacing=(1.0, 1.0, 1.0), notes=picture.notes)


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture or stack as decoded."""

    components: tuple[np.ndarray, ...]
    """Each (X, Y) or (X, Y, pages)."""
    colours: bool
    """Whether they are colours and alpha."""
    notes: tuple[str, ...] = ()


def decode(path: str, name: str) -> Picture:
    """Decode a picture; runs in a child process.

    Args:
        path: The file.
        name: What messages call it.

    Raises:
        ReadError: If it is damaged, truncated, too big or of several pictures.
    """
    source = Source(Path(path), name)
    try:
        picture = _decode(source, peek(source, 512))
    except ReadError:
        raise
    except MemoryError:
        raise
    except Exception as error:  # decoders raise anything on damaged data
        raise ReadError(
            f"{name}: the picture cannot be decoded: {reason(error)}; copy it again, or exclude it"
        ) from error
    packed = tuple(np.asfortranarray(part) for part in picture.components)
    return dataclasses.replace(picture, components=packed)


def _decode(source: Source, head: bytes) -> Picture:
    if head[:2] in (b"II", b"MM"):
        return _tiff(source)
    if head.startswith(_PNG):
        _check_png(source)
    deep_colour = head.startswith(b"\x89PNG") and head[24] == 16 and head[25] != 0
    if not deep_colour:
        return _pillow(source, _FORMATS)
    width, height = struct.unpack(">II", head[16:24])
    limits.check(source.name, width * height * 8, source.path.stat().st_size)
    array = _deep_png(source)
    return Picture(_laid_out(array, array.ndim == 3), True)


def _check_png(source: Source) -> None:
    """Every chunk up to the last one with its checksum: Pillow stops at the last row."""
    with source.path.open("rb") as stream:
        stream.seek(len(_PNG))
        kind = b""
        while kind != b"IEND":
            length, kind = struct.unpack(">I4s", stream.read(8).ljust(8, b"\0"))
            checksum, left = zlib.crc32(kind), length
            while left and (piece := stream.read(min(left, 1 << 20))):
                checksum, left = zlib.crc32(piece, checksum), left - len(piece)
            if left or stream.read(4) != struct.pack(">I", checksum):
                raise ReadError(
                    f"{source.name}: damaged or truncated: a part of the PNG does not have its "
                    "checksum; copy it again"
                )


def _pillow(
    source: Source, formats: tuple[str, ...], pages: Sequence[int] | None = None
) -> Picture:
    """A picture or, of `pages` or an animation, a stack, upright, palette applied."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None  # bounded below; this process does nothing else
    size = source.path.stat().st_size
    with Image.open(source.path, formats=formats) as opened:
        if pages is None:
            count = 1 if opened.format in ("JPEG", "MPO") else getattr(opened, "n_frames", 1)
            pages = range(count)
        one = opened.width * opened.height * max(1, len(opened.getbands()))
        limits.check(source.name, one * len(pages) * (4 if opened.mode in "IF" else 1), size)
        frames = [_upright(opened, page) for page in pages]
    if len({frame.shape[2:] for frame in frames}) > 1:
        frames = [_as_colours(frame) for frame in frames]
    if len({frame.shape for frame in frames}) > 1:
        raise _several(source, [frame.shape for frame in frames])
    array = frames[0] if len(frames) == 1 else np.stack(frames)
    return Picture(_laid_out(array, frames[0].ndim == 3), True)


def _upright(opened: Any, page: int) -> np.ndarray:
    """One frame: (rows, columns) or (rows, columns, components)."""
    from PIL import ImageOps

    if page:
        opened.seek(page)
    upright: Any = ImageOps.exif_transpose(opened)
    if upright.mode == "1":
        upright = upright.convert("L")
    elif upright.mode == "P":
        upright = upright.convert("RGBA" if "transparency" in upright.info else "RGB")
    elif upright.mode not in _PLAIN_MODES:
        upright = upright.convert("RGB")
    return np.array(upright)


def _as_colours(frame: np.ndarray) -> np.ndarray:
    """Red, green and blue; frames of an animation may differ in what they hold."""
    return frame[..., :3] if frame.ndim == 3 else np.dstack([frame] * 3)


def _laid_out(array: np.ndarray, has_components: bool) -> tuple[np.ndarray, ...]:
    """([pages,] rows, columns[, components]) to components of (X, Y[, pages])."""
    parts = list(np.moveaxis(array, -1, 0)) if has_components else [array]
    return tuple(np.moveaxis(part, (-2, -1), (0, 1))[::-1].swapaxes(0, 1) for part in parts)


def _deep_png(source: Source) -> np.ndarray:
    """A PNG of 16 bits a colour, which Pillow would cut to 8."""
    import SimpleITK as sitk  # noqa: N813, the name everybody knows it by

    return np.asarray(
        sitk.GetArrayFromImage(sitk.ReadImage(str(source.path), imageIO="PNGImageIO"))
    )


def _tiff(source: Source) -> Picture:
    """Spectral channels, which have an axis of their own, are no colours."""
    import tifffile

    try:
        count = count_pages(source.path)
    except ValueError as error:
        raise ReadError(f"{source.name}: truncated or damaged: {error}; copy it again") from error
    # the files that an OME header names beside this one are cases of their own
    with tifffile.TiffFile(source.path, _multifile=False) as tiff:
        pages = [tiff.pages[i] for i in range(len(tiff.pages))]
        if len(pages) != count:
            raise ReadError(f"{source.name}: damaged: only {len(pages)} of {count} pages are read")
        full = [i for i, page in enumerate(pages) if not page.subfiletype & (_REDUCED | _MASK)]
        full = full or list(range(count))
        _check_strips(source, [pages[i] for i in full])
        notes: tuple[str, ...] = ()
        if len(full) < count:
            notes = (f"{count - len(full)} reduced or mask pages are left out",)
        opened = _Tiff(source, tiff, pages)
        thumbnails = _thumbnails(opened, full)
        if thumbnails:
            full = [i for i in full if i not in thumbnails]
            notes += (f"thumbnails of other pages are left out ({len(thumbnails)})",)
        picture = _joined(source, [_of_pages(opened, group) for group in _images(opened, full)])
    return dataclasses.replace(picture, notes=notes + picture.notes)


@dataclass(frozen=True, slots=True, eq=False)
class _Tiff:
    """A TIFF that is open."""

    source: Source
    file: Any
    """The tifffile.TiffFile."""
    pages: Sequence[Any]
    """All of its pages."""


def _images(tiff: _Tiff, full: Sequence[int]) -> list[Sequence[int]]:
    """The pages of each image: of an OME-TIFF with several ones, else all pages are slices."""
    if not tiff.file.is_ome:
        return [full]
    images = [[page.index for page in one.pages if page is not None] for one in tiff.file.series]
    images = [[i for i in image if i in full] for image in images]
    named = [image for image in images if image]
    return [*named] if sorted(i for image in named for i in image) == list(full) else [full]


def _joined(source: Source, pictures: Sequence[Picture]) -> Picture:
    """One picture, or several of one size as channels."""
    if len(pictures) == 1:
        return pictures[0]
    shapes = [picture.components[0].shape for picture in pictures]
    if len(set(shapes)) > 1:
        raise _several(source, [(*shape[1::-1], *shape[2:]) for shape in shapes])
    channels: list[np.ndarray] = []
    for picture in pictures:
        parts = list(picture.components)
        channels += colour_channels(parts) if picture.colours else parts
    note = f"OME-TIFF of {len(pictures)} images: each is a channel"
    return Picture(tuple(channels), False, (note,))


def _thumbnails(tiff: _Tiff, full: Sequence[int]) -> set[int]:
    """The pages that are small copies of another one, although nothing marks them."""
    sizes = {i: (tiff.pages[i].imagelength, tiff.pages[i].imagewidth) for i in full}
    found = set()
    for small in full if len(set(sizes.values())) > 1 else ():
        bigger = [i for i in full if may_be_thumbnail(sizes[small], sizes[i])]
        if bigger and any(is_thumbnail(_grey(tiff, small), _grey(tiff, i)) for i in bigger):
            found.add(small)
    return found


def _grey(tiff: _Tiff, page: int) -> np.ndarray:
    """One page without its colours, (X, Y)."""
    parts = [part.reshape(part.shape[:2]) for part in _of_pages(tiff, [page]).components]
    return np.asarray(np.mean(parts, axis=0))


def _of_pages(tiff: _Tiff, numbers: Sequence[int]) -> Picture:
    """The picture or stack that some pages are."""
    try:
        array, axes = _voxels(tiff, [tiff.pages[i] for i in numbers])
    except ValueError as error:
        if not any(words in str(error) for words in ("'imagecodecs'", "not supported")):
            raise
        return _by_pillow(tiff.source, tiff.pages[numbers[0]], numbers)
    return _arranged(array, axes, tiff.pages[numbers[0]], tiff.source.name)


def _by_pillow(source: Source, page: Any, numbers: Sequence[int]) -> Picture:
    """A TIFF with a compression that tifffile leaves to a package that is not needed otherwise."""
    try:
        return _pillow(source, ("TIFF",), numbers)
    except (OSError, ValueError, SyntaxError) as error:
        how = getattr(page.compression, "name", str(page.compression))
        raise ReadError(
            f"{source.name}: dvdup cannot decode this TIFF (compression {how}: {reason(error)}); "
            "save it uncompressed or as PNG, or exclude it"
        ) from error


def _voxels(tiff: _Tiff, pages: Sequence[Any]) -> tuple[np.ndarray, str]:
    """The voxels of some pages, and a letter for each of their axes."""
    stored = tiff.source.path.stat().st_size
    one = _series_of(tiff, pages)
    if one is not None:
        limits.check(tiff.source.name, math.prod(one.shape) * one.dtype.itemsize, stored)
        return np.asarray(one.asarray()), one.axes
    forms = [(page.shape, page.dtype, page.photometric, page.axes) for page in pages]
    if len(set(forms)) > 1:
        raise _several(tiff.source, [page.shape for page in pages])
    limits.check(tiff.source.name, sum(page.nbytes for page in pages), stored)
    return np.stack([page.asarray() for page in pages]), "Q" + pages[0].axes


def _series_of(tiff: _Tiff, pages: Sequence[Any]) -> Any:
    """The series that consists of these pages, if there is one; its axes have names."""
    for one in tiff.file.series:
        whole = all(page is not None for page in one.pages)
        if whole and one.keyframe.index == pages[0].index and len(one.pages) == len(pages):
            return one
    return None


def _several(source: Source, shapes: Sequence[tuple[int, ...]]) -> ReadError:
    sizes = dict.fromkeys(" x ".join(map(str, shape[1::-1])) for shape in shapes)
    shown = ", ".join(list(sizes)[:4])
    return ReadError(
        f"{source.name}: holds {len(shapes)} pictures of different sizes or kinds ({shown}); save "
        "each in a file of its own"
    )


def _check_strips(source: Source, pages: Sequence[Any]) -> None:
    """Every strip or tile lies in the file: decoders fill in what is missing."""
    size = source.path.stat().st_size
    for number, page in enumerate(pages, 1):
        strips = list(zip(page.dataoffsets, page.databytecounts, strict=False))
        missing = not strips or any(n < 1 or place + n > size for place, n in strips)
        short = int(page.compression) == 1 and sum(page.databytecounts) < page.nbytes
        if missing or short:
            raise ReadError(
                f"{source.name}: truncated: voxels of page {number} of {len(pages)} are missing; "
                "copy it again"
            )


def _arranged(array: np.ndarray, axes: str, page: Any, name: str) -> Picture:
    palette, turn = page.colormap, int(page.tags.valueof(274, 1))
    if palette is not None:
        array, axes = _painted(array, palette), axes + "S"
    array = real_channels(array, name)[0][0]
    if int(page.photometric) == 0 and array.dtype.kind == "u":
        array = np.iinfo(array.dtype).max - array
    letter = next((a for a in "SC" if a in axes and array.shape[axes.index(a)] <= MAX_CHANNELS), "")
    parts = list(np.moveaxis(array, axes.index(letter), 0)) if letter else [array]
    colours = letter == "S" and len(parts) <= 4
    return Picture(tuple(_pages(part, turn, name) for part in parts), colours)


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
