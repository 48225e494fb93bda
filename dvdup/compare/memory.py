"""Cases that are in no index: scans in memory, as one side of a comparison."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dvdup.compare.match import Block, Side
from dvdup.records import Embedded, IndexedCase, Key


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedScan:
    """A scan read for one question only."""

    case: IndexedCase
    rows: Embedded | None
    """None if nothing in it has a vote."""


class MemoryCases:
    """Scans in memory, as a holder of cases."""

    def __init__(self, scans: Sequence[EmbeddedScan]) -> None:
        self._scans = {scan.case.key: scan for scan in scans}

    @property
    def cases(self) -> Sequence[IndexedCase]:
        """All of them."""
        return [scan.case for scan in self._scans.values()]

    @functools.cached_property
    def copies(self) -> dict[Key, list[Key]]:
        """For each that votes, the keys of all of its content."""
        keys: dict[str, list[Key]] = {}
        for scan in self._scans.values():
            keys.setdefault(scan.case.content, []).append(scan.case.key)
        return {case.key: keys[case.content] for case in self.voting}

    @property
    def lasting(self) -> bool:
        """Nothing is kept of them."""
        return False

    @functools.cached_property
    def voting(self) -> Sequence[IndexedCase]:
        """One of every content that has slices."""
        return [scan.case for scan in self._voting]

    @functools.cached_property
    def _voting(self) -> tuple[EmbeddedScan, ...]:
        first: dict[str, EmbeddedScan] = {}
        for scan in self._scans.values():
            if scan.rows is not None:
                first.setdefault(scan.case.content, scan)
        return tuple(first.values())

    def side(self) -> Side:
        """Those that vote, ready to be matched."""
        return _side(self._voting)

    def case(self, key: Key) -> IndexedCase:
        """One of them."""
        return self._scans[key].case

    def proxied(self, keys: Sequence[Key]) -> dict[Key, IndexedCase]:
        """Some of them, with their proxies."""
        return {key: self._scans[key].case for key in keys}

    def rows(self, key: Key) -> Embedded:
        """The slice rows of one that has a vote."""
        rows = self._scans[key].rows
        assert rows is not None
        return rows


def _side(voting: Sequence[EmbeddedScan]) -> Side:
    def blocks(codes: Sequence[int]) -> Iterator[Block]:
        for code in codes:
            rows = voting[code].rows
            assert rows is not None
            # as the index keeps them, so that a scan and its indexed copy agree to the last bit
            embedding = rows.embedding.astype(np.float16)
            yield embedding, np.full(len(embedding), code, np.int32), rows.channel

    return Side(
        keys=tuple(scan.case.key for scan in voting),
        n_slices=tuple(scan.case.n_slices for scan in voting),
        blocks=blocks,
    )
