"""Slice-order alignment: the line that a copy draws into the matrix of slice similarities.

In: the embedded slices of two cases. Out: `SliceLine`s in mm. Where b is a copy of a, the slice of
b most like slice i of a lies at offset + slope * position(i): slope 1 for a copy in its own
spacing, negative for a mirrored one, something else where a header lost its spacing. A slab gives a
line over a part of one of them, an every-second-slice copy a line with fewer points. Only content
counts: positions start at the first slice of each case, whatever its header says of origins.

The same anatomy of somebody else draws a line too, but a blurred one: few slices fall on it
closely, and beside it the similarity hardly drops. `score` measures both.

Source: the line fit is an exhaustive RANSAC (Fischler, Bolles 1981) over pairs of nearest
neighbours, finished by least squares; temporal alignment of copied videos does the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dvdup.records import Embedded, SliceLine

MIN_POINTS = 5
"""Slices of a plane, on either side, below which no line is fitted."""

_STEEPEST = 6.0  # slopes from 1/6 to 6: a header without a spacing says 1 mm for 0.3 to 6
_CLOSE = 0.75  # distance to the line, in slice distances, within which a slice is on it
_FALL = 3.0  # slice distances beside the line where a copy is clearly less similar


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """The slices of one plane of one case."""

    plane: int
    index: np.ndarray
    """int (S,), ascending."""
    position_mm: np.ndarray
    """float (S,)."""

    @property
    def step_mm(self) -> float:
        """Median distance of neighbours."""
        return float(np.median(np.diff(self.position_mm))) if len(self.position_mm) > 1 else 1.0


def align(a: Embedded, b: Embedded) -> tuple[SliceLine, ...]:
    """Fit a line for every pair of planes of two cases.

    Args:
        a: One case; of several channels each is tried with each of b.
        b: The other.

    Returns:
        The lines found, best score first; empty if neither has enough slices in any plane.
    """
    lines = []
    for ours in tracks(a):
        for theirs in tracks(b):
            similarity = a.embedding[ours[1]] @ b.embedding[theirs[1]].T
            line = fit(similarity, ours[0], theirs[0])
            if line is not None:
                lines.append(line)
    return tuple(sorted(lines, key=lambda line: (-line.score, line.plane_a, line.plane_b)))


def fitting(lines: Sequence[SliceLine], place: np.ndarray) -> tuple[SliceLine, ...]:
    """The lines that a placement of the voxels does not contradict.

    Between planes that lie across each other a line is chance; so is one that runs the other way.

    Args:
        lines: Of two cases.
        place: float64 (4, 4), mm of a to mm of b.
    """
    kept = []
    for line in lines:
        run = place[:3, 2 - line.plane_a]  # plane p lies across axis 2 - p
        along = int(np.abs(run).argmax())
        if line.plane_b == 2 - along and line.mirrored == bool(run[along] < 0):
            kept.append(line)
    return tuple(kept)


def nearest_channels(a: Embedded, b: Embedded) -> tuple[int, int]:
    """The numbers of the channels, one of each case, whose slices are most alike.

    Args:
        a: The slices of one case, at least one.
        b: Of the other.
    """
    alike = {
        (one, other): float(
            (a.embedding[a.channel == one] @ b.embedding[b.channel == other].T).max(axis=1).mean()
        )
        for one in np.unique(a.channel).tolist()
        for other in np.unique(b.channel).tolist()
    }
    return max(sorted(alike), key=lambda pair: alike[pair])


def fit(similarity: np.ndarray, a: Track, b: Track) -> SliceLine | None:
    """Fit a line to the similarities of one plane of a and one of b.

    Args:
        similarity: float (S, T), cosines of the slices of a and b.
        a: The S slices of a.
        b: The T slices of b.

    Returns:
        The line with the most slices on it, or None if there are too few slices.
    """
    if min(similarity.shape) < MIN_POINTS:
        return None
    x, y, from_a = _nearest(similarity, a, b)
    reach = np.array([a.step_mm, b.step_mm])
    slope, offset = _consensus(x, y, reach)
    slope, offset = _polished(x, y, slope, offset, reach)
    close = _distance(x, y, slope, offset, reach) <= _CLOSE
    if close.sum() < MIN_POINTS:
        return None
    on_a, on_b = close & from_a, close & ~from_a
    inliers = max(on_a.sum() / from_a.sum(), on_b.sum() / (~from_a).sum())
    contrast = _contrast(similarity, a, b, slope, offset)
    first, last = (float(f(x[close])) for f in (np.min, np.max))
    return SliceLine(
        plane_a=a.plane,
        plane_b=b.plane,
        slope=abs(slope),
        offset_mm=offset,
        mirrored=slope < 0,
        slices_a=(_slice_at(a, first), _slice_at(a, last)),
        slices_b=(_slice_at(b, slope * first + offset), _slice_at(b, slope * last + offset)),
        inliers=float(inliers),
        residual_mm=float(np.median(np.abs(y - slope * x - offset)[close])),
        contrast=contrast,
        score=float(inliers) * contrast,
    )


def tracks(case: Embedded) -> list[tuple[Track, np.ndarray]]:
    """Each plane of each channel, and its rows in the order of the slices."""
    found = []
    for channel in np.unique(case.channel).tolist():
        for plane in np.unique(case.plane).tolist():
            rows = np.flatnonzero((case.channel == channel) & (case.plane == plane))
            rows = rows[np.argsort(case.index[rows], kind="stable")]
            track = Track(plane, case.index[rows], case.position_mm[rows].astype(float))
            found.append((track, rows))
    return found


def _nearest(
    similarity: np.ndarray, a: Track, b: Track
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points (position in a, position in b): each slice with its nearest of the other side."""
    there = _peaks(similarity, b.position_mm)
    back = _peaks(similarity.T, a.position_mm)
    x = np.concatenate([a.position_mm, back])
    y = np.concatenate([there, b.position_mm])
    from_a = np.arange(len(x)) < len(a.position_mm)
    return x, y, from_a


