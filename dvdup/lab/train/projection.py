"""The projection of a network's embeddings to the rows that candidates are found by.

Principal components of what the network says about phantoms and their variants: no scan of anybody
enters it. It lies beside the weights, and `train` writes both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from dvdup import slicing, variants, voxels
from dvdup.compare.variant_rows import ASKING_SLICES, DIMENSIONS
from dvdup.embedders import BUILTIN_SIDE
from dvdup.lab.train.scans import Scan

Embed = Callable[[np.ndarray], np.ndarray]


def save_projection(file: Path, phantoms: Sequence[Scan], embed: Embed) -> None:
    """Fit the projection of a network and write it.

    Args:
        file: Where it goes; an older one is replaced.
        phantoms: Made-up scans.
        embed: From uint8 (S, H, W) to unit float32 (S, D).
    """
    matrix = fit_projection(phantoms, embed)
    part = file.with_name(file.name + ".part")
    with part.open("wb") as stream:
        np.save(stream, matrix)
    part.replace(file)


def fit_projection(phantoms: Sequence[Scan], embed: Embed) -> np.ndarray:
    """Principal components of the embeddings of phantoms and their variants.

    Args:
        phantoms: Made-up scans.
        embed: From uint8 (S, H, W) to unit float32 (S, D).

    Returns:
        float32 (D, 64), orthonormal columns; not centred, because rows are compared by cosine.
    """
    moments: np.ndarray | None = None
    for phantom in phantoms:
        pixels = _pictures(phantom)
        if len(pixels):
            rows = embed(pixels).astype(np.float64)
            moments = rows.T @ rows if moments is None else moments + rows.T @ rows
    if moments is None:
        raise ValueError("no phantom has a slice to fit a projection on")
    _, vectors = np.linalg.eigh(moments)
    found: np.ndarray = vectors[:, ::-1][:, :DIMENSIONS].astype(np.float32)
    return found


def _pictures(phantom: Scan) -> np.ndarray:
    """Some slices of a phantom under every change; uint8 (S, H, W)."""
    values = np.asfortranarray(phantom.voxels, np.float32)
    recipe = slicing.make_recipe(size=BUILTIN_SIDE)
    stack = slicing.slice_channel(values, voxels.proxy(values), phantom.spacing, "", 0, recipe)
    pixels = slicing.thinned(stack, 2 * ASKING_SLICES).pixels
    return np.concatenate([variants.changed(pixels, change) for change in variants.CHANGES])
