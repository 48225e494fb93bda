"""The rule for the threshold: monotone in the budget, extrapolated only where it must be."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvdup.lab.calibrate import threshold as room
from dvdup.lab.calibrate.threshold import fit, fit_tail, for_budget, is_extrapolated
from dvdup.lab.evaluate import statistics
from dvdup.lab.evaluate.statistics import Sample

STRANGERS = st.lists(
    st.one_of(st.floats(0, 8, width=32), st.just(-np.inf)), min_size=30, max_size=80
).filter(lambda values: np.isfinite(values).sum() >= 10)


@settings(deadline=None)
@given(STRANGERS, st.lists(st.floats(1e-6, 0.9), min_size=2, max_size=5))
def test_a_smaller_budget_never_gives_a_lower_threshold(values, budgets):
    found = sample_of(values)
    fitted = [for_budget(budget)(found) for budget in sorted(budgets)]
    assert all(a >= b - 1e-9 for a, b in pairwise(fitted))


@settings(deadline=None)
@given(STRANGERS, st.floats(1e-6, 0.9))
def test_the_budget_is_kept_by_what_was_seen(values, budget):
    chosen = for_budget(budget)(sample_of(values))
    assert (np.array(values) >= chosen).mean() <= max(budget, 1 / len(values)) + 1e-9


def test_copies_have_no_say(strengths):
    found = strengths(50)
    better = dataclasses.replace(found, copy=found.copy + 1)
    for budget in (0.001, 0.1):
        one, two = (fit(each, budget, 5.0, 0).threshold for each in (found, better))
        assert one == two
    shared = [*np.linspace(1, 3, 40), 4.0, 4.0]  # the best stranger of two cases is each other
    assert 4 < for_budget(1 / 40)(sample_of(shared)) < 4.01
    assert 2.9 < for_budget(2 / 40)(sample_of(shared)) < 4


def sample_of(values):
    return room.Strengths(
        np.array(values), np.arange(len(values)), np.full(4, 9.0), np.arange(4), np.zeros(4, int)
    ).sample()


@settings(deadline=None)
@given(st.integers(30, 5000), st.floats(1e-5, 0.5))
def test_extrapolated_only_where_the_cases_cannot_show_it(n, budget):
    assert is_extrapolated(budget, n) == (budget < (1 - 1e-9) / n)


def test_one_in_n_is_what_n_cases_can_just_show(strengths):
    assert not fit(strengths(50), 1 / 50, 5.0, 0).extrapolated
    assert fit(strengths(50), 1 / 51, 5.0, 0).extrapolated
    assert not fit(strengths(50), None, 5.0, 0).extrapolated


@pytest.mark.parametrize(
    ("n", "name", "off"), [(60, "exponential", 1.3), (3000, "generalised Pareto", 0.5)]
)
def test_the_tail_tells_rare_strangers(strengths, n, name, off):
    """Gumbel strangers: 1 in 1,000 lies above 2 + 0.4 ln 1000."""
    tail = fit_tail(strengths(n).stranger)
    assert tail.name == name
    assert tail.points == max(10, n // 5)
    assert tail.threshold(0.001) == pytest.approx(2 + 0.4 * np.log(1000), abs=off)
    assert tail.beyond(tail.threshold(0.001)) == pytest.approx(0.001)
    assert tail.beyond(tail.start) == pytest.approx(tail.points / n)


def test_equal_strangers_have_a_tail_too():
    tail = fit_tail(np.full(40, 3.0))
    assert tail.threshold(0.001) == pytest.approx(3.0, abs=1e-4)


def test_youden_lies_between_strangers_and_copies(strengths):
    found = strengths()
    fitted = fit(found, None, 5.0, 0)
    assert found.stranger.max() < fitted.threshold.value < np.quantile(found.copy, 0.05)


def test_rates_are_those_of_the_strengths(strengths):
    found = strengths(200, groups=100)
    fitted = fit(found, 0.05, 5.0, 0)
    assert fitted.before.found[0].value == (found.copy[found.copy_level == 0] >= 5.0).mean()
    assert fitted.before.alarms.value == (found.stranger >= 5.0).mean()
    assert fitted.after.alarms.value == pytest.approx(0.05, abs=0.03)
    assert fitted.after.expected == pytest.approx(0.05)
    assert fitted.after.found[1].low <= fitted.after.found[1].value <= fitted.after.found[1].high
    assert fitted.threshold.low <= fitted.threshold.value <= fitted.threshold.high


def test_no_alarm_among_few_groups_is_no_proof(strengths):
    alarms = fit(strengths(60), 0.001, 8.0, 0).before.alarms
    assert (alarms.value, alarms.low) == (0.0, 0.0)
    assert alarms.high == pytest.approx(1 - 0.05 ** (1 / 60))
    found = fit(strengths(60), 0.001, 0.0, 0).before.found[0]
    assert (found.low, found.high) == (pytest.approx(0.05 ** (1 / 60)), 1.0)


def test_a_fold_is_judged_by_the_others(strengths):
    """The one stranger that is far out raises an alarm: its own fold never saw it."""
    found = strengths(60)
    odd = dataclasses.replace(found, stranger=np.append(found.stranger[:-1], 6.0))
    fitted = fit(odd, 1 / 50, 5.0, 0)
    assert fitted.threshold.value < 6.0
    crossed = statistics.cross_fitted(odd.sample(), for_budget(1 / 40), statistics.folds(60, 0))
    assert crossed[59] < 4.5
    assert fit(odd, 1 / 40, 5.0, 0).after.alarms.value >= 1 / 60


def test_same_seed_same_answer(strengths):
    one, two = (fit(strengths(60), 0.001, 5.0, 7) for _ in range(2))
    assert one == two
    assert fit(strengths(60), 0.001, 5.0, 8).after != one.after


@pytest.mark.parametrize("finite", [0, 1, 2])
def test_hardly_any_stranger_is_no_crash(finite):
    """As in a fold, or a bootstrap sample, that few cases with a stranger happen to be in."""
    stranger = np.full(60, -np.inf)
    stranger[:finite] = 3.0
    tail = fit_tail(stranger)
    assert np.isfinite(tail.threshold(0.001))
    assert tail.beyond(9.0) == pytest.approx(0.0, abs=1e-6)
    never = np.full(60, -np.inf)
    sample = Sample(np.arange(60), np.zeros(60, bool), never, np.zeros(60, bool), stranger)
    for budget in (0.001, 0.1):
        assert for_budget(budget)(sample) == (0.0 if finite == 0 else pytest.approx(3.0, abs=0.01))
