"""Siemens mosaics: the slices of a volume as tiles of one DICOM picture, row by row from the top.

How many there are stands in private headers: that of the CSA image header, which also says in which
direction the slices follow one another, or (0019,100A). Described in nibabel's `dicom_mosaic`,
https://nipy.org/nibabel/dicom/dicom_mosaic.html, and `siemens_csa`.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from dvdup.errors import ReadError
from dvdup.readers.dicom_frames import Frame, Stack, check_orientation
from dvdup.readers.dicom_series import read_header
from dvdup.readers.sources import Source, reason

_BLOCKS = (0x10, 0x11, 0x12)  # where a private block is looked for
_CSA, _MR = "SIEMENS CSA HEADER", "SIEMENS MR HEADER"
_PRIVATE_TAGS: list[str | int] = [
    "Rows",  # by which an image without a preamble is known
    *(group << 16 | block for group in (0x0019, 0x0029) for block in _BLOCKS),
    *(0x00190000 | block << 8 | 0x0A for block in _BLOCKS),
    *(0x00290000 | block << 8 | 0x10 for block in _BLOCKS),
]
_MOST_TILES = 4096
_CSA_BYTES = 1 << 20  # a CSA header has some 10 kB
_PARALLEL = 0.9  # cosine with the normal of the picture


@dataclass(frozen=True, slots=True)
class Mosaic:
    """How one picture is cut into slices."""

    count: int
    """Number of slices; the last tiles may be empty."""
    side: int
    """Tiles along a row and along a column."""
    normal: tuple[float, ...] | None
    """LPS direction in which the slices follow one another; None if the file does not say."""


def mosaic_of(source: Source, header: Any) -> Mosaic | None:
    """Find out whether a file is a mosaic.

    Args:
        source: The file.
        header: Its pydicom dataset, with ImageType, Rows, Columns and NumberOfFrames.

    Returns:
        How it is cut; None for any other image.

    Raises:
        ReadError: It is a mosaic of which nobody knows how to cut it.
    """
    kind = header.get("ImageType") or ()
    words = [kind] if isinstance(kind, str) else [str(word) for word in kind]
    if "MOSAIC" not in words or str(header.get("NumberOfFrames") or 1) != "1":
        return None
    count, normal = _count_and_normal(source)
    side = math.isqrt(max(count - 1, 0)) + 1
    rows, columns = int(header.Rows), int(header.Columns)
    if not 1 <= count <= _MOST_TILES or rows % side or columns % side or not min(rows, columns):
        raise ReadError(
            f"{source.name}: a Siemens mosaic of {count} slices, into which its {columns} x {rows} "
            "pixels cannot be cut; convert the series with dcm2niix, or exclude it"
        )
    return Mosaic(count, side, normal)


def mosaic_stacks(
    frames: Sequence[Frame], mosaics: Sequence[Mosaic]
) -> tuple[list[Stack], list[str]]:
    """Each mosaic of a series as a volume of its own, in the order of their numbers.

    Args:
        frames: One for each file.
        mosaics: How these are cut, in the same order.

    Returns:
        Stacks of one frame each, whose slice direction is that of the tiles; notes.

    Raises:
        ReadError: They differ in the number of slices, their direction or their plane.
    """
    first, mosaic = frames[0], mosaics[0]
    for frame, other in zip(frames, mosaics, strict=True):
        if other.count != mosaic.count or _turned(other) != _turned(mosaic):
            raise ReadError(
                f"{frame.source.name}: a Siemens mosaic with other slices than "
                f"{first.source.name} of the same DICOM series; declare them as two cases"
            )
    if all(frame.orientation is not None for frame in frames):
        check_orientation(frames)
    ordered = sorted(frames, key=lambda f: (f.number, f.source.name))
    spacing = (*first.pixel_mm, first.thickness_mm)
    directions, notes = _directions(first, mosaic)
    return [Stack((frame,), directions, spacing) for frame in ordered], notes


def _turned(mosaic: Mosaic) -> tuple[int, ...]:
    """The direction of the slices, rounded: headers differ in the last digits."""
    return () if mosaic.normal is None else tuple(round(10 * number) for number in mosaic.normal)


def _directions(frame: Frame, mosaic: Mosaic) -> tuple[np.ndarray | None, list[str]]:
    """LPS directions of columns, rows and slices, and what is not sure about them."""
    if frame.orientation is None:
        return None, []
    rows, columns = np.reshape(np.asarray(frame.orientation, dtype=np.float64), (2, 3))
    across = np.cross(rows, columns)
    if mosaic.normal is None:
        note = "mosaic without a slice direction: slices are taken along the normal of the picture"
        return np.column_stack([rows, columns, across]), [note]
    along = float(across @ mosaic.normal)
    if abs(along) < _PARALLEL:
        raise ReadError(
            f"{frame.source.name}: the slices of its Siemens mosaic do not follow one another "
            "along the normal of the picture; convert the series with dcm2niix, or exclude it"
        )
    return np.column_stack([rows, columns, np.sign(along) * across]), []


def untiled(pixels: np.ndarray, mosaic: Mosaic) -> np.ndarray:
    """Cut a mosaic into its slices.

    Args:
        pixels: (1, rows, columns) of the whole picture.
        mosaic: How it is cut.

    Returns:
        (slices, rows, columns), without the empty tiles at the end.
    """
    side = mosaic.side
    _, rows, columns = pixels.shape
    tiles = pixels.reshape(side, rows // side, side, columns // side).swapaxes(1, 2)
    return tiles.reshape(side * side, rows // side, columns // side)[: mosaic.count]


def _count_and_normal(source: Source) -> tuple[int, tuple[float, ...] | None]:
    """Number of slices, and their direction if the file says it."""
    private = read_header(source, _PRIVATE_TAGS)
    csa = _value(private, 0x0029, _CSA, 0x10)
    with_count = _value(private, 0x0019, _MR, 0x0A)
    try:
        tags = _csa_tags(csa) if isinstance(csa, bytes) and csa.strip(b"\0 ") else {}
        count = _whole((tags.get("NumberOfImagesInMosaic") or [with_count])[0])
        normal = tuple(float(number) for number in tags.get("SliceNormalVector") or ())
    except Exception as error:  # a private header may hold anything
        raise ReadError(
            f"{source.name}: the private header of its Siemens mosaic is damaged "
            f"({reason(error)}); copy it again, or exclude it"
        ) from error
    if not count:
        raise ReadError(
            f"{source.name}: a Siemens mosaic without the private header that says how many slices "
            "it has; convert the original series with dcm2niix, or exclude it"
        )
    usable = len(normal) == 3 and bool(np.isfinite(normal).all())
    return count, normal if usable else None


def _whole(found: Any) -> int:
    """A number as read; two bytes where implicit VR hides that it is one."""
    return int.from_bytes(found[:2], "little") if isinstance(found, bytes) else int(found or 0)


def _value(header: Any, group: int, creator: str, element: int) -> Any:
    """A private value, None if it is not there; bytes where its type is not known."""
    for block in _BLOCKS:
        owner = header.get((group, block))
        found = header.get((group, block << 8 | element))
        if owner is not None and found is not None and str(owner.value).strip() == creator:
            return found.value
    return None


def _csa_tags(data: bytes) -> dict[str, list[Any]]:
    """The values of a CSA header by name."""
    if len(data) > _CSA_BYTES:
        raise ValueError(f"it has {len(data):,} bytes")
    return {name: tag["items"] for name, tag in _csa_reader()(data)["tags"].items()}


@functools.cache
def _csa_reader() -> Callable[[bytes], Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the package is experimental; this reader is not new
        import nibabel  # noqa: F401  # before its parts, which threads may not import at a time
        from nibabel.nicom import csareader
    return cast(Callable[[bytes], Any], csareader.read)
