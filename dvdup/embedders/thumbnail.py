"""The slice itself at 16 x 16: no network, no weights, a baseline that needs numpy only.

Area means, less their own mean, at unit length, so that brightness and contrast do not count. The
cosine of two thumbnails is their correlation. A slice without any contrast at this size, such as a
fine grid, gets the one row that is orthogonal to all others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dvdup.records import EmbedderSpec

if TYPE_CHECKING:
    from dvdup.embedders import LoadOptions

SIDE = 16
_SLICE_SIZE = 32


class Thumbnail:
    """The embedder `thumbnail`."""

    spec = EmbedderSpec(
        name="thumbnail",
        weights_hash="",
        dimensions=SIDE * SIDE,
        slice_size=_SLICE_SIZE,
        licence="Apache-2.0",
        source="dvdup",
    )

    def embed(self, pixels: np.ndarray) -> np.ndarray:
        """Embed slices.

        Args:
            pixels: uint8 (S, H, W), H and W multiples of 16; slicing delivers 32 x 32.

        Returns:
            float32 (S, 256), unit rows.
        """
        n, height, width = pixels.shape
        blocks = pixels.reshape(n, SIDE, height // SIDE, SIDE, width // SIDE)
        means: np.ndarray = blocks.mean(axis=(2, 4), dtype=np.float32)
        rows = means.reshape(n, SIDE * SIDE)
        rows -= rows.mean(axis=1, keepdims=True)
        rows[~rows.any(axis=1)] = 1
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return rows


def load(options: LoadOptions) -> Thumbnail:
    """Make it; there is nothing to choose."""
    return Thumbnail()
