"""At which threshold a pair is still a copy, and that `judge` agrees."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvdup import verify
from dvdup.verify import Evidence, Limits, Scan, decide, excess, judge, measure, reach, strength
from dvdup.verify.compare import Agreement
from dvdup.verify.verdict import Found, is_clear, is_open, is_sure_by_middle

SIZE = (2.0, 2.0, 2.0)
CELLS = 100.0


def evidence(middle: float, final: bool, cover: float = 0.9) -> Evidence:
    """Evidence whose strength rises with `middle`."""
    agreed = Agreement(
        correlation=0.5, middle=middle, fine=0.5, residual=0.1, cover_a=cover, cover_b=cover,
        voxels=5000, cells=CELLS,
    )  # fmt: skip
    return Evidence(np.eye(4), agreed, 64, 2.0, final)


def says_copy(
    coarse: Evidence, fine: tuple[Evidence | None, Evidence | None] | None, limits: Limits
) -> bool:
    """What `judge` does, without the scans."""
    if not is_open(coarse, limits):
        return decide(Found(evidence=coarse), limits).verdict is not None
    if fine is None:
        return decide(Found(evidence=coarse, finest=False), limits).verdict is not None
    middle, whole = fine
    if is_clear(coarse, limits) and middle is not None and is_sure_by_middle(middle, limits):
        return True
    return decide(Found(evidence=whole), limits).verdict is not None


MIDDLE = st.floats(0.0, 0.99)


@settings(deadline=None)
@given(MIDDLE, MIDDLE, MIDDLE, st.booleans(), st.booleans(), st.floats(1.0, 8.0))
def test_reach_is_the_highest_threshold_at_which_the_rules_say_copy(
    rough, sharp, inner, coarse_final, has_finer, threshold
):
    coarse = evidence(rough, coarse_final)
    finer = has_finer and not coarse_final
    fine = (evidence(inner, True), evidence(sharp, True)) if finer else None
    most = reach(coarse, fine or ())
    if abs(most - threshold) > 1e-9:
        limits = Limits().with_copy(threshold)
        assert says_copy(coarse, fine, limits) == (threshold < most)


@pytest.mark.parametrize(
    ("cells", "needed"), [(500.0, 5.0), (60.0, 5.0), (15.0, 6.11), (5.0, 6.99)]
)
def test_fewer_cells_must_agree_better(cells, needed):
    found = replace(
        evidence(0.9, final=True), agreement=replace(evidence(0.9, True).agreement, cells=cells)
    )
    assert strength(found) - excess(found, Limits()) == pytest.approx(needed - 5.0, abs=0.01)


@pytest.mark.parametrize("cover", [0.9, 0.5])
def test_a_coarse_grid_alone_makes_a_copy_of_less_confidence(cover):
    clear = evidence(0.995, final=False, cover=cover)
    assert decide(Found(evidence=clear)).rule == "undecided"
    found = decide(Found(evidence=clear, finest=False))
    assert found.verdict == ("near" if cover > 0.6 else "partial")
    assert found.confidence <= 0.75
    assert not decide(Found(evidence=evidence(0.975, final=False), finest=False)).decided


def test_where_too_little_was_compared_no_threshold_makes_a_copy():
    assert reach(None) == -np.inf
    assert reach(evidence(0.99, final=True, cover=0.1)) == -np.inf
    fine = (None, evidence(0.99, final=True))
    assert reach(evidence(0.99, final=False, cover=0.1), fine) == -np.inf


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
    assert found == excess(verify.compare(a, b), Limits())
    below, above = (Limits().with_copy(found + step) for step in (-0.01, 0.01))
    assert judge(a, b, limits=below).decision.verdict is not None
    assert judge(a, b, limits=above).decision.verdict is None


def test_a_finer_look_is_taken_where_it_can_be_had(person, monkeypatch):
    asked = []

    def compared(a, b, side=64, place=None):
        asked.append((side, a.full))
        return evidence(0.6, final=True) if place is not None else evidence(0.9, final=False)

    judging = import_module("dvdup.verify.judge")
    monkeypatch.setattr(judging, "compare", compared)
    monkeypatch.setattr(judging, "middle_of", lambda a, b, coarse: None)
    whole = Scan(person(1), SIZE)
    small = Scan(person(1)[::2, ::2, ::2], (4.0, 4.0, 4.0), full=False, exact=False)
    assert measure(small, small) == pytest.approx(strength(evidence(0.9, True)) - 1.3)
    assert asked == [(64, False)]
    fine = measure(small, small, lambda: (whole, whole))
    assert asked[-1] == (verify.scans.FINE_SIDE, True)
    assert fine == reach(evidence(0.9, False), (None, evidence(0.6, True)))
