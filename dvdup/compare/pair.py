"""Candidate pairs to what their voxels say: proxies out of the index, voxels out of the files.

Pairs are independent of one another, so they are spread over processes. A pair takes two proxies
along (at most 0.5 MB); full scans are read in the process that needs them, and only there.
"""

from __future__ import annotations

import logging
import math
import platform
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Generic, TypeVar

from dvdup import verify
from dvdup.compare.cases import Channel, FileChannel, Sides, voting_channels, voting_values
from dvdup.compare.extents import Assumption, assumptions
from dvdup.compare.missed import NO_ROOM, Missed
from dvdup.compare.pictures import SliceChannel, in_volume
from dvdup.compare.placement import in_voxels
from dvdup.compare.small import Proxies
from dvdup.errors import InputError, ReadError
from dvdup.files import holds_what_was_indexed, not_shared
from dvdup.records import IndexedCase, Pair, PairResult, SliceLine
from dvdup.verify import ALL, UNLIKE, Inside, Judged, Limits, Scan, Steps
from dvdup.voxels import is_flat

T = TypeVar("T")


CODE = (
    *(
        "compare.cases",
        "compare.cut_outs",
        "compare.extents",
        "compare.missed",
        "compare.pair",
        "compare.pictures",
        "compare.placement",
        "compare.small",
        "files",
        "slicing",
    ),
    *("records", "verify", "voxels"),
)
"""The modules whose source is part of what the voxels of a pair say."""

_logger = logging.getLogger(__name__)
_BLOCK = 64  # pairs whose proxies are fetched at once


@dataclass(frozen=True, slots=True)
class Seen(Generic[T]):
    """What a look at a pair found, and which of its files it had to do without."""

    found: T
    away: tuple[bool, bool] = (False, False)
    """Whether the files of a, of b, are not those that were indexed."""
    failed: tuple[str, str] = ("", "")
    """Why those of a, of b, could not be read."""
    machine: str = field(default_factory=platform.node)
    """Where that was."""

    @property
    def with_files(self) -> bool:
        """Whether the files had their say; else it may be otherwise another time."""
        return not any(self.away) and not any(self.failed)

    def tell(self, missed: Missed, a: IndexedCase, b: IndexedCase) -> None:
        """Note what was missing."""
        for case, away, reason in zip((a, b), self.away, self.failed, strict=True):
            if reason:
                missed.failed(case, reason)
            elif away:
                missed.away(case)


@dataclass(frozen=True, slots=True, eq=False)
class PairJob:
    """Two channels that are compared."""

    a: Channel
    b: Channel
    limits: Limits = field(default_factory=Limits)
    """What makes a copy."""
    steps: Steps = ALL
    """Which steps of the comparison are taken."""
    equal: bool = False
    """Whether the two channels have a value hash in common."""

    @property
    def name(self) -> str:
        """What the pair is called in the log."""
        return "a pair"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class CaseJob(PairJob):
    """The channels of two cases that are compared."""

    pair: Pair
    """The keys of the cases."""

    @property
    def name(self) -> str:
        """What the pair is called in the log."""
        return " and ".join("/".join(key) for key in self.pair)


def jobs_of(pairs: Sequence[Pair], sides: Sides, missed: Missed | None = None) -> Iterator[CaseJob]:
    """Pairs with all that is needed to judge them, fetched a block at a time.

    Where the index keeps no proxies they are made from the files; pairs of cases whose files
    cannot be had are left out, and `missed` is told.
    """
    proxies = Proxies(sides.root, missed or Missed())
    for start in range(0, len(pairs), _BLOCK):
        block = pairs[start : start + _BLOCK]
        ours = proxies.filled(sides.a.proxied(sorted({a for a, _ in block})).values())
        theirs = proxies.filled(sides.b.proxied(sorted({b for _, b in block})).values())
        for a, b in block:
            if a not in ours or b not in theirs:
                continue
            one, other = channels_of(ours[a], theirs[b], sides)
            equal = share_values(one, other)
            yield CaseJob(one, other, sides.limits, equal=equal, pair=(a, b))


