"""Made-up variant rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from dvdup.compare.variant_rows import ASKING, DIMENSIONS, VariantRows


def make_rows(seed: int, n: int = 4, channels: int = 1, wide: int = 4) -> VariantRows:
    """Rows of n slices a channel, in a few dimensions, so that cosines are not all near 0."""
    rng = np.random.default_rng(seed)

    def unit(*shape: int) -> np.ndarray:
        drawn = np.zeros((*shape, DIMENSIONS))
        drawn[..., :wide] = rng.normal(size=(*shape, wide))
        length = np.maximum(np.linalg.norm(drawn, axis=-1, keepdims=True), 1e-9)
        return np.rint(drawn / length * 127).astype(np.int8)

    few = min(n, 2)
    slices = unit(n * channels)
    asking = unit(len(ASKING), few * channels)
    first = np.concatenate([np.arange(c * n, c * n + few) for c in range(channels)])
    asking[0] = slices[first]
    return VariantRows(
        slices,
        unit(3 * few * channels),
        asking,
        np.repeat(np.arange(channels), few).astype(np.uint8),
    )


@pytest.fixture(scope="session")
def rows() -> Callable[..., VariantRows]:
    """`make_rows`."""
    return make_rows
