"""The edits of the suite "extended" against what they are defined to be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from dvdup.edits import EDITS, LEVELS, apply, available, names_of
from dvdup.edits.elastic import displacements
from dvdup.edits.integers import FAULTS

SPACING = (1.0, 1.25, 3.0)
CASES = tuple(f"case {i}" for i in range(12))
SHAPE = (48, 52, 30)


def head(shape=SHAPE) -> np.ndarray:
    """A smooth body, brighter than 100, in air of 0 to 1."""
    rng = np.random.default_rng(3)
    axes = np.meshgrid(*(np.linspace(-1, 1, n) if n > 1 else [0.0] for n in shape), indexing="ij")
    body = sum(axis**2 for axis in axes) < 0.6
    tissue = ndimage.gaussian_filter(rng.normal(size=shape), 3)
    tissue = 500 + 300 * tissue / np.abs(tissue).max()
    return np.where(body, tissue, rng.random(shape)).astype(np.float32)


HEAD = head()
BODY = HEAD > 100
FLAT = np.ascontiguousarray(HEAD[:, :, 15:16])


def done(name, level, case="case", values=HEAD):
    edited = apply(name, level, values, SPACING, case)
    (said,) = edited.truth["edits"]
    return edited.values, said


def strength(name, level):
    return EDITS[name].strengths[level]


def test_the_suite_is_a_table_of_its_own():
    assert names_of("extended") == (
        "ellipse", "box", "erase", "deface", "text", "invert", "signs", "elastic", "lowres",
        "kspace", "frame", "concat", "mixup",
    )  # fmt: skip
    assert names_of("standard", "extended") == names_of("extended", "standard")
    assert names_of("standard", "extended") == names_of("standard") + names_of("extended")
    assert all(available(level, "extended") == names_of("extended") for level in LEVELS)
    strengths = {name: tuple(EDITS[name].strengths.values()) for name in names_of("extended")}
    assert strengths == {
        "ellipse": (0.95, 0.85, 0.7), "box": (0.95, 0.85, 0.7), "erase": (0.05, 0.15, 0.3),
        "deface": (0.1, 0.2, 0.3), "text": (0.04, 0.08, 0.14),
        "invert": ((1, 1), (0.8, 1.25), (0.6, 1.6)), "signs": (0.1, 0.25, 0.5),
        "elastic": (0.01, 0.02, 0.04), "lowres": (2, 3, 4), "kspace": (2, 3, 4),
        "frame": (0.9, 0.8, 0.7), "concat": (0.25, 0.5, 1), "mixup": (0.2, 0.35, 0.5),
    }  # fmt: skip


# Masks


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", ["ellipse", "box", "erase", "deface"])
def test_what_is_not_removed_is_untouched(name, level, case):
    values, said = done(name, level, case)
    changed = values != HEAD
    fill = np.float32(said.get("fill", HEAD.min()))
    assert (values[changed] == fill).all()
    assert (changed & BODY).any()
    assert (~changed & BODY).mean() > 0.05


@pytest.mark.parametrize("name", ["ellipse", "box", "erase"])
def test_what_is_removed_is_the_minimum_or_the_mean(name):
    fills = {done(name, "mild", case)[1]["fill"] for case in CASES}
    assert fills == {float(HEAD.min()), float(HEAD.mean())}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("level", LEVELS)
def test_an_ellipse_of_the_content_is_kept(level, case):
    values, said = done("ellipse", level, case)
    kept = (values == HEAD) & BODY
    bounds = [np.flatnonzero(BODY.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    spans = [np.flatnonzero(kept.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    for axis, (outer, inner) in enumerate(zip(bounds, spans, strict=True)):
        length, left = outer[-1] - outer[0] + 1, inner[-1] - inner[0] + 1
        uncut = said["of"] == "each slice" and axis == 2
        wanted = length if uncut else strength("ellipse", level) * length
        assert left == pytest.approx(wanted, abs=2)
    assert {done("ellipse", level, each)[1]["of"] for each in CASES} == {"each slice", "the volume"}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("level", LEVELS)
def test_a_block_is_a_share_of_the_content(level, case):
    values, said = done("erase", level, case)
    lengths = [stop - start for start, stop in said["erased"]]
    box = [np.ptp(np.flatnonzero(BODY.any(axis=axes))) + 1 for axes in ((1, 2), (0, 2), (0, 1))]
    assert np.prod(lengths) / np.prod(box) == pytest.approx(strength("erase", level), rel=0.12)
    where = tuple(slice(*each) for each in said["erased"])
    assert np.ptp(values[where]) == 0


@pytest.mark.parametrize("level", LEVELS)
def test_blocks_and_boxes_lie_anywhere(level):
    for name, key in (("erase", "erased"), ("box", "kept")):
        assert len({str(done(name, level, case)[1][key]) for case in CASES}) > 3


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("level", LEVELS)
def test_the_face_is_cut_off(level, case):
    values, _ = done("deface", level, case)
    gone = (values != HEAD) & BODY
    assert gone.sum() / BODY.sum() == pytest.approx(strength("deface", level), abs=0.03)
    middle_gone, middle = ndimage.center_of_mass(gone), ndimage.center_of_mass(BODY)
    assert middle_gone[1] > middle[1] + 3  # the front is at the end of y
    assert middle_gone[2] < middle[2] - 3  # below is at the beginning of z
    assert middle_gone[0] == pytest.approx(middle[0], abs=1)


@pytest.mark.parametrize("level", LEVELS)
def test_text_is_the_same_in_every_slice_and_white(level):
    wide = head((192, 208, 6))
    values, said = done("text", level, values=wide)
    drawn = values != wide
    columns = drawn.any(axis=2)
    assert 0.002 < columns.mean() < 0.3
    white = values > 0.75 * np.percentile(wide, 99.5)  # small letters have soft edges alone
    assert (white & drawn).all(axis=2).any()
    assert drawn[columns].mean() > 0.99
    assert len(said["words"]) == (1 if level == "mild" else 3)


def test_text_in_every_corner():
    corners = {done("text", "mild", case)[1]["corner"] for case in (*CASES, *"abcdefgh")}
    assert corners == {0, 1, 2, 3}
    for case in CASES:
        values, said = done("text", "mild", case)
        x, y, _ = ndimage.center_of_mass(values != HEAD)
        assert (x > SHAPE[0] / 2) == bool(said["corner"] & 1)
        assert (y < SHAPE[1] / 2) == bool(said["corner"] & 2)  # rows run downwards


# Values


def test_inversion_comes_back():
    values, _ = done("invert", "mild")
    low, high = np.percentile(HEAD, (0.5, 99.5))
    assert low + high - values == pytest.approx(HEAD, abs=1e-2)


@pytest.mark.parametrize("level", LEVELS)
def test_inversion_turns_the_order_around(level):
    values, _ = done("invert", level)
    order = np.argsort(HEAD, axis=None, kind="stable")
    assert (np.diff(values.ravel()[order]) <= 1e-3).all()
    assert np.corrcoef(values.ravel(), HEAD.ravel())[0, 1] < -0.8


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("level", LEVELS)
def test_the_faults_of_whole_numbers(level, fault):
    made = (done("signs", level, str(i)) for i in range(60))
    values = next(values for values, said in made if said["fault"] == fault).astype(np.float64)
    share = strength("signs", level)
    assert np.array_equal(values, np.round(values))
    low, high = np.percentile(HEAD, (0.5, 99.5))
    unit = np.clip((HEAD - low) / (high - low), 0, 1)
    if fault == "int16 read as uint16":
        undone = np.where(values >= 2**15, values - 2**16, values) / 4095 + share
    elif fault == "uint16 read as int16":
        undone = np.mod(values, 2**16) * (1 - share) / (2**15 - 1)
    elif fault == "uint8 read as int8":
        undone = np.mod(values, 2**8) * (1 - share) / (2**7 - 1)
    elif fault == "absolute values":
        undone, unit = values / 4095, np.abs(unit - share)
    else:
        inside = values != 2**16 - 2000
        assert not inside[0, 0].any()
        assert inside[24, 26].all()
        undone, unit = values[inside] / 4095, unit[inside]
    assert undone == pytest.approx(unit, abs=0.01)
    assert not np.allclose(values / 4095, unit.mean(), atol=0.01)


@pytest.mark.parametrize("level", LEVELS)
def test_wrapped_values_are_torn_apart(level):
    """Where the wrap comes, neighbours in grey are far apart: no smooth map undoes it."""
    for case in map(str, range(30)):
        values, said = done("signs", level, case)
        if said["fault"] in {"uint8 read as int8", "uint16 read as int16"}:
            share = strength("signs", level)
            assert (values < 0).mean() <= share + 0.05
            assert (values < 0).any()


# Places


@pytest.mark.parametrize("case", CASES[:4])
@pytest.mark.parametrize("level", LEVELS)
def test_a_deformation_is_what_its_knots_say(level, case):
    values, said = done("elastic", level, case)
    moved = displacements(np.array(said["knots"]), HEAD.shape)
    share = np.sqrt(((moved / np.array(SHAPE)[:, None, None, None]) ** 2).sum(axis=0))
    assert share.max() == pytest.approx(strength("elastic", level), rel=1e-3)
    expected = ndimage.map_coordinates(HEAD, np.indices(SHAPE) + moved, order=1, mode="nearest")
    inner = (slice(4, -4),) * 3
    assert values[inner] == pytest.approx(expected[inner], abs=1.0)
    stretched = 1 + np.diff(moved[0], axis=0)
    assert stretched.min() > 0.3  # nothing folds


def test_a_deformation_of_a_picture_stays_in_it():
    _, said = done("elastic", "strong", values=FLAT)
    assert not np.any(np.array(said["knots"])[2])
    assert np.any(np.array(said["knots"])[:2])


@pytest.mark.parametrize("level", LEVELS)
def test_low_resolution_is_means_over_blocks(level):
    factor = strength("lowres", level)
    source = HEAD[:48, :48, :24]
    edited = apply("lowres", level, source, SPACING, "case")
    blocks = source.reshape(48 // factor, factor, 48 // factor, factor, 24 // factor, factor)
    assert edited.values == pytest.approx(blocks.mean(axis=(1, 3, 5)), rel=1e-4, abs=1e-2)
    assert edited.spacing == pytest.approx(tuple(factor * each for each in SPACING))
    matrix = np.array(edited.truth["to_source"])
    assert matrix[:, :3] == pytest.approx(factor * np.eye(3))
    assert matrix[:, 3] == pytest.approx((factor - 1) / 2)


@pytest.mark.parametrize("case", CASES[:6])
def test_a_frame_holds_the_whole_scan(case):
    edited = apply("frame", "strong", HEAD, SPACING, case)
    (said,) = edited.truth["edits"]
    share = np.array([0.7, 0.7, 1.0 if said["of"] == "each slice" else 0.7])
    assert np.diag(np.array(edited.truth["to_source"])[:, :3]) == pytest.approx(1 / share)
    body = edited.values > 100
    assert body.sum() / BODY.sum() == pytest.approx(share.prod(), rel=0.15)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("level", LEVELS)
def test_a_scan_is_whole_in_what_it_was_joined_to(level, case):
    edited = apply("concat", level, HEAD, SPACING, case)
    (said,) = edited.truth["edits"]
    offset = np.array(edited.truth["to_source"])[:, 3].astype(int)
    place = tuple(slice(-o, -o + n) for o, n in zip(offset, SHAPE, strict=True))
    assert np.array_equal(edited.values[place], HEAD)
    grown = edited.values.shape[said["axis"]] / SHAPE[said["axis"]]
    assert grown == pytest.approx(1 + strength("concat", level), abs=0.03)
    assert said["before"] == bool(offset.any())


@pytest.mark.parametrize("level", LEVELS)
def test_a_mixture_is_a_scan_and_one_other(level):
    """Of one case the other is the same at every strength."""
    share, other = strength("mixup", level), {}
    for each in LEVELS:
        part = strength("mixup", each)
        other[each] = (done("mixup", each)[0] - (1 - part) * HEAD) / part
    assert other[level] == pytest.approx(other["strong"], abs=0.01 / share)
    assert abs(np.corrcoef(other["strong"][BODY], HEAD[BODY])[0, 1]) < 0.4


# k-space


@pytest.mark.parametrize("case", CASES[:4])
def test_lines_are_missing(case):
    kept = {}
    for level in LEVELS:
        values, said = done("kspace", level, case)
        n = SHAPE[said["axis"]]
        assert said["lines"] == round(n / strength("kspace", level))
        kept[level] = float(np.corrcoef(values.ravel(), HEAD.ravel())[0, 1])
        assert values.min() >= HEAD.min()
        assert values.mean() == pytest.approx(HEAD.mean(), rel=0.5)
    assert kept["mild"] > kept["medium"] > kept["strong"] > 0.4


@given(n=st.integers(2, 300), seed=st.integers(0, 9))
def test_weaker_undersampling_keeps_what_stronger_keeps(n, seed):
    from dvdup.edits.kspace import _kept_lines

    order = np.random.default_rng(seed).permutation(n)
    weak, strong = (_kept_lines(order, n, factor) for factor in (2, 4))
    assert not (strong & ~weak).any()
    assert weak[0]
    assert strong[0]
    assert weak.sum() == max(1, round(n / 2))


# Pictures


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", names_of("extended"))
def test_a_picture_is_edited_in_its_plane(name, level):
    edited = apply(name, level, FLAT, (1.0, 1.0, 1.0), "case")
    assert edited.values.shape[2] == 1
    assert edited.spacing[2] == 1
    assert not np.array_equal(edited.values, FLAT)
    matrix = np.array(edited.truth["to_source"])
    assert matrix[2] == pytest.approx([0, 0, 1, 0])


def test_one_line_cannot_be_undersampled():
    thin = np.ascontiguousarray(HEAD[:1, :, 15:16])
    unchanged = [done("kspace", "strong", case, thin) for case in CASES]
    assert {said.get("unchanged", "") for _, said in unchanged} == {
        "", "one line is all there is",
    }  # fmt: skip
    for values, said in unchanged:
        assert np.array_equal(values, thin) == ("unchanged" in said)
