"""Arrays of many cases: which rows a file has, and one row of it.

A row of an .npy is read from its place in the file, one of HDF5 and Zarr out of its chunks. Rows
of an .npz, and of arrays in Fortran order, lie all over it: such an array is read once in a process
and kept, up to the memory that `limits` allows, until the file changes.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import NoReturn

import numpy as np

from dvdup import rows
from dvdup.errors import ReadError
from dvdup.readers import array_files, limits
from dvdup.readers.array_files import Header, Stored, damage_told, headers, stem_of
from dvdup.readers.array_pictures import IN_COLOUR
from dvdup.readers.array_scans import read_one, seems_many, volume_of, why_it_seems_many
from dvdup.readers.many_cases import (
    cannot_be_rows,
    is_label_key,
    is_no_picture,
    is_picture,
    why_each,
    why_rows,
)
from dvdup.readers.sources import MAX_RATIO, Source, truncated
from dvdup.records import ArrayPart, Volume

_MOST = 5_000_000  # rows of one array: as many cases fit into no report
_SLACK = 1 << 16  # bytes of headers that deflate does not account for
_FILES = 64  # of which the headers are kept
_Key = tuple[object, ...]
_HEADERS: OrderedDict[_Key, dict[str, Header]] = OrderedDict()
_HEADERS_LOCK = Lock()


def parts(path: Path, name: str) -> tuple[ArrayPart, ...]:
    """The arrays of a file that is declared to hold many cases, by its headers.

    Args:
        path: The file.
        name: For messages.

    Raises:
        ReadError: It cannot be read.
        PointerError: It is a pointer.
    """
    source = Source(path, name)
    with damage_told(source):
        found = headers(source)
    shapes = {key: header.shape for key, header in found.items()}
    each = not why_rows(shapes, stem_of(name)) and bool(why_each(shapes))
    return tuple(_part(source, key, found[key], each=each) for key in found)


def _part(source: Source, key: str, header: Header, *, each: bool) -> ArrayPart:
    called = key or stem_of(source.name)
    if is_label_key(called):
        return ArrayPart(key, None, f"labels ({called})")
    if header.refused:  # said when it is read
        return ArrayPart(key, None, is_scan=each)
    if each and is_picture(header.shape):
        return ArrayPart(key, None, is_scan=True)
    if said := is_no_picture(header.shape):
        return ArrayPart(key, None, said)
    if header.sides[0] == 0:
        return ArrayPart(key, None, "an array without rows")
    try:
        _demand_rows(source, header)
    except ReadError:  # said when it is read
        return ArrayPart(key, None)
    return ArrayPart(key, header.sides[0])


def _demand_rows(source: Source, header: Header) -> None:
    """Refuse what cannot be taken apart, before a single case is made of it.

    Raises:
        ReadError: Its rows are no pictures, there are too many, or it does not fit into memory and
            has to be read as a whole.
    """
    if why := cannot_be_rows(header.shape):
        raise ReadError(f"{source.name}: {why}")
    if header.sides[0] > _MOST:
        raise ReadError(
            f"{source.name}: has {header.sides[0]:,} rows, more than the {_MOST:,} that dvdup "
            "takes; split the file"
        )
    if header.nbytes > MAX_RATIO * header.stored + _SLACK:
        raise truncated(source, header.nbytes, header.stored)
    if header.as_whole:
        try:
            limits.check(source.name, header.nbytes, header.stored)
        except ReadError as error:
            raise ReadError(f"{error}; or save it as .npy, of which rows are read alone") from error


def looks_many(path: Path, name: str) -> bool:
    """Whether a file that is not declared seems to hold many cases; not if it cannot be read."""
    source = Source(path, name)
    try:
        with damage_told(source):
            return bool(why_it_seems_many(source))
    except ReadError:
        return False


def read(source: Source, series: str) -> Volume:
    """Read the part of a file that is a case.

    Args:
        source: The file.
        series: As `rows.row_name` makes it, or `rows.ONE_SCAN`.

    Raises:
        ReadError: The file is damaged, has no such row, or its rows are no pictures.
        PointerError: If the file is a pointer.
    """
    if series == rows.ONE_SCAN:
        return read_one(source)
    name = source.name + series
    with damage_told(source):
        if rows.is_array(series):
            stored, header = _array(source, rows.parsed(series)[0])
        else:
            stored, header = _row(source, *rows.parsed(series))
    volume = volume_of(stored, header, name)
    notes = tuple(note for note in volume.notes if not note.endswith(IN_COLOUR))
    return dataclasses.replace(volume, notes=notes)  # of thousands of rows it is no news


def _without_one(row: np.ndarray) -> np.ndarray:
    """A picture saved with one channel, first or last, is a picture."""
    if row.ndim == 3 and row.shape[-1] == 1:
        return row[..., 0]
    return row[0] if row.ndim == 3 and row.shape[0] == 1 else row


def _known_headers(source: Source) -> dict[str, Header]:
    """The arrays of a file, looked for once while it does not change: it may have many rows."""
    if not source.path.exists():
        return headers(source)  # which says why
    identity = _identity(source, "")
    with _HEADERS_LOCK:
        known = _HEADERS.get(identity)
    if known is None:
        known = headers(source)
        with _HEADERS_LOCK:
            _HEADERS[identity] = known
            while len(_HEADERS) > _FILES:
                _HEADERS.popitem(last=False)
    return known


def _header(source: Source, key: str) -> Header:
    header = _known_headers(source).get(key)
    if header is None:
        raise ReadError(f"{source.name}: holds no array {key}; correct dataset.arrays")
    return header


def _array(source: Source, key: str) -> tuple[Stored, Header]:
    header = _header(source, key)
    return array_files.whole(source, key, header), header


def _row(source: Source, key: str, row: int | None) -> tuple[Stored, Header]:
    if row is None:
        _tell_why_not(source, key)
    header = _header(source, key)
    array_files.refuse(source, key, header)
    _demand_rows(source, header)
    if row >= header.sides[0]:
        raise ReadError(f"{source.name}: has no row {row} any more; run dvdup sync")
    of_row = dataclasses.replace(header, axes=header.axes[1:], spacing=header.spacing[1:])
    if header.as_whole:
        kept = _KEPT.get(_identity(source, key), header.nbytes, lambda: _whole(source, key, header))
        stored = Stored(np.array(kept[row]))
    else:
        stored = array_files.row(source, key, header, row)
    return dataclasses.replace(stored, values=_without_one(stored.values)), of_row


def _tell_why_not(source: Source, key: str) -> NoReturn:
    """Say why an array cannot be taken apart."""
    header = headers(source).get(key)
    if header is not None:
        array_files.refuse(source, key, header)
        _demand_rows(source, header)
    raise seems_many(source.name, "is named as a split")


def _whole(source: Source, key: str, header: Header) -> np.ndarray:
    with damage_told(source):
        return array_files.whole(source, key, header).values


def _identity(source: Source, key: str) -> _Key:
    now = source.path.stat()
    return (str(source.path), key, now.st_size, now.st_mtime_ns, now.st_ctime_ns, now.st_ino)


class _Kept:
    """The arrays that were read last, together no bigger than one case may be."""

    def __init__(self) -> None:
        self._arrays: OrderedDict[_Key, np.ndarray | ReadError] = OrderedDict()
        self._lock = Lock()

    def get(self, key: _Key, size: int, load: Callable[[], np.ndarray]) -> np.ndarray:
        """One of them; the first thread that asks reads it, the others wait.

        Raises:
            ReadError: It cannot be read, which is found out once as well.
        """
        with self._lock:
            if key not in self._arrays:
                self._make_room(key, size)
                try:
                    self._arrays[key] = load()
                except ReadError as error:
                    self._arrays[key] = error
            self._arrays.move_to_end(key)
            found = self._arrays[key]
        if isinstance(found, ReadError):
            raise ReadError(str(found))
        return found

    def _make_room(self, key: _Key, wanted: int) -> None:
        for old in [old for old in self._arrays if old[:2] == key[:2]]:
            del self._arrays[old]  # the file has changed
        while self._arrays and wanted + self._taken() > limits.bound():
            self._arrays.popitem(last=False)

    def _taken(self) -> int:
        kept = self._arrays.values()
        return sum(array.nbytes for array in kept if isinstance(array, np.ndarray))


_KEPT = _Kept()
