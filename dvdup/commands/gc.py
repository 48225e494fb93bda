"""Tidy an index: what nobody needs any more goes, what a version that stays holds does not."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dvdup import readers, store
from dvdup.cache import drop_answers, wasted_answers
from dvdup.compare.wanted import Wanted, lost_results
from dvdup.records import Hooks, Waste
from dvdup.sealed import PART
from dvdup.store import Index, TablePlan
from dvdup.store.variants import VariantTable
from dvdup.workspace import Workspace

_HOUR = 3600  # seconds after which a file that is being written belongs to nobody
_DICOM_CACHE = re.compile(r"dicom-[0-9a-f]{32}\.json")
_LOOKS = "cache/looks"
"""Where earlier versions kept rows of changed slices."""
_LOOKS_FILE = re.compile(r"[0-9a-f]{32}\.npz|tmp\w+\.part")


@dataclass(frozen=True, slots=True)
class Tidied:
    """What `dvdup gc` found and did."""

    wastes: tuple[Waste, ...]
    """Of what there is too much; kinds without any are left out."""
    before: int
    """Bytes of the index folder."""
    after: int | None
    """The same afterwards; None if nothing was done."""
    tags: tuple[str, ...]
    """Names of versions, which all stay."""


@dataclass(frozen=True, slots=True)
class _Cache:
    """Something beside the index that can be tidied."""

    what: str
    wasted: Callable[[], tuple[int, int]]
    """Number and bytes of what nobody needs."""
    tidy: Callable[[], None]


def gc(
    workspace: Workspace,
    *,
    keep_days: int | None = None,
    dry_run: bool = False,
    hooks: Hooks | None = None,
) -> Tidied:
    """Join small files, drop orphans, and history if that is asked for.

    Args:
        workspace: Where.
        keep_days: Untagged versions older than so many days go, 0: all; None keeps the history.
        dry_run: Only say what would go; takes no lock.
        hooks: Progress and messages.

    Raises:
        StoreError: There is no index, or it is damaged.
    """
    hooks = hooks or Hooks()
    if dry_run:
        return _tidied(workspace, keep_days, hooks, dry_run=True)
    with workspace.writing(hooks.waiting) as held:
        return _tidied(held, keep_days, hooks, dry_run=False)


def _tidied(workspace: Workspace, keep_days: int | None, hooks: Hooks, *, dry_run: bool) -> Tidied:
    before = workspace.storage.size()
    index = workspace.open_any()
    todo = store.plan_tables(index, keep_days, _advance(hooks, "reading the history"))
    caches = [(each, *each.wasted()) for each in _caches(workspace, index, todo)]
    if not dry_run:
        if not todo.is_empty:
            _tidy_tables(workspace, index, todo, keep_days, hooks)
        for cache, number, _ in caches:
            if number:
                cache.tidy()
    found = (*todo.wastes, *(Waste(cache.what, number, size) for cache, number, size in caches))
    return Tidied(
        wastes=tuple(waste for waste in found if waste.number),
        before=before,
        after=None if dry_run else workspace.storage.size(),
        tags=tuple(store.tags(index)),
    )


def _tidy_tables(
    workspace: Workspace, index: Index, todo: TablePlan, keep_days: int | None, hooks: Hooks
) -> None:
    command = "gc" if keep_days is None else f"gc --history --keep-days {keep_days}"

    def mark() -> int:
        counts = {waste.what: waste.number for waste in todo.wastes if waste.number}
        return workspace.writer(Index(workspace.storage), command).mark(counts)

    store.tidy_tables(index, todo, mark, _advance(hooks, "tidying"))


def _advance(hooks: Hooks, what: str) -> Callable[[int, int], None]:
    return lambda done, total: hooks.progress(what, done, total)


def _caches(workspace: Workspace, index: Index, todo: TablePlan) -> Iterator[_Cache]:
    gone = set(todo.gone) - {index.version}
    numbers = {int(row["version"]) for row in index.dataset.version_refs()} - gone
    names = frozenset(map(str, numbers)) | frozenset(store.tags(index))
    wanted = Wanted(todo.held.contents, todo.held.keys, names)
    sealed, verified = workspace.sealed, workspace.verified
    table = VariantTable(sealed)
    yield _Cache(
        "old variant rows",
        lambda: table.wasted(wanted.variants(workspace)),
        lambda: table.tidy(wanted.variants(workspace)),
    )
    yield _Cache(
        "answers about no case",
        lambda: wasted_answers(sealed, wanted.answer),
        lambda: drop_answers(sealed, wanted.answer),
    )
    yield _files("stored results of no version", lost_results(workspace, wanted))
    yield _files("caches of DICOM folders without a case", _lost_series(workspace, todo))
    yield _files("caches of earlier versions", _looks(workspace.folder))
    yield _files("files of stopped commands", _parts(workspace.folder))

    def forget() -> None:
        verified.forget(verified.lost(todo.held.paths))
        verified.save()

    yield _Cache(
        "hashes of files of no case", lambda: (len(verified.lost(todo.held.paths)), 0), forget
    )


def _files(what: str, files: list[Path]) -> _Cache:
    return _Cache(what, lambda: (len(files), _bytes_of(files)), lambda: _remove(files))


def _bytes_of(files: Iterator[Path] | list[Path]) -> int:
    size = 0
    for file in files:
        with suppress(OSError):  # another command has taken it away
            size += file.stat().st_size
    return size


def _remove(files: list[Path]) -> None:
    for file in files:
        with suppress(OSError):
            file.unlink()
        if file.parent.as_posix().endswith(_LOOKS):
            with suppress(OSError):  # what somebody put there stays
                file.parent.rmdir()


def _lost_series(workspace: Workspace, todo: TablePlan) -> list[Path]:
    """What is remembered of DICOM folders in which no version has a case."""
    wanted = {readers.series_cache(workspace.root, path) for path in todo.held.paths}
    cache = workspace.folder / "cache"
    return [
        file
        for file in _named(cache, _DICOM_CACHE)
        if file.relative_to(workspace.folder).as_posix() not in wanted
    ]


def _looks(folder: Path) -> list[Path]:
    return _named(folder / _LOOKS, _LOOKS_FILE)


def _parts(folder: Path) -> list[Path]:
    """Files that a kill left half written."""
    part = re.compile(rf"tmp\w+{re.escape(PART)}")
    oldest = time.time() - _HOUR
    places = (folder / "cache", folder / "results")
    return [
        file for place in places for file in _named(place, part) if file.stat().st_mtime < oldest
    ]


def _named(folder: Path, pattern: re.Pattern[str]) -> list[Path]:
    """Files of a folder that are called as dvdup calls them, sorted; no links."""
    if folder.is_symlink() or not folder.is_dir():
        return []
    return sorted(
        file
        for file in folder.iterdir()
        if pattern.fullmatch(file.name) and file.is_file() and not file.is_symlink()
    )
