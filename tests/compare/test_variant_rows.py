"""Rows of a case and its variants: exact, the same bytes for the same rows, one projection."""

from __future__ import annotations

import dataclasses
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_variants import BOOK

from dvdup import slicing, variants
from dvdup.compare.variant_rows import (
    ASKED_CELLS,
    ASKING,
    ASKING_SLICES,
    CROPPED_SLICES,
    DIMENSIONS,
    UNIT,
    Projection,
    VariantRows,
    variant_rows,
    without_variants,
)

FIELDS = [field.name for field in dataclasses.fields(VariantRows)]


def is_same(one: VariantRows, other: VariantRows) -> bool:
    pairs = [(getattr(one, name), getattr(other, name)) for name in FIELDS]
    return all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in pairs)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 999), n=st.integers(0, 6), channels=st.integers(1, 3))
def test_what_is_written_is_read_back(rows, seed, n, channels):
    case = rows(seed, n, channels)
    payload = case.to_bytes()
    assert is_same(VariantRows.from_bytes(payload), case)
    assert VariantRows.from_bytes(payload).to_bytes() == payload
    turned = dataclasses.replace(case, slices=np.asfortranarray(case.slices))
    assert turned.to_bytes() == payload


@pytest.mark.parametrize("payload", [b"", b"no array", b"\x93NUMPY", None])
def test_other_bytes_are_refused(rows, payload):
    payload = rows(0).to_bytes()[:-1] if payload is None else payload
    with pytest.raises(ValueError, match=r".") as caught:
        VariantRows.from_bytes(payload)
    assert str(caught.value)


def test_objects_are_never_unpickled():
    stream = BytesIO()
    np.save(stream, np.array([{}], object), allow_pickle=True)
    with pytest.raises(ValueError, match="no variant rows"):
        VariantRows.from_bytes(stream.getvalue())


def test_without_variants_a_case_is_asked_and_asks_as_it_is(rows):
    case = rows(1)
    plain = without_variants(case)
    assert plain.asking.shape == (1, *case.asking.shape[1:])
    np.testing.assert_array_equal(plain.crops, case.slices)
    np.testing.assert_array_equal(plain.crop_cells, case.slice_cells)
    np.testing.assert_array_equal(plain.asking_cells, case.asking_cells[:1])


def rotation(seed: int, n: int) -> np.ndarray:
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(n, n)))
    return q[:, :DIMENSIONS].astype(np.float32)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), n=st.integers(1, 300))
def test_products_of_rows_are_whole_and_exact_in_any_order(seed, n):
    rng = np.random.default_rng(seed)
    drawn = rng.normal(size=(n, 96))
    embedding = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
    made = Projection(rotation(seed, 96), BOOK.centres).rows(embedding)
    assert (made.dtype, made.shape) == (np.int8, (n, DIMENSIONS))
    exact = made.astype(np.int64) @ made.astype(np.int64).T
    assert np.abs(exact).max() < 1 << 24
    order = rng.permutation(DIMENSIONS)
    small = made.astype(np.float32)
    np.testing.assert_array_equal(small @ small.T, exact)
    np.testing.assert_array_equal(small[:, order] @ small[:, order].T, exact)
    # a row with itself: of length 127 but for rounding to whole numbers
    np.testing.assert_allclose(np.diag(exact), UNIT, rtol=0.04)


def test_products_of_extreme_rows_are_exact():
    made = np.full((2, DIMENSIONS), 127, np.int8)
    made[1] = -128
    exact = made.astype(np.int64) @ made.astype(np.int64).T
    np.testing.assert_array_equal(made.astype(np.float32) @ made.astype(np.float32).T, exact)


def test_a_row_of_nothing_stays_nothing():
    assert not Projection(rotation(0, 96), BOOK.centres).rows(np.zeros((2, 96), np.float32)).any()