def share_values(a: FileChannel, b: FileChannel) -> bool:
    """Whether two channels have one value hash."""
    return a.value_hash == b.value_hash != ""


def channels_of(a: IndexedCase, b: IndexedCase, sides: Sides) -> tuple[FileChannel, FileChannel]:
    """Two cases with their proxies, each with the channel that is compared."""
    places = _channels(a, b, sides)
    return FileChannel(sides.root, a, places[0]), FileChannel(sides.root, b, places[1])


def _channels(a: IndexedCase, b: IndexedCase, sides: Sides) -> tuple[int, int]:
    """The two channels whose slices are most alike, as places among the voting ones."""
    if a.n_channels == b.n_channels == 1:
        return (0, 0)
    shared = _of_equal_values(a, b)
    if shared is not None:
        return shared
    one, other = verify.nearest_channels(sides.a.rows(a.key), sides.b.rows(b.key))
    return (
        voting_channels(a).index(one),
        voting_channels(b).index(other),
    )


def _of_equal_values(a: IndexedCase, b: IndexedCase) -> tuple[int, int] | None:
    """The first two channels with one value hash, as places among the voting ones."""
    ours, theirs = voting_values(a), voting_values(b)
    return next(
        ((i, theirs.index(each)) for i, each in enumerate(ours) if each and each in theirs), None
    )


def judge_pair(job: PairJob) -> Seen[Judged]:
    """Verify one pair; where a file has changed or gone its proxy must do."""
    start, whole, seen = time.monotonic(), _Files(job.a, job.b), list[Seen[Judged]]()
    for place, way in _ways(job, whole):
        files = _Files(way.a, way.b)
        try:
            found = verify.judge(
                *files.at_hand(),
                files.both,
                job.limits,
                job.steps,
                equal=job.equal,
                place=way.place,
            )
        except MemoryError:
            files.give_up()
            found = verify.judge(*files.proxies, None, job.limits, job.steps)
        is_copy = found.decision.verdict is not None
        seen.append(files.seen(_of_the_files(found, job, way, place) if is_copy else found))
        if is_copy and place is None:
            break
    best = _best(seen) or (whole.seen(UNLIKE) if _is_inside(job) else seen[-1])
    _log(job, best.found, time.monotonic() - start)
    return best


def _is_inside(job: PairJob) -> bool:
    """Whether one is a picture and the other a volume."""
    return is_flat(job.a.shape) != is_flat(job.b.shape)


def _ways(job: PairJob, files: _Files) -> Iterator[tuple[SliceChannel | None, Assumption]]:
    """How a pair may be compared; of a picture and a volume with the slice that it may be."""
    if not _is_inside(job):
        yield from ((None, way) for way in assumptions(job.a, job.b))
        return
    try:
        yield from in_volume(job.a, job.b, files.read)
    except MemoryError:
        files.give_up()


def _of_the_files(
    found: Judged, job: PairJob, way: Assumption, place: SliceChannel | None
) -> Judged:
    """A copy as one of the files as they are: of their sizes, of the whole volume."""
    if way.scales is not None:
        found = found.rescaled(*way.scales)
    return found if place is None else found.within(place, picture_first=is_flat(job.a.shape))


def _best(seen: Sequence[Seen[Judged]]) -> Seen[Judged] | None:
    """The copy that agrees best, as neighbouring slices resemble a picture too."""
    copies = [each for each in seen if each.found.decision.verdict is not None]
    return max(copies, key=lambda each: each.found.score, default=None)


def _log(job: PairJob, judged: Judged, seconds: float) -> None:
    verdict, rule = judged.decision.verdict or "no finding", judged.decision.rule
    said = "%s: %s by %s, strength %.2f, in %.2f s"
    _logger.debug(said, job.name, verdict, rule, judged.score, seconds)


