"""From the slices of a query to one score a case: a file and a row of the table each.

To add one: a file with `score(query) -> float64 (N,)`, a row here, a test. Higher is more alike;
one threshold on the score of the best case decides. What `score` may use stands in `Query`; the
voxels of the edited scan are at hand through `query.scan`, and a comparison of them with those of a
case through `query.verify`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from dvdup.lab.bench.aggregations import count_top1, count_top3, own, verified, volume
from dvdup.lab.bench.aggregations.verified import ABLATIONS
from dvdup.lab.bench.database import Query


@dataclass(frozen=True, slots=True)
class Aggregation:
    """One row of the table."""

    name: str
    what: str
    score: Callable[[Query], np.ndarray]
    """Scores (N,); -inf for cases that are not allowed."""
    version: int
    """Grows whenever the same query gets another score: results kept on disk are for one."""
    approximate: bool = False
    """Whether it makes sense with an approximate index: it asks for nearest slices only."""
    variants: Callable[[Query], np.ndarray] | None = None
    """The score with query variants on: never for the published counts."""
    whole: bool = False
    """Whether it is for baselines, whose scans have one row a channel, and for them only."""
    costly: bool = False
    """Whether it compares voxels, and is measured where that is asked for only."""
    shipped: float | None = None
    """Threshold that dvdup itself uses."""


AGGREGATIONS: Mapping[str, Aggregation] = MappingProxyType(
    {
        row.name: row
        for row in (
            Aggregation(
                "count-top1",
                "share of the slices whose nearest slice is of the case",
                count_top1.score,
                version=1,
                approximate=True,
            ),
            Aggregation(
                "count-top3",
                "share of the slices with the case among the three nearest",
                count_top3.score,
                version=1,
                approximate=True,
            ),
            Aggregation(
                "dvdup",
                "agreement of the slices: ranks the candidates of a comparison",
                own.score,
                version=2,
                variants=own.score_variants,
            ),
            Aggregation(
                "verified",
                "voxels of the candidates: what a comparison decides",
                verified.score,
                version=4,
                costly=True,
                shipped=verified.SHIPPED,
            ),
            Aggregation("volume", "similarity of whole scans", volume.score, version=1, whole=True),
        )
    }
)
"""By name, in the order of the output."""

__all__ = ["ABLATIONS", "AGGREGATIONS", "Aggregation"]
