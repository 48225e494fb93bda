"""The whole way of one candidate pair: proxies, full resolution where needed, verdict, changes.

In: two proxies and a way to get at the full scans. Out: `Judged`. One call works on one pair and
needs nothing else, so that calls can be spread over processes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from dvdup.records import COPIES, AxisOrder, Change, PairResult, SliceLine, VoxelAgreement
from dvdup.verify.done import what_was_done
from dvdup.verify.exact import Same, same_multiset, same_values
from dvdup.verify.grid import make_grid
from dvdup.verify.noise import NoiseMatch, match_noise
from dvdup.verify.proof import proves_nothing
from dvdup.verify.scans import (
    COARSE_SIDE,
    FINE_SIDE,
    FLAT_SIDE,
    Evidence,
    Scan,
    Shortcuts,
    compare,
    middle_of,
    usable_extent,
)
from dvdup.verify.steps import ALL, Steps
from dvdup.verify.verdict import (
    BY_STRUCTURE,
    Decision,
    Found,
    Limits,
    decide,
    is_clear,
    is_hopeless,
    is_open,
    is_sure,
    is_sure_by_middle,
    reach,
    score,
)
from dvdup.voxels import is_flat

Full = Callable[[], tuple[Scan, Scan] | None]
"""Reads both scans at full resolution, None where proxies must do; called at most once, and only
where it matters."""


class Slice(Protocol):
    """A slice of a volume."""

    @property
    def axis(self) -> int:
        """Of the volume, across which it lies."""

    @property
    def index(self) -> int:
        """Its number along that axis."""

    @property
    def offset_mm(self) -> float:
        """Where it lies along that axis, from the centre of the volume."""


@dataclass(frozen=True, slots=True)
class Inside:
    """A picture that is a slice of a volume."""

    slices: tuple[tuple[int, int], tuple[int, int]]
    """(plane, number) of the slice of a and of b; of the picture (0, 0)."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A pair with its verdict."""

    decision: Decision
    evidence: Evidence | None
    """None where a scan is constant."""
    change: Change | None
    """How b differs from a; None where it is no copy."""
    score: float
    """The evidence on one scale for all grids: `Limits.copy` or more exactly for copies."""
    same: Same | None = None
    """How the values are the same; None where they are not."""
    noise: NoiseMatch | None = None
    """How the noise compares; None where structures do not agree."""
    inside: Inside | None = None
    """Which slice of a volume a picture is; None where both are volumes, or both are pictures."""

    def within(self, place: Slice, *, picture_first: bool) -> Judged:
        """The same of a picture and the whole volume that the slice lies in.

        Args:
            place: The slice that was compared.
            picture_first: Whether a is the picture.
        """
        assert self.evidence is not None
        into = _into(place)
        picture, inside = (0, 0), (2 - place.axis, place.index)
        if picture_first:
            placed = np.linalg.inv(into) @ self.evidence.place
        else:
            placed = self.evidence.place @ into
        return replace(
            self,
            decision=replace(self.decision, verdict="partial"),
            evidence=replace(self.evidence, place=placed),
            inside=Inside((picture, inside) if picture_first else (inside, picture)),
        )

    def rescaled(self, scale_a: np.ndarray, scale_b: np.ndarray) -> Judged:
        """The same where voxels were taken to have other sizes than the files say.

        Args:
            scale_a: float64 (3,), what mm of a were multiplied by along its axes.
            scale_b: The same for b.
        """
        if self.evidence is None:
            return self
        to_a, from_b = np.diag([*scale_a, 1.0]), np.diag([*(1 / scale_b), 1.0])
        evidence = replace(self.evidence, place=from_b @ self.evidence.place @ to_a)
        change = self.change and replace(self.change, in_mm=not self.change.spacing)
        return replace(self, evidence=evidence, change=change)

    def result(self, slices: SliceLine | None = None) -> PairResult:
        """What travels to the report.

        Args:
            slices: Which slices match which.
        """
        return PairResult(
            verdict=self.decision.verdict,
            rule=self.decision.rule,
            decided=self.decision.decided,
            confidence=self.decision.confidence,
            order=None if self.same is None else AxisOrder(self.same.axes, self.same.signs),
            strength=self.score,
            noise_shared=None if self.noise is None else self.noise.shared,
            agreement=None if self.evidence is None else _agreement(self.evidence),
            change=self.change,
            slices=slices,
        )


def _agreement(evidence: Evidence) -> VoxelAgreement:
    found = evidence.agreement
    return VoxelAgreement(
        correlation=found.correlation,
        middle=found.middle,
        fine=found.fine,
        residual=found.residual,
        overlap=(found.cover_a, found.cover_b),
        voxels=found.voxels,
        cells=found.cells,
        grid_mm=float(evidence.width_mm),
    )


