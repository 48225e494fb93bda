"""The report as SARIF 2.1.0, for code scanning of GitHub and for viewers of static analysis.

Comes in: a `Report`. Goes out: one run with a rule for each verdict, and one for each reason why a
case was not checked: a scanner that left those out would close the alerts of a scan that has become
unreadable. The location of a pair is the main file of side b, side a is a related location; both
are relative URIs. Accepted pairs are results with a suppression,
whose justification is the reason that was given.

Code scanning tells results apart by `primaryLocationLineHash`. It reads it from the lines of the
file, which a scan has not got; it is given here, by the contents of both scans.

Format: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from dvdup import __version__
from dvdup.records import Acceptance, Member, Report
from dvdup.report.json import guarded
from dvdup.report.lines import Problem, full_name, main_path, problems
from dvdup.report.meanings import MEANINGS, Meaning, fails
from dvdup.report.sentences import terms

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
"""Where the schema of the format lies."""
HOME = "https://github.com/dvdup/dvdup"

_RULES = {name: index for index, name in enumerate(MEANINGS)}


def render(report: Report, width: int, color: bool) -> str:
    """Return the log as JSON; the layout of a terminal does not matter."""
    driver = {
        "name": "dvdup",
        "semanticVersion": __version__,
        "informationUri": HOME,
        "rules": [_rule(name, meaning) for name, meaning in MEANINGS.items()],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": not report.unreadable}],
        "results": [_result(report, problem) for problem in problems(report)],
    }
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return guarded(json.dumps(document, indent=2) + "\n")


def _rule(name: str, meaning: Meaning) -> dict[str, Any]:
    # every part of the help is a sentence of ours, so that Markdown and text are the same
    text = f"{meaning.what} {meaning.help}"
    return {
        "id": f"dvdup/{name}",
        "name": "".join(part.capitalize() for part in name.split("-")),
        "shortDescription": {"text": f"{meaning.title}."},
        "fullDescription": {"text": meaning.what},
        "help": {"text": text, "markdown": text},
        "helpUri": f"{HOME}#{'verdicts' if meaning.relation else 'exit-codes'}",
        "defaultConfiguration": {"level": "warning" if meaning.severity == "minor" else "error"},
        "properties": {"tags": ["data leakage"]},
    }


def _result(report: Report, problem: Problem) -> dict[str, Any]:
    failing = problem.finding is None or fails(report, problem.finding)
    result = {
        "ruleId": f"dvdup/{problem.rule}",
        "ruleIndex": _RULES[problem.rule],
        "level": "error" if failing else "warning",
        "message": {"text": _no_link(problem.message)},
        "locations": [_location(problem.owner)],
        "partialFingerprints": {
            "dvdup/contents/v1": problem.fingerprint,
            "primaryLocationLineHash": f"{problem.fingerprint[:16]}:{problem.ordinal}",
        },
    }
    if problem.other is not None:
        there = {"id": 1, "message": {"text": full_name(problem.other)}}
        result["relatedLocations"] = [{**there, **_location(problem.other)}]
    if problem.finding is not None and problem.finding.accepted:
        result["level"] = "note"
        result["suppressions"] = [_suppression(problem.finding.acceptance)]
    return result


def _suppression(said: Acceptance | None) -> dict[str, Any]:
    """That a pair was accepted, and what was said; a report of another program may not know it."""
    found: dict[str, Any] = {"kind": "external", "status": "accepted"}
    if said is not None:
        found["justification"] = terms(said)
        found |= {"properties": {"until": said.until}} if said.until else {}
    return found


def _no_link(message: str) -> str:
    """Return a message in which no name reads as a link, which is `[text](1)` in SARIF."""
    return message.replace("](", "] (")


def _location(member: Member) -> dict[str, Any]:
    location: dict[str, Any] = {
        "logicalLocations": [{"fullyQualifiedName": member.label, "kind": "resource"}]
    }
    path = main_path(member)
    if path:
        location["physicalLocation"] = {
            "artifactLocation": {"uri": relative_uri(path), "uriBaseId": "%SRCROOT%"},
            "region": {"startLine": 1},  # code scanning asks for a line, also of files without any
        }
    return location


def relative_uri(path: str) -> str:
    """Return a POSIX path as a relative URI; bytes that are no UTF-8 are kept."""
    try:
        name = path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a character, which names on Windows may hold
        name = path.encode("utf-8", "surrogatepass")
    return quote(name, safe="/")
