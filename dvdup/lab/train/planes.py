"""Where the views of a batch lie: sites shared by several scans, and two planes for each.

A site is a window on a plane, in units of half the content box: the same site in another scan is
the same level of another person, the hardest negative there is. The two views of a pair see the
site through different affine maps: turned, stretched, shifted, sheared, mirrored, tilted out of
the plane by up to 12 degrees and moved along the normal by up to 1 mm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

_WHOLE = 0.35  # share of the sites that show all of the content
_OBLIQUE = 0.1  # share of the sites on a plane of no axis
_RUN = 3  # sites in a row that are parallel, a few mm apart
_OFFSET_MM = 1.0
_APART_MM = 4.0


@dataclass(frozen=True, slots=True)
class Strength:
    """How far a pair may differ: the largest values, and shares of the views that have them."""

    degrees: float = 40.0
    tilt: float = 12.0
    zoom: tuple[float, float] = (0.45, 2.0)
    """Part of the window that is shown; beyond 1 as where noise hides the end of the content."""
    stretch: float = 0.45
    """Natural logarithm of the largest ratio of the sides."""
    closer: float = 0.7
    """Share of the zoomed views that show a part of the window, rather than more than it."""
    zoomed: float = 0.65
    """Share of the views that are zoomed: crops are the hardest edit."""
    strips: float = 0.1
    """Share of the views that show down to a quarter of one side, as a slab does from the side."""
    shift: float = 0.45
    """Of half the window."""
    shear: float = 0.25
    share: float = 0.5
    """Of the views that are turned; of those that are shifted; and so on."""
    mirrored: float = 0.12


@dataclass(frozen=True, slots=True, eq=False)
class Sites:
    """V windows, in units of half the content box."""

    axis: torch.Tensor
    """int64 (V,): the axis that the plane lies across."""
    centre: torch.Tensor
    """float32 (V, 3), -1 to 1."""
    half: torch.Tensor
    """float32 (V, 2): half sides along the first and second axis of the plane."""
    turn: torch.Tensor
    """float32 (V, 3, 3): rotation in mm that makes an oblique plane of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """V views of one scan: pixel (i, j) of n shows origin + u * across + v * down, in mm."""

    origin: torch.Tensor
    """float32 (V, 3), from the middle of the content box."""
    across: torch.Tensor
    """float32 (V, 3): from the middle of the picture to its right edge."""
    down: torch.Tensor
    """float32 (V, 3): from the middle of the picture to its lower edge."""
    window: torch.Tensor
    """float32 (V, 2, 3): a pixel (u, v, 1) in units of the site's window."""
    masked: torch.Tensor
    """bool (V,): black outside the site's window."""


