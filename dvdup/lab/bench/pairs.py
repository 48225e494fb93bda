"""The voxels of a query against those of cases of the database, as `dvdup diff` compares them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from dvdup import verify
from dvdup.compare.pair import PairJob, judge_pair
from dvdup.lab.bench.database import Database
from dvdup.lab.bench.shelf import Proxies, Shelf, proxies
from dvdup.lab.evaluate.scans import Scan
from dvdup.records import Embedded
from dvdup.verify import Steps


@dataclass(frozen=True, slots=True, eq=False)
class MemoryChannel:
    """A channel of a scan in memory."""

    scan: Callable[[], Scan]
    """Gives the scan when its proxy does not do."""
    small: verify.Scan
    """Its proxy."""
    place: int
    """Of the channel among those of the scan."""
    shape: tuple[int, ...]
    """Voxels along X, Y, Z."""
    spacing: tuple[float, ...]

    def resized(self, spacing: tuple[float, float, float]) -> MemoryChannel:
        """The same voxels, taken to be of another size in mm."""
        small = verify.of_proxy(self.small.values, self.shape, spacing)
        return replace(self, small=small, spacing=spacing)

    def proxy(self) -> verify.Scan:
        """The channel at the resolution of a proxy."""
        return self.small

    def full(self) -> verify.Scan:
        """The channel at full resolution."""
        x, y, z = self.spacing
        return verify.Scan(self.scan().channels[self.place], (x, y, z))


class Pairs:
    """One query and what is known about its pairs: each is compared once."""

    def __init__(self, scan: Scan, rows: Embedded, database: Database, shelf: Shelf) -> None:
        """Compare nothing yet.

        Args:
            scan: The query, edited.
            rows: Its slices.
            database: The cases.
            shelf: Their voxels.
        """
        self._scan, self._rows, self._database, self._shelf = scan, rows, database, shelf
        self._proxies: Proxies | None = None
        self._scores: dict[tuple[int, Steps], float] = {}

    def score(self, case: int, steps: Steps) -> float:
        """How strongly the voxels say that the query is a copy of a case: `verify.score`."""
        if (case, steps) not in self._scores:
            channels = self._channels(case)
            # the case of the database comes first, as the side that is asked
            self._scores[case, steps] = judge_pair(PairJob(*channels, steps=steps)).found.score
        return self._scores[case, steps]

    def _channels(self, case: int) -> tuple[MemoryChannel, MemoryChannel]:
        """The two channels whose slices are most alike: of the case, of the query."""
        if self._proxies is None:
            self._proxies = proxies(self._scan)
        ours, theirs = self._proxies, self._shelf.proxies(case)
        one, other = verify.nearest_channels(self._database.slices(case), self._rows)
        i, k = theirs.numbers.index(one), ours.numbers.index(other)
        return (
            _channel(theirs, i, partial(self._shelf.scan, case)),
            _channel(ours, k, lambda: self._scan),
        )


def _channel(of: Proxies, place: int, scan: Callable[[], Scan]) -> MemoryChannel:
    return MemoryChannel(scan, of.channels[place], place, of.shapes[place], of.spacing)
