"""Copies share their noise, two acquisitions of one anatomy do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from dvdup import edits
from dvdup.verify import Limits, Scan, decide, judge
from dvdup.verify.noise import NoiseMatch, match_noise
from dvdup.verify.verdict import Found

SIZE = (2.0, 2.0, 2.0)


def acquired(person, seed: int) -> np.ndarray:
    """The anatomy of a person with the noise of one acquisition."""
    clean = ndimage.gaussian_filter(person(1), 1.0)
    noise = np.random.default_rng(seed).normal(0, 0.03 * np.ptp(clean), clean.shape)
    return (clean + noise).astype(np.float32)


def test_two_acquisitions_are_one_subject_and_no_edit_is_invented(person):
    one, other = (Scan(acquired(person, seed), SIZE) for seed in (1, 2))
    found = judge(one, other)
    assert found.noise.independent
    assert abs(found.noise.shared) < 0.1
    assert (found.decision.verdict, found.decision.rule) == ("same-subject", "other-acquisition")
    assert found.change is None
    assert judge(other, one).noise == found.noise


@pytest.mark.parametrize(
    ("edit", "level"),
    [
        ("rotation", "medium"), ("noise", "mild"), ("noise", "strong"), ("jpeg", "medium"),
        ("blur", "strong"), ("gamma", "strong"), ("invert", "mild"), ("signs", "mild"),
    ],
)  # fmt: skip
def test_a_copy_stays_one_whatever_was_done_to_its_noise(person, edit, level):
    source = acquired(person, 1)
    done = edits.apply(edit, level, source, SIZE, "p")
    found = judge(Scan(source, SIZE), Scan(done.values, done.spacing))
    assert found.decision.verdict == "near"
    assert not found.noise.independent


def test_where_nothing_is_to_be_seen_nothing_is_said(person):
    constant = Scan(np.ones((20, 20, 20), np.float32), SIZE)
    assert match_noise(Scan(acquired(person, 1), SIZE), constant, np.eye(4)) is None
    away = np.eye(4)
    away[0, 3] = 1000.0
    scan = Scan(acquired(person, 1), SIZE)
    assert match_noise(scan, scan, away) is None


@pytest.mark.parametrize(
    ("shared", "ratio", "blocks", "independent"),
    [(0.05, 0.9, 20, True), (0.5, 0.9, 20, False), (0.05, 0.1, 20, False), (0.05, 0.9, 2, False)],
)
def test_noise_tells_only_where_enough_of_it_is_alike(person, shared, ratio, blocks, independent):
    noise = NoiseMatch(shared, ratio, blocks)
    assert noise.independent == independent
    scan = Scan(acquired(person, 1), SIZE)
    evidence = judge(scan, Scan(acquired(person, 2), SIZE)).evidence
    assert (decide(Found(evidence=evidence, noise=noise)).verdict == "same-subject") == independent
    perfect = replace(
        evidence, agreement=replace(evidence.agreement, middle=1, fine=1, correlation=1)
    )
    assert decide(Found(evidence=perfect, noise=noise), Limits()).verdict == "near"
