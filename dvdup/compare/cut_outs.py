"""The part of a scan that shows something, cut out of a large frame around it.

Two scans are compared on voxels as wide as the larger of them allows. Of one that was padded to a
much larger frame, or that a small part was cut from, few of these voxels are left for what both
show. Where the frame is plain black that part is found nevertheless; where it holds noise, as air
does, too little of it stands out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dvdup import slicing
from dvdup.compare.cases import Channel
from dvdup.verify import Scan

_LITTLE = 0.12  # of the frame: a box that is larger leaves enough voxels for what it holds
_AROUND = 0.1  # of a side of the box, on both sides, and voxels of a proxy at least
_VOXELS = 2


@dataclass(frozen=True, slots=True, eq=False)
class CutOut:
    """A box of a channel."""

    channel: Channel
    box: tuple[tuple[float, float], ...]
    """Where it begins and ends along X, Y, Z, as shares of the whole scan, 0 to 1."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels of the whole scan along X, Y, Z."""
        return self.channel.shape

    @property
    def spacing(self) -> tuple[float, ...]:
        """Mm along X, Y, Z."""
        return self.channel.spacing

    def resized(self, spacing: tuple[float, float, float]) -> CutOut:
        """The same voxels, taken to be of another size in mm."""
        return replace(self, channel=self.channel.resized(spacing))

    def proxy(self) -> Scan:
        """The box at the resolution of a proxy."""
        return self._of(self.channel.proxy())

    def full(self) -> Scan | None:
        """The box at full resolution; None if that cannot be had.

        Raises:
            ReadError: It is there and cannot be read.
        """
        whole = self.channel.full()
        return None if whole is None else self._of(whole)

    def _of(self, scan: Scan) -> Scan:
        """The voxels of a scan that touch the box, where they lie."""
        n, mm = np.array(scan.values.shape), np.array(scan.spacing)
        corner = np.array(scan.centre) - n / 2 * mm
        sides = np.array(self.shape) * self.spacing
        first, last = ((np.array(each) - 0.5) * sides for each in zip(*self.box, strict=True))
        starts = np.clip(np.floor((first - corner) / mm + 1e-6).astype(int), 0, n - 1)
        stops = np.clip(np.ceil((last - corner) / mm - 1e-6).astype(int), starts + 1, n)
        inner = tuple(slice(a, b) for a, b in zip(starts.tolist(), stops.tolist(), strict=True))
        x, y, z = (corner + (starts + stops) / 2 * mm).tolist()
        return replace(scan, values=np.asfortranarray(scan.values[inner]), centre=(x, y, z))


def cut_outs(a: Channel, b: Channel) -> tuple[Channel, Channel] | None:
    """The two with large frames cut away; None if neither has one."""
    ours, theirs = _cut_out(a), _cut_out(b)
    return None if ours is None and theirs is None else (ours or a, theirs or b)


def _cut_out(channel: Channel) -> CutOut | None:
    """What a channel shows, and a little around it; None if it has no large frame."""
    scan = channel.proxy()
    n = np.array(scan.values.shape)
    starts, stops = np.array(slicing.content_box(scan.values)).T
    if (n == 1).any() or np.prod((stops - starts) / n) >= _LITTLE:
        return None
    around = np.maximum(_VOXELS, _AROUND * (stops - starts))
    corner = np.array(scan.centre) - n / 2 * scan.spacing
    sides = np.array(channel.shape) * channel.spacing
    first, last = (
        np.clip((corner + edge * scan.spacing) / sides + 0.5, 0, 1)
        for edge in (starts - around, stops + around)
    )
    return CutOut(channel, tuple(zip(first.tolist(), last.tolist(), strict=True)))
