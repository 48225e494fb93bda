"""The rank scores of two cases: whole numbers that depend on these two cases alone.

Case x asks case y: every asking slice of x under every change looks for the most similar slice of
y, and as it is and shrunk for the most similar cropped slice of y (a picture under every change),
among those in the few cells of the code book that are nearest to it. A cosine s counts
exp(12 (s - 1)), so that a few slices that agree exactly outweigh many that agree vaguely, as those
of strangers do. Two scores come of it:

- `change`: the mean over the slices under the one change that is best for all of them together;
- `bag`: the mean over the slices, each under the change that is best for it alone.

Of several channels the one that scores highest counts. The score of a pair is the higher one of
both directions, so that it does not matter who came first. Scores rank candidates; they are no
evidence, and no threshold is put to them.

Source: measured by the project; the weighting by exp follows the late interaction with a
temperature of contrastive learning, the cells are an inverted file (Sivic, Zisserman, ICCV 2003).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dvdup.compare.variant_rows import ASKED_COARSELY, CELLS, UNIT, VariantRows

ONE = 1 << 20
"""The score of a case with itself, but for rounding."""

_STEEP = 12.0
_FLOOR = 0.5  # cosines below count nothing: chance


def weights(cosine: np.ndarray) -> np.ndarray:
    """What cosines count, float64 of the same shape, 0 to 1."""
    found: np.ndarray = np.where(
        cosine >= _FLOOR, np.exp(_STEEP * (np.minimum(cosine, 1.0) - 1)), 0.0
    )
    return found


COUNTS = np.rint(weights(np.arange(UNIT + 1) / UNIT) * ONE).astype(np.int32)
"""int32 (UNIT + 1,): what a product of two rows counts."""
_EVERY = np.arange(CELLS + 1)


@dataclass(frozen=True, slots=True)
class RankScores:
    """The two scores of cases against cases."""

    change: np.ndarray
    """int64 (X, Y)."""
    bag: np.ndarray
    """int64 (X, Y)."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The rows of some cases that can be found, cell by cell, in each case by case."""

    rows: np.ndarray
    """int8 (M, 64)."""
    runs: np.ndarray
    """int64 (R,): where a run of rows of one cell and case begins."""
    cases: np.ndarray
    """int64 (R,): the case of each run."""
    starts: np.ndarray
    """int64 (257,): the first row of each cell."""
    first_runs: np.ndarray
    """int64 (257,): the first run of each cell."""


@dataclass(frozen=True, slots=True, eq=False)
class Asking:
    """The rows of some cases that ask, cell by cell."""

    rows: np.ndarray
    """int8 (N, 64): case by case, of each all changes one by one."""
    entries: np.ndarray
    """int64 (M,): the rows that look into each cell."""
    starts: np.ndarray
    """int64 (257,): the first entry of each cell."""
    cases: np.ndarray
    """int64 (N,): the case of each row, ascending."""


class Block:
    """The rows of some cases side by side, ready for products."""

    def __init__(self, cases: Sequence[VariantRows]) -> None:
        """Join the rows of cases.

        Args:
            cases: At least one; each has at least one slice.
        """
        self.cases = tuple(cases)

    def __len__(self) -> int:
        return len(self.cases)

    @cached_property
    def slices(self) -> Found:
        """The slices of all cases."""
        return _found([(case.slices, case.slice_cells) for case in self.cases])

    @cached_property
    def crops(self) -> Found:
        """The cropped slices of all cases."""
        return _found([(case.crops, case.crop_cells) for case in self.cases])

    @cached_property
    def asking(self) -> Asking:
        """The rows that ask for slices."""
        return self._asking(CELLS, whole=True)

    @cached_property
    def crop_asking(self) -> Asking:
        """The rows that ask for crops."""
        return self._asking(CELLS, whole=False)

    @cached_property
    def coarse(self) -> tuple[Asking, Asking]:
        """The same rows, for slices and for crops, in the few cells that coarse scores go by."""
        return self._asking(ASKED_COARSELY, whole=True), self._asking(ASKED_COARSELY, whole=False)

    def _asking(self, n_cells: int, *, whole: bool) -> Asking:
        changes = [slice(None if whole else case.n_asking_crops) for case in self.cases]
        return _asking(
            [
                (case.asking[chosen], case.asking_cells[chosen][..., :n_cells])
                for case, chosen in zip(self.cases, changes, strict=True)
            ]
        )


