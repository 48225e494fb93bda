"""Scans of the database at hand for voxel comparisons, in bounded memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from dvdup import verify, voxels
from dvdup.lab.evaluate.scans import Scan

T = TypeVar("T")

_FULL = 512 << 20  # bytes of scans
_SMALL = 128 << 20  # bytes of proxies: more than 500 of them


@dataclass(frozen=True, slots=True, eq=False)
class Proxies:
    """What the index holds of the voxels of a scan."""

    channels: tuple[verify.Scan, ...]
    """The voting ones."""
    numbers: tuple[int, ...]
    """The number of each in the file."""
    shapes: tuple[tuple[int, ...], ...]
    """Voxels along X, Y, Z of each at full resolution."""
    spacing: tuple[float, float, float]
    """mm along X, Y, Z at full resolution."""


class Shelf:
    """Scans and their proxies by code; what was not used for longest goes first."""

    def __init__(
        self, read: Callable[[int], Scan], most: int = _FULL, most_small: int = _SMALL
    ) -> None:
        """Nothing is read before it is asked for.

        Args:
            read: From the code of a scan to the scan.
            most: Bytes of scans to keep; the last one stays whatever it has.
            most_small: Bytes of proxies to keep.
        """
        self._scans = _Recent(read, lambda scan: sum(each.nbytes for each in scan.channels), most)
        self._proxies = _Recent(
            lambda code: proxies(self.scan(code)),
            lambda small: sum(each.values.nbytes for each in small.channels),
            most_small,
        )

    def scan(self, code: int) -> Scan:
        """A scan at full resolution."""
        return self._scans.get(code)

    def proxies(self, code: int) -> Proxies:
        """A scan as the index has it."""
        return self._proxies.get(code)


def proxies(scan: Scan) -> Proxies:
    """The proxy of each voting channel."""
    return Proxies(
        tuple(
            verify.of_proxy(voxels.proxy(values), values.shape, scan.spacing)
            for values in scan.channels
        ),
        scan.numbers,
        tuple(values.shape for values in scan.channels),
        scan.spacing,
    )


class _Recent(Generic[T]):
    """The results of a function that were asked for last."""

    def __init__(self, make: Callable[[int], T], size: Callable[[T], int], most: int) -> None:
        self._make, self._size, self._most = make, size, most
        self._kept: OrderedDict[int, T] = OrderedDict()
        self._used = 0

    def get(self, code: int) -> T:
        if code in self._kept:
            self._kept.move_to_end(code)
            return self._kept[code]
        made = self._make(code)
        self._used += self._size(made)
        while self._kept and self._used > self._most:
            self._used -= self._size(self._kept.popitem(last=False)[1])
        self._kept[code] = made
        return made
