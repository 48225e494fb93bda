"""Whole-scan baselines: what they must and must not see."""

from __future__ import annotations

import numpy as np
import pytest

from dvdup.lab.bench.baselines import BASELINES


@pytest.mark.parametrize("name", BASELINES)
def test_a_copy_is_nearer_than_a_stranger(name, phantom):
    describe = BASELINES[name].describe
    scan, other = (phantom(seed, (30, 34, 26)).astype(np.float32) for seed in (1, 2))
    noisy = scan + np.random.default_rng(0).normal(0, 40, scan.shape).astype(np.float32)
    rows = [describe(values) for values in (scan, noisy, other)]
    assert all(row.shape == (BASELINES[name].dimensions,) for row in rows)
    assert [float(np.linalg.norm(row)) for row in rows] == pytest.approx([1, 1, 1], abs=1e-5)
    assert rows[0] @ rows[1] > 0.9
    assert rows[0] @ rows[2] < 0.88


@pytest.mark.parametrize("name", BASELINES)
def test_grey_scale_and_padding_change_nothing(name, phantom):
    describe = BASELINES[name].describe
    scan = phantom(1, (30, 34, 26)).astype(np.float32)
    same = np.pad(scan, 6) * 0.25 + 7
    assert describe(scan) @ describe(same) > 0.9


@pytest.mark.parametrize("name", BASELINES)
def test_an_empty_scan_has_no_row(name):
    assert BASELINES[name].describe(np.full((9, 8, 7), 3, np.float32)) is None
