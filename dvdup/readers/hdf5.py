"""HDF5: the datasets of a file, in groups or not, are its arrays.

The library runs in a child process and opens files to read, without locks. Only what lies in the
file itself is read: hard links are followed, soft links are other names of what is found anyway,
and links into other files, virtual datasets, values kept outside, references and values of varying
length are refused. Format: https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from dvdup.errors import ReadError
from dvdup.readers import isolation, limits
from dvdup.readers.array_chunks import Block, Blocks, demand_names
from dvdup.readers.array_files import Header, Stored, demand
from dvdup.readers.array_scans import read
from dvdup.readers.many_cases import Shape
from dvdup.readers.sources import Source, open_regular, peek, require, wrong_format

__all__ = ["SUFFIXES", "headers", "list_arrays", "load", "load_row", "read", "row", "whole"]

SUFFIXES = (".h5", ".hdf5")

_MAGIC = b"\x89HDF\r\n\x1a\n"
_USER_BLOCKS = (0, *(512 << n for n in range(12)))  # where a file may begin
_FOREIGN = "is a link into another file, which dvdup does not follow; copy it into this file"
_BLOCKS = Blocks()


def headers(source: Source) -> dict[str, Header]:
    """The datasets of a file by their paths.

    Raises:
        ReadError: It is no HDF5 file, damaged, or h5py is not installed.
        PointerError: It is a pointer.
    """
    size = require(source)
    if not _begins_as_hdf5(source):
        raise wrong_format(source, "an HDF5 file", peek(source, 512))
    demand(source, "HDF5", ["h5py"])
    found: dict[str, Header] = _call("list_arrays", source, stored=size)
    return found


def whole(source: Source, key: str, header: Header) -> Stored:
    """All of a dataset.

    Raises:
        ReadError: It would take too much memory, or is damaged.
    """
    limits.check(source.name, header.nbytes, header.stored)
    found: Stored = _call("load", source, key, stored=header.stored + header.nbytes)
    return found


def row(source: Source, key: str, header: Header, number: int) -> Stored:
    """One row of a dataset.

    Raises:
        ReadError: It is damaged, or would take too much memory.
    """
    size = header.nbytes // header.sides[0]
    found: Stored = _call("load_row", source, key, number, stored=limits.SMALL + size)
    return found


def _begins_as_hdf5(source: Source) -> bool:
    with open_regular(source.path) as stream:
        for place in _USER_BLOCKS:
            stream.seek(place)
            if stream.read(len(_MAGIC)) == _MAGIC:
                return True
    return False


def _call(function: str, source: Source, *arguments: object, stored: int) -> Any:
    target = f"dvdup.readers.hdf5:{function}"
    return isolation.call(target, source, *arguments, name=source.name, stored=stored)


def list_arrays(source: Source) -> dict[str, Header]:
    """As `headers`; runs in the child process."""
    with _opened(source) as file:
        found = dict(_datasets(file))
    demand_names(source.name, found)
    return found


def load(source: Source, key: str) -> Stored:
    """As `whole`; runs in the child process."""
    with _opened(source) as file:
        dataset = _dataset(source, file, key)
        limits.check(source.name, dataset.nbytes, max(1, dataset.id.get_storage_size()))
        return Stored(np.asarray(dataset[()]))


def load_row(source: Source, key: str, number: int) -> Stored:
    """As `row`; runs in the child process, which keeps the chunks that it read last."""

    def read_block(start: int, stop: int) -> Stored:
        return Stored(np.asarray(dataset[start:stop]))

    with _opened(source) as file:
        dataset = _dataset(source, file, key)
        block = Block.of(source, key, dataset.shape, dataset.chunks, dataset.dtype, number)
        return _BLOCKS.row(block, read_block)


@contextmanager
def _opened(source: Source) -> Iterator[Any]:
    import h5py

    with h5py.File(source.path, "r", locking=False) as file:
        yield file


def _datasets(file: Any) -> Iterator[tuple[str, Header]]:
    """Every dataset once, by the first of its paths; groups that hold themselves end nothing."""
    import h5py

    seen = set()
    waiting = [("", file)]
    while waiting:
        path, group = waiting.pop()
        for name in sorted(group):
            key = f"{path}/{name}" if path else name
            link = _link(group, name)
            if isinstance(link, h5py.SoftLink):
                continue
            if not isinstance(link, h5py.HardLink):
                yield key, Header(Shape((), np.dtype("u1")), 0, refused=_FOREIGN)
                continue
            found = group[name]
            place = h5py.h5o.get_info(found.id).addr
            if place in seen:
                continue
            seen.add(place)
            if isinstance(found, h5py.Group):
                waiting.append((key, found))
            elif isinstance(found, h5py.Dataset):
                yield key, _header(found)


def _link(group: Any, name: str) -> Any:
    try:
        return group.get(name, getlink=True)
    except TypeError:  # a kind of link that the user of a library has made up
        return None


def _dataset(source: Source, file: Any, key: str) -> Any:
    """A dataset by hard links alone, once more looked at: the file may have changed.

    Raises:
        ReadError: It is not there, or refused.
    """
    import h5py

    found = file
    for name in key.split("/"):
        here = isinstance(found, h5py.Group) and name in found
        if not here or not isinstance(_link(found, name), h5py.HardLink):
            raise ReadError(f"{source.name}: holds no array {key} any more; run dvdup sync")
        found = found[name]
    refused = _header(found).refused if isinstance(found, h5py.Dataset) else "is no array"
    if refused:
        raise ReadError(f"{source.name}: {key} {refused}")
    return found


def _header(dataset: Any) -> Header:
    dtype = np.dtype("U1") if dataset.dtype.hasobject else dataset.dtype
    sides = tuple(int(n) for n in dataset.shape or ())
    return Header(Shape(sides, dtype), dataset.id.get_storage_size(), refused=_refused(dataset))


def _refused(dataset: Any) -> str:
    import h5py

    if dataset.shape is None:
        return ""  # holds nothing
    if dataset.is_virtual:
        return "is a virtual dataset, made of others that may lie anywhere; save its values"
    if dataset.external:
        return "keeps its values in another file, which dvdup does not open; save them in this one"
    text = h5py.check_string_dtype(dataset.dtype) is not None
    if dataset.dtype.hasobject and not (text and len(dataset.shape) < 2):
        return "holds values of varying length (encoded pictures?) or references; save plain arrays"
    return _missing_filter(dataset)


def _missing_filter(dataset: Any) -> str:
    import h5py

    made = dataset.id.get_create_plist()
    for number in range(made.get_nfilters()):
        code, _, _, name = made.get_filter(number)
        if not h5py.h5z.filter_avail(code):
            called = bytes(name).decode("ascii", "replace").partition("\0")[0]
            return (
                f"is packed with the filter {code} ({called.partition(';')[0].strip()}), which is "
                "not here; set HDF5_PLUGIN_PATH to a folder that has it, or save it with gzip"
            )
    return ""
