"""Verify a pair: find where to start, register, compare; coarse first.

In: two scans, proxies or full resolution. Out: `Evidence`, which `verdict` judges and `done` puts
into words.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product

import numpy as np

from dvdup.verify import start
from dvdup.verify.bands import band, blurred
from dvdup.verify.compare import (
    ENOUGH,
    FINE,
    MIDDLE,
    SAME_GREYS,
    Agreement,
    agreement,
    grey_curves,
    looked_up,
    sharpness_gap,
    thick,
)
from dvdup.verify.grid import (
    Grid,
    coarser,
    cut,
    filled,
    make_grid,
    resampled,
    smoothed,
    structured,
    usable_spacing,
)
from dvdup.verify.register import FEW, Layer, by_information, by_structure
from dvdup.verify.steps import ALL, Steps
from dvdup.voxels import is_flat, proxy_factor

COARSE_SIDE, FINE_SIDE = 64, 104
"""Voxels of the longest extent in the two rounds."""
FLAT_SIDE = 160
"""The same of pictures, for which one round is enough."""

_TRIES = 3  # starts that are registered
_TURNS = 16  # of the 44 turns that are looked at closely
_MIDDLE, _AROUND = 24, 8  # voxels of the middle of a scan at least, and around it in the other
_CLOSE = 0.15  # merits this far apart leave it open which start is right
_APART_SHOWN = 0.08  # of what either scan shows, that one of them shows more
_APART_THICK = 0.005  # the same, in parts that are no mere rims
_TINY = 16  # voxels of the longest extent: on these a scan and its mirror image look the same
_SMALL = 28  # voxels of the longest extent: on half of them too little is left to register
_APART = 0.2  # numbers of linear maps that are not nearly the same
_FIRST, _LAST = slice(1), slice(-1, None)  # of the rounds of a registration
_NEAR = 0.125  # of the longest extent: shifts less apart are in reach of one registration
_EQUAL = 0.02  # of the extent
_SURE = 0.99  # merit of a start that makes others needless


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """One channel of a case."""

    values: np.ndarray
    """Real (X, Y, Z): full resolution, or a proxy."""
    spacing: tuple[float, float, float]
    """mm along X, Y, Z, of these voxels."""
    full: bool = True
    """False for a proxy that left something out."""
    exact: bool = True
    """False where the values are 8-bit grey levels made of the scan's own."""
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """mm from the centre of the scan to that of these voxels: blocks may reach beyond it."""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What verification found out about a pair."""

    place: np.ndarray
    """float64 (4, 4), mm of a to mm of b, both from the centre of the scan."""
    agreement: Agreement
    side: int
    """Voxels of the longest extent in the comparison."""
    width_mm: float
    """Width of the voxels that were compared."""
    final: bool
    """Whether nothing finer can be compared: all that one of the scans holds was, or enough."""

    def flipped(self) -> Evidence:
        """The same with a and b exchanged."""
        found = self.agreement
        turned = replace(found, cover_a=found.cover_b, cover_b=found.cover_a)
        return replace(self, place=np.linalg.inv(self.place), agreement=turned)


def of_proxy(proxy: np.ndarray, shape: Sequence[int], spacing: Sequence[float]) -> Scan:
    """A proxy of `voxels.proxy` as a scan.

    Args:
        proxy: uint8 (x, y, z).
        shape: Voxels along X, Y, Z of the channel that it was made of.
        spacing: mm along X, Y, Z of that channel.
    """
    factors = [proxy_factor(n) for n in shape]
    x, y, z = (float(size) * k for size, k in zip(spacing, factors, strict=True))
    right, front, top = (
        (n * k - size) / 2 * mm
        for n, k, size, mm in zip(proxy.shape, factors, shape, spacing, strict=True)
    )
    full = max(factors) == 1
    return Scan(proxy, (x, y, z), full=full, exact=False, centre=(right, front, top))


def on_voxels(place: np.ndarray, a: Scan, b: Scan) -> np.ndarray:
    """A placement of scans as one of the voxels that are at hand.

    Args:
        place: float64 (4, 4), mm of a to mm of b, both from the centre of the scan.
        a: One scan.
        b: The other.

    Returns:
        float64 (4, 4), the same from the centres of the voxels of `a` and `b`.
    """
    moved: np.ndarray = _shift(b.centre, -1) @ place @ _shift(a.centre, 1)
    return moved


def _on_scans(place: np.ndarray, a: Scan, b: Scan) -> np.ndarray:
    """The inverse of `on_voxels`."""
    moved: np.ndarray = _shift(b.centre, 1) @ place @ _shift(a.centre, -1)
    return moved


def _linear(matrix: np.ndarray) -> np.ndarray:
    place = np.eye(4)
    place[:3, :3] = matrix
    return place


def _shift(centre: Sequence[float], sign: int) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, 3] = np.multiply(centre, sign)
    return matrix


@dataclass(frozen=True, slots=True)
class Shortcuts:
    """Says of evidence on the way whether more work is needless."""

    hopeless: Callable[[Evidence, bool], bool]
    """Whether a pair is none; the second argument is True where nothing was registered finely."""
    sure: Callable[[Evidence], bool]
    """Whether a pair is a copy as far as this fineness can tell, so that no other direction need be
    tried."""


def compare(
    a: Scan,
    b: Scan,
    side: int = COARSE_SIDE,
    place: np.ndarray | None = None,
    steps: Steps = ALL,
    shortcuts: Shortcuts | None = None,
) -> Evidence | None:
    """Bring two scans together and compare them; which of them comes first does not matter.

    Args:
        a: One scan.
        b: The other.
        side: Voxels of the longest extent in the comparison.
        place: A placement that an earlier round found, as in `Evidence`; None to search.
        steps: Which steps are taken.
        shortcuts: Asked about evidence on the way; None: nothing is cut short.

    Returns:
        The evidence, or None if a scan is constant.
    """
    if comes_first(b, a):
        back = None if place is None else np.linalg.inv(place)
        turned = _compared(b, a, side, back, steps, shortcuts)
        return None if turned is None else turned.flipped()
    return _compared(a, b, side, place, steps, shortcuts)


def middle_of(
    a: Scan, b: Scan, coarse: Evidence, side: int = FINE_SIDE, steps: Steps = ALL
) -> Evidence | None:
    """The evidence of the middle of two scans that lie on each other as is known.

    How much they show of each other is as it was found before.

    Args:
        a: As for `compare`.
        b: As for `compare`.
        coarse: What was found on a coarser grid.
        side: As for `compare`.
        steps: As for `compare`.
    """
    if comes_first(b, a):
        turned = middle_of(b, a, coarse.flipped(), side, steps)
        return None if turned is None else turned.flipped()
    look = _look(a, b, side, steps)
    if look is None:
        return None
    seen = look.middle(on_voxels(coarse.place, a, b))
    found = seen.registered(on_voxels(coarse.place, a, b))
    covers = coarse.agreement.cover_a, coarse.agreement.cover_b
    agreed = replace(found.agreement, cover_a=covers[0], cover_b=covers[1])
    return replace(found, agreement=agreed)


def _compared(
    a: Scan,
    b: Scan,
    side: int,
    place: np.ndarray | None,
    steps: Steps,
    shortcuts: Shortcuts | None,
) -> Evidence | None:
    """The evidence, b being brought onto a first."""
    look = _look(a, b, side, steps)
    if look is None:
        return None
    if place is not None:
        return _from_place(look, on_voxels(place, a, b), shortcuts)
    found = _found(look, shortcuts)
    if isinstance(found, Evidence):
        return found
    first = look.registered(*found[0])
    if shortcuts is not None and shortcuts.hopeless(first, False):
        return first  # the other looked no better before it was registered
    others = [look.registered(*each) for each in found[1:]]
    return _best([first, *others], look, shortcuts)


def _best(seen: Sequence[Evidence], look: _Look, shortcuts: Shortcuts | None) -> Evidence:
    """The evidence that speaks most for a copy, from the other side too where that is open.

    What is compared lies on the voxels of one scan. Where the other has the wider ones, seen in
    the anatomy, its noise and its thick slices spoil the comparison less on its own.
    """
    best = max(seen, key=_by_enough)
    if shortcuts is not None and (shortcuts.sure(best) or shortcuts.hopeless(best, False)):
        return best
    back = np.linalg.inv(on_voxels(best.place, *look.scans))
    return max(best, look.turned().registered(back, rounds=_LAST).flipped(), key=_by_enough)


_Try = tuple[float, np.ndarray]
"""The merit of a placement, and the placement."""


def _strength(evidence: Evidence) -> float:
    """The strength, less where neither scan shows half of the other: little agrees by chance."""
    shown = max(evidence.agreement.cover_a, evidence.agreement.cover_b)
    return evidence.agreement.strength * float(np.sqrt(min(1.0, 2 * shown)))


def _by_enough(evidence: Evidence) -> tuple[bool, float]:
    """Sorts first what compared enough voxels to conclude anything."""
    return evidence.agreement.voxels >= ENOUGH, _strength(evidence)


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """Two scans on grids of one fineness."""

    scans: tuple[Scan, Scan]
    a: Grid
    b: Grid
    width: float
    """mm of the voxels that are compared."""
    side: int
    """Voxels of the longest extent."""
    steps: Steps

    @property
    def flat(self) -> bool:
        """Whether both are pictures."""
        return all(is_flat(scan.values.shape) for scan in self.scans)

    @property
    def longest(self) -> int:
        """Voxels of the longest extent, of the scan that has fewer."""
        longest: int = min(max(grid.values.shape) for grid in (self.a, self.b))
        return longest

    def coarser(self) -> _Look:
        """The same on voxels twice as wide."""
        width = 2 * self.width
        one, other = coarser(self.a, width), coarser(self.b, width)
        return replace(self, a=one, b=other, width=width, side=self.side // 2)

    def turned(self) -> _Look:
        """The same with a and b exchanged."""
        return replace(self, scans=self.scans[::-1], a=self.b, b=self.a)

    def evidence(self, place: np.ndarray) -> Evidence:
        """What is to be seen where b lies at a place."""
        agreed = agreement(self.a, self.b, place, self.width, self.steps)
        one, other = self.scans
        finest = _finest(usable_spacing(one.spacing), usable_spacing(other.spacing))
        enough = self.side >= FINE_SIDE or self.width <= 1.01 * finest
        final = one.full and other.full and enough
        return Evidence(_on_scans(place, *self.scans), agreed, self.side, self.width, final)

    def middle(self, place: np.ndarray) -> _Look:
        """The middle of a, and what of b lies there or close by."""
        n = np.array(self.a.values.shape)
        sides = np.maximum(np.minimum(n, _MIDDLE), n // 2)
        first = (n - sides) // 2
        one = cut(self.a, first, first + sides)
        corners = np.array(list(product(*zip([0] * 3, one.values.shape, strict=True))))
        to_b = np.linalg.inv(self.b.to_mm()) @ place @ one.to_mm()
        where = corners @ to_b[:3, :3].T + to_b[:3, 3]
        low, high = where.min(axis=0) - _AROUND, where.max(axis=0) + _AROUND
        other = cut(self.b, np.floor(low).astype(int), np.ceil(high).astype(int))
        return replace(self, a=one, b=other)

    def registered(
        self, place: np.ndarray, begun: Evidence | None = None, *, rounds: slice = slice(None)
    ) -> Evidence:
        """The same after b was registered by structures that get finer, in some of the rounds.

        Where parts were blacked out in one scan, what both show is registered; that leaves out the
        outline, too, which may be needed, and its edges lead astray where too little is left out.

        Args:
            place: Where b lies at first.
            begun: What is to be seen there; None: it is looked at.
            rounds: Those that are gone through.
        """
        if self.flat or not self._filled():
            moved_there = self.evidence(self._moved(place, rounds, by_outline=True))
            return max(moved_there, begun or moved_there, key=_by_enough)
        ways = (True, False) if _blank_apart(self.a, self.b, place) else (True,)
        moved = [self._moved(place, rounds, by_outline=way) for way in ways]
        # of equals the first: the outline makes the place more precise
        seen = [*map(self.evidence, moved), begun or self.evidence(place)]
        return max(seen, key=_by_enough)

    def _filled(self) -> bool:
        """Whether anything of either scan was filled in."""
        return bool(filled(self.a).any() or filled(self.b).any())

    def _moved(self, place: np.ndarray, rounds: slice, *, by_outline: bool) -> np.ndarray:
        for look, fineness in self._rounds()[rounds]:
            layers = _layers(look, place, fineness, by_outline=by_outline)
            place = by_structure(look.a, look.b, layers, place)
        return place

    def _rounds(self) -> Sequence[tuple[_Look, float]]:
        """What is registered, and how fine its structures are, in voxels."""
        if self.side == FINE_SIDE:
            return (self, MIDDLE), (self, FINE)
        if self.longest < _SMALL:
            return (self, 2 * MIDDLE), (self, MIDDLE)
        # what is twice as wide shows as well on an eighth of the voxels
        return (self.coarser(), MIDDLE), (self, MIDDLE)


def _look(a: Scan, b: Scan, side: int, steps: Steps) -> _Look | None:
    """Two scans on grids of `side` voxels; None if one is constant."""
    step = max(*usable_extent(a), *usable_extent(b)) / side
    one, other = make_grid(a.values, a.spacing, step), make_grid(b.values, b.spacing, step)
    if one is None or other is None:
        return None
    width = max(step, _finest(one.spacing, other.spacing))
    return _Look((a, b), one, other, width, side, steps)


def _from_place(look: _Look, place: np.ndarray, shortcuts: Shortcuts | None) -> Evidence:
    """The evidence near a place; that of the middle alone where it is hopeless."""
    there: list[Evidence] = []
    if look.flat:
        # of few pixels registration can lead astray from where contents lie on each other
        there = [look.evidence(place)]
        if shortcuts is not None and shortcuts.sure(there[0]):
            return there[0]
    if shortcuts is not None:
        seen = look.middle(place).registered(place, rounds=_FIRST)
        if shortcuts.hopeless(seen, False):
            return max(seen, *there, key=_by_enough) if there else seen
    return _best([*there, look.registered(place, *there)], look, shortcuts)


def _found(
    look: _Look, shortcuts: Shortcuts | None
) -> list[tuple[np.ndarray, Evidence]] | Evidence:
    """Placements that are worth registering, and what is to be seen there, best first.

    The evidence alone where all are hopeless.
    """
    rough = look.coarser()
    best = _rivals(rough, _tried(rough, _starts(rough))) or [(0.0, np.eye(4))]
    seen = [_seen_settled(look, rough, each) for each in best]
    seen.sort(key=lambda each: -_strength(each[1]))
    hopeful = [each for each in seen if shortcuts is None or not shortcuts.hopeless(each[1], True)]
    return hopeful or seen[0][1]


def _seen_settled(look: _Look, rough: _Look, found: _Try) -> tuple[np.ndarray, Evidence]:
    """A placement nearer by coarse structures, and what is to be seen there.

    Where that turned or stretched a scan, what is finer decides whether it led astray, as it does
    where one scan takes up little of the other and has few coarse voxels.
    """
    moved = _settled_in(rough, *found)
    seen = moved, look.evidence(moved)
    if not _differ((found[0], moved), found):
        return seen
    return max(seen, (found[1], look.evidence(found[1])), key=lambda each: _strength(each[1]))


def _rivals(look: _Look, tried: Sequence[_Try]) -> list[_Try]:
    """The best of some placements and another one that may be better.

    That at which fine structures agree most, or one of nearly equal merit: a head looks much like
    its mirror image.
    """
    by_merit = sorted(tried, key=lambda each: -each[0])
    by_strength = sorted(tried, key=lambda each: -_strength(look.evidence(each[1])))
    # of those that lie alike fine structures know the better one
    best = [each for each in by_strength if not _differ(each, by_merit[0])][:1]
    close = [each for each in by_merit if each[0] > by_merit[0][0] - _CLOSE]
    others = (each for each in (*by_strength[:1], *close) if _differ(each, by_merit[0]))
    return [*best, *islice(others, 1)]


def _differ(one: _Try, other: _Try) -> bool:
    """Whether two placements turn or stretch a scan differently."""
    return bool(np.abs(one[1] - other[1])[:3, :3].max() > _APART)


def _settled_in(look: _Look, merit: float, place: np.ndarray) -> np.ndarray:
    """A placement that mutual information found, nearer by coarse structures if they agree more."""
    apart = _blank_apart(look.a, look.b, place)
    layers = _layers(look, place, 2 * MIDDLE, by_outline=not apart)
    moved = by_structure(look.a, look.b, layers, place)
    return moved if _merit(look, moved) > merit else place


def _starts(look: _Look) -> list[start.Start]:
    """Where to begin, best first: by the whole, by what is shown and by edges in turn."""
    found = [_searched(look)]
    reach = _NEAR * max(*look.a.extent, *look.b.extent)
    if not look.steps.turns:
        return list(start.distinct(found[0], _TRIES, reach))
    kinds = [start.edges]
    if filled(look.a).any() or filled(look.b).any():
        kinds.insert(0, start.greys)
    ways = start.in_plane(_axis_across(look)) if look.flat else start.flips()
    ways = (*ways, *start.fitted(look.a, look.b))
    found += [start.search(kind(look.a), kind(look.b), ways) for kind in kinds]
    most = _TRIES + len(kinds) - 1
    return list(start.distinct(start.taken_in_turn(*found), most, reach))


def _as_stored(look: _Look) -> list[_Try]:
    """Voxel on voxel where both scans cover as much, or one of them flipped; the best of these.

    Coarse structures are compared, their grey values fitted to each other: where values have
    wrapped around, neither they nor their edges look like those of the other scan.
    """
    one, other = (usable_extent(scan) for scan in look.scans)
    if look.flat or not np.allclose(one, other, rtol=_EQUAL):
        return []
    places = [on_voxels(_linear(flip), *look.scans) for flip in start.flips()]
    merits = [_merit(look, place) for place in places]
    best = int(np.argmax(merits))
    return [(merits[best], places[best])]


def _axis_across(look: _Look) -> int:
    return look.scans[0].values.shape.index(1)


def _searched(look: _Look) -> list[start.Start]:
    """Starts by all that there is, in every turn, best first."""
    a, b = start.whole(look.a), start.whole(look.b)
    sides = (*look.a.values.shape, *look.b.values.shape)
    thin = int(np.argmin(look.a.values.shape)) if min(sides[:3]) < FEW else None
    side = start.SIDE if thin is None else start.THIN_SIDE
    if look.flat:
        linears = start.in_plane(_axis_across(look))
        return start.search(a, b, (*linears, *start.leans(thin)), side)
    if not look.steps.turns:
        return start.search(a, b, start.flips()[:1], side)
    starts = start.search(a, b, (*start.flips(), *start.leans(thin)), side)
    turns: Sequence[np.ndarray] = start.turns()
    if min(sides) >= FEW:
        turns = start.promising(a, b, turns, _TURNS)
    return start.ranked([*starts, *start.search(a, b, turns)])


def _tried(look: _Look, starts: Sequence[start.Start]) -> list[_Try]:
    """Merit and placement of the scans as they are stored, and of the starts that are worth it."""
    tried = _as_stored(look) if look.steps.turns else []
    rough = [_rough(look, masked) for masked in (False, True)]
    for each in starts:
        if _settled(look, tried, each.place):
            continue
        begun = _in_plane(look.a, look.b, each.place)
        moved = begun
        if look.steps.information:
            moved = by_information(look.a, look.b, rough[each.masked], begun, look.width)
        # on few voxels mutual information can lead astray
        merits = [(_merit(look, place), place) for place in (moved, begun)]
        tried.append(max(merits, key=lambda pair: pair[0]))
    return tried


def _rough(look: _Look, masked: bool) -> tuple[Layer, Layer]:
    """Smoothed values of both, everywhere or where they show anything."""
    one, other = (
        Layer(smoothed(grid, 1.5 * look.width), ~filled(grid) if masked else np.ones_like(blank))
        for grid in (look.a, look.b)
        for blank in (filled(grid),)
    )
    return one, other


def _settled(look: _Look, tried: Sequence[_Try], place: np.ndarray) -> bool:
    """Whether another start is needless: one is sure, and its mirror image has had its chance.

    On very few voxels none is sure: there a head agrees with its mirror image.
    """
    if look.longest < _TINY:
        return False
    hands = {bool(np.linalg.det(other) > 0) for _, other in tried}
    return any(merit > _SURE for merit, _ in tried) and bool(np.linalg.det(place) > 0) in hands


def _in_plane(a: Grid, b: Grid, place: np.ndarray) -> np.ndarray:
    """A placement of two single slices leaves them in one plane."""
    flat = place.copy()
    for axis in range(3):
        if a.values.shape[axis] == b.values.shape[axis] == 1:
            flat[axis, :], flat[:3, axis] = 0.0, 0.0
            flat[axis, axis] = 1.0
    return flat if abs(np.linalg.det(flat)) > 1e-3 else place


def _layers(
    look: _Look, place: np.ndarray, fineness: float, *, by_outline: bool
) -> tuple[Layer, Layer]:
    """Structures of one fineness of both, their grey values fitted to each other.

    Args:
        look: The two scans.
        place: Where they lie on each other.
        fineness: Of the structures, in voxels.
        by_outline: Whether what only one of them shows counts, too.
    """
    a, b, width = look.a, look.b, look.width
    values = smoothed(a, width), smoothed(b, width)
    scales = [np.minimum(width / grid.spacing, 8.0) for grid in (a, b)]
    seen, inside = resampled(values[1], b, place, a)
    masks = structured(a), structured(b)
    left_out: tuple[np.ndarray, np.ndarray] | tuple[None, None] = (None, None)
    if not by_outline:
        masks = _shown_by_both(a, b, place), _shown_by_both(b, a, np.linalg.inv(place))
        left_out = masks
    usable = inside & masks[0]
    if usable.any():
        ours, theirs = values[0][usable], seen[usable]
        curves = grey_curves(ours, theirs) if look.steps.greys else SAME_GREYS
        values = curves.of_a(values[0]), curves.of_b(values[1])
        if look.side >= COARSE_SIDE:  # of wider voxels scans are about equally sharp
            gap = sharpness_gap(values[0], curves.of_b(seen), usable)
            values = blurred(values[0], gap), blurred(values[1], _on_other(-gap, a, b, place))
    one, other = (
        Layer(band(each, scale, fineness, without), mask & _inside(mask.shape, fineness * scale))
        for each, scale, mask, without in zip(values, scales, masks, left_out, strict=True)
    )
    return one, other


def _blank_apart(a: Grid, b: Grid, place: np.ndarray) -> bool:
    """Whether parts were blacked out in one scan that the other shows.

    Where both are blank alike, as around a brain, the outline belongs to the anatomy and says where
    it lies. It may be off by a voxel or two where one scan was resampled, or does not lie quite
    where it should.
    """
    if not filled(a).any() and not filled(b).any():
        return False
    blank_b, shown_b = (looked_up(each, b, place, a) for each in (filled(b), ~filled(b)))
    ours, theirs = blank_b & ~filled(a), filled(a) & shown_b
    shown = int((~filled(a) | theirs).sum())
    if abs(int(ours.sum()) - int(theirs.sum())) > _APART_SHOWN * shown:
        return True
    return any(thick(each).sum() > _APART_THICK * shown for each in (ours, theirs))


def _shown_by_both(a: Grid, b: Grid, place: np.ndarray) -> np.ndarray:
    """Bool, on a: where a shows anything, and b too as far as it reaches."""
    both: np.ndarray = structured(a) & looked_up(structured(b), b, place, a)
    return both


def _inside(shape: tuple[int, ...], width: np.ndarray) -> np.ndarray:
    """Bool `shape`: away from the faces, where a band misses what lies beyond them."""
    inner = np.zeros(shape, bool)
    margins = [min(round(2 * w), n // 6) for n, w in zip(shape, width.tolist(), strict=True)]
    inner[tuple(slice(m, n - m) for n, m in zip(shape, margins, strict=True))] = True
    return inner


def _on_other(sigmas: np.ndarray, a: Grid, b: Grid, place: np.ndarray) -> np.ndarray:
    """Widths in voxels of a, along its axes, as widths in voxels of b, along its own."""
    widths = np.zeros(3)
    for axis in range(3):
        along = int(np.abs(place[:3, axis]).argmax())
        widths[along] = sigmas[axis] * a.spacing[axis] / b.spacing[along]
    return widths


def _merit(look: _Look, place: np.ndarray) -> float:
    """Correlation of coarse structures, less where the overlap is less than half."""
    apart = _blank_apart(look.a, look.b, place)
    one, other = _layers(look, place, MIDDLE, by_outline=not apart)
    seen, inside = resampled(other.values, look.b, place, look.a)
    usable = inside & one.mask
    shown = float(np.sqrt(min(1.0, 2 * inside.mean())))
    return _correlation(one.values[usable], seen[usable]) * shown


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    if x.size < 50 or x.std() < 1e-6 or y.std() < 1e-6:
        return -1.0
    return float(np.corrcoef(x, y)[0, 1])


def _finest(spacing_a: np.ndarray, spacing_b: np.ndarray) -> float:
    """The finest width that both scans have along two axes."""
    return max(float(np.sort(spacing_a)[1]), float(np.sort(spacing_b)[1]))


def usable_extent(scan: Scan) -> np.ndarray:
    """float64 (3,): mm that the voxels of a scan cover."""
    size: np.ndarray = np.array(scan.values.shape) * usable_spacing(scan.spacing)
    return size


def comes_first(one: Scan, other: Scan) -> bool:
    """Whether a scan is the one that stays: the smaller field of view, or by its voxels.

    Args:
        one: A scan.
        other: That which it is compared with.
    """
    sizes = _volume(one), _volume(other)
    return sizes[0] < sizes[1] or (sizes[0] == sizes[1] and _digest(one) < _digest(other))


def _volume(scan: Scan) -> float:
    return float(np.prod(usable_extent(scan)))


def _digest(scan: Scan) -> bytes:
    """Tells scans of equal volume apart, so that they have an order of their own."""
    said = repr((scan.values.shape, str(scan.values.dtype), scan.spacing, scan.full, scan.exact))
    values = hashlib.blake2b(np.asarray(scan.values).tobytes("F"), digest_size=16)
    return values.digest() + said.encode()