def stack_of(counts: dict[tuple[int, int], int], side: int = 16) -> slicing.SliceStack:
    """Slices (channel, plane) -> how many, each of another picture."""
    n = sum(counts.values())
    pixels = np.random.default_rng(0).integers(0, 256, (n, side, side), dtype=np.uint8)
    channel = np.repeat([c for c, _ in counts], list(counts.values())).astype(np.int16)
    plane = np.repeat([p for _, p in counts], list(counts.values())).astype(np.uint8)
    index = np.concatenate([np.arange(k) for k in counts.values()]).astype(np.int32)
    return slicing.SliceStack(pixels, channel, plane, index, index.astype(np.float32))


def pixel_rows(pixels: np.ndarray) -> np.ndarray:
    flat = pixels.reshape(len(pixels), -1).astype(np.float32) + 1
    return flat / np.linalg.norm(flat, axis=1, keepdims=True)


def test_of_each_plane_and_channel_some_slices_are_cropped_and_few_ask():
    counts = {(0, 0): 40, (0, 1): 3, (1, 0): 10, (1, 2): 20}
    stack = stack_of(counts)
    projection = Projection(rotation(3, 256), BOOK.centres)
    made = variant_rows(stack, pixel_rows, projection)
    some = sum(min(n, CROPPED_SLICES) for n in counts.values())
    few = [min(n, ASKING_SLICES) for n in counts.values()]
    assert made.slices.shape == (73, DIMENSIONS)
    assert made.crops.shape == (some * len(variants.CROPS), DIMENSIONS)
    assert made.asking.shape == (len(ASKING), sum(few), DIMENSIONS)
    assert made.channel.tolist() == [0] * (few[0] + few[1]) + [1] * (few[2] + few[3])
    np.testing.assert_array_equal(made.slices, projection.rows(pixel_rows(stack.pixels)))
    thin = slicing.thinned(stack, ASKING_SLICES).pixels
    for change, asking in zip(ASKING, made.asking, strict=True):
        expected = projection.rows(pixel_rows(variants.changed(thin, change)))
        np.testing.assert_array_equal(asking, expected)
    np.testing.assert_array_equal(made.slice_cells, projection.cell(made.slices))
    np.testing.assert_array_equal(made.crop_cells, projection.cell(made.crops))
    for rows, cells in zip(made.asking, made.asking_cells, strict=True):
        np.testing.assert_array_equal(cells, projection.asked_cells(rows))


def test_the_first_way_to_ask_is_the_slice_itself():
    assert ASKING[0] == variants.SAME
    assert set(ASKING) | set(variants.CROPS) == set(variants.CHANGES)


def test_a_case_without_slices_has_no_rows():
    empty = slicing.concatenate([], 16)
    made = variant_rows(
        empty,
        lambda pixels: np.zeros((len(pixels), 96)),
        Projection(np.eye(96)[:, :64], BOOK.centres),
    )
    assert [len(made.slices), len(made.crops), made.asking.shape[1], len(made.channel)] == [0] * 4
    assert is_same(VariantRows.from_bytes(made.to_bytes()), made)


def test_cells_are_the_nearest_centres_nearest_first():
    rng = np.random.default_rng(1)
    rows = rng.integers(-40, 41, (50, DIMENSIONS)).astype(np.int8)
    products = rows.astype(int) @ BOOK.centres.T.astype(int)
    asked = BOOK.asked_cells(rows)
    assert (asked.dtype, asked.shape) == (np.uint8, (50, ASKED_CELLS))
    np.testing.assert_array_equal(asked[:, 0], BOOK.cell(rows))
    for row, cells in zip(products, asked.tolist(), strict=True):
        assert cells == sorted(range(len(row)), key=lambda cell: (-row[cell], cell))[:ASKED_CELLS]


def test_a_projection_is_written_whole_and_read_back(tmp_path):
    file = tmp_path / "own.projection.npz"
    file.write_bytes(b"older")
    projection = Projection(rotation(3, 96), BOOK.centres)
    projection.save(file)
    first = file.read_bytes()
    found = Projection.load(file)
    np.testing.assert_array_equal(found.matrix, projection.matrix)
    np.testing.assert_array_equal(found.centres, projection.centres)
    found.save(file)
    assert file.read_bytes() == first
    assert [each.name for each in tmp_path.iterdir()] == [file.name]
