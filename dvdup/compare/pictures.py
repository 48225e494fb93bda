"""A picture and a volume: which of its slices the picture may be.

A picture (PNG, JPEG, a single DICOM image) has lost where it was cut, how large it is and which way
it was turned. Every slice of the volume, across every axis, is brought to a small square, as its
frame and as the box of its content, and its fine structures are compared with those of the picture
in its eight turns. The slices that agree best are then judged as pictures themselves.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dvdup import slicing, verify, voxels
from dvdup.compare.cases import Channel
from dvdup.compare.extents import Assumption, assumptions, ranked
from dvdup.verify import Scan
from dvdup.voxels import is_flat

_SIDE = 64  # pixels of the squares
_BAND = (1.0, 4.0)  # sigmas, in these pixels, between which structures are compared
_LIKELY = 0.8  # correlation from which a slice is judged: of copies .88 and more, of others .68
_JUDGED = 3  # slices of a volume that are judged, often neighbours
_LEAST = 12  # pixels along the sides of a slice that makes a picture
_MOST = 256 << 20  # bytes of volumes that are remembered


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


def in_volume(
    a: Channel, b: Channel, read: Callable[[int], Scan | None]
) -> Iterator[tuple[SliceChannel, Assumption]]:
    """The slices of a volume that a picture may be, likeliest first.

    Args:
        a: The picture or the volume.
        b: The other.
        read: Reads a (0) or b (1) at full resolution; None if it cannot be had.

    Yields:
        The slice, and the two in the same order with the slice in the place of the volume, as they
        lie on each other.
    """
    side = 0 if is_flat(a.shape) else 1
    shown = read(side)  # first, so that one that is away is told whatever is known of the volume
    known = _VOLUMES.get((b, a)[side], lambda: read(1 - side))
    if shown is None or known is None:
        return
    for axis, index in known.places(_Turns(shown)):
        found = _slice(known.scan, axis, index)
        yield found, next(assumptions(*((a, found) if side == 0 else (found, b))))


class _Turns:
    """A picture in its eight turns, ready to be compared with slices."""

    def __init__(self, picture: Scan) -> None:
        flat = _plane(picture, picture.values.shape.index(1), 0)
        self.squares = np.array([list(_turned(square[0])) for square in _squares([flat])])
        """float32 (2, 8, P)."""


def _turned(flat: np.ndarray) -> Iterator[np.ndarray]:
    square = flat.reshape(_SIDE, _SIDE)
    for each in (square, square.T):
        for up in (1, -1):
            for right in (1, -1):
                yield each[::up, ::right].ravel()


def _squares(slices: Sequence[np.ndarray]) -> np.ndarray:
    """The fine structures of the frame and of the content of slices: float32 (2, N, P), unit rows.

    Rows where nothing is to be seen are 0.
    """
    from scipy import ndimage

    small = np.array([[_small(flat), _small(_content(flat))] for flat in slices], np.float32)
    small = small.reshape(len(slices), 2, _SIDE, _SIDE)
    fine, coarse = (ndimage.gaussian_filter(small, (0, 0, sigma, sigma)) for sigma in _BAND)
    bands = (fine - coarse).reshape(len(slices), 2, _SIDE * _SIDE).transpose(1, 0, 2)
    bands = bands - bands.mean(axis=2, keepdims=True)
    unit: np.ndarray = bands / np.maximum(np.linalg.norm(bands, axis=2, keepdims=True), 1e-3)
    return unit


def _content(flat: np.ndarray) -> np.ndarray:
    rows, columns, _ = slicing.content_box(_as_grey(flat)[:, :, None])
    return flat[slice(*rows), slice(*columns)]


def _small(flat: np.ndarray) -> np.ndarray:
    """The ranks of the greys of a picture on few pixels; all 0 of a constant one."""
    finite = np.nan_to_num(flat.astype(np.float32), posinf=0.0, neginf=0.0)
    down, across = (slicing.weights(n, _SIDE) for n in flat.shape)
    ranks = ranked(down @ finite @ across.T)
    return np.zeros((_SIDE, _SIDE), np.float32) if ranks is None else ranks


def _as_grey(flat: np.ndarray) -> np.ndarray:
    """uint8, by the range of nearly all values."""
    if flat.dtype == np.uint8:
        return flat
    span = voxels.robust_range(flat[:, :, None])
    if span is None or not span[1] > span[0]:
        return np.zeros(flat.shape, np.uint8)
    return slicing.grey(np.nan_to_num(flat), span)


@dataclass(frozen=True, slots=True, eq=False)
class _Volume:
    """A volume whose slices are ready to be compared with pictures."""

    scan: Scan
    slices: list[tuple[int, int]]
    """(axis, number) of those that make pictures."""
    squares: np.ndarray
    """float32 (2, N, P)."""

    @property
    def n_bytes(self) -> int:
        """What it takes to remember it."""
        return self.scan.values.nbytes + self.squares.nbytes

    def places(self, picture: _Turns) -> list[tuple[int, int]]:
        """The slices that a picture may be, likeliest first."""
        pairs = zip(self.squares, picture.squares, strict=True)
        found = [np.abs(ours @ theirs.T).max(axis=1, initial=0.0) for ours, theirs in pairs]
        agreement = np.maximum(*found)
        best = np.argsort(-agreement, kind="stable")[:_JUDGED].tolist()
        return [self.slices[place] for place in best if agreement[place] >= _LIKELY]


def _volume(scan: Scan) -> _Volume:
    shape = scan.values.shape
    slices = [
        (axis, i)
        for axis, n in enumerate(shape)
        if min(size for k, size in enumerate(shape) if k != axis) >= _LEAST
        for i in range(n)
    ]
    return _Volume(scan, slices, _squares([_plane(scan, *each) for each in slices]))


class _Volumes:
    """The volumes that pictures were compared with last: many pictures ask for one volume."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[bytes, object, object], _Volume] = OrderedDict()

    def get(self, channel: Channel, read: Callable[[], Scan | None]) -> _Volume | None:
        """A volume; None if it cannot be read."""
        key = (channel.proxy().values.tobytes(), channel.shape, channel.spacing)
        if key not in self._known:
            scan = read()
            if scan is None:
                return None
            self._known[key] = _volume(scan)
        self._known.move_to_end(key)
        while len(self._known) > 1 and sum(v.n_bytes for v in self._known.values()) > _MOST:
            self._known.popitem(last=False)
        return self._known[key]


_VOLUMES = _Volumes()


def _slice(scan: Scan, axis: int, index: int) -> SliceChannel:
    u, v = (mm for i, mm in enumerate(scan.spacing) if i != axis)
    values = _plane(scan, axis, index)[:, :, None]
    offset = (index - (scan.values.shape[axis] - 1) / 2) * scan.spacing[axis]
    return SliceChannel(values, (u, v, 1.0), axis, index, offset)


def _plane(scan: Scan, axis: int, index: int) -> np.ndarray:
    """A slice, (U, V), as a view: `take` would copy the whole scan."""
    plane: np.ndarray = np.moveaxis(scan.values, axis, 0)[index]
    return plane
