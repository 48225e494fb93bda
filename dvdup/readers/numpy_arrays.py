"""NumPy arrays: .npy and .npz.

They carry no orientation and no spacing: a 3D array is taken in array order, a 2D array is a
picture (rows, columns), some of 3D are colour pictures (`array_pictures` says which), and of a 4D
array the leading or trailing axis of up to 8 is channels.
Pickled objects are never loaded. Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

from __future__ import annotations

import io
import math
import os
import re
import zipfile
from typing import IO, Any

import numpy as np

from dvdup.errors import ReadError
from dvdup.readers import limits
from dvdup.readers.array_pictures import as_picture, slices_note
from dvdup.readers.axes import MAX_CHANNELS, as_volume, real_channels
from dvdup.readers.masks import is_mask
from dvdup.readers.sources import Source, peek, reason, require, truncated, wrong_format
from dvdup.records import Volume

SUFFIXES = (".npy", ".npz")

_IMAGE_KEYS = ("image", "img", "images", "volume", "vol", "data", "arr_0", "x", "scan", "ct", "mr")
_SPLIT = "train|training|val|valid|validation|dev|test"
_WHOLE_SPLIT = re.compile(
    rf"(x|images?|imgs?|data)[_-]?({_SPLIT})|({_SPLIT})[_-]?(x|images?|imgs?|data)", re.IGNORECASE
)
_HEAD_BYTES = 1 << 16
_PICTURE = 8  # a picture has at least two sides as long


def read(source: Source) -> Volume:
    """Read one .npy or .npz file.

    Args:
        source: The file.

    Returns:
        The volume, not oriented, spacing 1.

    Raises:
        ReadError: If the file is damaged, holds objects, or holds no array that is clearly the
            image.
        PointerError: If the file is a pointer.
    """
    require(source)
    try:
        packed = source.name.lower().endswith(".npz")
        arrays = _load_npz(source) if packed else {"": _load_npy(source)}
    except ReadError:
        raise
    except Exception as error:  # zlib, zipfile, tokenize and numpy raise anything on damaged data
        raise ReadError(
            f"{source.name}: the array cannot be read: {reason(error)}; save it again"
        ) from error
    stem = os.path.splitext(os.path.basename(source.name))[0]
    first, *others = arrays
    _refuse_whole_split(stem, arrays[first].shape, source.name)
    channels, notes = _channels(arrays[first], source.name)
    for key in others:
        channels += _beside(channels[0].shape, key, arrays[key], source.name)
    return as_volume(channels, directions=None, spacing=(1.0, 1.0, 1.0), notes=notes)


def _load_npy(source: Source) -> np.ndarray:
    head = peek(source, _HEAD_BYTES)
    if not head.startswith(b"\x93NUMPY"):
        raise wrong_format(source, "a NumPy array", head[:512])
    with source.path.open("rb") as stream:
        size = source.path.stat().st_size
        _check_header(source, stream, size, size)
        stream.seek(0)
        return np.asarray(np.lib.format.read_array(stream, allow_pickle=False))


def _load_npz(source: Source) -> dict[str, np.ndarray]:
    """The image and whatever else of the archive could be one, the image first."""
    head = peek(source, 512)
    if not head.startswith(b"PK"):
        raise wrong_format(source, "a NumPy .npz archive", head)
    with zipfile.ZipFile(source.path) as archive:
        shapes: dict[str, tuple[int, ...]] = {}
        for info in archive.infolist():
            if info.filename.endswith(".npy"):
                with archive.open(info) as stream:
                    shapes[info.filename[:-4]] = _check_header(
                        source, stream, info.file_size, info.compress_size
                    )
        first = _image_key(shapes, source.name)
        others = [key for key in sorted(shapes) if key != first and _may_be_image(shapes[key])]
        arrays = {}
        for key in (first, *others):
            with archive.open(f"{key}.npy") as stream:
                arrays[key] = np.asarray(np.lib.format.read_array(stream, allow_pickle=False))
        return arrays


def _check_header(source: Source, stream: IO[bytes], size: int, stored: int) -> tuple[int, ...]:
    """Read the header of an array, refuse objects and more voxels than the file can hold."""
    head = io.BytesIO(stream.read(min(size, _HEAD_BYTES)))
    version = np.lib.format.read_magic(head)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(head)
    else:  # 2.0; 3.0 differs in the encoding of field names only
        shape, _, dtype = np.lib.format.read_array_header_2_0(head)
    if dtype.hasobject:
        raise ReadError(f"{source.name}: holds Python objects, not voxels; save a plain array")
    wanted = math.prod(shape) * dtype.itemsize
    if wanted > size - head.tell():
        raise truncated(source, wanted, size - head.tell())
    limits.check(source.name, wanted, stored)
    return tuple(int(n) for n in shape)


def _image_key(shapes: dict[str, tuple[int, ...]], name: str) -> str:
    """The array that is the image: the only one, the only volume, or one with a usual name."""
    if not shapes:
        raise ReadError(f"{name}: holds no arrays; exclude it")
    for key, shape in shapes.items():
        _refuse_whole_split(key, shape, name)
    volumes = [key for key, shape in shapes.items() if 2 <= len(_squeezed(shape)) <= 4]
    if len(volumes) == 1:
        return volumes[0]
    for usual in _IMAGE_KEYS:
        for key in volumes:
            if key.lower() == usual:
                return key
    listed = ", ".join(sorted(shapes))
    raise ReadError(f"{name}: which array is the image? It holds {listed}; name it `image`")


def _may_be_image(shape: tuple[int, ...]) -> bool:
    """Whether an array beside the image is a picture, not a matrix, a spacing or a list."""
    return sum(side >= _PICTURE for side in shape) >= 2


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


def _refuse_whole_split(what: str, shape: tuple[int, ...], name: str) -> None:
    """An array that is named as all pictures of a split must not pass for one scan."""
    if len(shape) >= 3 and _WHOLE_SPLIT.fullmatch(what):
        raise ReadError(
            f"{name}: {what} is named as all {shape[0]} pictures of a split, and a file is one "
            "scan here; save each picture in its own file, or rename it if it is one scan"
        )


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
        raise ReadError(f"{name}: has {array.ndim} axes {array.shape}; save volumes of 3 or 4")
    axis = _channel_axis(array.shape, name)
    return list(np.moveaxis(array, axis, 0)), notes


def _channel_axis(shape: tuple[int, ...], name: str) -> int:
    first, last = shape[0], shape[-1]
    if min(first, last) > MAX_CHANNELS:
        raise ReadError(
            f"{name}: which axis of {shape} is channels? Save up to {MAX_CHANNELS} channels first "
            "or last"
        )
    return 0 if first <= last else -1


def _squeezed(shape: tuple[int, ...], keep: int = 2) -> tuple[int, ...]:
    """The shape without axes of 1, but never below `keep` axes."""
    sides: list[Any] = list(shape)
    while len(sides) > keep and 1 in sides:
        sides.remove(1)
    return tuple(sides)
