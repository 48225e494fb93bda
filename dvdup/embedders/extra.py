"""What the extra `models` brings, and the one sentence where it is missing."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable

from dvdup.errors import EmbedderError

NETWORKS = ("torch", "torchvision", "timm", "huggingface_hub", "safetensors")
"""What every embedder on torch needs."""
INSTALL = "pip install 'dvdup[models]'"
"""The command that brings all of them."""


def demand(what: str, packages: Iterable[str]) -> None:
    """Make sure that packages of the extra can be imported; none of them is.

    Args:
        what: Who needs them, such as `dinov2`.
        packages: Their import names.

    Raises:
        EmbedderError: One is not installed; the message names it and the command that brings it.
    """
    missing = [name for name in packages if not is_installed(name)]
    if missing:
        raise EmbedderError(
            f"{what} needs {', '.join(missing)}, which the base install leaves out; "
            f"run `{INSTALL}`"
        )


def is_installed(name: str) -> bool:
    """Whether a package can be imported; it is not."""
    return name in sys.modules or importlib.util.find_spec(name) is not None
