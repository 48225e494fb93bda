"""What a sync has to do, found out by names, sizes, times and inodes only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dvdup import files
from dvdup.records import Case, IndexedCase, Key
from dvdup.sync.declared import same_declaration


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What has to be looked at, from stats alone."""

    pending: tuple[Case, ...]
    unchanged: int
    vanished: frozenset[Key]
    unchecked: tuple[IndexedCase, ...]
    """Unchanged cases that could not be checked, because nothing in them has a vote."""
    notes: tuple[str, ...]
    """What is odd about unchanged cases."""
    unindexed: tuple[Case, ...] = ()
    """Cases that are not in the index, and were not asked for."""


def plan(
    root: Path,
    declared: Sequence[Case],
    indexed: Mapping[Key, IndexedCase],
    verified: files.Verified,
    *,
    full: bool = False,
    asked: Callable[[Case], bool] = lambda case: True,
) -> Plan:
    """Compare the declaration with the index, by names, sizes, times and inodes only.

    Unreadable cases are always looked at again.

    Args:
        root: Folder that the paths are relative to.
        declared: All cases that should be in the index.
        indexed: Those cases of the index that vanish unless they are declared.
        verified: Files that were hashed again since they were indexed.
        full: Whether every file has to be hashed, whatever its stat.
        asked: Whether a case is to be looked at; others are taken as they were indexed.
    """
    known = {case.key for case in declared if not asked(case) and case.key in indexed}
    unindexed = tuple(case for case in declared if case.key not in indexed and not asked(case))
    left = {case.key for case in unindexed}
    pending = tuple(
        case
        for case in declared
        if case.key not in left
        and not (case.key in known and _is_believed(root, case, indexed[case.key]))
        and (full or not _is_current(root, case, indexed.get(case.key), verified))
    )
    wanted = {case.key for case in declared}
    vanished = frozenset(key for key in indexed if key not in wanted)
    current = wanted - left - {case.key for case in pending}
    same = [indexed[key] for key in sorted(current)]
    unchecked = tuple(case for case in same if case.status != "ok")
    notes = tuple(note for case in same for note in notes_of(case))
    return Plan(pending, len(current), vanished, unchecked, notes, unindexed)


def _is_current(root: Path, case: Case, old: IndexedCase | None, verified: files.Verified) -> bool:
    if old is None or old.status == "unreadable" or not same_declaration(case, old):
        return False
    now = files.stat_files(root, case.files)
    return now is not None and verified.unchanged(old.files, now)


def _is_believed(root: Path, case: Case, old: IndexedCase) -> bool:
    """Whether a case that is not to be looked at can be what was indexed."""
    if not same_declaration(case, old):
        return False
    now = files.stat_files(root, case.files)
    sizes = [stat.size for stat in old.files]
    return old.status == "unreadable" or (now is not None and [s.size for s in now] == sizes)


def notes_of(case: IndexedCase) -> list[str]:
    """What is odd about a case, for the summary of a sync."""
    return [f"{case.split}/{case.case_id}: {note}" for note in case.notes]
