"""What happened to the cases between two versions of the index, and which of them are new.

A case is followed by what is in it, not by its name: one that only got another name was renamed or
moved, and is no copy of itself. What came is then compared with what was there; a copy of what is
not there any more is told with the change, one of what still is makes a finding.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Iterable, Sequence

from dvdup.compare import verdicts
from dvdup.compare.refs import Ref
from dvdup.compare.verdicts import member_of
from dvdup.records import (
    COPIES,
    CaseDifference,
    ChangeKind,
    Finding,
    IndexedCase,
    Key,
    Report,
    VersionChange,
)

_Match = tuple[IndexedCase, IndexedCase]


def changes(
    before: Iterable[IndexedCase], after: Iterable[IndexedCase]
) -> tuple[VersionChange, ...]:
    """Every case that is not the same in two versions, sorted by what happened and by name.

    Where one content had several names that went, or several that came, they are taken in order:
    one that came in excess was added, one that went in excess was removed.

    Args:
        before: All cases of a version.
        after: All cases of another one.
    """
    old, new = ({case.key: case for case in cases} for cases in (before, after))
    stayed = {key for key in old.keys() & new.keys() if _content(old[key]) == _content(new[key])}
    went = [old[key] for key in sorted(old.keys() - stayed)]
    came = [new[key] for key in sorted(new.keys() - stayed)]
    renamed, went, came = _matched(went, came, lambda case: (case.split, _content(case)))
    moved, went, came = _matched(went, came, _content)
    changed, went, came = _matched(went, came, lambda case: case.key)
    changed += [(old[key], new[key]) for key in stayed if _differences(old[key], new[key])]
    found = [
        *(VersionChange("added", None, member_of(case)) for case in came),
        *(VersionChange("removed", member_of(case), None) for case in went),
        *(_change("renamed", match) for match in renamed),
        *(_change("moved", match) for match in moved),
        *(_change("changed", match) for match in changed),
    ]
    return tuple(sorted(found, key=lambda change: change.order))


def of_split(found: Iterable[VersionChange], split: str) -> tuple[VersionChange, ...]:
    """The changes that concern a split: of its cases, and of those that left it."""
    return tuple(
        change
        for change in found
        if split in {side.split for side in (change.before, change.after) if side is not None}
    )


def is_history(before: Ref, after: Ref) -> bool:
    """Whether two refs are one thing at two times."""
    return before.info.split == after.info.split and before.info.ref != after.info.ref


def new_contents(after: Ref, found: Iterable[VersionChange]) -> Ref:
    """A version without the cases whose contents were there before.

    Args:
        after: The later version, or a split of it.
        found: What happened.
    """
    keys = {
        change.after.key
        for change in found
        if change.after is not None and change.kind in ("added", "changed") and change.has_new
    }
    return dataclasses.replace(after, cases=tuple(case for case in after.cases if case.key in keys))


def newer(before: Iterable[IndexedCase], after: Iterable[IndexedCase]) -> frozenset[Key]:
    """The cases that came into their split between two versions, or have another content.

    Args:
        before: All cases of the earlier version.
        after: All cases of the later one.
    """
    return frozenset(
        change.after.key
        for change in changes(before, after)
        if change.after is not None and change.kind != "renamed" and change.has_new
    )


def with_changes(report: Report, found: Sequence[VersionChange]) -> Report:
    """Put what happened into a report on what came.

    Copies of scans that are not there any more are no findings: they are told with what came.

    Args:
        report: Of a version and of what came after it.
        found: What happened.
    """
    gone = {
        change.before.key
        for change in found
        if change.before is not None and change.kind in ("removed", "changed") and change.has_new
    }
    copies: dict[Key, Finding] = {}
    for pair in report.pairs:  # the strongest comes first
        if pair.a.key in gone and pair.verdict in COPIES:
            copies.setdefault(pair.b.key, pair)
    pairs = tuple(pair for pair in report.pairs if pair.a.key not in gone)
    groups = verdicts.groups(pair for pair in pairs if not pair.accepted)
    told = tuple(_with_source(change, copies) for change in found)
    return dataclasses.replace(report, pairs=pairs, groups=groups, changes=told)


def _with_source(change: VersionChange, copies: dict[Key, Finding]) -> VersionChange:
    copy = copies.get(change.after.key) if change.after is not None else None
    if copy is None:
        return change
    return dataclasses.replace(change, copy_of=copy.a, verdict=copy.verdict, reason=copy.reason)


def _content(case: IndexedCase) -> Hashable:
    """What a case is followed by: its content, or its bytes where they could not be read."""
    if case.content:
        return case.content
    hashes = tuple(sorted(stat.file_hash for stat in case.files))
    return (case.series, hashes) if any(hashes) else case.key


def _matched(
    went: Sequence[IndexedCase],
    came: Sequence[IndexedCase],
    by: Callable[[IndexedCase], Hashable],
) -> tuple[list[_Match], list[IndexedCase], list[IndexedCase]]:
    """Pair cases that have something in common, those of one id first; and what is left."""
    waiting: dict[Hashable, list[IndexedCase]] = {}
    for case in came:
        waiting.setdefault(by(case), []).append(case)
    found: list[_Match] = []
    for same_id in (True, False):
        taken = {one.key for one, _ in found}
        for case in went:
            others = waiting.get(by(case), [])
            fits = [each for each in others if not same_id or each.case_id == case.case_id]
            if case.key not in taken and fits:
                found.append((case, fits[0]))
                others.remove(fits[0])
    one, other = {pair[0].key for pair in found}, {pair[1].key for pair in found}
    rest = [case for case in went if case.key not in one]
    return found, rest, [case for case in came if case.key not in other]


def _change(kind: ChangeKind, match: _Match) -> VersionChange:
    old, new = match
    return VersionChange(kind, member_of(old), member_of(new), _differences(old, new))


def _differences(old: IndexedCase, new: IndexedCase) -> tuple[CaseDifference, ...]:
    """What is different about a case that is there in both versions."""
    found: list[CaseDifference] = []
    if "unreadable" in (old.status, new.status) and old.status != new.status:
        found.append("readable" if old.status == "unreadable" else "unreadable")
    elif old.voxel_hashes != new.voxel_hashes or not old.content:
        found += ["voxels"] if _content(old) != _content(new) else []
    elif old.content != new.content:
        found.append("header")
    if old.group != new.group:
        found.append("subject")
    if old.key == new.key and old.paths != new.paths:
        found.append("files")
    return tuple(found)
