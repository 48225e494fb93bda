"""What to keep on file about a dataset: contents, coverage, settings, findings."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from itertools import combinations
from pathlib import Path

from dvdup import __version__, splits
from dvdup.commands import labels
from dvdup.commands.check import check
from dvdup.compare.refs import split_order
from dvdup.hashing import VOXEL_HASH_VERSION, voxels_key
from dvdup.records import (
    Audit,
    Hooks,
    IndexedCase,
    Key,
    LabelConflict,
    Report,
    SplitContent,
    SyncSummary,
)
from dvdup.workspace import Workspace

_READERS = ("nibabel", "numpy", "pillow", "pydicom", "scipy", "SimpleITK", "tifffile")
"""Packages whose version can change what a scan holds or how it is compared."""


def audit(
    workspace: Workspace,
    *,
    column: str | None = None,
    file: Path | None = None,
    hooks: Hooks | None = None,
) -> Audit:
    """Check a dataset, and gather what a reviewer wants to know.

    Args:
        workspace: Where.
        column: A column of labels, to be compared among copies.
        file: A CSV with it and a column `case`; None: the table that declares the dataset.
        hooks: Progress, messages, the wish to stop.

    Raises:
        DvdupError: As `check`.
    """
    done: list[SyncSummary] = []
    report = check(workspace, synced=done.append, hooks=hooks)
    index = workspace.open_index()
    cases = index.cases
    names = sorted({case.split for case in cases}, key=split_order)
    compared = list(combinations(names, 2))
    if workspace.config.report.within:
        compared += [(name, name) for name in names]
    known = (
        {}
        if column is None
        else labels.labels_of(workspace, splits.grouped(cases, ()), column, file)
    )
    return Audit(
        report=report,
        splits=tuple(_content(name, [c for c in cases if c.split == name]) for name in names),
        compared=tuple(compared),
        left_out=Counter(each.reason for summary in done for each in summary.ignored),
        versions=_versions(),
        column=column,
        conflicts=tuple(_conflicts(report, known)),
    )


def _content(split: str, cases: Sequence[IndexedCase]) -> SplitContent:
    digest = hashlib.blake2b(digest_size=32)
    for content in sorted(map(_what, cases)):
        digest.update(content.encode() + b"\n")
    return SplitContent(
        split=split,
        cases=len(cases),
        checked=sum(case.status == "ok" for case in cases),
        subjects=len({case.group for case in cases} - {None}),
        digest=digest.hexdigest(),
    )


def _what(case: IndexedCase) -> str:
    """Its voxels; of a case without, its bytes."""
    if case.voxel_hashes:
        return voxels_key(case.voxel_hashes)
    return "files " + " ".join(sorted(stat.file_hash for stat in case.files))


def _conflicts(report: Report, known: Mapping[Key, str]) -> list[LabelConflict]:
    """Copies, accepted or not, of which both have a label and not the same."""
    return [
        LabelConflict(pair.a.label, pair.b.label, pair.verdict, one, other)
        for pair in report.pairs
        if pair.verdict != "same-subject"
        and (one := known.get(pair.a.key, ""))
        and (other := known.get(pair.b.key, ""))
        and one != other
    ]


def _versions() -> dict[str, str]:
    packages = {name: version(name) for name in _READERS}
    return {"dvdup": __version__, "voxel hash": str(VOXEL_HASH_VERSION), **packages}
