"""Where to start a registration: every turn and flip is tried at every shift, coarsely.

The normalised correlation at all shifts at once is a handful of Fourier transforms (D. Padfield,
Masked object registration in the Fourier domain, IEEE TIP 21, 2012); the masks are the fields of
view, so slabs and crops find their place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import permutations, product

import numpy as np

from dvdup.verify.grid import Grid, resampled, smoothed

SIDE, THIN_SIDE = 16, 32
"""Voxels of the longest axis while searching: in volumes, in thin stacks."""
_LEAN = float(np.radians(22))  # half of it and twice it are in reach of a registration
_LEAST_OVERLAP = 0.35  # of the smaller field of view


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """A rough placement."""

    place: np.ndarray
    """float64 (4, 4), mm of a to mm of b."""
    correlation: float


@cache
def flips() -> tuple[np.ndarray, ...]:
    """As stored, mirrored left-right, front-back, top-bottom."""
    return tuple(np.diag(np.array(signs, float)) for signs in _FLIPS)


_FLIPS = ((1, 1, 1), (-1, 1, 1), (1, -1, 1), (1, 1, -1))


@cache
def turns() -> tuple[np.ndarray, ...]:
    """The 44 other ways to order and flip three axes."""
    found = []
    for order in permutations(range(3)):
        for signs in product((1, -1), repeat=3):
            matrix = np.zeros((3, 3))
            matrix[range(3), order] = signs
            if not any(np.array_equal(matrix, flip) for flip in flips()):
                found.append(matrix)
    return tuple(found)


@cache
def leans(axis: int | None = None) -> tuple[np.ndarray, ...]:
    """Rotations both ways, of the scan and of its mirror image.

    Args:
        axis: The axis across a thin stack, about which closer steps are taken; None for a volume,
            which is turned about every axis.
    """
    steps = [(each, _LEAN) for each in range(3)]
    if axis is not None:
        steps = [(axis, _LEAN * share) for share in (0.5, 1.0, 1.5)]
    return tuple(
        flip @ _rotation(about, sign * angle)
        for flip in flips()[:2]
        for about, angle in steps
        for sign in (1, -1)
    )


def search(a: Grid, b: Grid, linears: Sequence[np.ndarray], side: int = SIDE) -> list[Start]:
    """Find the best shift for each of some linear maps.

    Args:
        a: One scan.
        b: The other.
        linears: float64 (3, 3) each, mm of a to mm of b.
        side: Voxels of the longest axis while searching.

    Returns:
        A start for every map at which the fields of view can overlap, best first.
    """
    step = max(*a.extent, *b.extent) / side
    fixed = _turned(_cubic(a, step), np.eye(3))
    cubic = _cubic(b, step)
    movings = [_turned(cubic, linear) for linear in linears]
    sizes = [_period(fixed.values.shape, cube.values.shape) for cube in movings]
    shape = _fast(np.max(sizes, axis=0).tolist())
    spectra = _spectra(fixed, shape)
    overlaps = _Overlaps(spectra, shape)
    starts = [
        _best_shift(overlaps, fixed, moving, linear, step)
        for linear, moving in zip(linears, movings, strict=True)
    ]
    return ranked([start for start in starts if start is not None])


def ranked(starts: Sequence[Start]) -> list[Start]:
    """Best first."""
    return sorted(starts, key=lambda start: -start.correlation)


@dataclass(frozen=True, slots=True, eq=False)
class _Cubes:
    """A scan on cubic voxels."""

    values: np.ndarray
    """float32, their mean taken out, 0 where there is no scan."""
    mask: np.ndarray
    """float32, 1 where the scan is."""
    first: np.ndarray
    """mm of voxel 0."""
    whole: bool
    """Whether the scan is everywhere."""


def _cubic(grid: Grid, step: float) -> Grid:
    """The scan on cubic voxels of `step` mm."""
    n = np.maximum(1, np.ceil(grid.extent / step - 1e-6)).astype(int)
    middle = grid.origin + (grid.extent - grid.spacing) / 2
    empty = np.broadcast_to(np.float32(0), tuple(n))
    cubes = Grid(empty, np.full(3, step), middle - (n - 1) / 2 * step)
    values, _ = resampled(smoothed(grid, step), grid, np.eye(4), cubes)
    return Grid(values, cubes.spacing, cubes.origin)


def _turned(cubic: Grid, linear: np.ndarray) -> _Cubes:
    """The scan turned about its middle; `linear` takes new mm to mm of the scan."""
    back = np.linalg.inv(linear)
    step = cubic.spacing[0]
    middle = cubic.origin + (cubic.extent - step) / 2
    if np.isin(linear, (-1, 0, 1)).all():
        values = _rearranged(cubic.values, linear)
        first = back @ middle - (np.array(values.shape) - 1) / 2 * step
        return _Cubes(values - values.mean(), np.ones_like(values), first, True)
    half = np.abs(back) @ (cubic.extent / 2)
    n = np.maximum(1, np.ceil(2 * half / step - 1e-6)).astype(int)
    empty = np.broadcast_to(np.float32(0), tuple(n))
    on = Grid(empty, cubic.spacing, back @ middle - (n - 1) / 2 * step)
    place = np.eye(4)
    place[:3, :3] = linear
    values, inside = resampled(cubic.values, cubic, place, on)
    if not inside.any():
        inside = ~inside
    values = (values - values[inside].mean()) * inside
    return _Cubes(values, inside.astype(np.float32), on.origin, bool(inside.all()))


def _rearranged(values: np.ndarray, linear: np.ndarray) -> np.ndarray:
    """Axes exchanged and flipped; `linear` holds one 1 or -1 in each row and column."""
    axes = np.abs(linear).argmax(axis=0)
    signs = linear[axes, range(3)].astype(int).tolist()
    turned = values.transpose(axes)[tuple(slice(None, None, sign) for sign in signs)]
    return np.ascontiguousarray(turned)


def _period(fixed: Sequence[int], moving: Sequence[int]) -> list[int]:
    """Voxels along each axis after which shifts may repeat.

    Where two shifts fall together both overlap by less than `_LEAST_OVERLAP`, even added up, so
    that neither is looked at.
    """
    return [
        n + m - max(0, int(_LEAST_OVERLAP * min(n, m)) - 1)
        for n, m in zip(fixed, moving, strict=True)
    ]


def _fast(shape: Sequence[int]) -> tuple[int, ...]:
    from scipy import fft

    return tuple(fft.next_fast_len(n, real=True) for n in shape)


def _spectra(cubes: _Cubes, shape: tuple[int, ...]) -> np.ndarray:
    """Transforms of mask, values and squares, one on another."""
    from scipy import fft

    stacked = np.stack([cubes.mask, cubes.values, cubes.values**2])
    spectra: np.ndarray = fft.rfftn(stacked, shape, axes=(1, 2, 3))
    return spectra


class _Overlaps:
    """Sums over where two scans overlap, at every shift."""

    def __init__(self, spectra: np.ndarray, shape: tuple[int, ...]) -> None:
        """Of the scan that stays: its spectra, and the shape they were taken with."""
        self._spectra, self.shape = spectra, shape
        self._of_whole: dict[tuple[int, ...], np.ndarray] = {}

    def of_mask(self, moving: _Cubes) -> np.ndarray:
        """(3, *shape): voxels, values and squares of a that the mask of b lies on."""
        if not moving.whole:
            return self._ours(moving)
        key = moving.mask.shape  # most turns give the same few boxes
        if key not in self._of_whole:
            self._of_whole[key] = self._ours(moving)
        return self._of_whole[key]

    def _ours(self, moving: _Cubes) -> np.ndarray:
        from scipy import fft

        mask = np.conj(fft.rfftn(moving.mask, self.shape))
        found: np.ndarray = fft.irfftn(self._spectra * mask, self.shape, axes=(1, 2, 3))
        return found

    def of_values(self, moving: _Cubes) -> np.ndarray:
        """(3, *shape): values and squares of b that lie on the mask of a, and both multiplied."""
        from scipy import fft

        stacked = np.stack([moving.values, moving.values**2])
        theirs = np.conj(fft.rfftn(stacked, self.shape, axes=(1, 2, 3)))
        mask, values, _ = self._spectra
        products = np.stack([mask * theirs[0], mask * theirs[1], values * theirs[0]])
        found: np.ndarray = fft.irfftn(products, self.shape, axes=(1, 2, 3))
        return found


def _best_shift(
    overlaps: _Overlaps, fixed: _Cubes, moving: _Cubes, linear: np.ndarray, step: float
) -> Start | None:
    n, sum_a, square_a = overlaps.of_mask(moving)
    sum_b, square_b, both = overlaps.of_values(moving)
    enough = n >= _LEAST_OVERLAP * min(fixed.mask.sum(), moving.mask.sum()) - 0.5
    n = np.maximum(n, 1.0)
    spread = (square_a - sum_a**2 / n) * (square_b - sum_b**2 / n)
    floor = 1e-4 * (spread.max() if spread.size else 0.0)
    usable = enough & (spread > floor)
    if not usable.any():
        return None
    correlation = np.where(
        usable, (both - sum_a * sum_b / n) / np.sqrt(np.maximum(spread, 1e-12)), -1
    )
    peak, height = _between(correlation)
    shift = np.where(
        peak < np.array(fixed.values.shape) - 0.5, peak, peak - np.array(overlaps.shape)
    )
    # voxel i of the turned b lies on voxel i + shift of a
    place = np.eye(4)
    place[:3, :3] = linear
    place[:3, 3] = linear @ (moving.first - fixed.first - shift * step)
    return Start(place, height)


def _between(correlation: np.ndarray) -> tuple[np.ndarray, float]:
    """Place and height of the highest point, between the voxels by a parabola along each axis."""
    peak = np.unravel_index(int(correlation.argmax()), correlation.shape)
    place, height = np.array(peak, float), float(correlation[peak])
    top = height
    for axis, n in enumerate(correlation.shape):
        left, right = (
            float(
                correlation[tuple((p + side) % n if i == axis else p for i, p in enumerate(peak))]
            )
            for side in (-1, 1)
        )
        bend = left - 2 * top + right
        if min(left, right) > 0 and bend < 0:
            shift = float(np.clip((left - right) / (2 * bend), -0.5, 0.5))
            place[axis] += shift
            height += (right - left) * shift / 4
    return place, min(1.0, height)


def _rotation(axis: int, angle: float) -> np.ndarray:
    first, second = (each for each in range(3) if each != axis)
    turn = np.eye(3)
    turn[[first, second], [first, second]] = np.cos(angle)
    turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
    return turn


def distinct(starts: Sequence[Start], most: int) -> Iterator[Start]:
    """The best of starts that are not nearly the same."""
    taken: list[Start] = []
    for start in starts:
        if len(taken) == most:
            return
        if all(np.abs(start.place - other.place)[:3, :3].max() > 0.1 for other in taken):
            taken.append(start)
            yield start
