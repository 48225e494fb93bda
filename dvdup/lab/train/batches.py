"""Batches: pairs of views of many scans, composed so that hard negatives abound.

A batch is a number of chunks; a chunk is one scan seen at several sites. Chunks of real scans share
their sites, and so do the chunks of one family of phantoms. Step and seed alone decide what is in a
batch, so a run that is resumed sees the same ones.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812

from dvdup.lab.train import greys
from dvdup.lab.train.planes import Planes, Sites, Strength, draw_planes, draw_sites, too_close
from dvdup.lab.train.scans import Scan

_GRIDS = ((32, 0.25), (48, 0.3), (64, 0.3), (96, 0.15))
"""Pixels that a view has before it is resampled, and how often."""
_FLAT = 0.05  # standard deviation below which a view shows nothing


@dataclass(frozen=True, slots=True)
class Mix:
    """What a batch is made of."""

    chunks: int = 12
    views: int = 12
    """Pairs a chunk."""
    phantoms: float = 0.42
    """Share of the chunks, where there are real scans at all."""
    pictures: float = 0.06
    """Share of the chunks, where there are pictures."""
    curves: float = 0.4
    """Share of the groups whose values are mapped by a random curve."""
    smallest: float = 0.18
    """Smallest window on a real scan, as a share of its content; on phantoms twice that."""
    size: int = 64
    strength: Strength = field(default_factory=Strength)


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """N pairs of views."""

    first: torch.Tensor
    """float32 (N, 1, size, size), 0 to 1: little edited, as scans of a database are."""
    second: torch.Tensor
    """float32 (N, 1, size, size): edited."""
    ignore: torch.Tensor
    """bool (N, N): pairs that are neither copies nor strangers; false on the diagonal."""
    valid: torch.Tensor
    """bool (N,): pairs that show something."""


@dataclass(frozen=True, slots=True, eq=False)
class _Chunk:
    scans: tuple[Scan, ...]
    """One scan, or as many pictures as there are sites."""
    sites: Sites
    points: torch.Tensor | None
    """Of the curve that its values go through."""


class Batches:
    """Makes the batch of a step."""

    def __init__(
        self, scans: Sequence[Scan], phantoms: Sequence[Scan], mix: Mix, seed: int
    ) -> None:
        """Sort the scans; at least one kind must be there."""
        self._volumes = [scan for scan in scans if not scan.is_picture]
        self._pictures = [scan for scan in scans if scan.is_picture]
        families: dict[str, list[Scan]] = {}
        for scan in phantoms:
            families.setdefault(scan.family, []).append(scan)
        self._families = list(families.values())
        self._mix = mix
        self._seed = seed
        self._halved: dict[str, torch.Tensor] = {}

    def make(self, step: int) -> Batch:
        """The batch of a step, the same whenever it is made."""
        rng = np.random.default_rng((self._seed, step))
        random = torch.Generator().manual_seed(int(rng.integers(2**62)))
        chunks = self._choose(rng, random)
        amounts = [self._amounts(random) for _ in chunks]
        first = self._render(chunks, [a for a, _ in amounts], rng, random)
        second = self._render(chunks, [b for _, b in amounts], rng, random)
        valid = (first.std(dim=(1, 2, 3)) > _FLAT) & (second.std(dim=(1, 2, 3)) > _FLAT)
        return Batch(first, second, self._ignore(chunks), valid)

    def _amounts(self, random: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """How far the two views of each pair depart from their site."""
        views = self._mix.views
        drawn = torch.rand((3, views), generator=random)
        first = torch.where(drawn[0] < 0.25, 0.6 * drawn[1], 0.12)
        return first, 0.25 + 0.75 * drawn[2]

    def _choose(self, rng: np.random.Generator, random: torch.Generator) -> list[_Chunk]:
        """Scans and sites: pictures, then real scans, then families until the batch is full."""
        mix, chunks = self._mix, []
        if len(self._pictures) >= mix.views:
            for _ in range(rng.binomial(mix.chunks, mix.pictures)):
                chosen = rng.choice(len(self._pictures), mix.views, replace=False)
                scans = tuple(self._pictures[i] for i in chosen)
                chunks.append(self._chunk(scans, self._picture_sites(random), rng))
        n_phantoms = round(mix.chunks * mix.phantoms) if self._families else 0
        wanted = max(0, mix.chunks - len(chunks) - n_phantoms)
        chunks += self._group(self._persons(wanted, rng), mix.smallest, rng, random)
        while len(chunks) < mix.chunks and self._families:
            family = self._families[int(rng.integers(len(self._families)))]
            most = min(len(family), mix.chunks - len(chunks))
            members = [family[i] for i in rng.permutation(len(family))[:most]]
            chunks += self._group(members, 2 * mix.smallest, rng, random)
        return chunks

    def _persons(self, wanted: int, rng: np.random.Generator) -> list[Scan]:
        """Random volumes of different persons."""
        chosen: dict[str, Scan] = {}
        for i in rng.permutation(len(self._volumes)):
            if len(chosen) < wanted:
                chosen.setdefault(self._volumes[i].person, self._volumes[i])
        return list(chosen.values())

    def _group(
        self,
        scans: Sequence[Scan],
        smallest: float,
        rng: np.random.Generator,
        random: torch.Generator,
    ) -> list[_Chunk]:
        """Scans that share sites and curve."""
        sites = draw_sites(self._mix.views, smallest, random)
        points = self._points(rng)
        return [_Chunk((scan,), sites, points) for scan in scans]

    def _chunk(self, scans: tuple[Scan, ...], sites: Sites, rng: np.random.Generator) -> _Chunk:
        return _Chunk(scans, sites, self._points(rng))

    def _picture_sites(self, random: torch.Generator) -> Sites:
        """Sites within single pictures, which lie across the last axis."""
        sites = draw_sites(self._mix.views, 0.4, random)
        axis = torch.full_like(sites.axis, 2)
        centre = torch.cat([sites.centre[:, :2] * 0.3, torch.zeros(len(axis), 1)], 1)
        return Sites(axis, centre, sites.half, torch.eye(3).repeat(len(axis), 1, 1))

    def _points(self, rng: np.random.Generator) -> torch.Tensor | None:
        if rng.random() >= self._mix.curves:
            return None
        points = rng.random(6)
        points[0] = 0.0 if rng.random() < 0.8 else points[0]
        return torch.from_numpy(points).float()

    def _ignore(self, chunks: Sequence[_Chunk]) -> torch.Tensor:
        n, views = len(chunks) * self._mix.views, self._mix.views
        ignore = torch.zeros((n, n), dtype=torch.bool)
        for i, chunk in enumerate(chunks):
            if len(chunk.scans) == 1:
                own = slice(i * views, (i + 1) * views)
                ignore[own, own] = too_close(chunk.sites, _half_box(chunk.scans[0]))
        return ignore.fill_diagonal_(False)

    def _render(
        self,
        chunks: Sequence[_Chunk],
        amounts: Sequence[torch.Tensor],
        rng: np.random.Generator,
        random: torch.Generator,
    ) -> torch.Tensor:
        """One view of every site of every chunk: sampled, edited, resampled."""
        mix = self._mix
        sides, shares = zip(*_GRIDS, strict=True)
        grids = rng.choice(sides, len(chunks), p=shares)
        pictures = torch.empty(len(chunks), mix.views, mix.size, mix.size)
        for n in sorted(set(grids.tolist())):
            of_grid = np.flatnonzero(grids == n).tolist()
            views = torch.cat([self._sample(chunks[i], amounts[i], n, random) for i in of_grid])
            amount = torch.cat([amounts[i] for i in of_grid])
            edited = greys.resize(greys.edit_greys(views, amount, random), mix.size)
            pictures[of_grid] = edited.view(len(of_grid), mix.views, mix.size, mix.size)
        return pictures.view(-1, 1, mix.size, mix.size)

    def _sample(
        self, chunk: _Chunk, amount: torch.Tensor, n: int, random: torch.Generator
    ) -> torch.Tensor:
        """The views of a chunk, float32 (V, n, n), 0 to 1."""
        if len(chunk.scans) == 1:
            scan = chunk.scans[0]
            planes = draw_planes(chunk.sites, _half_box(scan), amount, self._mix.strength, random)
            views = self._sample_scan(scan, planes, n)
        else:
            views = self._sample_pictures(chunk, amount, n, random)
        return views if chunk.points is None else greys.curve(views, chunk.points)

    def _sample_pictures(
        self, chunk: _Chunk, amount: torch.Tensor, n: int, random: torch.Generator
    ) -> torch.Tensor:
        flat = dataclasses.replace(self._mix.strength, tilt=0.0)  # nothing is out of its plane
        views = []
        for i, scan in enumerate(chunk.scans):
            sites = Sites(
                chunk.sites.axis[i : i + 1],
                chunk.sites.centre[i : i + 1],
                chunk.sites.half[i : i + 1],
                chunk.sites.turn[i : i + 1],
            )
            planes = draw_planes(sites, _half_box(scan), amount[i : i + 1], flat, random)
            views.append(self._sample_scan(scan, planes, n))
        return torch.cat(views)

    def _sample_scan(self, scan: Scan, planes: Planes, n: int) -> torch.Tensor:
        """Sample a scan, from its halved copy where the pixels are wide."""
        pixel_mm = planes.across.norm(dim=1) * 2 / n
        coarse = pixel_mm > 1.7 * min(scan.spacing)
        if scan.is_picture or not bool(coarse.any()):
            return sample(_tensor(scan.voxels), 1, scan, planes, n)
        views = torch.empty(len(coarse), n, n)
        for factor in (1, 2):
            chosen = torch.nonzero(coarse if factor == 2 else ~coarse)[:, 0]
            if len(chosen):
                values = _tensor(scan.voxels) if factor == 1 else self._halve(scan)
                views[chosen] = sample(values, factor, scan, _subset(planes, chosen), n)
        return views

    def _halve(self, scan: Scan) -> torch.Tensor:
        """The scan at half its resolution, made once; uint8 in memory."""
        if scan.name not in self._halved:
            half = F.avg_pool3d(_tensor(scan.voxels)[None, None], 2, ceil_mode=True)[0, 0]
            self._halved[scan.name] = half.round().to(torch.uint8)
        return self._halved[scan.name].float()


def sample(values: torch.Tensor, factor: int, scan: Scan, planes: Planes, n: int) -> torch.Tensor:
    """Sample planes through a scan, trilinear.

    Args:
        values: float32 (X, Y, Z), 0 to 255.
        factor: How many voxels of the scan are one of `values`, along each axis.
        scan: Where its content lies.
        planes: V planes.
        n: Pixels a side.

    Returns:
        float32 (V, n, n), 0 to 1; 0 outside the scan and, of masked planes, outside the window.
    """
    spacing = torch.tensor(scan.spacing)
    middle = torch.tensor([(low + high) / 2 for low, high in scan.box])
    size = torch.tensor(values.shape) * factor
    count = len(planes.origin)
    theta = torch.zeros(count, 3, 4)
    theta[:, :, 0] = planes.across / spacing * 2 / size
    theta[:, :, 1] = planes.down / spacing * 2 / size
    theta[:, :, 3] = (middle + planes.origin / spacing) * 2 / size - 1
    grid = F.affine_grid(theta.flip(1), [count, 1, 1, n, n], align_corners=False)
    views = F.grid_sample(
        values[None, None], grid.view(1, count, n, n, 3), padding_mode="zeros", align_corners=False
    )[0, 0]
    views /= 255
    rows = torch.nonzero(planes.masked)[:, 0]
    views[rows] = views[rows] * _within(planes.window[rows], n)
    return views


def _within(window: torch.Tensor, n: int) -> torch.Tensor:
    """Which pixels are inside the window of the site: bool (V, n, n)."""
    line = (2 * torch.arange(n) + 1) / n - 1
    u, v = line.repeat(n)[None], line.repeat_interleave(n)[None]
    one, other = (
        (window[:, k, :1] * u + window[:, k, 1:2] * v + window[:, k, 2:]).abs() <= 1
        for k in range(2)
    )
    return (one & other).view(-1, n, n)


def _half_box(scan: Scan) -> torch.Tensor:
    sides = [(high - low) * mm / 2 for (low, high), mm in zip(scan.box, scan.spacing, strict=True)]
    return torch.tensor(sides, dtype=torch.float32)


def _subset(planes: Planes, rows: torch.Tensor) -> Planes:
    return Planes(
        planes.origin[rows],
        planes.across[rows],
        planes.down[rows],
        planes.window[rows],
        planes.masked[rows],
    )


def _tensor(voxels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(voxels)).float()
