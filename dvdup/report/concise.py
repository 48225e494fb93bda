"""The report as one line a finding, for hooks and editors: `file: verdict: other file: reason`.

Comes in: a `Report`. Goes out: a line for each pair that nobody has accepted, a line for each case
that could not be checked, and the closing line of every report.
"""

from __future__ import annotations

from dvdup.records import Report
from dvdup.report.headline import summary
from dvdup.report.lines import problems


def render(report: Report, width: int, color: bool) -> str:
    """Return the lines; they are not folded, whatever the width."""
    lines = [
        f"{each.rule}: {each.message}"
        for each in problems(report)
        if each.finding is None or not each.finding.accepted
    ]
    return "\n".join([*lines, summary(report)]) + "\n"
