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


@pytest.mark.parametrize("place", variants.PLACES)
def test_a_part_of_a_volume_looks_like_the_crop_at_its_place(place, phantom):
    n, side = 60, round(60 * variants.SHARE)
    values = phantom(3, (n, n, n)).astype(np.float32)
    names = (("left", "middle", "right"), ("back", "middle", "front"), ("feet", "middle", "head"))
    chosen = [name.index(word) for name, word in zip(names, place.split(), strict=True)]
    starts = [round((n - side) / 2 * i) for i in chosen]
    part = np.asfortranarray(values[tuple(slice(s, s + side) for s in starts)])
    crops = dict(zip(range(3), variants.PLACES[place], strict=True))
    whole, cut = stack_of(values), stack_of(part)
    for plane, crop in crops.items():
        ours = variants.changed(whole.pixels[whole.plane == plane], crop).reshape(-1, 32 * 32)
        theirs = cut.pixels[cut.plane == plane].reshape(-1, 32 * 32)
        alike = np.corrcoef(ours, theirs)[: len(ours), len(ours) :].max(axis=0)
        others = {
            name: np.corrcoef(
                variants.changed(whole.pixels[whole.plane == plane], name).reshape(-1, 32 * 32),
                theirs,
            )[: len(ours), len(ours) :].max(axis=0)
            for name in variants.CROPS
            if name != crop
        }
        assert np.median(alike) > 0.9
        assert np.median(alike) > max(np.median(each) for each in others.values())


def test_the_best_place_takes_each_plane_at_its_crop():
    rng = np.random.default_rng(1)
    parts = {crop: rng.random((3, 4)) for crop in variants.CROPS}
    sums = [
        parts[axial][0] + parts[coronal][1] + parts[sagittal][2]
        for axial, coronal, sagittal in variants.PLACES.values()
    ]
    np.testing.assert_array_equal(variants.best(variants.PLACES, parts), np.max(sums, axis=0))
    assert len(set(variants.PLACES.values())) == 27


@pytest.mark.parametrize("change", [*variants.CHANGES, *variants.CROPS])
def test_no_slices_stay_no_slices(change):
    assert variants.changed(np.zeros((0, 32, 32), np.uint8), change).shape == (0, 32, 32)
