"""How well the slices of a query fit those of a case: dvdup ranks its candidates by it.

What it decides about them is `verified`.
"""

from __future__ import annotations

import numpy as np

from dvdup.compare.scores import ONE, weights
from dvdup.lab.bench.database import Query


def score(query: Query) -> np.ndarray:
    """The rank score of the slices as they are, float64 (N,), 0 to 1; see `compare.scores`.

    The mean over the slices of exp(12 (s - 1)): a few slices that agree exactly outweigh many that
    agree vaguely.
    """

    def mean(rows: np.ndarray) -> np.ndarray:
        found: np.ndarray = weights(query.s[rows].astype(np.float64)).mean(axis=0)
        return found

    return query.by_channel(mean)


def score_variants(query: Query) -> np.ndarray:
    """The rank score under the best change of all slices alike, float64 (N,), 0 to 1.

    It is what ranks the candidates of a comparison: variant rows of both, in both directions.
    """
    change = query.rank_scores().change[0]
    return np.where(change >= 0, change / ONE, -np.inf)
