"""The variant rows of cases: made from their proxies once, kept beside the index.

A proxy is what the index holds of a scan, so no file is read for it; where the index keeps none the
files are. The network is `builtin` whatever the index was made with: it is the one that has a
projection, and is fast enough to embed a case some 650 times.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dvdup import embedders, slicing, voxels
from dvdup.compare.cases import CaseSet
from dvdup.compare.missed import Missed
from dvdup.compare.small import Proxies
from dvdup.compare.variant_rows import Projection, VariantRows, variant_rows
from dvdup.config import DEFAULT_EMBEDDER
from dvdup.embedders import Embedder, LoadOptions
from dvdup.embedders.names import split_name
from dvdup.errors import Interrupted
from dvdup.fingerprint import code_fingerprint
from dvdup.hashing import file_hash, text_hash
from dvdup.records import Hooks, IndexedCase, Key, SliceStack
from dvdup.slicing import Recipe
from dvdup.store.variants import VariantTable
from dvdup.workers import Crew
from dvdup.workspace import Workspace, checkpoint_folder

_BLOCK = 32  # cases whose rows are made before they are kept
CODE = ("compare.variant_rows", "compare.variant_store", "slicing", "variants", "voxels")


@dataclass(frozen=True, slots=True)
class Network:
    """The network that makes variant rows, loaded when it is needed."""

    name: str
    options: LoadOptions
    projection: Projection
    key: str
    """Changes with the weights, the projection and the code that makes rows."""

    def name_of(self, content: str) -> str:
        """The key of the rows of a content."""
        return text_hash(f"{self.key}\0{content}")

    def load(self) -> Embedder:
        """Load it."""
        return embedders.load_embedder(self.name, self.options)


def network_of(workspace: Workspace) -> Network:
    """The network that makes the variant rows of an index."""
    return network_for(workspace.config.embedder, checkpoint_folder(workspace.config))


def network_for(embedder: str, folder: Path | None = None) -> Network:
    """`builtin@FILE` if that is the embedder and FILE has a projection beside it, else `builtin`.

    Args:
        embedder: A name as for `embedders.load_embedder`.
        folder: Where a relative path starts; None: the working folder.
    """
    options = LoadOptions(threads=1, folder=folder or Path.cwd())
    name, weights = DEFAULT_EMBEDDER, embedders.packaged_weights()
    parsed = split_name(embedder)
    if parsed.head == DEFAULT_EMBEDDER and parsed.file:
        own = options.find(parsed.file)
        if embedders.projection_file(own).is_file():
            name, weights = embedder, own
    file = embedders.projection_file(weights)
    key = [file_hash(weights), file_hash(file), code_fingerprint(*CODE)]
    return Network(name, options, Projection.load(file), "\0".join(key))


class RowMaker:
    """Makes variant rows; on another machine with a network that is loaded there."""

    def __init__(self, network: Network) -> None:
        """Load nothing yet."""
        self._network = network
        self._loaded: Embedder | None = None

    def __getstate__(self) -> dict[str, object]:
        """What travels to another machine."""
        return {"_network": self._network, "_loaded": None}

    def load(self) -> Embedder:
        """Load the network, once."""
        if self._loaded is None:
            self._loaded = self._network.load()
        return self._loaded

    def __call__(self, case: IndexedCase) -> VariantRows:
        """Make the rows of a case, which has its proxy."""
        return rows_of(case, self.load().embed, self._network.projection)


@dataclass(slots=True)
class VariantStore:
    """The variant rows that a command needs."""

    workspace: Workspace
    network: Network
    table: VariantTable
    pool: Executor
    """Threads that read rows and search them."""
    missed: Missed
    """Is told which cases have no proxy and no files."""
    hooks: Hooks
    _maker: RowMaker | None = None

    def ensure(self, cases: Sequence[IndexedCase], holder: CaseSet) -> None:
        """Make the rows that are missing.

        Args:
            cases: Voting cases, one of every content.
            holder: Gives them with their proxies.

        Raises:
            Interrupted: The user wants to stop; what was made is kept.
        """
        there = self.table.keys()
        missing = [case for case in cases if self.network.name_of(case.content) not in there]
        if not missing:
            return
        with self.workspace.runner.readers(len(missing)) as crew:
            self._make(missing, holder, crew)
        self.hooks.progress("embedding variants", len(missing), len(missing))

    def _make(self, missing: Sequence[IndexedCase], holder: CaseSet, crew: Crew) -> None:
        """Make rows, a block of cases at a time, each of which is kept when it is finished."""
        proxies = Proxies(self.workspace.root, self.missed)
        size = max(_BLOCK, crew.block * crew.ahead())
        for start in range(0, len(missing), size):
            self.hooks.progress("embedding variants", start, len(missing))
            if self.hooks.should_stop():
                raise Interrupted(
                    f"stopped after {start} of {len(missing)} variants, which are kept; run it "
                    "again to go on"
                )
            block = missing[start : start + size]
            filled = proxies.filled(holder.proxied([case.key for case in block]).values())
            made = self._made(filled, crew, start, len(missing))
            self._tell_empty(case for case in filled.values() if not len(made[case.key].slices))
            rows = {
                self.network.name_of(filled[key].content): each.to_bytes()
                for key, each in made.items()
                if len(each.slices)
            }
            if holder.lasting:
                self.table.add(rows)
            else:
                self.table.add_for_now(rows)

    def _tell_empty(self, cases: Iterable[IndexedCase]) -> None:
        """A case without rows finds nobody, and nobody finds it: it has not been checked."""
        for case in cases:
            self.missed.failed(
                case,
                "nothing is to be seen in its small copy; look at it with dvdup show, or leave it "
                "out with dataset.exclude",
            )

    def there(self, cases: Sequence[IndexedCase]) -> list[str]:
        """The contents of the cases whose rows are there, sorted."""
        there = self.table.keys()
        contents = {case.content for case in cases}
        return sorted(each for each in contents if self.network.name_of(each) in there)

    def stream(self, contents: Collection[str]) -> Iterator[tuple[str, VariantRows]]:
        """The rows of some contents; of those that have none, nothing."""
        names = {self.network.name_of(content): content for content in contents}
        for name, rows in self.table.read(names, VariantRows.from_bytes, self.pool):
            yield names[name], rows

    def _made(
        self, cases: Mapping[Key, IndexedCase], crew: Crew, before: int, total: int
    ) -> dict[Key, VariantRows]:
        """The rows of some cases, which have their proxies; so many of all were made before."""
        if not cases:
            return {}
        maker = self._maker = self._maker or RowMaker(self.network)
        if not crew.elsewhere:
            maker.load()  # once, before the threads ask for it
        rows = crew.in_order(maker, cases.values())
        made = {}
        for n, (key, row) in enumerate(zip(cases, rows, strict=True), start=1):
            made[key] = row
            if n < len(cases):  # what is not kept yet is not finished
                self.hooks.progress("embedding variants", before + n, total)
        return made


def rows_of(
    case: IndexedCase, embed: Callable[[np.ndarray], np.ndarray], projection: Projection
) -> VariantRows:
    """Make the variant rows of a case from its proxy.

    Args:
        case: With its proxy.
        embed: From uint8 (S, H, W) to unit float32 (S, D).
        projection: From D to 64 numbers, and to cells.
    """
    proxies = voxels.unpacked(case.proxy, case.proxy_shape)
    return rows_of_proxies(proxies, case.shape, case.spacing, embed, projection)


def rows_of_proxies(
    proxies: np.ndarray,
    shape: tuple[int, ...],
    spacing: tuple[float, ...],
    embed: Callable[[np.ndarray], np.ndarray],
    projection: Projection,
) -> VariantRows:
    """Make variant rows from the proxies of the voting channels.

    Args:
        proxies: uint8 (C, x, y, z), of `voxels.proxy`.
        shape: Voxels along X, Y, Z of the channels that they were made of.
        spacing: mm along X, Y, Z of these channels.
        embed: From uint8 (S, H, W) to unit float32 (S, D).
        projection: From D to 64 numbers, and to cells.
    """
    mm = tuple(float(size) * voxels.proxy_factor(n) for size, n in zip(spacing, shape, strict=True))
    return variant_rows(_cut(proxies, mm), embed, projection)


def _cut(proxies: np.ndarray, spacing: tuple[float, ...]) -> SliceStack:
    """Slices of proxies, as the built-in network wants them, whatever the recipe of the index."""
    recipe = slicing.make_recipe(size=embedders.BUILTIN_SIDE)
    stack = _cut_by(proxies, spacing, recipe)
    if len(stack):
        return stack
    # what was informative at full resolution may be faint here: better all slices than none
    return _cut_by(proxies, spacing, dataclasses.replace(recipe, foreground=0.0, contrast=0.0))


def _cut_by(proxies: np.ndarray, spacing: tuple[float, ...], recipe: Recipe) -> SliceStack:
    stacks = [
        slicing.slice_channel(
            np.asfortranarray(proxy, np.float32), proxy, spacing, "", channel, recipe
        )
        for channel, proxy in enumerate(proxies)
    ]
    return slicing.concatenate(stacks, recipe.size)
