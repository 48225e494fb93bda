"""How large a scan is beside another one, where the files do not say or say it wrongly.

Arrays and pictures have no millimetres, their axes come in any order, and cubes have lost their
proportions. What two copies still share is the content: its box in the one is its box in the other.
Both boxes are brought to one small cube, and the order and direction of axes is looked for in
which the cubes agree best.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from dvdup import slicing
from dvdup.compare.cases import Channel
from dvdup.compare.cut_outs import cut_outs
from dvdup.slicing import Box
from dvdup.verify import Order, Scan, orders
from dvdup.voxels import is_flat

UNKNOWN = (1.0, 1.0, 1.0)
"""Spacing in mm of what says nothing about it."""

_SIDE = 20  # voxels of the cubes
# correlations from which sizes are doubted: unknown ones, stated ones
_LIKELY, _CERTAIN = 0.6, 0.9
# changes of size that are then worth a try: registration finds smaller ones by itself
_FAR, _OUT_OF_REACH = np.log(1.15), np.log(1.25)


@dataclass(frozen=True, slots=True, eq=False)
class Assumption:
    """Two channels whose voxels are taken to have certain sizes."""

    a: Channel
    b: Channel
    scales: tuple[np.ndarray, np.ndarray] | None = None
    """float64 (3,) each: what the mm of a, of b, along their axes were multiplied by; None where
    they are as stated."""
    place: np.ndarray | None = None
    """float64 (4, 4), mm of a to mm of b: where pictures lie on each other; None: to be found."""


def assumptions(a: Channel, b: Channel) -> Iterator[Assumption]:
    """The sizes that two channels may have, as stated last.

    Where a file does not say how large its voxels are, and where the contents contradict what the
    files say, one of the two is also taken to be as large as the other, axis by axis. Pictures are
    first laid on each other as their contents lie. Where a scan shows little in a large frame, what
    it shows is looked at by itself, too.
    """
    for way in _as_large(a, b):
        yield way
        cut = cut_outs(way.a, way.b)
        if cut is not None:
            yield replace(way, a=cut[0], b=cut[1])


def _as_large(a: Channel, b: Channel) -> Iterator[Assumption]:
    """The sizes that two channels may have, as stated last."""
    a_is_known, b_is_known = (channel.spacing != UNKNOWN for channel in (a, b))
    turned = b_is_known and not a_is_known
    one, other = (b, a) if turned else (a, b)
    fit, flat = best_fit(one.proxy(), other.proxy()), is_flat(a.shape) and is_flat(b.shape)
    if fit is not None and (flat or _is_worth_it(fit, a_is_known and b_is_known)):
        resized = other.resized(fit.resized(other.spacing))
        scales = (np.ones(3), np.array(fit.scale))
        if turned:
            place = np.linalg.inv(fit.place) if flat else None
            yield Assumption(resized, b, scales[::-1], place)
        else:
            yield Assumption(a, resized, scales, fit.place if flat else None)
    yield Assumption(a, b)


def _is_worth_it(fit: Fit, stated: bool) -> bool:
    far, likely = (_OUT_OF_REACH, _CERTAIN) if stated else (_FAR, _LIKELY)
    return fit.far > far and fit.correlation > likely


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """The way in which two scans agree best once their boxes are made equal."""

    correlation: float
    """Of the ranks of grey values, 0 to 1; inverted greys count as much."""
    scale: tuple[float, float, float]
    """What the mm of b along its axes are to be multiplied by, so that its box is as large as
    that of a."""
    place: np.ndarray
    """float64 (4, 4): mm of a to these mm of b, from the centres."""

    @property
    def far(self) -> float:
        """The largest change of a size, as the logarithm of a factor."""
        return float(np.abs(np.log(self.scale)).max())

    def resized(self, spacing: tuple[float, ...]) -> tuple[float, float, float]:
        """The spacing of b, stretched."""
        x, y, z = (mm * by for mm, by in zip(spacing, self.scale, strict=True))
        return x, y, z


def best_fit(a: Scan, b: Scan) -> Fit | None:
    """Find how b is to be stretched along its axes to be as large as a.

    Args:
        a: A proxy, or a small scan.
        b: Another one.

    Returns:
        The best of all orders and directions of axes, of the frames and of the boxes of the
        contents; None where a scan shows nothing, or one is a single slice and the other is not.
    """
    fits = [
        _of_boxes(a, b, ours, theirs) for ours, theirs in zip(_boxes(a), _boxes(b), strict=True)
    ]
    return max((fit for fit in fits if fit is not None), key=_rank, default=None)


def _rank(fit: Fit) -> tuple[float, float]:
    """By agreement, which has to differ by a hundredth to count; else what changes less."""
    return round(fit.correlation, 2), -fit.far


def _boxes(scan: Scan) -> tuple[Box, Box]:
    """The whole frame, and the box of the content."""
    whole = tuple((0, n) for n in scan.values.shape)
    return whole, slicing.content_box(scan.values)


def _of_boxes(a: Scan, b: Scan, box_a: Box, box_b: Box) -> Fit | None:
    one, other = _cube(a, box_a), _cube(b, box_b)
    if one is None or other is None or sorted(one.shape) != sorted(other.shape):
        return None
    best, chosen = 0.0, orders()[0]
    for axes, signs in orders():
        turned = other.transpose(axes)[tuple(slice(None, None, sign) for sign in signs)]
        if turned.shape == one.shape:
            correlation = abs(float((one * turned).mean()))
            if correlation > best + 1e-6:
                best, chosen = correlation, (axes, signs)
    return _fit(best, chosen, (a, box_a), (b, box_b))


def _fit(
    correlation: float,
    order: Order,
    a: tuple[Scan, Box],
    b: tuple[Scan, Box],
) -> Fit:
    ours, theirs = _sizes(*a), _sizes(*b)
    scale, turn = np.ones(3), np.zeros((3, 3))
    for axis, (along, sign) in enumerate(zip(*order, strict=True)):
        turn[along, axis] = sign
        if a[0].values.shape[axis] > 1:
            scale[along] = ours[axis] / theirs[along]
    place = np.eye(4)
    place[:3, :3] = turn
    place[:3, 3] = _centre(*b) * scale - turn @ _centre(*a)
    x, y, z = scale.tolist()
    return Fit(correlation, (x, y, z), place)


def _centre(scan: Scan, box: Box) -> np.ndarray:
    """float64 (3,): mm from the centre of a scan to that of a box."""
    middles = [
        (start + stop - n) / 2 for (start, stop), n in zip(box, scan.values.shape, strict=True)
    ]
    centre: np.ndarray = np.array(middles) * scan.spacing + scan.centre
    return centre


def _sizes(scan: Scan, box: Box) -> list[float]:
    """Mm along X, Y, Z."""
    return [(stop - start) * mm for (start, stop), mm in zip(box, scan.spacing, strict=True)]


def _cube(scan: Scan, box: Box) -> np.ndarray | None:
    """The ranks of the greys in a box, on few voxels; mean 0, deviation 1; None if constant."""
    inner = scan.values[tuple(slice(start, stop) for start, stop in box)]
    values = np.nan_to_num(inner.astype(np.float32), posinf=0.0, neginf=0.0)
    for axis, n in enumerate(values.shape):
        if n > 1:
            weights = slicing.weights(n, _SIDE)
            values = np.moveaxis(np.tensordot(weights, values, (1, axis)), 0, axis)
    return ranked(values)


def ranked(values: np.ndarray) -> np.ndarray | None:
    """The ranks of values, ties in the middle: mean 0, deviation 1; None if all are equal."""
    levels, place = np.unique(values, return_inverse=True)
    if len(levels) < 2:
        return None
    counts = np.bincount(place.ravel())
    ranks = (np.cumsum(counts) - counts / 2)[place].reshape(values.shape)
    standard: np.ndarray = (ranks - ranks.mean()) / ranks.std()
    return standard
