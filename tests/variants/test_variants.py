"""Looks of a stack are what slicing gives of a changed volume."""

from __future__ import annotations

import numpy as np
import pytest

from dvdup import slicing, variants, voxels


def stack_of(values: np.ndarray) -> slicing.SliceStack:
    recipe = slicing.make_recipe(size=32, crop=False)
    return slicing.slice_channel(values, voxels.proxy(values), (3, 3, 3), "", 0, recipe)


def looked(stack: slicing.SliceStack, look: str) -> np.ndarray:
    by_change = {name: variants.changed(stack.pixels, name) for name in variants.CHANGES}
    return variants.pick(by_change, stack.plane, look)


@pytest.mark.parametrize(
    ("look", "axis"),
    [("mirror left-right", 0), ("mirror front-back", 1), ("mirror head-feet", 2)],
)
def test_a_mirrored_volume_looks_like_its_mirror_look(look, axis, phantom):
    values = phantom(3, (32, 32, 32)).astype(np.float32)
    scan, mirrored = stack_of(values), stack_of(np.asfortranarray(np.flip(values, axis)))
    pixels = looked(mirrored, look)
    for plane in range(3):
        ours = scan.pixels[scan.plane == plane]
        theirs = pixels[mirrored.plane == plane]
        if plane == 2 - axis:
            theirs = theirs[::-1]  # the slices across the mirrored axis come in reverse order
        assert ours.shape == theirs.shape
        assert (ours == theirs).mean() > 0.99


def test_the_identity_is_first_and_changes_nothing(phantom):
    stack = stack_of(phantom(3, (24, 24, 24)).astype(np.float32))
    assert next(iter(variants.LOOKS)) == "identity"
    assert (looked(stack, "identity") == stack.pixels).all()


def test_turns_are_undone_by_one_another():
    picture = np.zeros((1, 33, 33), np.uint8)
    picture[0, 10:23, 14:19] = 200
    back = variants.changed(variants.changed(picture, "left"), "right")
    inner = (slice(None), slice(8, 25), slice(8, 25))
    assert np.abs(back[inner].astype(int) - picture[inner]).mean() < 12
    assert (variants.changed(picture, "left") != picture).any()


def test_shrinking_keeps_the_centre_and_enlarging_undoes_it():
    picture = np.zeros((1, 41, 41), np.uint8)
    picture[0, 10:31, 10:31] = 100
    small = variants.changed(picture, "shrunk")
    assert small[0].astype(bool).sum() == pytest.approx(0.64 * 21 * 21, rel=0.2)
    assert small[0, 20, 20] == 100
    large = variants.changed(small, "enlarged")
    assert np.abs(large.astype(int) - picture).mean() < 6


@pytest.mark.parametrize("change", variants.CHANGES)
def test_no_slices_stay_no_slices(change):
    assert variants.changed(np.zeros((0, 32, 32), np.uint8), change).shape == (0, 32, 32)
