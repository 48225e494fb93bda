"""Share of the query slices with the case among the three nearest slices (arXiv 2312.07273)."""

from __future__ import annotations

import numpy as np

from dvdup.lab.bench.database import Query


def score(query: Query) -> np.ndarray:
    """`count_top3` of every case, float64 (N,); a slice has one vote a case."""
    nearest = query.nearest(3)
    n = len(query.allowed)

    def share(rows: np.ndarray) -> np.ndarray:
        voted = np.zeros((len(rows), n + 1), bool)
        voted[np.arange(len(rows))[:, None], nearest[rows]] = True  # -1 is the spare column
        shares: np.ndarray = voted[:, :n].mean(axis=0)
        return shares

    return query.by_channel(share)
