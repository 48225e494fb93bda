"""The built-in network as files: what it takes and where they lie."""

from __future__ import annotations

from pathlib import Path

BUILTIN_SIDE = 64
"""Side of the slices that enter the built-in network, px."""


def packaged_weights() -> Path:
    """The safetensors file inside the package; the model that runs lies beside it."""
    return Path(__file__).parent / "weights" / "builtin.safetensors"


def projection_file(weights: Path) -> Path:
    """Where the projection and the code book of a built-in network lie, beside its weights."""
    return weights.with_suffix(".projection.npz")
