"""The embedder `builtin`: dvdup's own copy-detection network, weights inside the package.

`builtin@FILE` is the same network with weights that `dvdup train` wrote. How the shipped ones were
trained, and what they reach, stands in `weights/builtin.md`.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dvdup.embedders.names import RANDOM, EmbedderName
from dvdup.embedders.runtime import NetworkEmbedder, import_torch, seeded
from dvdup.errors import EmbedderError
from dvdup.hashing import file_hash
from dvdup.records import EmbedderSpec

if TYPE_CHECKING:
    import torch

    from dvdup.embedders import LoadOptions
    from dvdup.embedders.builtin_network import CopyNetwork

CPU_BATCH = 64
"""Slices a batch on the CPU, where this network is fastest."""


def packaged_weights() -> Path:
    """The weight file inside the package."""
    return Path(__file__).parent / "weights" / "builtin.safetensors"


def load(name: EmbedderName, title: str, options: LoadOptions) -> NetworkEmbedder:
    """Load the network.

    Args:
        name: `builtin`, `builtin@FILE` or `builtin@random`.
        title: The name to show and to store.
        options: Where and how to run it.

    Raises:
        EmbedderError: The weights are missing, damaged or of another network; or options are
            given, of which there are none.
    """
    import_torch()
    from dvdup.embedders import builtin_network

    if name.options:
        raise EmbedderError(f"builtin has no options, but {title} names some; leave them out")
    if name.tag == RANDOM:
        with seeded():
            network, digest = builtin_network.CopyNetwork().eval(), RANDOM
    else:
        path = options.find(name.file) if name.file else packaged_weights()
        network, digest = builtin_network.load_network(path), file_hash(path)
    own = not name.file and name.tag != RANDOM
    spec = EmbedderSpec(
        name=title,
        weights_hash=digest,
        dimensions=builtin_network.DIMENSIONS,
        slice_size=builtin_network.SIDE,
        licence="Apache-2.0" if own else "",
        source="dvdup" if own else "",
    )
    return as_embedder(network, spec, options)


def as_embedder(network: CopyNetwork, spec: EmbedderSpec, options: LoadOptions) -> NetworkEmbedder:
    """A network as an embedder, its normalisations folded away."""
    from dvdup.embedders.builtin_network import fused

    if options.batch is None and options.device in ("auto", "cpu"):
        options = dataclasses.replace(options, batch=CPU_BATCH)
    return NetworkEmbedder(fused(network), prepare, spec, options)


def prepare(pixels: np.ndarray, device: torch.device) -> torch.Tensor:
    """uint8 (S, H, W) to float32 (S, 1, 64, 64), 0 to 1; resampled where H or W are not 64."""
    import torch

    from dvdup.embedders.builtin_network import SIDE

    images = torch.from_numpy(np.ascontiguousarray(pixels)).to(device)[:, None].float() / 255
    if images.shape[2:] != (SIDE, SIDE):
        images = torch.nn.functional.interpolate(
            images, (SIDE, SIDE), mode="bilinear", antialias=True
        )
    resized: torch.Tensor = images
    return resized
