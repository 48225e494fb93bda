"""Where a command works: configuration, index folder, recipe, embedder; all of it lazy."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dvdup import embedders, readers, remote, slicing, store
from dvdup.config import DEFAULT_EMBEDDER, LOCAL, Config, load_config
from dvdup.discover import Formats
from dvdup.embedders import Embedder, LoadOptions
from dvdup.embedders.names import split_name
from dvdup.errors import ConfigError, EmbedderError, StoreError, StoreMismatchError
from dvdup.files import Verified
from dvdup.readers import limits
from dvdup.records import Embedded, EmbedderSpec, Say, SliceStack
from dvdup.repository import commit_of
from dvdup.sealed import SealedFiles, nowhere
from dvdup.slicing import Recipe
from dvdup.store import Index, IndexMeta, Storage, WriteLease, Writer
from dvdup.workers import Local, Runner


@dataclass(frozen=True)
class Workspace:
    """The settings of one command."""

    config: Config
    home: Storage | None = None
    """The index whose key and caches are used; None: its own."""
    lease: WriteLease | None = None
    """The write lock, where the command holds it."""

    @property
    def root(self) -> Path:
        """Folder of the configuration; paths in the index are relative to it."""
        return self.config.root

    @functools.cached_property
    def storage(self) -> Storage:
        """Where the index lies: `.dvdup` beside the configuration unless configured otherwise."""
        return store.storage_at(self.config.index, self.config.root)

    @property
    def folder(self) -> Path:
        """The folder of its locks and caches on this machine; the index folder if it is here."""
        return self.storage.local

    @functools.cached_property
    def runner(self) -> Runner:
        """Where its work is done."""
        here = Local(n_jobs(self.config))
        if self.config.runner == LOCAL:
            return here
        from dvdup.cluster import OnRay  # no other command waits for it

        gpus = int(self.config.device.startswith("cuda"))
        return OnRay(self.config.runner, self.config.jobs, here, gpus)

    @functools.cached_property
    def verified(self) -> Verified:
        """Which young files have been hashed again since they were indexed."""
        return Verified(self.sealed)

    @functools.cached_property
    def sealed(self) -> SealedFiles:
        """The caches beside the index; none where there is no index folder yet."""
        storage = self.home or self.storage
        if not storage.is_marked():
            return nowhere()
        return SealedFiles(storage.caches(), functools.cache(storage.key))

    def beside(self, name: str) -> Workspace:
        """The same dataset with another index: the folder `name` inside this one's."""
        index = f"{self.config.index}/{name}"
        return dataclasses.replace(
            self,
            config=dataclasses.replace(self.config, index=index),
            home=self.home or self.storage,
        )

    @property
    def formats(self) -> Formats:
        """What the readers know about file names, for discovery."""
        return readers_as_formats(self.sealed, self.root)

    def open_any(self) -> Index:
        """Open the index for reading, whatever it was made with.

        Raises:
            StoreError: There is none, or it is not of this dataset.
        """
        self.storage.demand(self.root)
        return Index(self.storage)

    def open_index(self) -> Index:
        """Open the index for reading.

        Raises:
            StoreError: There is none, or it is not of this dataset.
            StoreMismatchError: It was made with other settings than those configured now.
        """
        index = self.open_any()
        demand_same_settings(self.config, index.meta)
        return index

    def writer(self, index: Index, command: str) -> Writer:
        """What writes to an index while its lock is held."""
        store_config = self.config.store
        return Writer(
            index,
            command,
            commit_rows=store_config.commit_rows,
            commit_seconds=store_config.commit_seconds,
            proxies=store_config.proxies,
            revision=lambda: commit_of(self.root),
            still_mine=self.lease.demand if self.lease is not None else lambda: None,
        )

    @contextmanager
    def writing(
        self, waiting: Callable[[], None] = lambda: None, *, moved: bool = False
    ) -> Iterator[Workspace]:
        """Hold the write lock of the index; what a killed rebuild left is put in order first.

        Args:
            waiting: Called once if another command holds it.
            moved: Take over the index folder of a dataset that has moved.

        Yields:
            This workspace, with the lock. A command that fails before anything was indexed leaves
            no folder behind.
        """
        with self.storage.locked(self.root, waiting, moved=moved) as lease:
            self.storage.finish_swap()
            was_there = self.storage.exists()
            try:
                yield dataclasses.replace(self, lease=lease)
            except BaseException:
                with suppress(StoreError):  # what went wrong first is told
                    if not was_there:
                        self._clear_empty(lease)
                    self.storage.abandon()
                raise

    def _clear_empty(self, lease: WriteLease) -> None:
        """Delete the tables that this command made, if it has put nothing into them."""
        lease.demand()  # or they may be those of another command
        if self.storage.exists() and not store.log(Index(self.storage)):
            self.storage.clear()

    def open_or_create(self, embedder: LazyEmbedder) -> Index:
        """Open the index for writing; make it if there is none. The caller holds the lock."""
        self.storage.demand(self.root)
        if self.storage.exists():
            index = self.open_index()
            embedder.expect(index.meta.embedder)
            return index
        spec = embedder.spec
        recipe = recipe_of(self.config, spec)
        return store.create(self.storage, IndexMeta(spec, recipe.describe(), recipe.hash()))


def working_folder() -> Path:
    """The working folder of the process.

    Raises:
        ConfigError: It has been deleted.
    """
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise ConfigError("the working folder is gone; change to one that is there") from error


