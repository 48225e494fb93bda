"""Rows of arrays that are kept in chunks: several rows share one, which is read once.

A child process that reads rows one after the other keeps the rows of the chunks it read last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from dvdup.errors import ReadError
from dvdup.readers import limits
from dvdup.readers.array_files import Stored
from dvdup.readers.sources import Source

MOST_CHUNKS = 1_000_000
"""Chunks that one array, or one row of chunks, may have: nobody keeps as many for a scan."""

_MOST_NAMES = 200_000  # arrays of one file
_KEPT_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class Block:
    """The rows of the chunks that a row lies in."""

    file: tuple[object, ...]
    """What tells that the file has not changed."""
    key: str
    start: int
    stop: int
    row: int
    """Number of the row that is wanted."""

    @classmethod
    def of(
        cls,
        source: Source,
        key: str,
        sides: Sequence[int],
        chunks: Sequence[int] | None,
        dtype: np.dtype[np.generic],
        row: int,
    ) -> Block:
        """The rows to read for one row: those of its chunks, unless these would take much memory.

        Args:
            source: The file.
            key: The array.
            sides: Its shape.
            chunks: Sides of a chunk; None if it is not kept in chunks.
            dtype: Of its values.
            row: The row.

        Raises:
            ReadError: The array has no such row, or a row is too big.
        """
        if row >= sides[0]:
            raise ReadError(f"{source.name}: has no row {row} any more; run dvdup sync")
        size = int(np.prod(sides[1:], dtype=object)) * dtype.itemsize
        limits.check(source.name, size, size)
        along = chunks[0] if chunks else 1
        if chunks:
            chunk = int(np.prod(chunks, dtype=object)) * dtype.itemsize
            limits.check(source.name, chunk, chunk)
        first = row // along * along
        now = source.path.stat()
        file = (str(source.path), now.st_size, now.st_mtime_ns, now.st_ctime_ns, now.st_ino)
        if min(along, sides[0] - first) * size > _KEPT_BYTES:
            return cls(file, key, row, row + 1, row)
        return cls(file, key, first, min(first + along, sides[0]), row)


class Blocks:
    """The rows that were read last."""

    def __init__(self) -> None:
        """Nothing was read yet."""
        self._key: tuple[object, ...] = ()
        self._kept = Stored(np.empty(0))

    def row(self, block: Block, read: Callable[[int, int], Stored]) -> Stored:
        """One row.

        Args:
            block: Where it lies.
            read: (start, stop) -> these rows.
        """
        key = (block.file, block.key, block.start)
        if key != self._key:
            self._key = ()
            self._kept = read(block.start, block.stop)
            self._key = key
        return Stored(np.array(self._kept.values[block.row - block.start]), self._kept.notes)


def demand_names(name: str, keys: Iterable[str]) -> None:
    """Refuse arrays whose names cannot be printed, and more of them than anybody keeps.

    Raises:
        ReadError: So it is.
    """
    listed = list(keys)
    if len(listed) > _MOST_NAMES:
        _refuse(name, f"holds more than {_MOST_NAMES:,} arrays; split it")
    if any(not key.isprintable() for key in listed):
        _refuse(name, "the name of an array cannot be printed; rename the array")


def _refuse(name: str, why: str) -> NoReturn:
    raise ReadError(f"{name}: {why}")
