"""The projection: principal components of what a network says about phantoms and their variants."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra models")

from dvdup import embedders, variants
from dvdup.compare.variant_rows import CELLS, DIMENSIONS, Projection
from dvdup.lab.train.projection import fit_projection, save_projection

WIDE = 96


def embed(pixels: np.ndarray) -> np.ndarray:
    """Unit rows of 96 numbers that mostly lie in few dimensions, as those of a network do."""
    rng = np.random.default_rng(0)
    n, side = len(pixels), pixels.shape[1]
    small = pixels.reshape(n, 8, side // 8, 8, side // 8).mean(axis=(2, 4)).reshape(n, 64)
    rows = (small - small.mean(axis=1, keepdims=True)) @ rng.normal(size=(64, WIDE))
    rows += rng.normal(size=rows.shape) * 1e-3
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_its_columns_are_orthonormal(scan):
    matrix = fit_projection([scan(0), scan(1)], embed).matrix
    assert (matrix.shape, matrix.dtype) == ((WIDE, DIMENSIONS), np.float32)
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(DIMENSIONS), atol=1e-5)


def test_no_other_directions_keep_more_of_the_embeddings(scan):
    seen = []

    def remember(pixels):
        seen.append(embed(pixels))
        return seen[-1]

    matrix = fit_projection([scan(0), scan(1)], remember).matrix
    rows = np.concatenate(seen)
    kept = np.square(rows @ matrix).sum()
    drawn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(WIDE, DIMENSIONS)))
    assert kept > np.square(rows @ drawn).sum()
    assert kept == pytest.approx(np.square(rows).sum(), rel=1e-3)
    shares = np.square(rows @ matrix).sum(axis=0)
    assert (np.diff(shares) <= 1e-3 * shares[0]).all()  # the strongest first


def test_the_code_book_is_spread_over_the_rows(scan):
    """Centres are unit rows, no two alike, and the cells they make hold about as many rows each."""
    fitted = fit_projection([scan(0), scan(1)], embed)
    assert fitted.centres.dtype == np.int8
    assert len(np.unique(fitted.centres, axis=0)) == len(fitted.centres) == CELLS
    np.testing.assert_allclose(np.linalg.norm(fitted.centres.astype(float), axis=1), 127, atol=4)


def test_phantoms_are_shown_under_every_change(scan):
    seen = []

    def count(pixels):
        seen.append(len(pixels))
        return embed(pixels)

    fit_projection([scan(0)], count)
    assert seen[0] % len(variants.CHANGES) == 0


def test_phantoms_without_a_slice_are_passed_over(scan):
    empty = scan(0)
    empty = type(empty)(
        *(np.zeros_like(v) if isinstance(v, np.ndarray) and v.ndim == 3 else v
          for v in (getattr(empty, name) for name in empty.__slots__))
    )  # fmt: skip
    both, one = fit_projection([empty, scan(1)], embed), fit_projection([scan(1)], embed)
    np.testing.assert_array_equal(both.matrix, one.matrix)
    np.testing.assert_array_equal(both.centres, one.centres)
    for none in ([], [empty]):
        with pytest.raises(ValueError, match="no phantom has a slice"):
            fit_projection(none, embed)


def test_it_is_written_whole_and_replaces_an_older_one(tmp_path, scan):
    file = tmp_path / "net.projection.npz"
    file.write_bytes(b"older")
    save_projection(file, [scan(0)], embed)
    expected, found = fit_projection([scan(0)], embed), Projection.load(file)
    np.testing.assert_array_equal(found.matrix, expected.matrix)
    np.testing.assert_array_equal(found.centres, expected.centres)
    assert [each.name for each in tmp_path.iterdir()] == [file.name]


def test_a_fit_that_fails_leaves_the_older_one(tmp_path):
    file = tmp_path / "net.projection.npz"
    file.write_bytes(b"older")
    with pytest.raises(ValueError, match="no phantom"):
        save_projection(file, [], embed)
    assert file.read_bytes() == b"older"
    assert [each.name for each in tmp_path.iterdir()] == [file.name]


def test_the_packaged_projection_fits_its_network():
    packaged = Projection.load(embedders.projection_file(embedders.packaged_weights()))
    matrix = packaged.matrix
    assert (packaged.centres.dtype, packaged.centres.shape) == (np.int8, (CELLS, DIMENSIONS))
    np.testing.assert_allclose(np.linalg.norm(packaged.centres.astype(float), axis=1), 127, atol=4)
    assert matrix.dtype == np.float32
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(DIMENSIONS), atol=1e-4)
    network = embedders.load_embedder("builtin", embedders.LoadOptions(threads=1))
    side = embedders.BUILTIN_SIDE
    pixels = np.random.default_rng(0).integers(0, 256, (2, side, side), dtype=np.uint8)
    assert packaged.rows(network.embed(pixels)).shape == (2, DIMENSIONS)
