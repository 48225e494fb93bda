"""Thresholds and rates on scores whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvdup.lab.evaluate import statistics
from dvdup.lab.evaluate.statistics import Sample


def sample(best, right, stranger, edited=None, person=None) -> Sample:
    n = len(best)
    return Sample(
        np.arange(n) if person is None else np.array(person),
        np.ones(n, bool) if edited is None else np.array(edited),
        np.array(best, float),
        np.array(right, bool),
        np.array(stranger, float),
    )


def test_youden_lies_between_the_copies_and_the_strangers():
    found = sample([0.9, 0.8, 0.7, 0.2], [1, 1, 1, 1], [0.1, 0.2, 0.3, 0.4])
    assert statistics.youden(found) == pytest.approx(0.55)


def test_a_wrong_case_is_never_a_hit():
    right = sample([0.9, 0.8], [1, 1], [0.1, 0.1])
    wrong = sample([0.9, 0.8], [1, 0], [0.1, 0.1])
    assert statistics.roc(right).sensitivity[1] == 1.0
    assert statistics.roc(wrong).sensitivity[1] == 0.5


def test_the_worse_pool_of_negatives_counts():
    edited = [False] * 4 + [True] * 4
    quiet = sample([1] * 8, [1] * 8, [0.1] * 8, edited)
    loud_unedited = sample([1] * 8, [1] * 8, [0.6, 0.1, 0.1, 0.1] + [0.1] * 4, edited)
    loud_edited = sample([1] * 8, [1] * 8, [0.1] * 4 + [0.6, 0.6, 0.1, 0.1], edited)

    def specificity(found: Sample) -> float:
        curve = statistics.roc(found)
        return float(curve.specificity[np.searchsorted(curve.scores, 0.5)])

    assert specificity(quiet) == 1.0
    assert specificity(loud_unedited) == 0.75
    assert specificity(loud_edited) == 0.5


def test_specificity_is_met_by_the_lowest_threshold_that_meets_it():
    strangers = np.arange(200) / 200
    found = sample([2.0] * 200, [1] * 200, strangers)
    threshold = statistics.at_specificity(found, 0.99)
    assert (strangers < threshold).mean() == 0.99
    assert threshold == pytest.approx((strangers[197] + strangers[198]) / 2)


def test_a_threshold_above_everything_is_found_where_only_that_is_specific():
    found = sample([0.5, 0.5], [1, 1], [0.5, 0.5])
    assert statistics.at_specificity(found) > 0.5


def test_queries_without_a_vote_are_misses_and_no_alarms():
    found = sample([-np.inf, 0.9], [0, 1], [-np.inf, 0.1])
    curve = statistics.roc(found)
    assert curve.sensitivity.max() == 0.5
    assert np.isfinite(statistics.youden(found))
    assert curve.specificity[0] == 0.5


def test_thresholds_come_from_other_persons():
    n = 40
    person = np.repeat(np.arange(10), 4)
    parts = statistics.folds(10, seed=0)
    strangers = np.where(parts[person] == 0, 0.9, 0.1)
    found = sample([1.0] * n, [1] * n, strangers, person=person)
    limits = statistics.cross_fitted(found, statistics.at_specificity, parts)
    assert (limits[parts[person] == 0] < 0.9).all()  # has not seen its own loud strangers
    assert (limits[parts[person] != 0] > 0.9).all()


def test_folds_are_even_and_seeded():
    parts = statistics.folds(23, seed=3)
    assert np.bincount(parts).tolist() == [5, 5, 5, 4, 4]
    assert (parts == statistics.folds(23, seed=3)).all()
    assert (parts != statistics.folds(23, seed=4)).any()


def test_the_interval_is_over_persons_not_queries():
    """One person with many failures widens it: a bootstrap over queries would not see that."""
    person = np.repeat(np.arange(20), 50)
    hit = person != 0
    everything = np.ones(len(hit), bool)
    draws = statistics.resampled(20, 2000, seed=0)
    rate = statistics.rate(hit, everything, person, draws)
    assert rate is not None
    assert rate.value == 0.95
    assert rate.low == pytest.approx(0.85, abs=0.011)
    assert rate.high == 1.0


def test_nothing_to_count_is_no_rate():
    draws = statistics.resampled(2, 5, seed=0)
    nothing = np.zeros(2, bool)
    assert statistics.rate(nothing, nothing, np.arange(2), draws) is None


def test_the_worst_pool_is_taken_anew_in_every_sample():
    person = np.array([0, 1, 0, 1])
    first, second = np.array([1, 1, 0, 0], bool), np.array([0, 0, 1, 1], bool)
    hit = np.array([1, 0, 0, 1], bool)  # each pool is right for one person
    draws = np.array([[2.0, 0.0], [0.0, 2.0], [1.0, 1.0]])
    rate = statistics.worst([(hit, first), (hit, second)], person, draws)
    assert rate is not None
    assert rate.value == 0.5
    assert rate.low == pytest.approx(0.0)
    assert rate.high <= 0.5


def test_the_threshold_interval_covers_the_threshold():
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(15), 4)
    found = sample(rng.normal(2, 1, 60), [1] * 60, rng.normal(0, 1, 60), person=person)
    draws = statistics.resampled(15, 100, seed=0)
    interval = statistics.threshold_interval(found, statistics.youden, draws)
    assert interval.low <= interval.value <= interval.high
    assert interval.low < interval.high


scores = st.lists(
    st.tuples(st.integers(0, 20), st.booleans(), st.integers(0, 20), st.booleans()),
    min_size=2,
    max_size=30,
)


@given(scores)
def test_no_threshold_has_a_larger_j_than_youdens(rows):
    best, right, stranger, edited = (np.array(column) for column in zip(*rows, strict=True))
    found = sample(best / 20, right, stranger / 20, edited)

    def j(threshold: float) -> float:
        n = max(1, int(found.edited.sum()))
        hits = (found.best >= threshold) & found.right & found.edited
        pools = [found.stranger[~found.edited], found.stranger[found.edited]]
        return hits.sum() / n + min((p < threshold).mean() for p in pools if p.size) - 1

    chosen = j(statistics.youden(found))
    assert all(j(t) <= chosen + 1e-9 for t in np.linspace(-0.1, 2.1, 111))
