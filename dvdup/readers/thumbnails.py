"""Small copies of a picture beside it in one file: previews, which are no scans of their own."""

from __future__ import annotations

import numpy as np

_SMALLER = 2  # a thumbnail is at least this much smaller along each side
_ALIKE = 0.9  # correlation with the reduced picture


def may_be_thumbnail(small: tuple[int, int], big: tuple[int, int]) -> bool:
    """Whether a picture is much smaller than another one and of the same proportions.

    Args:
        small: Two sides of a picture.
        big: The same sides of another picture.
    """
    (height, width), (tall, wide) = small, big
    much_smaller = 1 <= height * _SMALLER <= tall and 1 <= width * _SMALLER <= wide
    return much_smaller and abs(width - wide * height / tall) <= 1


def is_thumbnail(small: np.ndarray, big: np.ndarray) -> bool:
    """Whether a picture is a reduced copy of another one.

    Args:
        small: Real (X, Y), any dtype.
        big: Real (X, Y), of sides for which `may_be_thumbnail` holds.
    """
    from PIL import Image

    reduced = Image.fromarray(big.astype(np.float32)).resize(
        small.shape[::-1], Image.Resampling.BOX
    )
    pair = np.stack([small.ravel(), np.asarray(reduced).ravel()]).astype(np.float64)
    pair -= pair.mean(axis=1, keepdims=True)
    spread = np.sqrt((pair**2).sum(axis=1).prod())
    return bool(spread > 0 and (pair[0] * pair[1]).sum() >= _ALIKE * spread)
