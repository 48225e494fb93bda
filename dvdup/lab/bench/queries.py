"""One query against a database: what each line of the result says about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np

from dvdup.compare.scores import Block, RankScores, rank_scores_of
from dvdup.compare.variant_rows import VariantRows, without_variants
from dvdup.lab.bench.aggregations import AGGREGATIONS
from dvdup.lab.bench.database import Database, Query
from dvdup.lab.bench.describers import Rows
from dvdup.lab.bench.nearest import Answers, Exact, ExactAnswers, NearestIndex
from dvdup.lab.bench.pairs import Pairs
from dvdup.lab.bench.plan import Line, Outcome
from dvdup.lab.bench.shelf import Shelf
from dvdup.lab.evaluate.scans import Scan


class DatabaseVariants:
    """The variant rows of N cases, ready to be asked."""

    def __init__(self, cases: Sequence[VariantRows]) -> None:
        """Join them; cases without slices are never found."""
        self._cases = tuple(cases)
        self._there = [code for code, case in enumerate(cases) if len(case.slices)]
        self._block = Block([cases[code] for code in self._there])

    @cached_property
    def plain(self) -> DatabaseVariants:
        """The same cases without variants."""
        return DatabaseVariants([without_variants(case) for case in self._cases])

    def scores(self, query: VariantRows) -> RankScores:
        """The scores (1, N) of a query; -1 where one of the two has no slices."""
        found = RankScores(*(np.full((1, len(self._cases)), -1) for _ in range(2)))
        if len(query.slices) and self._there:
            scores = rank_scores_of(Block([query]), self._block)
            found.change[:, self._there] = scores.change
            found.bag[:, self._there] = scores.bag
        return found


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
        variants: Callable[[], DatabaseVariants],
    ) -> None:
        """Compare it with the database.

        Args:
            rows: The query.
            scan: The edited scan it was made from.
            database: What it is asked against.
            index: Gives the index of a name over that database.
            shelf: The voxels of that database.
            variants: Gives the variant rows of that database.
        """
        whole = index("exact")
        assert isinstance(whole, Exact)
        self._whole = whole
        self._rows, self._scan, self._database, self._index = rows, scan, database, index
        self._pairs = Pairs(scan, rows.rows, database, shelf)
        self._answers: dict[str, Answers] = {}
        self._exact = whole.ask(rows.rows.embedding)
        self._variants = variants

    @cached_property
    def _ranks(self) -> dict[bool, RankScores]:
        """The rank scores of all cases, with variants and without; -1 for cases without rows."""
        rows = self._rows.variants()
        assert rows is not None
        return {
            True: self._variants().scores(rows),
            False: self._variants().plain.scores(without_variants(rows)),
        }

    def scores(self, line: Line, allowed: np.ndarray) -> np.ndarray:
        """Score every case: float64 (N,), -inf for those that are not allowed.

        Args:
            line: How; with variants by those of both scans.
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
            rank_scores=lambda *, variants=True: _masked(self._ranks[variants], allowed),
        )

    def _answered(self, index: str) -> Answers:
        if index == "exact":
            return self._exact
        if index not in self._answers:
            self._answers[index] = self._index(index).ask(self._rows.rows.embedding)
        return self._answers[index]


def _masked(scores: RankScores, allowed: np.ndarray) -> RankScores:
    return RankScores(*(np.where(allowed, each, -1) for each in (scores.change, scores.bag)))


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
