"""Scans with parts blacked out, in a frame, inverted or of wrong signs lie where they lay."""

from __future__ import annotations

import numpy as np
import pytest

from dvdup import edits
from dvdup.verify import Scan, judge
from dvdup.verify.grid import box_of, coarser, filled, make_grid, structured

SIZE = (2.0, 2.0, 2.0)
EDITS = ("ellipse", "box", "erase", "deface", "invert", "signs", "frame", "text", "lowres")
KNOWN = [(edit, level) for edit in EDITS for level in ("mild", "medium")]
MIRRORED = [(*each, axis) for each in KNOWN for axis in range(3)]
# its slices are averaged elsewhere, and its tissue is even
MIRRORED.remove(("lowres", "medium", 2))


@pytest.mark.parametrize(("edit", "level"), KNOWN)
def test_a_copy_is_found(person, edit, level):
    done = edits.apply(edit, level, person(1), SIZE, "p")
    found = judge(Scan(done.values, done.spacing), Scan(person(1), SIZE))
    assert found.decision.verdict in ("near", "partial"), found.score


@pytest.mark.parametrize(("edit", "level", "axis"), MIRRORED)
def test_a_copy_is_found_mirrored_too(person, edit, level, axis):
    done = edits.apply(edit, level, person(1), SIZE, "p")
    found = judge(Scan(np.flip(done.values, axis), done.spacing), Scan(person(1), SIZE))
    assert found.decision.verdict in ("near", "partial"), found.score


@pytest.mark.parametrize("edit", ["ellipse", "erase", "invert", "frame"])
def test_somebody_else_stays_silent(person, edit):
    done = edits.apply(edit, "medium", person(1), SIZE, "p")
    found = judge(Scan(done.values, done.spacing), Scan(person(4), SIZE))
    assert found.decision.verdict is None, found.score


def noisy(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(500, 100, (40, 40, 40)).astype(np.float32)


@pytest.mark.parametrize("value", [0.0, 500.0])
def test_what_was_filled_in_is_told_at_any_grey_level(value):
    values = noisy()
    values[10:25, 10:25, 10:25] = value
    grid = make_grid(values, (1.0, 1.0, 1.0), 1.0)
    blank = filled(grid)
    assert blank[11:24, 11:24, 11:24].all()
    assert not blank[:9].any()
    assert not structured(grid)[9:26, 9:26, 9:26].any()
    assert structured(grid)[:7].all()
    assert filled(coarser(grid, 2.0))[6:11, 6:11, 6:11].all()


def test_values_clipped_at_the_top_and_even_tissue_are_not_filled_in():
    clipped = np.minimum(noisy(), 500)
    assert not filled(make_grid(clipped, (1.0, 1.0, 1.0), 1.0)).any()


def test_the_box_of_what_is_shown_leaves_a_frame_out():
    values = np.zeros((40, 40, 40), np.float32)
    values[5:25, 10:40, 2:12] = noisy()[:20, :30, :10]
    grid = make_grid(values, (1.0, 2.0, 3.0), 1e-3)
    np.testing.assert_allclose(box_of(grid), [22.0, 62.0, 36.0], atol=7)
