"""NumPy arrays on disk: .npy, and .npz, an archive of them.

Pickled objects are never loaded. Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

from __future__ import annotations

import io
import zipfile
from typing import IO

import numpy as np

from dvdup.errors import ReadError
from dvdup.readers import limits
from dvdup.readers.array_files import Header, Stored
from dvdup.readers.array_scans import read
from dvdup.readers.many_cases import Shape
from dvdup.readers.sources import Source, peek, read_plain, require, truncated, wrong_format

__all__ = ["SUFFIXES", "headers", "read", "row", "whole"]

SUFFIXES = (".npy", ".npz")

_HEAD_BYTES = 1 << 16


def headers(source: Source) -> dict[str, Header]:
    """The headers of all arrays of a file by key, which is "" in an .npy.

    Raises:
        ReadError: The file is something else, or one of them holds objects or is cut off.
        PointerError: The file is a pointer.
    """
    size = require(source)
    if not _is_archive(source):
        head = peek(source, _HEAD_BYTES)
        if not head.startswith(b"\x93NUMPY"):
            raise wrong_format(source, "a NumPy array", head[:512])
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


def whole(source: Source, key: str, header: Header) -> Stored:
    """One array of a file, all of it.

    Raises:
        ReadError: It would take too much memory.
    """
    limits.check(source.name, header.nbytes, header.stored)
    if not _is_archive(source):
        with source.path.open("rb") as stream:
            return Stored(np.asarray(np.lib.format.read_array(stream, allow_pickle=False)))
    with zipfile.ZipFile(source.path) as archive, archive.open(f"{key}.npy") as member:
        return Stored(np.asarray(np.lib.format.read_array(member, allow_pickle=False)))


def row(source: Source, key: str, header: Header, number: int) -> Stored:
    """One row of an .npy, read from its place in the file.

    Raises:
        ReadError: The file is cut off.
    """
    size = header.nbytes // header.sides[0]
    stored = read_plain(source, header.start + number * size, size)
    return Stored(stored.view(header.shape.dtype).reshape(header.sides[1:]))


def _is_archive(source: Source) -> bool:
    return source.path.name.lower().endswith(".npz")


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
    header = Header(
        Shape(tuple(int(n) for n in shape), dtype),
        stored,
        start=head.tell(),
        as_whole=fortran or _is_archive(source),
    )
    if header.nbytes > size - head.tell():
        raise truncated(source, header.nbytes, size - head.tell())
    return header
