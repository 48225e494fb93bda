"""What was done to a copy, from the placement and the grey values.

In: two scans and how they lie on each other. Out: a `Change`, in numbers: how b differs from a.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dvdup.records import Change, GreyChange
from dvdup.verify.bands import band
from dvdup.verify.compare import FINE, MIDDLE, grey_curves, looked_up, thick
from dvdup.verify.exact import orders
from dvdup.verify.grid import Grid, filled, resampled, smoothed, structured
from dvdup.verify.scans import Scan, on_voxels, usable_extent

_CURVED = 0.025  # deviation of the grey values from a straight line, share of the range
_SPREAD = 2.2  # times what values lie around a curve, in the median, that it deviates at least
_BLACK = 0.02  # of the range; what is darker is background
_LIT = 0.3  # of the range; no narrower range of values, as that of a crop, makes it black
_OTHER = 0.1  # of the range: values that evenness alone, as JPEG makes it, does not change so
_BLANKED = 0.01  # of the body, apart from rims
_SOFTER = 0.75  # gain of fine structures against that of coarse ones


def what_was_done(a: Scan, b: Scan, grids: tuple[Grid, Grid], place: np.ndarray) -> Change:
    """Tell how b differs from a.

    Args:
        a: One scan, for its field of view and voxel size.
        b: The other.
        grids: The two, on the grids of the comparison.
        place: float64 (4, 4), mm of a to mm of b, from the centres of the scans.
    """
    turn, rest = split(place[:3, :3])
    rotation, stretch = _polar(rest)
    flipped = np.linalg.det(turn) < 0
    axes = np.abs(turn).argmax(axis=0)  # axis of b along each axis of a
    signs = [turn[axes[i], i] for i in range(3)]
    plain = bool((axes == np.arange(3)).all()) and sum(sign < 0 for sign in signs) <= 1
    size = np.diag(stretch)
    return Change(
        mirrored=bool(flipped),
        mirrored_axes=tuple(i for i in range(3) if signs[i] < 0) if plain else (),
        turned=not plain,
        degrees=_angle(rotation),
        scale=_three(size),
        shear=float(np.abs(stretch - np.diag(size)).max()) * 2,
        shift_mm=_three(place[:3, 3]),
        shown=_shown(a, b, on_voxels(place, a, b), axes),
        # a proxy's voxels are its own, not those of the scan
        spacing=tuple((a.spacing[i], b.spacing[axes[i]]) for i in range(3) if a.full and b.full),
        grey=grey_changes(*grids, on_voxels(place, a, b)),
    )


def split(linear: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split a map into an order of axes with signs, and what is left of it.

    Args:
        linear: float64 (3, 3).

    Returns:
        The signed permutation P nearest to it, and P^-1 linear: without turns by 90 degrees.
    """
    best, found = -np.inf, np.eye(3)
    for axes, signs in orders():
        turn = np.zeros((3, 3))
        turn[list(axes), range(3)] = signs
        agreement = float((turn * linear).sum())
        if agreement > best + 1e-9 and np.linalg.det(turn) * np.linalg.det(linear) > 0:
            best, found = agreement, turn
    return found, found.T @ linear


def grey_changes(a: Grid, b: Grid, place: np.ndarray) -> tuple[GreyChange, ...]:
    """What was done to the grey values of b.

    Args:
        a: One scan, on a grid.
        b: The other.
        place: float64 (4, 4), mm of a to mm of b.
    """
    width = max(float(np.sort(a.spacing)[1]), float(np.sort(b.spacing)[1]))
    ours = smoothed(a, width)
    theirs, seen = resampled(smoothed(b, width), b, place, a)
    blank = looked_up(filled(b), b, place, a) & (np.maximum(ours, theirs) > _LIT)
    usable = seen & structured(a) & ~blank
    if usable.sum() < 100:
        return ()
    whole = usable | (seen & (ours < _BLACK))
    found: list[GreyChange] = ["curve"] if _is_curve(ours[whole], theirs[whole]) else []
    voxel = np.minimum(width / a.spacing, 8.0)
    curves = grey_curves(ours[usable], theirs[usable])
    forth, back = _gains(curves.of_a(ours), curves.of_b(theirs), usable, voxel)
    if min(forth, back) < _SOFTER:
        found.append("blur" if forth < back else "noise")
    # noise fills what is blank, and a window or a negative empties something: nothing can be told
    alike = float(np.cov(ours[usable], theirs[usable])[0, 1]) > 0
    if not found and alike and _is_blanked(a, b, place, seen & (np.abs(ours - theirs) > _OTHER)):
        found.append("blank")
    return tuple(found)


