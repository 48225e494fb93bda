"""Slices of a case embedded once more after changes of the picture, kept beside the index.

Most cases have no copy and would be changed and embedded again in every run. What is kept is named
by everything that changes it, so that nothing in it grows stale; it may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory, TemporaryFile
from zipfile import BadZipFile

import numpy as np

from dvdup import slicing, variants, voxels
from dvdup.errors import Interrupted, ReadError, StoreError
from dvdup.pipeline.missed import NO_ROOM, Missed, volume_of
from dvdup.pipeline.processes import reader_threads
from dvdup.pipeline.workspace import LazyEmbedder, Workspace, n_jobs, recipe_of
from dvdup.records import IndexedCase, Progress, SliceStack, Volume, no_progress
from dvdup.slicing import Recipe
from dvdup.store import IndexMeta

Key = tuple[str, str]

MOST = 16
"""Slices of a plane that take part: a few mm off the right slice are still far better than any of a
stranger."""
KEEP_DAYS = 7
"""Days after which rows of nobody are deleted."""

_VERSION = 2  # grows whenever the same scan gets other rows


@dataclass(frozen=True, slots=True)
class Kind:
    """Which changes are kept together."""

    name: str
    changes: tuple[str, ...]
    table: Mapping[str, variants.Planes]
    """Which changes of the planes belong together."""


LOOKS = Kind("looks", variants.CHANGES, variants.LOOKS)
CROPS = Kind("crops", (variants.SAME, *variants.CROPS), variants.PLACES)


@dataclass(frozen=True, slots=True, eq=False)
class Changed:
    """The rows of one case."""

    rows: dict[str, np.ndarray]
    """By change: float16 (S, D), unit rows."""
    plane: np.ndarray
    """uint8 (S,), index into `slicing.PLANES`."""
    channel: np.ndarray
    """int16 (S,)."""

    def as_float32(self) -> dict[str, np.ndarray]:
        """The rows, ready for products."""
        return {name: rows.astype(np.float32) for name, rows in self.rows.items()}


@dataclass(frozen=True, slots=True)
class Kept:
    """A folder of such rows, and what it takes to add to it."""

    folder: Path
    workspace: Workspace
    meta: IndexMeta
    progress: Progress = no_progress
    should_stop: Callable[[], bool] = lambda: False
    missed: Missed = field(default_factory=Missed)
    """Is told which files could not be had."""

    def make(self, wanted: Sequence[tuple[Kind, Sequence[IndexedCase]]]) -> None:
        """Add what is missing; a scan is read once, whatever is made of it.

        Args:
            wanted: Of which cases what; cases whose files are gone or have changed get nothing.

        Raises:
            Interrupted: `should_stop` said so; what was made is kept.
            StoreError: There is no room for it.
        """
        missing: dict[str, tuple[IndexedCase, list[Kind]]] = {}
        for kind, cases in wanted:
            for case in cases:
                kinds = missing.setdefault(case.content, (case, []))[1]
                if kind not in kinds and n_slices(self._file(kind, case)) is None:
                    kinds.append(kind)
        self._add([(case, kinds) for case, kinds in missing.values() if kinds])

    def files(self, kind: Kind, cases: Sequence[IndexedCase]) -> dict[Key, Path]:
        """What there is, by the keys of the cases, sorted."""
        files = {case.key: self._file(kind, case) for case in cases}
        return {key: files[key] for key in sorted(files) if n_slices(files[key]) is not None}

    def prune(self, kinds: Sequence[Kind], cases: Sequence[IndexedCase]) -> None:
        """Delete what was made of other cases, or by another embedder, and not of late.

        What is younger than `KEEP_DAYS` stays: another version may be compared right now.
        """
        mine = {self._file(kind, case) for kind in kinds for case in cases}
        oldest = time.time() - KEEP_DAYS * 86400
        for file in self.folder.iterdir():
            with suppress(OSError):  # another process may have been faster
                if file not in mine and file.stat().st_mtime < oldest:
                    file.unlink()

    def _add(self, missing: Sequence[tuple[IndexedCase, list[Kind]]]) -> None:
        embedder = LazyEmbedder(self.workspace.config)
        embedder.expect(self.meta.embedder)
        stacks = self._stacks([case for case, _ in missing])
        for done, ((case, kinds), found) in enumerate(zip(missing, stacks, strict=True)):
            self.progress("looking again", done, len(missing))
            if self.should_stop():
                raise Interrupted("stopped while looking for candidates; run it again to go on")
            if isinstance(found, ReadError):
                self.missed.failed(case, str(found))
            elif found is None:
                self.missed.away(case)
            elif len(found):
                for kind in kinds:
                    _save(self._file(kind, case), found, kind, embedder)
        if missing:
            self.progress("looking again", len(missing), len(missing))

    def _stacks(self, cases: Sequence[IndexedCase]) -> Iterator[SliceStack | ReadError | None]:
        jobs = n_jobs(self.workspace.config)
        root, recipe = self.workspace.root, recipe_of(self.workspace.config, self.meta.embedder)
        with reader_threads(jobs) as pool:
            for start in range(0, len(cases), 2 * jobs):
                block = cases[start : start + 2 * jobs]
                yield from pool.map(lambda case: _stack(root, case, recipe), block)

    def _file(self, kind: Kind, case: IndexedCase) -> Path:
        spec = self.meta.embedder
        what = [case.content, spec.weights_hash, self.meta.recipe_hash, spec.name, _VERSION]
        text = json.dumps([*what, kind.name, MOST])
        return self.folder / f"{hashlib.blake2b(text.encode(), digest_size=16).hexdigest()}.npz"


def kept_in(index: Path) -> Path:
    """Where such rows lie beside an index."""
    return index / "cache" / "looks"


@contextmanager
def kept_folder(index: Path) -> Iterator[Path]:
    """Make that folder; one for this run alone if the index cannot be written."""
    folder = kept_in(index)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=folder).close()
    except OSError:
        with TemporaryDirectory(prefix="dvdup-") as other:
            yield Path(other)
        return
    yield folder


def change(stack: SliceStack, kind: Kind, embed: Callable[[SliceStack], np.ndarray]) -> Changed:
    """Embed some slices of a case after every change.

    Args:
        stack: All its slices.
        kind: Which changes.
        embed: From S slices to float32 (S, D).

    Returns:
        At most `MOST` slices of each plane of each channel, float16 as in the index.
    """
    stack = slicing.thinned(stack, MOST)
    rows = {
        name: embed(replace(stack, pixels=variants.changed(stack.pixels, name))).astype(np.float16)
        for name in kind.changes
    }
    return Changed(rows, stack.plane, stack.channel)


def n_slices(file: Path) -> int | None:
    """Slices in a file; None if it is not there or damaged."""
    try:
        with np.load(file) as found:
            return len(found["plane"])
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None


def load(file: Path, kind: Kind) -> Changed:
    """Read it back."""
    with np.load(file) as found:
        rows = dict(zip(kind.changes, found["embedding"], strict=True))
        return Changed(rows, found["plane"], found["channel"])


def _stack(root: Path, case: IndexedCase, recipe: Recipe) -> SliceStack | ReadError | None:
    """The slices of a case, why it cannot be read, or None if its files are not those indexed."""
    try:
        volume = volume_of(root, case)
        return None if volume is None else _slices(volume, recipe)
    except ReadError as error:
        return error
    except MemoryError:
        return ReadError(NO_ROOM)


def _slices(volume: Volume, recipe: Recipe) -> SliceStack:
    stacks = []
    for channel in slicing.voting_channels(len(volume.channels)):
        values = voxels.channel_values(volume, channel)
        small = voxels.proxy(values)
        stacks.append(
            slicing.slice_channel(values, small, volume.spacing, volume.modality, channel, recipe)
        )
    return slicing.concatenate(stacks)


def _save(file: Path, stack: SliceStack, kind: Kind, embedder: LazyEmbedder) -> None:
    """Embed every change of the slices and write the rows, whole or not at all.

    Raises:
        StoreError: They cannot be written.
    """
    made = change(stack, kind, lambda changed: embedder.embed(changed).embedding)
    embedding = np.stack(list(made.rows.values()))
    try:
        # a name of its own: another comparison may embed the same case at the same time
        with NamedTemporaryFile(dir=file.parent, suffix=".part", delete=False) as stream:
            np.savez(stream, embedding=embedding, plane=made.plane, channel=made.channel)
        os.replace(stream.name, file)
    except OSError as error:
        raise StoreError(
            f"cannot write {file.parent}: {error.strerror or error}; make room there, or compare "
            "without voxels (--candidates 0)"
        ) from error
