"""The report as a code quality report of GitLab, which shows it in merge requests.

Comes in: a `Report`. Goes out: a JSON list with an entry for each pair that nobody has accepted,
and for each case that could not be checked. GitLab compares the fingerprints of two branches, and
shows only the first entry of a fingerprint: they go by the contents of the scans, and each is given
once.

Format: https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
"""

from __future__ import annotations

import json
from typing import Any

from dvdup.records import Report
from dvdup.report.json import guarded
from dvdup.report.lines import Problem, problems
from dvdup.report.meanings import MEANINGS


def render(report: Report, width: int, color: bool) -> str:
    """Return the list as JSON; the layout of a terminal does not matter."""
    entries = [
        _entry(each)
        for each in problems(report)
        if each.finding is None or not each.finding.accepted
    ]
    return guarded(json.dumps(entries, indent=2) + "\n")


def _entry(problem: Problem) -> dict[str, Any]:
    return {
        "description": problem.message,
        "check_name": f"dvdup/{problem.rule}",
        "fingerprint": problem.unique,
        "severity": MEANINGS[problem.rule].severity,
        "location": {"path": _path(problem), "lines": {"begin": 1}},
    }


def _path(problem: Problem) -> str:
    """Relative to the repository and without "./" before it, as GitLab wants it; not empty."""
    path = problem.path
    while path.startswith("./"):
        path = path[2:]
    return path or problem.owner.label
