"""The rows that candidates are found by: compact embeddings of a case and of its variants.

A case is kept as small integer rows: its slices as they are, some of its slices under every crop of
`variants.CROPS`, and a few slices a plane under every other change, which ask on its behalf. Rows
are embeddings projected to 64 numbers and rounded to int8; a product of two of them is a whole
number below 2**24, exact in float32 in whatever order it is computed, so that everything counted
from it depends on the two cases alone.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, replace

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
CROPPED_SLICES = 16
"""Slices of a plane and channel that are kept cropped."""
ASKING_SLICES = 4
"""Slices of a plane and channel that ask."""

_SIZES = struct.Struct("<4I")


@dataclass(frozen=True, slots=True, eq=False)
class VariantRows:
    """The rows of one case."""

    slices: np.ndarray
    """int8 (S, 64): every slice as it is."""
    crops: np.ndarray
    """int8 (C, 64): some of its slices under every crop."""
    asking: np.ndarray
    """int8 (A, Q, 64): Q slices under each of the A changes of `ASKING`."""
    channel: np.ndarray
    """uint8 (Q,): the voting channel of each asking slice, ascending."""

    def to_bytes(self) -> bytes:
        """The rows as bytes, equal for equal rows: four sizes, then the arrays one by one."""
        sizes = (len(self.slices), len(self.crops), *self.asking.shape[:2])
        arrays = (self.slices, self.crops, self.asking, self.channel)
        return _SIZES.pack(*sizes) + b"".join(each.tobytes() for each in arrays)

    @staticmethod
    def from_bytes(payload: bytes) -> VariantRows:
        """Rows from what `to_bytes` gave, not to be written to.

        Raises:
            ValueError: The bytes are something else.
        """
        n_slices, n_crops, n_changes, n_asking = _sizes(payload)
        values = np.frombuffer(payload, np.int8, offset=_SIZES.size)
        n_rows = n_slices + n_crops + n_changes * n_asking
        if len(values) != n_rows * DIMENSIONS + n_asking:
            raise ValueError("these bytes hold no variant rows")
        rows = values[: n_rows * DIMENSIONS].reshape(n_rows, DIMENSIONS)
        slices, crops, asking = np.split(rows, [n_slices, n_slices + n_crops])
        return VariantRows(
            slices,
            crops,
            asking.reshape(n_changes, n_asking, DIMENSIONS),
            values[n_rows * DIMENSIONS :].view(np.uint8),
        )


def _sizes(payload: bytes) -> tuple[int, ...]:
    if len(payload) < _SIZES.size:
        raise ValueError("these bytes hold no variant rows")
    return _SIZES.unpack_from(payload)


def without_variants(rows: VariantRows) -> VariantRows:
    """The same case, found and asking as it is only."""
    return replace(rows, crops=rows.slices, asking=rows.asking[:1])


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """How embeddings of one network become rows."""

    matrix: np.ndarray
    """float32 (D, 64), orthonormal columns."""

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


def variant_rows(
    stack: SliceStack, embed: Callable[[np.ndarray], np.ndarray], projection: Projection
) -> VariantRows:
    """Embed the slices of a case and of its variants.

    Args:
        stack: All slices of the case.
        embed: From uint8 (S, H, W) to unit float32 (S, D).
        projection: From D to 64 numbers.
    """
    some = slicing.thinned(stack, CROPPED_SLICES)
    few = slicing.thinned(stack, ASKING_SLICES)
    pictures = [
        stack.pixels,
        *(variants.changed(some.pixels, crop) for crop in variants.CROPS),
        *(variants.changed(few.pixels, change) for change in ASKING),
    ]
    rows = projection.rows(embed(np.concatenate(pictures)))
    parts = np.split(rows, [len(stack), len(rows) - len(ASKING) * len(few)])
    asking = parts[2].reshape(len(ASKING), len(few), DIMENSIONS)
    return VariantRows(parts[0], parts[1], asking, few.channel.astype(np.uint8))
