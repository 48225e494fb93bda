"""What happens to the values of views: batches of pictures in, edited pictures out.

All edits of `dvdup.edits` that change values, at their strengths and beyond, drawn a view and
composed, on the pixels of the scan; then the resampling to 64 x 64 that slicing does.
"""

from __future__ import annotations

import math

import torch

_SHARE = 0.35  # of the views at full amount that have an edit
_JPEG = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
"""Quantisation of luminance, ITU-T T.81, table K.1."""


class Draw:
    """Random numbers for V views, and which of them an edit happens to."""

    def __init__(self, amount: torch.Tensor, random: torch.Generator) -> None:
        """Remember the amounts, float32 (V,), 0 to 1."""
        self.amount = amount
        self.random = random

    def some(self, share: float = _SHARE) -> tuple[torch.Tensor, Draw]:
        """The views that have an edit: their rows, and the source of its numbers."""
        chance = share * self.amount.clamp(min=0.15)
        rows = torch.nonzero(torch.rand(len(chance), generator=self.random) < chance)[:, 0]
        return rows, Draw(self.amount[rows], self.random)

    def unit(self, *shape: int) -> torch.Tensor:
        """float32 (V, ...), 0 to 1."""
        return torch.rand((len(self.amount), *shape), generator=self.random)

    def upto(self, most: float) -> torch.Tensor:
        """float32 (V, 1, 1), 0 to `most` where the amount is 1."""
        return (self.unit() * self.amount * most)[:, None, None]

    def around(self, most: float) -> torch.Tensor:
        """float32 (V, 1, 1), -`most` to `most` where the amount is 1."""
        return ((self.unit() * 2 - 1) * self.amount * most)[:, None, None]

    def normal(self, *shape: int) -> torch.Tensor:
        """float32 (V, ...), standard normal."""
        return torch.randn((len(self.amount), *shape), generator=self.random)