def draw_sites(views: int, smallest: float, random: torch.Generator) -> Sites:
    """Draw the sites of a chunk.

    Args:
        views: How many.
        smallest: Smallest window, as a share of the content box.
        random: Source of the choices.
    """
    runs = -(-views // _RUN)

    def per_run(*shape: int) -> torch.Tensor:
        drawn = torch.rand((runs, *shape), generator=random)
        return drawn.repeat_interleave(_RUN, 0)[:views]

    axis = (per_run() * 3).long()
    whole = per_run() < _WHOLE
    half = torch.exp(per_run() * math.log(smallest))[:, None]
    half = half * torch.exp((per_run(2) - 0.5) * 0.7)
    half = torch.where(whole[:, None], torch.ones(1), half.clamp(max=1.0))
    inside = (per_run(2) * 2 - 1) * (1 - half)
    level = (per_run() * 2 - 1) * 0.8 + (torch.rand(views, generator=random) - 0.5) * 0.25
    centre = torch.zeros(views, 3)
    rows = torch.arange(views)
    first, second = in_plane(axis)
    centre[rows, axis] = level
    centre[rows, first], centre[rows, second] = inside[:, 0], inside[:, 1]
    oblique = (per_run() < _OBLIQUE).float() * (per_run() - 0.5) * math.radians(120)
    direction = per_run(3) - 0.5
    return Sites(axis, centre, half, rotation(direction, oblique))


def in_plane(axis: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Give the two axes of the planes across `axis`, in order."""
    return (axis == 0).long(), 2 - (axis == 2).long()


def rotation(direction: torch.Tensor, angle: torch.Tensor) -> torch.Tensor:
    """Rotations (V, 3, 3) about directions (V, 3) by angles (V,) (Rodrigues)."""
    x, y, z = (direction / direction.norm(dim=1, keepdim=True).clamp(min=1e-6)).T
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], 1).view(-1, 3, 3)
    sine, cosine = torch.sin(angle)[:, None, None], torch.cos(angle)[:, None, None]
    return torch.eye(3) + sine * cross + (1 - cosine) * cross @ cross


def draw_planes(
    sites: Sites,
    box_mm: torch.Tensor,
    amount: torch.Tensor,
    strength: Strength,
    random: torch.Generator,
) -> Planes:
    """Draw one view of every site in one scan.

    Args:
        sites: V sites.
        box_mm: float32 (3,): half sides of the content box, mm.
        amount: float32 (V,), 0 to 1: how far each view departs from its site.
        strength: What 1 means.
        random: Source of the choices.
    """
    axis, views = sites.axis, len(sites.axis)
    rows = torch.arange(views)
    first, second = in_plane(axis)
    right, lower = torch.zeros(views, 3), torch.zeros(views, 3)
    right[rows, first], lower[rows, second] = 1.0, -1.0
    half = torch.stack([box_mm[first], box_mm[second]], 1) * sites.half
    linear, shift, masked = _draw_map(half, amount, strength, random)

    def turned(vectors: torch.Tensor) -> torch.Tensor:
        return (sites.turn @ vectors[:, :, None])[:, :, 0]

    origin = turned(sites.centre * box_mm)
    right, lower = turned(right), turned(lower)
    tilt = _draw_tilt(right, lower, amount, strength, random)
    right, lower = (tilt @ right[:, :, None])[:, :, 0], (tilt @ lower[:, :, None])[:, :, 0]
    normal = torch.linalg.cross(right, lower)
    jitter = (torch.rand(views, generator=random) * 2 - 1) * _OFFSET_MM * amount
    moved = shift * half
    origin = origin + jitter[:, None] * normal + moved[:, :1] * right + moved[:, 1:] * lower
    across = linear[:, 0, :1] * right + linear[:, 1, :1] * lower
    down = linear[:, 0, 1:] * right + linear[:, 1, 1:] * lower
    window = torch.cat([linear / half[:, :, None], shift[:, :, None]], 2)
    return Planes(origin, across, down, window, masked)


def _draw_map(
    half: torch.Tensor, amount: torch.Tensor, strength: Strength, random: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The map within the plane (V, 2, 2) in mm, the shift in windows, and who is masked."""
    views = len(half)

    def uniform(*shape: int) -> torch.Tensor:
        return torch.rand((views, *shape), generator=random) * 2 - 1

    def some(share: float = strength.share) -> torch.Tensor:
        """1 for the share of the views that has an edit, a little for the others."""
        has = torch.rand(views, generator=random) < share
        return torch.where(has, amount, 0.05 * amount)

    angle = uniform() * some() * math.radians(strength.degrees)
    low, high = (math.log(each) for each in strength.zoom)
    zoom = torch.where(torch.rand(views, generator=random) < strength.closer, low, high)
    zoom = zoom * torch.rand(views, generator=random) * some(strength.zoomed)
    zoom = torch.exp(zoom)
    stretch = torch.exp(uniform() * some() * strength.stretch / 2)
    shear = uniform() * some() * strength.shear * 0.7
    shift = uniform(2) * some()[:, None] * strength.shift
    sides = half * torch.stack([zoom * stretch, zoom / stretch], 1)
    strip = torch.exp(torch.rand(views, generator=random) * math.log(0.25) * amount)
    which = torch.rand((views, 1), generator=random) * 2 / strength.strips
    sides = torch.where(which.long() == torch.arange(2), sides * strip[:, None], sides)
    flip = torch.rand((views, 2), generator=random) < strength.mirrored * torch.tensor([1.0, 0.4])
    sides = torch.where(flip & (amount > 0.2)[:, None], -sides, sides)
    cosine, sine = torch.cos(angle), torch.sin(angle)
    turn = torch.stack([cosine, -sine, sine, cosine], 1).view(-1, 2, 2)
    skew = torch.eye(2).repeat(views, 1, 1)
    skew[:, 0, 1] = shear
    masked = torch.rand(views, generator=random) < 0.6
    return turn @ skew @ torch.diag_embed(sides), shift, masked


def _draw_tilt(
    right: torch.Tensor,
    lower: torch.Tensor,
    amount: torch.Tensor,
    strength: Strength,
    random: torch.Generator,
) -> torch.Tensor:
    """Rotations out of the plane, about a direction of the plane."""
    views = len(right)
    about = torch.rand((views, 1), generator=random) * 2 * math.pi
    most = torch.where(torch.rand(views, generator=random) < strength.share, 1.0, 0.1)
    angle = torch.rand(views, generator=random) * most * amount * math.radians(strength.tilt)
    return rotation(torch.cos(about) * right + torch.sin(about) * lower, angle)


def too_close(sites: Sites, box_mm: torch.Tensor) -> torch.Tensor:
    """Which sites of one scan are neither copies nor strangers: parallel and less than 4 mm apart.

    Args:
        sites: V sites.
        box_mm: float32 (3,): half sides of the content box, mm.

    Returns:
        bool (V, V), true on the diagonal.
    """
    along = sites.centre.gather(1, sites.axis[:, None])[:, 0] * box_mm[sites.axis]
    parallel = sites.axis[:, None] == sites.axis[None, :]
    return parallel & ((along[:, None] - along[None, :]).abs() < _APART_MM)
