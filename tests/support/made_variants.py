"""Variant rows of made-up numbers, with their cells."""

from __future__ import annotations

import numpy as np

from dvdup.compare.variant_rows import DIMENSIONS, Projection, VariantRows

NAMES = tuple(f"c{i:02}" for i in range(14))
"""Contents of the made-up cases."""


def _book(n: int) -> Projection:
    drawn = np.zeros((n, DIMENSIONS))
    drawn[:, :4] = np.random.default_rng(0).normal(size=(n, 4))
    unit = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return Projection(np.eye(DIMENSIONS, dtype=np.float32), np.rint(unit * 127).astype(np.int8))


BOOK = _book(24)
"""A code book of the first four dimensions, in which a third of the cells are asked."""


def with_cells(
    slices: np.ndarray, crops: np.ndarray, asking: np.ndarray, channel: np.ndarray
) -> VariantRows:
    """Rows in the cells of `BOOK`."""
    flat = asking.reshape(-1, DIMENSIONS)
    cells = BOOK.asked_cells(flat).reshape(*asking.shape[:2], -1 if len(flat) else 1)
    return VariantRows(slices, crops, asking, channel, BOOK.cell(slices), BOOK.cell(crops), cells)


def in_one_cell(
    slices: np.ndarray, crops: np.ndarray, asking: np.ndarray, channel: np.ndarray
) -> VariantRows:
    """Rows that all meet."""
    cells = [np.zeros(each.shape[:-1], np.uint8) for each in (slices, crops, asking)]
    return VariantRows(slices, crops, asking, channel, cells[0], cells[1], cells[2][..., None])
