"""Volume to slices. In: one channel of values. Out: a `SliceStack` of informative 8-bit slices.

A slice is informative if enough of it is neither background nor nearly constant; only those have
a vote. The recipe is one frozen record; its hash is stored with the index, because slices of
different recipes must not meet.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dvdup.errors import ConfigError
from dvdup.records import PLANES, SliceStack, Volume
from dvdup.voxels import proxy_factor, robust_range

_MAX_CHANNELS = 8
_MAX_VOLUMES = 12  # of one case that differ like different scans
_ALIKE = 0.5  # correlation of the edges of neighbours in a time series, at least
_EDGES = 1 << 15  # voxels that this is judged by
_VERSION = 2  # of the arithmetic below: raise it whenever the same recipe gives other pixels
_THIN = 3  # voxels across a plane below which cutting it makes no picture
_BODY = 0.05  # of a negative, at least, is darker than its faces
_BRIGHT, _EVEN = 200, 25  # grey levels of the faces of a negative, and by how much they differ


Box = tuple[tuple[int, int], ...]
"""Bounds along X, Y, Z, in voxels."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a volume becomes slices. Everything in it changes the slices."""

    size: int = 32
    """Side of the square slices, px."""
    planes: tuple[str, ...] = PLANES
    spacing_mm: float = 3.0
    """Distance of neighbouring slices; never less than the voxels give."""
    min_slices: int = 24
    """Slices a plane, where the volume has so many: small volumes are cut more densely."""
    max_slices: int = 300
    """Slices a channel, over all planes."""
    low: float = 0.5
    """Percentile of the content that becomes 0."""
    high: float = 99.5
    """Percentile of the content that becomes 255."""
    ct_window: tuple[float, float] = (-200.0, 300.0)
    """HU that become 0 and 255, where the modality is CT."""
    crop: bool = True
    """Cut away the background around the content first, so that padding changes nothing."""
    background: float = 0.5
    """Share of the way from the mean of the dark voxels to Otsu's threshold at which a voxel stands
    out from the background."""
    foreground: float = 0.06
    """Share of the pixels that must stand out from the background."""
    contrast: float = 6.0
    """Standard deviation that a slice must have, in grey levels of 256."""

    def describe(self) -> dict[str, Any]:
        """As JSON values, sorted by name."""
        values = dataclasses.asdict(self) | {"version": _VERSION}
        return {name: _plain(values[name]) for name in sorted(values)}

    def hash(self) -> str:
        """blake2b-128 hex over every setting and the version of the arithmetic."""
        text = json.dumps(self.describe(), sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def make_recipe(**settings: Any) -> Recipe:
    """A recipe with some settings changed.

    Raises:
        ConfigError: A setting is out of range.
    """
    recipe = Recipe(**settings)
    unknown = [plane for plane in recipe.planes if plane not in PLANES]
    if unknown or not recipe.planes:
        raise ConfigError(f"slicing.planes must name some of {', '.join(PLANES)}; got {unknown}")
    if recipe.spacing_mm <= 0 or recipe.max_slices < len(recipe.planes):
        raise ConfigError(
            "slicing.spacing_mm must be above 0, and slicing.max_slices at least "
            f"{len(recipe.planes)}, one a plane"
        )
    ordered = tuple(plane for plane in PLANES if plane in recipe.planes)
    return dataclasses.replace(recipe, planes=ordered, spacing_mm=float(recipe.spacing_mm))


def voting_channels(n_channels: int, n_voting: int = 0) -> tuple[int, ...]:
    """Name the channels that are sliced, out of their number.

    Args:
        n_channels: How many channels the case has.
        n_voting: How many of them vote, where that is known: as many as the case has proxies.

    Returns:
        All up to 8. Of a time series the first, middle and last; of as many volumes that differ
        like different scans 12, evenly spread, these three among them.
    """
    if n_channels <= max(_MAX_CHANNELS, n_voting):
        return tuple(range(n_channels))
    middle, last = n_channels // 2, n_channels - 1
    if n_voting < _MAX_VOLUMES:
        return (0, middle, last)
    half = _MAX_VOLUMES // 2
    places = [*np.linspace(0, middle, half), *np.linspace(middle, last, half + 1)[1:]]
    return tuple(int(place) for place in np.rint(places))


def channels_to_slice(volume: Volume) -> tuple[int, ...]:
    """Choose the channels of a scan that are sliced, see `voting_channels`.

    Args:
        volume: A scan as read.
    """
    n_channels = len(volume.channels)
    if n_channels <= _MAX_CHANNELS or _is_time_series(volume):
        return voting_channels(n_channels)
    return voting_channels(n_channels, min(n_channels, _MAX_VOLUMES))


def _is_time_series(volume: Volume) -> bool:
    """Whether neighbouring channels show the edges of one anatomy.

    Frames of a time series, directions of a diffusion scan and phases of a contrast agent do
    (0.97 in functional and diffusion scans), and scans of different persons do not, even where
    they were brought to one template (0.2 at most): their smooth parts are alike, not their edges.
    """
    n_channels = len(volume.channels)
    places = voting_channels(n_channels, min(n_channels, _MAX_VOLUMES))
    edges = [_edges(volume.channels[place]) for place in places]
    pairs = [(a, b) for a, b in itertools.pairwise(edges) if a.std() > 0 and b.std() > 0]
    alike = [np.corrcoef(a, b)[0, 1] for a, b in pairs]
    return not alike or float(np.median(alike)) >= _ALIKE


def _edges(channel: np.ndarray) -> np.ndarray:
    """Differences of neighbours along the longest axis, at some places; float64 (n,)."""
    turned = channel.swapaxes(0, int(np.argmax(channel.shape)))
    step = max(1, round((channel.size / _EDGES) ** (1 / 3)))
    every = tuple(slice(None, None, step if n > step else 1) for n in turned.shape)
    before, after = turned[:-1][every], turned[1:][every]
    edges = after.astype(np.float64) - before.astype(np.float64)
    return np.where(np.isfinite(edges), edges, 0.0).ravel()


def slice_channel(
    values: np.ndarray,
    proxy: np.ndarray,
    spacing: Sequence[float],
    modality: str,
    channel: int,
    recipe: Recipe,
) -> SliceStack:
    """Cut one channel into its informative slices.

    Args:
        values: float32 (X, Y, Z), RAS+ order; non-finite voxels count as background.
        proxy: uint8 (x, y, z), `voxels.proxy` of the same values; finds background and content.
        spacing: mm along X, Y, Z.
        modality: DICOM modality, "CT" selects the HU window.
        channel: Its number, written into the stack.
        recipe: How to cut.

    Returns:
        The slices in order (plane, index); empty if none is informative. Row 0 of a picture is
        anterior (axial) or superior (coronal, sagittal).
    """
    span = robust_range(values, recipe.low, recipe.high)
    if span is None or span[1] <= span[0]:
        return _empty(recipe.size)
    content = _find_content(values.shape, proxy, span, recipe)
    window = recipe.ct_window if modality == "CT" else span
    parts = [
        _cut(values, float(spacing[2 - number]), content, window, channel, number, recipe)
        for number, plane in enumerate(PLANES)
        if plane in recipe.planes and _makes_pictures(values.shape, number)
    ]
    return concatenate(parts, recipe.size)


def concatenate(stacks: Sequence[SliceStack], size: int = 1) -> SliceStack:
    """Join stacks in the order given; `size` is only for a stack without slices."""
    stacks = [stack for stack in stacks if len(stack)]
    if not stacks:
        return _empty(size)
    return SliceStack(
        **{
            field.name: np.concatenate([getattr(stack, field.name) for stack in stacks])
            for field in dataclasses.fields(SliceStack)
        }
    )


def thinned(stack: SliceStack, most: int) -> SliceStack:
    """Some of the slices of each plane of each channel, evenly spread, first and last among them.

    Args:
        stack: Sorted, as slicing gives it.
        most: Slices a plane and channel.
    """
    chosen = thinned_places(stack, most)
    return SliceStack(
        **{field.name: getattr(stack, field.name)[chosen] for field in dataclasses.fields(stack)}
    )


def thinned_places(stack: SliceStack, most: int) -> np.ndarray:
    """Where the slices of `thinned` lie in the stack: int (S',), ascending."""
    runs = stack.channel.astype(np.int64) * len(PLANES) + stack.plane
    kept = []
    for run in np.unique(runs).tolist():
        rows = np.flatnonzero(runs == run)
        places = np.linspace(0, len(rows) - 1, min(len(rows), most))
        kept.append(rows[np.rint(places).astype(int)])
    return np.concatenate(kept) if kept else np.zeros(0, int)


def _empty(size: int) -> SliceStack:
    return SliceStack(
        np.zeros((0, size, size), np.uint8),
        np.zeros(0, np.int16),
        np.zeros(0, np.uint8),
        np.zeros(0, np.int32),
        np.zeros(0, np.float32),
    )


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _makes_pictures(shape: tuple[int, ...], plane: int) -> bool:
    """Whether a plane makes pictures: not if it looks at a thin stack from the side."""
    return min(n for i, n in enumerate(shape) if i != 2 - plane) >= _THIN


@dataclass(frozen=True, slots=True)
class _Content:
    """Where the scan is not background."""

    box: Box
    threshold: float
    """Value above which a voxel is foreground."""
    hole: float
    """Value that a voxel without a finite one is taken to have."""


def _find_content(
    shape: tuple[int, ...], proxy: np.ndarray, span: tuple[float, float], recipe: Recipe
) -> _Content:
    """Find the box around what stands out from the background.

    Judged on the proxy, whose block means and one smoothing keep noise out; a lone bright voxel
    does not count, a fiftieth of a layer does.
    """
    smooth = _smoothed(proxy)
    grey = _background_ends(smooth, recipe.background)
    threshold = span[0] + grey / 255.0 * (span[1] - span[0])
    whole = tuple((0, n) for n in shape)
    inner = _box(_stands_out(smooth, recipe.background)) if recipe.crop else None
    if inner is None:
        return _Content(whole, threshold, span[0])
    box = [
        (start * proxy_factor(n), min(n, stop * proxy_factor(n)))
        for (start, stop), n in zip(inner, shape, strict=True)
    ]
    return _Content(tuple(box), threshold, span[0])


def content_box(values: np.ndarray, background: float = 0.5) -> Box:
    """The box around what stands out from the background.

    Args:
        values: uint8 (X, Y, Z), as `voxels.proxy` gives it.
        background: As `Recipe.background`.

    Returns:
        Bounds in voxels; the whole frame where nothing stands out.
    """
    found = _box(_stands_out(_smoothed(values), background))
    return found or tuple((0, n) for n in values.shape)


def _stands_out(smooth: np.ndarray, background: float) -> np.ndarray:
    """Bool: what is content; in a negative, whose background is even and bright, what is darker."""
    shown = 255 - smooth if _is_negative(smooth) else smooth
    return shown > _background_ends(shown, background)


def _is_negative(smooth: np.ndarray) -> bool:
    """Whether all faces of a scan are bright and even, as the air around a body in a negative.

    A bright crop of a body with a dark spot in it is none.
    """
    axes = [axis for axis, n in enumerate(smooth.shape) if n >= _THIN]
    faces = [smooth.take(end, axis).ravel() for axis in axes for end in (0, -1)]
    if not faces:
        return False
    values = np.concatenate(faces)
    if 2 * np.count_nonzero(values > _BRIGHT) < len(values):
        return False  # their median is dark: nearly always so, and quickly seen
    low, middle, high = np.percentile(values, (20, 50, 80)).tolist()
    darker = (smooth < middle - 2 * _EVEN).mean()
    return bool(middle > _BRIGHT and high - low < _EVEN and darker > _BODY)


def _box(inside: np.ndarray) -> Box | None:
    """Bounds of the layers of which a fiftieth is inside; None if there are none."""
    box = []
    for axis in range(3):
        others = tuple(i for i in range(3) if i != axis)
        used = np.flatnonzero(inside.mean(axis=others) > 0.02)
        if used.size == 0:
            return None
        box.append((int(used[0]), int(used[-1]) + 1))
    return tuple(box)


def _smoothed(proxy: np.ndarray) -> np.ndarray:
    """Mean over 3 voxels along each axis, edges repeated; float32."""
    values = proxy.astype(np.float32)
    for axis, n in enumerate(values.shape):
        if n >= _THIN:
            before = np.concatenate([values.take([0], axis), values], axis).take(range(n), axis)
            after = np.concatenate([values, values.take([-1], axis)], axis).take(
                range(1, n + 1), axis
            )
            values = (before + values + after) / 3
    return values


def _background_ends(smooth: np.ndarray, share: float) -> float:
    """Grey value above which a voxel is content.

    Counted from the mean of the dark voxels, not from 0: noise lifts the whole background.
    """
    between = _otsu(smooth)
    dark = smooth[smooth < between + 1]  # the threshold is a whole grey level
    low = float(dark.mean(dtype=np.float64)) if dark.size else 0.0
    return low + share * (between - low)


def _otsu(values: np.ndarray) -> float:
    """Otsu's threshold of grey values 0 to 255 (IEEE Trans. SMC 9, 1979)."""
    counts = np.bincount(values.ravel().astype(np.uint8), minlength=256).astype(np.float64)
    below = np.cumsum(counts)
    moment = np.cumsum(counts * np.arange(256))
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = (moment[-1] * below / below[-1] - moment) ** 2 / (below * above)
    return float(np.nanargmax(np.where(np.isfinite(spread), spread, -1.0)))


def _cut(
    values: np.ndarray,
    spacing: float,
    content: _Content,
    window: tuple[float, float],
    channel: int,
    plane: int,
    recipe: Recipe,
) -> SliceStack:
    axis = 2 - plane
    index = _positions(content.box[axis], spacing, recipe)
    inner = [slice(start, stop) for start, stop in content.box]
    pixels = np.empty((len(index), recipe.size, recipe.size), np.float32)
    for row, i in enumerate(index.tolist()):
        inner[axis] = slice(i, i + 1)
        picture = values[tuple(inner)].squeeze(axis)
        pixels[row] = _resized(picture, recipe.size, content.hole).T[::-1]
    levels = grey(pixels, window)
    keep = (pixels > content.threshold).mean(axis=(1, 2)) >= recipe.foreground
    keep &= levels.std(axis=(1, 2)) >= recipe.contrast
    return SliceStack(
        pixels=levels[keep],
        channel=np.full(int(keep.sum()), channel, np.int16),
        plane=np.full(int(keep.sum()), plane, np.uint8),
        index=index[keep],
        position_mm=(index[keep] * spacing).astype(np.float32),
    )


def _positions(bounds: tuple[int, int], spacing: float, recipe: Recipe) -> np.ndarray:
    """int32 indices of the slices, evenly spread over the content."""
    start, stop = bounds
    available = stop - start
    wanted = max(recipe.min_slices, round(available * spacing / recipe.spacing_mm))
    n = min(available, wanted, recipe.max_slices // len(recipe.planes))
    centres = start + (np.arange(n) + 0.5) * available / n - 0.5
    return np.floor(centres + 0.5).astype(np.int32)


def _resized(picture: np.ndarray, size: int, hole: float) -> np.ndarray:
    """Area mean of a (H, W) picture to (size, size); smaller pictures are interpolated."""
    finite = np.isfinite(picture)
    filled = picture if finite.all() else np.where(finite, picture, np.float32(hole))
    across = weights(picture.shape[1], size).T
    means: np.ndarray = weights(picture.shape[0], size) @ filled @ across
    return means


@functools.lru_cache(maxsize=256)  # slices of a plane all ask for the same
def weights(n: int, size: int) -> np.ndarray:
    """Shares that make n pixels to `size` by area means, or by interpolation where n is smaller.

    Returns:
        float32 (size, n): row i holds the share of each of n pixels in output pixel i; not to be
        written to.
    """
    edges = np.arange(size + 1) * n / size
    overlap = np.minimum(edges[1:, None], np.arange(1, n + 1)) - np.maximum(
        edges[:-1, None], np.arange(n)
    )
    overlap = np.clip(overlap, 0, None)
    shares: np.ndarray = overlap / overlap.sum(axis=1, keepdims=True)
    return shares.astype(np.float32)


def grey(pixels: np.ndarray, span: tuple[float, float]) -> np.ndarray:
    """uint8 grey levels of finite values, whose span becomes 0 to 255."""
    scale = 255.0 / (span[1] - span[0])
    return np.clip((pixels - span[0]) * scale + 0.5, 0, 255).astype(np.uint8)
