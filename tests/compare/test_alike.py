"""Sets whose scans resemble one another have a threshold of their own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvdup.compare.alike import FEWEST, own_threshold, without_alike
from dvdup.records import PairResult, Verdict, VoxelAgreement
from dvdup.verify import Limits

AGREEMENT = VoxelAgreement(0.9, 0.9, 0.9, 0.01, (0.9, 0.9), 5000, 100.0, 2.0)


def judged(strengths, rule: str = "same-structure") -> dict:
    return {
        (("train", f"{i:04d}"), ("test", f"{i:04d}")): PairResult(
            verdict=verdict_of(value),
            rule=rule if value >= 5 else "other-structure",
            decided=True,
            confidence=0.9,
            agreement=AGREEMENT,
            strength=float(value),
        )
        for i, value in enumerate(strengths)
    }


def verdict_of(value: float) -> Verdict | None:
    return "near" if value >= Limits().copy else None


def normal(middle: float, deviation: float, n: int) -> np.ndarray:
    return np.random.default_rng(n).normal(middle, deviation, n)


ORDINARY = normal(2.3, 0.4, 80)
TEMPLATE = normal(5.2, 0.3, 120)


def test_scans_of_one_template_are_no_copies_of_one_another():
    pairs = judged([*TEMPLATE, 8.9, 8.95])
    alike = own_threshold(pairs, Limits())
    assert 5.9 < alike.threshold < 7.3
    assert alike.pairs == len(TEMPLATE)
    assert alike.withheld == sum(TEMPLATE >= 5)
    kept = [each for each in without_alike(pairs, alike).values() if each.verdict]
    assert [each.strength for each in kept] == [8.9, 8.95]


@pytest.mark.parametrize(
    "strengths",
    [
        ORDINARY,
        [*ORDINARY, *normal(6.0, 0.8, 80)],  # as many edited copies
        [*ORDINARY, *normal(6.5, 0.2, 120)],  # more, and all edited alike
        TEMPLATE[: FEWEST - 1],  # too few to tell
        [8.9] * 200,
        # failed before: strangers that were blurred, noisy, inverted lift nobody else's threshold
        [*normal(2.3, 1.1, 92), *normal(5.5, 0.3, 4)],
    ],
    ids=["strangers", "edited copies", "copies edited alike", "few", "plain copies", "all kinds"],
)
def test_other_sets_keep_the_threshold(strengths):
    pairs = judged(strengths)
    assert own_threshold(pairs, Limits()) is None
    assert without_alike(pairs, None) == pairs


def test_a_threshold_that_was_chosen_for_the_set_holds():
    assert own_threshold(judged(TEMPLATE), Limits().with_copy(5.1)) is None


def test_equal_values_in_another_arrangement_stay():
    pairs = judged(TEMPLATE, rule="rearranged-values")
    alike = own_threshold(judged(TEMPLATE), Limits())
    assert without_alike(pairs, alike) == pairs


@given(st.lists(st.floats(0, 10), max_size=60), st.randoms())
def test_order_does_not_matter_and_plain_copies_stay(strengths, random):
    pairs = judged([*TEMPLATE, *strengths])
    alike = own_threshold(pairs, Limits())
    shuffled = list(pairs.items())
    random.shuffle(shuffled)
    assert own_threshold(dict(shuffled), Limits()) == alike
    kept = without_alike(pairs, alike)
    assert all(kept[pair].verdict for pair, each in pairs.items() if each.strength >= 8.3)
