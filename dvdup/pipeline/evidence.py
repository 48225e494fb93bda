"""Candidate pairs to what their voxels say: proxies out of the index, voxels out of the files.

Pairs are independent of one another, so they are spread over processes. A pair takes two proxies
along (at most 0.5 MB); full scans are read in the process that needs them, and only there.
"""

from __future__ import annotations

import dataclasses
import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import numpy as np

from dvdup import slicing, verify, voxels
from dvdup.errors import Interrupted, ReadError
from dvdup.match import Side
from dvdup.pipeline.cache import Cache
from dvdup.pipeline.missed import NO_ROOM, Missed, volume_of
from dvdup.pipeline.processes import do_all
from dvdup.pipeline.small import Proxies
from dvdup.records import Embedded, IndexedCase, Progress, Verified, no_progress
from dvdup.verify import ALL, Full, Judged, Limits, Line, Scan, Steps

T = TypeVar("T")

Key = tuple[str, str]
Pair = tuple[Key, Key]

CODE = ("pipeline.evidence", "slicing", "verify", "voxels")
"""The modules whose source is part of what the voxels of a pair say."""

_BLOCK = 64  # pairs whose proxies are fetched at once
_UNKNOWN = (1.0, 1.0, 1.0)  # spacing in mm of what says nothing about it
_RESIZED, _MOST_RESIZED = 1.04, 4.0  # sizes of a copy that registration does not see by itself
_FEW = 8  # pairs that are not worth starting processes for


class CaseSet(Protocol):
    """One side of a comparison: some cases, of an index or in memory."""

    @property
    def cases(self) -> Sequence[IndexedCase]:
        """All its cases, sorted."""

    @property
    def lasting(self) -> bool:
        """Whether they are cases of the index, so that what is made of them may be kept."""

    @property
    def voting(self) -> Sequence[IndexedCase]:
        """One case of every content that has slices."""

    @property
    def copies(self) -> Mapping[Key, Sequence[Key]]:
        """For each case that votes, the keys of all cases of its content."""

    def side(self) -> Side:
        """Its voting cases, ready to be matched."""

    def case(self, key: Key) -> IndexedCase:
        """One of its cases."""

    def proxied(self, keys: Sequence[Key]) -> Mapping[Key, IndexedCase]:
        """Some of its cases, with their proxies."""

    def rows(self, key: Key) -> Embedded:
        """The slice rows of one of them."""


@dataclass(frozen=True, slots=True)
class Sides:
    """The two sides of a comparison and where their files lie."""

    root: Path
    a: CaseSet
    b: CaseSet
    limits: Limits = field(default_factory=Limits)
    """What makes a copy."""


class Channel(Protocol):
    """The channel of a case of a pair that is compared."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along X, Y, Z."""

    @property
    def spacing(self) -> tuple[float, ...]:
        """Size of the voxels along X, Y, Z, mm."""

    def resized(self, spacing: tuple[float, float, float]) -> Channel:
        """The same voxels, taken to be of another size in mm."""

    def proxy(self) -> Scan:
        """The channel at the resolution of a proxy."""

    def full(self) -> Scan | None:
        """The channel at full resolution; None if that cannot be had.

        Raises:
            ReadError: It is there and cannot be read.
        """


