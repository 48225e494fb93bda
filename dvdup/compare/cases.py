"""The two sides of a comparison: cases of an index or in memory, and their channels."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from dvdup import slicing, verify, voxels
from dvdup.compare.match import Side
from dvdup.compare.missed import volume_of
from dvdup.records import Embedded, IndexedCase, Key
from dvdup.verify import Limits, Scan


class CaseSet(Protocol):
    """One side of a comparison: some cases, of an index or in memory."""

    @property
    def cases(self) -> Sequence[IndexedCase]:
        """All its cases, sorted."""

    @property
    def lasting(self) -> bool:
        """Whether they are cases of the index, so that what is made of them may be kept."""

    @property
    def voting(self) -> Sequence[IndexedCase]:
        """One case of every content that has slices."""

    @property
    def copies(self) -> Mapping[Key, Sequence[Key]]:
        """For each case that votes, the keys of all cases of its content."""

    def side(self) -> Side:
        """Its voting cases, ready to be matched."""

    def case(self, key: Key) -> IndexedCase:
        """One of its cases."""

    def proxied(self, keys: Sequence[Key]) -> Mapping[Key, IndexedCase]:
        """Some of its cases, with their proxies."""

    def rows(self, key: Key) -> Embedded:
        """The slice rows of one of them."""


def voting_values(case: IndexedCase) -> list[str]:
    """The value hashes of the channels that vote; "" for constant ones and where none is known."""
    known = dict(enumerate(case.value_hashes))
    return [known.get(channel, "") for channel in voting_channels(case)]


@dataclass(frozen=True, slots=True)
class Sides:
    """The two sides of a comparison and where their files lie."""

    root: Path
    a: CaseSet
    b: CaseSet
    limits: Limits = field(default_factory=Limits)
    """What makes a copy."""


class Channel(Protocol):
    """The channel of a case of a pair that is compared."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along X, Y, Z."""

    @property
    def spacing(self) -> tuple[float, ...]:
        """Size of the voxels along X, Y, Z, mm."""

    def resized(self, spacing: tuple[float, float, float]) -> Channel:
        """The same voxels, taken to be of another size in mm."""

    def proxy(self) -> Scan:
        """The channel at the resolution of a proxy."""

    def full(self) -> Scan | None:
        """The channel at full resolution; None if that cannot be had.

        Raises:
            ReadError: It is there and cannot be read.
        """


def voting_channels(case: IndexedCase) -> tuple[int, ...]:
    """The channels that the proxies of a case are of.

    Args:
        case: With its proxies.
    """
    return slicing.voting_channels(case.n_channels, *case.proxy_shape[:1])


@dataclass(frozen=True, slots=True, eq=False)
class FileChannel:
    """The channel of a case of a pair that is compared, out of the index and out of files."""

    root: Path
    case: IndexedCase
    """With its proxy."""
    place: int
    """Of the channel among those that vote."""

    @property
    def channel(self) -> int:
        """Its number in the file."""
        return voting_channels(self.case)[self.place]

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along X, Y, Z."""
        return self.case.shape

    @property
    def spacing(self) -> tuple[float, ...]:
        """Mm along X, Y, Z."""
        return self.case.spacing

    @property
    def value_hash(self) -> str:
        """Its value hash; "" if it is constant."""
        return voting_values(self.case)[self.place]

    def resized(self, spacing: tuple[float, float, float]) -> FileChannel:
        """The same voxels, taken to be of another size in mm."""
        return dataclasses.replace(self, case=dataclasses.replace(self.case, spacing=spacing))

    def proxy(self) -> Scan:
        """The channel as the index has it."""
        values = voxels.unpacked(self.case.proxy, self.case.proxy_shape)
        return verify.of_proxy(values[self.place], self.case.shape, self.case.spacing)

    def full(self) -> Scan | None:
        """The channel as the file has it; None if that is not the file that was indexed.

        Raises:
            ReadError: It cannot be read any more.
        """
        if not self.case.files:  # of an export, which holds none
            return None
        volume = volume_of(self.root, self.case)
        if volume is None:
            return None
        x, y, z = self.case.spacing
        return Scan(voxels.channel_values(volume, self.channel), (x, y, z))
