"""Edits that move voxels: in mm about the centre; the 0.5 percentile fills what is uncovered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from dvdup.edits.scan import Done, Scan, as_size, sign


def _moved(
    scan: Scan, linear: np.ndarray, said: dict[str, Any], shift: np.ndarray | None = None
) -> Done:
    """Resample, shape kept: voxel o shows source voxel linear (o - centre) + centre - shift."""
    from scipy import ndimage

    centre = (np.array(scan.values.shape) - 1) / 2
    offset = centre - linear @ centre
    if shift is not None:
        offset = offset - shift
    values = ndimage.affine_transform(
        scan.values, linear, offset, order=1, mode="constant", cval=scan.low
    )
    return Done(values, said, linear=linear, offset=offset)


def _in_mm(scan: Scan, linear: np.ndarray) -> np.ndarray:
    """A map of mm as a map of voxels."""
    spacing = np.array(scan.spacing)
    matrix: np.ndarray = linear * spacing[None, :] / spacing[:, None]
    return matrix


def _rotated(scan: Scan, degrees: float, axis: int) -> Done:
    angle = np.radians(degrees)
    first, second = (each for each in range(3) if each != axis)
    turn = np.eye(3)
    turn[[first, second], [first, second]] = np.cos(angle)
    turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
    return _moved(scan, _in_mm(scan, turn), {"axis": axis, "degrees": degrees})


def rotate(scan: Scan, degrees: float, rng: np.random.Generator) -> Done:
    """Turn about the axis that the slices lie across."""
    return _rotated(scan, degrees * sign(rng), scan.across)


def tilt(scan: Scan, degrees: float, rng: np.random.Generator) -> Done:
    """Turn about an axis of the plane."""
    axis = int(rng.choice(scan.in_plane))
    if scan.values.shape[scan.across] == 1:
        return Done(scan.values, {"unchanged": "a single slice has nothing out of its plane"})
    return _rotated(scan, degrees * sign(rng), axis)


def translate(scan: Scan, share: float, rng: np.random.Generator) -> Done:
    """Shift along a random direction, `share` of the extent along it."""
    direction = rng.normal(size=3) * (np.array(scan.values.shape) > 1)
    direction /= np.linalg.norm(direction) or 1.0
    shift = direction * share * np.array(scan.values.shape)
    return _moved(scan, np.eye(3), {"voxels": shift.tolist()}, shift)


def zoom(scan: Scan, share: float, rng: np.random.Generator) -> Done:
    """Show the centre at the full number of voxels, which become smaller."""
    kept = np.where(np.array(scan.values.shape) > 1, share, 1.0)
    done = _moved(scan, np.diag(kept), {})
    spacing = as_size((np.array(scan.spacing) * kept).tolist())
    return Done(done.values, done.said, spacing, done.linear, done.offset)


def crop(scan: Scan, share: float, rng: np.random.Generator) -> Done:
    """Keep a box anywhere, `share` of each axis long."""
    shape = np.array(scan.values.shape)
    kept = np.maximum(1, np.round(shape * share)).astype(int)
    start = np.floor(rng.random(3) * (shape - kept + 1)).astype(int)
    box = tuple(slice(i, i + n) for i, n in zip(start.tolist(), kept.tolist(), strict=True))
    return Done(scan.values[box], {"start": start.tolist()}, offset=start.astype(float))


def scale(scan: Scan, factor: float, rng: np.random.Generator) -> Done:
    """Stretch along one axis of the plane."""
    axis = int(rng.choice(scan.in_plane))
    linear = np.eye(3)
    linear[axis, axis] = 1 / factor
    return _moved(scan, linear, {"axis": axis})


def shear(scan: Scan, share: float, rng: np.random.Generator) -> Done:
    """Shear within the plane."""
    along, by = rng.permutation(scan.in_plane).tolist()
    linear = np.eye(3)
    linear[along, by] = share * sign(rng)
    return _moved(scan, _in_mm(scan, linear), {"along": along, "by": by})


def mirror(scan: Scan, axes: Sequence[int], rng: np.random.Generator) -> Done:
    """Flip one of some axes; the header will not say so."""
    axis = int(rng.choice([each for each in axes if scan.values.shape[each] > 1] or axes))
    linear, offset = np.eye(3), np.zeros(3)
    linear[axis, axis], offset[axis] = -1, scan.values.shape[axis] - 1
    return Done(np.flip(scan.values, axis), {"axis": axis}, linear=linear, offset=offset)


def slab(scan: Scan, share: float, rng: np.random.Generator) -> Done:
    """Keep `share` of the slices, in one piece anywhere."""
    n = scan.values.shape[scan.across]
    kept = max(1, round(n * share))
    start = int(rng.random() * (n - kept + 1))
    values = scan.values.take(range(start, start + kept), axis=scan.across)
    offset = np.zeros(3)
    offset[scan.across] = start
    return Done(values, {"start": start, "stop": start + kept}, offset=offset)


def thicken(scan: Scan, factor: float, rng: np.random.Generator) -> Done:
    """Slices `factor` times as thick, each the mean over its thickness."""
    done, step = _averaged(scan, factor, scan.across)
    return Done(done.values, {"factor": step}, done.spacing, done.linear, done.offset)


def lower_resolution(scan: Scan, factor: float, rng: np.random.Generator) -> Done:
    """Voxels `factor` times as long along every axis, each the mean over its extent."""
    linear, offset, steps = np.eye(3), np.zeros(3), []
    for axis in range(3):
        done, step = _averaged(scan, factor, axis)
        assert done.linear is not None
        assert done.offset is not None
        linear, offset = linear @ done.linear, offset + done.offset
        scan = replace(scan, values=done.values, spacing=done.spacing or scan.spacing)
        steps.append(step)
    return Done(scan.values, {"factors": steps}, scan.spacing, linear, offset)


def frame(scan: Scan, share: float, rng: np.random.Generator) -> Done:
    """Shrink what is shown, within a dark frame; the slices alone, or the volume."""
    shrunk = np.array(scan.values.shape) > 1
    of_slices = bool(rng.integers(2))
    if of_slices:
        shrunk[scan.across] = False
    said = {"of": "each slice" if of_slices else "the volume"}
    return _moved(scan, np.diag(np.where(shrunk, 1 / share, 1.0)), said)


def _averaged(scan: Scan, factor: float, axis: int) -> tuple[Done, float]:
    """Means over `factor` voxels along an axis, or over as many as divide it evenly; how many."""
    n = scan.values.shape[axis]
    kept = max(1, round(n / factor))
    edges = np.arange(kept + 1) * n / kept
    upper = np.minimum(edges[1:, None], np.arange(1, n + 1))
    overlap = np.clip(upper - np.maximum(edges[:-1, None], np.arange(n)), 0, None)
    weights = overlap / overlap.sum(axis=1, keepdims=True)
    values = np.moveaxis(np.tensordot(weights, scan.values, (1, axis)), 0, axis)
    step = n / kept
    linear, offset, spacing = np.eye(3), np.zeros(3), list(scan.spacing)
    linear[axis, axis], offset[axis] = step, (step - 1) / 2
    spacing[axis] *= step
    return Done(values, {}, as_size(spacing), linear, offset), step