def _is_blanked(a: Grid, b: Grid, place: np.ndarray, differ: np.ndarray) -> bool:
    """Whether one scan has a single value where the other shows a part of the body.

    Args:
        a: One scan.
        b: The other.
        place: float64 (4, 4), mm of a to mm of b.
        differ: Bool, on a: where values are others than those of b.
    """
    in_b, blank_b = (looked_up(each, b, place, a) for each in (_body(b), filled(b)))
    shown = int((_body(a) | in_b).sum())
    missing = (
        thick(blank_b & ~filled(a)) & _body(a) & differ,
        thick(filled(a) & in_b & differ),  # letters beside the body are thin
    )
    return any(each.sum() > _BLANKED * shown for each in missing)


def _body(grid: Grid) -> np.ndarray:
    body: np.ndarray = ~filled(grid) & (grid.values > _LIT)
    return body


def _is_curve(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """Whether the grey values of the other follow one's own, and not along a straight line.

    Noise and blur bend the mapping too, as they draw means together, but values then lie far
    around it.
    """
    levels = np.clip((ours * 32).astype(int), 0, 31)
    fewest = max(20, len(ours) // 2000)
    used = [level for level in range(32) if np.count_nonzero(levels == level) >= fewest]
    if len(used) < 4:
        return False
    # medians, because padding of one of the two lies over structures of the other
    x, y = (np.array([np.median(v[levels == level]) for level in used]) for v in (ours, theirs))
    spread = _rms(
        [np.median(np.abs(theirs[levels == level] - y[i])) for i, level in enumerate(used)]
    )
    deviation = _rms(y - np.polyval(np.polyfit(x, y, 1), x))
    return deviation > max(_CURVED, _SPREAD * spread)


def _rms(values: Sequence[float] | np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def _gains(
    ours: np.ndarray, theirs: np.ndarray, usable: np.ndarray, voxel: np.ndarray
) -> tuple[float, float]:
    """Gain of fine against coarser structures, a to b and b to a.

    Where b is blurred the gain from a to b is low; where b holds noise that from b to a is.
    """
    sums = []
    for width in (FINE, 2 * MIDDLE):
        u, v = band(ours, voxel, width)[usable], band(theirs, voxel, width)[usable]
        sums.append((float(u @ u) + 1e-9, float(v @ v) + 1e-9, float(u @ v)))
    (uu, vv, uv), (cuu, cvv, cuv) = sums
    forth, back = cuv / cuu, cuv / cvv
    if forth <= 0 or back <= 0:
        return 1.0, 1.0
    return uv / uu / forth, uv / vv / back


def _polar(linear: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rotation and symmetric stretch whose product is the map."""
    left, sizes, right = np.linalg.svd(linear)
    return left @ right, right.T @ np.diag(sizes) @ right


def _angle(rotation: np.ndarray) -> float:
    return float(np.degrees(np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1))))


def _shown(a: Scan, b: Scan, place: np.ndarray, axes: np.ndarray) -> tuple[float, float, float]:
    """Share of the larger field of view that both show, along each axis of a."""
    shares = []
    for i in range(3):
        ours, theirs = usable_extent(a)[i], usable_extent(b)[axes[i]]
        size = float(np.linalg.norm(place[:3, i])) or 1.0
        middle = float(place[axes[i], 3]) * np.sign(place[axes[i], i]) / size
        half = theirs / size / 2
        low, high = max(-ours / 2, -middle - half), min(ours / 2, -middle + half)
        shares.append(max(0.0, high - low) / max(ours, theirs / size))
    return _three(np.array(shares))


def _three(values: np.ndarray) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z
