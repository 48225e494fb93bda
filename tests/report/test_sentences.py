"""Sentences about a pair, from typed facts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dvdup.records import Acceptance, AxisOrder, Change, PairResult, SliceLine, VoxelAgreement
from dvdup.report.json import alignment_of, voxel_of
from dvdup.report.sentences import changes, result_reason, review, slices

SAME = Change(
    mirrored=False,
    mirrored_axes=(),
    turned=False,
    degrees=0.4,
    scale=(1.0, 1.0, 1.0),
    shear=0.0,
    shift_mm=(0.0, 0.0, 0.0),
    shown=(1.0, 1.0, 1.0),
    spacing=((1.0, 1.0),) * 3,
    grey=(),
)
AGREEMENT = VoxelAgreement(0.98765, 0.9, 0.87654, 0.012345, (0.9, 0.41), 5000, 412.04, 2.00049)
LINE = SliceLine(0, 0, 1.0, -9.4, False, (10, 50), (8, 48), 0.9, 0.1, 0.8, 0.72)
NEAR = PairResult(
    "near", "same-structure", True, 0.99, agreement=AGREEMENT, change=SAME, strength=6.123
)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, []),
        ({"mirrored": True, "mirrored_axes": (0,)}, ["mirrored left-right"]),
        ({"mirrored": True, "turned": True}, ["mirrored and turned", "axes turned"]),
        ({"turned": True}, ["axes turned"]),
        ({"degrees": 14.8}, ["rotated 15 degrees"]),
        ({"scale": (1.1, 1.1, 1.1)}, ["scaled by 1.10"]),
        ({"scale": (1.0, 1.1, 1.0)}, ["stretched by 1.10 front-back"]),
        ({"scale": (1.0, 1.1, 1.0), "shear": 0.05}, ["sheared"]),
        ({"shown": (1.0, 1.0, 0.5)}, ["slab of 50 % top-bottom"]),
        ({"shown": (0.9, 0.9, 1.0)}, ["cropped to 90 %"]),
        ({"spacing": ((2.0, 4.0), (1.0, 1.0), (2.0, 4.0))}, ["resampled 2 -> 4 mm"]),
        ({"spacing": ((1.0, 2.0),) * 3, "in_mm": False}, ["resized to 50 %"]),
        ({"grey": ("curve", "noise")}, ["gamma or window changed", "noise added"]),
        ({"grey": ("blank",)}, ["parts blanked"]),
        ({"grey": ("blur",)}, ["blurred"]),
    ],
)
def test_what_was_done(fields, said):
    assert list(changes(replace(SAME, **fields))) == said


def test_slices_say_where_they_match():
    assert slices(LINE) == "axial slices 10-50 match 8-48, offset -9 mm, scale 1.00"
    assert slices(replace(LINE, plane_b=2)).startswith("axial / sagittal slices")
    assert slices(LINE, of_strangers=True).startswith("axial slices 10-50 resemble 8-48, offset")


NUMBERS = "local correlation 0.988, of fine structures 0.877"
FLIPPED = AxisOrder((0, 1, 2), (-1, 1, -1))


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (NEAR, NUMBERS),
        (replace(NEAR, verdict="partial"), f"{NUMBERS} where they overlap (41 % of one)"),
        (replace(NEAR, change=replace(SAME, degrees=5.0)), f"rotated 5 degrees; {NUMBERS}"),
        (replace(NEAR, slices=LINE), f"{NUMBERS}; {slices(LINE)}"),
        (replace(NEAR, verdict="identical", order=AxisOrder((0, 1, 2), (1, 1, 1))), "same values"),
        (
            replace(NEAR, order=FLIPPED),
            "equal voxels, flipped left-right and top-bottom, which the headers do not explain",
        ),
        (
            replace(NEAR, order=AxisOrder((1, 0, 2), (1, 1, 1))),
            "equal voxels in another order of axes, which the headers do not explain",
        ),
        (replace(NEAR, agreement=None, change=None), "nothing to compare"),
        (NEAR.flipped(), f"seen from the other side: {NUMBERS}"),
        (replace(NEAR, change=None).flipped(), NUMBERS),
    ],
)
def test_why(result, said):
    assert result_reason(result) == said


def test_numbers_of_a_placement_hold_one_way_only():
    assert alignment_of(NEAR.flipped()) is None
    assert alignment_of(replace(NEAR, change=None)) is None
    assert alignment_of(NEAR.flipped().flipped()) == alignment_of(NEAR)
    assert voxel_of(NEAR.flipped()) == voxel_of(NEAR)
    placed = replace(NEAR, a_to_b=((1.00004, 0.0, -0.00001, 7.0),) * 3)
    found = alignment_of(placed)
    assert found is not None
    assert found["a_to_b"] == [[1.0, 0.0, 0.0, 7.0]] * 3
    assert alignment_of(placed.flipped()) is None


@pytest.mark.parametrize(
    ("accepted", "acceptance", "said"),
    [
        (False, None, ""),
        (True, None, "accepted"),
        (True, Acceptance("a phantom"), "accepted: a phantom"),
        (True, Acceptance("a\nb", "2027-01-31"), r"accepted: a\nb (until 2027-01-31)"),
        (
            False,
            Acceptance("a phantom", "2024-01-31", expired=True),
            "no longer accepted: a phantom (until 2024-01-31)",
        ),
    ],
)
def test_a_review_says_whether_it_holds(build, accepted, acceptance, said):
    pair = build.finding(
        build.member("train", "a"),
        build.member("test", "b"),
        accepted=accepted,
        acceptance=acceptance,
    )
    assert review(pair) == said


def test_the_contract_has_rounded_numbers():
    assert voxel_of(NEAR) == {
        **{"correlation": 0.9877, "middle": 0.9, "fine": 0.8765, "residual": 0.0123},
        **{"overlap": [0.9, 0.41], "voxels": 5000, "grid_mm": 2.0},
        **{"cells": 412.0, "strength": 6.12},
    }
    found = alignment_of(replace(NEAR, slices=LINE))
    assert found is not None
    assert (found["angle"], found["done"], found["mirrored"]) == (0.4, [], [])
    assert found["slices"] == {
        **{"planes": [0, 0], "offset_mm": -9.4, "scale": 1.0, "mirrored": False},
        **{"slices_a": [10, 50], "slices_b": [8, 48], "inliers": 0.9, "score": 0.72},
    }
