"""Slices of a case embedded once more after changes of the picture, kept beside the index.

Most cases have no copy and would be changed and embedded again in every run. What is kept is named
by everything that changes it, so that nothing in it grows stale; it may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

import numpy as np

from dvdup import slicing, variants, voxels
from dvdup.errors import Interrupted, ReadError, StoreError
from dvdup.pipeline.missed import NO_ROOM, Missed, volume_of
from dvdup.pipeline.processes import reader_threads
from dvdup.pipeline.workspace import LazyEmbedder, Workspace, n_jobs, recipe_of
from dvdup.records import IndexedCase, Progress, SliceStack, Volume, no_progress
from dvdup.sealed import SealedFiles
from dvdup.slicing import Recipe
from dvdup.store import IndexMeta

Key = tuple[str, str]

MOST = 16
"""Slices of a plane that take part: a few mm off the right slice are still far better than any of a
stranger."""
KEEP_DAYS = 7
"""Days after which rows of nobody are deleted."""

_FOLDER = "cache/looks"
_NAME = re.compile(r"[0-9a-f]{32}\.npz|tmp\w+\.part")
"""How files in that folder are named; others are not dvdup's."""
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
    """Such rows, and what it takes to add to them."""

    sealed: SealedFiles
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
                if kind not in kinds and self._rows(self._file(kind, case)) is None:
                    kinds.append(kind)
        self._add([(case, kinds) for case, kinds in missing.values() if kinds])

    def files(self, kind: Kind, cases: Sequence[IndexedCase]) -> dict[Key, str]:
        """The names of what there is, by the keys of the cases, sorted."""
        files = {case.key: self._file(kind, case) for case in cases}
        return {key: files[key] for key in sorted(files) if self._rows(files[key]) is not None}

    def load(self, name: str, kind: Kind) -> Changed:
        """Read rows back.

        Raises:
            StoreError: They have been damaged since `files` named them.
        """
        found = self._rows(name)
        if found is None:
            raise StoreError(f"{name} was damaged or deleted while it was used; run it again")
        rows = dict(zip(kind.changes, found["embedding"], strict=True))
        return Changed(rows, found["plane"], found["channel"])

    def prune(self, kinds: Sequence[Kind], cases: Sequence[IndexedCase]) -> None:
        """Delete what was made of other cases, or by another embedder, and not of late.

        What is younger than `KEEP_DAYS` stays: another version may be compared right now.
        """
        folder = self.sealed.path(_FOLDER)
        if folder is None or not folder.is_dir():
            return
        mine = {self.sealed.path(self._file(kind, case)) for kind in kinds for case in cases}
        oldest = time.time() - KEEP_DAYS * 86400
        for file in folder.iterdir():
            with suppress(OSError):  # another process may have been faster
                ours = _NAME.fullmatch(file.name) and file not in mine
                if ours and file.lstat().st_mtime < oldest:
                    file.unlink()

    def _add(self, missing: Sequence[tuple[IndexedCase, list[Kind]]]) -> None:
        embedder = LazyEmbedder(self.workspace.config)
        embedder.expect(self.meta.embedder)

        def embed(changed: SliceStack) -> np.ndarray:
            return embedder.embed(changed).embedding

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
                    self._save(self._file(kind, case), change(found, kind, embed))
        if missing:
            self.progress("looking again", len(missing), len(missing))

    def _stacks(self, cases: Sequence[IndexedCase]) -> Iterator[SliceStack | ReadError | None]:
        jobs = n_jobs(self.workspace.config)
        root, recipe = self.workspace.root, recipe_of(self.workspace.config, self.meta.embedder)
        with reader_threads(jobs) as pool:
            for start in range(0, len(cases), 2 * jobs):
                block = cases[start : start + 2 * jobs]
                yield from pool.map(lambda case: _stack(root, case, recipe), block)

    def _save(self, name: str, made: Changed) -> None:
        """Write the rows of a case.

        Raises:
            StoreError: They cannot be written.
        """
        embedding = np.stack(list(made.rows.values()))
        stream = BytesIO()
        np.savez(stream, embedding=embedding, plane=made.plane, channel=made.channel)
        try:
            self.sealed.write(name, stream.getvalue())
        except OSError as error:
            raise StoreError(
                f"cannot write {self.sealed.path(name)}: {error.strerror or error}; make room "
                "there, or compare without voxels (--candidates 0)"
            ) from error

    def _rows(self, name: str) -> dict[str, np.ndarray] | None:
        """The arrays of a file; None if it is not there or damaged."""
        payload = self.sealed.read(name)
        if payload is None:
            return None
        with np.load(BytesIO(payload)) as found:
            return {key: found[key] for key in ("embedding", "plane", "channel")}

    def _file(self, kind: Kind, case: IndexedCase) -> str:
        """The name of the rows of a case."""
        spec = self.meta.embedder
        what = [case.content, spec.weights_hash, self.meta.recipe_hash, spec.name, _VERSION]
        text = json.dumps([*what, kind.name, MOST])
        return f"{_FOLDER}/{hashlib.blake2b(text.encode(), digest_size=16).hexdigest()}.npz"


@contextmanager
def kept_files(sealed: SealedFiles) -> Iterator[SealedFiles]:
    """The files of an index; files for this run alone if there is none or it cannot be written."""
    if _can_be_written(sealed.path(_FOLDER)):
        yield sealed
        return
    with TemporaryDirectory(prefix="dvdup-") as other:
        yield SealedFiles(Path(other), sealed.key)


def _can_be_written(folder: Path | None) -> bool:
    if folder is None:
        return False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


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
