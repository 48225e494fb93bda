"""Bands, and what they let through of white noise."""

from __future__ import annotations

import numpy as np
import pytest

from dvdup.verify.bands import band, blurred, noise_above, noise_in, noise_smoothed

NOISE = np.random.default_rng(0).normal(size=(64, 64, 64)).astype(np.float32)


@pytest.mark.parametrize("width", [0.6, 1.2])
@pytest.mark.parametrize("voxel", [(1.0, 1.0, 1.0), (2.0, 1.0, 0.5)])
def test_as_much_noise_is_in_a_band_as_is_said(width, voxel):
    voxel = np.array(voxel)
    kept = band(NOISE, voxel, width)[8:-8, 8:-8, 8:-8].var()
    assert kept == pytest.approx(noise_in(width, voxel, NOISE.shape), rel=0.08)
    left = blurred(NOISE, width * voxel)[8:-8, 8:-8, 8:-8].var()
    assert left == pytest.approx(noise_smoothed(width, voxel, NOISE.shape), rel=0.08)
    finer = (NOISE - blurred(NOISE, width * voxel))[8:-8, 8:-8, 8:-8].var()
    assert finer == pytest.approx(noise_above(width, voxel, NOISE.shape), rel=0.08)


def test_in_a_picture_only_its_own_axes_count():
    picture, voxel = NOISE[:, :, :1], np.ones(3)
    kept = band(picture, voxel, 0.6)[8:-8, 8:-8].var()
    assert kept == pytest.approx(noise_in(0.6, voxel, picture.shape), rel=0.08)
    assert noise_in(0.6, voxel, picture.shape) > noise_in(0.6, voxel, NOISE.shape)


def test_what_is_left_out_has_no_influence_on_a_band():
    usable = np.ones((20, 20, 20), bool)
    usable[:8] = False
    values = NOISE[:20, :20, :20].copy()
    spoiled = np.where(usable, values, 50.0).astype(np.float32)
    one, other = (band(each, np.ones(3), 1.2, usable) for each in (values, spoiled))
    np.testing.assert_array_equal(one, other)
    assert not one[~usable].any()