def _found(parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> Found:
    cells = np.concatenate([each for _, each in parts])
    of_case = np.repeat(np.arange(len(parts)), [len(each) for _, each in parts])
    order = np.argsort(cells, kind="stable")
    cells, of_case = cells[order], of_case[order]
    runs = np.flatnonzero(np.concatenate([[True], (np.diff(cells) != 0) | (np.diff(of_case) != 0)]))
    return Found(
        np.concatenate([rows for rows, _ in parts])[order],
        runs,
        of_case[runs],
        np.searchsorted(cells, _EVERY),
        np.searchsorted(cells[runs], _EVERY),
    )


def _asking(parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> Asking:
    rows = np.concatenate([each.reshape(-1, each.shape[-1]) for each, _ in parts])
    n_cells = [np.full(each[..., 0].size, each.shape[-1]) for _, each in parts]
    cells = np.concatenate([each.ravel() for _, each in parts])
    order = np.argsort(cells, kind="stable")
    entries = np.repeat(np.arange(len(rows)), np.concatenate(n_cells))[order]
    of_case = np.repeat(np.arange(len(parts)), [each[..., 0].size for each, _ in parts])
    return Asking(rows, entries, np.searchsorted(cells[order], _EVERY), of_case)


def rank_scores_of(x: Block, y: Block) -> RankScores:
    """Score every case of one block against every case of another, in both directions.

    Args:
        x: X cases.
        y: Y cases.
    """
    ahead, back = _asked(x, y), _asked(y, x)
    return RankScores(np.maximum(ahead.change, back.change.T), np.maximum(ahead.bag, back.bag.T))


def _asked(x: Block, y: Block) -> RankScores:
    """The scores where the cases of x ask those of y."""
    whole = _nearest(x.asking, y.slices, len(y))
    cropped = _nearest(x.crop_asking, y.crops, len(y))
    found = RankScores(np.zeros((len(x), len(y)), np.int64), np.zeros((len(x), len(y)), np.int64))
    start = first = 0
    for row, case in enumerate(x.cases):
        n_changes, n_slices, _ = case.asking.shape
        stop = start + n_changes * n_slices
        last = first + case.n_asking_crops * n_slices
        best = np.concatenate([whole[:, start:stop].T, cropped[:, first:last].T])
        counts = COUNTS[best].reshape(-1, n_slices, len(y))
        _best_channel(counts, case.channel, found.change[row], found.bag[row])
        start, first = stop, last
    return found


def _best_channel(
    counts: np.ndarray, channels: np.ndarray, change: np.ndarray, bag: np.ndarray
) -> None:
    """Write the scores of the channel that scores highest.

    Args:
        counts: int32 (A + K, Q, Y): what each asking slice counts for each case by change.
        channels: uint8 (Q,): of each asking slice.
        change: int64 (Y,), written to.
        bag: int64 (Y,), written to.
    """
    for channel in np.unique(channels).tolist():
        own = counts[:, channels == channel]
        n = own.shape[1]
        np.maximum(change, own.sum(axis=1, dtype=np.int64).max(axis=0) // n, out=change)
        np.maximum(bag, own.max(axis=0).sum(axis=0, dtype=np.int64) // n, out=bag)


def _nearest(asking: Asking, found: Found, n_cases: int) -> np.ndarray:
    """int16 (Y, N): of each case the highest product with each asking row, 0 to UNIT."""
    best = np.zeros((n_cases, len(asking.rows)), np.int16)
    for cell in np.flatnonzero(np.diff(asking.starts) * np.diff(found.starts)).tolist():
        entries = asking.entries[asking.starts[cell] : asking.starts[cell + 1]]
        first, end = found.starts[cell : cell + 2]
        runs = slice(*found.first_runs[cell : cell + 2])
        rows, others = found.rows[first:end].astype(np.float32), asking.rows[entries]
        most = highest(rows @ others.astype(np.float32).T, found.runs[runs] - first)
        place = found.cases[runs, None], entries
        best[place] = np.maximum(best[place], np.minimum(most, UNIT).astype(np.int16))
    return best


def highest(product: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """The maximum of each run of rows; runs are short, which `reduceat` is slow at.

    Args:
        product: float32 (M, N).
        starts: int64 (R,): the first row of each run, from 0.

    Returns:
        float32 (R, N).
    """
    lengths = np.diff(starts, append=len(product))
    found: np.ndarray = product[starts]
    for n in range(1, int(lengths.max())):
        longer = np.flatnonzero(lengths > n)
        found[longer] = np.maximum(found[longer], product[starts[longer] + n])
    return found
