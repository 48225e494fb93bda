"""Register one scan onto another from a rough start.

First by mutual information, in SimpleITK, which follows any change of grey values from far away;
then by the difference of band-passed values, which is sharp where the scans are the same.
Deterministic: sampled with a fixed seed or a fixed stride, one thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from dvdup.verify.grid import Grid

_POINTS = 6000  # of the scan that stays, for the fine registration
_STILL = 2e-6  # gain in correlation below which a registration has arrived
_SEED = 20
_BINS = 32
FEW = 10
"""Voxels of an axis below which nothing tilts across it."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """What of a scan is registered."""

    values: np.ndarray
    """float32 (X, Y, Z)."""
    mask: np.ndarray
    """Bool (X, Y, Z): where to look."""


def by_information(
    a: Grid,
    b: Grid,
    layers: tuple[Layer, Layer],
    place: np.ndarray,
    step_mm: float,
) -> np.ndarray:
    """Refine a rough placement by an affine map.

    Args:
        a: The scan that stays, the smaller field of view.
        b: The scan that is brought onto it.
        layers: What to compare, on the two grids.
        place: float64 (4, 4), mm of a to mm of b, roughly.
        step_mm: How far things may move in the first step.

    Returns:
        float64 (4, 4), refined; as given if nothing overlaps.
    """
    method = _method(a, b, samples=2000)
    method.SetMetricAsMattesMutualInformation(_BINS)
    method.SetOptimizerAsRegularStepGradientDescent(step_mm, step_mm / 100, 24, 0.5, 1e-8)
    for grid, layer, masked in (
        (a, layers[0], method.SetMetricFixedMask),
        (b, layers[1], method.SetMetricMovingMask),
    ):
        if not layer.mask.all():
            masked(_image(grid, layer.mask.astype(np.uint8)))
    return _run(method, a, b, (layers[0].values, layers[1].values), place)


def by_structure(
    a: Grid, b: Grid, layers: tuple[Layer, Layer], place: np.ndarray, rounds: int = 20
) -> np.ndarray:
    """Refine a good placement by the difference of band-passed values.

    Gauss-Newton on the twelve numbers of an affine map, with a gain for the difference in
    contrast (B. Lucas, T. Kanade, IJCAI 1981), damped as by Levenberg and Marquardt.

    Args:
        a: The scan that stays.
        b: The scan that is brought onto it.
        layers: Band-passed values on the two grids.
        place: float64 (4, 4), mm of a to mm of b, right to about the width of the band.
        rounds: Most steps.

    Returns:
        float64 (4, 4), refined; as given if too little overlaps.
    """
    points, ours = _sampled(a, layers[0])
    free = np.array(_weights(a, b)) > 0
    moving = _Moving(b, layers[1], points, ours)
    first = moving.glance(place)
    if first is None:
        return place
    best, damping = moving.seen(first), 1e-3
    for _ in range(rounds):
        tried = place.copy()
        tried[:3] += best.step(moving.reach, free, damping)
        glance = moving.glance(tried)
        if glance is None or glance.miss >= best.miss:
            damping *= 10
            if damping > 1e3:
                break
            continue
        gained = best.miss - glance.miss
        place, damping = tried, damping / 10
        if gained < _STILL:
            break
        best = moving.seen(glance)
    return place


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What of b is found at the points of a."""

    miss: float
    """1 - correlation."""
    pull: np.ndarray
    """float64 (12,): the change of the parameters that would lessen the difference most."""
    normal: np.ndarray
    """float64 (12, 12): how much the difference depends on each two of them."""

    def step(self, reach: float, free: np.ndarray, damping: float) -> np.ndarray:
        """float64 (3, 4): what to add to the map of mm; `reach` is that of `_Moving`."""
        normal = self.normal[np.ix_(free, free)]
        ridge = damping * np.trace(normal) / max(1, len(normal)) * np.eye(len(normal))
        solved = np.linalg.lstsq(normal + ridge, self.pull[free], rcond=None)[0]
        found = np.zeros(12)
        found[free] = solved
        change = np.zeros((3, 4))
        change[:, :3] = found[:9].reshape(3, 3) / reach
        change[:, 3] = found[9:]
        return change


@dataclass(frozen=True, slots=True, eq=False)
class _Glance:
    """The values of b at the points of a, before it is known whether they are of use."""

    miss: float
    """1 - correlation."""
    inside: np.ndarray
    """Bool (N,): points that see something."""
    apart: np.ndarray
    """float64 (n,): difference left at those."""
    gain: float
    corners: tuple[np.ndarray, np.ndarray]
    """From `_corners`, of those."""


