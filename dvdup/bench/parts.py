"""A query as a part of the cases of a database, and they as parts of the query.

The bench's side of `pipeline.planes`: scans in memory, and cases that are not allowed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dvdup import slicing, variants
from dvdup.bench.aggregations import own
from dvdup.bench.database import Database, join
from dvdup.bench.nearest import Exact, ExactAnswers
from dvdup.pipeline.kept import Changed


@dataclass(frozen=True, slots=True, eq=False)
class Cropped:
    """The cases of a database after each of `variants.CROPS`."""

    databases: tuple[Database, ...]
    """One a crop."""

    @staticmethod
    def of(cases: Sequence[Changed]) -> Cropped:
        """Join cases."""
        channels = [case.channel for case in cases]
        return Cropped(
            tuple(join([case.rows[crop] for case in cases], channels) for crop in variants.CROPS)
        )

    def save(self, file: Path) -> None:
        """Write it, whole or not at all."""
        first = self.databases[0]
        part = file.with_name(file.name + ".part")
        with part.open("wb") as stream:
            np.savez(
                stream,
                embedding=np.stack([each.embedding.astype(np.float16) for each in self.databases]),
                starts=first.starts,
                channel=first.channel,
            )
        part.replace(file)

    @staticmethod
    def load(file: Path) -> Cropped:
        """Read it back."""
        with np.load(file) as found:
            starts, channel = found["starts"], found["channel"]
            return Cropped(
                tuple(
                    Database(rows.astype(np.float32), starts, channel)
                    for rows in found["embedding"]
                )
            )


class Parts:
    """One query against a database, crop by crop."""

    def __init__(self, query: Changed, whole: Exact, cropped: Sequence[Exact]) -> None:
        """Compare every way.

        Args:
            query: Some of its slices, as they are and cropped.
            whole: The database.
            cropped: The database after each crop.
        """
        rows = query.as_float32()
        self._plane, self._channel = query.plane, query.channel
        self._ways = (
            [exact.ask(rows[variants.SAME]).s for exact in cropped],
            [whole.ask(rows[crop]).s for crop in variants.CROPS],
        )

    def best(self, allowed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lead and similarity of every case at its best place, float64 (N,); -inf if not allowed.

        Args:
            allowed: bool (N,), the cases that may win and have slices.
        """
        found = np.full((2, len(allowed)), -np.inf)
        for way in self._ways:
            s = [ExactAnswers.masked(each, allowed).astype(np.float64) for each in way]
            ahead = [own.ahead(each, allowed) for each in s]
            for channel in np.unique(self._channel).tolist():
                rows = self._channel == channel
                scores = [self._placed(values, rows) for values in (ahead, s)]
                found = np.maximum(found, scores)
        found[:, ~allowed] = -np.inf
        lead, similarity = found
        return lead, similarity

    def _placed(self, by_crop: Sequence[np.ndarray], rows: np.ndarray) -> np.ndarray:
        """The mean over some slices at the best place, (N,)."""
        planes = [rows & (self._plane == plane) for plane in range(len(slicing.PLANES))]
        parts = {
            crop: np.array([values[plane].sum(axis=0) for plane in planes]) / rows.sum()
            for crop, values in zip(variants.CROPS, by_crop, strict=True)
        }
        return variants.best(variants.PLACES, parts)
