"""The rows that candidates are found by: compact embeddings of a case and of its variants.

A case is kept as small integer rows: its slices as they are, some of its slices under every crop of
`variants.CROPS`, and a few slices a plane under every other change, which ask on its behalf. Rows
are embeddings projected to 64 numbers and rounded to int8; a product of two of them is a whole
number below 2**24, exact in float32 in whatever order it is computed, so that everything counted
from it depends on the two cases alone.

Every row has cells of a fixed code book: a row that can be found has the nearest one, a row that
asks has the nearest few, and looks for rows of these cells only. Whether two rows meet thus depends
on the two alone, while a search passes by most products.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from dvdup import slicing, variants
from dvdup.records import SliceStack

DIMENSIONS = 64
"""Numbers of a row."""
UNIT = 127 * 127
"""Product of a row with itself, but for rounding."""
CROP_ASKING = (variants.SAME, "shrunk")
"""The changes under which a case asks for crops: a small part looks like a crop once shrunk."""
ASKING = (
    *CROP_ASKING,
    *(each for each in variants.CHANGES if each not in (*CROP_ASKING, *variants.CROPS)),
)
"""The changes under which a case asks, `CROP_ASKING` first."""
CROPPED_SLICES = 12
"""Slices of a plane and channel that are kept cropped."""
ASKING_SLICES = 4
"""Slices of a plane and channel that ask."""
CELLS = 256
"""Cells of a code book."""
ASKED_CELLS = 8
"""Cells in which a row looks for others."""
ASKED_COARSELY = 1
"""How many of these, the nearest, coarse scores go by; see `coarse`."""

_SIZES = struct.Struct("<5I")


@dataclass(frozen=True, slots=True, eq=False)
class VariantRows:
    """The rows of one case."""

    slices: np.ndarray
    """int8 (S, 64): every slice as it is."""
    crops: np.ndarray
    """int8 (C, 64): some of its slices under every crop, and others trimmed to their content."""
    asking: np.ndarray
    """int8 (A, Q, 64): Q slices under each of the A changes of `ASKING`."""
    channel: np.ndarray
    """uint8 (Q,): the voting channel of each asking slice, ascending."""
    slice_cells: np.ndarray
    """uint8 (S,): the cell of each slice."""
    crop_cells: np.ndarray
    """uint8 (C,): the cell of each cropped slice."""
    asking_cells: np.ndarray
    """uint8 (A, Q, P): the cells in which each asking row looks, no cell twice."""

    @property
    def n_asking_crops(self) -> int:
        """How many of the first changes ask for crops too.

        Those of `CROP_ASKING`; of a picture, which has no other slices to ask with, all.
        """
        is_picture = len(self.slices) == len(np.unique(self.channel))
        return len(self.asking) if is_picture else min(len(self.asking), len(CROP_ASKING))

    def to_bytes(self) -> bytes:
        """The rows as bytes, equal for equal rows: five sizes, then the arrays one by one."""
        sizes = (len(self.slices), len(self.crops), *self.asking_cells.shape)
        arrays = (getattr(self, each.name) for each in fields(self))
        return _SIZES.pack(*sizes) + b"".join(each.tobytes() for each in arrays)

    @staticmethod
    def from_bytes(payload: bytes | memoryview) -> VariantRows:
        """Rows from what `to_bytes` gave, not to be written to.

        Raises:
            ValueError: The bytes are something else.
        """
        if len(payload) < _SIZES.size:
            raise ValueError("these bytes hold no variant rows")
        n_slices, n_crops, n_changes, n_asking, n_cells = _SIZES.unpack_from(payload)
        shapes = (
            *((n_slices, DIMENSIONS), (n_crops, DIMENSIONS), (n_changes, n_asking, DIMENSIONS)),
            *((n_asking,), (n_slices,), (n_crops,), (n_changes, n_asking, n_cells)),
        )
        ends = np.cumsum([0, *(math.prod(shape) for shape in shapes)]).tolist()
        values = np.frombuffer(payload, np.uint8, offset=_SIZES.size)
        if len(values) != ends[-1]:
            raise ValueError("these bytes hold no variant rows")
        parts = [
            values[start:end].reshape(shape)
            for start, end, shape in zip(ends, ends[1:], shapes, strict=False)
        ]
        return VariantRows(*(each.view(np.int8) for each in parts[:3]), *parts[3:])


def without_variants(rows: VariantRows) -> VariantRows:
    """The same case, found and asking as it is only."""
    return replace(
        rows,
        crops=rows.slices,
        crop_cells=rows.slice_cells,
        asking=rows.asking[:1],
        asking_cells=rows.asking_cells[:1],
    )


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """How embeddings of one network become rows, and rows find their cells."""

    matrix: np.ndarray
    """float32 (D, 64), orthonormal columns."""
    centres: np.ndarray
    """int8 (256, 64): the code book."""

    @staticmethod
    def load(file: Path) -> Projection:
        """Read what `save` wrote.

        Raises:
            ValueError: The file holds something else.
        """
        with np.load(file, allow_pickle=False) as found:
            return Projection(found["matrix"], found["centres"])

    def save(self, file: Path) -> None:
        """Write it, whole or not at all; an older file is replaced."""
        part = file.with_name(file.name + ".part")
        with part.open("wb") as stream:
            np.savez(stream, allow_pickle=False, matrix=self.matrix, centres=self.centres)
        part.replace(file)

    def rows(self, embedding: np.ndarray) -> np.ndarray:
        """Project embeddings.

        Args:
            embedding: float (S, D), unit rows.

        Returns:
            int8 (S, 64), rows of length 127 but for rounding.
        """
        projected = embedding.astype(np.float32) @ self.matrix
        length = np.linalg.norm(projected, axis=1, keepdims=True)
        unit = projected / np.maximum(length, np.float32(1e-12))
        rounded: np.ndarray = np.rint(unit * np.float32(127)).astype(np.int8)
        return rounded

    def cell(self, rows: np.ndarray) -> np.ndarray:
        """The cell of rows that can be found: uint8 (N,) of int8 (N, 64)."""
        nearest: np.ndarray = self._nearness(rows).argmax(axis=1).astype(np.uint8)
        return nearest

    def asked_cells(self, rows: np.ndarray) -> np.ndarray:
        """The cells in which rows look for others: uint8 (N, 8) of int8 (N, 64), nearest first."""
        order = np.argsort(-self._nearness(rows), axis=1, kind="stable")[:, :ASKED_CELLS]
        return order.astype(np.uint8)

    def _nearness(self, rows: np.ndarray) -> np.ndarray:
        """float32 (N, 256), whole numbers: the same on every machine; the first of equals wins."""
        nearness: np.ndarray = rows.astype(np.float32) @ self.centres.T.astype(np.float32)
        return nearness


def variant_rows(
    stack: SliceStack, embed: Callable[[np.ndarray], np.ndarray], projection: Projection
) -> VariantRows:
    """Embed the slices of a case and of its variants.

    Args:
        stack: All slices of the case.
        embed: From uint8 (S, H, W) to unit float32 (S, D).
        projection: From D to 64 numbers, and to cells.
    """
    some = slicing.thinned(stack, CROPPED_SLICES)
    few = slicing.thinned(stack, ASKING_SLICES)
    pictures = [
        stack.pixels,
        *(variants.changed(some.pixels, crop) for crop in variants.CROPS),
        variants.trimmed(stack.pixels),
        *(variants.changed(few.pixels, change) for change in ASKING[1:]),
    ]
    rows = projection.rows(embed(np.concatenate(pictures)))
    ends = [len(stack), len(rows) - len(ASKING[1:]) * len(few)]
    slices, crops, changed = np.split(rows, ends)
    # those that ask as they are have their rows already
    asking = np.concatenate([slices[slicing.thinned_places(stack, ASKING_SLICES)], changed])
    asked = projection.asked_cells(asking)
    return VariantRows(
        slices,
        crops,
        asking.reshape(len(ASKING), len(few), DIMENSIONS),
        few.channel.astype(np.uint8),
        projection.cell(slices),
        projection.cell(crops),
        asked.reshape(len(ASKING), len(few), asked.shape[1]),
    )
