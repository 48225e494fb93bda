"""dvdup's own score."""

from __future__ import annotations

import numpy as np

from dvdup.bench.database import NEVER, Query


def score(query: Query) -> np.ndarray:
    """Standout of the similarity of every case, float64 (N,)."""
    there = query.allowed & (np.diff(query.database.starts) > 0)

    def standout(rows: np.ndarray) -> np.ndarray:
        similarity = query.s[rows].mean(axis=0, dtype=np.float64)
        if not there.any():
            return np.full(len(there), float(NEVER))
        background = float(np.median(similarity[there]))
        found: np.ndarray = (similarity - background) / max(1e-6, 1 - background)
        return found

    return query.by_channel(standout)
