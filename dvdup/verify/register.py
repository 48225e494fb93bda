"""Register one scan onto another, in SimpleITK, from a rough start.

First by mutual information, which follows any change of grey values; then by the correlation of
band-passed values, which is sharp where the scans are the same. Deterministic: sampled with a fixed
seed, one thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dvdup.verify.grid import Grid

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
    values: tuple[np.ndarray, np.ndarray],
    place: np.ndarray,
    step_mm: float,
) -> np.ndarray:
    """Refine a rough placement by an affine map.

    Args:
        a: The scan that stays, the smaller field of view.
        b: The scan that is brought onto it.
        values: What to compare, float32 on the two grids.
        place: float64 (4, 4), mm of a to mm of b, roughly.
        step_mm: How far things may move in the first step.

    Returns:
        float64 (4, 4), refined; as given if nothing overlaps.
    """
    method = _method(a, b, samples=4000)
    method.SetMetricAsMattesMutualInformation(_BINS)
    method.SetOptimizerAsRegularStepGradientDescent(step_mm, step_mm / 100, 40, 0.6, 1e-8)
    return _run(method, a, b, values, place)


def by_structure(
    a: Grid,
    b: Grid,
    layers: tuple[Layer, Layer],
    place: np.ndarray,
    step_mm: float,
) -> np.ndarray:
    """Refine a good placement by the correlation of band-passed values.

    Args:
        a: The scan that stays.
        b: The scan that is brought onto it.
        layers: Band-passed values on the two grids.
        place: float64 (4, 4), mm of a to mm of b, right to about the width of the band.
        step_mm: How far things may move in the first step.

    Returns:
        float64 (4, 4), refined; as given if nothing overlaps.
    """
    import SimpleITK as sitk  # noqa: N813, its own name for itself

    share = a.values.size / max(1, int(layers[0].mask.sum()))
    method = _method(a, b, samples=int(5000 * share))
    method.SetMetricAsCorrelation()
    fixed, moving = (
        sitk.Cast(_image(grid, layer.mask.astype(np.float32)), sitk.sitkUInt8)
        for grid, layer in zip((a, b), layers, strict=True)
    )
    method.SetMetricFixedMask(fixed)
    method.SetMetricMovingMask(moving)
    method.SetOptimizerAsRegularStepGradientDescent(step_mm, step_mm / 500, 40, 0.6, 1e-8)
    return _run(method, a, b, (layers[0].values, layers[1].values), place)


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
    try:
        method.Execute(_image(a, values[0]), _image(b, values[1]))
    except RuntimeError:  # too few samples fall on the other scan
        return place
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