def _peaks(similarity: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Where each row is highest, in mm, between the slices by a parabola."""
    best = similarity.argmax(axis=1)
    inner = np.clip(best, 1, similarity.shape[1] - 2)
    rows = np.arange(len(best))
    left, top, right = (similarity[rows, inner + i] for i in (-1, 0, 1))
    bend = left - 2 * top + right
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = np.where((inner == best) & (bend < 0), (left - right) / (2 * bend), 0.0)
    shift = np.clip(np.nan_to_num(shift), -0.5, 0.5)
    places = np.arange(len(position))
    between: np.ndarray = np.interp(best + shift, places, position)
    return between


def _consensus(x: np.ndarray, y: np.ndarray, reach: np.ndarray) -> tuple[float, float]:
    """Slope and offset with the most points close by, over all lines through two points."""
    i, j = np.triu_indices(len(x), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = (y[j] - y[i]) / (x[j] - x[i])
    far = np.abs(x[j] - x[i]) >= 0.15 * np.ptp(x)
    usable = np.isfinite(slopes) & far & (np.abs(slopes) <= _STEEPEST)
    usable &= np.abs(slopes) >= 1 / _STEEPEST
    slopes, i = slopes[usable], i[usable]
    if len(slopes) == 0:
        return 1.0, 0.0
    thin = max(1, len(slopes) // 4000)
    slopes, i = slopes[::thin], i[::thin]
    offsets = y[i] - slopes * x[i]
    distance = _distance(x[None], y[None], slopes[:, None], offsets[:, None], reach)
    # closeness counts, so that of two lines with equally many points the better one wins
    votes = np.clip(1 - distance / (2 * _CLOSE), 0, None).sum(axis=1)
    best = int(votes.argmax())
    return float(slopes[best]), float(offsets[best])


def _distance(x: Any, y: Any, slope: Any, offset: Any, reach: np.ndarray) -> np.ndarray:
    """Distance of points from a line, in slice distances of the coarser side."""
    off: np.ndarray = np.abs(y - slope * x - offset) / np.maximum(
        np.abs(slope) * reach[0], reach[1]
    )
    return off


def _polished(
    x: np.ndarray, y: np.ndarray, slope: float, offset: float, reach: np.ndarray
) -> tuple[float, float]:
    """Least squares through the points that are close, twice."""
    for _ in range(2):
        close = _distance(x, y, slope, offset, reach) <= _CLOSE
        if close.sum() < MIN_POINTS or np.ptp(x[close]) == 0:
            break
        fitted, moved = np.polyfit(x[close], y[close], 1)
        if not 1 / _STEEPEST <= abs(fitted) <= _STEEPEST:
            break
        slope, offset = float(fitted), float(moved)
    return slope, offset


def _contrast(similarity: np.ndarray, a: Track, b: Track, slope: float, offset: float) -> float:
    """Fall of the similarity from the line to a few slices beside it, over that to the median."""
    target = slope * a.position_mm + offset
    inside = (target >= b.position_mm[0] - b.step_mm) & (target <= b.position_mm[-1] + b.step_mm)
    beside = _FALL * max(b.step_mm, abs(slope) * a.step_mm)
    on, off, usual = [], [], []
    for row in np.flatnonzero(inside).tolist():
        values = similarity[row]
        away = np.abs(b.position_mm - target[row])
        near = away <= beside / _FALL
        ring = (away >= beside * 0.7) & (away <= beside * 1.6)
        if near.any() and ring.any():
            on.append(float(values[near].max()))
            off.append(float(values[ring].mean()))
            usual.append(float(np.median(values)))
    if not on:
        return 0.0
    height = float(np.mean(on)) - min(float(np.mean(usual)), float(np.mean(off)))
    fall = float(np.mean(on)) - float(np.mean(off))
    # at 1 the diagonal is all there is; a broad ridge gives little
    return float(np.clip(fall / height, 0.0, 1.0)) if height > 1e-6 else 0.0


def _slice_at(track: Track, position: float) -> int:
    return int(track.index[int(np.abs(track.position_mm - position).argmin())])
