"""At which threshold a pair is still a copy, and that `judge` agrees."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvdup import verify
from dvdup.verify import Evidence, Limits, Scan, decide, judge, measure, reach, strength
from dvdup.verify.compare import Agreement
from dvdup.verify.verdict import Found, is_open

SIZE = (2.0, 2.0, 2.0)


def evidence(middle: float, final: bool, cover: float = 0.9) -> Evidence:
    """Evidence whose strength rises with `middle`."""
    agreed = Agreement(
        correlation=0.5, middle=middle, fine=0.5, residual=0.1, cover_a=cover, cover_b=cover,
        voxels=5000,
    )  # fmt: skip
    return Evidence(np.eye(4), agreed, 64, 2.0, final)


def says_copy(coarse: Evidence, fine: Evidence | None, limits: Limits) -> bool:
    """What `judge` does, without the scans."""
    seen = fine if fine is not None and is_open(coarse, limits) else coarse
    return decide(Found(evidence=seen), limits).verdict is not None


MIDDLE = st.floats(0.0, 0.99)


@settings(deadline=None)
@given(MIDDLE, MIDDLE, st.booleans(), st.booleans(), st.floats(1.0, 8.0))
def test_reach_is_the_highest_threshold_at_which_the_rules_say_copy(
    rough, sharp, coarse_final, fine_final, threshold
):
    coarse = evidence(rough, coarse_final)
    fine = None if coarse_final else evidence(sharp, fine_final)
    most = reach(coarse, fine)
    if abs(most - threshold) > 1e-9:
        limits = Limits().with_copy(threshold)
        assert says_copy(coarse, fine, limits) == (threshold < most)


def test_where_too_little_was_compared_no_threshold_makes_a_copy():
    assert reach(None, None) == -np.inf
    assert reach(evidence(0.99, final=True, cover=0.1), None) == -np.inf
    assert reach(evidence(0.99, final=False, cover=0.1), evidence(0.99, final=True)) == -np.inf


@pytest.mark.parametrize(("copy", "stranger"), [(6.0, 4.6), (5.0, 4.6), (4.0, 3.6)])
def test_another_threshold_keeps_the_distances(copy, stranger):
    limits = Limits().with_copy(copy)
    assert limits.copy == copy
    assert limits.clear_copy == pytest.approx(copy + 1.3)
    assert limits.stranger == pytest.approx(stranger)
    assert limits.describe() != Limits().describe() or copy == 5.0


@pytest.mark.parametrize("noise", [40, 400])
def test_measured_on_scans_it_is_what_judge_goes_by(person, noise):
    source = person(1)
    noisy = source + np.random.default_rng(0).normal(0, noise, source.shape).astype(np.float32)
    a, b = Scan(source, SIZE), Scan(noisy, SIZE)
    found = measure(a, b)
    assert found == strength(verify.compare(a, b))
    below, above = (Limits().with_copy(found + step) for step in (-0.01, 0.01))
    assert judge(a, b, limits=below).decision.verdict is not None
    assert judge(a, b, limits=above).decision.verdict is None


def test_a_finer_look_is_taken_where_it_can_be_had(person, monkeypatch):
    asked = []

    def compared(a, b, side=64, place=None):
        asked.append((side, a.full))
        return evidence(0.6, final=True) if place is not None else evidence(0.9, final=False)

    monkeypatch.setattr(import_module("dvdup.verify.judge"), "compare", compared)
    whole = Scan(person(1), SIZE)
    small = Scan(person(1)[::2, ::2, ::2], (4.0, 4.0, 4.0), full=False, exact=False)
    assert measure(small, small) == pytest.approx(strength(evidence(0.9, True)) - 1.3)
    assert asked == [(64, False)]
    fine = measure(small, small, lambda: (whole, whole))
    assert asked[-1] == (verify.scans.FINE_SIDE, True)
    assert fine == reach(evidence(0.9, False), evidence(0.6, True))