@dataclass(frozen=True, slots=True, eq=False)
class FileChannel:
    """The channel of a case of a pair that is compared, out of the index and out of files."""

    root: Path
    case: IndexedCase
    """With its proxy."""
    place: int
    """Of the channel among those that vote."""

    @property
    def channel(self) -> int:
        """Its number in the file."""
        return slicing.voting_channels(self.case.n_channels)[self.place]

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along X, Y, Z."""
        return self.case.shape

    @property
    def spacing(self) -> tuple[float, ...]:
        """Mm along X, Y, Z."""
        return self.case.spacing

    def resized(self, spacing: tuple[float, float, float]) -> FileChannel:
        """The same voxels, taken to be of another size in mm."""
        return dataclasses.replace(self, case=dataclasses.replace(self.case, spacing=spacing))

    def proxy(self) -> Scan:
        """The channel as the index has it."""
        shape = self.case.proxy_shape
        values = np.frombuffer(zlib.decompress(self.case.proxy), np.uint8).reshape(shape)
        return verify.of_proxy(values[self.place], self.case.shape, self.case.spacing)

    def full(self) -> Scan | None:
        """The channel as the file has it; None if that is not the file that was indexed.

        Raises:
            ReadError: It cannot be read any more.
        """
        volume = volume_of(self.root, self.case)
        if volume is None:
            return None
        x, y, z = self.case.spacing
        return Scan(voxels.channel_values(volume, self.channel), (x, y, z))


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


def verify_pairs(
    pairs: Sequence[Pair],
    sides: Sides,
    jobs: int,
    *,
    cache: Cache | None = None,
    missed: Missed | None = None,
    progress: Progress = no_progress,
    should_stop: Callable[[], bool] = lambda: False,
) -> dict[Pair, Verified]:
    """Compare the voxels of some pairs.

    Args:
        pairs: (case of a, case of b).
        sides: Where they are.
        jobs: Processes; few pairs are done in this one.
        cache: What has been compared before.
        missed: Is told which files could not be had.
        progress: Called as pairs are done.
        should_stop: Asked before a pair is begun.

    Raises:
        Interrupted: `should_stop` said so; what was compared is in the cache.
    """
    cache, missed = cache or Cache(None, ""), missed or Missed()
    known = {pair: kept_pair(cache, sides.a.case(pair[0]), sides.b.case(pair[1])) for pair in pairs}
    found = {pair: seen for pair, seen in known.items() if seen is not None}
    todo = [pair for pair in pairs if pair not in found]
    n = jobs if len(todo) >= _FEW else 1
    done, stopped = 0, False

    def stop() -> bool:
        nonlocal stopped
        stopped = stopped or should_stop()
        return stopped

    for order, seen in do_all(_do, orders(todo, sides, missed), n, stop):
        progress("comparing voxels", done, len(todo))
        found[order.pair] = _told(order.pair, seen.found, sides)
        if seen.with_files:
            keep_pair(cache, order.a.case, order.b.case, found[order.pair])
        else:
            seen.tell(missed, order.a.case, order.b.case)
        done += 1
    if stopped and done < len(todo):
        raise Interrupted(
            f"stopped after {done} of {len(todo)} pairs, which are kept; run it again to go on"
        )
    if todo:
        progress("comparing voxels", len(todo), len(todo))
    return {pair: found[pair] for pair in sorted(found)}


def kept_pair(cache: Cache, a: IndexedCase, b: IndexedCase) -> Verified | None:
    """What was said about (a, b) before, or None."""
    with suppress(ValueError, TypeError):
        text = cache.get("pair", a.content, b.content)
        return None if text is None else Verified(**json.loads(text))
    return None


def keep_pair(cache: Cache, a: IndexedCase, b: IndexedCase, found: Verified) -> None:
    """Keep it, unless other voxels could still decide."""
    if found.decided:
        text = json.dumps(dataclasses.asdict(found), sort_keys=True)
        cache.put(text, "pair", a.content, b.content)


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """One pair for a worker."""

    pair: Pair
    a: FileChannel
    b: FileChannel
    limits: Limits


def orders(pairs: Sequence[Pair], sides: Sides, missed: Missed | None = None) -> Iterator[Order]:
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
            yield Order(pair=(a, b), a=one, b=other, limits=sides.limits)


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
        slicing.voting_channels(a.n_channels).index(one),
        slicing.voting_channels(b.n_channels).index(other),
    )


def _do(order: Order) -> Seen[Judged]:
    return judge_pair(order.a, order.b, order.limits)


def judge_pair(
    a: Channel, b: Channel, limits: Limits | None = None, steps: Steps = ALL
) -> Seen[Judged]:
    """Verify one pair; where a file has changed or gone its proxy must do."""

    def judge(one: Scan, other: Scan, full: Full | None) -> Judged:
        return verify.judge(one, other, full, limits, steps)

    seen = _with_voxels(judge, a, b)
    resized = _of_equal_extent(a, b)
    if resized is None or seen.found.decision.verdict is not None:
        return seen
    again = _with_voxels(judge, a, resized)
    if again.found.decision.verdict is None:
        return seen
    scale = np.array([*b.spacing, 1.0]) / [*resized.spacing, 1.0]
    return dataclasses.replace(again, found=again.found.rescaled(scale))


def measure_pair(order: Order) -> Seen[float]:
    """How strongly the voxels of a pair speak for a copy, see `verify.measure`."""

    def measure(one: Scan, other: Scan, full: Full | None) -> float:
        return verify.measure(one, other, full, order.limits)

    seen = _with_voxels(measure, order.a, order.b)
    resized = _of_equal_extent(order.a, order.b)
    if resized is None:
        return seen
    return max(seen, _with_voxels(measure, order.a, resized), key=lambda each: each.found)


def _of_equal_extent(a: Channel, b: Channel) -> Channel | None:
    """B with voxels that make it as large as a, if neither file says how large its voxels are.

    Pictures and arrays have voxels of 1 mm, and a resized copy is another size in mm.
    """
    if not a.spacing == b.spacing == _UNKNOWN:
        return None
    x, y, z = (
        1.0 if 1 in (ours, theirs) else ours / theirs
        for ours, theirs in zip(a.shape, b.shape, strict=True)
    )
    sizes = np.abs(np.log([x, y, z]))
    if sizes.max() < np.log(_RESIZED) or sizes.max() > np.log(_MOST_RESIZED):
        return None
    return b.resized((x, y, z))


def _with_voxels(look: Callable[[Scan, Scan, Full | None], T], a: Channel, b: Channel) -> Seen[T]:
    """Look at two proxies, with a way to the full scans, which is taken where they are wanted."""
    small = a.proxy(), b.proxy()
    files = _Files(a, b)
    try:
        return Seen(look(*small, files.both), files.away, files.failed)
    except MemoryError:
        return Seen(look(*small, None), failed=(NO_ROOM, NO_ROOM))


class _Files:
    """The full scans of a pair, and why they cannot be had."""

    def __init__(self, a: Channel, b: Channel) -> None:
        self._channels = a, b
        self.away, self.failed = (False, False), ("", "")

    def both(self) -> tuple[Scan, Scan] | None:
        """Read them; None if one cannot be had."""
        (one, why), (other, why_not) = map(_read, self._channels)
        self.failed = why, why_not
        self.away = one is None and not why, other is None and not why_not
        return None if one is None or other is None else (one, other)


def _read(channel: Channel) -> tuple[Scan | None, str]:
    try:
        return channel.full(), ""
    except ReadError as error:
        return None, str(error)


def _told(pair: Pair, judged: Judged, sides: Sides) -> Verified:
    """As a record, with the order of the slices where it is a copy."""
    decision = judged.decision
    alignment, reason = judged.alignment(), judged.reason
    if decision.verdict is not None:
        line = _line(pair, judged, sides)
        if line is not None:
            alignment = {**(alignment or {}), "slices": line.describe()}
            reason = f"{reason}; {line_in_words(line)}"
    return Verified(
        verdict=decision.verdict,
        decided=decision.decided,
        confidence=decision.confidence,
        reason=reason,
        alignment=alignment,
        voxel=judged.voxel(),
    )


def _line(pair: Pair, judged: Judged, sides: Sides) -> Line | None:
    lines = verify.align(sides.a.rows(pair[0]), sides.b.rows(pair[1]))
    if judged.evidence is not None:
        lines = verify.fitting(lines, judged.evidence.place)
    return lines[0] if lines else None


def line_in_words(line: Line) -> str:
    """Which slices match which."""
    planes = [slicing.PLANES[line.plane_a]]
    if line.plane_b != line.plane_a:
        planes.append(slicing.PLANES[line.plane_b])
    (first, last), (start, stop) = line.slices_a, line.slices_b
    return (
        f"{' / '.join(planes)} slices {first}-{last} match {start}-{stop}, "
        f"offset {round(line.offset_mm):+d} mm, scale {line.slope:.2f}"
    )


def flipped(found: Verified) -> Verified:
    """What is known about (a, b) for (b, a): words and numbers of a placement hold one way only."""
    reason = found.reason
    if found.alignment is not None:
        reason = f"seen from the other side: {reason}"
    return dataclasses.replace(found, alignment=None, reason=reason)
