"""Which slices are cut, where, how they lie and what grey values they get."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvdup import slicing, voxels
from dvdup.errors import ConfigError
from dvdup.records import SliceStack, Volume
from dvdup.slicing import (
    PLANES,
    Recipe,
    channels_to_slice,
    make_recipe,
    slice_channel,
    voting_channels,
)

COLUMNS = [field.name for field in dataclasses.fields(SliceStack)]


def cut(values, spacing=(1.0, 1.0, 1.0), modality="", channel=0, **settings) -> SliceStack:
    values = np.asfortranarray(values, np.float32)
    recipe = make_recipe(**settings)
    return slice_channel(values, voxels.proxy(values), spacing, modality, channel, recipe)


def equal(one: SliceStack, other: SliceStack) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in COLUMNS)


@pytest.fixture(scope="module")
def head(phantom):
    """A phantom with air around it, float32 (40, 44, 36)."""
    return phantom(3).astype(np.float32)


def ball(shape, centre, radius, inside=1000.0, outside=0.0):
    grid = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    distance = sum((g - c) ** 2 for g, c in zip(grid, centre, strict=True))
    return np.where(distance < radius**2, inside, outside).astype(np.float32)


# The recipe


CHANGES = {
    "size": 48, "planes": ("axial",), "spacing_mm": 2.0, "min_slices": 10, "max_slices": 99,
    "low": 1.0, "high": 98.0, "ct_window": (-100.0, 200.0), "crop": False, "background": 0.4,
    "foreground": 0.1, "contrast": 5.0,
}  # fmt: skip


def test_the_hash_sees_every_setting(monkeypatch):
    assert set(CHANGES) == set(Recipe.__slots__)
    hashes = {Recipe().hash(), *(make_recipe(**{k: v}).hash() for k, v in CHANGES.items())}
    monkeypatch.setattr(slicing, "_VERSION", 99)
    hashes.add(Recipe().hash())
    assert len(hashes) == len(CHANGES) + 2


def test_the_hash_does_not_depend_on_how_it_is_written():
    assert make_recipe(planes=("sagittal", "axial")) == make_recipe(planes=("axial", "sagittal"))
    assert make_recipe(spacing_mm=3).hash() == make_recipe(spacing_mm=3.0).hash()
    assert make_recipe(planes=["axial"]).hash() == make_recipe(planes=("axial",)).hash()


def test_the_description_is_plain_and_sorted():
    told = Recipe().describe()
    assert list(told) == sorted(told)
    assert told["planes"] == list(PLANES)
    assert told["version"] == slicing._VERSION


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"planes": ("axial", "oblique")}, r"some of axial, coronal, sagittal; got \['oblique'\]"),
        ({"planes": ()}, "must name some of"),
        ({"spacing_mm": 0.0}, r"spacing_mm must be above 0"),
        ({"spacing_mm": -1.0}, r"spacing_mm must be above 0"),
        ({"max_slices": 2}, r"max_slices at least 3"),
        ({"max_slices": 0, "planes": ("axial",)}, r"max_slices at least 1"),
    ],
)
def test_settings_out_of_range_are_refused(bad, said):
    with pytest.raises(ConfigError, match=said):
        make_recipe(**bad)


@pytest.mark.parametrize(
    ("n", "chosen"),
    [(1, (0,)), (4, (0, 1, 2, 3)), (8, tuple(range(8))), (9, (0, 4, 8)), (200, (0, 100, 199))],
)
def test_channels_up_to_eight_and_three_of_a_time_series(n, chosen):
    assert voting_channels(n) == chosen


@pytest.mark.parametrize("n", [9, 10, 12, 13, 20, 333])
def test_twelve_of_many_volumes_are_spread_and_hold_those_of_a_time_series(n):
    chosen = voting_channels(n, min(n, 12))
    assert len(set(chosen)) == len(chosen) == min(n, 12)
    assert list(chosen) == sorted(chosen)
    assert set(voting_channels(n)) <= set(chosen) <= set(range(n))
    assert np.diff(chosen).max() <= -(-n // 10)


def volume_of(channels):
    scaling = ((1.0, 0.0),) * len(channels)
    return Volume(tuple(channels), scaling, (2.0, 2.0, 2.0))


@pytest.mark.parametrize("n", [3, 8, 9, 12, 30])
def test_up_to_twelve_volumes_vote_if_they_are_different_scans(phantom, n):
    volumes = [phantom(seed, (20, 24, 22)) for seed in range(n)]
    assert len(channels_to_slice(volume_of(volumes))) == min(n, 12)


@pytest.mark.parametrize("kind", ["noise", "motion", "contrast agent", "holes", "empty frames"])
def test_three_frames_of_a_time_series_vote(phantom, kind):
    still, rng = phantom(1, (40, 44, 36)), np.random.default_rng(0)
    frames = []
    for t in range(14):
        frame = still + rng.normal(0, 0.01 * still.std(), still.shape)
        if kind == "motion":
            frame = 0.7 * frame + 0.3 * np.roll(frame, t % 3 - 1, axis=1)
        elif kind == "contrast agent":
            frame = np.where(still > np.percentile(still, 80), frame * (1 + t / 14), frame)
        elif kind == "holes":
            frame[t] = np.nan
        elif kind == "empty frames" and t % 2:
            frame = np.zeros_like(frame)
        frames.append(frame.astype(np.float32))
    assert channels_to_slice(volume_of(frames)) == (0, 7, 13)


def test_frames_without_content_are_a_time_series():
    assert channels_to_slice(volume_of([np.zeros((5, 6, 1), np.int16)] * 10)) == (0, 5, 9)


# Planes and places


def test_rows_and_columns_of_a_picture():
    """Row 0 is anterior in axial, superior in coronal and sagittal pictures; columns go to +X, +Y.

    One octant is brighter: right (+X), anterior (+Y), superior (+Z).
    """
    values = ball((40, 40, 40), (19.5, 19.5, 19.5), 18, 500)
    values[20:, 20:, 20:] *= 2
    stack = cut(values, size=32)
    for number, plane in enumerate(PLANES):
        middle = (stack.plane == number) & (stack.index >= 22) & (stack.index <= 26)
        picture = stack.pixels[middle].mean(axis=0)
        quarters = [[picture[:16, :16].mean(), picture[:16, 16:].mean()],
                    [picture[16:, :16].mean(), picture[16:, 16:].mean()]]  # fmt: skip
        assert np.argmax(quarters) == 1, plane


def test_a_slice_is_what_stands_at_its_index():
    """Size as the content: no resampling, so the picture can be written down."""
    rng = np.random.default_rng(0)
    values = rng.uniform(300, 1000, (32, 32, 32)).astype(np.float32)
    stack = cut(values, size=32, crop=False)
    low, high = np.percentile(values, (0.5, 99.5))
    for plane, index, picture in zip(stack.plane, stack.index, stack.pixels, strict=True):
        expected = values.take(index, axis=2 - plane).T[::-1]
        grey = np.clip((expected - low) / (high - low) * 255, 0, 255)
        assert np.abs(picture - grey).max() <= 1
    assert set(stack.plane.tolist()) == {0, 1, 2}


@pytest.mark.parametrize("planes", [("axial",), ("coronal", "sagittal"), PLANES])
def test_only_the_planes_asked_for_in_order(head, planes):
    stack = cut(head, (3.0, 3.0, 3.0), planes=planes[::-1], channel=5)
    assert sorted({PLANES[p] for p in stack.plane}) == sorted(planes)
    order = list(zip(stack.plane.tolist(), stack.index.tolist(), strict=True))
    assert order == sorted(order)
    assert set(stack.channel.tolist()) == {5}


def test_positions_are_in_mm_along_the_axis(head):
    spacing = (0.7, 1.3, 5.0)
    stack = cut(head, spacing)
    step = np.array([spacing[2], spacing[1], spacing[0]])[stack.plane]
    assert stack.position_mm == pytest.approx(stack.index * step, rel=1e-6)
    assert (stack.pixels.dtype, stack.channel.dtype, stack.plane.dtype) == ("u1", "i2", "u1")
    assert (stack.index.dtype, stack.position_mm.dtype) == ("i4", "f4")


@pytest.mark.parametrize(
    ("spacing_mm", "step", "n"),
    [(3.0, 1.0, 40), (1.0, 1.0, 120), (0.5, 1.0, 120), (6.0, 3.0, 60), (100.0, 1.0, 24)],
)
def test_slices_lie_spacing_mm_apart(spacing_mm, step, n):
    """Never closer than the voxels, never fewer than min_slices."""
    values = np.random.default_rng(0).uniform(300, 1000, (20, 20, 120))
    stack = cut(values, (1.0, 1.0, step), planes=("axial",), spacing_mm=spacing_mm, crop=False)
    assert len(stack) == n
    gaps = np.diff(stack.index)
    assert gaps.min() >= 1
    assert gaps.max() - gaps.min() <= 1
    assert stack.index[0] + (119 - stack.index[-1]) <= gaps.max() + 1


@pytest.mark.parametrize(("cap", "planes"), [(30, PLANES), (10, ("axial",)), (3, PLANES)])
def test_the_cap_is_over_all_planes(cap, planes):
    values = np.random.default_rng(0).uniform(300, 1000, (60, 60, 60))
    stack = cut(values, spacing_mm=0.1, max_slices=cap, planes=planes, crop=False)
    assert len(stack) == cap


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(*[st.integers(1, 24)] * 3),
    spacing=st.tuples(*[st.floats(0.2, 9)] * 3),
    spacing_mm=st.floats(0.3, 30),
    cap=st.integers(3, 80),
    size=st.sampled_from([16, 32, 50]),
    seed=st.integers(0, 99),
)
def test_any_shape_gives_a_stack_within_bounds(shape, spacing, spacing_mm, cap, size, seed):
    values = np.random.default_rng(seed).normal(size=shape) * 100
    stack = cut(values, spacing, spacing_mm=spacing_mm, max_slices=cap, size=size)
    assert stack.pixels.shape == (len(stack), size, size)
    assert len(stack) <= cap
    keys = list(zip(stack.plane.tolist(), stack.index.tolist(), strict=True))
    assert keys == sorted(set(keys))
    for plane, index in keys:
        assert 0 <= index < shape[2 - plane]
    assert equal(stack, cut(values, spacing, spacing_mm=spacing_mm, max_slices=cap, size=size))


# What has a vote


@pytest.mark.parametrize("value", [0.0, -1000.0, 7.5, np.nan, np.inf, -np.inf])
def test_a_constant_volume_has_no_slice(value):
    stack = cut(np.full((20, 20, 20), value))
    assert len(stack) == 0
    assert stack.pixels.shape == (0, 32, 32)


def test_background_slices_have_no_vote():
    values = ball((40, 40, 80), (20, 20, 40), 15)
    values += np.random.default_rng(0).normal(size=values.shape).astype(np.float32) * 5
    axial = cut(values, planes=("axial",), crop=False, spacing_mm=1.0)
    assert axial.index.min() >= 25
    assert axial.index.max() <= 55
    assert len(axial) >= 20


def test_nearly_constant_slices_have_no_vote():
    """A uniform block inside a textured one: grey, and nothing to see."""
    values = np.random.default_rng(0).uniform(300, 1000, (30, 30, 60)).astype(np.float32)
    values[:, :, 20:40] = 700
    values[0, 0, 20:40] = 710
    index = set(cut(values, planes=("axial",), spacing_mm=1.0, crop=False).index.tolist())
    assert index == set(range(20)) | set(range(40, 60))


@pytest.mark.parametrize("side", [1, 4])
def test_a_lone_bright_blot_does_not_make_content(side):
    values = ball((64, 64, 64), (32, 32, 32), 12)
    blotted = values.copy()
    blotted[2 : 2 + side, 2 : 2 + side, 2 : 2 + side] = 1000
    assert equal(cut(values), cut(blotted))


@settings(max_examples=25, deadline=None)
@given(pads=st.tuples(*[st.tuples(st.integers(0, 12), st.integers(0, 12))] * 3))
def test_padding_with_background_changes_nothing(pads):
    """The content is found again, pixel for pixel; only its place has moved."""
    values = _textured_box()
    plain, padded = cut(values), cut(np.pad(values, pads))
    assert np.array_equal(padded.plane, plain.plane)
    shift = np.array([pads[2][0], pads[1][0], pads[0][0]])[plain.plane]
    assert np.array_equal(padded.index, plain.index + shift)
    close = np.abs(padded.pixels.astype(int) - plain.pixels).mean()
    assert close < 3  # the percentiles see more background


def _textured_box():
    rng = np.random.default_rng(1)
    values = np.zeros((36, 36, 36), np.float32)
    values[4:32, 4:32, 4:32] = rng.uniform(400, 1000, (28, 28, 28))
    return values


def test_without_the_crop_padding_does_change_the_slices():
    values = _textured_box()
    plain, padded = cut(values, crop=False), cut(np.pad(values, 10), crop=False)
    assert np.abs(plain.pixels.mean() - padded.pixels.mean()) > 10


# Grey values


def test_percentiles_become_0_and_255():
    values = np.random.default_rng(0).uniform(0, 1000, (32, 32, 32)).astype(np.float32)
    values[5, 5, 5], values[6, 6, 6] = 1e7, -1e7  # outliers do not squeeze the rest
    pixels = cut(values, crop=False).pixels
    assert pixels.min() == 0
    assert pixels.max() == 255
    assert np.mean(pixels) == pytest.approx(127.5, abs=3)


@pytest.mark.parametrize(("slope", "intercept"), [(2.0, 0.0), (0.01, -5.0), (7.0, 1000.0)])
def test_scale_and_offset_do_not_matter(head, slope, intercept):
    one, other = cut(head), cut(head * slope + intercept)
    assert np.array_equal(one.index, other.index)
    assert np.abs(one.pixels.astype(int) - other.pixels).max() <= 1


def test_ct_takes_a_window_in_hu():
    """-200 becomes 0, 300 becomes 255, whatever else is in the scan."""
    rng = np.random.default_rng(0)
    values = rng.choice([-1000.0, -200.0, 50.0, 300.0, 2000.0], (32, 32, 32)).astype(np.float32)
    pixels = cut(values, modality="CT", crop=False).pixels
    assert set(np.unique(pixels).tolist()) == {0, 128, 255}
    assert set(np.unique(cut(values, modality="MR", crop=False).pixels).tolist()) != {0, 128, 255}


@pytest.mark.parametrize("modality", ["", "CT"])
@pytest.mark.parametrize("hole", [np.nan, -np.inf], ids=["nan", "-inf"])
def test_holes_count_as_background(modality, hole):
    """As where a scanner leaves out what lies outside its circle: -1024 or NaN, same pictures."""
    values = ball((40, 40, 40), (20, 20, 20), 14, 60, -1024)
    values += np.random.default_rng(0).normal(size=values.shape).astype(np.float32) * 15
    grid = np.hypot(*np.meshgrid(np.arange(40) - 20, np.arange(40) - 20, indexing="ij"))
    outside = np.broadcast_to((grid > 18)[:, :, None], values.shape)
    filled, open_ = values.copy(), values.copy()
    filled[outside], open_[outside] = values.min(), hole
    one, other = cut(filled, modality=modality), cut(open_, modality=modality)
    assert np.array_equal(one.index, other.index)
    assert np.array_equal(one.plane, other.plane)
    assert (
        np.abs(one.pixels.astype(int) - other.pixels).mean() < 4
    )  # the range sees less background


def test_infinite_voxels_do_not_spread(head):
    """One bad voxel may blot one picture of each plane, at one place."""
    bad = head.copy()
    bad[20, 22, 18] = np.inf
    one, other = cut(head), cut(bad)
    assert np.array_equal(one.index, other.index)
    differing = (one.pixels != other.pixels).any(axis=(1, 2))
    assert differing.sum() <= 3


# Thin volumes


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("thickness", [1, 2])
def test_a_picture_is_cut_across_its_thin_axis_only(axis, thickness):
    rng = np.random.default_rng(0)
    shape = [40, 44, 48]
    shape[axis] = thickness
    stack = cut(rng.uniform(300, 1000, shape), (1.0, 1.0, 1.0))
    assert set(stack.plane.tolist()) == {2 - axis}
    assert sorted(stack.index.tolist()) == list(range(thickness))


def test_three_layers_are_enough_to_look_from_the_side():
    values = np.random.default_rng(0).uniform(300, 1000, (40, 44, 3))
    assert set(cut(values).plane.tolist()) == {0, 1, 2}


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 50), (2, 2, 50)])
def test_lines_and_points_have_no_slice(shape):
    assert len(cut(np.random.default_rng(0).uniform(0, 1000, shape))) == 0


def test_stacks_are_joined_in_the_order_given(head):
    one, other = cut(head, channel=0), cut(head, channel=1, planes=("axial",))
    joined = slicing.concatenate([one, slicing.concatenate([], 32), other], 32)
    assert len(joined) == len(one) + len(other)
    assert joined.channel.tolist() == [0] * len(one) + [1] * len(other)
    assert np.array_equal(joined.pixels[len(one) :], other.pixels)
    assert slicing.concatenate([], 50).pixels.shape == (0, 50, 50)


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_order_in_memory_does_not_matter(head, order):
    proxy = voxels.proxy(np.asfortranarray(head))
    stored = np.array(head, order=order)
    one = slice_channel(stored, proxy, (1.0, 1.0, 1.0), "", 0, Recipe())
    assert np.array_equal(one.index, cut(head).index)
    assert np.abs(one.pixels.astype(int) - cut(head).pixels).max() <= 1


def test_noise_does_not_hide_where_the_content_is():
    values = np.zeros((60, 60, 60), np.float32)
    values[20:40, 15:45, 10:50] = 100.0
    noisy = values + np.abs(np.random.default_rng(0).normal(0, 40, values.shape))
    clean, lifted = (
        {axis: np.ptp(stack.index[stack.plane == 2 - axis]) for axis in range(3)}
        for stack in (cut(values), cut(noisy.astype(np.float32)))
    )
    assert all(abs(clean[axis] - lifted[axis]) <= 4 for axis in range(3)), (clean, lifted)


@pytest.mark.parametrize(("n", "most", "left"), [(7, 3, [0, 3, 6]), (2, 5, [0, 1]), (4, 1, [0])])
def test_thinned_slices_are_spread_over_each_plane_of_each_channel(n, most, left):
    runs = [(channel, plane) for channel in (0, 4) for plane in (0, 2)]
    stack = slicing.concatenate(
        [
            slicing.SliceStack(
                np.zeros((n, 4, 4), np.uint8),
                np.full(n, channel, np.int16),
                np.full(n, plane, np.uint8),
                np.arange(n, dtype=np.int32),
                np.arange(n, dtype=np.float32),
            )
            for channel, plane in runs
        ]
    )
    found = slicing.thinned(stack, most)
    labels = list(zip(found.channel.tolist(), found.plane.tolist(), found.index.tolist(),
                      strict=True))  # fmt: skip
    assert labels == [(*run, i) for run in runs for i in left]


def test_no_slices_cannot_be_thinned():
    assert len(slicing.thinned(slicing.concatenate([], 4), 3)) == 0


def test_the_content_of_a_negative_is_what_is_darker_than_its_background() -> None:
    body = np.zeros((40, 50, 30), np.uint8)
    body[10:30, 15:40, 5:25] = 120 + np.indices((20, 25, 20)).sum(axis=0)
    assert slicing.content_box(body) == slicing.content_box(255 - body)
    assert slicing.content_box(body) != tuple((0, n) for n in body.shape)


def test_a_bright_crop_of_a_body_is_no_negative() -> None:
    rng = np.random.default_rng(0)
    crop = np.clip(rng.normal(220, 30, (40, 50, 30)), 0, 255).astype(np.uint8)
    crop[15:25, 20:30, 10:20] = 20
    assert slicing.content_box(crop) == tuple((0, n) for n in crop.shape)
