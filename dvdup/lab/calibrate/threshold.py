"""Strengths to a threshold: for a false-alarm budget, or by Youden; and how well it does.

In: the highest strength among the strangers of each case, and the strengths of edited copies. Out:
`Fitted`. The measuring itself (rates, folds, bootstrap) is that of the bench.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dvdup.lab.evaluate import statistics
from dvdup.lab.evaluate.statistics import Rate, Sample

LEVELS = ("mild", "medium")
"""Strengths of the edited copies."""

_TAIL = 0.2  # share of the strangers that the tail is fitted to ...
_LEAST = 10  # ... and how many at least
_PARETO = 30  # points from which the shape of the tail can be told
_REGULAR = 0.5  # shapes up to here either way, where maximum likelihood can be trusted
_STEP = 1e-3  # strengths closer than this are equal; a stored threshold has three places
_BOOTSTRAP = 1000
_REFITS = 200  # bootstrap samples in which the threshold is fitted anew


@dataclass(frozen=True, slots=True, eq=False)
class Strengths:
    """What was measured: Q strangers and P copies."""

    stranger: np.ndarray
    """float64 (Q,): highest strength among the strangers of a case; -inf if it has none."""
    stranger_group: np.ndarray
    """int (Q,): 0 to G - 1."""
    copy: np.ndarray
    """float64 (P,)."""
    copy_group: np.ndarray
    """int (P,)."""
    copy_level: np.ndarray
    """int (P,): position in `LEVELS`."""

    @property
    def n_groups(self) -> int:
        """Groups with a stranger."""
        return int(self.stranger_group.max(initial=-1)) + 1

    def sample(self) -> Sample:
        """As the bench wants it: strangers are queries that were not edited."""
        never = np.full(len(self.stranger), -np.inf), np.full(len(self.copy), -np.inf)
        edited = np.repeat([False, True], [len(self.stranger), len(self.copy)])
        return Sample(
            person=np.concatenate([self.stranger_group, self.copy_group]),
            edited=edited,
            best=np.concatenate([never[0], self.copy]),
            right=edited,
            stranger=np.concatenate([self.stranger, never[1]]),
        )


@dataclass(frozen=True, slots=True)
class Tail:
    """The upper tail of the strangers: P(S > x) = share * SF(x - start) for x from `start`."""

    start: float
    share: float
    points: int
    """Strangers above the start."""
    shape: float
    """Of a generalised Pareto distribution; 0: exponential."""
    scale: float

    @property
    def name(self) -> str:
        """As in a text book."""
        return "generalised Pareto" if self.shape else "exponential"

    def beyond(self, x: float) -> float:
        """The share of strangers above x, for x from `start`."""
        from scipy.stats import genpareto

        return self.share * float(genpareto.sf(x - self.start, self.shape, scale=self.scale))

    def threshold(self, share: float) -> float:
        """The strength that such a share of strangers exceeds; `start` if the tail is smaller."""
        from scipy.stats import genpareto

        rest = min(1.0, share / self.share)
        return self.start + float(genpareto.isf(rest, self.shape, scale=self.scale))


def fit_tail(stranger: np.ndarray) -> Tail:
    """Fit the upper fifth of the strangers, at least 10 of them.

    Peaks over a threshold, by maximum likelihood. With fewer than 30 points, or where the shape
    lies outside of what maximum likelihood can tell (Smith, Biometrika 72, 1985), the shape is 0.

    Args:
        stranger: float64 (Q,); -inf allowed. With fewer than two finite ones, which a bootstrap
            sample can have, there is no tail.
    """
    ordered = np.sort(stranger[np.isfinite(stranger)])[::-1]
    if len(ordered) < 2:
        return Tail(float(ordered.max(initial=0.0)), 1 / len(stranger), 0, 0.0, _STEP)
    points = min(max(_LEAST, int(np.ceil(_TAIL * len(stranger)))), len(ordered) - 1)
    start = float(ordered[points])
    excess = ordered[:points] - start
    shape, scale = _pareto(excess) if points >= _PARETO else (0.0, 0.0)
    if not 0 < abs(shape) <= _REGULAR or scale <= 0:
        shape, scale = 0.0, max(1e-6, float(excess.mean()))
    return Tail(start, points / len(stranger), points, shape, scale)


def _pareto(excess: np.ndarray) -> tuple[float, float]:
    from scipy.stats import genpareto

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # of a search that leaves the domain on its way
        try:
            shape, _, scale = genpareto.fit(excess, floc=0)
        except (ValueError, RuntimeError):
            return 0.0, 0.0
    return float(shape), float(scale)


def is_extrapolated(budget: float, n: int) -> bool:
    """Whether n strangers cannot show a false-alarm rate as low as this."""
    return budget * n < 1 - 1e-9


def for_budget(budget: float) -> Callable[[Sample], float]:
    """A rule that gives the lowest threshold whose false-alarm rate is within a budget.

    Of the strangers that were seen as far as they can tell; else from their tail, but above all of
    them. So a smaller budget never gives a lower threshold, and copies have no say.
    """

    def fit(sample: Sample) -> float:
        stranger = np.sort(sample.stranger[~sample.edited])[::-1]
        if not np.isfinite(stranger[0]):  # a fold in which nobody has a stranger
            return 0.0
        above_all = float(stranger[0]) + _STEP
        if is_extrapolated(budget, len(stranger)):
            return max(above_all, fit_tail(stranger).threshold(budget))
        highest_silent = stranger[int(budget * len(stranger) + 1e-9)]
        alarming = stranger[stranger > highest_silent]
        if alarming.size == 0:  # several share the first place
            return above_all
        low = highest_silent if np.isfinite(highest_silent) else alarming[-1]
        return float((low + alarming[-1]) / 2)

    return fit


@dataclass(frozen=True, slots=True)
class Performance:
    """What a threshold does."""

    expected: float
    """False alarms a query case, by what was seen or, beyond that, by the tail."""
    alarms: Rate
    """False alarms a query case, as counted."""
    found: tuple[Rate | None, ...]
    """Share of copies found, by `LEVELS`; None where there is no copy."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A threshold and how it does beside the one before."""

    threshold: Rate
    budget: float | None
    """None: Youden."""
    extrapolated: bool
    tail: Tail
    before: Performance
    after: Performance
    """Counted on other groups than the threshold was fitted on."""


