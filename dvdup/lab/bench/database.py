"""The scans that queries are asked against, and queries ready to be scored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from dvdup.compare.scores import RankScores
from dvdup.lab.evaluate.scans import Scan
from dvdup.records import Embedded
from dvdup.verify import Steps

TIE = 2e-6
"""Cosines closer than this are equal, as in `match`."""


@dataclass(frozen=True, slots=True, eq=False)
class Database:
    """The rows of N cases, M in all, in the order of the cases."""

    embedding: np.ndarray
    """float32 (M, D), rounded to float16."""
    starts: np.ndarray
    """int64 (N + 1,): the rows of case k are those from starts[k] to starts[k + 1]."""
    channel: np.ndarray
    """int16 (M,): the channel that a row is of."""

    @property
    def n_cases(self) -> int:
        """N."""
        return len(self.starts) - 1

    @property
    def case_of_row(self) -> np.ndarray:
        """int64 (M,): the case of each row."""
        return np.repeat(np.arange(self.n_cases), np.diff(self.starts))

    def slices(self, case: int) -> Embedded:
        """The rows and channels of one case; where a slice lies is not known here."""
        rows = slice(*self.starts[case : case + 2].tolist())
        zeros = np.zeros(rows.stop - rows.start, np.int32)
        return Embedded(
            self.embedding[rows],
            self.channel[rows],
            zeros.astype(np.uint8),
            zeros,
            zeros.astype(np.float32),
        )

    def save(self, file: Path) -> None:
        """Write it, whole or not at all."""
        part = file.with_name(file.name + ".part")
        with part.open("wb") as stream:
            np.savez(
                stream,
                embedding=self.embedding.astype(np.float16),
                starts=self.starts,
                channel=self.channel,
            )
        part.replace(file)

    @staticmethod
    def load(file: Path) -> Database:
        """Read it back.

        Raises:
            KeyError: It was written by a dvdup that kept less.
        """
        with np.load(file) as found:
            return Database(
                found["embedding"].astype(np.float32), found["starts"], found["channel"]
            )


def join(parts: Sequence[np.ndarray], channels: Sequence[np.ndarray] | None = None) -> Database:
    """A database from the rows (S, D) of each case, and their channels (S,) if not all are 0."""
    starts = np.cumsum([0, *map(len, parts)])
    filled = [part for part in parts if len(part)]
    embedding = np.concatenate(filled) if filled else np.zeros((0, 1), np.float32)
    channel = np.zeros(len(embedding), np.int16)
    if channels:
        channel = np.concatenate(channels).astype(np.int16)
    return Database(embedding, starts, channel)


def no_voxels(case: int, steps: Steps) -> float:
    """Stands in where nobody looks at voxels."""
    raise AssertionError("this query has no voxels")


class Ranker(Protocol):
    """Gives the scores that rank the candidates of a query."""

    def __call__(self, *, variants: bool = True) -> RankScores:
        """Score every case; without variants by the slices as they are alone."""


def no_variants(*, variants: bool = True) -> RankScores:
    """Stands in for methods without variants."""
    raise AssertionError("this query has no variants")


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """What an aggregation knows of one query; S slices, N cases.

    Only the cases of `allowed` may win; the columns of the others in `s` hold -2.
    """

    s: np.ndarray
    """float32 (S, N): highest cosine of each query slice to any slice of each case."""
    channel: np.ndarray
    """int16 (S,): which channel a slice belongs to."""
    allowed: np.ndarray
    """bool (N,): cases of the database it is asked against."""
    nearest: Callable[[int], np.ndarray]
    """k -> int64 (S, k): cases of the k nearest slices by the index in use, nearest first, -1
    where there are fewer."""
    database: Database
    scan: Callable[[], Scan]
    """The edited scan itself, for aggregations that look at voxels."""
    verify: Callable[[int, Steps], float] = no_voxels
    """`verify.score` of the query and a case, when some steps are taken."""
    rank_scores: Ranker = no_variants
    """The scores (1, N) that rank candidates, -1 for cases that are not allowed."""
    without: str = ""
    """What is left out to see what it is worth: a name in `ABLATIONS`."""

    def by_channel(self, score: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Score each channel on its own and take the maximum.

        Args:
            score: From the numbers of the slices of one channel, int (s,), to scores (N,).

        Returns:
            float64 (N,), -inf for cases that are not allowed or have no slice.
        """
        found = np.full(len(self.allowed), -np.inf)
        for channel in np.unique(self.channel).tolist():
            rows = np.flatnonzero(self.channel == channel)
            found = np.maximum(found, score(rows))
        found[~self.allowed | (np.diff(self.database.starts) == 0)] = -np.inf
        return found
