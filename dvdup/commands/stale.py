"""Where the files of a dataset are not as they were indexed, so that an answer may be out of date.

`diff` and `query` take the index as it is. Of the cases that they speak about, those whose files
have changed or gone, and scans that have come and are not indexed, stand in the report: nobody has
looked at them as they are now.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from dvdup import files
from dvdup.compare.refs import Ref
from dvdup.errors import DvdupError, ReadError
from dvdup.records import EVERY_SPLIT, Case, IndexedCase, Unreadable
from dvdup.store import Index
from dvdup.sync.declared import by_hand, declaration, same_declaration
from dvdup.workspace import Workspace

_SYNC = "`dvdup sync` brings the index up to date"
GONE = f"its files have gone since it was indexed; {_SYNC}"
CHANGED = f"its files have changed since it was indexed; {_SYNC}"
OTHERWISE = f"it is declared otherwise than it was indexed; {_SYNC}"
NEW = f"it is not indexed yet; {_SYNC}"
UNKNOWN = "new scans could not be looked for"
EVERY = "*"
"""Stands for every case of a split."""


def stale_cases(workspace: Workspace, index: Index, refs: Sequence[Ref]) -> tuple[Unreadable, ...]:
    """What is not as it was indexed in the newest versions among some refs, sorted.

    Files whose size, times or inode differ are hashed to find out; what has the same bytes is
    remembered.

    Args:
        workspace: Where.
        index: The newest version.
        refs: What is compared; older versions are what they are.
    """
    newest = [ref for ref in refs if ref.index is index]
    if not newest:
        return ()
    cases = {case.key: case for ref in newest for case in ref.cases}
    found = {each: why for each, why in _of_files(workspace, cases.values()) if why}
    everything = any(ref.info.split in ("", EVERY_SPLIT) for ref in newest)
    splits = {ref.info.split for ref in newest}
    known = {case.key: case for case in index.cases}
    try:
        declared = declaration(workspace, index.cases, by_hand(index.cases)).cases
    except DvdupError as error:
        names = sorted({case.split for case in cases.values()})
        found |= {(name, EVERY, ()): f"{UNKNOWN}: {error}" for name in names}
        declared = ()
    asked = [case for case in declared if everything or case.split in splits]
    found = {**_of_declaration(asked, known), **found}
    workspace.verified.save()
    return tuple(
        Unreadable(case, split, paths, why, "stale")
        for (split, case, paths), why in sorted(found.items())
    )


Name = tuple[str, str, tuple[str, ...]]


def _of_files(workspace: Workspace, cases: Iterable[IndexedCase]) -> Iterator[tuple[Name, str]]:
    for case in cases:
        if files.still_away(workspace.root, case):
            continue
        try:
            same = files.holds_what_was_indexed(
                workspace.root, case.files, case.paths, workspace.verified
            )
        except ReadError as error:
            yield (*case.key, case.paths), str(error)
            continue
        gone = not same and any(files.is_missing(workspace.root, path) for path in case.paths)
        yield (*case.key, case.paths), "" if same else GONE if gone else CHANGED


def _of_declaration(
    declared: Iterable[Case], known: dict[tuple[str, str], IndexedCase]
) -> dict[Name, str]:
    return {
        (*case.key, case.files): OTHERWISE if case.key in known else NEW
        for case in declared
        if case.key not in known or not same_declaration(case, known[case.key])
    }
