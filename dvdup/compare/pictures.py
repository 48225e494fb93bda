"""A picture and a volume: which of its slices the picture may be.

A picture (PNG, JPEG, a single DICOM image) has lost where it was cut, how large it is and which way
it was turned. Every slice of the volume's proxy, across every axis, is brought to the box of its
content and compared with the picture in its eight turns; where one agrees, the slices around it are
compared at full resolution, and the best of them is judged as a picture itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from dvdup import slicing, verify, voxels
from dvdup.compare.cases import Channel
from dvdup.compare.extents import Assumption, assumptions, ranked
from dvdup.verify import Scan

_SIDE = 24  # pixels of the pictures that are compared
_LIKELY = 0.6  # correlation from which a slice is looked at closely
_PLACES = 3  # of a volume that are looked at closely
_NEAR = 3  # slices of a proxy that are one place
_LEAST = 12  # pixels along the sides of a slice that makes a picture


@dataclass(frozen=True, slots=True, eq=False)
class SliceChannel:
    """One slice of a volume as a channel of its own."""

    values: np.ndarray
    """Real (U, V, 1)."""
    spacing: tuple[float, ...]
    """Mm along U, V, and 1."""
    axis: int
    """Of the volume, across which it lies."""
    index: int
    """Its number along that axis."""
    offset_mm: float
    """Where it lies along that axis, from the centre of the volume."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along U, V, and 1."""
        return self.values.shape

    def resized(self, spacing: tuple[float, float, float]) -> SliceChannel:
        """The same pixels, taken to be of another size in mm."""
        return replace(self, spacing=spacing)

    def proxy(self) -> Scan:
        """The slice at the resolution of a proxy."""
        small = voxels.proxy(np.asfortranarray(self.values, np.float32))
        return verify.of_proxy(small, self.shape, self.spacing)

    def full(self) -> Scan:
        """The slice at full resolution."""
        x, y, z = self.spacing
        return Scan(self.values, (x, y, z))


def is_picture(channel: Channel) -> bool:
    """Whether a channel is a single slice."""
    return 1 in channel.shape


def in_volume(
    a: Channel, b: Channel, both: verify.Full
) -> Iterator[tuple[SliceChannel, Assumption]]:
    """The slices of a volume that a picture may be, likeliest first, with the sizes it may have.

    Args:
        a: The picture or the volume.
        b: The other.
        both: Reads them at full resolution, where their proxies are promising; None if it cannot.

    Yields:
        The slice, and the two in the same order with the slice in the place of the volume.
    """
    picture, volume = (a, b) if is_picture(a) else (b, a)
    shown = _Turns(picture.proxy())
    places = _places(volume, shown)
    scans = both() if places else None
    for axis, indices in places if scans else ():
        assert scans is not None
        found = _slice(scans[picture is a], axis, indices, shown)
        for assumed in assumptions(*((a, found) if picture is a else (found, b))):
            yield found, assumed


class _Turns:
    """A picture in its eight turns, ready to be compared with slices."""

    def __init__(self, picture: Scan) -> None:
        flat = picture.values.take(0, axis=picture.values.shape.index(1))
        self._turns = [np.stack(list(_turned(small))) for small in _small(flat)]

    def agreement(self, flat: np.ndarray) -> float:
        """Correlation of the ranks of greys with a slice (U, V) in the best turn, 0 to 1."""
        pairs = zip(self._turns, _small(flat), strict=False)
        found = [np.abs(turns @ small.ravel()).max() / small.size for turns, small in pairs]
        return float(max(found, default=0.0))


def _turned(small: np.ndarray) -> Iterator[np.ndarray]:
    for each in (small, small.T):
        for up in (1, -1):
            for right in (1, -1):
                yield each[::up, ::right].ravel()


def _small(flat: np.ndarray) -> list[np.ndarray]:
    """The frame and the content of a slice as small squares of ranks; none if it is constant."""
    box = slicing.content_box(_as_grey(flat)[:, :, None])
    inner = flat[slice(*box[0]), slice(*box[1])]
    squares = [_square(each.astype(np.float32)) for each in (flat, inner)]
    return [square for square in squares if square is not None]


def _square(flat: np.ndarray) -> np.ndarray | None:
    finite = np.nan_to_num(flat, posinf=0.0, neginf=0.0)
    down, across = (slicing.weights(n, _SIDE) for n in flat.shape)
    return ranked(down @ finite @ across.T)


def _as_grey(flat: np.ndarray) -> np.ndarray:
    """uint8, by the range of nearly all values."""
    if flat.dtype == np.uint8:
        return flat
    span = voxels.robust_range(flat[:, :, None])
    if span is None or not span[1] > span[0]:
        return np.zeros(flat.shape, np.uint8)
    scaled = (np.nan_to_num(flat) - span[0]) * (255 / (span[1] - span[0]))
    grey: np.ndarray = np.clip(scaled, 0, 255).astype(np.uint8)
    return grey


def _places(volume: Channel, picture: _Turns) -> list[tuple[int, range]]:
    """The axes and the slices along them that are worth a closer look, likeliest first."""
    values = volume.proxy().values
    found = [
        (picture.agreement(values.take(i, axis=axis)), axis, i)
        for axis, n in enumerate(values.shape)
        if min(size for k, size in enumerate(values.shape) if k != axis) >= _LEAST
        for i in range(n)
    ]
    chosen: list[tuple[int, int]] = []
    for agreement, axis, i in sorted(found, key=lambda each: (-each[0], *each[1:])):
        if agreement < _LIKELY or len(chosen) == _PLACES:
            break
        if all(axis != other or abs(i - k) >= _NEAR for other, k in chosen):
            chosen.append((axis, i))
    return [(axis, _around(i, volume.shape[axis])) for axis, i in chosen]


def _around(i: int, n: int) -> range:
    """The slices of n that slice i of a proxy and its neighbours are made of."""
    step = voxels.proxy_factor(n)
    return range(max(0, (i - 1) * step), min(n, (i + 2) * step))


def _slice(scan: Scan, axis: int, indices: range, picture: _Turns) -> SliceChannel:
    """The slice that agrees best with a picture."""
    index = max(indices, key=lambda i: (picture.agreement(scan.values.take(i, axis=axis)), -i))
    u, v = (mm for i, mm in enumerate(scan.spacing) if i != axis)
    values = scan.values.take(index, axis=axis)[:, :, None]
    offset = (index - (scan.values.shape[axis] - 1) / 2) * scan.spacing[axis]
    return SliceChannel(values, (u, v, 1.0), axis, index, offset)
