"""How far the slices of a query are ahead of what others offer them.

dvdup ranks the candidates of a comparison by it; what it decides is `verified`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dvdup.bench.database import Look, Query
from dvdup.match import MIN_LEAD


def score(query: Query) -> np.ndarray:
    """The lead of every case, float64 (N,), 0 to 1.

    The lead of case k on slice i is how far s[i, k] lies on the way from r to 1, not below 0; r is
    what the third best case offers the slice. The score is the mean over the slices. A slice that
    looks alike in many people gives nobody a lead.
    """
    there = query.allowed & (np.diff(query.database.starts) > 0)

    def lead(rows: np.ndarray) -> np.ndarray:
        found: np.ndarray = ahead(query.s[rows].astype(np.float64), there).mean(axis=0)
        return found

    return query.by_channel(lead)


def score_variants(query: Query) -> np.ndarray:
    """The lead in the best of all looks, and as a part of a case, or a case as a part of it."""
    found = [score(query), *(score(changed(query, look)) for look in query.looks())]
    parts = query.parts()
    if parts is not None:
        found.append(parts[0])
    best: np.ndarray = np.max(found, axis=0)
    return best


def changed(query: Query, look: Look) -> Query:
    """A query in another look."""
    return replace(query, s=look.s, channel=look.channel)


def ahead(s: np.ndarray, there: np.ndarray) -> np.ndarray:
    """The lead of every case on every slice, (S, N).

    Args:
        s: float64 (S, N), similarities.
        there: bool (N,), the cases that others can be ahead of.
    """
    rival = _rival(s[:, there])[:, None]
    found: np.ndarray = np.clip((s - rival) / np.maximum(1e-3, 1 - rival), 0, 1)
    return found


def _rival(s: np.ndarray) -> np.ndarray:
    """The third highest of each row (S, N); above every cosine where there are too few cases."""
    if s.shape[1] < MIN_LEAD:
        return np.full(len(s), 2.0)
    rival: np.ndarray = np.partition(s, -MIN_LEAD, axis=1)[:, -MIN_LEAD]
    return rival