def open_workspace(
    config: Path | None,
    *,
    environ: Mapping[str, str],
    overrides: Mapping[str, object],
    outside: bool = False,
    warn: Say = lambda line: None,
    cwd: Path | None = None,
) -> Workspace:
    """Combine settings, environment, configuration file and defaults; `load_config` has the rules.

    The limit of what may be read holds for the whole process from here on. `load_config` tells of
    the arguments; the working folder is that of the process unless another one is given.

    Raises:
        ConfigError: One of them cannot be used.
    """
    loaded = load_config(
        config=config,
        cwd=cwd or working_folder(),
        environ=environ,
        overrides=overrides,
        outside=outside,
        warn=warn,
    )
    limits.choose(loaded.read.max_bytes)
    remote.begin(loaded.read.cache_bytes)
    return Workspace(loaded)


class LazyEmbedder:
    """Loads the embedder when the first slice comes, so that a run without news needs no torch."""

    def __init__(self, config: Config) -> None:
        """Remember what to load."""
        self._config = config
        self._options: LoadOptions | None = None
        self._loaded: Embedder | None = None
        self._expected: EmbedderSpec | None = None

    def __getstate__(self) -> dict[str, object]:
        """What travels to another machine, which loads it for itself from the same files."""
        options = self._options or load_options(self._config)
        if options.folder is None:
            options = dataclasses.replace(options, folder=Path.cwd())
        return {**self.__dict__, "_options": options, "_loaded": None}

    def expect(self, spec: EmbedderSpec) -> None:
        """Whatever will be loaded must be exactly this: the embedder of the index."""
        self._expected = spec

    @property
    def spec(self) -> EmbedderSpec:
        """Its specification; loads it."""
        return self._embedder().spec

    def embed(self, stack: SliceStack) -> Embedded:
        """Embed the slices of one case."""
        rows = self._embedder().embed(stack.pixels)
        if rows.shape[0] != len(stack) or not np.isfinite(rows).all():
            raise EmbedderError(f"{self.spec.name} returned rows that are no embeddings")
        return Embedded(rows, stack.channel, stack.plane, stack.index, stack.position_mm)

    def _embedder(self) -> Embedder:
        if self._loaded is None:
            options = self._options or load_options(self._config)
            self._loaded = embedders.load_embedder(self._config.embedder, options)
            if self._expected is not None:
                demand_same_embedder(self._loaded.spec, self._expected)
        return self._loaded


def load_options(config: Config) -> LoadOptions:
    """How to run an embedder, from the configuration."""
    # threads that read need the cores: waiting for one another, two threads of so small a network
    # take three times the processor time of one
    small = split_name(config.embedder).head == DEFAULT_EMBEDDER
    return LoadOptions(
        device=config.device,
        batch=config.batch,
        folder=checkpoint_folder(config),
        threads=1 if small and n_jobs(config) > 1 else None,
    )


def checkpoint_folder(config: Config) -> Path | None:
    """Where a relative checkpoint path starts: here if the file is here, else the root."""
    file = split_name(config.embedder).file
    return None if file and Path(file).expanduser().is_file() else config.root


def n_jobs(config: Config) -> int:
    """Threads that read: as configured, else one for every core this process may use."""
    if config.jobs:
        return config.jobs
    usable = getattr(os, "sched_getaffinity", None)
    return len(usable(0)) if usable is not None else os.cpu_count() or 1


def recipe_of(config: Config, spec: EmbedderSpec) -> Recipe:
    """The slicing recipe: defaults, what the embedder wants, what the user configured."""
    chosen = {
        field.name: value
        for field in dataclasses.fields(config.slicing)
        if (value := getattr(config.slicing, field.name)) is not None
    }
    return slicing.make_recipe(size=spec.slice_size, **chosen)


def demand_same_settings(config: Config, meta: IndexMeta) -> None:
    """Check, without loading anything heavy, that the index fits the configuration.

    Raises:
        StoreMismatchError: It does not.
    """
    asked = embedders.canonical_name(config.embedder)
    weights = embedders.quick_weights_hash(config.embedder, checkpoint_folder(config))
    same_name = asked == meta.embedder.name
    if not same_name or weights not in (None, meta.embedder.weights_hash):
        found = meta.embedder.name if not same_name else "other weights of the same name"
        raise StoreMismatchError(
            f"the index was made with {found}, now {asked} is configured; "
            "go back to it, or make the index anew with `dvdup sync --rebuild`"
        )
    if recipe_of(config, meta.embedder).hash() != meta.recipe_hash:
        raise StoreMismatchError(
            "the index was made with another slicing recipe than the one configured now; "
            "undo the change in [slicing], or make the index anew with `dvdup sync --rebuild`"
        )


def demand_same_embedder(loaded: EmbedderSpec, expected: EmbedderSpec) -> None:
    """Check what was loaded against the index, weights included.

    Raises:
        StoreMismatchError: Other weights, dimensions or slice size.
    """
    keys = ("name", "weights_hash", "dimensions", "slice_size")
    for key in keys:
        if getattr(loaded, key) != getattr(expected, key):
            raise StoreMismatchError(
                f"the index was made with {expected.name} whose {key.replace('_', ' ')} is "
                f"{getattr(expected, key)}, the one loaded has {getattr(loaded, key)}; "
                "make the index anew with `dvdup sync --rebuild`"
            )


def readers_as_formats(sealed: SealedFiles, root: Path | None = None) -> Formats:
    """Hand discovery what it needs to know about files, without it importing a reader."""
    return Formats(
        claims=readers.is_readable_name,
        case_name=readers.case_name,
        companions=functools.partial(readers.companions, root=root),
        maybe_dicom=readers.maybe_dicom,
        dicom_series=readers.series_finder(sealed),
        absent=readers.absent,
        array_parts=readers.array_parts,
        looks_many=readers.looks_many,
    )
