from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dvdup.embedders import load_embedder

SLICES = arrays(np.uint8, st.tuples(st.integers(0, 5), st.just(32), st.just(32)))


@pytest.fixture(scope="module")
def thumbnail():
    return load_embedder("thumbnail")


@given(pixels=SLICES)
def test_any_slice_gives_a_unit_row(thumbnail, pixels):
    rows = thumbnail.embed(pixels)
    assert rows.shape == (len(pixels), thumbnail.spec.dimensions)
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(len(pixels)), abs=1e-5)


@given(pixels=SLICES)
def test_a_row_depends_on_its_slice_alone(thumbnail, pixels):
    rows = thumbnail.embed(pixels)
    for pixel, row in zip(pixels, rows, strict=True):
        assert np.array_equal(thumbnail.embed(pixel[None])[0], row)


def test_the_cosine_is_the_correlation_of_the_means(thumbnail):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 48, 32)).astype(np.uint8)
    rows = thumbnail.embed(pixels)
    means = pixels.reshape(2, 16, 3, 16, 2).mean(axis=(2, 4)).reshape(2, -1)
    assert rows[0] @ rows[1] == pytest.approx(np.corrcoef(means)[0, 1], abs=1e-5)


def test_brightness_and_contrast_do_not_count(thumbnail):
    pixels = np.random.default_rng(0).integers(0, 120, (3, 32, 32)).astype(np.uint8)
    assert thumbnail.embed(2 * pixels + 10) == pytest.approx(thumbnail.embed(pixels), abs=1e-5)


def test_a_grid_too_fine_to_be_seen_resembles_nothing_else(thumbnail):
    """It may not end the run: a whole dataset would go unchecked for one odd picture."""
    grid = (np.indices((32, 32)).sum(axis=0) % 2 * 255).astype(np.uint8)
    others = np.random.default_rng(0).integers(0, 256, (4, 32, 32)).astype(np.uint8)
    (row,) = thumbnail.embed(grid[None])
    assert np.linalg.norm(row) == pytest.approx(1)
    assert thumbnail.embed(others) @ row == pytest.approx(np.zeros(4), abs=1e-5)