def judge(
    a: Scan,
    b: Scan,
    full: Full | None = None,
    limits: Limits | None = None,
    steps: Steps = ALL,
    *,
    equal: bool = False,
    place: np.ndarray | None = None,
) -> Judged:
    """Verify a candidate pair.

    Args:
        a: Proxy of one scan, or the scan itself (`Scan.full` and `Scan.exact`).
        b: Of the other.
        full: Reads both at full resolution; None if proxies must do.
        limits: The constants of the rules.
        steps: Which steps are taken.
        equal: Whether the two have a value hash in common, so that their values are compared
            however little they look alike.
        place: float64 (4, 4), mm of a to mm of b: about where they lie on each other; None: it is
            searched for.
    """
    limits = limits or Limits()
    found = Found(evidence=_compared(a, b, limits, steps, place), finest=steps.full)
    if steps.full and (equal or _worth_reading(found, limits)):
        if full is not None and not (a.full and a.exact and b.full and b.exact):
            a, b = full() or (a, b)
        found = _finer(a, b, found, limits, steps)
        if equal and found.same is None and a.exact and b.exact:
            found = replace(found, rearranged=same_multiset(a.values, b.values))
    if proves_nothing(a) or proves_nothing(b):
        found = replace(found, proves_nothing=True)
    decision = decide(found, limits)
    if decision.rule in BY_STRUCTURE and found.evidence is not None and not is_flat(a.values.shape):
        found = replace(found, noise=match_noise(a, b, found.evidence.place))
        decision = decide(found, limits)
    change = None
    if decision.verdict in COPIES and found.evidence is not None:
        change = _change(a, b, found.evidence)
    return Judged(decision, found.evidence, change, score(found, limits), found.same, found.noise)


UNLIKE = Judged(Decision(None, "other-structure", 0.9), None, None, 0.0)
"""Of a picture and a volume none of whose slices resembles it."""


def _into(place: Slice) -> np.ndarray:
    """float64 (4, 4): mm of a volume to mm of one of its slices, which lies at 0 of the third."""
    matrix = np.zeros((4, 4))
    matrix[[0, 1], [axis for axis in range(3) if axis != place.axis]] = 1.0
    matrix[2, place.axis] = matrix[3, 3] = 1.0
    matrix[2, 3] = -place.offset_mm
    return matrix


def _compared(
    a: Scan, b: Scan, limits: Limits, steps: Steps, place: np.ndarray | None = None
) -> Evidence | None:
    """The evidence, on finer voxels where a place is known; less close where that is enough."""
    side = COARSE_SIDE if place is None else FINE_SIDE
    if is_flat(a.values.shape) and is_flat(b.values.shape):
        side = FLAT_SIDE
    shortcuts = Shortcuts(
        lambda seen, rough: is_hopeless(seen, limits, rough), lambda seen: is_sure(seen, limits)
    )
    return compare(a, b, side, place, steps, shortcuts)


def measure(a: Scan, b: Scan, full: Full | None = None, limits: Limits | None = None) -> float:
    """The highest threshold at which `judge` would call a pair a copy by its structures.

    Args:
        a: As for `judge`.
        b: As for `judge`.
        full: As for `judge`.
        limits: The constants as shipped.

    Returns:
        A strength; -inf for pairs that no threshold would make copies.
    """
    coarse = compare(a, b)
    if coarse is None or coarse.final or reach(coarse, limits=limits) == -np.inf:
        return reach(coarse, limits=limits)
    if full is not None and not (a.full and a.exact and b.full and b.exact):
        a, b = full() or (a, b)
    if not (a.full and b.full):
        return reach(coarse, limits=limits)
    fine = middle_of(a, b, coarse), compare(a, b, FINE_SIDE, coarse.place)
    return reach(coarse, fine, limits)


def _worth_reading(found: Found, limits: Limits) -> bool:
    """Copies may be identical; what is open needs finer voxels."""
    return decide(found, limits).verdict is not None or is_open(found.evidence, limits)


def _finer(a: Scan, b: Scan, found: Found, limits: Limits, steps: Steps) -> Found:
    """Compare values, and structures on a finer grid if that is open."""
    same = same_values(a.values, b.values) if a.exact and b.exact else None
    evidence = found.evidence
    if same is not None or evidence is None or not is_open(evidence, limits):
        return replace(found, same=same)
    if not (a.full and b.full):
        return replace(found, finest=False)
    if is_clear(evidence, limits):
        middle = middle_of(a, b, evidence, steps=steps)
        if middle is not None and is_sure_by_middle(middle, limits):
            return replace(found, evidence=middle)
    return replace(found, evidence=_compared(a, b, limits, steps, evidence.place))


def _change(a: Scan, b: Scan, evidence: Evidence) -> Change | None:
    step = max(*usable_extent(a), *usable_extent(b)) / evidence.side
    one, other = make_grid(a.values, a.spacing, step), make_grid(b.values, b.spacing, step)
    if one is None or other is None:
        return None
    return what_was_done(a, b, (one, other), evidence.place)
