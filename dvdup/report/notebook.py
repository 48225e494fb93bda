"""The report as a notebook shows it: a piece of HTML with the sentences and the first findings.

Comes in: a `Report`. Goes out: one element without style, script or links, so that the notebook
decides what it looks like. The page that `dvdup.report.html` writes shows all.
"""

from __future__ import annotations

from dvdup.records import Report
from dvdup.report.blocks import blocks, columns
from dvdup.report.headline import headline, summary
from dvdup.report.lines import unchecked_line
from dvdup.report.names import counted
from dvdup.report.pages import template

MOST = 20
"""Findings, copies of one scan, and cases that could not be checked, that are listed."""


def fragment(report: Report) -> str:
    """Return the element, ending with a newline."""
    found = blocks(report)
    return template("notebook.html.jinja").render(
        sentences=headline(report),
        titles=columns(report),
        shown=found[:MOST],
        most=MOST,
        left_out=_left(len(found), "finding"),
        unchecked=[unchecked_line(case) for case in report.unreadable[:MOST]],
        unchecked_left_out=_left(len(report.unreadable), "case"),
        summary=summary(report),
    )


def _left(number: int, noun: str) -> str:
    """How many are not listed, in words; "" if all are."""
    return counted(number - MOST, f"more {noun}") if number > MOST else ""
