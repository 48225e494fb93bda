"""What names alone tell: subjects, files and DICOM images in two splits, before a scan is read."""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations

from dvdup import accepted, store
from dvdup.compare import verdicts
from dvdup.compare.findings import with_accepted, with_fail_on
from dvdup.compare.refs import split_order
from dvdup.compare.verdicts import thresholds_for
from dvdup.config.uris import is_object_uri
from dvdup.discover import lacking_subject
from dvdup.errors import InputError, StoreError
from dvdup.hashing import text_hash
from dvdup.records import Case, FileStat, Finding, Hooks, IndexedCase, Key, RefInfo, Report
from dvdup.report.findings import finding_of
from dvdup.sealed import SealedFiles
from dvdup.sync.declared import by_hand, declaration
from dvdup.sync.prepare import row_of
from dvdup.text import visible
from dvdup.workspace import Workspace, readers_as_formats

_BASES = ("declared", "dicom-uid", "same-file")


def names_only(workspace: Workspace, *, hooks: Hooks | None = None) -> Report:
    """Report what lies in two splits by the names that are declared; no scan is read.

    Args:
        workspace: Where.
        hooks: The wish to stop, and who is told of cases without a subject.

    Raises:
        ConfigError, InputError: The declaration cannot be used, or declares nothing.
        Interrupted: The user wishes to stop.
    """
    hooks = hooks or Hooks()
    entries = accepted.read(workspace.root)
    known = workspace.open_any().cases if store.exists(workspace.folder) else ()
    formats = readers_as_formats(_lasting(workspace), workspace.root)
    hand = by_hand(known)
    declared = declaration(workspace, known, hand, hooks.should_stop, formats=formats).cases
    hooks.say_once("subjects", lacking_subject(workspace.config.dataset, declared))
    if not declared:
        raise InputError("there is nothing to compare: no scan is declared, and none was added")
    cases = _rows(declared, {case.key: case for case in known})
    splits = sorted({case.split for case in cases}, key=split_order)
    sides = {name: [case for case in cases if case.split == name] for name in splits}
    found = [pair for a, b in combinations(splits, 2) for pair in _shared(sides[a], sides[b])]
    counts = Counter(case.split for case in cases)
    report = Report(
        settings={"embedder": workspace.config.embedder, "names_only": True, "fail_on": []},
        refs=tuple(RefInfo(name, name, counts[name]) for name in splits),
        pairs=tuple(sorted(found, key=verdicts.order)),
        groups=verdicts.groups(found),
        unreadable=(),
    )
    return with_fail_on(with_accepted(report, entries, cases), workspace.config.report)


def _lasting(workspace: Workspace) -> SealedFiles:
    """The sealed files of the index; without one, files that are not kept, with a key that is.

    The key hides who a patient is, and patients are called by it: they are to have one name before
    and after there is an index. It is made only when a patient has to be named, and holds for this
    process where it cannot be kept.
    """
    sealed, storage = workspace.sealed, workspace.storage
    if sealed.folder is not None or is_object_uri(workspace.config.index):
        return sealed

    def key() -> bytes:
        try:
            storage.claim(workspace.root)
            return storage.key()
        except (OSError, StoreError):
            return sealed.key()

    return SealedFiles(None, functools.cache(key))


def _rows(declared: Sequence[Case], known: Mapping[Key, IndexedCase]) -> list[IndexedCase]:
    """The declared cases, with the contents that the index knows, by which pairs are accepted."""
    rows = []
    for case in declared:
        old = known.get(case.key)
        row = row_of(case, ())
        content = old.content if old is not None else ""
        stats = tuple(FileStat(path, 0, 0) for path in case.files)
        rows.append(
            dataclasses.replace(
                row,
                files=old.files if old is not None and old.paths == case.files else stats,
                content=content or text_hash(f"{case.split}/{case.case_id}"),
                voxel_hashes=old.voxel_hashes if old is not None else (),
            )
        )
    return rows


def _shared(a: Sequence[IndexedCase], b: Sequence[IndexedCase]) -> list[Finding]:
    found = verdicts.find(a, b, [], thresholds_for(""), same_files=verdicts.sharing_files(a, b))
    return [finding_of(each) for each in found if each.basis in _BASES]


def early_note(cases: Sequence[Case]) -> str:
    """One line on subjects that lie in two splits; "" if none does.

    Args:
        cases: All that are declared.
    """
    splits: dict[str, dict[str, Case]] = {}
    for case in cases:
        if case.group:
            splits.setdefault(case.group, {}).setdefault(case.split, case)
    shared = sorted(name for name, where in splits.items() if len(where) > 1)
    if not shared:
        return ""
    n = "1 subject lies" if len(shared) == 1 else f"{len(shared):,} subjects lie"
    where = [f"{case.split}/{case.case_id}" for _, case in sorted(splits[shared[0]].items())]
    return (
        f"note: {n} in more than one split by names alone, such as {visible(shared[0])} "
        f"({visible(' and '.join(where[:2]))}); `dvdup check --names-only` lists them"
    )
