"""Words for what was done to a copy, from the placement and the grey values.

In: two scans and how they lie on each other. Out: `Done`, in numbers and in words. Which of the two
is the copy cannot be seen; the words say how b differs from a.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations, product
from typing import Any

import numpy as np

from dvdup.verify.compare import FINE, MIDDLE, band, grey_curves, structured
from dvdup.verify.grid import Grid, resampled, smoothed
from dvdup.verify.scans import Scan, on_voxels, usable_extent

AXES = ("left-right", "front-back", "top-bottom")
"""What the axes of a RAS+ volume run along."""

_DEGREES, _STRETCH, _SHEAR = 1.0, 0.02, 0.02  # below which nothing is said
_SHIFT = 0.03  # of the extent
_WHOLE = 0.96  # of the extent; less is a crop
_RESAMPLED = 1.12  # ratio of voxel sizes
_CURVED = 0.025  # deviation of the grey values from a straight line, share of the range
_BLACK = 0.02  # of the range; what is darker is background
_SOFTER = 0.75  # gain of fine structures against that of coarse ones


@dataclass(frozen=True, slots=True)
class Done:
    """How b differs from a."""

    mirrored: tuple[str, ...]
    """Names of flipped axes; one, since two flips are a turn."""
    turned: bool
    """Whether axes were exchanged, or two flipped: a turn by 90 or 180 degrees."""
    degrees: float
    """Rotation besides."""
    scale: tuple[float, float, float]
    """Size in b of what is 1 in a, along the axes of a."""
    shear: float
    """Largest shear."""
    shift_mm: tuple[float, float, float]
    """Where the centre of a lies in b, mm from the centre of b along the axes of b."""
    shown: tuple[float, float, float]
    """Share of the extent of the larger field of view that the smaller shows, along axes of a."""
    spacing: tuple[tuple[float, float], ...]
    """Voxel size in a and in b, mm, along the axes of a; empty where that is not known."""
    grey: tuple[str, ...]
    """What was done to the grey values, in words."""
    in_mm: bool = True
    """False if neither file says how large its voxels are, and b was taken to be as large as a."""

    def words(self) -> tuple[str, ...]:
        """What was done, a phrase each; empty if nothing was."""
        said = [f"mirrored {axis}" for axis in self.mirrored]
        if self.turned:
            said.append("axes turned")
        if self.degrees >= _DEGREES:
            said.append(f"rotated {self.degrees:.0f} degrees")
        said += [*self._size(), *self._field(), *self._voxels(), *self.grey]
        return tuple(said)

    def describe(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "mirrored": list(self.mirrored),
            "turned": self.turned,
            "angle": round(self.degrees, 2),
            "scale": [round(each, 4) for each in self.scale],
            "shear": round(self.shear, 4),
            "offset_mm": [round(each, 2) for each in self.shift_mm],
            "shown": [round(each, 4) for each in self.shown],
            "done": list(self.words()),
        }

    def _size(self) -> list[str]:
        sizes = np.array(self.scale)
        if np.ptp(sizes) < _STRETCH and abs(sizes.mean() - 1) >= _STRETCH:
            return [f"scaled by {sizes.mean():.2f}"]
        said = [
            f"stretched by {size:.2f} {axis}"
            for size, axis in zip(self.scale, AXES, strict=True)
            if abs(size - 1) >= _STRETCH and self.shear < _SHEAR
        ]
        return said or (["sheared"] if self.shear >= _SHEAR else [])

    def _field(self) -> list[str]:
        less = [share for share in self.shown if share < _WHOLE]
        if len(less) == 1:
            axis = AXES[int(np.argmin(self.shown))]
            return [f"slab of {100 * less[0]:.0f} % {axis}"]
        if less:
            return [f"cropped to {100 * float(np.prod(less)) ** (1 / len(less)):.0f} %"]
        return []

    def _voxels(self) -> list[str]:
        if not self.in_mm:
            sizes = [100 * ours / theirs for ours, theirs in self.spacing if ours != theirs]
            least, most = (f"{size:.0f}" for size in (min(sizes), max(sizes)))
            return [f"resized to {least if least == most else f'{least}-{most}'} %"]
        changed = {
            f"resampled {ours:.2g} -> {theirs:.2g} mm"
            for ours, theirs in self.spacing
            if not 1 / _RESAMPLED < theirs / ours < _RESAMPLED
        }
        return sorted(changed)


def what_was_done(a: Scan, b: Scan, grids: tuple[Grid, Grid], place: np.ndarray) -> Done:
    """Say how b differs from a.

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
    mirrored = tuple(AXES[i] for i in range(3) if signs[i] < 0) if plain else ()
    if flipped and not plain:
        mirrored = ("",)
    size = np.diag(stretch)
    return Done(
        mirrored=tuple(name or "and turned" for name in mirrored),
        turned=not plain,
        degrees=_angle(rotation),
        scale=_three(size),
        shear=float(np.abs(stretch - np.diag(size)).max()) * 2,
        shift_mm=_three(place[:3, 3]),
        shown=_shown(a, b, on_voxels(place, a, b), axes),
        # a proxy's voxels are its own, not those of the scan
        spacing=tuple((a.spacing[i], b.spacing[axes[i]]) for i in range(3) if a.full and b.full),
        grey=grey_words(*grids, on_voxels(place, a, b)),
    )


def split(linear: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split a map into an order of axes with signs, and what is left of it.

    Args:
        linear: float64 (3, 3).

    Returns:
        The signed permutation P nearest to it, and P^-1 linear: without turns by 90 degrees.
    """
    best, found = -np.inf, np.eye(3)
    for axes in permutations(range(3)):
        for signs in product((1, -1), repeat=3):
            turn = np.zeros((3, 3))
            turn[list(axes), range(3)] = signs
            agreement = float((turn * linear).sum())
            if agreement > best + 1e-9 and np.linalg.det(turn) * np.linalg.det(linear) > 0:
                best, found = agreement, turn
    return found, found.T @ linear


def grey_words(a: Grid, b: Grid, place: np.ndarray) -> tuple[str, ...]:
    """What was done to the grey values of b, a phrase each.

    Args:
        a: One scan, on a grid.
        b: The other.
        place: float64 (4, 4), mm of a to mm of b.
    """
    width = max(float(np.sort(a.spacing)[1]), float(np.sort(b.spacing)[1]))
    ours = smoothed(a, width)
    theirs, seen = resampled(smoothed(b, width), b, place, a)
    usable = seen & structured(a)
    if usable.sum() < 100:
        return ()
    whole = seen & (structured(a) | (ours < _BLACK))
    said = ["gamma or window changed"] if _curve(ours[whole], theirs[whole]) > _CURVED else []
    voxel = np.minimum(width / a.spacing, 8.0)
    curves = grey_curves(ours[usable], theirs[usable])
    forth, back = _gains(curves.of_a(ours), curves.of_b(theirs), usable, voxel)
    if min(forth, back) < _SOFTER:
        said.append("blurred" if forth < back else "noise added")
    return tuple(said)


def _curve(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Deviation of the mapping of grey values from a straight line, share of the range."""
    levels = np.clip((ours * 32).astype(int), 0, 31)
    fewest = max(20, len(ours) // 2000)
    used = [level for level in range(32) if np.count_nonzero(levels == level) >= fewest]
    if len(used) < 4:
        return 0.0
    # medians, because padding of one of the two lies over structures of the other
    x, y = (np.array([np.median(v[levels == level]) for level in used]) for v in (ours, theirs))
    line = np.polyval(np.polyfit(x, y, 1), x)
    return float(np.sqrt(((y - line) ** 2).mean()))


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