class _Moving:
    """A layer of b that is looked at again and again from the points of a."""

    def __init__(self, grid: Grid, layer: Layer, points: np.ndarray, ours: np.ndarray) -> None:
        self._layer = layer
        self._back = np.linalg.inv(grid.to_mm())
        self._points, self._ours = points, ours
        self.reach = float(np.abs(points).max(initial=0.0)) or 1.0
        """mm that count as 1 for the numbers of the matrix, to be of the size of the shift."""
        sides = [np.gradient(layer.values, axis=i) if n > 1 else np.zeros_like(layer.values)
                 for i, n in enumerate(layer.values.shape)]  # fmt: skip
        slopes = [side / mm for side, mm in zip(sides, grid.spacing, strict=True)]
        self._slopes = np.stack([each.ravel() for each in slopes], axis=1).astype(np.float32)

    def glance(self, place: np.ndarray) -> _Glance | None:
        """Look, in mm; None if fewer than a tenth of the points see anything."""
        matrix = self._back @ place
        where = matrix[:3, :3] @ self._points.T + matrix[:3, 3:]
        side = np.array(self._layer.values.shape)[:, None]
        inside = ((where >= -0.5) & (where <= side - 0.5)).all(axis=0)
        nearest = np.clip(np.rint(where), 0, side - 1).astype(int)
        inside &= self._layer.mask[tuple(nearest)]
        if inside.sum() < max(50, len(self._points) // 10):
            return None
        index, weight = corners = _corners(where[:, inside], self._layer.values.shape)
        theirs = np.einsum("cn,cn->n", self._layer.values.ravel().take(index), weight)
        left = self._ours[inside]
        power = float(theirs @ theirs)
        if power <= 0 or not left.any():
            return None
        gain = float(left @ theirs) / power
        correlation = float(left @ theirs) / float(np.sqrt(power * (left @ left)))
        shown = float(np.sqrt(inside.mean()))
        return _Glance(1 - correlation * shown, inside, left - gain * theirs, gain, corners)

    def seen(self, glance: _Glance) -> _Seen:
        """How the difference depends on the placement."""
        index, weight = glance.corners
        slope = glance.gain * np.einsum("cnk,cn->nk", self._slopes.take(index, axis=0), weight)
        scaled = self._points[glance.inside] / self.reach
        # order of the parameters as in `_weights`: the matrix row by row, then the shift
        matrix = (slope[:, :, None] * scaled[:, None, :]).reshape(len(scaled), 9)
        jacobian = np.concatenate([matrix, slope], axis=1)
        return _Seen(glance.miss, jacobian.T @ glance.apart, jacobian.T @ jacobian)


def _corners(where: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The eight voxels around places, and what each counts in a linear interpolation.

    Args:
        where: float64 (3, n), in voxels; those outside count as on the nearest face.
        shape: X, Y, Z.

    Returns:
        int64 (8, n), places in the flattened array; float64 (8, n), adding up to 1.
    """
    last = np.array(shape)[:, None] - 1
    inner = np.clip(where, 0, last)
    low = np.minimum(inner.astype(int), np.maximum(last - 1, 0))
    high = np.minimum(low + 1, last)
    part = inner - low
    strides = (shape[1] * shape[2], shape[2], 1)
    lows, highs = (tuple(e * s for e, s in zip(ends, strides, strict=True)) for ends in (low, high))
    chosen = list(product((0, 1), repeat=3))
    index = [sum((lows, highs)[far][i] for i, far in enumerate(each)) for each in chosen]
    shares = (1 - part, part)
    weight = [shares[x][0] * shares[y][1] * shares[z][2] for x, y, z in chosen]
    return np.array(index), np.array(weight)


def _sampled(grid: Grid, layer: Layer) -> tuple[np.ndarray, np.ndarray]:
    """Some points of the mask, float64 (N, 3) in mm, and the values there."""
    chosen = np.flatnonzero(layer.mask)
    # an odd stride, so that the points do not line up
    stride = max(1, len(chosen) // _POINTS) | 1
    chosen = chosen[::stride]
    index = np.stack(np.unravel_index(chosen, layer.mask.shape), axis=1)
    return index * grid.spacing + grid.origin, layer.values.ravel()[chosen].astype(np.float64)


def _method(a: Grid, b: Grid, samples: int) -> Any:
    import SimpleITK as sitk  # noqa: N813

    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfThreads(1)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(min(1.0, samples / a.values.size), _SEED)
    method.SetMetricUseFixedImageGradientFilter(False)
    method.SetMetricUseMovingImageGradientFilter(False)  # the few voxels sampled cost less
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetOptimizerWeights(_weights(a, b))
    return method


def _run(
    method: Any, a: Grid, b: Grid, values: tuple[np.ndarray, np.ndarray], place: np.ndarray
) -> np.ndarray:
    import SimpleITK as sitk  # noqa: N813

    transform = sitk.AffineTransform(3)
    transform.SetMatrix(place[:3, :3].ravel().tolist())
    transform.SetTranslation(place[:3, 3].tolist())
    method.SetInitialTransform(transform, inPlace=True)
    threads = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    # the filters inside a registration follow this number only, and sum in any order
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        method.Execute(_image(a, values[0]), _image(b, values[1]))
    except RuntimeError:  # too few samples fall on the other scan
        return place
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    refined = np.eye(4)
    refined[:3, :3] = np.array(transform.GetMatrix()).reshape(3, 3)
    refined[:3, 3] = transform.GetTranslation()
    usable = np.isfinite(refined).all() and abs(np.linalg.det(refined)) > 1e-3
    return refined if usable else place


def _image(grid: Grid, values: np.ndarray) -> Any:
    import SimpleITK as sitk  # noqa: N813

    image = sitk.GetImageFromArray(np.ascontiguousarray(values.T))
    image.SetSpacing(grid.spacing.tolist())
    image.SetOrigin(grid.origin.tolist())
    return image


def _weights(a: Grid, b: Grid) -> list[float]:
    """1 for every parameter that may change: the matrix row by row, then the shift.

    Across the few slices of a stack nothing tilts, it may still stretch and shift; two single
    slices lie in one plane.
    """
    sides = np.array(a.values.shape), np.array(b.values.shape)
    thin = (sides[0] < FEW) & ((sides[0] == sides[0].min()) | (sides[1] == sides[1].min()))
    single = (sides[0] == 1) & (sides[1] == 1)
    matrix = [
        float(not single[row] if row == column else not (thin[row] or thin[column]))
        for row in range(3)
        for column in range(3)
    ]
    return [*matrix, *(float(not each) for each in single)]
