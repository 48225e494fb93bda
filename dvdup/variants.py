"""Variants of slices: the pictures of a scan as they would look had it been edited.

In: uint8 (S, H, W) slices. Out: the same slices after one named change of the picture. A scan that
was mirrored, turned, resized or cropped resembles its source only once it is changed alike; so a
case asks under every change of `CHANGES`, and is found as it is and after every crop of `CROPS`.
Changes act on pictures, not on the volume: what mirrors a volume left-right changes its axial and
coronal slices and leaves the sagittal ones, which is why scores let slices choose for themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from dvdup import slicing

SAME = "same"
"""The change that changes nothing."""
ANGLE = 20.0
"""Degrees of a turn."""
SHRINK = 0.8
"""Side of a shrunk picture as a share of the frame."""
SHARE = 0.65
"""Side of a cropped picture as a share of the frame."""
FILLED = 0.85
"""Share of the frame, and of the grey levels, below which a picture is `trimmed`."""
_LEAST = 12  # pixels along the sides of a content, and grey levels
_RANGE = (0.5, 99.5)  # percentiles that become 0 and 255

_ROWS = {"top": -1, "middle": 0, "bottom": 1}
_COLUMNS = {"left": -1, "middle": 0, "right": 1}
_CROPPED = {
    f"{row} {column}": (down, right)
    for row, down in _ROWS.items()
    for column, right in _COLUMNS.items()
}
CROPS = tuple(_CROPPED)
"""Changes that show a part of a picture, as large as the frame."""


def changed(pixels: np.ndarray, change: str) -> np.ndarray:
    """Apply one change to every picture.

    Args:
        pixels: uint8 (S, H, W) with H = W.
        change: A name of `CHANGES`.

    Returns:
        uint8 (S, H, W); what comes into view from outside the frame repeats its edge.
    """
    if not len(pixels):
        return pixels
    if change in _CROPPED:
        return _resampled(pixels, np.eye(2) * SHARE, (1 - SHARE) * np.array(_CROPPED[change]))
    if change in _LINEAR:
        return _resampled(pixels, _LINEAR[change])
    return np.ascontiguousarray(_EXACT[change](pixels))


def trimmed(pixels: np.ndarray) -> np.ndarray:
    """Pictures as they look on their own: the content fills the frame, the greys fill the range.

    A slice near the end of a volume shows less than the volume's box and range; cut out and kept as
    a picture it fills its own. Pictures that do so already are left out.

    Args:
        pixels: uint8 (S, H, W).

    Returns:
        uint8 (S', H, W), in the same order.
    """
    kept = [alone for alone in map(_alone, pixels) if alone is not None]
    return np.stack(kept) if kept else pixels[:0]


def _alone(picture: np.ndarray) -> np.ndarray | None:
    """A picture (H, W) on its own; None if that is no other one, or next to nothing is in it."""
    rows, columns, _ = slicing.content_box(picture[:, :, None])
    inner = picture[slice(*rows), slice(*columns)].astype(np.float32)
    low, high = np.percentile(inner, _RANGE).tolist()
    fills = inner.size >= FILLED * picture.size and high - low >= FILLED * 255
    if fills or min(inner.shape) < _LEAST or high - low < _LEAST:
        return None
    down, across = (slicing.weights(*n) for n in zip(inner.shape, picture.shape, strict=True))
    filling = (down @ inner @ across.T - low) * (255 / (high - low))
    grey: np.ndarray = np.clip(filling + 0.5, 0, 255).astype(np.uint8)
    return grey


def _turn(degrees: float) -> np.ndarray:
    angle = np.radians(degrees)
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


_EXACT: Mapping[str, Callable[[np.ndarray], np.ndarray]] = MappingProxyType(
    {
        SAME: lambda pixels: pixels,
        "columns reversed": lambda pixels: pixels[:, :, ::-1],
        "rows reversed": lambda pixels: pixels[:, ::-1],
        "half turn": lambda pixels: pixels[:, ::-1, ::-1],
        "quarter turn": lambda pixels: np.rot90(pixels, 1, (1, 2)),
        "three quarters of a turn": lambda pixels: np.rot90(pixels, 3, (1, 2)),
        "transposed": lambda pixels: pixels.transpose(0, 2, 1),
        "transposed, half turn": lambda pixels: pixels[:, ::-1, ::-1].transpose(0, 2, 1),
        "inverted": lambda pixels: 255 - pixels,
    }
)
"""Changes that interpolate nothing."""
_LINEAR = {
    "turned left": _turn(ANGLE),
    "turned right": _turn(-ANGLE),
    "shrunk": np.eye(2) / SHRINK,
    "enlarged": np.eye(2) * SHRINK,
}
"""2 x 2, from places in the new picture to places in the old one, about the centre."""

CHANGES = (*_EXACT, *_LINEAR, *CROPS)
"""Every change by name, `SAME` first."""


def _resampled(
    pixels: np.ndarray, linear: np.ndarray, shift: np.ndarray | tuple[float, float] = (0, 0)
) -> np.ndarray:
    """Bilinear, all pictures at once; a shift by 1 is half a frame."""
    _, height, width = pixels.shape
    corners = _corners(height, width, tuple(linear.ravel().tolist()), tuple(map(float, shift)))
    flat = pixels.reshape(len(pixels), -1)
    found = np.zeros(flat.shape, np.float32)
    weighted = np.empty_like(found)
    for place, share in corners:
        np.multiply(flat.take(place, axis=1), share, out=weighted)
        found += weighted
    found += np.float32(0.5)
    grey: np.ndarray = np.clip(found, 0, 255, out=found).astype(np.uint8)
    return grey.reshape(pixels.shape)


@lru_cache(maxsize=64)
def _corners(
    height: int, width: int, linear: tuple[float, ...], shift: tuple[float, ...]
) -> Sequence[tuple[np.ndarray, np.ndarray]]:
    """Where each pixel of a new picture takes its value from, the same for every picture.

    Returns:
        Four times the place among all pixels, int (H * W,), and its share, float32 (H * W,).
    """
    centre = np.array([(height - 1) / 2, (width - 1) / 2])
    grid = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij"), -1)
    place = (grid - centre) @ np.reshape(linear, (2, 2)).T + centre + centre * shift
    place = np.clip(place, 0, (height - 1, width - 1))
    low = np.floor(place).astype(int)
    high = np.minimum(low + 1, (height - 1, width - 1))
    share = (place - low).astype(np.float32)
    return [
        ((rows * width + columns).ravel(), (down * right).ravel())
        for rows, down in ((low[..., 0], 1 - share[..., 0]), (high[..., 0], share[..., 0]))
        for columns, right in ((low[..., 1], 1 - share[..., 1]), (high[..., 1], share[..., 1]))
    ]
