"""Changed slices are what slicing gives of a changed volume."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from dvdup import slicing, variants, voxels


def stack_of(values: np.ndarray) -> slicing.SliceStack:
    recipe = slicing.make_recipe(size=32, crop=False)
    return slicing.slice_channel(values, voxels.proxy(values), (3, 3, 3), "", 0, recipe)


MIRRORS = {
    0: ("columns reversed", "columns reversed", "same"),
    1: ("rows reversed", "same", "columns reversed"),
    2: ("same", "rows reversed", "rows reversed"),
}
"""What mirroring a volume along an axis does to its axial, coronal and sagittal slices."""


@pytest.mark.parametrize(("axis", "changes"), MIRRORS.items())
def test_a_mirrored_volume_is_the_mirrored_slices(axis, changes, phantom):
    values = phantom(3, (32, 32, 32)).astype(np.float32)
    scan, mirrored = stack_of(values), stack_of(np.asfortranarray(np.flip(values, axis)))
    for plane, change in enumerate(changes):
        ours = scan.pixels[scan.plane == plane]
        theirs = variants.changed(mirrored.pixels[mirrored.plane == plane], change)
        if plane == 2 - axis:
            theirs = theirs[::-1]  # the slices across the mirrored axis come in reverse order
        assert ours.shape == theirs.shape
        assert (ours == theirs).mean() > 0.99


def test_the_first_change_changes_nothing(phantom):
    stack = stack_of(phantom(3, (24, 24, 24)).astype(np.float32))
    assert variants.CHANGES[0] == variants.SAME
    assert (variants.changed(stack.pixels, variants.SAME) == stack.pixels).all()


UNDONE = {
    "columns reversed": "columns reversed",
    "rows reversed": "rows reversed",
    "half turn": "half turn",
    "quarter turn": "three quarters of a turn",
    "three quarters of a turn": "quarter turn",
    "transposed": "transposed",
    "transposed, half turn": "transposed, half turn",
    "inverted": "inverted",
}


@pytest.mark.parametrize(("change", "back"), UNDONE.items())
def test_what_interpolates_nothing_is_undone_exactly(change, back):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 16, 16), dtype=np.uint8)
    once = variants.changed(pixels, change)
    assert (once != pixels).any()
    assert (variants.changed(once, back) == pixels).all()


def test_every_change_gives_another_picture():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 24, 24), dtype=np.uint8)
    found = {variants.changed(pixels, change).tobytes() for change in variants.CHANGES}
    assert len(found) == len(variants.CHANGES) == len(set(variants.CHANGES))
    assert set(variants.CROPS) < set(variants.CHANGES)


@pytest.mark.parametrize("change", variants.CHANGES)
def test_a_change_is_of_each_picture_alone(change):
    pixels = np.random.default_rng(1).integers(0, 256, (3, 20, 20), dtype=np.uint8)
    together = variants.changed(pixels, change)
    assert (together.dtype, together.shape) == (np.uint8, pixels.shape)
    for one, picture in zip(pixels, together, strict=True):
        assert (variants.changed(one[None], change)[0] == picture).all()
    grey = variants.changed(np.full((1, 20, 20), 77, np.uint8), change)
    assert (grey == (178 if change == "inverted" else 77)).all()


def test_turns_are_undone_by_one_another():
    picture = np.zeros((1, 33, 33), np.uint8)
    picture[0, 10:23, 14:19] = 200
    back = variants.changed(variants.changed(picture, "turned left"), "turned right")
    inner = (slice(None), slice(8, 25), slice(8, 25))
    assert np.abs(back[inner].astype(int) - picture[inner]).mean() < 12
    assert (variants.changed(picture, "turned left") != picture).any()


def test_shrinking_keeps_the_centre_and_enlarging_undoes_it():
    picture = np.zeros((1, 41, 41), np.uint8)
    picture[0, 10:31, 10:31] = 100
    small = variants.changed(picture, "shrunk")
    assert small[0].astype(bool).sum() == pytest.approx(0.64 * 21 * 21, rel=0.2)
    assert small[0, 20, 20] == 100
    large = variants.changed(small, "enlarged")
    assert np.abs(large.astype(int) - picture).mean() < 6


ROWS, COLUMNS = ("top", "middle", "bottom"), ("left", "middle", "right")


@pytest.mark.parametrize("place", [*itertools.product(range(3), repeat=3)])
def test_a_part_of_a_volume_shows_the_crop_at_its_place(place, phantom):
    """Rows of slices run from front to back or from head to feet; X, Y, Z to right, front, head."""
    n, side = 60, round(60 * variants.SHARE)
    values = phantom(3, (n, n, n)).astype(np.float32)
    starts = [round((n - side) / 2 * i) for i in place]
    part = np.asfortranarray(values[tuple(slice(s, s + side) for s in starts)])
    x, y, z = place
    across = ((2 - y, x), (2 - z, x), (2 - z, y))
    whole, cut = stack_of(values), stack_of(part)
    for plane, (row, column) in enumerate(across):
        theirs = cut.pixels[cut.plane == plane].reshape(-1, 32 * 32)
        found = {}
        for name in variants.CROPS:
            ours = variants.changed(whole.pixels[whole.plane == plane], name).reshape(-1, 32 * 32)
            alike = np.corrcoef(ours, theirs)[: len(ours), len(ours) :].max(axis=0)
            found[name] = np.median(alike)
        crop = f"{ROWS[row]} {COLUMNS[column]}"
        assert found[crop] > 0.9
        assert max(found, key=found.__getitem__) == crop


@pytest.mark.parametrize("change", variants.CHANGES)
def test_no_slices_stay_no_slices(change):
    assert variants.changed(np.zeros((0, 32, 32), np.uint8), change).shape == (0, 32, 32)


def test_a_picture_alone_fills_its_frame_and_its_greys():
    picture = np.zeros((64, 64), np.uint8)
    picture[20:44, 10:40] = np.linspace(20, 140, 24 * 30).reshape(24, 30)
    full = np.random.default_rng(0).choice(np.array([0, 255], np.uint8), (64, 64))
    (alone,) = variants.trimmed(np.stack([picture, np.zeros_like(picture)]))
    assert (alone.shape, alone.dtype) == ((64, 64), np.uint8)
    assert (alone[8:-8, 8:-8] > 0).mean() > 0.9
    assert alone.max() - int(alone.min()) >= 250
    assert len(variants.trimmed(full[None])) == 0


def test_of_no_pictures_none_are_trimmed():
    assert variants.trimmed(np.zeros((0, 64, 64), np.uint8)).shape == (0, 64, 64)
