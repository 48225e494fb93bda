"""The projection of a network's embeddings to the rows that candidates are found by, and the cells.

Principal components of what the network says about phantoms and their variants, and centres that
k-means finds in it: no scan of anybody enters them. They lie beside the weights, and `train` writes
all of it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.cluster.vq import kmeans2

from dvdup import slicing, variants, voxels
from dvdup.compare.variant_rows import ASKING_SLICES, CELLS, DIMENSIONS, Projection
from dvdup.embedders import BUILTIN_SIDE
from dvdup.lab.train.scans import Scan

Embed = Callable[[np.ndarray], np.ndarray]

_FITTED = 60_000  # rows that k-means sees
_ROUNDS = 25


def save_projection(file: Path, phantoms: Sequence[Scan], embed: Embed) -> None:
    """Fit the projection of a network and its code book, and write them.

    Args:
        file: Where they go; an older one is replaced.
        phantoms: Made-up scans.
        embed: From uint8 (S, H, W) to unit float32 (S, D).
    """
    fit_projection(phantoms, embed).save(file)


def fit_projection(phantoms: Sequence[Scan], embed: Embed) -> Projection:
    """Principal components and cells of the embeddings of phantoms and their variants.

    Args:
        phantoms: Made-up scans.
        embed: From uint8 (S, H, W) to unit float32 (S, D).

    Returns:
        Of orthonormal columns, strongest first; not centred, because rows are compared by cosine.
        The centres are unit rows of 127, which k-means found among the projected embeddings.

    Raises:
        ValueError: No phantom has a slice.
    """
    shown = [embed(pixels) for pixels in map(_pictures, phantoms) if len(pixels)]
    if not shown:
        raise ValueError("no phantom has a slice to fit a projection on")
    moments = np.sum([rows.T.astype(np.float64) @ rows for rows in shown], axis=0)
    _, vectors = np.linalg.eigh(moments)
    matrix = vectors[:, ::-1][:, :DIMENSIONS].astype(np.float32)
    projection = Projection(matrix, np.zeros((0, DIMENSIONS), np.int8))
    rows = np.concatenate([projection.rows(each) for each in shown])
    return replace(projection, centres=_centres(rows))


def _centres(rows: np.ndarray) -> np.ndarray:
    """The code book: int8 (256, 64), from rows int8 (N, 64)."""
    rng = np.random.default_rng(0)
    some = rows[rng.permutation(len(rows))[:_FITTED]].astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", UserWarning
        )  # of a cell that is empty: it stays where it was
        centres, _ = kmeans2(some, min(CELLS, len(some)), iter=_ROUNDS, minit="points", rng=rng)
    length = np.linalg.norm(centres, axis=1, keepdims=True)
    found: np.ndarray = np.rint(centres / np.maximum(length, 1e-12) * 127).astype(np.int8)
    return found


def _pictures(phantom: Scan) -> np.ndarray:
    """Some slices of a phantom under every change; uint8 (S, H, W)."""
    values = np.asfortranarray(phantom.voxels, np.float32)
    recipe = slicing.make_recipe(size=BUILTIN_SIDE)
    stack = slicing.slice_channel(values, voxels.proxy(values), phantom.spacing, "", 0, recipe)
    pixels = slicing.thinned(stack, 2 * ASKING_SLICES).pixels
    return np.concatenate([variants.changed(pixels, change) for change in variants.CHANGES])
