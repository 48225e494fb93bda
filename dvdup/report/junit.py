"""The report as JUnit XML, which every CI service shows as tests.

Comes in: a `Report`. Goes out: one suite with a test for each pair and for each case that could not
be checked. A pair that makes the exit code 1 is a failure, an unchecked case an error, an accepted
pair is skipped, and so is one that nobody asked to fail for. Where nothing was found one test
passes, as an empty suite is taken for a broken one.

Format: the schema of the xUnit plugin of Jenkins,
https://github.com/jenkinsci/xunit-plugin (junit-10.xsd); there is no time in it.
"""

from __future__ import annotations

from collections import Counter
from xml.etree import ElementTree

from dvdup.records import Report
from dvdup.report.headline import headline, summary
from dvdup.report.lines import Problem, problems
from dvdup.report.meanings import MEANINGS, fails
from dvdup.text import visible

_KINDS = {"failure": "failures", "error": "errors", "skipped": "skipped"}
"""What may lie in a test, and the attribute that counts it."""


def render(report: Report, width: int, color: bool) -> str:
    """Return the document; the layout of a terminal does not matter."""
    kinds = [(_kind(report, problem), problem) for problem in problems(report)]
    counts = Counter(kind for kind, _ in kinds)
    numbers = {name: str(counts[kind]) for kind, name in _KINDS.items()}
    tests = str(max(1, len(kinds)))
    failed = {name: numbers[name] for name in ("failures", "errors")}
    top = ElementTree.Element("testsuites", {"name": "dvdup", "tests": tests, **failed})
    suite = ElementTree.SubElement(top, "testsuite", {"name": "dvdup", "tests": tests, **numbers})
    for kind, problem in kinds:
        _test(suite, kind, problem)
    if not kinds:
        _case(suite, "dvdup", headline(report)[0])
    said = ElementTree.SubElement(suite, "system-out")
    said.text = "\n".join((*headline(report), summary(report)))
    ElementTree.indent(top)
    text = ElementTree.tostring(top, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _kind(report: Report, problem: Problem) -> str:
    """The element that a problem becomes."""
    if problem.finding is None:
        return "error"
    return "failure" if fails(report, problem.finding) else "skipped"


def _test(suite: ElementTree.Element, kind: str, problem: Problem) -> None:
    name = problem.owner.label
    if problem.other is not None:
        name = f"{name} and {problem.other.label}"
    case = _case(suite, f"dvdup.{problem.rule}", visible(name))
    found = ElementTree.SubElement(case, kind, {"type": problem.rule, "message": problem.message})
    if kind != "skipped":
        meaning = MEANINGS[problem.rule]
        found.text = f"{problem.message}\n{meaning.what}\n{meaning.help}"


def _case(suite: ElementTree.Element, group: str, name: str) -> ElementTree.Element:
    values = {"classname": group, "name": name, "time": "0"}
    return ElementTree.SubElement(suite, "testcase", values)
