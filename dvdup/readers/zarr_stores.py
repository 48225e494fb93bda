"""Zarr 2 and 3: a folder, or a zip of one, with an array or with arrays in groups.

The library runs in a child process and reads only. Chunks that no file is there for are the fill
value by the format: a note counts them, and an array without any is not read. Codecs that run code
or are not known are refused before a chunk is decoded. Format: https://zarr-specs.readthedocs.io
"""

from __future__ import annotations

import itertools
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from dvdup.errors import ReadError
from dvdup.readers import isolation, limits
from dvdup.readers.array_chunks import MOST_CHUNKS, Block, Blocks, demand_names
from dvdup.readers.array_files import Header, Stored, demand
from dvdup.readers.array_scans import read
from dvdup.readers.many_cases import Shape
from dvdup.readers.ome_zarr import Level, first_level
from dvdup.readers.sources import Source, absent, peek, require, unread_folder, wrong_format

__all__ = [
    "SUFFIXES",
    "headers",
    "is_store",
    "list_arrays",
    "load",
    "load_row",
    "read",
    "row",
    "whole",
]

SUFFIXES = (".zarr", ".zarr.zip")

_MARKERS = ("zarr.json", ".zarray", ".zgroup")
_CODECS = frozenset((
    *("bytes", "endian", "transpose", "sharding_indexed", "blosc", "gzip", "zlib", "zstd", "bz2"),
    *("lzma", "lz4", "shuffle", "delta", "fixedscaleoffset", "quantize", "bitround", "packbits"),
    *("astype", "crc32", "crc32c", "adler32", "fletcher32", "jenkins_lookup3", "vlen-utf8"),
))  # fmt: skip
"""Those that only compute; `pickle` runs what the file says."""

_DEEPEST = 32  # groups in groups: links may make a circle
_BLOCKS = Blocks()


def is_store(path: str | os.PathLike[str]) -> bool:
    """Whether a folder is a Zarr array or group, by what lies in it."""
    return any(os.path.lexists(os.path.join(path, name)) for name in _MARKERS)


def headers(source: Source) -> dict[str, Header]:
    """The arrays of a store by their paths, "" if it is one array; of OME-Zarr the full level.

    Raises:
        ReadError: It is no Zarr store, damaged, or zarr is not installed.
        PointerError: Its metadata are a pointer.
    """
    if source.path.is_dir():
        _demand_store(source)
        size = _stored(source.path)
    else:
        size = require(source)
        if (head := peek(source, 512))[:2] != b"PK":
            raise wrong_format(source, "a zipped Zarr store", head)
    demand(source, "Zarr", ["zarr"])
    found: dict[str, Header] = _call("list_arrays", source, stored=size)
    return found


def _demand_store(source: Source) -> None:
    found = [name for name in _MARKERS if os.path.lexists(source.path / name)]
    if not found and absent(source.path):
        raise unread_folder(source)
    if not found:
        raise ReadError(
            f"{source.name}: has no zarr.json, .zarray or .zgroup, so that it is no Zarr store, or "
            "only a part of one; bring all of it"
        )
    for name in found:
        require(Source(source.path / name, f"{source.name}/{name}"))


def whole(source: Source, key: str, header: Header) -> Stored:
    """All of an array.

    Raises:
        ReadError: It would take too much memory, is damaged, or none of it is there.
    """
    limits.check(source.name, header.nbytes, header.stored)
    found: Stored = _call("load", source, key, stored=header.stored + header.nbytes)
    return found


def row(source: Source, key: str, header: Header, number: int) -> Stored:
    """One row of an array.

    Raises:
        ReadError: It is damaged, would take too much memory, or none of it is there.
    """
    size = header.nbytes // header.sides[0]
    found: Stored = _call("load_row", source, key, number, stored=limits.SMALL + size)
    return found


def _call(function: str, source: Source, *arguments: object, stored: int) -> Any:
    target = f"dvdup.readers.zarr_stores:{function}"
    return isolation.call(target, source, *arguments, name=source.name, stored=stored)


def list_arrays(source: Source) -> dict[str, Header]:
    """As `headers`; runs in the child process."""
    with _opened(source) as root:
        found = {
            key: _header(source, key, array, level) for key, array, level in _arrays(source, root)
        }
    demand_names(source.name, found)
    return found


def load(source: Source, key: str) -> Stored:
    """As `whole`; runs in the child process."""
    with _opened(source) as root:
        array = _array(source, root, key)
        limits.check(source.name, array.nbytes, array.nbytes)
        notes = _missing_chunks(source, key, array, 0, array.shape[0])
        return Stored(np.asarray(array[...]), notes)


def load_row(source: Source, key: str, number: int) -> Stored:
    """As `row`; runs in the child process, which keeps the chunks that it read last."""

    def read_block(start: int, stop: int) -> Stored:
        notes = _missing_chunks(source, key, array, start, stop)
        return Stored(np.asarray(array[start:stop]), notes)

    with _opened(source) as root:
        array = _array(source, root, key)
        block = Block.of(source, key, array.shape, array.chunks, array.dtype, number)
        return _BLOCKS.row(block, read_block)


