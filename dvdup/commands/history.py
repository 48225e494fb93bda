"""Commands about the index itself: status, log, tag, rm."""

from __future__ import annotations

import fnmatch
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from dvdup import files, store
from dvdup.errors import DvdupError, InputError, ReadError
from dvdup.records import (
    IndexedCase,
    Key,
    LogEntry,
    Progress,
    Unreadable,
    as_unreadable,
    no_progress,
)
from dvdup.store import Index
from dvdup.sync.declared import by_hand, declaration
from dvdup.workspace import Workspace


@dataclass(frozen=True, slots=True)
class SplitStatus:
    """How one split stands in the index."""

    split: str
    cases: int
    slices: int
    not_checked: int
    """Unreadable cases and cases without an informative slice."""
    changed: int
    """Cases whose files have another size or mtime than when they were indexed."""
    missing: int
    """Cases with a file that is not there any more."""
    new: int
    """Cases that are declared and not indexed yet."""


@dataclass(frozen=True, slots=True)
class Status:
    """What `dvdup status` prints."""

    folder: str
    version: int
    embedder: str
    recipe: str
    bytes: int
    splits: tuple[SplitStatus, ...]
    tags: tuple[str, ...]
    damage: tuple[str, ...] | None
    """Faults found by reading everything back; None if that was not asked for."""
    differing: tuple[str, ...] = ()
    """Cases whose files do not hold the bytes that were indexed, and why; found with `damage`."""
    unchecked: Unreadable | None = None
    """The first case that could not be checked."""
    undeclared: str = ""
    """Why new cases could not be looked for; else ""."""


def status(
    workspace: Workspace, *, verify: bool = False, progress: Progress = no_progress
) -> Status:
    """Describe the index; with `verify` read it back, compare checksums, and hash every file."""
    index = workspace.open_any()
    damage: tuple[str, ...] | None = None
    differing: tuple[str, ...] = ()
    if verify:
        damage = store.find_damage(index, lambda done, total: progress("verifying", done, total))
        differing = _differing(workspace, index, progress)
    new, undeclared = _new_cases(workspace, index)
    unchecked = next((case for case in index.cases if case.status != "ok"), None)
    names = sorted({case.split for case in index.cases} | set(new))
    return Status(
        folder=workspace.config.index,
        version=index.version,
        embedder=index.meta.embedder.name,
        recipe=index.meta.recipe_hash,
        bytes=workspace.storage.size(),
        splits=tuple(_split_status(workspace, index, name, new[name]) for name in names),
        tags=tuple(store.tags(index)),
        damage=damage,
        differing=differing,
        unchecked=as_unreadable(unchecked) if unchecked is not None else None,
        undeclared=undeclared,
    )


def _differing(workspace: Workspace, index: Index, progress: Progress) -> tuple[str, ...]:
    """Hash every file of the dataset; which cases hold other bytes than those indexed."""
    found = []
    for done, case in enumerate(index.cases):
        progress("hashing", done, len(index.cases))
        name = "/".join(case.key)
        if files.still_away(workspace.root, case):
            continue
        stats = files.stat_files(workspace.root, case.paths)
        if stats is None:
            found.append(f"{name}: a file is not there, or cannot be read")
            continue
        try:
            hashed = files.hash_files(workspace.root, stats, workspace.verified.recent)
        except ReadError as error:
            found.append(f"{name}: {error}")
            continue
        known = [stat.file_hash for stat in case.files]
        if all(known) and [stat.file_hash for stat in hashed] != known:
            found.append(f"{name}: {case.paths[0]} does not hold what was indexed")
        else:
            workspace.verified.add(hashed)
    progress("hashing", len(index.cases), len(index.cases))
    workspace.verified.save()
    return tuple(found)


def _new_cases(workspace: Workspace, index: Index) -> tuple[Counter[str], str]:
    """How many declared cases of each split the index does not know; why that is not known."""
    try:
        found = declaration(workspace, index.cases, by_hand(index.cases))
    except DvdupError as error:  # what is indexed can be described all the same
        return Counter(), str(error)
    known = {case.key for case in index.cases}
    return Counter(case.split for case in found.cases if case.key not in known), ""


def _split_status(workspace: Workspace, index: Index, split: str, new: int) -> SplitStatus:
    cases = [case for case in index.cases if case.split == split]
    changed, missing = _changed_cases(workspace, cases)
    return SplitStatus(
        split=split,
        cases=len(cases),
        slices=sum(case.n_slices for case in cases),
        not_checked=sum(case.status != "ok" for case in cases),
        changed=changed,
        missing=missing,
        new=new,
    )


def _changed_cases(workspace: Workspace, cases: list[IndexedCase]) -> tuple[int, int]:
    """How many of the cases have changed files, and how many have vanished ones, by stat."""
    changed = missing = 0
    for case in cases:
        if files.still_away(workspace.root, case):
            continue
        now = files.stat_files(workspace.root, case.paths)
        missing += now is None
        known = workspace.verified.filled(case.files)
        changed += now is not None and not files.plausibly_unchanged(known, now)
    return changed, missing


def log(workspace: Workspace) -> tuple[LogEntry, ...]:
    """Every writing command, newest first."""
    return store.log(workspace.open_any())


def tag(workspace: Workspace, name: str, waiting: Callable[[], None] = lambda: None) -> int:
    """Name the newest version; returns it. `waiting` is called if another command is writing."""
    with workspace.writing(waiting) as held:
        index = held.open_any()
        return store.add_tag(index, name, held.writer(index, f"tag {name}"))


def delete_tag(workspace: Workspace, name: str, waiting: Callable[[], None] = lambda: None) -> int:
    """Forget a name; returns the version that it stood for, which stays."""
    with workspace.writing(waiting) as held:
        return store.remove_tag(held.open_any(), name)


def tags(workspace: Workspace) -> dict[str, int]:
    """Every tag and the version it stands for, by name."""
    return store.tags(workspace.open_any())


def remove(
    workspace: Workspace, patterns: tuple[str, ...], waiting: Callable[[], None] = lambda: None
) -> tuple[str, ...]:
    """Take cases out of the index.

    Args:
        workspace: Where.
        patterns: `split/case`, with `*` and `?` as in file names.
        waiting: Called once if another command is writing.

    Returns:
        `split/case` of what was removed, sorted.

    Raises:
        InputError: A pattern fits no case.
    """
    with workspace.writing(waiting) as held:
        index = held.open_any()
        chosen = sorted({key for pattern in patterns for key in _matching(index, pattern)})
        writer = held.writer(index, f"rm {' '.join(patterns)}")
        for key in chosen:
            writer.delete(key)
        writer.flush()
    return tuple("/".join(key) for key in chosen)


def _matching(index: Index, pattern: str) -> list[Key]:
    found = [case.key for case in index.cases if fnmatch.fnmatchcase("/".join(case.key), pattern)]
    if not found:
        splits = ", ".join(sorted({case.split for case in index.cases})) or "none"
        raise InputError(
            f"no case {pattern!r} in the index; cases are named split/case (splits: {splits})"
        )
    return found
