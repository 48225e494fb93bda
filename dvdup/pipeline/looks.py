"""Candidates that slices show only when they are turned, mirrored or resized first.

The slices of a case are embedded again in each look of `variants`, and each look asks the other
side for its lead; the best look counts. That is for choosing candidates alone: the scores of a
report know no looks. What was embedded is kept beside the index, because most cases have no copy
and would be asked about again in every run.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory, TemporaryFile
from zipfile import BadZipFile

import numpy as np

from dvdup import match, readers, slicing, variants, voxels
from dvdup.errors import ReadError, StoreError
from dvdup.match import Block, Side
from dvdup.pipeline.files import plausibly_unchanged, stat_files
from dvdup.pipeline.prepare import case_of
from dvdup.pipeline.processes import reader_threads
from dvdup.pipeline.sync import Interrupted
from dvdup.pipeline.workspace import LazyEmbedder, Workspace, n_jobs, recipe_of
from dvdup.records import IndexedCase, Progress, SliceStack, no_progress
from dvdup.slicing import Recipe
from dvdup.store import IndexMeta

Key = tuple[str, str]
Pair = tuple[Key, Key]

CHEAP = ("builtin", "thumbnail")
"""Embedders that embed a scan several times in less than it takes to verify a pair."""

_VERSION = 1  # grows whenever the same scan gets other rows
_NAMES = tuple(variants.LOOKS)


def embeds_cheaply(embedder: str) -> bool:
    """Whether an embedder, by its full name, is one of `CHEAP`."""
    return embedder.partition("@")[0] in CHEAP


@dataclass(frozen=True, slots=True)
class Led:
    """How a case looks for another one in the best of its looks."""

    lead: float
    similarity: float


@dataclass(frozen=True, slots=True)
class Looking:
    """What it takes to look again."""

    workspace: Workspace
    meta: IndexMeta
    progress: Progress = no_progress
    should_stop: Callable[[], bool] = lambda: False

    @property
    def possible(self) -> bool:
        """Whether the embedder is fast enough."""
        return embeds_cheaply(self.meta.embedder.name)

    def leads(self, asking: Sequence[IndexedCase], others: Side) -> dict[Pair, Led]:
        """Ask for the candidates of some cases.

        Args:
            asking: Voting cases; those whose files are gone or have changed are left out.
            others: Whom they may find.

        Returns:
            (asking case, other case) -> its best look, for the pairs worth keeping.

        Raises:
            Interrupted: `should_stop` said so.
        """
        if not asking or not others.keys or not self.possible:
            return {}
        found: dict[Pair, Led] = {}
        with _folder(self.workspace.folder) as folder:
            files = self._embedded(asking, folder)
            for query, case, lead, similarity in match.leads(_side(files), others):
                old = found.get((query, case), Led(0.0, -1.0))
                best = Led(max(old.lead, lead), max(old.similarity, similarity))
                found[query, case] = best
        return found

    def _embedded(self, asking: Sequence[IndexedCase], folder: Path) -> dict[Key, Path]:
        """Make sure that the looks of all cases lie on disk; by key, sorted."""
        files = {case.key: folder / f"{self._name(case)}.npz" for case in asking}
        missing = [case for case in asking if _n_slices(files[case.key]) is None]
        embedder = LazyEmbedder(self.workspace.config)
        embedder.expect(self.meta.embedder)
        recipe = recipe_of(self.workspace.config, self.meta.embedder)
        for done, (case, stack) in enumerate(self._stacks(missing, recipe)):
            self.progress("looking again", done, len(missing))
            if self.should_stop():
                raise Interrupted("stopped while looking for candidates; run it again to go on")
            if stack is not None and len(stack):
                _save(files[case.key], stack, embedder)
        if missing:
            self.progress("looking again", len(missing), len(missing))
        return {key: files[key] for key in sorted(files) if _n_slices(files[key]) is not None}

    def _stacks(
        self, cases: Sequence[IndexedCase], recipe: Recipe
    ) -> Iterator[tuple[IndexedCase, SliceStack | None]]:
        jobs = n_jobs(self.workspace.config)
        root = self.workspace.root
        with reader_threads(jobs) as pool:
            for start in range(0, len(cases), 2 * jobs):
                block = cases[start : start + 2 * jobs]
                stacks = pool.map(lambda case: _stack(root, case, recipe), block)
                yield from zip(block, stacks, strict=True)

    def _name(self, case: IndexedCase) -> str:
        what = [case.content, self.meta.embedder.weights_hash, self.meta.recipe_hash]
        text = json.dumps([*what, self.meta.embedder.name, _VERSION])
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


@contextmanager
def _folder(index: Path) -> Iterator[Path]:
    """Where looks are kept; a folder for this run alone if the index cannot be written."""
    kept = index / "cache" / "looks"
    try:
        kept.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=kept).close()
    except OSError:
        with TemporaryDirectory(prefix="dvdup-") as folder:
            yield Path(folder)
        return
    yield kept


def _stack(root: Path, case: IndexedCase, recipe: Recipe) -> SliceStack | None:
    """The slices of a case, None if its files are not those that were indexed."""
    now = stat_files(root, case.paths)
    if now is None or not plausibly_unchanged(case.files, now):
        return None
    try:
        volume = readers.read_volume(root, case_of(case))
    except (ReadError, MemoryError):
        return None
    stacks = []
    for channel in slicing.voting_channels(len(volume.channels)):
        values = voxels.channel_values(volume, channel)
        small = voxels.proxy(values)
        stacks.append(
            slicing.slice_channel(values, small, volume.spacing, volume.modality, channel, recipe)
        )
    return slicing.concatenate(stacks)


def _save(file: Path, stack: SliceStack, embedder: LazyEmbedder) -> None:
    """Embed every change of the slices and write the rows, whole or not at all.

    Raises:
        StoreError: They cannot be written.
    """
    rows = [
        embedder.embed(replace(stack, pixels=variants.changed(stack.pixels, change))).embedding
        for change in variants.CHANGES
    ]
    embedding = np.stack(rows).astype(np.float16)
    try:
        # a name of its own: another comparison may embed the same case at the same time
        with NamedTemporaryFile(dir=file.parent, suffix=".part", delete=False) as stream:
            np.savez(stream, embedding=embedding, plane=stack.plane, channel=stack.channel)
        os.replace(stream.name, file)
    except OSError as error:
        raise StoreError(
            f"cannot write {file.parent}: {error.strerror or error}; make room there, or compare "
            "without voxels (--candidates 0)"
        ) from error


def _side(files: Mapping[Key, Path]) -> Side:
    """Every look of every case as a case of its own, under the key of the case."""
    order = [(key, look) for key in files for look in _NAMES]
    counts = {key: _n_slices(file) or 0 for key, file in files.items()}

    def blocks(codes: Sequence[int]) -> Iterator[Block]:
        last, loaded = None, None
        for code in codes:
            key, look = order[code]
            if key != last:
                last, loaded = key, _load(files[key])
            assert loaded is not None
            by_change, plane, channel = loaded
            rows = variants.pick(by_change, plane, look)
            yield rows, np.full(len(rows), code, np.int32), channel

    return Side(
        keys=tuple(key for key, _ in order),
        n_slices=tuple(counts[key] for key, _ in order),
        blocks=blocks,
    )


def _n_slices(file: Path) -> int | None:
    """Slices of a case whose looks were kept; None if they were not, or are damaged."""
    try:
        with np.load(file) as found:
            return len(found["plane"])
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None


def _load(file: Path) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    with np.load(file) as found:
        rows = dict(zip(variants.CHANGES, found["embedding"], strict=True))
        return rows, found["plane"], found["channel"]
