"""An audit: what was compared with which result, for reviewers and files.

Comes in: an `Audit`. Goes out: Markdown, or JSON (contract `dvdup/audit@1`, described by
`audit.schema.json`). Same data, settings and versions, same bytes.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator

from dvdup import __version__
from dvdup.records import VERDICTS, Audit
from dvdup.report import markdown
from dvdup.report.json import guarded, to_document
from dvdup.report.markdown import code, plain
from dvdup.report.names import counted
from dvdup.report.totals import totals

SCHEMA = "dvdup/audit@1"
"""Value of the `schema` key; the number grows with any change that breaks a reader."""


def to_json(audit: Audit) -> str:
    """Return the document, ending with a newline."""
    found = {
        "schema": SCHEMA,
        "dvdup": __version__,
        "versions": dict(sorted(audit.versions.items())),
        "splits": [dataclasses.asdict(split) for split in audit.splits],
        "coverage": {
            "compared": [list(pair) for pair in audit.compared],
            "not_checked": len(audit.report.unreadable),
            "left_out": dict(sorted(audit.left_out.items())),
        },
        "labels": None
        if audit.column is None
        else {
            "column": audit.column,
            "conflicts": [dataclasses.asdict(each) for each in audit.conflicts],
        },
        "report": to_document(audit.report),
    }
    return guarded(json.dumps(found, indent=2, allow_nan=False) + "\n")


def to_markdown(audit: Audit) -> str:
    """Return the document for people."""
    parts = [
        "# Audit by dvdup\n",
        *_splits(audit),
        *_coverage(audit),
        *_conflicts(audit),
        *_settings(audit),
        markdown.render(audit.report, 80, False),
    ]
    return "\n".join(parts)


def _splits(audit: Audit) -> Iterator[str]:
    rows = [
        (code(s.split), f"{s.cases:,}", f"{s.checked:,}", f"{s.subjects:,}", code(s.digest))
        for s in audit.splits
    ]
    yield "## Splits\n"
    yield markdown.table(("split", "cases", "checked", "subjects", "digest"), rows, "split")
    yield (
        "The digest is that of the voxels of all cases of a split, whatever they are called, in "
        "any order.\n"
    )


def _coverage(audit: Audit) -> Iterator[str]:
    pairs = (f"{code(a)} with {'itself' if a == b else code(b)}" for a, b in audit.compared)
    unchecked = len(audit.report.unreadable)
    sums = totals(audit.report)
    found = ", ".join(f"{sums.verdicts[verdict]:,} {verdict}" for verdict in VERDICTS)
    yield "## What was checked\n"
    yield f"- Compared: {', '.join(pairs) or 'nothing'}."
    yield f"- Not checked: {counted(unchecked, 'case')}{', listed below' if unchecked else ''}."
    for reason, n in sorted(audit.left_out.items()):
        yield f"- Left out: {counted(n, 'file')}, {plain(reason)}."
    yield f"- Found: {found}; {sums.accepted:,} accepted.\n"


def _conflicts(audit: Audit) -> Iterator[str]:
    if audit.column is None:
        return
    yield f"## Copies of different {plain(audit.column)}\n"
    rows = [(each.verdict, code(each.a), plain(each.label_a), code(each.b), plain(each.label_b))
            for each in audit.conflicts]  # fmt: skip
    if rows:
        yield markdown.table(("verdict", "case", "label", "copy", "label"), rows, "conflict")
    else:
        yield "None.\n"


def _settings(audit: Audit) -> Iterator[str]:
    settings = audit.report.settings
    yield "## Settings and versions\n"
    for name, value in (*sorted(settings.items()), *sorted(audit.versions.items())):
        shown = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
        yield f"- {plain(name)}: {code(shown) if shown else 'none'}"
    yield ""
