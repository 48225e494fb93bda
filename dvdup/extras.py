"""What the extras of the package bring, and the one sentence where it is missing."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable

from dvdup.errors import InstallError

NETWORKS = ("torch", "torchvision", "timm", "huggingface_hub", "safetensors")
"""What every embedder on torch needs."""
CONVERSION = ("torch", "safetensors", "onnx")
"""What turning weights of the built-in network into an ONNX model needs, and so its training."""


def demand(what: str, packages: Iterable[str], extra: str = "models") -> None:
    """Make sure that packages of an extra can be imported; none of them is.

    Args:
        what: Who needs them, such as `the embedder dinov2`.
        packages: Their import names.
        extra: The extra that brings them.

    Raises:
        InstallError: One is not installed; the message names it and the command that brings it.
    """
    missing = [name for name in packages if not is_installed(name)]
    if missing:
        raise InstallError(
            f"{what} needs {', '.join(missing)}, which the base install leaves out; "
            f"run `pip install 'dvdup[{extra}]'`"
        )


def is_installed(name: str) -> bool:
    """Whether a package can be imported; it is not."""
    return name in sys.modules or importlib.util.find_spec(name) is not None
