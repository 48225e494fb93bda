"""The rank scores of two cases: whole numbers that depend on these two cases alone.

Case x asks case y: every asking slice of x under every change looks for the most similar slice of
y, and as it is and shrunk for the most similar cropped slice of y. A cosine s counts
exp(12 (s - 1)), so that a few slices that agree exactly outweigh many that agree vaguely, as those
of strangers do. Two scores come of it:

- `change`: the mean over the slices under the one change that is best for all of them together;
- `bag`: the mean over the slices, each under the change that is best for it alone.

Of several channels the one that scores highest counts. The score of a pair is the higher one of
both directions, so that it does not matter who came first. Scores rank candidates; they are no
evidence, and no threshold is put to them.

Source: measured by the project; the weighting by exp follows the late interaction with a
temperature of contrastive learning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dvdup.compare.variant_rows import CROP_ASKING, UNIT, VariantRows

ONE = 1 << 20
"""The score of a case with itself, but for rounding."""

_STEEP = 12.0
_PRODUCT = 1 << 19  # floats of a product, so that it stays near the processor
_FLOOR = 0.5  # cosines below count nothing: chance


def weights(cosine: np.ndarray) -> np.ndarray:
    """What cosines count, float64 of the same shape, 0 to 1."""
    found: np.ndarray = np.where(
        cosine >= _FLOOR, np.exp(_STEEP * (np.minimum(cosine, 1.0) - 1)), 0.0
    )
    return found


_COUNTS = np.rint(weights(np.arange(UNIT + 1) / UNIT) * ONE).astype(np.int64)
"""int64 (UNIT + 1,): what a product of two rows counts."""


@dataclass(frozen=True, slots=True)
class RankScores:
    """The two scores of cases against cases."""

    change: np.ndarray
    """int64 (X, Y)."""
    bag: np.ndarray
    """int64 (X, Y)."""


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
    def slices(self) -> tuple[np.ndarray, np.ndarray]:
        """float32 (64, M): the slices of all cases, and int64 (N,): where each case begins."""
        return _joined([case.slices for case in self.cases])

    @cached_property
    def crops(self) -> tuple[np.ndarray, np.ndarray]:
        """float32 (64, M): the cropped slices of all cases, and where each case begins."""
        return _joined([case.crops for case in self.cases])

    @cached_property
    def asking(self) -> np.ndarray:
        """float32 (R, 64): the asking rows of all cases, of each all changes one by one."""
        rows = [case.asking.reshape(-1, case.asking.shape[-1]) for case in self.cases]
        return np.concatenate(rows).astype(np.float32)

    @cached_property
    def crop_asking(self) -> np.ndarray:
        """float32 (R, 64): the rows that ask for crops, of each case change by change."""
        rows = [
            case.asking[: len(CROP_ASKING)].reshape(-1, case.asking.shape[-1])
            for case in self.cases
        ]
        return np.concatenate(rows).astype(np.float32)


def _joined(parts: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    starts = np.cumsum([0, *map(len, parts)])[:-1]
    return np.ascontiguousarray(np.concatenate(parts).T, np.float32), starts


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
    whole, cropped = _counted(x.asking, *y.slices), _counted(x.crop_asking, *y.crops)
    found = RankScores(np.zeros((len(x), len(y)), np.int64), np.zeros((len(x), len(y)), np.int64))
    start = first = 0
    for row, case in enumerate(x.cases):
        n_changes, n_slices, _ = case.asking.shape
        stop = start + n_changes * n_slices
        last = first + min(n_changes, len(CROP_ASKING)) * n_slices
        counts = np.concatenate([whole[start:stop], cropped[first:last]])
        counts = counts.reshape(-1, n_slices, len(y))
        _best_channel(counts, case.channel, found.change[row], found.bag[row])
        start, first = stop, last
    return found


def _best_channel(
    counts: np.ndarray, channels: np.ndarray, change: np.ndarray, bag: np.ndarray
) -> None:
    """Write the scores of the channel that scores highest.

    Args:
        counts: int64 (A + K, Q, Y): what each asking slice counts for each case by change.
        channels: uint8 (Q,): of each asking slice.
        change: int64 (Y,), written to.
        bag: int64 (Y,), written to.
    """
    for channel in np.unique(channels).tolist():
        own = counts[:, channels == channel]
        n = own.shape[1]
        np.maximum(change, own.sum(axis=1).max(axis=0) // n, out=change)
        np.maximum(bag, own.max(axis=0).sum(axis=0) // n, out=bag)


def _counted(asking: np.ndarray, rows: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """int64 (R, Y): what the row of each case nearest to an asking row counts for it."""
    step = max(1, _PRODUCT // rows.shape[1])
    parts = [
        np.maximum.reduceat(asking[start : start + step] @ rows, starts, axis=1)
        for start in range(0, len(asking), step)
    ]
    best = np.clip(np.concatenate(parts), 0, UNIT).astype(np.int64)
    found: np.ndarray = _COUNTS[best]
    return found
