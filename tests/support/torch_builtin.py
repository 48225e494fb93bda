"""The built-in network run by torch, to hold ONNX Runtime to it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dvdup.embedders import LoadOptions, builtin
from dvdup.records import EmbedderSpec


def torch_embedder(weights: Path, options: LoadOptions):
    """An embedder on torch with its normalisations folded away, as ONNX Runtime folds them."""
    import torch

    from dvdup.embedders.builtin_network import fused, load_network
    from dvdup.embedders.runtime import NetworkEmbedder

    def prepare(pixels: np.ndarray, device: torch.device) -> torch.Tensor:
        return torch.from_numpy(builtin.prepare(pixels)).to(device)

    spec = EmbedderSpec("builtin by torch", "", 0, builtin.BUILTIN_SIDE)
    return NetworkEmbedder(fused(load_network(weights)), prepare, spec, options)