def fit(found: Strengths, budget: float | None, before: float, seed: int) -> Fitted:
    """Fit a threshold and judge it, cross-fitted by group.

    Args:
        found: What was measured.
        budget: False alarms a query case; None: by Youden.
        before: The threshold in force.
        seed: Of the folds and the bootstrap.
    """
    sample = found.sample()
    rule = statistics.youden if budget is None else for_budget(budget)
    n_groups = int(sample.person.max(initial=-1)) + 1
    threshold = statistics.threshold_interval(
        sample, rule, statistics.resampled(n_groups, _REFITS, seed)
    )
    tail = fit_tail(found.stranger)
    crossed = statistics.cross_fitted(sample, rule, statistics.folds(n_groups, seed))
    draws = statistics.resampled(n_groups, _BOOTSTRAP, seed)
    fixed = np.full(len(sample.person), before)
    return Fitted(
        threshold=threshold,
        budget=budget,
        extrapolated=budget is not None and is_extrapolated(budget, len(found.stranger)),
        tail=tail,
        before=_performance(found, fixed, expected(found.stranger, tail, before), draws),
        after=_performance(found, crossed, expected(found.stranger, tail, threshold.value), draws),
    )


def expected(stranger: np.ndarray, tail: Tail, threshold: float) -> float:
    """The share of strangers at or above a threshold; above all of them, by the tail."""
    counted = float((stranger >= threshold).mean())
    return counted if counted > 0 else tail.beyond(threshold)


def _performance(
    found: Strengths, thresholds: np.ndarray, alarms: float, draws: np.ndarray
) -> Performance:
    sample = found.sample()
    level = np.concatenate([np.full(len(found.stranger), -1), found.copy_level])
    hit = np.where(sample.edited, sample.best, sample.stranger) >= thresholds
    rates = [
        statistics.rate(hit, level == number, sample.person, draws)
        for number in range(-1, len(LEVELS))
    ]
    counted = rates[0]
    assert counted is not None
    return Performance(
        alarms,
        _exact_at_the_end(counted, found.n_groups),
        tuple(each and _exact_at_the_end(each, found.n_groups) for each in rates[1:]),
    )


def _exact_at_the_end(rate: Rate, n_groups: int) -> Rate:
    """Where none or all were seen a bootstrap sees nothing else: the exact bound of 95 % then."""
    least = float(0.05 ** (1 / n_groups))
    if rate.high <= 0:
        return Rate(rate.value, 0.0, 1 - least)
    return Rate(rate.value, least, 1.0) if rate.low >= 1 else rate
