"""How far the slices of a query are ahead of what others offer them.

dvdup ranks the candidates of a comparison by it; what it decides is `verified`.
"""

from __future__ import annotations

import numpy as np

from dvdup.bench.database import Query

_RIVAL = 3  # rank of the rival: two copies of one scan do not take the lead from each other


def score(query: Query) -> np.ndarray:
    """The lead of every case, float64 (N,), 0 to 1.

    The lead of case k on slice i is how far s[i, k] lies on the way from r to 1, not below 0; r is
    what the third best case offers the slice. The score is the mean over the slices. A slice that
    looks alike in many people gives nobody a lead.
    """
    there = np.flatnonzero(query.allowed & (np.diff(query.database.starts) > 0))

    def lead(rows: np.ndarray) -> np.ndarray:
        s = query.s[rows].astype(np.float64)
        rival = _rival(s[:, there])[:, None]
        ahead = np.clip((s - rival) / np.maximum(1e-3, 1 - rival), 0, 1)
        found: np.ndarray = ahead.mean(axis=0)
        return found

    return query.by_channel(lead)


def _rival(s: np.ndarray) -> np.ndarray:
    """The third highest of each row (S, N); 0 where there are too few cases to have rivals."""
    if s.shape[1] < _RIVAL:
        return np.zeros(len(s))
    rival: np.ndarray = np.partition(s, -_RIVAL, axis=1)[:, -_RIVAL]
    return rival
