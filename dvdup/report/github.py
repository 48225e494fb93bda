"""The report as annotations of GitHub Actions, then a line that sums it up.

Comes in: a `Report`. Goes out: workflow commands (`::error file=...::...`), as a step prints them.
GitHub shows ten annotations of a kind and drops the others without a word, so no more are written
and the last line says how many are missing. What makes the exit code 1 is an error, and so is what
could not be checked; other findings are warnings, accepted ones are left out.

Format: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

from collections import Counter

from dvdup.records import Report
from dvdup.report.headline import headline, summary
from dvdup.report.lines import Problem, problems
from dvdup.report.meanings import MEANINGS, fails
from dvdup.text import visible

MOST = 10
"""Annotations of a kind that GitHub shows."""


def render(report: Report, width: int, color: bool) -> str:
    """Return the commands and the closing line; the layout of a terminal does not matter."""
    counts: Counter[str] = Counter()
    lines = []
    for problem in problems(report):
        kind = _kind(report, problem)
        counts[kind] += kind != ""
        if kind and counts[kind] <= MOST:
            lines.append(_command(kind, problem))
    left_out = sum(max(0, n - MOST) for n in counts.values())
    closing = f"dvdup: {headline(report)[0]} {summary(report)}"
    if left_out:
        closing += f" {left_out:,} more are not annotated: GitHub shows {MOST} of a kind."
    return "\n".join([*lines, closing]) + "\n"


def _kind(report: Report, problem: Problem) -> str:
    """Which command a problem becomes; "" for an accepted pair."""
    if problem.finding is None:
        return "error"
    if problem.finding.accepted:
        return ""
    return "error" if fails(report, problem.finding) else "warning"


def _command(kind: str, problem: Problem) -> str:
    properties = {"file": problem.path, "title": f"dvdup: {MEANINGS[problem.rule].title}"}
    said = ",".join(f"{name}={parameter(text)}" for name, text in properties.items() if text)
    return f"::{kind} {said}::{data(problem.message)}"


def data(text: str) -> str:
    """Return text as the message of a command: one line, which the runner decodes again."""
    return visible(text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A"))


def parameter(text: str) -> str:
    """Return text as the value of a parameter of a command.

    The runner decodes it, so that names with colons, commas and line breaks are found again; other
    characters that cannot be printed become escapes, which no file bears.
    """
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return visible(escaped.replace(":", "%3A").replace(",", "%2C"))
