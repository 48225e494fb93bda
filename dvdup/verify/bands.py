"""Gaussians, differences of gaussians, and how much of white noise they let through."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

_SQRT3 = 3**0.5  # a gaussian of width 1, blurred by this, has width 2
_REACH = 3.0  # sigmas after which a gaussian ends


def band(
    values: np.ndarray, voxel: np.ndarray, width: float, usable: np.ndarray | None = None
) -> np.ndarray:
    """A difference of gaussians, `width` and twice that.

    Args:
        values: float32 (X, Y, Z).
        voxel: Voxels of the grid in a voxel of the comparison, along X, Y, Z.
        width: Sigma of the narrower gaussian, in voxels of the comparison.
        usable: Bool (X, Y, Z): what lies outside has no influence, and is 0; None: all is used.

    Returns:
        float32 (X, Y, Z).
    """
    return bands((values,), voxel, (width,), usable)[0][width]


def bands(
    scans: Sequence[np.ndarray],
    voxel: np.ndarray,
    widths: Sequence[float],
    usable: np.ndarray | None = None,
) -> list[dict[float, np.ndarray]]:
    """Some bands of each of some scans by width.

    The wider gaussian of a band may be the narrower one of the next.

    Args:
        scans: float32 (X, Y, Z) each.
        voxel: As for `band`.
        widths: As `width` of `band`.
        usable: As for `band`.
    """
    if usable is None or usable.all():
        return [_bands(values, voxel, widths) for values in scans]
    weight = usable.astype(np.float32)
    sigmas = sorted({sigma for width in widths for sigma in (width, 2 * width)})
    norms = {s: np.maximum(blurred(weight, s * voxel), 1e-3) for s in sigmas}
    found = []
    for values in scans:
        weighted = values * weight
        smooth = {s: blurred(weighted, s * voxel) / norms[s] for s in sigmas}
        found.append({w: (smooth[w] - smooth[2 * w]) * weight for w in widths})
    return found


def _bands(
    values: np.ndarray, voxel: np.ndarray, widths: Sequence[float]
) -> dict[float, np.ndarray]:
    """Bands of a scan all of which is used."""
    narrow = {width: blurred(values, width * voxel) for width in widths}
    return {w: narrow[w] - blurred(narrow[w], w * _SQRT3 * voxel) for w in widths}


def blurred(values: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    """float32: blurred by a gaussian, along the axes where sigma (in voxels) is above 0.

    Args:
        values: float32 (X, Y, Z).
        sigmas: float64 (3,).
    """
    from scipy import ndimage

    wanted = np.where(np.array(values.shape) > 1, np.maximum(sigmas, 0.0), 0.0)
    if not wanted.any():
        return values
    found: np.ndarray = ndimage.gaussian_filter(values, wanted, mode="nearest", truncate=_REACH)
    return found


def noise_in(width: float, voxel: np.ndarray, shape: Sequence[int]) -> float:
    """Share of the variance of white noise that a band keeps.

    Args:
        width: As for `band`.
        voxel: As for `band`.
        shape: Voxels along X, Y, Z; an axis of one voxel is not blurred.
    """
    return _let_through(width, 2 * width, *_axes(voxel, shape))


def noise_smoothed(width: float, voxel: np.ndarray, shape: Sequence[int]) -> float:
    """Share of the variance of white noise that is left after a gaussian.

    Args:
        width: Its sigma, in voxels of the comparison.
        voxel: As for `band`.
        shape: As for `noise_in`.
    """
    return _let_through(width, None, *_axes(voxel, shape))


def noise_above(width: float, voxel: np.ndarray, shape: Sequence[int]) -> float:
    """Share of the variance of white noise that a gaussian takes away, and leaves to what is finer.

    Args:
        width: Its sigma, in voxels of the comparison.
        voxel: As for `band`.
        shape: As for `noise_in`.
    """
    return _let_through(0.0, width, *_axes(voxel, shape))


def _axes(voxel: np.ndarray, shape: Sequence[int]) -> tuple[float, ...]:
    return tuple(float(each) for each, n in zip(voxel, shape, strict=True) if n > 1)


@lru_cache(maxsize=64)
def _let_through(narrow: float, wide: float | None, *axes: float) -> float:
    """Sum of the squares of the weights of a gaussian, or of the difference of two."""
    one = [_weights(narrow * each) for each in axes]
    if wide is None:
        return float(np.prod([each @ each for each in one]))
    two = [_weights(wide * each) for each in axes]
    pairs = ((one, one), (one, two), (two, two))
    alone, both, other = (
        float(np.prod([_dot(u, v) for u, v in zip(*pair, strict=True)])) for pair in pairs
    )
    return alone - 2 * both + other


def _weights(sigma: float) -> np.ndarray:
    """float64 (2 n + 1,), adding up to 1."""
    reach = int(_REACH * sigma + 0.5)
    where = np.arange(-reach, reach + 1)
    weights: np.ndarray = np.exp(-0.5 * (where / max(sigma, 1e-9)) ** 2)
    share: np.ndarray = weights / weights.sum()
    return share


def _dot(u: np.ndarray, v: np.ndarray) -> float:
    """Dot product of two rows of weights about one middle."""
    short, long = sorted((u, v), key=len)
    margin = (len(long) - len(short)) // 2
    return float(short @ long[margin : margin + len(short)])
