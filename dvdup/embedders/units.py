"""Rows of a network to unit rows, and the check that all of them can be trusted."""

from __future__ import annotations

import numpy as np

from dvdup.errors import EmbedderError


def demand_slices(pixels: np.ndarray) -> None:
    """Make sure that an array is a stack of 8-bit slices.

    Raises:
        ValueError: It is not uint8 (S, H, W).
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3:
        raise ValueError(f"pixels must be uint8 (S, H, W), not {pixels.dtype} {pixels.shape}")


def unit_rows(rows: np.ndarray, name: str) -> np.ndarray:
    """Divide rows by their length.

    Args:
        rows: float32 (S, D).
        name: The embedder, for the message.

    Returns:
        float32 (S, D), each of length 1.

    Raises:
        EmbedderError: A row is zero or not finite: such a network cannot be trusted with any.
    """
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    if not (np.isfinite(length).all() and length.all()):
        raise EmbedderError(
            f"{name} gives a zero or non-finite embedding; its weights are damaged "
            "or do not belong to this model"
        )
    unit: np.ndarray = rows / length
    return unit
