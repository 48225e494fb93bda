"""What happened between two versions, in words: every format tells it from here.

Comes in: a `Report` with changes. Goes out: sentences, and rows of plain text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from dvdup.records import COPIES, CaseDifference, ChangeKind, Member, Report, VersionChange
from dvdup.report.names import case_label, counted, files_text, listed, public_path
from dvdup.text import visible

_KINDS: dict[ChangeKind, str] = {
    "added": "added",
    "removed": "removed",
    "renamed": "renamed",
    "moved": "moved to another split",
    "changed": "changed",
}
_DIFFERENCES: dict[CaseDifference, str] = {
    "voxels": "other voxels",
    "header": "the same voxels, of another size or modality by its header",
    "readable": "could not be read before",
    "unreadable": "cannot be read any more",
    "subject": "another subject",
    "files": "other files of the same content",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One change as shown."""

    kind: ChangeKind
    case: str
    """`split/case`; of one that goes by another name now both: `train/a -> train/b`."""
    files: str
    """Where that says more than the name."""
    why: str
    """What is different, or what it is a copy of; often ""."""


def sentences(report: Report) -> list[str]:
    """Return what happened, and whether what came is a copy; without what was not checked."""
    changes = report.changes or ()
    before, after = (visible(public_path(ref.ref)) for ref in report.refs)
    if not changes:
        return [f"Nothing changed between {before} and {after}."]
    counts = Counter(change.kind for change in changes)
    parts = [f"{counts[kind]:,} {words}" for kind, words in _KINDS.items() if counts[kind]]
    return [f"From {before} to {after}: {', '.join(parts)}.", *_of_copies(report, changes)]


def rows(changes: Sequence[VersionChange]) -> list[Row]:
    """Return the changes as they are listed."""
    return [_row(change) for change in changes]


def _of_copies(report: Report, changes: Sequence[VersionChange]) -> list[str]:
    """Say of what came which is a copy of what was there, and of what is not there any more."""
    came = sum(c.has_new and c.kind in ("added", "changed") for c in changes)
    copied = {pair.b.key for pair in report.pairs if pair.verdict in COPIES and not pair.accepted}
    replaced = sum(change.copy_of is not None for change in changes)
    found = []
    if copied:
        was = "was" if len(copied) == 1 else "were"
        found.append(f"{len(copied):,} of {counted(came, 'new scan')} {was} there before.")
    elif came and not report.unreadable:
        none = "The new scan is not" if came == 1 else f"None of the {came:,} new scans is"
        found.append(f"{none} a copy of what is still there.")
    if replaced:
        one = replaced == 1
        found.append(f"{replaced:,} {'is a copy' if one else 'are copies'} of what is gone.")
    return found


def _row(change: VersionChange) -> Row:
    side = change.after or change.before
    assert side is not None
    names = [
        visible(case_label(each.split, each.case))
        for each in (change.before, change.after)
        if each is not None
    ]
    name = " -> ".join(dict.fromkeys(names))
    files = files_text(side)
    return Row(change.kind, name, "" if files == name else files, _why(change))


def _why(change: VersionChange) -> str:
    parts = [_DIFFERENCES[each] for each in change.differences]
    if change.copy_of is not None:
        parts.append(
            f"{change.verdict} copy of {_label(change.copy_of)}, which is gone: {change.reason}"
        )
    return visible("; ".join(parts))


def _label(side: Member) -> str:
    return case_label(side.split, side.case)


def in_one_line(report: Report) -> str:
    """Return the counts for the line that closes a report."""
    counts = Counter(change.kind for change in report.changes or ())
    return listed(f"{counts[kind]:,} {kind}" for kind in _KINDS if counts[kind])
