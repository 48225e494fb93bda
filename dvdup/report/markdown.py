"""The report as GitHub-flavoured Markdown, for step summaries, issues and pull requests.

Comes in: a `Report`. Goes out: a heading, the sentences, a table of the findings, a table of what
could not be checked. GitHub drops a summary beyond 1 MiB as a whole, so rows stop before that and
a line says how many are missing.

Format: https://github.github.com/gfm/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

from dvdup.records import Report
from dvdup.report.blocks import LEGEND, Block, Entry, blocks, columns, reviewed, shows_scores
from dvdup.report.changes import rows
from dvdup.report.headline import headline, next_steps, summary
from dvdup.report.names import case_label, files_text, public_reason
from dvdup.text import visible

LARGEST = 900_000
"""Bytes of table rows, below the 1,048,576 that GitHub shows."""

_SPECIAL = frozenset("\\`*_[]<>|&#~!$")
_MENTION = re.compile(r"(?<!\w)@")
_EMOJI_OR_LINK = re.compile(r":(?=\S)")
_PLAIN_IN_CODE = frozenset("`|\\")


def render(report: Report, width: int, color: bool) -> str:
    """Return the report as Markdown; the layout of a terminal does not matter."""
    sentences = headline(report)
    parts = [f"## dvdup: {plain(sentences[0])}\n"]
    if len(sentences) > 1:
        parts.append("\n".join(f"- {plain(sentence)}" for sentence in sentences[1:]) + "\n")
    steps = next_steps(report)
    if steps:
        parts.append(f"**What to do:** {plain(' '.join(steps))}\n")
    if report.changes:
        told = [(row.kind, code(row.case), plain(row.why)) for row in rows(report.changes)]
        parts.append(table(("change", "case", "what"), told, "changes"))
    shown = blocks(report)
    if shown:
        titles = columns(report)
        head = ("verdict", plain(titles.left), plain(titles.right), "why")
        parts.append(table(head, [_block(block) for block in shown], "findings"))
        if shows_scores(report):
            parts.append(f"{plain(LEGEND)}\n")
    known = reviewed(report)
    if known:
        reviews = [(p.verdict, code(p.left), code(p.right), plain(p.why)) for p in known]
        parts.append(table(("accepted", "case", "matches", "why"), reviews, "accepted pairs"))
    if report.unreadable:
        unchecked = [
            (
                _case(Entry(case_label(case.split, case.case), files_text(case))),
                plain(public_reason(case)),
            )
            for case in report.unreadable
        ]
        parts.append(table(("could not be checked", "why"), unchecked, "cases"))
    parts.append(f"{plain(summary(report))}\n")
    return "\n".join(parts)


def plain(text: str) -> str:
    """Return text that Markdown shows as it is: no markup, link, mention or emoji code."""
    text = "".join(_entity(c) if c in _SPECIAL else c for c in visible(text))
    # GitHub looks for mentions after it has decoded character references; a comment keeps them off.
    return _MENTION.sub("@<!-- -->", _EMOJI_OR_LINK.sub("&#58;", text))


def code(name: str) -> str:
    """Return a name as a code span that survives a table cell.

    Backticks, pipes and backslashes cannot be escaped reliably in a span inside a table; names
    that hold one become an HTML element with character references.
    """
    name = visible(name)
    if name.strip() and not _PLAIN_IN_CODE.intersection(name):
        return f"`{name}`"
    return f"<code>{''.join(_entity(c) if c in _SPECIAL else c for c in name)}</code>"


def _entity(character: str) -> str:
    named = escape(character)
    return named if named != character else f"&#{ord(character)};"


def _block(block: Block) -> tuple[str, str, str, str]:
    return (
        block.verdict,
        "<br>".join(map(_case, block.left)),
        "<br>".join(map(_case, block.right)),
        "<br>".join(map(plain, filter(None, (*block.why, block.scores)))),
    )


def _case(entry: Entry) -> str:
    return code(entry.name) + (f"<br>{code(entry.files)}" if entry.files else "")


def table(head: Sequence[str], rows: Iterable[Sequence[str]], what: str) -> str:
    """Return a table of cells that are Markdown already, ending with a newline.

    Args:
        head: Titles of the columns.
        rows: As many as fit into `LARGEST` are shown.
        what: What a row is, in the plural, to say how many are left out.
    """
    lines = [_row(head), _row(["---"] * len(head))]
    size = left_out = 0
    for row in map(_row, rows):
        size += len(row.encode()) + 1
        if size > LARGEST:
            left_out += 1
        else:
            lines.append(row)
    note = f"\n{left_out:,} more {what} do not fit here; the other formats list all.\n"
    return "\n".join(lines) + "\n" + (note if left_out else "")


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
