"""NumPy arrays: .npy and .npz.

They carry no orientation and no spacing: a 3D array is taken in array order, a 2D array is a
picture (rows, columns), some of 3D are colour pictures (`array_pictures` says which), and of a 4D
array the leading or trailing axis of up to 8 is channels. What looks like many cases (`many_cases`)
is refused; declared as such it is read by `array_rows`.
Pickled objects are never loaded. Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

from __future__ import annotations

import io
import math
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from dvdup.errors import ReadError
from dvdup.readers import limits
from dvdup.readers.array_pictures import as_picture, slices_note
from dvdup.readers.axes import MAX_CHANNELS, as_volume, real_channels
from dvdup.readers.many_cases import LABELS_BESIDE, SPLITS, Shape, may_have_labels, why_many
from dvdup.readers.masks import is_mask
from dvdup.readers.sources import Source, peek, reason, require, truncated, wrong_format
from dvdup.records import Volume

SUFFIXES = (".npy", ".npz")

_IMAGE_KEYS = ("image", "img", "images", "volume", "vol", "data", "arr_0", "x", "scan", "ct", "mr")
_ROWS = " name the file in dataset.arrays if each of its rows is a case"
_HEAD_BYTES = 1 << 16
_PICTURE = 8  # a picture has at least two sides as long


@dataclass(frozen=True, slots=True)
class Header:
    """What a stored array says of itself."""

    shape: Shape
    fortran: bool
    start: int
    """Where its values begin."""
    stored: int
    """Bytes that it takes in the file."""

    @property
    def sides(self) -> tuple[int, ...]:
        """Its shape."""
        return self.shape.sides

    @property
    def nbytes(self) -> int:
        """Bytes that its values take in memory."""
        return math.prod(self.sides) * self.shape.dtype.itemsize


def read(source: Source) -> Volume:
    """Read one .npy or .npz file.

    Args:
        source: The file.

    Returns:
        The volume, not oriented, spacing 1.

    Raises:
        ReadError: If the file is damaged, holds objects, holds no array that is clearly the
            image, or seems to hold many cases.
        PointerError: If the file is a pointer.
    """
    with damage_told(source):
        if why := why_it_seems_many(source):
            raise seems_many(source.name, why)
    return read_one(source)


def why_it_seems_many(source: Source) -> str:
    """Why a file seems to hold many cases, "" if it is one scan.

    Raises:
        ReadError: Its headers cannot be read.
    """
    shapes = {key: header.shape for key, header in headers(source).items()}
    stem = os.path.splitext(os.path.basename(source.name))[0]
    if stem.lower() in SPLITS and _other_splits(source, stem):
        return "is named as a split, beside one of another split"
    if not is_archive(source) and may_have_labels(stem):
        shapes = {stem: shapes[""], **_labels_beside(source)}
    return why_many(shapes, stem)


def _other_splits(source: Source, stem: str) -> bool:
    """Whether train.npy lies beside test.npy."""
    names = (name + suffix for name in SPLITS for suffix in SUFFIXES if name != stem.lower())
    return any(source.path.with_name(name).is_file() for name in names)


def _labels_beside(source: Source) -> dict[str, Shape]:
    found = {}
    for name in LABELS_BESIDE:
        path = source.path.with_name(f"{name}.npy")
        if path.is_file():
            with suppress(ReadError, ValueError, OSError):
                found[name] = headers(source.sibling(path))[""].shape
    return found


def read_one(source: Source) -> Volume:
    """As `read`, for a file that is declared to be one scan."""
    with damage_told(source):
        found = headers(source)
        if is_archive(source):
            first = _image_key({key: header.sides for key, header in found.items()}, source.name)
            keys = [first, *(k for k in sorted(found) if k != first and _may_be_image(found[k]))]
        else:
            keys = [""]
        arrays = {key: whole(source, key, found[key]) for key in keys}
    first, *others = arrays
    channels, notes = _channels(arrays[first], source.name)
    for key in others:
        channels += _beside(channels[0].shape, key, arrays[key], source.name)
    return as_volume(channels, directions=None, spacing=(1.0, 1.0, 1.0), notes=notes)


def volume_of(array: np.ndarray, name: str) -> Volume:
    """The volume of one array, read elsewhere.

    Raises:
        ReadError: It holds no voxels, or its axes say nothing.
    """
    channels, notes = _channels(array, name)
    return as_volume(channels, directions=None, spacing=(1.0, 1.0, 1.0), notes=notes)


def seems_many(name: str, why: str) -> ReadError:
    """The error for a file that is not declared to hold many cases and seems to."""
    return ReadError(
        f"{name}: {why}, and a file is one scan unless it is declared; name it in dataset.arrays, "
        f'as arrays = ["{name}"], and each row is a case; if it is one scan, name it there as '
        f'"!{name}"; or save each picture in its own file'
    )


@contextmanager
def damage_told(source: Source) -> Iterator[None]:
    """Make sure that a file is there, and turn what its damage raises into a `ReadError`."""
    require(source)
    try:
        yield
    except ReadError:
        raise
    except Exception as error:  # zlib, zipfile, tokenize and numpy raise anything on damaged data
        raise ReadError(
            f"{source.name}: the array cannot be read: {reason(error)}; save it again"
        ) from error


def is_archive(source: Source) -> bool:
    """Whether a file is an .npz, by its name."""
    return source.path.name.lower().endswith(".npz")


def headers(source: Source) -> dict[str, Header]:
    """The headers of all arrays of a file by key, which is "" in an .npy.

    Raises:
        ReadError: The file is something else, or one of them holds objects or is cut off.
    """
    if not is_archive(source):
        head = peek(source, _HEAD_BYTES)
        if not head.startswith(b"\x93NUMPY"):
            raise wrong_format(source, "a NumPy array", head[:512])
        size = source.path.stat().st_size
        return {"": _header(source, io.BytesIO(head), size, size)}
    head = peek(source, 512)
    if not head.startswith(b"PK"):
        raise wrong_format(source, "a NumPy .npz archive", head)
    found = {}
    with zipfile.ZipFile(source.path) as archive:
        for info in archive.infolist():
            if info.filename.endswith(".npy"):
                with archive.open(info) as stream:
                    found[info.filename[:-4]] = _header(
                        source, stream, info.file_size, info.compress_size
                    )
    return found


def whole(source: Source, key: str, header: Header) -> np.ndarray:
    """One array of a file, all of it.

    Raises:
        ReadError: It would take too much memory.
    """
    limits.check(source.name, header.nbytes, header.stored)
    if not is_archive(source):
        with source.path.open("rb") as stream:
            return np.asarray(np.lib.format.read_array(stream, allow_pickle=False))
    with zipfile.ZipFile(source.path) as archive, archive.open(f"{key}.npy") as member:
        return np.asarray(np.lib.format.read_array(member, allow_pickle=False))


def _header(source: Source, stream: IO[bytes], size: int, stored: int) -> Header:
    """Read the header of an array, refuse objects and more voxels than the file can hold."""
    head = io.BytesIO(stream.read(min(size, _HEAD_BYTES)))
    version = np.lib.format.read_magic(head)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(head)
    else:  # 2.0; 3.0 differs in the encoding of field names only
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(head)
    if dtype.hasobject:
        raise ReadError(f"{source.name}: holds Python objects, not voxels; save a plain array")
    if min(shape, default=0) < 0:
        raise ReadError(
            f"{source.name}: damaged: its header has a side of {min(shape)}; replace it"
        )
    header = Header(Shape(tuple(int(n) for n in shape), dtype), fortran, head.tell(), stored)
    if header.nbytes > size - head.tell():
        raise truncated(source, header.nbytes, size - head.tell())
    return header


def _image_key(shapes: Mapping[str, tuple[int, ...]], name: str) -> str:
    """The array that is the image: the only one, the only volume, or one with a usual name."""
    if not shapes:
        raise ReadError(f"{name}: holds no arrays; exclude it")
    volumes = [key for key, shape in shapes.items() if 2 <= len(_squeezed(shape)) <= 4]
    if len(volumes) == 1:
        return volumes[0]
    for usual in _IMAGE_KEYS:
        for key in volumes:
            if key.lower() == usual:
                return key
    listed = ", ".join(sorted(shapes))
    raise ReadError(f"{name}: which array is the image? It holds {listed}; name it `image`")


def _may_be_image(header: Header) -> bool:
    """Whether an array beside the image is a picture, not a matrix, a spacing or a list."""
    return sum(side >= _PICTURE for side in header.sides) >= 2


def _beside(shape: tuple[int, ...], key: str, array: np.ndarray, name: str) -> list[np.ndarray]:
    """The channels of an array beside the image, none for label maps.

    Raises:
        ReadError: It is an image of another size, so that nobody knows which one is the scan.
    """
    if array.dtype.kind not in "biufc":
        return []
    channels, _ = _channels(array, name)
    if all(is_mask(channel.reshape(_three_axes(channel.shape))) for channel in channels):
        return []
    if channels[0].shape != shape:
        raise ReadError(
            f"{name}: holds an image of {shape} voxels and {key} of {channels[0].shape}, and a "
            "file is one scan; save each in a file of its own"
        )
    return channels


def _three_axes(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (*shape, 1, 1)[:3]


def _channels(array: np.ndarray, name: str) -> tuple[list[np.ndarray], list[str]]:
    if array.size == 0 or array.ndim == 0:
        raise ReadError(f"{name}: holds no voxels (shape {array.shape}); exclude it")
    parts, notes = real_channels(array, name)
    if len(parts) > 1:
        return parts, notes
    array = parts[0]
    if array.ndim > 3:
        array = array.reshape(_squeezed(array.shape, keep=3))
    picture = as_picture(array) if array.ndim in (2, 3) else None
    if picture is not None:
        return list(picture.channels), [*notes, *picture.notes]
    if array.ndim < 4:
        return [array], notes + slices_note(array)
    if array.ndim > 4:
        raise ReadError(
            f"{name}: has {array.ndim} axes {array.shape}; save volumes of 3 or 4, or{_ROWS}"
        )
    axis = _channel_axis(array.shape, name)
    return list(np.moveaxis(array, axis, 0)), notes


def _channel_axis(shape: tuple[int, ...], name: str) -> int:
    first, last = shape[0], shape[-1]
    if min(first, last) > MAX_CHANNELS:
        raise ReadError(
            f"{name}: which axis of {shape} is channels? Save up to {MAX_CHANNELS} channels first "
            f"or last, or{_ROWS}"
        )
    return 0 if first <= last else -1


def _squeezed(shape: tuple[int, ...], keep: int = 2) -> tuple[int, ...]:
    """The shape without axes of 1, but never below `keep` axes."""
    sides: list[Any] = list(shape)
    while len(sides) > keep and 1 in sides:
        sides.remove(1)
    return tuple(sides)