def demand_same_files(seen: Seen[T], root: Path, a: IndexedCase, b: IndexedCase) -> None:
    """Check that what a look on another machine had to do without is not here either.

    Raises:
        InputError: It is, so that the machines do not see the same files.
    """
    for case, away in zip((a, b), seen.away, strict=True):
        if away and case.files and holds_what_was_indexed(root, case.files, case.paths):
            raise InputError(not_shared(case.paths[0], seen.machine))


def measure_pair(job: PairJob) -> Seen[float]:
    """How strongly the voxels of a pair speak for a copy, see `verify.measure`."""
    seen: list[Seen[float]] = []
    whole = _Files(job.a, job.b)
    for _, way in _ways(job, whole):
        files = _Files(way.a, way.b)
        try:
            strength = verify.measure(*files.at_hand(), files.both, job.limits)
        except MemoryError:
            files.give_up()
            strength = verify.measure(*files.proxies, None, job.limits)
        seen.append(files.seen(strength))
    return max(seen, key=lambda each: each.found, default=whole.seen(-math.inf))


class _Files:
    """The proxies of a pair, a way to its full scans, and why these cannot be had."""

    def __init__(self, a: Channel, b: Channel) -> None:
        self._channels = a, b
        self.proxies = a.proxy(), b.proxy()
        self._away, self._failed = (False, False), ("", "")

    def both(self) -> tuple[Scan, Scan] | None:
        """Read the full scans; None if one cannot be had."""
        one, other = self.read(0), self.read(1)
        return None if one is None or other is None else (one, other)

    def read(self, side: int) -> Scan | None:
        """Read one full scan, of a (0) or of b (1); None if it cannot be had."""
        scan, why = _read(self._channels[side])
        self._failed = _replaced(self._failed, side, why)
        self._away = _replaced(self._away, side, scan is None and not why)
        return scan

    def at_hand(self) -> tuple[Scan, Scan]:
        """What is compared first: proxies, but of pictures all, as proxies show too little."""
        both_flat = all(is_flat(each.shape) for each in self._channels)
        return (self.both() if both_flat else None) or self.proxies

    def give_up(self) -> None:
        """There is no memory for the full scans."""
        self._away, self._failed = (False, False), (NO_ROOM, NO_ROOM)

    def seen(self, found: T) -> Seen[T]:
        """What was found, with what it had to do without."""
        return Seen(found, self._away, self._failed)


def _replaced(pair: tuple[T, T], side: int, value: T) -> tuple[T, T]:
    return (value, pair[1]) if side == 0 else (pair[0], value)


def _read(channel: Channel) -> tuple[Scan | None, str]:
    try:
        return channel.full(), ""
    except ReadError as error:
        return None, str(error)


def result_of(pair: Pair, judged: Judged, sides: Sides) -> PairResult:
    """What travels to the report; of a copy with the order of its slices, and where it lies."""
    if judged.decision.verdict is None:
        return judged.result()
    found = judged.result(_line(pair, judged, sides))
    if judged.evidence is None:
        return found
    a, b = sides.a.case(pair[0]), sides.b.case(pair[1])
    return replace(found, a_to_b=in_voxels(judged.evidence.place, a, b))


def _line(pair: Pair, judged: Judged, sides: Sides) -> SliceLine | None:
    if judged.inside is not None:
        return line_of(judged.inside)
    lines = verify.align(sides.a.rows(pair[0]), sides.b.rows(pair[1]))
    if judged.evidence is not None:
        lines = verify.fitting(lines, judged.evidence.place)
    return lines[0] if lines else None


def line_of(inside: Inside) -> SliceLine:
    """The slice of a volume that a picture is."""
    (plane_a, at_a), (plane_b, at_b) = inside.slices
    return SliceLine(
        plane_a=plane_a,
        plane_b=plane_b,
        slope=1.0,
        offset_mm=0.0,
        mirrored=False,
        slices_a=(at_a, at_a),
        slices_b=(at_b, at_b),
        inliers=1.0,
        residual_mm=0.0,
        contrast=1.0,
        score=1.0,
    )
