"""What to change so that the splits are free of leaks: for people, as CSV, as JSON.

Comes in: a `Proposal`. Goes out: text, a table with one row a change, or JSON (contract
`dvdup/resplit@1`, described by `resplit.schema.json`). Same proposal, same bytes.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from io import StringIO

from dvdup import __version__
from dvdup.records import CaseChange, Proposal
from dvdup.report.csv import safe_cell
from dvdup.report.groups import member
from dvdup.report.names import counted, listed, public_path
from dvdup.text import visible

SCHEMA = "dvdup/resplit@1"
"""Value of the `schema` key; the number grows with any change that breaks a reader."""
HEADER = ("action", "split", "case", "to", "because", "group", "path")
"""The columns. New ones are added at the end. `to` is empty for a case that is dropped."""


def to_text(proposal: Proposal) -> str:
    """Return it for people."""
    return "\n".join((*_headline(proposal), *_changes(proposal))) + "\n"


def _headline(proposal: Proposal) -> Iterator[str]:
    if not proposal.changes:
        yield "Nothing to change: no group lies in more than one split."
        return
    parts = [
        counted(n, f"case to {what}", f"cases to {what}")
        for n, what in ((proposal.moved, "move"), (proposal.dropped, "drop"))
        if n
    ]
    yield f"{' and '.join(parts)}; then no group lies in more than one split."
    kept = proposal.wish.keep
    sizes = (
        f"{visible(split)} {before}" + (", kept" if split in kept else f" -> {after}")
        for split, (before, after) in _sizes(proposal).items()
    )
    yield f"Cases: {'; '.join(sizes)}."


def _sizes(proposal: Proposal) -> dict[str, tuple[int, int]]:
    """In the order of the splits."""
    sizes = proposal.sizes()
    return {split: sizes[split] for split in proposal.wish.splits if split in sizes}


def _changes(proposal: Proposal) -> Iterator[str]:
    if proposal.changes:
        yield ""
    names = [visible(change.case.label) for change in proposal.changes]
    width = min(40, max(map(len, names), default=0))
    for change, name in zip(proposal.changes, names, strict=True):
        yield f"{_what(change).ljust(_widest(proposal))}  {name.ljust(width)}  {_why(change)}"


def _what(change: CaseChange) -> str:
    return "drop" if change.to is None else f"to {visible(change.to)}"


def _widest(proposal: Proposal) -> int:
    return max(len(_what(change)) for change in proposal.changes)


def _why(change: CaseChange) -> str:
    if change.because is None:
        return "to make up for others"
    return f"as {visible(change.because)} is of its group"


def to_csv(proposal: Proposal) -> str:
    """Return one row a change; names that a spreadsheet would run get an apostrophe in front."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    for change in proposal.changes:
        case = change.case
        path = public_path(case.paths[0]) if case.paths else ""
        texts = (case.split, case.case, change.to or "", change.because or "", case.group, path)
        writer.writerow([_action(change), *map(safe_cell, texts)])
    return out.getvalue()


def to_json(proposal: Proposal, fail_on: Sequence[str]) -> str:
    """Return the document.

    Args:
        proposal: What to change.
        fail_on: Which findings join cases, spelled out.
    """
    wish = proposal.wish
    document = {
        "schema": SCHEMA,
        "dvdup": __version__,
        "settings": {
            "fail_on": list(fail_on),
            "keep": [split for split in wish.splits if split in wish.keep],
            "how": "move" if wish.move else "drop",
            "sizes": wish.sizes,
            "balance": wish.column,
        },
        "totals": {"moved": proposal.moved, "dropped": proposal.dropped},
        "splits": {
            split: {"before": before, "after": after}
            for split, (before, after) in _sizes(proposal).items()
        },
        "changes": [
            {
                "action": _action(change),
                **member(change.case),
                "to": change.to,
                "because": change.because,
            }
            for change in proposal.changes
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def _action(change: CaseChange) -> str:
    return "drop" if change.to is None else "move"


def dropped_note(proposal: Proposal) -> str | None:
    """Return what to know about files of dropped cases; None if there are none."""
    paths = [change.case.paths[0] for change in proposal.changes if change.to is None]
    if not paths:
        return None
    such = listed(map(visible, paths[:1]))
    n = counted(len(paths), "dropped case")
    return (
        f"note: the files of {n}, such as {such}, stay where they are; as long as they lie in the "
        "folder of a split they are cases of it: move them away, or name them in dataset.exclude"
    )
