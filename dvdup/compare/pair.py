"""Candidate pairs to what their voxels say: proxies out of the index, voxels out of the files.

Pairs are independent of one another, so they are spread over processes. A pair takes two proxies
along (at most 0.5 MB); full scans are read in the process that needs them, and only there.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np

from dvdup import verify
from dvdup.compare.cases import Channel, FileChannel, Sides, voting_channels
from dvdup.compare.missed import NO_ROOM, Missed
from dvdup.compare.small import Proxies
from dvdup.errors import ReadError
from dvdup.records import IndexedCase, Pair, PairResult, SliceLine
from dvdup.verify import ALL, Judged, Limits, Scan, Steps

T = TypeVar("T")


CODE = (
    *("compare.cases", "compare.missed", "compare.pair", "compare.small", "files", "slicing"),
    *("records", "verify", "voxels"),
)
"""The modules whose source is part of what the voxels of a pair say."""

_logger = logging.getLogger(__name__)
_BLOCK = 64  # pairs whose proxies are fetched at once
_UNKNOWN = (1.0, 1.0, 1.0)  # spacing in mm of what says nothing about it
_RESIZED, _MOST_RESIZED = 1.04, 4.0  # sizes of a copy that registration does not see by itself


@dataclass(frozen=True, slots=True)
class Seen(Generic[T]):
    """What a look at a pair found, and which of its files it had to do without."""

    found: T
    away: tuple[bool, bool] = (False, False)
    """Whether the files of a, of b, are not those that were indexed."""
    failed: tuple[str, str] = ("", "")
    """Why those of a, of b, could not be read."""

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
            yield CaseJob(one, other, sides.limits, pair=(a, b))


def channels_of(a: IndexedCase, b: IndexedCase, sides: Sides) -> tuple[FileChannel, FileChannel]:
    """Two cases with their proxies, each with the channel that is compared."""
    places = _channels(a, b, sides)
    return FileChannel(sides.root, a, places[0]), FileChannel(sides.root, b, places[1])


def _channels(a: IndexedCase, b: IndexedCase, sides: Sides) -> tuple[int, int]:
    """The two channels whose slices are most alike, as places among the voting ones."""
    if a.n_channels == b.n_channels == 1:
        return (0, 0)
    one, other = verify.nearest_channels(sides.a.rows(a.key), sides.b.rows(b.key))
    return (
        voting_channels(a).index(one),
        voting_channels(b).index(other),
    )


def judge_pair(job: PairJob) -> Seen[Judged]:
    """Verify one pair; where a file has changed or gone its proxy must do."""
    start, seen = time.monotonic(), []
    for b, scale in _sizes(job.a, job.b):
        files = _Files(job.a, b)
        try:
            judged = verify.judge(*files.proxies, files.both, job.limits, job.steps)
        except MemoryError:
            files.give_up()
            judged = verify.judge(*files.proxies, None, job.limits, job.steps)
        if judged.decision.verdict is not None:
            seen = [files.seen(judged if scale is None else judged.rescaled(scale))]
            break
        seen.append(files.seen(judged))
    _log(job, seen[0].found, time.monotonic() - start)
    return seen[0]


def _log(job: PairJob, judged: Judged, seconds: float) -> None:
    verdict, rule = judged.decision.verdict or "no finding", judged.decision.rule
    said = "%s: %s by %s, strength %.2f, in %.2f s"
    _logger.debug(said, job.name, verdict, rule, judged.score, seconds)


def measure_pair(job: PairJob) -> Seen[float]:
    """How strongly the voxels of a pair speak for a copy, see `verify.measure`."""
    seen: list[Seen[float]] = []
    for b, _ in _sizes(job.a, job.b):
        files = _Files(job.a, b)
        try:
            strength = verify.measure(*files.proxies, files.both, job.limits)
        except MemoryError:
            files.give_up()
            strength = verify.measure(*files.proxies, None, job.limits)
        seen.append(files.seen(strength))
    return max(seen, key=lambda each: each.found)


def _sizes(a: Channel, b: Channel) -> Iterator[tuple[Channel, np.ndarray | None]]:
    """B as it is and, if neither file says how large its voxels are, made as large as a.

    Pictures and arrays have voxels of 1 mm, and a resized copy is another size in mm.

    Yields:
        b, and what takes its mm to those of b as it is; None where these are the same.
    """
    yield b, None
    if not a.spacing == b.spacing == _UNKNOWN:
        return
    x, y, z = (
        1.0 if 1 in (ours, theirs) else ours / theirs
        for ours, theirs in zip(a.shape, b.shape, strict=True)
    )
    sizes = np.abs(np.log([x, y, z]))
    if np.log(_RESIZED) <= sizes.max() <= np.log(_MOST_RESIZED):
        yield b.resized((x, y, z)), np.array([*b.spacing, 1.0]) / [x, y, z, 1.0]


class _Files:
    """The proxies of a pair, a way to its full scans, and why these cannot be had."""

    def __init__(self, a: Channel, b: Channel) -> None:
        self._channels = a, b
        self.proxies = a.proxy(), b.proxy()
        self._away, self._failed = (False, False), ("", "")

    def both(self) -> tuple[Scan, Scan] | None:
        """Read the full scans; None if one cannot be had."""
        (one, why), (other, why_not) = map(_read, self._channels)
        self._failed = why, why_not
        self._away = one is None and not why, other is None and not why_not
        return None if one is None or other is None else (one, other)

    def give_up(self) -> None:
        """There is no memory for the full scans."""
        self._away, self._failed = (False, False), (NO_ROOM, NO_ROOM)

    def seen(self, found: T) -> Seen[T]:
        """What was found, with what it had to do without."""
        return Seen(found, self._away, self._failed)


def _read(channel: Channel) -> tuple[Scan | None, str]:
    try:
        return channel.full(), ""
    except ReadError as error:
        return None, str(error)


def result_of(pair: Pair, judged: Judged, sides: Sides) -> PairResult:
    """What travels to the report, with the order of the slices where it is a copy."""
    if judged.decision.verdict is None:
        return judged.result()
    return judged.result(_line(pair, judged, sides))


def _line(pair: Pair, judged: Judged, sides: Sides) -> SliceLine | None:
    lines = verify.align(sides.a.rows(pair[0]), sides.b.rows(pair[1]))
    if judged.evidence is not None:
        lines = verify.fitting(lines, judged.evidence.place)
    return lines[0] if lines else None
