"""A file of arrays read as one scan: .npy, .npz, HDF5 and Zarr.

Arrays carry no orientation and no spacing: a 3D array is taken in array order, a 2D array is a
picture (rows, columns), some of 3D are colour pictures (`array_pictures` says which), and of a 4D
array the leading or trailing axis of up to 8 is channels. Where OME-Zarr names the axes, these
count. What looks like many cases (`many_cases`) is refused; declared as such it is read by
`array_rows`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from dvdup.errors import ReadError
from dvdup.readers import ome_zarr
from dvdup.readers.array_files import (
    CONTAINERS,
    Header,
    Stored,
    damage_told,
    headers,
    refuse,
    stem_of,
    whole,
)
from dvdup.readers.array_pictures import as_picture, slices_note
from dvdup.readers.axes import MAX_CHANNELS, as_volume, real_channels
from dvdup.readers.many_cases import (
    LABELS_BESIDE,
    SPLITS,
    Shape,
    is_label_key,
    may_have_labels,
    why_many,
)
from dvdup.readers.masks import is_mask
from dvdup.readers.sources import Source
from dvdup.records import Volume

_IMAGE_KEYS = ("image", "img", "images", "volume", "vol", "data", "arr_0", "x", "scan", "ct", "mr")
_ROWS = " name the file in dataset.arrays if each of its rows is a case"
_PICTURE = 8  # a picture has at least two sides as long


def read(source: Source) -> Volume:
    """Read one file of arrays.

    Args:
        source: The file, or the folder of a Zarr store.

    Returns:
        The volume, not oriented; spacing 1 unless OME-Zarr says another one.

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
    stem = stem_of(source.name)
    if stem.lower() in SPLITS and _other_splits(source, stem):
        return "is named as a split, beside one of another split"
    found = headers(source)
    shapes = {key: header.shape for key, header in found.items() if not header.axes}
    if "" in shapes and may_have_labels(stem):
        shapes = {stem: shapes[""], **_labels_beside(source)}
    return why_many(shapes, stem)


def _other_splits(source: Source, stem: str) -> bool:
    """Whether train.npy lies beside test.npy."""
    own = source.path.name[len(stem) :]
    names = (name + s for name in SPLITS for s in {*CONTAINERS, own} if name != stem.lower())
    return any(source.path.with_name(name).exists() for name in names)


def _labels_beside(source: Source) -> dict[str, Shape]:
    found = {}
    for name in LABELS_BESIDE:
        for suffix in {".npy": 1, source.path.suffix: 1}:
            beside = source.sibling(source.path.with_name(name + suffix))
            if beside.path.exists():
                with suppress(ReadError, ValueError, OSError, KeyError):
                    found[name] = headers(beside)[""].shape
    return found


def read_one(source: Source) -> Volume:
    """As `read`, for a file that is declared to be one scan."""
    with damage_told(source):
        found = headers(source)
        for key, header in found.items():
            if not is_label_key(key):
                refuse(source, key, header)
        first = "" if "" in found else _image_key(found, source.name)
        is_ome = bool(found[first].axes)  # where labels are known to be no image
        beside = {k: h for k, h in found.items() if k != first}
        others = [k for k, h in beside.items() if _may_be_image(k, h, is_ome=is_ome)]
        scan = whole(source, first, found[first])
        arrays = {key: whole(source, key, found[key]).values for key in others}
    volume = volume_of(scan, found[first], source.name)
    channels = list(volume.channels)
    for key, array in arrays.items():
        channels += _beside(channels[0].shape, key, array, source.name)
    scaling = (*volume.scaling, *[(1.0, 0.0)] * (len(channels) - len(volume.channels)))
    return dataclasses.replace(volume, channels=tuple(channels), scaling=scaling)


def volume_of(stored: Stored, header: Header, name: str) -> Volume:
    """The volume of one array.

    Args:
        stored: All of it, or one row.
        header: What it says of itself.
        name: For messages.

    Raises:
        ReadError: It holds no voxels, or its axes say nothing.
    """
    if len(header.axes) == stored.values.ndim > 0:
        parts, notes = _real(stored.values, name)
        channels = [c for part in parts for c in ome_zarr.channels(part, header.axes)]
        spacing = ome_zarr.spacing(header.axes, header.spacing)
    else:
        channels, notes = _channels(stored.values, name)
        spacing = (1.0, 1.0, 1.0)
    notes = [*notes, *stored.notes]
    return as_volume(channels, directions=None, spacing=spacing, notes=notes)


def seems_many(name: str, why: str) -> ReadError:
    """The error for a file that is not declared to hold many cases and seems to."""
    what = "array" if why.startswith("holds") else "row"
    return ReadError(
        f"{name}: {why}, and a file is one scan unless it is declared; name it in dataset.arrays, "
        f'as arrays = ["{name}"], and each {what} is a case; if it is one scan, name it there as '
        f'"!{name}"; or save each picture in its own file'
    )


def _image_key(found: Mapping[str, Header], name: str) -> str:
    """The array that is the image: the only one, the only volume, or one with a usual name."""
    if not found:
        raise ReadError(f"{name}: holds no arrays; exclude it")
    volumes = [key for key, header in found.items() if header.axes or _has_axes(header)]
    volumes = [key for key in volumes if not is_label_key(key)] or volumes
    if len(volumes) == 1:
        return volumes[0]
    for usual in _IMAGE_KEYS:
        for key in volumes:
            if key.rpartition("/")[2].lower() == usual:
                return key
    listed = ", ".join(list(found)[:8]) + ("..." if len(found) > 8 else "")
    raise ReadError(
        f"{name}: which array is the image? It holds {listed}; name it `image`, or if each is a "
        f'case, declare arrays = ["!{name}#*"] in [dataset]'
    )


def _has_axes(header: Header) -> bool:
    return 2 <= len(_squeezed(header.sides)) <= 4


def _may_be_image(key: str, header: Header, *, is_ome: bool) -> bool:
    """Whether an array beside the image is a picture, not a matrix, a spacing or a list."""
    left = is_label_key(key) and (is_ome or bool(header.refused))
    return not left and sum(side >= _PICTURE for side in header.sides) >= 2


def _beside(shape: tuple[int, ...], key: str, array: np.ndarray, name: str) -> list[np.ndarray]:
    """The channels of an array beside the image, none for label maps.

    Raises:
        ReadError: It is an image of another size, so that nobody knows which one is the scan.
    """
    if array.dtype.kind not in "biufc":
        return []
    found, _ = _channels(array, name)
    channels = list(as_volume(found, directions=None, spacing=(1.0, 1.0, 1.0)).channels)
    if all(map(is_mask, channels)):
        return []
    if channels[0].shape != shape:
        raise ReadError(
            f"{name}: holds an image of {shape} voxels and {key} of {channels[0].shape}, and a "
            "file is one scan; save each in a file of its own"
        )
    return channels


def _real(array: np.ndarray, name: str) -> tuple[list[np.ndarray], list[str]]:
    if array.size == 0 or array.ndim == 0:
        raise ReadError(f"{name}: holds no voxels (shape {array.shape}); exclude it")
    return real_channels(array, name)


def _channels(array: np.ndarray, name: str) -> tuple[list[np.ndarray], list[str]]:
    parts, notes = _real(array, name)
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
