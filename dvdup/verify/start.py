"""Where to start a registration: every turn and flip is tried at every shift, coarsely.

The normalised correlation at all shifts at once is a handful of Fourier transforms (D. Padfield,
Masked object registration in the Fourier domain, IEEE TIP 21, 2012); the masks are what the scans
show of themselves, so slabs, crops and scans with parts blacked out find their place. Its sign does
not matter, so that a negative finds its positive.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import permutations, product, zip_longest

import numpy as np

from dvdup.verify.grid import Grid, box_of, filled, resampled, smoothed

SIDE, THIN_SIDE = 16, 32
"""Voxels of the longest axis while searching: in volumes, in thin stacks."""
_LEAN = float(np.radians(22))  # half of it and twice it are in reach of a registration
_TOGETHER = 8  # maps that are looked at at once
_LEAST_OVERLAP = 0.35  # of what the smaller field of view shows
_MUCH_OVERLAP = 0.6  # the same; of less, more agrees by chance
_FRAMED = 0.95  # of the extent along two axes: what shows less lies in a frame
_RESIZED = 0.1  # of the logarithm of a ratio of sizes; a registration makes up for less
_TURNED = 0.1  # numbers of linear maps that are not nearly the same
_SHOWN = 0.05  # of a voxel; what shows less of itself has no value


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """A rough placement."""

    place: np.ndarray
    """float64 (4, 4), mm of a to mm of b."""
    correlation: float
    """Without its sign."""
    masked: bool
    """Whether parts of a scan were left out of account."""


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
def in_plane(axis: int) -> tuple[np.ndarray, ...]:
    """The eight turns and flips of a picture that lies across an axis."""
    return tuple(each for each in (*flips(), *turns()) if each[axis, axis] == 1.0)


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


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """What of a scan is searched for."""

    grid: Grid
    mask: np.ndarray
    """Bool (X, Y, Z): where it counts."""


def whole(grid: Grid) -> Pattern:
    """The grey values of a scan, background and all: its outline says much about where it lies."""
    return Pattern(grid, np.ones(grid.values.shape, bool))


def greys(grid: Grid) -> Pattern:
    """The grey values of a scan where it shows anything: parts may have been blacked out."""
    return Pattern(grid, ~filled(grid))


def edges(grid: Grid) -> Pattern:
    """How much grey values change from voxel to voxel, which most maps of them leave alone."""
    from scipy import ndimage

    axes = [axis for axis, n in enumerate(grid.values.shape) if n > 1]
    slopes = sum(ndimage.sobel(grid.values, axis) ** 2 for axis in axes)
    # twice the root, so that the outline does not outweigh all that lies within
    steep = np.sqrt(np.sqrt(slopes)) if axes else np.zeros_like(grid.values)
    blank = ndimage.binary_dilation(filled(grid), np.ones((3, 3, 3), bool))
    return Pattern(Grid(steep.astype(np.float32), grid.spacing, grid.origin), ~blank)


def fitted(a: Grid, b: Grid) -> tuple[np.ndarray, ...]:
    """Maps that bring what b shows to the size of what a shows, as it is and mirrored.

    None where both show something everywhere, or things of about one size: a scan that was shrunk
    into a dark frame is the one that needs them. Where its slices were shrunk and not the volume,
    each axis has a ratio of its own.
    """
    boxes = box_of(a), box_of(b)
    framed = any((box < _FRAMED * g.extent).sum() > 1 for box, g in zip(boxes, (a, b), strict=True))
    ratios = np.log(boxes[1] / boxes[0])
    shapes = [np.full(3, ratios.mean())]
    if np.ptp(ratios) > _RESIZED:
        shapes.append(ratios)
    wanted = [np.exp(each) for each in shapes if framed and np.abs(each).max() >= _RESIZED]
    return tuple(flip * each for each in wanted for flip in flips())


def search(a: Pattern, b: Pattern, linears: Sequence[np.ndarray], side: int = SIDE) -> list[Start]:
    """Find the best shift for each of some linear maps.

    Args:
        a: One scan.
        b: The other.
        linears: float64 (3, 3) each, mm of a to mm of b.
        side: Voxels of the longest axis while searching.

    Returns:
        A start for every map at which the fields of view can overlap, best first.
    """
    step = max(*a.grid.extent, *b.grid.extent) / side
    overlaps, movings = _overlaps(a, b, linears, step)
    starts: list[Start | None] = [None] * len(linears)
    for group in _of_equal_shape(movings):
        found = overlaps.correlations([movings[i] for i in group])
        for i, correlation in zip(group, found, strict=True):
            starts[i] = _start(overlaps, correlation, movings[i], linears[i], step)
    return ranked([start for start in starts if start is not None])


def promising(
    a: Pattern, b: Pattern, linears: Sequence[np.ndarray], most: int, side: int = SIDE // 2
) -> list[np.ndarray]:
    """The linear maps at which two scans agree best on few voxels, in the order given.

    Args:
        a: One scan.
        b: The other.
        linears: float64 (3, 3) each, mm of a to mm of b.
        most: How many are wanted.
        side: Voxels of the longest axis while searching.
    """
    step = max(*a.grid.extent, *b.grid.extent) / side
    overlaps, movings = _overlaps(a, b, linears, step)
    heights = np.zeros(len(linears))
    for group in _of_equal_shape(movings):
        found = overlaps.correlations([movings[i] for i in group])
        heights[group] = found.max(axis=(1, 2, 3))
    chosen = np.sort(np.argsort(-heights, kind="stable")[:most])
    return [linears[i] for i in chosen.tolist()]


def _overlaps(
    a: Pattern, b: Pattern, linears: Sequence[np.ndarray], step: float
) -> tuple[_Overlaps, list[_Cubes]]:
    """What a search needs, on cubic voxels of `step` mm: the scan that stays, the other turned."""
    fixed = _turned(*_cubic(a, step), np.eye(3))
    cubic = _cubic(b, step)
    movings = [_turned(*cubic, linear) for linear in linears]
    sizes = [_period(fixed.weighted.shape, cube.weighted.shape) for cube in movings]
    return _Overlaps(fixed, _fast(np.max(sizes, axis=0).tolist())), movings


def _of_equal_shape(movings: Sequence[_Cubes]) -> list[list[int]]:
    """Places of those that can be looked at together."""
    groups: dict[tuple[tuple[int, ...], bool], list[int]] = {}
    for i, moving in enumerate(movings):
        groups.setdefault((moving.mask.shape, moving.whole), []).append(i)
    return [group[i : i + _TOGETHER] for group in groups.values()
            for i in range(0, len(group), _TOGETHER)]  # fmt: skip


def ranked(starts: Sequence[Start]) -> list[Start]:
    """Best first."""
    return sorted(starts, key=lambda start: -start.correlation)


@dataclass(frozen=True, slots=True, eq=False)
class _Cubes:
    """A pattern on cubic voxels."""

    mask: np.ndarray
    """float32, 0 to 1: how much of a voxel counts."""
    weighted: np.ndarray
    """float32: the values, their mean taken out, times the mask."""
    squares: np.ndarray
    """float32: their squares, times the mask."""
    first: np.ndarray
    """mm of voxel 0."""
    whole: bool
    """Whether all of it counts."""


def _cubic(pattern: Pattern, step: float) -> tuple[Grid, np.ndarray]:
    """A pattern on cubic voxels of `step` mm: its values, and how much of each voxel counts."""
    grid = pattern.grid
    n = np.maximum(1, np.ceil(grid.extent / step - 1e-6)).astype(int)
    middle = grid.origin + (grid.extent - grid.spacing) / 2
    empty = np.broadcast_to(np.float32(0), tuple(n))
    cubes = Grid(empty, np.full(3, step), middle - (n - 1) / 2 * step)
    if pattern.mask.all() or not pattern.mask.any():
        values, _ = resampled(smoothed(grid, step), grid, np.eye(4), cubes)
        return Grid(values, cubes.spacing, cubes.origin), np.ones(tuple(n), np.float32)
    shown = pattern.mask.astype(np.float32)
    sums, counts = (
        resampled(smoothed(replace(grid, values=each), step), grid, np.eye(4), cubes)[0]
        for each in (grid.values * shown, shown)
    )
    means = np.where(counts > _SHOWN, sums / np.maximum(counts, _SHOWN), 0).astype(np.float32)
    return Grid(means, cubes.spacing, cubes.origin), np.where(counts > _SHOWN, counts, 0)


def _turned(cubic: Grid, mask: np.ndarray, linear: np.ndarray) -> _Cubes:
    """A pattern turned about its middle; `linear` takes new mm to mm of the scan."""
    back = np.linalg.inv(linear)
    step = cubic.spacing[0]
    middle = cubic.origin + (cubic.extent - step) / 2
    if np.isin(linear, (-1, 0, 1)).all():
        values, mask = _rearranged(cubic.values, linear), _rearranged(mask, linear)
        return _cubes(values, mask, back @ middle - (np.array(values.shape) - 1) / 2 * step)
    half = np.abs(back) @ (cubic.extent / 2)
    n = np.maximum(1, np.ceil(2 * half / step - 1e-6)).astype(int)
    empty = np.broadcast_to(np.float32(0), tuple(n))
    on = Grid(empty, cubic.spacing, back @ middle - (n - 1) / 2 * step)
    place = np.eye(4)
    place[:3, :3] = linear
    values, inside = resampled(cubic.values, cubic, place, on)
    if not inside.any():
        inside = ~inside
    return _cubes(values, resampled(mask, cubic, place, on)[0] * inside, on.origin)


def _cubes(values: np.ndarray, mask: np.ndarray, first: np.ndarray) -> _Cubes:
    mean = (values * mask).sum() / max(1e-6, float(mask.sum()))
    centred = values - np.float32(mean)
    weighted = centred * mask
    return _Cubes(mask, weighted, centred * weighted, first, bool((mask == 1).all()))


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


class _Overlaps:
    """How well two patterns agree where they overlap, at every shift.

    Sums over a pattern that counts everywhere are sums over boxes, along one axis after the other;
    only what depends on the voxels of both takes Fourier transforms.
    """

    def __init__(self, fixed: _Cubes, shape: tuple[int, ...]) -> None:
        """Of the scan that stays, and the shifts after which all repeats."""
        self.fixed, self.shape = fixed, shape
        self._layers = (fixed.mask, fixed.weighted, fixed.squares)
        self._ours = [self._spectra(each) for each in self._layers]

    def correlations(self, movings: Sequence[_Cubes]) -> np.ndarray:
        """float32 (N, *shape): correlations without their sign where enough overlaps, else -1.

        They count for less where little overlaps.

        Args:
            movings: N scans of equal shape, all of which count everywhere, or none.
        """
        sides = movings[0].mask.shape
        ours, theirs = zip(*(self._windows(axis, n) for axis, n in enumerate(sides)), strict=True)
        voxels, sum_a, square_a = self._of_a(movings, ours)
        weighted = np.stack([moving.weighted for moving in movings])
        spectra = self._spectra(weighted)
        squares = np.stack([moving.squares for moving in movings])
        sum_b, square_b = self._of_b(weighted, spectra, theirs), self._of_b(squares, None, theirs)
        n = np.maximum(voxels, 1.0)
        spread = (square_a - sum_a**2 / n) * (square_b - sum_b**2 / n)
        floor = 1e-4 * spread.max(axis=(1, 2, 3), keepdims=True)
        shown = (voxels + 0.5) / self._least(movings)
        usable = (shown >= _LEAST_OVERLAP) & (spread > floor)
        both = self._correlated(self._ours[1], spectra) - sum_a * sum_b / n
        height = np.abs(both) / np.sqrt(np.maximum(spread, 1e-12))
        height *= np.sqrt(np.clip(shown / _MUCH_OVERLAP, 0, 1))
        found: np.ndarray = np.where(usable, height, -1)
        return found

    def _least(self, movings: Sequence[_Cubes]) -> np.ndarray:
        """float32 (N, 1, 1, 1): voxels that count of the scan that has fewer of them."""
        theirs = np.array([moving.mask.sum() for moving in movings])
        least: np.ndarray = np.minimum(self.fixed.mask.sum(), theirs)[:, None, None, None]
        return least

    def _of_a(self, movings: Sequence[_Cubes], ours: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Voxels, values and squares of a on which b lies."""
        if movings[0].whole:
            return [_box_sums(each[None], ours) for each in self._layers]
        spectra = self._spectra(np.stack([moving.mask for moving in movings]))
        return [self._correlated(each, spectra) for each in self._ours]

    def _of_b(
        self, values: np.ndarray, spectra: np.ndarray | None, theirs: Sequence[np.ndarray]
    ) -> np.ndarray:
        """Sums of values of b that lie on a."""
        if self.fixed.whole:
            return _box_sums(values, theirs)
        return self._correlated(
            self._ours[0], self._spectra(values) if spectra is None else spectra
        )

    def _spectra(self, values: np.ndarray) -> np.ndarray:
        from scipy import fft

        spectra: np.ndarray = fft.rfftn(values, self.shape, axes=(-3, -2, -1))
        return spectra

    def _correlated(self, ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
        from scipy import fft

        found: np.ndarray = fft.irfftn(ours * np.conj(theirs), self.shape, axes=(-3, -2, -1))
        return found

    def _windows(self, axis: int, moving: int) -> tuple[np.ndarray, np.ndarray]:
        """Which voxels of a, and which of `moving` voxels of b, overlap along an axis.

        Returns:
            float32 (voxels, shifts) each, 1 where they do.
        """
        fixed, period = self.fixed.mask.shape[axis], self.shape[axis]
        shift = np.arange(period)
        shift = np.where(shift < fixed, shift, shift - period)
        ours = np.arange(fixed)[:, None] - shift
        theirs = np.arange(moving)[:, None] + shift
        return (
            ((ours >= 0) & (ours < moving)).astype(np.float32),
            ((theirs >= 0) & (theirs < fixed)).astype(np.float32),
        )


def _box_sums(values: np.ndarray, windows: Sequence[np.ndarray]) -> np.ndarray:
    """Sums over the boxes that are made of one window along each axis.

    Args:
        values: float32 (N, X, Y, Z).
        windows: float32 (X, U), (Y, V) and (Z, W).

    Returns:
        float32 (N, U, V, W).
    """
    n, x, y, _ = values.shape
    u, v, w = (each.shape[1] for each in windows)
    summed = np.matmul(windows[1].T, (values @ windows[2]).reshape(n * x, y, w))
    found: np.ndarray = np.matmul(windows[0].T, summed.reshape(n, x, v * w)).reshape(n, u, v, w)
    return found


def _start(
    overlaps: _Overlaps, correlation: np.ndarray, moving: _Cubes, linear: np.ndarray, step: float
) -> Start | None:
    """Where the correlation is highest; None if nothing overlaps enough."""
    if not correlation.max() > -1:
        return None
    peak, height = _between(correlation)
    shape = np.array(overlaps.fixed.mask.shape)
    shift = np.where(peak < shape - 0.5, peak, peak - np.array(overlaps.shape))
    # voxel i of the turned b lies on voxel i + shift of a
    place = np.eye(4)
    place[:3, :3] = linear
    place[:3, 3] = linear @ (moving.first - overlaps.fixed.first - shift * step)
    masked = not (overlaps.fixed.whole and moving.whole)
    return Start(place, height, masked)


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


def taken_in_turn(*searches: Sequence[Start]) -> list[Start]:
    """The best of every search, then the second best, and so on."""
    turns = zip_longest(*searches)
    return [start for turn in turns for start in turn if start is not None]


def distinct(starts: Sequence[Start], most: int, reach: float) -> Iterator[Start]:
    """The first of starts that are not nearly the same.

    Args:
        starts: Best first.
        most: How many are wanted.
        reach: mm apart from which shifts are different ones.
    """
    taken: list[Start] = []
    for start in starts:
        if len(taken) == most:
            return
        if all(_apart(start.place, other.place, reach) for other in taken):
            taken.append(start)
            yield start


def _apart(one: np.ndarray, other: np.ndarray, reach: float) -> bool:
    differences = np.abs(one - other)[:3]
    return bool(differences[:, :3].max() > _TURNED or differences[:, 3].max() > reach)
