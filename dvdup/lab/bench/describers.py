"""Scans to rows: by slices and an embedder, or by a baseline that takes the scan as a whole.

Both kinds give `Rows`, so that everything after them is the same: a baseline is an embedder whose
scans have one slice a channel.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import numpy as np

from dvdup import embedders, slicing, voxels
from dvdup.compare.variant_rows import VariantRows
from dvdup.compare.variant_store import Network, network_for, rows_of_proxies
from dvdup.embedders import Embedder, LoadOptions
from dvdup.lab.bench import baselines
from dvdup.lab.evaluate.scans import Scan
from dvdup.records import Embedded, SliceStack
from dvdup.slicing import Recipe


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """A described scan."""

    rows: Embedded
    """One row a slice, rounded to float16 as in the index; of a baseline one row a channel."""
    variants: Callable[[], VariantRows | None]
    """Makes the rows that candidates are found by; of a baseline None."""
    seconds: float
    """Spent in `embed`."""
    embedded: int
    """Slices that were embedded in that time."""

    def __len__(self) -> int:
        return len(self.rows.embedding)


@dataclass(frozen=True, slots=True)
class Method:
    """A way to describe scans, by name; what is loaded from it goes through `load`."""

    name: str
    """As printed."""
    key: str
    """Changes with everything that changes the rows."""
    dimensions: int
    recipe: Recipe | None
    """None for a baseline."""

    @property
    def sliced(self) -> bool:
        """Whether it works on slices."""
        return self.recipe is not None


class Describer(Protocol):
    """Turns scans into rows."""

    def describe(self, scan: Scan) -> Rows:
        """Describe a scan; no rows if nothing in it is informative."""


Recipes = Callable[[int], Recipe]
"""From the side of the slices an embedder wants to the recipe in force."""


def find_method(name: str, recipe_for: Recipes, options: LoadOptions) -> Method:
    """Look a method up; loads the network, because only that tells its dimensions.

    Raises:
        EmbedderError: Unknown name, or weights missing.
    """
    if name in baselines.BASELINES:
        baseline = baselines.BASELINES[name]
        return Method(name, f"{name} {baseline.version}", baseline.dimensions, None)
    spec = embedders.load_embedder(name, options).spec
    recipe = recipe_for(spec.slice_size)
    key = f"{spec.name} {spec.weights_hash} {recipe.hash()}"
    return Method(spec.name, key, spec.dimensions, recipe)


def load(name: str, method: Method, options: LoadOptions) -> Describer:
    """Load what describes scans.

    Args:
        name: As the user wrote it: where a checkpoint lies stands in it, not in `Method.name`.
        method: The method of that name.
        options: How to run it.
    """
    if method.recipe is None:
        return _Whole(baselines.BASELINES[name].describe)
    return _Sliced(embedders.load_embedder(name, options), method.recipe, network_for(name))


class _Sliced:
    """Slices and an embedder."""

    def __init__(self, embedder: Embedder, recipe: Recipe, network: Network) -> None:
        self._embedder = embedder
        self._recipe = recipe
        self._network = network
        self._loaded: Embedder | None = None

    def describe(self, scan: Scan) -> Rows:
        """Slice, then embed."""
        stack = _cut(scan, self._recipe)
        start = time.perf_counter()
        embedding = self._embed(stack.pixels)
        seconds = time.perf_counter() - start
        rows = Embedded(embedding, stack.channel, stack.plane, stack.index, stack.position_mm)
        return Rows(rows, partial(self._variants, scan), seconds, len(stack))

    def _variants(self, scan: Scan) -> VariantRows:
        """As a comparison makes them, by the network that it uses."""
        if self._loaded is None:
            self._loaded = self._network.load()
        proxies = np.stack([voxels.proxy(values) for values in scan.channels])
        return rows_of_proxies(
            proxies,
            scan.channels[0].shape,
            scan.spacing,
            self._loaded.embed,
            self._network.projection,
        )

    def _embed(self, pixels: np.ndarray) -> np.ndarray:
        return _as_stored(self._embedder.embed(pixels))


class _Whole:
    """A baseline."""

    def __init__(self, function: Callable[[np.ndarray], np.ndarray | None]) -> None:
        self._function = function

    def describe(self, scan: Scan) -> Rows:
        """One row a channel; constant channels have none."""
        found = {
            number: row
            for number, values in zip(scan.numbers, scan.channels, strict=True)
            if (row := self._function(values)) is not None
        }
        n = len(found)
        embedding = np.stack(list(found.values())) if n else np.zeros((0, 1), np.float32)
        nothing = slicing.concatenate([])
        filled = replace(nothing, channel=np.array(list(found), np.int16))
        zeros = np.zeros(n, np.float32)
        rows = Embedded(
            _as_stored(embedding),
            filled.channel,
            zeros.astype(np.uint8),
            zeros.astype(np.int32),
            zeros,
        )
        return Rows(rows, lambda: None, 0.0, 0)


def _as_stored(embedding: np.ndarray) -> np.ndarray:
    return embedding.astype(np.float16).astype(np.float32)


def _cut(scan: Scan, recipe: Recipe) -> SliceStack:
    stacks = [
        slicing.slice_channel(
            values, voxels.proxy(values), scan.spacing, scan.modality, number, recipe
        )
        for number, values in zip(scan.numbers, scan.channels, strict=True)
    ]
    return slicing.concatenate(stacks, recipe.size)
