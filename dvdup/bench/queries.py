"""One query against a database: what each line of the result says about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from dvdup import variants
from dvdup.bench.aggregations import AGGREGATIONS
from dvdup.bench.database import Database, Look, Query
from dvdup.bench.describers import Rows
from dvdup.bench.nearest import Answers, Exact, ExactAnswers, NearestIndex
from dvdup.bench.pairs import Pairs
from dvdup.bench.parts import Parts
from dvdup.bench.plan import Line, Outcome
from dvdup.bench.scans import Scan
from dvdup.bench.shelf import Shelf
from dvdup.match import KEEP_LEAD
from dvdup.pipeline.kept import CROPS, LOOKS


class Asked:
    """A described query and all that can be asked about it."""

    def __init__(
        self,
        rows: Rows,
        scan: Scan,
        database: Database,
        index: Callable[[str], NearestIndex],
        shelf: Shelf,
        *,
        cropped: Callable[[], Sequence[Exact]] = tuple,
        again: bool = False,
        least_lead: float = KEEP_LEAD,
    ) -> None:
        """Compare it with the database.

        Args:
            rows: The query.
            scan: The edited scan it was made from.
            database: What it is asked against.
            index: Gives the index of a name over that database.
            shelf: The voxels of that database.
            cropped: Gives the same database after each of `variants.CROPS`; empty if there is none.
            again: Whether the product would look again at a query that found nobody.
            least_lead: Lead that makes a candidate.
        """
        whole = index("exact")
        assert isinstance(whole, Exact)
        self._whole = whole
        self._rows, self._scan, self._database, self._index = rows, scan, database, index
        self._pairs = Pairs(scan, rows.rows, database, shelf)
        self._answers: dict[str, Answers] = {}
        self._exact = whole.ask(rows.rows.embedding)
        self._cropped = cropped
        self._again, self._least_lead = again, least_lead

    @cached_property
    def _looks(self) -> list[Look]:
        """The s of every look; none of a baseline."""
        rows = self._rows.again(LOOKS)
        if rows is None:
            return []
        s = {name: self._whole.ask(each).s for name, each in rows.as_float32().items()}
        return [Look(variants.pick(s, rows.plane, look), rows.channel) for look in variants.LOOKS]

    @cached_property
    def _parts(self) -> Parts | None:
        cropped = self._cropped()
        rows = self._rows.again(CROPS) if cropped else None
        return None if rows is None else Parts(rows, self._whole, cropped)

    def scores(self, line: Line, allowed: np.ndarray) -> np.ndarray:
        """Score every case: float64 (N,), -inf for those that are not allowed.

        Args:
            line: How; with variants the best look of a case counts.
            allowed: bool (N,), who may win.
        """
        if len(self._rows) == 0:
            return np.full(len(allowed), -np.inf)
        aggregation = AGGREGATIONS[line.aggregation]
        score = aggregation.variants if line.variants else aggregation.score
        assert score is not None
        return score(self._query(line, allowed))

    def _query(self, line: Line, allowed: np.ndarray) -> Query:
        answers = self._answered(line.index)
        return Query(
            s=ExactAnswers.masked(self._exact.s, allowed),
            channel=self._rows.rows.channel,
            allowed=allowed,
            nearest=lambda k: answers.nearest(allowed, k),
            database=self._database,
            scan=lambda: self._scan,
            verify=self._pairs.score,
            without=line.without,
            least_lead=self._least_lead,
            looks=lambda: [
                replace(look, s=ExactAnswers.masked(look.s, allowed)) for look in self._looks
            ],
            parts=lambda: self._best_parts(allowed),
            again=self._again,
        )

    def _best_parts(self, allowed: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        there = allowed & (np.diff(self._database.starts) > 0)
        return None if self._parts is None else self._parts.best(there)

    def _answered(self, index: str) -> Answers:
        if index == "exact":
            return self._exact
        if index not in self._answers:
            self._answers[index] = self._index(index).ask(self._rows.rows.embedding)
        return self._answers[index]


def judge(
    asked: Asked, lines: Sequence[Line], strangers: np.ndarray, right: np.ndarray
) -> dict[str, Outcome]:
    """What every line says about a query, by `Line.key`.

    Args:
        asked: The query.
        lines: The lines.
        strangers: bool (N,): the cases of other persons.
        right: bool (N,): the source and its known identical copies.
    """
    everybody = np.ones_like(strangers)
    return {
        line.key: _outcome(asked.scores(line, everybody), asked.scores(line, strangers), right)
        for line in lines
    }


def _outcome(scores: np.ndarray, without: np.ndarray, right: np.ndarray) -> Outcome:
    best = int(scores.argmax())
    source = scores[right].max()
    return Outcome(
        best=float(scores[best]),
        right=bool(right[best]) and bool(np.isfinite(source)),
        rank=int((scores[~right] >= source).sum()),
        stranger=float(without.max()),
    )
