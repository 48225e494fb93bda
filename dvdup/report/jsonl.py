"""The report as lines of JSON, for programs that read one record at a time.

Comes in: a `Report`. Goes out: first a line of `kind` `report` with the settings, refs and totals,
then a line for every pair, group, case that could not be checked, and note. The records are those
of the contract `dvdup/report@1` with their `kind` beside them; of an unchecked case that is
`unreadable` or `stale`, as in the contract.

Format: https://jsonlines.org
"""

from __future__ import annotations

import json
from typing import Any

from dvdup.records import Report
from dvdup.report.json import guarded, to_document


def render(report: Report, width: int, color: bool) -> str:
    """Return the lines; the layout of a terminal does not matter."""
    document = to_document(report)
    lists = {name: document.pop(name) for name in ("pairs", "groups", "unreadable")}
    notes = document.pop("notes", [])
    lines: list[dict[str, Any]] = [{"kind": "report", **document}]
    lines += [{"kind": "pair", **pair} for pair in lists["pairs"]]
    lines += [{"kind": "group", **group} for group in lists["groups"]]
    lines += lists["unreadable"]
    lines += [{"kind": "note", **note} for note in notes]
    return guarded("".join(json.dumps(line, allow_nan=False) + "\n" for line in lines))
