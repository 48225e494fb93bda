"""What pairs of made-up scans have always scored, so that no change of it goes unnoticed.

The numbers are those of the shipped measure. Whoever changes on purpose what a strength means
raises `verify.STRENGTH`, because thresholds calibrated before mean nothing then, and puts the new
numbers here.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from dvdup import edits, voxels
from dvdup.verify import Limits, Scan, judge, measure, of_proxy

SIZE = (2.0, 2.0, 2.0)
LARGE = (74, 86, 70)  # more than a proxy holds
OTHERWISE = 0.05  # other platforms round otherwise
ELSEWHERE = 0.12  # and a stranger, who fits nowhere, comes to lie elsewhere

Pair = tuple[Scan, Scan]


def edited(name: str, level: str) -> Callable[..., Pair]:
    def pair(person) -> Pair:
        copy = edits.apply(name, level, person(1), SIZE, "golden")
        return Scan(copy.values, copy.spacing), Scan(person(1), SIZE)

    return pair


def turned_and_noisy(person) -> Pair:
    turned = np.ascontiguousarray(person(1).transpose(2, 0, 1)[:, ::-1])
    noise = np.random.default_rng(0).normal(0, 60, turned.shape).astype(np.float32)
    return Scan(turned + noise, SIZE), Scan(person(1), SIZE)


def of_two(person) -> Pair:
    return Scan(person(1), SIZE), Scan(person(2), SIZE)


def large_and_cropped(person) -> Pair:
    copy = edits.apply("crop", "medium", person(1, LARGE), SIZE, "golden")
    return Scan(copy.values, copy.spacing), Scan(person(1, LARGE), SIZE)


def large_of_two(person) -> Pair:
    return Scan(person(1, LARGE), SIZE), Scan(person(2, LARGE), SIZE)


# verdict, `measure`, score of `judge` (of no meaning where a pair is turned away early)
GOLDEN = [
    (turned_and_noisy, "near", 6.398, 6.398),
    (edited("crop", "strong"), "partial", 8.658, 8.015),
    (edited("blur", "strong"), "near", 5.992, 5.939),
    (edited("jpeg", "strong"), "near", 6.443, 6.443),
    (edited("noise", "strong"), "near", 5.960, 5.960),
    (of_two, None, 2.733, None),
    (large_and_cropped, "near", 8.983, 8.550),
    (large_of_two, None, 1.113, None),
]


def proxied(scan: Scan) -> Scan:
    return of_proxy(voxels.proxy(scan.values), scan.values.shape, scan.spacing)


@pytest.mark.parametrize(("pair", "verdict", "strength", "score"), GOLDEN)
def test_strength_and_verdict_are_what_they_were(person, pair, verdict, strength, score):
    a, b = pair(person)
    small = proxied(a), proxied(b)
    within = OTHERWISE if verdict else ELSEWHERE
    assert measure(*small, lambda: (a, b)) == pytest.approx(strength, abs=within)
    found = judge(*small, lambda: (a, b))
    assert found.decision.verdict == verdict
    if score is None:
        assert found.score < Limits().stranger
    else:
        assert found.score == pytest.approx(score, abs=within)
