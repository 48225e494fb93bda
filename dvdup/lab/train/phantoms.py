"""Procedural scans, so that the network does not depend on the organs it happened to see.

A family is a body plan: ellipsoids, tubes and shells of various intensities, filled with textures
of various grain. Its members are bent versions with partly their own texture, as persons are: what
tells them apart is detail, not the plan. Half the families have a background, the others fill the
picture, as crops of organs do.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812

from dvdup.lab.train.scans import Scan, content_box
from dvdup.records import Progress, no_progress

_VERSION = 1  # of the phantoms: raise it whenever the same numbers give others
_SIDES = (56, 96)
"""Range of the voxels along an axis."""
_MM = (0.8, 3.0)
"""Range of the size of a voxel; it has no effect but on anisotropy."""


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """What the members of a family share."""

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    structure: torch.Tensor
    """float32, 0 to 1: intensity without texture."""
    texture: torch.Tensor
    """float32, zero mean, unit deviation."""
    grain: float
    """Exponent of the texture's spectrum: 0 is white, 3 is clouds."""
    strength: float
    """Of the texture, as a share of the intensity."""
    own: float
    """Share of the texture that each member has for itself."""
    bend: float
    """How far members are bent, as a share of the extent."""
    body: torch.Tensor | None
    """float32, 0 outside; None where there is no background."""


def cached_phantoms(
    file: Path, seed: int, families: int, members: int, progress: Progress = no_progress
) -> tuple[Scan, ...]:
    """Make phantoms, or read those that were made for the same numbers before.

    Args:
        file: An .npz file; written if there is none of these numbers.
        seed: Of everything in them.
        families: How many body plans; may be 0.
        members: Phantoms a plan.
        progress: Called as families are made.
    """
    numbers = np.array([_VERSION, seed, families, members])
    if file.is_file():
        with np.load(file) as kept:
            if np.array_equal(kept["numbers"], numbers):
                return tuple(
                    _as_scan(number, member, kept[f"voxels-{number}-{member}"], kept["spacings"])
                    for number in range(families)
                    for member in range(members)
                )
    scans: list[Scan] = []
    for number in range(families):
        progress("making phantoms", number, families)
        scans += make_family(seed, number, members)
    if scans:
        arrays = {scan.name.replace("phantom", "voxels"): scan.voxels for scan in scans}
        spacings = np.array([scan.spacing for scan in scans[::members]])
        np.savez(file, allow_pickle=False, numbers=numbers, spacings=spacings, **arrays)
    return tuple(scans)


def make_family(seed: int, number: int, members: int) -> tuple[Scan, ...]:
    """Make one family; the same for the same seed and number, whatever else is made."""
    rng = np.random.default_rng((seed, number))
    plan = _plan(rng)
    spacings = {number: plan.spacing}
    return tuple(
        _as_scan(number, member, _member(plan, rng), spacings) for member in range(members)
    )


def _as_scan(number: int, member: int, pixels: np.ndarray, spacings: Any) -> Scan:
    x, y, z = (float(mm) for mm in spacings[number])
    name = f"phantom-{number}-{member}"
    return Scan(name, name, f"phantom-{number}", pixels, (x, y, z), content_box(pixels))


def _plan(rng: np.random.Generator) -> _Plan:
    x, y, z = (int(n) for n in rng.integers(*_SIDES, 3))
    shape = (x, y, z)
    size = float(rng.uniform(*_MM))
    spacing = (size, size, size * float(rng.choice((1.0, 1.0, 1.5, 2.0))))
    grain = float(rng.uniform(0.3, 3.0))
    structure = _structure(shape, rng)
    return _Plan(
        shape=shape,
        spacing=spacing,
        structure=structure,
        texture=_noise(shape, grain, rng),
        grain=grain,
        strength=float(rng.choice((0.1, 0.25, 0.5, 1.0))),
        own=float(rng.uniform(0.2, 0.8)),
        bend=float(rng.uniform(0.02, 0.1)),
        body=_ellipsoid(shape, rng, centre=0.05, radii=(0.7, 0.95)) if rng.random() < 0.5 else None,
    )


