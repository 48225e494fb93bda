"""Stored voxels to values, and values to the small 8-bit proxy.

In: a `Volume`. Out: one channel at a time as float32 (X, Y, Z) in Fortran order, so that a scan of
512 x 512 x 1000 never exists as several float copies.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from dvdup.records import Volume

PROXY_SIDE = 64
"""Largest number of proxy voxels along an axis."""

_BLOCK = 1 << 19  # voxels converted at once when the arithmetic needs float64
_SAMPLE = 1 << 17  # voxels that the percentiles of a range are taken from
_APART = 0.25  # of a range: subsamples whose ends differ by more do not stand for all


def channel_values(volume: Volume, channel: int) -> np.ndarray:
    """Compute the values of one channel: stored x slope + intercept in float64, then float32.

    Args:
        volume: A scan as read.
        channel: Which channel, 0-based.

    Returns:
        float32 (X, Y, Z) in Fortran order, RAS+ (or array) order. Values outside the range of
        float32 become infinite. Treat it as read-only: where the file already holds exactly these
        values it is the stored array itself, not a copy.
    """
    stored = volume.channels[channel]
    slope, intercept = volume.scaling[channel]
    if (slope, intercept) == (1.0, 0.0):
        return _as_float32(stored)
    return _scaled(stored, slope, intercept)


def robust_range(
    values: np.ndarray, low: float = 0.5, high: float = 99.5
) -> tuple[float, float] | None:
    """Estimate two percentiles of the finite values from a regular subsample.

    Where another subsample has quite another range, as if every second slice is blank and those
    are the ones that one of them hits, all values are taken; and where nearly all of these are one
    value, as around an organ that was cut out, the others and that one.

    Args:
        values: float32 (X, Y, Z).
        low: Lower percentile, 0 to 100.
        high: Upper percentile, 0 to 100.

    Returns:
        The two values, or None if no value is finite.
    """
    # a stride on every axis, not on the flat array, so that it stays a cheap view
    stride = max(1, round((values.size / _SAMPLE) ** (1 / max(1, _long_axes(values.shape)))))
    spans = [
        _percentiles(values[_every(stride, first, values.shape)], low, high)
        for first in ((0, 1) if stride > 1 else (0,))
    ]
    return spans[0] if _agree(spans) else _span_of_all(values, low, high)


def _every(stride: int, first: int, shape: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple(slice(first, None, stride) if n > stride else slice(None) for n in shape)


def _agree(spans: Sequence[tuple[float, float] | None]) -> bool:
    """Whether ranges of values are no points, and about the same."""
    known = [span for span in spans if span is not None and span[1] > span[0]]
    if len(known) < len(spans):
        return False
    apart = max(np.ptp([span[end] for span in known]) for end in (0, 1))
    return bool(apart <= _APART * min(span[1] - span[0] for span in known))


def _span_of_all(values: np.ndarray, low: float, high: float) -> tuple[float, float] | None:
    span = _percentiles(values, low, high)
    others = None
    if span is not None and span[1] <= span[0]:
        others = _percentiles(values[values != np.float32(span[0])], low, high)
    if span is None or others is None:
        return span
    return min(span[0], others[0]), max(span[1], others[1])


def _percentiles(values: np.ndarray, low: float, high: float) -> tuple[float, float] | None:
    flat = values[np.isfinite(values)]
    if flat.size == 0:
        return None
    bottom, top = np.percentile(flat.astype(np.float64), (low, high))
    return float(bottom), float(top)


def proxy(values: np.ndarray) -> np.ndarray:
    """Shrink one channel to a small 8-bit volume for cheap voxel comparisons.

    Along each axis n voxels become ceil(n / k) with k = ceil(n / 64), each the mean of k neighbours
    (fewer at the far end): the proxy's spacing is k times that of the scan. The 0.5 to 99.5
    percentile range becomes 0 to 255. Non-finite voxels count as the bottom of the range.

    Args:
        values: float32 (X, Y, Z) in Fortran order.

    Returns:
        uint8 (x, y, z), each axis <= 64, in C order; all 0 where the range is empty.
    """
    span = robust_range(values)
    sides = [-(-n // proxy_factor(n)) for n in values.shape]
    if span is None or not span[1] > span[0]:
        return np.zeros(sides, dtype=np.uint8)
    bottom, top = span
    means = _block_mean(values, bottom)
    np.clip(means, bottom, top, out=means)
    scaled = (means - np.float32(bottom)) * np.float32(255.0 / (top - bottom))
    return np.ascontiguousarray(np.clip(np.rint(scaled), 0, 255).astype(np.uint8))


def proxy_factor(n: int) -> int:
    """How many voxels of an axis of length n become one voxel of the proxy."""
    return max(1, -(-n // PROXY_SIDE))


def is_flat(shape: Sequence[int]) -> bool:
    """Whether voxels of a shape along X, Y, Z are a single slice: a picture."""
    return 1 in shape


def packed(proxies: Sequence[np.ndarray]) -> tuple[bytes, tuple[int, ...]]:
    """Proxies of the channels of a scan, as `cases` holds them.

    Returns:
        zlib of uint8 (C, X, Y, Z) in C order, and that shape.
    """
    stacked = np.stack(proxies)
    return zlib.compress(stacked.tobytes(), 1), tuple(int(n) for n in stacked.shape)


def unpacked(payload: bytes, shape: tuple[int, ...]) -> np.ndarray:
    """The proxies that `packed` was given, uint8 (C, X, Y, Z)."""
    return np.frombuffer(zlib.decompress(payload), np.uint8).reshape(shape)


def _as_float32(stored: np.ndarray) -> np.ndarray:
    if stored.dtype == np.dtype(np.float32) and stored.dtype.isnative:
        return stored if stored.flags.f_contiguous else np.asfortranarray(stored)
    wide = 8 if stored.dtype.kind in "iu" else 16
    if stored.dtype.itemsize >= wide:
        # these do not fit float64: two roundings, as the values are defined, not one
        return _scaled(stored, 1.0, 0.0)
    values = np.empty(stored.shape, dtype=np.float32, order="F")
    with np.errstate(over="ignore", invalid="ignore"):
        np.copyto(values, stored, casting="unsafe")
    return values


def _scaled(stored: np.ndarray, slope: float, intercept: float) -> np.ndarray:
    """Stored x slope + intercept, a few layers of z at a time."""
    values = np.empty(stored.shape, dtype=np.float32, order="F")
    per_layer = max(1, stored.size // max(1, stored.shape[-1]))
    step = max(1, _BLOCK // per_layer)
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, stored.shape[-1], step):
            block = stored[..., start : start + step].astype(np.float64, order="F")
            block *= slope
            block += intercept
            values[..., start : start + step] = block
    return values


def _block_mean(values: np.ndarray, hole: float) -> np.ndarray:
    """Mean over proxy blocks, float32; z first, because whole layers add up fastest."""
    factor = proxy_factor(values.shape[2])
    starts = range(0, values.shape[2], factor)
    layers = np.empty((*values.shape[:2], len(starts)), dtype=np.float32, order="F")
    with np.errstate(over="ignore", invalid="ignore"):
        for i, start in enumerate(starts):
            slab = values[:, :, start : start + factor]
            np.mean(slab, axis=2, out=layers[:, :, i])
            if not np.isfinite(layers[:, :, i]).all():
                layers[:, :, i] = np.where(np.isfinite(slab), slab, hole).mean(
                    axis=2, dtype=np.float64
                )
    for axis in (1, 0):
        layers = _mean_along(layers, axis)
    return layers


def _mean_along(values: np.ndarray, axis: int) -> np.ndarray:
    n = values.shape[axis]
    factor = proxy_factor(n)
    if factor == 1:
        return values
    starts = np.arange(0, n, factor)
    counts = np.diff(np.append(starts, n)).astype(np.float32)
    shape = [1, 1, 1]
    shape[axis] = counts.size
    sums: np.ndarray = np.add.reduceat(values, starts, axis=axis)
    return sums / counts.reshape(shape)


def _long_axes(shape: tuple[int, ...]) -> int:
    return sum(n > 1 for n in shape)
