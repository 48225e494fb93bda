"""Files of arrays, whatever library reads them: what they say of an array, and its values.

An array has a key: its name in an archive, its path in an HDF5 file or a Zarr group, "" where the
file is one array. `CONTAINERS` is the table of modules that know such a format; what arrays mean is
the business of `array_scans` and `array_rows`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, cast

import numpy as np

from dvdup import extras
from dvdup.errors import InstallError, ReadError
from dvdup.readers.many_cases import Shape
from dvdup.readers.sources import Source, reason

CONTAINERS: dict[str, str] = {
    ".npy": "dvdup.readers.numpy_arrays",
    ".npz": "dvdup.readers.numpy_arrays",
    ".h5": "dvdup.readers.hdf5",
    ".hdf5": "dvdup.readers.hdf5",
    ".zarr": "dvdup.readers.zarr_stores",
    ".zarr.zip": "dvdup.readers.zarr_stores",
}
"""Suffix -> module; a folder without one of them is a Zarr store."""

_EXTRA = "arrays"


@dataclass(frozen=True, slots=True)
class Header:
    """What a stored array says of itself."""

    shape: Shape
    stored: int
    """Bytes that it takes on disk."""
    start: int = 0
    """Where its values begin, in a file that holds them as they are."""
    as_whole: bool = False
    """Whether reading one row takes reading all of it."""
    refused: str = ""
    """Why it is never read, as "is a virtual dataset ..."; "" if it can be."""
    axes: str = ""
    """Letters of its axes as OME-Zarr names them, such as "czyx"; "" if nothing does."""
    spacing: tuple[float, ...] = ()
    """mm along each axis that `axes` names; empty if nothing says so."""

    @property
    def sides(self) -> tuple[int, ...]:
        """Its shape."""
        return self.shape.sides

    @property
    def nbytes(self) -> int:
        """Bytes that its values take in memory."""
        return math.prod(self.sides) * self.shape.dtype.itemsize


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """Values of an array."""

    values: np.ndarray
    notes: tuple[str, ...] = ()


class Container(Protocol):
    """What a module of a format of arrays can do; all of it raises `ReadError`."""

    SUFFIXES: tuple[str, ...]

    def headers(self, source: Source) -> dict[str, Header]:
        """The arrays of a file by key."""

    def whole(self, source: Source, key: str, header: Header) -> Stored:
        """All of an array that is not refused."""

    def row(self, source: Source, key: str, header: Header, number: int) -> Stored:
        """One row of an array that is neither refused nor `as_whole`."""


def stem_of(name: str) -> str:
    """The name of a file of arrays without its folder and suffix."""
    base = name.rpartition("/")[2]
    return base[: len(base) - len(_suffix(base))]


def container(source: Source) -> Container:
    """The module that reads a file, by its name."""
    suffix = _suffix(source.path.name) or ".zarr"
    return cast(Container, import_module(CONTAINERS[suffix]))


def _suffix(name: str) -> str:
    return max((s for s in CONTAINERS if name.lower().endswith(s)), key=len, default="")


def headers(source: Source) -> dict[str, Header]:
    """The arrays of a file by key, in order.

    Raises:
        ReadError: It is damaged, something else, or the library that reads it is not installed.
        PointerError: It is a pointer.
    """
    found = container(source).headers(source)
    return {key: found[key] for key in sorted(found)}


def whole(source: Source, key: str, header: Header) -> Stored:
    """All of an array.

    Raises:
        ReadError: It is refused or damaged, or would take too much memory.
    """
    refuse(source, key, header)
    return container(source).whole(source, key, header)


def row(source: Source, key: str, header: Header, number: int) -> Stored:
    """One row of an array of which rows can be read alone.

    Raises:
        ReadError: It is refused or damaged.
    """
    refuse(source, key, header)
    return container(source).row(source, key, header, number)


def refuse(source: Source, key: str, header: Header) -> None:
    """Raise a `ReadError` for an array that is never read."""
    if header.refused:
        raise ReadError(f"{source.name}: {key} {header.refused}")


def demand(source: Source, what: str, packages: Iterable[str]) -> None:
    """Make sure that the libraries of a format are installed.

    Args:
        source: A file of it.
        what: The format, as `HDF5`.
        packages: Import names.

    Raises:
        ReadError: One is not; the message names the extra that brings it.
    """
    try:
        extras.demand(f"{source.name}: reading {what}", packages, _EXTRA)
    except InstallError as error:
        raise ReadError(str(error)) from error


@contextmanager
def damage_told(source: Source) -> Iterator[None]:
    """Turn what a damaged file of arrays raises into a `ReadError`."""
    try:
        yield
    except ReadError:
        raise
    except Exception as error:  # zlib, zipfile, tokenize and numpy raise anything on damaged data
        raise ReadError(
            f"{source.name}: the array cannot be read: {reason(error)}; save it again"
        ) from error
