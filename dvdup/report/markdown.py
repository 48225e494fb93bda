"""The report as GitHub-flavoured Markdown, for step summaries, issues and pull requests.

Comes in: a `Report`. Goes out: a heading, the sentences, a table of the findings, a table of what
could not be checked. GitHub drops a summary beyond 1 MiB as a whole, so rows stop before that, in
all tables together, and a line says how many are missing.

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
from dvdup.report.names import case_label, counted, files_text, public_reason
from dvdup.text import visible

LARGEST = 900_000
"""Bytes of the rows of all tables, below the 1,048,576 that GitHub shows."""
MOST_COPIES = 500
"""Copies of one scan that are named on a side."""

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
    shown, known = blocks(report), reviewed(report)
    tables = sum(map(bool, (report.changes, shown, known, report.unreadable)))
    largest = LARGEST // max(1, tables)
    if report.changes:
        told = [(row.kind, code(row.case), plain(row.why)) for row in rows(report.changes)]
        parts.append(table(("change", "case", "what"), told, "change", largest))
    if shown:
        titles = columns(report)
        head = ("verdict", plain(titles.left), plain(titles.right), "why")
        parts.append(table(head, map(_block, shown), "finding", largest))
        if shows_scores(report):
            parts.append(f"{plain(LEGEND)}\n")
    if known:
        reviews = [(p.verdict, code(p.left), code(p.right), plain(p.why)) for p in known]
        head = ("accepted", "case", "matches", "why")
        parts.append(table(head, reviews, "accepted pair", largest))
    if report.unreadable:
        unchecked = [
            (
                _case(Entry(case_label(case.split, case.case), files_text(case))),
                plain(public_reason(case)),
            )
            for case in report.unreadable
        ]
        parts.append(table(("could not be checked", "why"), unchecked, "case", largest))
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
        _cases(block.left),
        _cases(block.right),
        "<br>".join(map(plain, filter(None, (*block.why, block.scores)))),
    )


def _cases(entries: Sequence[Entry]) -> str:
    cut = len(entries) > MOST_COPIES + 1
    named = [_case(entry) for entry in (entries[:MOST_COPIES] if cut else entries)]
    return "<br>".join(named + [f"... and {len(entries) - MOST_COPIES:,} more"] * cut)


def _case(entry: Entry) -> str:
    return code(entry.name) + (f"<br>{code(entry.files)}" if entry.files else "")


def table(
    head: Sequence[str], rows: Iterable[Sequence[str]], what: str, largest: int = LARGEST
) -> str:
    """Return a table of cells that are Markdown already, ending with a newline.

    Args:
        head: Titles of the columns.
        rows: As many as fit into `largest` are shown.
        what: What a row is, to say how many are left out.
        largest: Bytes of the rows.
    """
    lines = [_row(head), _row(["---"] * len(head))]
    size = left_out = 0
    for row in map(_row, rows):
        size += len(row.encode()) + 1
        if size > largest:
            left_out += 1
        else:
            lines.append(row)
    verb = "does" if left_out == 1 else "do"
    note = f"\n{counted(left_out, f'more {what}')} {verb} not fit here; -f json lists all.\n"
    return "\n".join(lines) + "\n" + (note if left_out else "")


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
