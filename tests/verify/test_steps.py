"""Each step of the verification can be left out, and is missed where it matters."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from dvdup import edits
from dvdup.verify import ALL, Limits, Scan, Steps, judge, score, strength
from dvdup.verify.compare import NOTHING
from dvdup.verify.exact import Same
from dvdup.verify.scans import Evidence
from dvdup.verify.verdict import Found, decide

SIZE = (2.0, 2.0, 2.0)


def edited(person, edit, level):
    done = edits.apply(edit, level, person(1), SIZE, "p")
    return Scan(done.values, done.spacing, exact=False), Scan(person(1), SIZE, exact=False)


def test_all_steps_are_taken_unless_told_otherwise(person):
    pair = edited(person, "gamma", "medium")
    one, other = judge(*pair), judge(*pair, steps=Steps())
    assert Steps() == ALL
    assert one.score == other.score
    assert np.array_equal(one.evidence.place, other.evidence.place)


@pytest.mark.parametrize(
    ("step", "edit", "level"),
    [("turns", "mirror", "medium"), ("greys", "window", "strong"), ("greys", "invert", "strong")],
)
def test_a_copy_scores_less_without_the_step_that_undoes_the_edit(person, step, edit, level):
    pair = edited(person, edit, level)
    assert judge(*pair, steps=Steps(**{step: False})).score < judge(*pair).score - 0.1


def test_without_mutual_information_nothing_is_registered_by_it(person, monkeypatch):
    def refuse(*args):
        raise AssertionError("registered by mutual information")

    monkeypatch.setattr("dvdup.verify.scans.by_information", refuse)
    pair = edited(person, "noise", "mild")
    assert judge(*pair, steps=Steps(information=False)).decision.verdict == "near"
    with pytest.raises(AssertionError, match="registered"):
        judge(*pair)


def test_without_full_resolution_no_scan_is_read(person):
    scan = Scan(person(1), SIZE, full=False, exact=False)
    read = []

    def full():
        read.append(1)
        return Scan(person(1), SIZE), Scan(person(1), SIZE)

    assert judge(scan, scan, full, steps=Steps(full=False)).decision.verdict == "near"
    assert read == []
    assert judge(scan, scan, full).decision.verdict == "identical"
    assert read == [1]


def evidence(value: float, final: bool, voxels: int = 5000) -> Evidence:
    agreement = NOTHING.__class__(value, value, value, 0.01, 1.0, 1.0, voxels, 100.0)
    return Evidence(np.eye(4), agreement, 64, 2.0, final)


SAME = Found(same=Same((0, 1, 2), (1, 1, 1)))


@pytest.mark.parametrize("final", [True, False])
def test_the_score_is_above_the_limit_exactly_for_copies(final):
    """Whatever the grid: what a coarse one leaves open is below, what it decides above."""
    limits = Limits()
    for value in (*np.linspace(-1, 1, 400), *np.linspace(0.9, 0.98, 400)):
        for voxels, finest in product((50, 5000), (True, False)):
            found = Found(evidence=evidence(float(value), final, voxels), finest=finest)
            copy = decide(found, limits).verdict is not None
            assert (round(score(found, limits), 7) >= limits.copy) == copy


@pytest.mark.parametrize("final", [True, False])
def test_scores_are_in_the_order_of_the_strengths(final):
    strengths = [evidence(value, final) for value in np.linspace(0.1, 0.99, 200).tolist()]
    scores = [score(Found(evidence=each)) for each in strengths]
    assert scores == sorted(scores)
    assert len(set(scores)) == len(scores)
    if final:
        assert scores == [strength(each) for each in strengths]


def test_equal_values_score_most_and_nothing_to_compare_nothing():
    perfect = score(Found(evidence=evidence(1.0, True)))
    assert score(SAME) > perfect > Limits().copy
    assert score(Found()) == score(Found(evidence=evidence(1.0, True, voxels=50))) == 0.0
