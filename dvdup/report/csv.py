"""The report as CSV: one row a pair, then one row a case that could not be checked.

Comes in: a `Report`. Goes out: RFC 4180 quoting, lines ending in a plain line feed as in every
other format, always the columns of `HEADER`. A case that was not checked has the verdict
`unreadable` or `stale` and fills the columns of side a only, so that a filter on `verdict` tells
the rows apart.

Spreadsheets run a cell that starts with = + - @ as a formula, and file names come from strangers:
text that starts so (or with a tab or line break) gets an apostrophe in front. Control characters
are shown as escapes, so a row is always one line. The exact names stand in the JSON report.
"""

from __future__ import annotations

import csv
from io import StringIO

from dvdup.records import Directed, Finding, Member, Report, Unreadable
from dvdup.report.names import public_path, public_reason
from dvdup.text import visible

HEADER = (
    *("verdict", "a_split", "a_case", "a_group", "a_path", "a_files"),
    *("b_split", "b_case", "b_group", "b_path", "b_files"),
    *("basis", "reason", "confidence"),
    *("count_score_a_to_b", "count_score_b_to_a"),
    *("shared_score_a_to_b", "shared_score_b_to_a"),
    *("similarity_a_to_b", "similarity_b_to_a"),
    *("accepted", "fingerprint"),
    *("accepted_reason", "accepted_until"),
)
"""The columns. New ones are added at the end. `a_path` is the main file of `a_files` files."""

_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""What a formula may start with; the last four are the full-width forms of the first four."""


def render(report: Report, width: int, color: bool) -> str:
    """Return the report as CSV; the layout of a terminal does not matter."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(_pair(finding) for finding in report.pairs)
    writer.writerows(_unreadable(case) for case in report.unreadable)
    return out.getvalue()


def safe_cell(text: str) -> str:
    """Return text that a spreadsheet shows and never runs."""
    return ("'" if text.startswith(_FORMULA) else "") + visible(text)


def _pair(finding: Finding) -> list[str]:
    return [
        finding.verdict,
        *_member(finding.a),
        *_member(finding.b),
        safe_cell(finding.basis),
        safe_cell(finding.reason),
        _number(finding.confidence),
        *_directed(finding.count_score),
        *_directed(finding.shared_score),
        *_directed(finding.similarity),
        "true" if finding.accepted else "false",
        safe_cell(finding.fingerprint),
        safe_cell(finding.acceptance.reason if finding.acceptance else ""),
        (finding.acceptance.until if finding.acceptance else None) or "",
    ]


def _member(member: Member) -> list[str]:
    main = public_path(member.paths[0]) if member.paths else ""
    texts = (member.split, member.case, member.group or "", main)
    return [*map(safe_cell, texts), str(len(member.paths))]


def _unreadable(case: Unreadable) -> list[str]:
    row = dict.fromkeys(HEADER, "")
    side = _member(Member(case.case, case.split, None, case.paths))
    row.update(zip(HEADER[1:6], side, strict=True))
    row.update(verdict=case.kind, reason=safe_cell(public_reason(case)))
    return list(row.values())


def _directed(score: Directed | None) -> list[str]:
    return ["", ""] if score is None else [_number(score.a_to_b), _number(score.b_to_a)]


def _number(value: float) -> str:
    return f"{round(value, 4) + 0.0:.4f}"