def edit_greys(x: torch.Tensor, amount: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """Edit the values of views.

    Args:
        x: float32 (V, n, n), 0 to 1; n a multiple of 8. Overwritten.
        amount: float32 (V,), 0 to 1: how far each view may go.
        random: Source of the choices.

    Returns:
        float32 (V, n, n), 0 to 1.
    """
    draw = Draw(amount, random)
    for edit in EDITS:
        rows, of_rows = draw.some()
        if len(rows):
            x[rows] = edit(x[rows], of_rows)
    return to_range(x, draw)


def curve(x: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Map values through a line through points, evenly spread over 0 to 1: another modality.

    Args:
        x: float32, 0 to 1.
        points: float32 (K,), the values at 0, ..., 1.
    """
    place = x.clamp(0, 1) * (len(points) - 1)
    below = place.floor().long().clamp(max=len(points) - 2)
    return torch.lerp(points[below], points[below + 1], place - below)


def blur(x: torch.Tensor, draw: Draw) -> torch.Tensor:
    """Gaussian, up to 3 px; along one axis up to 4, as thick slices look from the side."""
    n = x.shape[-1]
    one_way = (draw.unit(1) < 0.35).float() * (torch.eye(2)[(draw.unit() < 0.5).long()])
    most = torch.where(one_way.sum(1, keepdim=True) > 0, 4.0 * one_way, 3.0)
    sigma = (draw.upto(1.0)[:, :, 0] * most).clamp(min=0.05)
    distance = torch.arange(n)[:, None] - torch.arange(n)[None, :]
    kernel = torch.exp(-0.5 * distance.square() / sigma[:, :, None, None].square())
    kernel = kernel / kernel.sum(dim=-1, keepdim=True)
    return kernel[:, 0] @ x @ kernel[:, 1].transpose(1, 2)


def bias_field(x: torch.Tensor, draw: Draw) -> torch.Tensor:
    """Times a smooth field, peak to peak up to 0.7."""
    line = torch.linspace(-1, 1, x.shape[-1])
    bases = torch.stack([torch.ones_like(line), line, line.square()])
    field = bases.T @ draw.normal(3, 3) @ bases
    low, high = field.amin((1, 2), keepdim=True), field.amax((1, 2), keepdim=True)
    field = (field - low) / (high - low).clamp(min=1e-6) - 0.5
    return x * (1 + draw.upto(0.7) * field)


def gamma(x: torch.Tensor, draw: Draw) -> torch.Tensor:
    """To a power from 0.4 to 2.5."""
    return x.clamp(0, 1).pow(torch.exp(draw.around(math.log(2.6))))


def brightness(x: torch.Tensor, draw: Draw) -> torch.Tensor:
    """Up to 0.35 of the range, saturating."""
    return (x + draw.around(0.35)).clamp(0, 1)


def window(x: torch.Tensor, draw: Draw) -> torch.Tensor:
    """Clip at percentiles: up to 15 below, and above until little but the outline is left."""
    sample = _sorted(x)
    share = torch.stack([0.15 * draw.unit(), 0.6 * draw.unit().square()], 1)
    cut = (share * draw.amount[:, None] * sample.shape[1]).long()
    low = sample.gather(1, cut[:, :1])[:, :, None]
    high = sample.gather(1, sample.shape[1] - 1 - cut[:, 1:])[:, :, None]
    return ((x - low) / (high - low).clamp(min=1e-3)).clamp(0, 1)


def noise(x: torch.Tensor, draw: Draw) -> torch.Tensor:
    """Gaussian, up to 0.25 of the range."""
    return x + draw.upto(0.25) * draw.normal(*x.shape[1:])


def jpeg(x: torch.Tensor, draw: Draw) -> torch.Tensor:
    """Round the coefficients of 8 x 8 blocks as JPEG does, quality 8 to 60."""
    n = x.shape[-1]
    quality = 8 + draw.unit() * 52
    scale = torch.where(quality < 50, 50 / quality, 2 - quality / 50)
    step = ((torch.tensor(_JPEG) * scale[:, None, None]).clamp(min=1) / 255)[:, None, None]
    cosine = _cosines()
    blocks = (x.clamp(0, 1) - 0.5).reshape(-1, n // 8, 8, n // 8, 8).permute(0, 1, 3, 2, 4)
    coefficients = torch.round(cosine @ blocks @ cosine.T / step) * step
    return (cosine.T @ coefficients @ cosine).permute(0, 1, 3, 2, 4).reshape(-1, n, n) + 0.5


def levels(x: torch.Tensor, draw: Draw) -> torch.Tensor:
    """Round to 12 to 72 grey levels, as 8 bits have after a loss of contrast."""
    count = (12 + draw.unit() * 60)[:, None, None]
    return torch.round(x.clamp(0, 1) * count) / count


EDITS = (blur, bias_field, gamma, brightness, window, noise, jpeg, levels)
"""In the order in which they are done."""


def to_range(x: torch.Tensor, draw: Draw) -> torch.Tensor:
    """Map all but the extreme values to 0 to 1 again, as slicing does; some keep their range."""
    sample = _sorted(x)
    edge = int(sample.shape[1] * 0.005)
    beyond = (draw.unit() < 0.7)[:, None, None]
    low = torch.where(beyond, sample[:, edge, None, None].clamp(max=0.3), 0.0)
    high = torch.where(beyond, sample[:, -1 - edge, None, None].clamp(min=0.3), 1.0)
    return ((x - low) / (high - low).clamp(min=1e-2)).clamp_(0, 1)


def _sorted(x: torch.Tensor) -> torch.Tensor:
    """A sample of the values of every view, in order."""
    return x.flatten(1)[:, :: max(1, x[0].numel() // 512)].sort(dim=1).values


def resize(x: torch.Tensor, size: int) -> torch.Tensor:
    """Area mean of (V, n, n) to (V, size, size), the resampling of slicing."""
    weights = _shares(x.shape[-1], size)
    return weights @ x @ weights.T


def _cosines() -> torch.Tensor:
    """The orthonormal cosine transform of 8 samples."""
    k, i = torch.arange(8)[:, None], torch.arange(8)[None, :]
    matrix = torch.cos(math.pi * (2 * i + 1) * k / 16) / 2
    matrix[0] /= math.sqrt(2)
    return matrix


def _shares(n: int, size: int) -> torch.Tensor:
    """float32 (size, n): the share of each of n pixels in every output pixel."""
    edges = torch.arange(size + 1) * n / size
    upper = torch.minimum(edges[1:, None], torch.arange(1, n + 1))
    overlap = (upper - torch.maximum(edges[:-1, None], torch.arange(n))).clamp(min=0)
    return (overlap / overlap.sum(dim=1, keepdim=True)).float()
