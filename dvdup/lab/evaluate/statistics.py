"""Scores to thresholds, rates and their intervals.

In: one `Sample` a line, the scores of all its queries. A threshold t raises an alarm at scores
>= t. Sensitivity is the share of positive queries with an alarm for the right case. Specificity is
that of the worse of two pools: scans unedited, and scans under the same edits as the positives, in
both cases with their person taken out of the database.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

FOLDS = 5
"""Parts of the persons; the threshold for one part is fitted on the others."""
SPECIFICITY = 0.99
"""The operating point, beside Youden's."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """The scores of one line; Q queries of scans of P persons."""

    person: np.ndarray
    """int (Q,), 0 to P - 1."""
    edited: np.ndarray
    """bool (Q,): whether the scan was edited; if not, the query is a negative only."""
    best: np.ndarray
    """float64 (Q,): score of the best case with the source in the database."""
    right: np.ndarray
    """bool (Q,): whether that case is the right one."""
    stranger: np.ndarray
    """float64 (Q,): score of the best case without the person."""

    def take(self, mask: np.ndarray) -> Sample:
        """Some of the queries."""
        return Sample(
            self.person[mask],
            self.edited[mask],
            self.best[mask],
            self.right[mask],
            self.stranger[mask],
        )


@dataclass(frozen=True, slots=True)
class Count:
    """A share, and what it was counted from."""

    rate: Rate
    count: int
    of: int


Fit = Callable[[Sample], float]


@dataclass(frozen=True, slots=True)
class Rate:
    """A share or a threshold, with the 95 % interval of a bootstrap over persons."""

    value: float
    low: float
    high: float


def youden(sample: Sample) -> float:
    """The threshold with the largest sensitivity + specificity - 1 (Youden, Cancer 3, 1950).

    Of several the highest; halfway down to the next score that was seen, so that nothing hangs on
    the last digit.
    """
    curve = roc(sample)
    return curve.threshold(int(len(curve.j) - 1 - curve.j[::-1].argmax()))


def at_specificity(sample: Sample, least: float = SPECIFICITY) -> float:
    """The lowest threshold whose specificity is `least` or more."""
    curve = roc(sample)
    return curve.threshold(int((curve.specificity >= least - 1e-12).argmax()))


@dataclass(frozen=True, slots=True, eq=False)
class Roc:
    """Sensitivity and specificity at every threshold that makes a difference, ascending."""

    scores: np.ndarray
    """float64 (T,): the scores that were seen, and one above all of them."""
    sensitivity: np.ndarray
    specificity: np.ndarray

    @property
    def j(self) -> np.ndarray:
        """Youden's J."""
        total: np.ndarray = np.round(self.sensitivity + self.specificity - 1, 12)
        return total

    def threshold(self, i: int) -> float:
        """A threshold between the score i and the one below."""
        return float(self.scores[i] if i == 0 else (self.scores[i - 1] + self.scores[i]) / 2)


def roc(sample: Sample) -> Roc:
    """The curve of a sample; of an empty pool every rate is perfect."""
    seen = np.concatenate([sample.best, sample.stranger])
    scores = np.unique(seen[np.isfinite(seen)])
    scores = np.append(scores, scores[-1] + 1.0 if scores.size else 1.0)
    hits = np.sort(sample.best[sample.edited & sample.right])
    n = max(1, int(sample.edited.sum()))
    sensitivity = (len(hits) - np.searchsorted(hits, scores)) / n
    pools = [sample.stranger[~sample.edited], sample.stranger[sample.edited]]
    specificity = np.min([_below(pool, scores) for pool in pools], axis=0)
    return Roc(scores, sensitivity, specificity)


def _below(pool: np.ndarray, scores: np.ndarray) -> np.ndarray:
    if pool.size == 0:
        return np.ones(len(scores))
    share: np.ndarray = np.searchsorted(np.sort(pool), scores) / pool.size
    return share


def folds(n_persons: int, seed: int) -> np.ndarray:
    """Int (P,): the fold of each person; with one person there is nothing to fit on but itself."""
    order = np.random.default_rng([seed, 1]).permutation(n_persons)
    parts = np.empty(n_persons, int)
    parts[order] = np.arange(n_persons) % FOLDS
    return parts


def cross_fitted(sample: Sample, fit: Fit, parts: np.ndarray) -> np.ndarray:
    """float64 (Q,): for each query the threshold fitted on the persons of the other folds."""
    thresholds = np.empty(len(sample.person))
    fold = parts[sample.person]
    for part in np.unique(fold):
        others = sample.take(fold != part)
        thresholds[fold == part] = fit(others if len(others.person) else sample)
    return thresholds


def resampled(n_persons: int, times: int, seed: int) -> np.ndarray:
    """float64 (B, P): how often each person is drawn in each bootstrap sample."""
    rng = np.random.default_rng([seed, 2])
    draws: np.ndarray = rng.multinomial(n_persons, np.full(n_persons, 1 / n_persons), size=times)
    return draws.astype(np.float64)


def rate(hit: np.ndarray, mask: np.ndarray, person: np.ndarray, draws: np.ndarray) -> Rate | None:
    """The share of hits among the queries of a mask; None if there are none.

    Args:
        hit: bool (Q,).
        mask: bool (Q,).
        person: int (Q,).
        draws: (B, P), from `resampled`.
    """
    return worst([(hit, mask)], person, draws)


def count(hit: np.ndarray, mask: np.ndarray, person: np.ndarray, draws: np.ndarray) -> Count | None:
    """As `rate`, with the numbers of queries."""
    found = rate(hit, mask, person, draws)
    return None if found is None else Count(found, int((hit & mask).sum()), int(mask.sum()))


def worst(
    pools: Sequence[tuple[np.ndarray, np.ndarray]], person: np.ndarray, draws: np.ndarray
) -> Rate | None:
    """The lowest rate of several pools (hit, mask), which is taken anew in every sample."""
    values, samples = [], []
    for hit, mask in pools:
        if not mask.any():
            continue
        n = draws.shape[1]
        hits = np.bincount(person[mask & hit], minlength=n)
        totals = np.bincount(person[mask], minlength=n)
        values.append(hits.sum() / totals.sum())
        drawn = draws @ totals
        with np.errstate(invalid="ignore", divide="ignore"):
            samples.append(np.where(drawn > 0, draws @ hits / drawn, np.nan))
    if not values:
        return None
    low, high = np.nanpercentile(np.min(samples, axis=0), (2.5, 97.5))
    return Rate(float(min(values)), float(low), float(high))


def threshold_interval(sample: Sample, fit: Fit, draws: np.ndarray) -> Rate:
    """The threshold fitted on everybody, and on every bootstrap sample."""
    order = np.argsort(sample.person, kind="stable")
    ends = np.searchsorted(sample.person[order], np.arange(draws.shape[1] + 1))
    found = []
    for counts in draws.astype(int):
        rows = [
            np.tile(order[ends[person] : ends[person + 1]], counts[person])
            for person in np.flatnonzero(counts)
        ]
        found.append(fit(sample.take(np.concatenate(rows))))
    low, high = np.percentile(found, (2.5, 97.5))
    return Rate(fit(sample), float(low), float(high))
