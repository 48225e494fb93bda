"""Stored axes to RAS+ views, and stored components to channels.

Nothing is resampled and nothing is copied: a volume is permuted and flipped along its own axes so
that X, Y, Z point as nearly as they can to the patient's right, front and top.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from dvdup.errors import ReadError
from dvdup.records import Volume

MAX_CHANNELS = 8
"""An axis as long as this or shorter may be channels."""

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])

_TIE = 1e-4  # grids at 45 degrees: rounding in the header must not choose the axes


def ras_order(directions: np.ndarray) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
    """Find the permutation and flips that bring a grid nearest to RAS+.

    The choice depends on the set of axis directions only, so that a volume stored with its axes
    permuted or flipped (and a right header) always ends in the same order. Scores are the cosines
    after removing shear, as `nibabel.orientations.io_orientation` takes them.

    Args:
        directions: float (3, 3); column i is the RAS+ direction of stored axis i, any length > 0.

    Returns:
        Which stored axis becomes X, Y, Z; whether each of these is flipped.

    Raises:
        ValueError: If the directions are not finite or not independent.
    """
    directions = np.asarray(directions, dtype=np.float64)
    lengths = np.linalg.norm(directions, axis=0)
    if not np.isfinite(directions).all() or not (lengths > 0).all():
        raise ValueError("axis directions are zero or not finite")
    left, singular, right = np.linalg.svd(directions / lengths)
    if singular[-1] < 1e-6:
        raise ValueError("axis directions are not independent")
    nearest = left @ right
    orders = list(itertools.permutations(range(3)))
    scores = [sum(abs(nearest[ras, axis]) for ras, axis in enumerate(order)) for order in orders]
    tied = [o for o, s in zip(orders, scores, strict=True) if s > max(scores) - _TIE]
    best = max(tied, key=lambda order: _signed(nearest, order).round(3).tolist())
    x, y, z = (bool(nearest[ras, axis] < 0) for ras, axis in enumerate(best))
    return (best[0], best[1], best[2]), (x, y, z)


def _signed(nearest: np.ndarray, order: Sequence[int]) -> np.ndarray:
    """The directions in a given order, each pointing to its positive side, flat."""
    columns = nearest[:, list(order)]
    signs = np.where(np.diagonal(columns) < 0, -1.0, 1.0)
    return np.asarray((columns * signs).ravel())


def as_volume(
    channels: Sequence[np.ndarray],
    *,
    directions: np.ndarray | None,
    spacing: Sequence[float],
    scaling: Sequence[tuple[float, float]] | None = None,
    modality: str = "",
    notes: Sequence[str] = (),
) -> Volume:
    """Make a Volume of stored (i, j, k) arrays.

    Args:
        channels: Arrays of one shape, 1 to 3 axes each, as stored.
        directions: float (3, 3), RAS+ direction of each stored axis; None if the file has none.
        spacing: mm along the stored axes; unusable values become 1.
        scaling: (slope, intercept) of each channel, default (1, 0); a slope of 0 or a value that
            is not finite means (1, 0).
        modality: DICOM modality or "".
        notes: What the user should know.

    Returns:
        The volume, its channels views of the given arrays.
    """
    stored = [_three_axes(channel) for channel in channels]
    steps = [_usable(step) for step in [*spacing, 1.0, 1.0, 1.0][:3]]
    order, flips = (0, 1, 2), (False, False, False)
    said = list(notes)
    oriented = directions is not None
    if directions is not None:
        try:
            order, flips = ras_order(directions)
        except ValueError as error:
            oriented = False
            said.append(f"orientation ignored, correct the header: {error}")
    turned = tuple(
        channel.transpose(order)[tuple(slice(None, None, -1 if f else 1) for f in flips)]
        for channel in stored
    )
    return Volume(
        channels=turned,
        scaling=tuple(_usable_scaling(pair) for pair in scaling or [(1.0, 0.0)] * len(turned)),
        spacing=(steps[order[0]], steps[order[1]], steps[order[2]]),
        modality=modality,
        oriented=oriented,
        notes=tuple(said),
    )


def colour_channels(components: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Reduce colour components to what carries content.

    Args:
        components: 1 to 4 arrays of one shape: grey; grey, alpha; red, green, blue; or with alpha.

    Returns:
        One array if red, green and blue are equal everywhere. Without alpha, which pictures of
        different scans share (a round field of view), unless it alone shows something.
    """
    colours = list(components)
    alpha = colours.pop() if len(colours) in (2, 4) else None
    if len(colours) == 3 and all(np.array_equal(colours[0], other) for other in colours[1:]):
        colours = colours[:1]
    shown = any(_varies(colour) for colour in colours)
    if alpha is not None and not shown and _varies(alpha):
        colours.append(alpha)
    return colours


def _varies(component: np.ndarray) -> bool:
    return bool(component.size) and bool((component != component.flat[0]).any())


def picture_axes(picture: np.ndarray) -> np.ndarray:
    """Lay a picture out as a slice: X to the right, Y upwards.

    Args:
        picture: (rows, columns), row 0 on top.

    Returns:
        (X, Y) view.
    """
    return picture[::-1].T


def real_channels(array: np.ndarray, name: str) -> tuple[list[np.ndarray], list[str]]:
    """Turn one stored array of any supported type into real arrays.

    Args:
        array: Real, complex or structured (RGB, RGBA) array.
        name: The file, for messages.

    Returns:
        Real arrays of the same shape, and notes.

    Raises:
        ReadError: If the type holds no voxel values (text, objects, dates).
    """
    kind = array.dtype.kind
    if array.dtype.names:
        fields = [array.dtype[field] for field in array.dtype.names]
        if any(field.kind not in "biuf" or field.shape for field in fields):
            raise ReadError(f"{name}: holds records of other than numbers; exclude it")
        return colour_channels([array[field] for field in array.dtype.names]), []
    if kind == "c":
        return [np.abs(array)], ["complex voxels: their magnitude is compared"]
    if kind not in "biuf":
        raise ReadError(f"{name}: holds {array.dtype} values, not voxels; exclude it")
    return [array], []


def _three_axes(array: np.ndarray) -> np.ndarray:
    if array.ndim > 3:
        raise ValueError("a channel has at most three axes")
    return array.reshape(array.shape + (1,) * (3 - array.ndim), order="A")


def _usable(step: float) -> float:
    step = abs(float(step))
    return step if np.isfinite(step) and step > 0 else 1.0


def _usable_scaling(pair: tuple[float, float]) -> tuple[float, float]:
    slope, intercept = float(pair[0]), float(pair[1])
    if not np.isfinite(slope) or slope == 0 or not np.isfinite(intercept):
        return (1.0, 0.0)
    return (slope, intercept)
