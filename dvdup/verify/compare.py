"""How much two scans agree where one was brought onto the other.

Coarse structures agree between any two persons once their heads lie on top of one another; fine
ones do not. So agreement is measured in bands of fineness, each locally: scans are band-passed,
cut into cells, correlated in every cell, and the cells weighed by how much structure they hold.
Local correlation does not see brightness, contrast, gamma or a bias field. Noise that one of two
copies has is white, and what differs between two persons is not: the noise that the finest band
shows at most is taken out of the coarser one, so that a copy covered with noise still agrees there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dvdup.verify.bands import bands, blurred, noise_above, noise_in, noise_smoothed
from dvdup.verify.grid import Grid, covered, resampled, smoothed, structured
from dvdup.verify.steps import ALL, Steps

FINE, MIDDLE = 0.6, 1.2
"""Widths of the bands: sigma of the narrower gaussian, in voxels of the comparison."""

CELLS = 60.0
"""Cells of structure that are enough to go by; fewer must agree better."""
ENOUGH = 400
"""Voxels that must have been compared before anything is concluded."""

_MOST = 0.995  # correlations above are equal to it: what is left is interpolation
_WEIGHTS = np.array([0.5, 2.0, 0.5])  # of the fine band, the middle one, the values
_CELL = {FINE: 4, MIDDLE: 8}  # voxels along the edge of a cell
_CONTENT = 0.15  # of the range; brighter voxels belong to the body
_FEWEST = 300  # voxels below which agreement is not even computed
_SHARP = 0.35  # sigma in voxels below which a difference in sharpness is not worth mending
_WIDTHS = (0.0, 0.4, 0.6, 0.9, 1.3, 1.8, 2.5, 3.4, 4.5)  # that are tried
_LINES = 4096  # through a scan that are enough to tell its sharpness
_HALF = 0.6745  # deviations that hold half of a normal distribution
_LEFT = 0.2  # of the power of a cell; more is never taken for noise
_LONG = 4  # voxels of an axis from which sharpness along it can be told


@dataclass(frozen=True, slots=True)
class Agreement:
    """How much two scans agree; all shares and correlations at most 1."""

    correlation: float
    """Median over the body of the local correlation of the values."""
    middle: float
    """Local correlation of structures about 5 to 10 voxels wide, weighed by their strength."""
    fine: float
    """The same of structures about 2 to 5 voxels wide."""
    residual: float
    """Median difference after the values of b were mapped to those of a, share of the range."""
    cover_a: float
    """Share of the body of a that b shows."""
    cover_b: float
    """Share of the body of b that a shows."""
    voxels: int
    """Voxels of the comparison that both show and where something is to be seen."""
    cells: float
    """Cells of the middle band, as many equally strong ones as weigh like those that there are."""

    @property
    def strength(self) -> float:
        """How strongly it speaks for a copy: about 2 for strangers, up to 9 for copies.

        The weighed sum of the three correlations, each on the scale of Fisher's z, on which
        strangers and copies are both spread evenly. The middle band weighs most: noise spoils the
        fine one, and templates made of many people agree in the fine one too.
        """
        parts = np.clip([self.fine, self.middle, self.correlation], -_MOST, _MOST)
        return float(_WEIGHTS @ np.arctanh(parts))


NOTHING = Agreement(0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0, 0.0)
"""Where the scans do not overlap, or hold nothing in common to look at."""


def agreement(
    a: Grid, b: Grid, place: np.ndarray, width_mm: float, steps: Steps = ALL
) -> Agreement:
    """Compare b, brought onto a, with a.

    Args:
        a: One scan; its grid is the grid of the comparison.
        b: The other.
        place: float64 (4, 4), mm of a to mm of b.
        width_mm: Both are smoothed to voxels of this width.
        steps: Which steps are taken.
    """
    ours = smoothed(a, width_mm)
    whole_b = smoothed(b, width_mm)
    theirs, seen = resampled(whole_b, b, place, a)
    usable = seen & structured(a) & looked_up(structured(b), b, place, a)
    if usable.sum() < min(_FEWEST, usable.size // 4):
        return NOTHING
    voxel = np.minimum(width_mm / a.spacing, 8.0)
    curves = grey_curves(ours[usable], theirs[usable]) if steps.greys else SAME_GREYS
    mapped = curves.of_a(ours), curves.of_b(theirs)
    own = [_noise_of(each, usable, voxel) for each in mapped]
    gap = sharpness_gap(*mapped, usable)
    mapped = blurred(mapped[0], gap), blurred(mapped[1], -gap)
    one, other = bands(mapped, voxel, (FINE, MIDDLE), usable)
    apart = float(np.square(one[FINE] - other[FINE])[usable].mean())
    noise = min(max(own), apart)
    noises = (noise, 0.0) if own[0] > own[1] else (0.0, noise)
    middle, cells = _banded(one[MIDDLE], other[MIDDLE], usable, voxel, MIDDLE)
    if cells < CELLS:
        noises = (0.0, 0.0)  # of so coarse a scan the finest band holds structure, not noise
    elif noise:
        middle, _ = _banded(one[MIDDLE], other[MIDDLE], usable, voxel, MIDDLE, noises)
    return Agreement(
        correlation=_local(*mapped, usable, voxel, noises),
        middle=middle,
        fine=_banded(one[FINE], other[FINE], usable, voxel, FINE)[0],
        residual=float(np.median(np.abs(mapped[0] - mapped[1])[usable])),
        cover_a=_share(ours > _CONTENT, seen),
        cover_b=_share(whole_b > _CONTENT, _covered_of(b, a, place)),
        voxels=int(usable.sum()),
        cells=cells,
    )


def _noise_of(values: np.ndarray, usable: np.ndarray, voxel: np.ndarray) -> float:
    """Variance in the finest band of the noise that a scan has by itself, at most.

    By what is finer than the band; templates that are means of many people have hardly any, so
    that what they differ in is never taken for it.
    """
    finer = np.abs(values - blurred(values, FINE * voxel))[usable]
    deviation = float(np.median(finer)) / _HALF
    kept = noise_in(FINE, voxel, values.shape) / noise_above(FINE, voxel, values.shape)
    return kept * deviation**2


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """How grey values of one scan become those of the other; the other curve is the identity."""

    levels: np.ndarray
    """Ascending grey values."""
    means: np.ndarray
    """What they become."""
    maps_a: bool
    """Whether the values of a are mapped to those of b, or the reverse."""

    def of_a(self, values: np.ndarray) -> np.ndarray:
        """float32: values of a, mapped if need be."""
        return self._mapped(values) if self.maps_a else values

    def of_b(self, values: np.ndarray) -> np.ndarray:
        """float32: values of b, mapped if need be."""
        return values if self.maps_a else self._mapped(values)

    def _mapped(self, values: np.ndarray) -> np.ndarray:
        mapped: np.ndarray = np.interp(values, self.levels, self.means).astype(np.float32)
        return mapped


SAME_GREYS = Curves(np.array([0.0, 1.0]), np.array([0.0, 1.0]), maps_a=True)
"""Grey values stay what they are."""


def grey_curves(ours: np.ndarray, theirs: np.ndarray) -> Curves:
    """Fit the grey values of a pair to each other.

    Values are mapped in the direction that explains more: from a scan to its windowed, clipped or
    noisy copy there is a curve, back there is none.

    Args:
        ours: float32 (N,), values of a, 0 to 1.
        theirs: float32 (N,), of b at the same places.
    """
    levels_a, means_a, explained_a = _means_by_level(ours, theirs)
    levels_b, means_b, explained_b = _means_by_level(theirs, ours)
    if explained_a >= explained_b:
        return Curves(levels_a, means_a, maps_a=True)
    return Curves(levels_b, means_b, maps_a=False)


def _means_by_level(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Mean of y where x is about some value, in 48 levels, and the share of y so explained."""
    level = np.clip((x * 48).astype(int), 0, 47)
    counts = np.bincount(level, minlength=48)
    used = counts >= max(5, len(x) // 5000)
    if used.sum() < 2:
        return np.array([0.0, 1.0]), np.array([0.0, 1.0]), 0.0
    n = counts[used]
    means = np.bincount(level, y, minlength=48)[used] / n
    middles = np.bincount(level, x, minlength=48)[used] / n
    spread = (n * (means - np.average(means, weights=n)) ** 2).sum()
    explained = float(spread / max(1e-9, len(y) * float(y.var())))
    if middles[0] > 1 / 48:
        # what is compared holds no background: black stays black
        middles, means = np.append(0.0, middles), np.append(0.0, means)
    return middles, means, explained


def sharpness_gap(ours: np.ndarray, theirs: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """How much one scan must be blurred to be as sharp as the other, or as free of noise.

    Along each axis of its own, because slices are often blurred within their plane alone: the width
    that makes the steps from voxel to voxel equally large.

    Args:
        ours: float32 (X, Y, Z), a.
        theirs: float32, b on the same voxels.
        usable: Bool, where to look.

    Returns:
        float64 (3,): sigma in these voxels, above 0 where a is the sharper one, else below 0.
    """
    return np.array([_gap_along(axis, ours, theirs, usable) for axis in range(3)])


def _gap_along(axis: int, ours: np.ndarray, theirs: np.ndarray, usable: np.ndarray) -> float:
    """The gap along one axis; 0 where no blur explains it."""
    if usable.shape[axis] < _LONG:
        return 0.0
    ours, theirs, usable = (_thinned(each, axis) for each in (ours, theirs, usable))
    pairs = _steps(usable, axis, np.logical_and)
    if not pairs.any():
        return 0.0
    wanted = [_roughness(each, axis, usable, pairs) for each in (ours, theirs)]
    sharper, low = (ours, wanted[1]) if wanted[0] > wanted[1] else (theirs, wanted[0])
    weight = usable.astype(np.float32)
    sharper = sharper * weight

    def roughness(sigma: float) -> float:
        # what lies outside must not bleed in: it would look like structure
        inner, norm = _along(sharper, sigma, axis), _along(weight, sigma, axis)
        return _roughness(inner / np.maximum(norm, 1e-3), axis, usable, pairs)

    width = _width_of(roughness, max(wanted), low)
    return 0.0 if width < _SHARP else float(np.copysign(width, wanted[0] - wanted[1]))


def _thinned(values: np.ndarray, axis: int) -> np.ndarray:
    """Every voxel along an axis, of at most about `_LINES` lines."""
    lines = values.size / values.shape[axis]
    stride = max(1, round((lines / _LINES) ** 0.5))
    kept = tuple(slice(None, None, 1 if each == axis else stride) for each in range(3))
    return np.ascontiguousarray(values[kept])


def _along(values: np.ndarray, sigma: float, axis: int) -> np.ndarray:
    """Blurred by a gaussian along one axis."""
    from scipy import ndimage

    found: np.ndarray = ndimage.gaussian_filter1d(values, sigma, axis, mode="nearest", truncate=3.0)
    return found


def _width_of(roughness: Callable[[float], float], unblurred: float, wanted: float) -> float:
    """The width of the blur, in voxels, after which a scan is as rough as wanted; 0 if none is.

    Args:
        roughness: After a blur, by its width; less for wider ones.
        unblurred: Without any.
        wanted: Not above it.
    """
    seen = {0: unblurred, 1: roughness(_WIDTHS[1])}  # most scans are about equally sharp
    low, high = (0, 1) if seen[1] <= wanted else (1, len(_WIDTHS))
    while high - low > 1:
        middle = (low + high) // 2
        seen[middle] = roughness(_WIDTHS[middle])
        low, high = (low, middle) if seen[middle] <= wanted else (middle, high)
    if high == len(_WIDTHS):
        return 0.0
    share = (seen[low] - wanted) / max(1e-9, seen[low] - seen[high])
    return _WIDTHS[low] + share * (_WIDTHS[high] - _WIDTHS[low])


def _roughness(values: np.ndarray, axis: int, usable: np.ndarray, pairs: np.ndarray) -> float:
    """Mean squared step along an axis, over the variance."""
    steps = _steps(values, axis, np.subtract)[pairs]
    return float((steps * steps).mean() / max(1e-9, float(values[usable].var())))


def _steps(values: np.ndarray, axis: int, how: np.ufunc) -> np.ndarray:
    moved = np.moveaxis(values, axis, 0)
    both: np.ndarray = np.moveaxis(how(moved[1:], moved[:-1]), 0, axis)
    return both


def _banded(
    u: np.ndarray,
    v: np.ndarray,
    usable: np.ndarray,
    voxel: np.ndarray,
    width: float,
    noises: tuple[float, float] = (0.0, 0.0),
) -> tuple[float, float]:
    """Local correlation in one band, weighed by the structure that a cell holds; and the cells.

    The number of cells is that of equal ones which would be as good (L. Kish, Survey Sampling,
    1965). Of each scan the noise that the finest band showed is taken out.
    """
    cell = _cell(u.shape, voxel, _CELL[width])
    uu, vv, uv = (_cell_means(each, cell) for each in (u * u, v * v, u * v))
    if any(noises):
        share = _cell_means(usable.astype(np.float32), cell)
        ratio = noise_in(width, voxel, u.shape) / noise_in(FINE, voxel, u.shape)
        uu, vv = (
            _without(each, noise * ratio * share)
            for each, noise in zip((uu, vv), noises, strict=True)
        )
    strength = np.sqrt(uu * vv)
    weight = np.sqrt(strength)
    if not weight.sum() > 0:
        return 0.0, 0.0
    correlation = uv / np.maximum(strength, 1e-12)
    cells = float(weight.sum() ** 2 / (weight * weight).sum())
    return min(1.0, float((correlation * weight).sum() / weight.sum())), cells


def _without(power: np.ndarray, noise: np.ndarray | float) -> np.ndarray:
    """What is left of the power in some cells without noise; at least a part of it."""
    left: np.ndarray = np.maximum(power - noise, _LEFT * power)
    return left


def _local(
    ours: np.ndarray,
    theirs: np.ndarray,
    usable: np.ndarray,
    voxel: np.ndarray,
    noises: tuple[float, float],
) -> float:
    """Median over cells of the body of the correlation of the values, lightly smoothed."""
    u, v = (blurred(each, FINE * voxel) for each in (ours, theirs))
    cell = _cell(ours.shape, voxel, 5)
    mask = usable.astype(np.float32)
    n = _cell_means(mask, cell)
    body = _cell_means(mask * np.maximum(u, v), cell)
    whole = (n > 0.5) & (body > _CONTENT * n)
    if not whole.any():
        whole = n > 0.5
    if not whole.any():
        return 0.0
    n = np.maximum(n, 1e-6)
    mu, mv = _cell_means(u * mask, cell) / n, _cell_means(v * mask, cell) / n
    uu = _cell_means(u * u * mask, cell) / n - mu * mu
    vv = _cell_means(v * v * mask, cell) / n - mv * mv
    uv = _cell_means(u * v * mask, cell) / n - mu * mv
    ratio = noise_smoothed(FINE, voxel, u.shape) / noise_in(FINE, voxel, u.shape)
    uu, vv = (_without(each, noise * ratio) for each, noise in zip((uu, vv), noises, strict=True))
    correlation = uv / np.sqrt(np.maximum(uu, 1e-9) * np.maximum(vv, 1e-9))
    return min(1.0, float(np.median(correlation[whole])))


def _cell(shape: tuple[int, ...], voxel: np.ndarray, edge: int) -> tuple[int, ...]:
    """Edges of a cell in voxels of the grid; a thin axis is one cell thick."""
    wanted = np.maximum(1, np.round(edge * voxel)).astype(int)
    return tuple(min(n, w) for n, w in zip(shape, wanted.tolist(), strict=True))


def _cell_means(values: np.ndarray, cell: tuple[int, ...]) -> np.ndarray:
    """Means over whole cells; what is left over at the far ends is not looked at."""
    counts = [n // c for n, c in zip(values.shape, cell, strict=True)]
    cut = values[tuple(slice(0, k * c) for k, c in zip(counts, cell, strict=True))]
    split = cut.reshape(counts[0], cell[0], counts[1], cell[1], counts[2], cell[2])
    means: np.ndarray = split.mean(axis=(1, 3, 5), dtype=np.float64)
    return means


def thick(mask: np.ndarray) -> np.ndarray:
    """The voxels of a mask that have no other ones beside them: bool, as the mask."""
    from scipy import ndimage

    inner: np.ndarray = ndimage.binary_erosion(mask, np.ones((3, 3, 3), bool))
    return inner


def looked_up(mask: np.ndarray, grid: Grid, place: np.ndarray, on: Grid) -> np.ndarray:
    """Bool, on another grid: the nearest voxel of a mask.

    Args:
        mask: Bool, on `grid`.
        grid: Where the mask is.
        place: float64 (4, 4), mm of `on` to mm of `grid`.
        on: The grid to look from.
    """
    from scipy import ndimage

    if mask.all():
        return np.ones(on.values.shape, bool)
    matrix = np.linalg.inv(grid.to_mm()) @ place @ on.to_mm()
    seen: np.ndarray = ndimage.affine_transform(
        mask.astype(np.uint8), matrix[:3, :3], matrix[:3, 3],
        output_shape=on.values.shape, order=0, mode="nearest",
    )  # fmt: skip
    return seen > 0


def _covered_of(b: Grid, a: Grid, place: np.ndarray) -> np.ndarray:
    """Which voxels of b lie inside a."""
    back = np.linalg.inv(a.to_mm()) @ np.linalg.inv(place) @ b.to_mm()
    return covered(a.values.shape, back, b.values.shape)


def _share(content: np.ndarray, inside: np.ndarray) -> float:
    if not content.any():
        content = np.ones_like(inside)
    return float((content & inside).sum() / content.sum())