def _member(plan: _Plan, rng: np.random.Generator) -> np.ndarray:
    own = _noise(plan.shape, plan.grain, rng)
    texture = (1 - plan.own) * plan.texture + plan.own * own
    values = plan.structure + plan.strength * texture * (0.3 + 0.7 * plan.structure) * 0.5
    if plan.body is not None:
        values = (values - values.min() + 0.1) * plan.body
    values = _bent(values, plan.bend, rng)
    values = values + 0.02 * _noise(plan.shape, 0.0, rng)
    low, high = torch.quantile(values.flatten()[:: max(1, values.numel() // 65536)], _ENDS)
    unit = ((values - low) / (high - low).clamp(min=1e-6)).clamp(0, 1)
    pixels: np.ndarray = (unit * 255).round().to(torch.uint8).numpy()
    return pixels


_ENDS = torch.tensor((0.005, 0.995))


def _structure(shape: tuple[int, int, int], rng: np.random.Generator) -> torch.Tensor:
    """Ellipsoids, shells, folds and tubes over a ground, later ones on top."""
    values = torch.full(shape, float(rng.uniform(0.1, 0.6)))
    for _ in range(int(rng.integers(4, 16))):
        kind = rng.random()
        if kind < 0.45:
            inside = _ellipsoid(shape, rng, centre=0.8, radii=(0.06, 0.5))
        elif kind < 0.6:  # tissue with a folded border, as grey and white matter have
            folds = _noise(shape, float(rng.uniform(2.2, 4.0)), rng)
            inside = torch.sigmoid((folds - float(rng.uniform(-0.5, 1.5))) * 8)
        elif kind < 0.75:
            outer = _ellipsoid(shape, rng, centre=0.6, radii=(0.15, 0.8))
            inside = outer * (1 - outer.roll((1, -1, 1), (0, 1, 2))) + _edge(outer)
        else:
            inside = _tube(shape, rng)
        values = values + inside.clamp(0, 1) * (float(rng.uniform(0, 1)) - values)
    return values


def _grid(shape: tuple[int, int, int]) -> tuple[torch.Tensor, ...]:
    axes = [torch.linspace(-1, 1, n) for n in shape]
    return tuple(torch.meshgrid(*axes, indexing="ij"))


def _ellipsoid(
    shape: tuple[int, int, int],
    rng: np.random.Generator,
    centre: float,
    radii: tuple[float, float],
) -> torch.Tensor:
    """1 inside, 0 outside, a soft edge; tilted."""
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    matrix = torch.from_numpy(turn / rng.uniform(*radii, (3, 1))).float()
    middle = rng.uniform(-centre, centre, 3)
    parts = [axis - float(c) for axis, c in zip(_grid(shape), middle, strict=True)]
    squared = sum((sum(matrix[i, k] * parts[k] for k in range(3))) ** 2 for i in range(3))
    return torch.sigmoid((1 - squared) * float(rng.uniform(4, 20)))


def _edge(inside: torch.Tensor) -> torch.Tensor:
    """The rind of a soft body."""
    return (4 * inside * (1 - inside)).clamp(0, 1)


def _tube(shape: tuple[int, int, int], rng: np.random.Generator) -> torch.Tensor:
    """A vessel along a wavy line."""
    axes = _grid(shape)
    along, *across = rng.permutation(3).tolist()
    t = axes[along]
    squared = torch.zeros(shape)
    for axis in across:
        wave, phase, height = rng.uniform(0.5, 3), rng.uniform(0, 6.3), rng.uniform(0.05, 0.5)
        line = float(rng.uniform(-0.6, 0.6)) + float(height) * torch.sin(float(wave) * t + phase)
        squared = squared + (axes[axis] - line) ** 2
    radius = float(rng.uniform(0.03, 0.12))
    return torch.sigmoid((1 - squared / radius**2) * 4)


def _noise(shape: tuple[int, int, int], grain: float, rng: np.random.Generator) -> torch.Tensor:
    """Noise whose amplitude falls with frequency to the power of `grain`."""
    white = torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))
    if grain == 0:
        return white
    spectrum = torch.fft.rfftn(white)
    fx, fy = (torch.fft.fftfreq(n) for n in shape[:2])
    fz = torch.fft.rfftfreq(shape[2])
    squared = fx[:, None, None] ** 2 + fy[None, :, None] ** 2 + fz[None, None, :] ** 2
    shaped = torch.fft.irfftn(spectrum / (squared + 1e-3) ** (grain / 2), s=shape)
    return (shaped - shaped.mean()) / shaped.std().clamp(min=1e-6)


def _bent(values: torch.Tensor, bend: float, rng: np.random.Generator) -> torch.Tensor:
    """Move every voxel along a smooth random field."""
    field = torch.from_numpy(rng.standard_normal((1, 3, 5, 5, 5), dtype=np.float32)) * bend
    moved = F.interpolate(field, size=values.shape, mode="trilinear", align_corners=True)
    grid = torch.stack(_grid(tuple(values.shape))[::-1], dim=-1)[None]
    grid = grid + moved.permute(0, 2, 3, 4, 1)
    bent = F.grid_sample(values[None, None], grid, padding_mode="border", align_corners=True)
    return bent[0, 0]