@contextmanager
def _opened(source: Source) -> Iterator[Any]:
    import zarr
    from zarr.storage import LocalStore, ZipStore

    if source.path.is_dir():
        yield zarr.open(LocalStore(source.path, read_only=True), mode="r", use_consolidated=False)
        return
    store = ZipStore(source.path, mode="r")
    try:
        yield zarr.open(store, mode="r", use_consolidated=False)
    finally:
        store.close()


def _arrays(source: Source, root: Any) -> Iterator[tuple[str, Any, Level | None]]:
    """(path, array, what OME-Zarr says of it); of a pyramid the first level alone."""
    import zarr

    waiting = [("", root)]
    while waiting:
        path, node = waiting.pop()
        if isinstance(node, zarr.Array):
            yield path, node, None
            continue
        if path.count("/") >= _DEEPEST:
            raise ReadError(f"{source.name}: groups lie too deep in one another; replace it")
        level = first_level(node.attrs.asdict())
        if level is not None:
            if level.path not in node:
                raise ReadError(f"{source.name}: its first level {level.path} is not here")
            yield _below(path, level.path), node[level.path], level
        for name, child in sorted(node.members(max_depth=0)):
            if level is None or isinstance(child, zarr.Group):
                waiting.append((_below(path, name), child))


def _below(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def _array(source: Source, root: Any, key: str) -> Any:
    import zarr

    found = root[key] if key and isinstance(root, zarr.Group) and key in root else root
    if not isinstance(found, zarr.Array):
        raise ReadError(f"{source.name}: holds no array {key} any more; run dvdup sync")
    if refused := _refused(found):
        raise ReadError(f"{source.name}: {key} {refused}")
    return found


def _header(source: Source, key: str, array: Any, level: Level | None) -> Header:
    sides = tuple(int(n) for n in array.shape)
    text = array.dtype.hasobject or array.dtype.kind == "T"
    stored = source.path / key if source.path.is_dir() else source.path
    named = level is not None and len(level.axes) == len(sides)
    return Header(
        Shape(sides, np.dtype("U1") if text else array.dtype),
        _stored(stored) if stored.is_dir() else stored.stat().st_size,
        refused=_refused(array),
        axes=level.axes if level is not None and named else "",
        spacing=level.spacing if level is not None and named else (),
    )


def _refused(array: Any) -> str:
    unknown = sorted(_codecs(array.metadata.to_dict()) - _CODECS)
    if unknown:
        return f"is packed with {', '.join(unknown)}, which dvdup does not run; save it with zstd"
    if (array.dtype.hasobject or array.dtype.kind == "T") and array.ndim > 1:
        return "holds objects or text, not voxels; save plain arrays"
    if _n_chunks(array) > MOST_CHUNKS:
        return f"has more than {MOST_CHUNKS:,} chunks; save it in bigger ones"
    return ""


def _codecs(metadata: Any) -> set[str]:
    """Names of all codecs of an array, also of those inside of shards, as in version 2."""
    found: set[str] = set()
    waiting = [metadata.get(name) for name in ("compressor", "filters", "codecs")]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            found.add(str(part.get("id", part.get("name"))).removeprefix("numcodecs."))
            inner = part.get("configuration")
            if isinstance(inner, dict):
                waiting += [inner.get("codecs"), inner.get("index_codecs")]
        elif isinstance(part, list | tuple):
            waiting += part
    return found


def _grid(array: Any) -> tuple[int, ...]:
    """Sides of what one file holds: a shard, or a chunk."""
    return tuple(getattr(array, "shards", None) or array.chunks)


def _n_chunks(array: Any) -> int:
    pairs = zip(array.shape, _grid(array), strict=True)
    return int(np.prod([-(-n // max(1, step)) for n, step in pairs], dtype=object))


def _missing_chunks(source: Source, key: str, array: Any, start: int, stop: int) -> tuple[str, ...]:
    """Count the chunks of some rows that are not there, and look at the files of the others.

    Raises:
        ReadError: None of them is there, or one is empty or a link to nothing.
        PointerError: One is a pointer.
    """
    names = _chunk_names(key, array, start, stop)
    if source.path.is_dir():
        here = [name for name in names if os.path.lexists(source.path / name)]
        for name in here:
            require(Source(source.path / name, f"{source.name}/{name}"))
    else:
        with zipfile.ZipFile(source.path) as archive:
            here = [name for name in names if name in archive.NameToInfo]
    if not here:
        raise ReadError(
            f"{source.name}: none of the {len(names)} chunks of {key or 'it'} that hold this is "
            "here; bring all of it, or leave it out"
        )
    missing = len(names) - len(here)
    if not missing:
        return ()
    said = f"{missing} of {len(names)} chunks are not stored; their voxels are the fill value"
    return (f"{said} {array.fill_value}",)


def _chunk_names(key: str, array: Any, start: int, stop: int) -> list[str]:
    """Paths below the store of the chunks that hold some rows."""
    sides, steps = array.shape, _grid(array)
    ranges = [range(-(-n // step)) for n, step in zip(sides, steps, strict=True)]
    ranges[0] = range(start // steps[0], -(-stop // steps[0]))
    encode = array.metadata.encode_chunk_key
    return [_below(key, encode(place)) for place in itertools.product(*ranges)]


def _stored(folder: str | os.PathLike[str]) -> int:
    """Bytes of all files in a folder."""
    return sum(
        os.lstat(os.path.join(place, name)).st_size
        for place, _, names in os.walk(folder)
        for name in names
    )
