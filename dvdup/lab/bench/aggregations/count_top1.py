"""Share of the query slices whose nearest slice is of the case (arXiv 2312.07273, top-1)."""

from __future__ import annotations

import numpy as np

from dvdup.lab.bench.database import Query


def score(query: Query) -> np.ndarray:
    """`count_score` of every case, float64 (N,)."""
    winner = query.nearest(1)[:, 0]
    n = len(query.allowed)

    def share(rows: np.ndarray) -> np.ndarray:
        won = winner[rows]
        return np.bincount(won[won >= 0], minlength=n) / len(rows)

    return query.by_channel(share)
