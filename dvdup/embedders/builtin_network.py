"""The network of `builtin`: a small residual net with generalised-mean pooling.

In: float slices at 64 x 64. Out: rows of 128, not yet of unit length. A 5 x 5 stem and the first
stage come down to 16 x 16 at once, so that a slice costs 18 million multiply-adds. Residual stages:
He et al., arXiv 1512.03385; pooling: Radenovic et al., arXiv 1711.02512.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from dvdup.errors import EmbedderError

DIMENSIONS = 128
"""Length of an embedding."""
WIDTHS = (24, 32, 64, 128, 160)
"""Channels of the stem and of the four stages."""

FLAT = 1e-3
"""Added to the deviation of a slice, of 1 for the whole range, so that a black slice stays 0."""
SMALLEST = 1e-6
"""What the pooling raises values to before it takes their power."""


class Stage(nn.Module):
    """Two 3 x 3 convolutions beside a 1 x 1 one; each but the last stage halves the sides."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        """Make it with random weights."""
        super().__init__()
        self.stride = stride
        self.first = _convolution(before, after, 3, stride)
        self.second = _convolution(after, after, 3, 1)
        self.beside = _convolution(before, after, 1, 1)
        self.shrink = nn.AvgPool2d(2) if stride == 2 else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """float32 (S, before, H, W) to (S, after, H / stride, W / stride)."""
        inner = self.second(F.relu(self.first(x), inplace=True))
        return F.relu(inner + self.beside(self.shrink(x)), inplace=True)


class CopyNetwork(nn.Module):
    """Slices to embeddings."""

    def __init__(self, widths: tuple[int, ...] = WIDTHS, dimensions: int = DIMENSIONS) -> None:
        """Make it with random weights."""
        super().__init__()
        self.widths = widths
        self.stem = _convolution(1, widths[0], 5, 2)
        last = len(widths) - 2
        self.stages = nn.Sequential(
            *(
                Stage(widths[i], widths[i + 1], 1 if i == last else 2)
                for i in range(len(widths) - 1)
            )
        )
        self.power = nn.Parameter(torch.tensor(3.0))
        self.head = nn.Linear(widths[-1], dimensions)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Embed.

        Args:
            x: float32 (S, 1, 64, 64), 0 to 1 (any range: every slice is standardised first).

        Returns:
            float32 (S, D), not of unit length.
        """
        x = x - x.mean(dim=(2, 3), keepdim=True)
        x = x / (x.square().mean(dim=(2, 3), keepdim=True).sqrt() + FLAT)
        x = self.stages(F.relu(self.stem(x), inplace=True))
        pooled = x.clamp(min=SMALLEST).pow(self.power).mean(dim=(2, 3)).pow(1 / self.power)
        return self.head(pooled)


def fused(network: CopyNetwork) -> CopyNetwork:
    """A copy for inference, with every normalisation folded into its convolution."""
    copy = CopyNetwork(network.widths, network.head.out_features)
    copy.load_state_dict(network.state_dict())
    copy.eval().requires_grad_(False)
    for module in list(copy.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, _Convolution):
                setattr(module, name, nn.utils.fuse_conv_bn_eval(child[0], child[1]))
    return copy


def save_network(network: CopyNetwork, path: Path, notes: dict[str, str]) -> None:
    """Write the weights as safetensors, in half precision, with notes as its metadata.

    The same weights and notes give the same bytes.
    """
    from safetensors.torch import save_file

    state = {name: stored(value) for name, value in network.state_dict().items()}
    part = path.with_name(path.name + ".part")
    # one entry: safetensors writes several in an order of chance
    save_file(state, part, metadata={"notes": json.dumps(notes, sort_keys=True)})
    part.replace(path)


def load_network(path: Path) -> CopyNetwork:
    """Read the weights of `save_network`.

    Raises:
        EmbedderError: The file cannot be read, or is of another network.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            state = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        network = CopyNetwork(_widths(state), len(state["head.bias"]))
        network.load_state_dict(state)
    except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise EmbedderError(
            f"{path} holds no weights of the built-in network ({error}); name a file that "
            "`dvdup train` wrote"
        ) from error
    network.eval()
    return network


def _widths(state: Mapping[str, torch.Tensor]) -> tuple[int, ...]:
    """The channels of the stem and of every stage, from the shapes of the weights."""
    stages = sum(name.endswith(".second.0.weight") for name in state)
    of_stages = (state[f"stages.{i}.second.0.weight"].shape[0] for i in range(stages))
    return (state["stem.0.weight"].shape[0], *of_stages)


class _Convolution(nn.Sequential):
    """A convolution and its normalisation."""


def _convolution(before: int, after: int, size: int, stride: int) -> _Convolution:
    convolution = nn.Conv2d(before, after, size, stride, size // 2, bias=False)
    return _Convolution(convolution, nn.BatchNorm2d(after))


def stored(value: torch.Tensor) -> torch.Tensor:
    """Half precision where it is enough: of weights, but not of variances, which may be tiny."""
    half = value.ndim >= 2
    return value.detach().to(torch.float16 if half else torch.float32).contiguous()
