"""The embedders there are, and how their weights are fetched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dvdup.embedders import LoadOptions
from dvdup.embedders import fetch as fetch_weights
from dvdup.workspace import Workspace


def fetch(workspace: Workspace, name: str, say: Callable[[str], None]) -> Path:
    """Bring the published weights of an embedder into the local cache.

    Args:
        workspace: Says whether the network may be used.
        name: The embedder.
        say: Called before a download with one line: size and licence of the weights.

    Raises:
        EmbedderError: There is nothing to fetch, or no network, or it is not to be used.
    """
    return fetch_weights(name, LoadOptions(offline=workspace.config.offline), say)
