"""The voxels of a query against those of cases of the database, as `dvdup diff` compares them."""

from __future__ import annotations

from dvdup import verify
from dvdup.bench.database import Database
from dvdup.bench.scans import Scan
from dvdup.bench.shelf import Proxies, Shelf, proxies
from dvdup.records import Embedded
from dvdup.verify import Judged, Steps


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
            self._scores[case, steps] = self._judged(case, steps).score
        return self._scores[case, steps]

    def _judged(self, case: int, steps: Steps) -> Judged:
        if self._proxies is None:
            self._proxies = proxies(self._scan)
        ours, theirs = self._proxies, self._shelf.proxies(case)
        one, other = verify.nearest_channels(self._rows, self._database.slices(case))
        i, k = ours.numbers.index(one), theirs.numbers.index(other)

        def full() -> tuple[verify.Scan, verify.Scan]:
            scans = self._scan, self._shelf.scan(case)
            a, b = (
                verify.Scan(scan.channels[place], scan.spacing)
                for scan, place in zip(scans, (i, k), strict=True)
            )
            return a, b

        return verify.judge(ours.channels[i], theirs.channels[k], full, steps=steps)
