"""Every edit in every strength: shape, determinism, the stated truth, and that strong is strong."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import ndimage

from dvdup import edits
from dvdup.edits import COMPOSE, EDITS, LEVELS, SUITES, apply, available, names_of
from dvdup.errors import InputError

ROWS = [(name, level) for level in LEVELS for name in available(level, *SUITES)]
SINGLE = [(name, level) for name, level in ROWS if name != COMPOSE]
SPACING = (1.0, 1.25, 3.0)
GEOMETRIC = [name for name, edit in EDITS.items() if edit.kind == "geometric"]
RESAMPLED = {"zoom", "thick", "lowres"}  # edits that change the size of the voxels
SHAPED = {"crop", "slab", "thick", "lowres", "concat"}  # edits that change their number
SEEDS = ("one", "two", "three")


def smooth(shape=(33, 37, 29)) -> np.ndarray:
    """A scan whose values vary slowly, so that sampling it between voxels is exact enough."""
    rng = np.random.default_rng(7)
    values = ndimage.gaussian_filter(rng.normal(size=shape), 5.0)
    return (1000 * values / values.std() + 300).astype(np.float32)


SMOOTH = smooth()


def covered(edited: edits.Edited, source: np.ndarray, margin: float = 1.0):
    """Places in the source of all voxels of the copy, and which of them lie inside it."""
    matrix = np.array(edited.truth["to_source"])
    grid = np.indices(edited.values.shape).reshape(3, -1)
    places = matrix[:, :3] @ grid + matrix[:, 3:]
    limits = np.array(source.shape)[:, None] - 1
    inside = ((places >= margin) & (places <= limits - margin)).all(axis=0)
    return places, inside


@pytest.mark.parametrize(("name", "level"), ROWS)
def test_it_is_a_scan_again(name, level):
    before = SMOOTH.copy()
    done = apply(name, level, SMOOTH, SPACING, "case")
    assert np.array_equal(SMOOTH, before)
    assert done.values.dtype == np.float32
    assert done.values.flags.f_contiguous
    assert done.values.ndim == 3
    assert np.isfinite(done.values).all()
    assert min(done.spacing) > 0
    json.dumps(done.truth, allow_nan=False)
    if name not in SHAPED | {COMPOSE}:
        assert done.values.shape == SMOOTH.shape
    if name not in RESAMPLED | {COMPOSE}:
        assert done.spacing == SPACING
    assert done.values.shape != SMOOTH.shape or not np.array_equal(done.values, SMOOTH)


@pytest.mark.parametrize(("name", "level"), ROWS)
def test_the_same_again_and_another_case_differs(name, level):
    one, again = (apply(name, level, SMOOTH, SPACING, "case") for _ in range(2))
    assert np.array_equal(one.values, again.values)
    assert one.truth == again.truth
    if name in {"noise", "bias", "crop", "translation", COMPOSE}:
        other = apply(name, level, SMOOTH, SPACING, "another")
        assert not np.array_equal(one.values, other.values)


@pytest.mark.parametrize(("name", "level"), ROWS)
def test_the_truth_says_what_was_done(name, level):
    truth = apply(name, level, SMOOTH, SPACING, "case").truth
    assert (truth["edit"], truth["level"]) == (name, level)
    done = truth["edits"]
    assert len(done) == (3 if name == COMPOSE else 1)
    for each in done:
        assert json.dumps(each["strength"]) == json.dumps(EDITS[each["name"]].strengths[level])
    if name == COMPOSE:
        assert [EDITS[each["name"]].kind for each in done] == ["geometric", "intensity", "other"]


@pytest.mark.parametrize("case", SEEDS)
@pytest.mark.parametrize(
    ("name", "level"),
    [(n, level) for n, level in SINGLE if n in {*GEOMETRIC, "slab", "thick", "lowres"}],
)
def test_every_voxel_came_from_where_the_truth_says(name, level, case):
    done = apply(name, level, SMOOTH, SPACING, case)
    places, inside = covered(done, SMOOTH, margin=2.0)
    expected = ndimage.map_coordinates(SMOOTH, places, order=1)[inside]
    found = done.values.ravel()[inside]
    assert inside.mean() > 0.15
    means = {"thick": 0.08, "lowres": 0.08}  # a mean over thick slices is not their middle
    tolerance = means.get(name, 0.02)
    assert np.abs(found - expected).mean() < tolerance * SMOOTH.std()


@pytest.mark.parametrize(
    ("name", "level"), [(n, lv) for n, lv in SINGLE if n in GEOMETRIC and n not in SHAPED]
)
def test_what_nothing_covers_is_dark(name, level):
    done = apply(name, level, SMOOTH, SPACING, "case")
    matrix = np.array(done.truth["to_source"])
    grid = np.indices(done.values.shape).reshape(3, -1)
    places = matrix[:, :3] @ grid + matrix[:, 3:]
    limits = np.array(SMOOTH.shape)[:, None] - 1
    outside = ((places < -1.01) | (places > limits + 1.01)).any(axis=0)
    low = np.percentile(SMOOTH, 0.5)
    assert done.values.ravel()[outside] == pytest.approx(low, rel=1e-5)
    if name in {"translation", "shear"} and level == "strong":
        assert outside.any()


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    "name", [n for n, e in EDITS.items() if (e.kind, e.suite) == ("intensity", "standard")]
)
def test_values_change_and_no_voxel_moves(name, level):
    done = apply(name, level, SMOOTH, SPACING, "case")
    identity = np.eye(3, 4).tolist()
    assert done.truth["to_source"] == identity
    for axis in range(3):  # a place that is brighter on the whole stays brighter
        assert np.corrcoef(
            SMOOTH.mean(axis=axis).ravel(), done.values.mean(axis=axis).ravel()
        )[0, 1] > 0.6  # fmt: skip


def damage(name: str, level: str, case: str) -> float:
    """How far a copy is from its source: places moved, slices lost, or values changed."""
    done = apply(name, level, SMOOTH, SPACING, case)
    if name in {"zoom", "scale", "shear", "rotation", "tilt", "translation", "frame"}:
        places, _ = covered(done, SMOOTH)
        moved = (places - np.indices(done.values.shape).reshape(3, -1)).T * SPACING
        return float(np.linalg.norm(moved, axis=1).mean())
    if name in SHAPED:
        return abs(SMOOTH.size - done.values.size)
    if name == "text":  # letters have a smallest size, so they are drawn on a larger slice
        wide = np.tile(SMOOTH, (6, 6, 1))
        return float((apply(name, level, wide, SPACING, case).values != wide).mean())
    if name == "elastic":
        return float(np.abs(done.truth["edits"][0]["knots"]).max())
    if name == "contrast":
        return float(1 - done.values.std() / SMOOTH.std())
    return float(1 - np.corrcoef(SMOOTH.ravel(), done.values.ravel())[0, 1])


@pytest.mark.parametrize("case", SEEDS)
@pytest.mark.parametrize("name", [n for n, e in EDITS.items() if set(e.strengths) == set(LEVELS)])
def test_stronger_is_stronger(name, case):
    """Of one case the choices are the same in every strength, so the damage can be compared."""
    if name in {"gamma", "invert"}:  # one of two exponents: one raises, one lowers the contrast
        found = [
            abs(np.log(apply(name, level, SMOOTH, SPACING, case).truth["edits"][0]["exponent"]))
            for level in LEVELS
        ]
    else:
        found = [damage(name, level, case) for level in LEVELS]
    assert found[0] < found[1] < found[2]


# Single edits against what they are defined to be


def only(name, level, values=SMOOTH, spacing=SPACING, case="case"):
    return apply(name, level, values, spacing, case)


@pytest.mark.parametrize("level", LEVELS)
def test_noise_and_brightness_are_shares_of_the_range(level):
    low, high = np.percentile(SMOOTH, (0.5, 99.5))
    noise = only("noise", level).values - SMOOTH
    assert noise.std() == pytest.approx(EDITS["noise"].strengths[level] * (high - low), rel=0.02)
    assert abs(noise.mean()) < 0.02 * noise.std()
    bright = only("brightness", level).values
    middle = (low + 0.4 * (high - low) < SMOOTH) & (low + 0.6 * (high - low) > SMOOTH)
    shift = np.median((bright - SMOOTH)[middle])
    assert abs(shift) == pytest.approx(
        EDITS["brightness"].strengths[level] * (high - low), rel=1e-3
    )
    assert bright.min() >= low - 1e-3
    assert bright.max() <= high + 1e-3


@pytest.mark.parametrize("level", LEVELS)
def test_contrast_shrinks_about_the_middle(level):
    low, high = np.percentile(SMOOTH, (0.5, 99.5))
    middle = (low + high) / 2
    found = only("contrast", level).values
    factor = EDITS["contrast"].strengths[level]
    assert found == pytest.approx(middle + factor * (SMOOTH - middle), abs=0.5)


def test_a_window_is_8_bit():
    done = only("window", "medium")
    assert set(np.unique(done.values).tolist()) <= set(range(256))
    assert np.mean(done.values == 0) == pytest.approx(0.05, abs=0.005)
    assert np.mean(done.values == 255) == pytest.approx(0.05, abs=0.005)


def test_jpeg_keeps_the_range():
    done = only("jpeg", "mild")
    low, high = np.percentile(SMOOTH, (0.5, 99.5))
    assert done.values.min() >= low - 1
    assert done.values.max() <= high + 1
    assert np.corrcoef(done.values.ravel(), SMOOTH.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("case", SEEDS)
@pytest.mark.parametrize("level", LEVELS)
def test_a_slab_is_a_piece_of_the_source(level, case):
    done = only("slab", level, case=case)
    (said,) = done.truth["edits"]
    assert np.array_equal(done.values, SMOOTH[:, :, said["start"] : said["stop"]])
    assert done.values.shape[2] == round(29 * EDITS["slab"].strengths[level])


def test_mirrors():
    assert "mild" not in EDITS["mirror"].strengths
    assert np.array_equal(only("mirror", "medium").values, SMOOTH[::-1])
    axes = {only("mirror", "strong", case=str(i)).truth["edits"][0]["axis"] for i in range(20)}
    assert axes == {1, 2}
    flat = np.ascontiguousarray(SMOOTH[:, :, :1])
    assert np.array_equal(only("mirror", "strong", flat).values, flat[:, ::-1])


@pytest.mark.parametrize("level", LEVELS)
def test_thick_slices_are_means(level):
    done = only("thick", level)
    (said,) = done.truth["edits"]
    assert done.spacing == pytest.approx((1.0, 1.25, 3.0 * said["factor"]))
    assert said["factor"] == pytest.approx(EDITS["thick"].strengths[level], rel=0.05)
    assert done.values.mean() == pytest.approx(SMOOTH.mean(), rel=1e-4)
    assert done.spacing[2] * done.values.shape[2] == pytest.approx(3.0 * 29)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.0, 1.0, 4.0), (4.0, 1.0, 1.0)])
def test_slices_lie_across_the_widest_spacing(spacing):
    across = 0 if spacing[0] > 1 else 2
    assert np.argmin(np.array(only("slab", "strong", spacing=spacing).values.shape)) == across
    (said,) = only("rotation", "mild", spacing=spacing).truth["edits"]
    assert said["axis"] == across
    (said,) = only("tilt", "mild", spacing=spacing).truth["edits"]
    assert said["axis"] != across


def test_rotation_is_rigid_in_mm():
    """Distances in mm stay what they are although the voxels are not cubes."""
    matrix = np.array(only("tilt", "strong").truth["to_source"])[:, :3]
    size = np.diag(SPACING)
    in_mm = size @ matrix @ np.linalg.inv(size)
    assert in_mm @ in_mm.T == pytest.approx(np.eye(3), abs=1e-12)
    assert np.linalg.det(in_mm) == pytest.approx(1)
    assert np.degrees(np.arccos((np.trace(in_mm) - 1) / 2)) == pytest.approx(12)


def test_a_composition_is_its_edits_one_after_the_other():
    """The places of three edits multiply; checked where only geometry has touched the values."""
    for number in range(400):
        done = only(COMPOSE, "strong", case=str(number))
        names = [each["name"] for each in done.truth["edits"]]
        # of those that do not commute with taking a slab
        if names[0] not in {"zoom", "tilt"} or names[1:] != ["contrast", "slab"]:
            continue
        if done.truth["edits"][2]["start"] < 8:
            continue
        places, inside = covered(done, SMOOTH, margin=3.0)
        expected = ndimage.map_coordinates(SMOOTH, places, order=1)[inside]
        assert np.corrcoef(expected, done.values.ravel()[inside])[0, 1] > 0.999
        break
    else:
        pytest.fail("no composition of the kind that can be checked")


# Odd scans


ODD = {
    "a picture": smooth((40, 44, 40))[:, :, :1],
    "a picture across x": smooth((40, 44, 40))[:1],
    "two slices": smooth((40, 44, 40))[:, :, :2],
    "one voxel": np.full((1, 1, 1), 5, np.float32),
    "constant": np.full((9, 9, 9), 5, np.float32),
    "holes": np.where(np.random.default_rng(0).random((20, 20, 20)) < 0.2, np.nan,
                      smooth((20, 20, 20))).astype(np.float32),
    "nothing but holes": np.full((9, 9, 9), np.nan, np.float32),
    "infinite": np.where(np.random.default_rng(0).random((20, 20, 20)) < 0.1, np.inf,
                         smooth((20, 20, 20))).astype(np.float32),
}  # fmt: skip


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(("name", "level"), [row for row in ROWS if row[1] != "medium"])
def test_odd_scans_stay_scans(name, level, odd):
    values = ODD[odd]
    done = apply(name, level, values, (1.0, 1.0, 1.0), "case")
    assert np.isfinite(done.values).all()
    assert min(done.values.shape) >= 1
    if 1 in values.shape and values.size > 1:
        assert done.values.shape.count(1) >= 1  # a picture stays one
        assert done.values.size > 1
    json.dumps(done.truth, allow_nan=False)


@pytest.mark.parametrize("name", [n for n in GEOMETRIC if n != "tilt"])
def test_a_picture_moves_in_its_plane_only(name):
    flat = ODD["a picture"]
    done = apply(name, "strong", flat, (1.0, 1.0, 1.0), "case")
    matrix = np.array(done.truth["to_source"])
    assert matrix[2] == pytest.approx([0, 0, 1, 0])
    assert matrix[:2, 2] == pytest.approx([0, 0])


def test_a_picture_has_nothing_out_of_its_plane():
    flat = ODD["a picture"]
    done = apply("tilt", "strong", flat, (1.0, 1.0, 1.0), "case")
    assert np.array_equal(done.values, flat)
    assert "nothing out of its plane" in done.truth["edits"][0]["unchanged"]


def test_names_and_strengths_that_do_not_exist():
    with pytest.raises(InputError, match=r"no edit 'melt'; there are rotation, .*, compose, .*"):
        only("melt", "mild")
    with pytest.raises(InputError, match="mirror has no strength 'mild', only medium, strong"):
        only("mirror", "mild")
    with pytest.raises(InputError, match="no strength 'huge'; there are mild, medium, strong"):
        only(COMPOSE, "huge")
    with pytest.raises(InputError, match="noise has no strength 'huge'"):
        only("noise", "huge")


def test_the_table_is_that_of_the_bench():
    """Names, order and strengths are part of what figures mean."""
    assert list(names_of("standard")) == [
        "rotation", "tilt", "translation", "zoom", "crop", "scale", "shear", "mirror", "noise",
        "blur", "brightness", "contrast", "gamma", "bias", "jpeg", "window", "slab", "thick",
        COMPOSE,
    ]  # fmt: skip
    standard = names_of("standard")
    assert available("mild") == tuple(name for name in standard if name != "mirror")
    assert available("strong") == standard
    strengths = {
        name: tuple(edit.strengths.values())
        for name, edit in EDITS.items()
        if edit.suite == "standard"
    }
    assert strengths == {
        "rotation": (5, 15, 30), "tilt": (3, 7, 12), "translation": (0.05, 0.10, 0.20),
        "zoom": (0.90, 0.75, 0.60), "crop": (0.90, 0.75, 0.60), "scale": (1.05, 1.15, 1.30),
        "shear": (0.05, 0.10, 0.20), "mirror": ((0,), (1, 2)), "noise": (0.05, 0.10, 0.20),
        "blur": (1, 2, 3), "brightness": (0.1, 0.2, 0.3), "contrast": (0.8, 0.5, 0.3),
        "gamma": ((0.8, 1.25), (0.6, 1.6), (0.4, 2.5)), "bias": (0.2, 0.4, 0.6),
        "jpeg": (50, 20, 10), "window": ((1, 99), (5, 95), (10, 90)), "slab": (0.75, 0.50, 0.25),
        "thick": (1.5, 2, 3),
    }  # fmt: skip


COMPOSED = {
    "mild": [("scale", 0), ("contrast", None), ("slab", 5)],
    "medium": [("shear", 1), ("contrast", None), ("slab", 13)],
    "strong": [("shear", 1), ("contrast", None), ("slab", 19)],
}


@pytest.mark.parametrize("level", LEVELS)
def test_compositions_draw_what_they_always_drew(level):
    """Published figures are of these draws: further edits of the table must not change them."""
    done = only(COMPOSE, level, case="golden").truth["edits"]
    choices = [each.get("axis", each.get("along", each.get("start"))) for each in done]
    assert list(zip([each["name"] for each in done], choices, strict=True)) == COMPOSED[level]
    drawn = [only(COMPOSE, level, case=str(case)).truth["edits"] for case in range(4)]
    assert [[each["name"] for each in done] for done in drawn] == [
        ["tilt", "brightness", "thick"], ["zoom", "blur", "thick"],
        ["tilt", "noise", "jpeg"], ["rotation", "bias", "thick"],
    ]  # fmt: skip


def test_no_composition_holds_an_edit_of_the_other_suite():
    extended = set(names_of("extended"))
    assert extended
    for case in range(60):
        done = only(COMPOSE, "medium", SMOOTH[:9, :9, :9], case=str(case)).truth["edits"]
        assert not extended & {each["name"] for each in done}
