"""Coarse scores of two cases: a fifth of the work of rank scores, to draw a shortlist by.

Every asking row, under every change, looks into its nearest `ASKED_COARSELY` cells of the code book
only, an eighth of those in which it looks for a rank score (see `scores`), and in each of them
finds the most similar row of a case. What these count is summed over all rows, changes and
channels, a share of the asking slices. Two numbers come of it, whole and functions of the two cases
alone:

- `change`: the sum of both directions;
- `bag`: the higher one of both directions, for copies that are found in one of them only.

They bear the names of the rank scores, so that lists of cases by them are kept and brought up to
date in the same way; they mean nothing beside one another, and nothing beside rank scores.

Source: fewer probes of an inverted file for a first ranking, all of them for the second (Jegou,
Douze, Schmid, TPAMI 2011); measured by `tests/perf/approximate.py`.
"""

from __future__ import annotations

import numpy as np

from dvdup.compare.scores import COUNTS, Asking, Block, Found, RankScores, highest


def coarse_scores_of(x: Block, y: Block) -> RankScores:
    """Score every case of one block against every case of another, in both directions.

    Args:
        x: X cases.
        y: Y cases.
    """
    ahead, back = _asked(x, y), _asked(y, x).T
    return RankScores(ahead + back, np.maximum(ahead, back))


def _asked(x: Block, y: Block) -> np.ndarray:
    """What the cases of y count for those of x, which ask; int64 (X, Y)."""
    sums = np.zeros((len(x), len(y)), np.int64)
    for asking, found in zip(x.coarse, (y.slices, y.crops), strict=True):
        _add(sums, asking, found)
    slices: np.ndarray = np.array([case.asking.shape[1] for case in x.cases])
    shares: np.ndarray = sums // slices[:, None]
    return shares


def _add(sums: np.ndarray, asking: Asking, found: Found) -> None:
    """Add what the rows of X cases count for Y cases, cell by cell; sums is int64 (X, Y)."""
    for cell in np.flatnonzero(np.diff(asking.starts) * np.diff(found.starts)).tolist():
        entries = asking.entries[asking.starts[cell] : asking.starts[cell + 1]]
        first, end = found.starts[cell : cell + 2]
        runs = slice(*found.first_runs[cell : cell + 2])
        others = asking.rows[entries].astype(np.float32)
        product = found.rows[first:end].astype(np.float32) @ others.T
        best = highest(product, found.runs[runs] - first)
        counts = COUNTS.take(best.astype(np.intp), mode="clip")
        cases = asking.cases[entries]
        starts = np.flatnonzero(np.diff(cases, prepend=-1))
        each = np.add.reduceat(counts, starts, axis=1, dtype=np.int64)
        sums[cases[starts, None], found.cases[runs]] += each.T
