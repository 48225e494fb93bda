"""Similarity of whole scans, for baselines."""

from __future__ import annotations

import numpy as np

from dvdup.lab.bench.database import Query


def score(query: Query) -> np.ndarray:
    """The cosine of the rows, of several channels the highest; float64 (N,)."""
    return query.by_channel(lambda rows: query.s[rows].astype(np.float64).max(axis=0))
