"""Groups of cases as files: one row a case, ready for scikit-learn's `GroupKFold`.

Comes in: cases with their groups. Goes out: CSV, or JSON (contract `dvdup/groups@1`, described by
`groups.schema.json`). Same cases, same bytes.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from io import StringIO
from typing import Any

from dvdup import __version__
from dvdup.records import GroupedCase
from dvdup.report.csv import safe_cell
from dvdup.report.names import public_path

SCHEMA = "dvdup/groups@1"
"""Value of the `schema` key; the number grows with any change that breaks a reader."""
HEADER = ("split", "case", "group", "size", "subject", "path", "checked")
"""The columns. New ones are added at the end. `size` is the number of cases of the group."""


def to_csv(cases: Sequence[GroupedCase]) -> str:
    """Return the table; names that a spreadsheet would run get an apostrophe in front."""
    sizes = _sizes(cases)
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    for case in cases:
        texts = (case.subject or "", public_path(case.paths[0]) if case.paths else "")
        writer.writerow(
            [
                *map(safe_cell, (case.split, case.case)),
                *(case.group, sizes[case.group]),
                *map(safe_cell, texts),
                "true" if case.checked else "false",
            ]
        )
    return out.getvalue()


def to_json(cases: Sequence[GroupedCase], fail_on: Sequence[str]) -> str:
    """Return the document.

    Args:
        cases: Sorted.
        fail_on: Which findings join cases, spelled out.
    """
    sizes = _sizes(cases)
    document = {
        "schema": SCHEMA,
        "dvdup": __version__,
        "settings": {"fail_on": list(fail_on)},
        "cases": [{**member(case), "checked": case.checked} for case in cases],
        "groups": [
            {"id": name, "members": [case.label for case in cases if case.group == name]}
            for name in sorted(name for name, size in sizes.items() if size > 1)
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def member(case: GroupedCase) -> dict[str, Any]:
    """A case and its group, as documents have it."""
    return {
        "case": case.case,
        "split": case.split,
        "group": case.group,
        "subject": case.subject,
        "paths": [public_path(path) for path in case.paths],
    }


def _sizes(cases: Sequence[GroupedCase]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for case in cases:
        sizes[case.group] = sizes.get(case.group, 0) + 1
    return sizes
