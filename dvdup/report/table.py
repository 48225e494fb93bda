"""The report as a table for people, laid out for any width from 40 columns.

Comes in: a `Report`. Goes out: text whose lines fit the width, with ANSI styles if asked for. The
verdict is always a word: colour repeats what the text says. Lines are drawn in ASCII, so that a
log or a terminal of any encoding can show them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from io import StringIO
from itertools import zip_longest

from rich.cells import cell_len

from dvdup.records import VERDICTS, Report, Unreadable, Verdict
from dvdup.report.blocks import (
    LEGEND,
    Block,
    Columns,
    Entry,
    Reviewed,
    blocks,
    columns,
    reviewed,
    shows_scores,
)
from dvdup.report.changes import Row, rows
from dvdup.report.headline import INCOMPLETE, headline, next_steps, summary
from dvdup.report.names import case_label, counted, files_text, public_reason
from dvdup.report.totals import totals
from dvdup.text import visible

NARROWEST = 40
"""Columns below which nothing sensible can be laid out."""
WHY_BESIDE_FROM = 66
"""Free columns from which the reason stands beside the cases, not below: a line of scores."""
BRIEF_BESIDE_FROM = 28
"""The same where findings are told in brief: what was done."""
NAME_LINES = 4
"""Lines a name may be folded to; a longer one is shortened in its middle."""

BRIEF_FROM = 12
"""Blocks above which each is told in brief: files and what was done, the same cause once."""
MOST = 40
"""Blocks that are listed: about two screens. The totals count all."""
MOST_COPIES = 8
"""Copies of one scan that are named on a side."""
MOST_CASES = 5
"""Cases that are named for one reason why they could not be checked."""
MOST_REASONS = 12
"""Reasons that are told."""

ALL = "The same command with -f concise tells all, with -o report.html shows it."
"""What follows where not all are listed."""

_GAP = 2
_STYLES: dict[Verdict, str] = {
    "identical": "bold red",
    "near": "red",
    "partial": "yellow",
    "same-subject": "cyan",
}

Piece = tuple[str, str]
"""(text, style)."""
Line = list[Piece]


@dataclass(frozen=True, slots=True)
class Layout:
    """Widths of the columns, in terminal cells; `why` is 0 where it stands below the cases."""

    verdict: int
    left: int
    right: int
    why: int
    total: int


def render(report: Report, width: int, color: bool) -> str:
    """Return the table of a report, ending with a newline."""
    width = max(width, NARROWEST)
    return _printed(_lines(report, width), color)


def _printed(lines: Iterable[Line], color: bool) -> str:
    """Return lines as text."""
    if color:
        return _colored(lines)
    return "".join("".join(text for text, _ in line).rstrip() + "\n" for line in lines)


def _colored(lines: Iterable[Line]) -> str:
    """Return lines with ANSI styles. The console reads neither the terminal nor the environment."""
    # where nothing is coloured, a check should not wait for it
    from rich.console import Console
    from rich.text import Text

    out = StringIO()
    console = Console(
        file=out,
        color_system="standard",
        force_terminal=True,
        no_color=False,
        legacy_windows=False,
        _environ={},
    )
    for line in lines:
        text = Text.assemble(*line)
        text.rstrip()
        console.print(text, soft_wrap=True)
    return out.getvalue()


def _lines(report: Report, width: int) -> Iterator[Line]:
    for i, sentence in enumerate(headline(report)):
        style = "bold yellow" if sentence.startswith(INCOMPLETE) else ""
        yield from _paragraph(sentence, width, style if i else _headline_style(report))
    if report.changes:
        yield []
        yield from _changes(rows(report.changes), width)
    shown = blocks(report)
    if shown:
        yield []
        yield from _findings(shown, report, width)
    known = reviewed(report)
    if known:
        yield []
        yield from _accepted(known, width)
    if report.unreadable:
        yield []
        yield from _unreadable(report, width)
    steps = next_steps(report)
    if steps:
        yield []
        yield from _paragraph(f"What to do: {' '.join(steps)}", width, "")
    if (
        report.pairs or report.unreadable or report.changes
    ):  # of a clean report the headline says all
        yield []
        yield from _paragraph(summary(report), width, "bold")


def _changes(told: Sequence[Row], width: int) -> Iterator[Line]:
    """What happened between two versions: the case on a line, its files and the reason below."""
    indent = max(len(row.kind) for row in told) + _GAP
    for row in told[:MOST]:
        kind = row.kind.ljust(indent)
        for line in fold_name(row.case, width - indent):
            yield [(kind, ""), (line, "bold")]
            kind = " " * indent
        for text in filter(None, (row.files, row.why)):
            yield from _paragraph(text, width, "dim", indent)
    if len(told) > MOST:
        left = counted(len(told) - MOST, "more change")
        yield from _paragraph(f"... and {left}; -f json and -f markdown list all.", width, "bold")


def _findings(shown: tuple[Block, ...], report: Report, width: int) -> Iterator[Line]:
    """The table and what is to be known about it; long ones are told in brief, and cut."""
    brief = len(shown) > BRIEF_FROM
    listed = _in_brief(shown[:MOST]) if brief else shown
    yield from _table(listed, columns(report), width, brief=brief)
    if brief:
        left = len(shown) - len(listed)
        yield []
        if left:
            yield from _paragraph(f"... and {counted(left, 'more finding')}. {ALL}", width, "bold")
        else:
            yield from _paragraph(f"Told in brief, the same cause once. {ALL}", width, "dim")
    else:
        yield from _notes(shown, report, width)


def _notes(shown: Sequence[Block], report: Report, width: int) -> Iterator[Line]:
    """What is to be known about a short table."""
    if shows_scores(report):
        yield []
        yield from _paragraph(LEGEND, width, "dim")
    if any(len(side) > MOST_COPIES + 1 for block in shown for side in (block.left, block.right)):
        yield []
        yield from _paragraph(f"Not all copies are named. {ALL}", width, "bold")


def _in_brief(shown: Sequence[Block]) -> tuple[Block, ...]:
    """Blocks of files and of what was done; a cause that is that of the block above is left out."""
    told: list[Block] = []
    before = None
    for block in shown:
        why = tuple(line.partition("; ")[0] for line in block.why)
        cause = (block.verdict, why)
        told.append(
            replace(
                block,
                left=tuple(map(_file, block.left)),
                right=tuple(map(_file, block.right)),
                why=() if cause == before else why,
                scores="",
            )
        )
        before = cause
    return tuple(told)


def _file(entry: Entry) -> Entry:
    """A case as its file, where that says its name too."""
    return Entry(entry.files, "") if entry.name in entry.files else entry


def _headline_style(report: Report) -> str:
    sums = totals(report)
    if sums.copies:
        return "bold red"
    return "bold yellow" if sums.pairs or sums.unreadable else "bold green"


def _paragraph(text: str, width: int, style: str, indent: int = 0) -> Iterator[Line]:
    for line in fold_words(text, width - indent):
        yield [(" " * indent, ""), (line, style)]


def _table(shown: Sequence[Block], titles: Columns, width: int, *, brief: bool) -> Iterator[Line]:
    layout = _layout(shown, titles, width, BRIEF_BESIDE_FROM if brief else WHY_BESIDE_FROM)
    head = ["verdict", titles.left, titles.right] + (["why"] if layout.why else [])
    yield from _row([[(text, "bold")] for text in head], layout)
    yield [("-" * layout.total, "dim")]
    for i, block in enumerate(shown):
        if i and not brief:
            yield []
        yield from _block(block, layout)


def _layout(shown: Sequence[Block], titles: Columns, width: int, beside_from: int) -> Layout:
    """Share the width: names get what they need, or half of what is left each; then the reason."""
    verdict = max(len(name) for name in VERDICTS)
    room = width - verdict - 2 * _GAP
    need_left = max([cell_len(titles.left), *(_need(block.left) for block in shown)])
    need_right = max([cell_len(titles.right), *(_need(block.right) for block in shown)])
    left = min(need_left, max(room // 2, room - need_right))
    right = min(need_right, room - left)
    names = verdict + left + right + 2 * _GAP
    need_why = max([3, *(cell_len(line) for block in shown for line in _why(block))])
    free = width - names - _GAP
    if free >= beside_from:
        why = min(free, need_why)
        return Layout(verdict, left, right, why, names + _GAP + why)
    return Layout(verdict, left, right, 0, min(width, max(names, verdict + _GAP + need_why)))


def _need(entries: Sequence[Entry]) -> int:
    return max((max(cell_len(entry.name), cell_len(entry.files)) for entry in entries), default=0)


def _block(block: Block, layout: Layout) -> Iterator[Line]:
    cells: list[list[Piece]] = [
        [(block.verdict, _STYLES[block.verdict])],
        list(_entries(block.left, layout.left)),
        list(_entries(block.right, layout.right)),
    ]
    if layout.why:
        cells.append([(part, "") for line in _why(block) for part in fold_words(line, layout.why)])
        yield from _row(cells, layout)
        return
    yield from _row(cells, layout)
    indent = layout.verdict + _GAP
    for line in _why(block):
        yield from _paragraph(line, layout.total, "", indent)


def _why(block: Block) -> list[str]:
    """The lines that say why, the scores last."""
    return [*block.why, *filter(None, [block.scores])]


def _entries(entries: Sequence[Entry], width: int) -> Iterator[Piece]:
    cut = len(entries) > MOST_COPIES + 1  # "1 more" takes the line that it would
    for entry in entries[:MOST_COPIES] if cut else entries:
        for line in fold_name(entry.name, width):
            yield (line, "bold")
        if entry.files:
            for line in fold_name(entry.files, width):
                yield (line, "dim")
    if cut:
        yield (f"... and {len(entries) - MOST_COPIES:,} more", "bold")


def _row(cells: Sequence[Sequence[Piece]], layout: Layout) -> Iterator[Line]:
    """Yield the lines of one row; a title that is too wide for its column is folded as well."""
    widths = (layout.verdict, layout.left, layout.right, layout.why)
    folded = [
        [(part, style) for text, style in cell for part in fold_name(text, width)]
        for cell, width in zip(cells, widths, strict=False)
    ]
    for parts in zip_longest(*folded, fillvalue=("", "")):
        line: Line = []
        for (text, style), width in zip(parts, widths, strict=False):
            line += [(text, style), (" " * (width - cell_len(text) + _GAP), "")]
        yield line


def _accepted(known: Sequence[Reviewed], width: int) -> Iterator[Line]:
    yield from _paragraph("Accepted", width, "bold")
    for pair in known[:MOST]:
        names = f"{pair.left}, {pair.right} ({pair.verdict})"
        yield from ([("  ", ""), (line, "")] for line in fold_name(names, width - 2))
        if pair.why:
            yield from _paragraph(pair.why, width, "dim", indent=4)
    if len(known) > MOST:
        left = counted(len(known) - MOST, "more accepted pair")
        yield from _paragraph(f"... and {left}; -f json and -f csv list all.", width, "bold")


def _unreadable(report: Report, width: int) -> Iterator[Line]:
    """The cases that could not be checked, each reason once."""
    yield from _paragraph("Could not be checked", width, "bold")
    reasons: dict[str, list[Unreadable]] = {}
    for case in report.unreadable:
        reasons.setdefault(visible(public_reason(case)), []).append(case)
    for reason, cases in list(reasons.items())[:MOST_REASONS]:
        for case in cases[:MOST_CASES]:
            yield from _case(case, width)
        left = len(cases) - MOST_CASES
        if left > 0:
            yield from _paragraph(
                f"... and {counted(left, 'more case')}, all of them:", width, "", 2
            )
        yield from _paragraph(reason, width, "", indent=4)
    left = sum(len(cases) for cases in list(reasons.values())[MOST_REASONS:])
    if left:
        others = counted(left, "more case")
        yield from _paragraph(f"... and {others} for other reasons. {ALL}", width, "bold")


def _case(case: Unreadable, width: int) -> Iterator[Line]:
    """A case by its file, where that says its name too, else by both."""
    name = visible(case_label(case.split, case.case))
    shown = _file(Entry(name, files_text(case)))
    yield from ([("  ", ""), (line, "bold")] for line in fold_name(shown.name, width - 2))
    if shown.files:
        files = fold_name(shown.files, width - 4)
        yield from ([("    ", ""), (line, "dim")] for line in files)


def fold_name(name: str, width: int) -> list[str]:
    """Fold a name or path into at most `NAME_LINES` lines of `width` cells.

    Breaks after a separator where one lies in the second half of the line. A name that is longer
    still keeps its head and its tail, where names differ, and loses its middle.
    """
    lines = _folded(name, width)
    if len(lines) <= NAME_LINES:
        return lines
    room = width * NAME_LINES - 3
    head, _ = _split(name, room // 2)
    tail = name[len(head) :]
    while cell_len(tail) > room - cell_len(head):
        tail = tail[1:]
    short, lines = f"{head}...{tail}", []
    while short:
        line, short = _split(short, width)
        lines.append(line)
    return lines


def _folded(text: str, width: int) -> list[str]:
    lines = []
    while cell_len(text) > width:
        line, rest = _split(text, width)
        cut = _break(line)
        if cut:
            line, rest = line[:cut], text[cut:]
        lines.append(line)
        text = rest
    return [*lines, text]


def _break(line: str) -> int:
    """Where a line is best broken in its second half: behind a folder, a word, a dot; else 0."""
    cuts = (max(map(line.rfind, group)) + 1 for group in ("/", "_- ", "."))
    return next((cut for cut in cuts if cut > len(line) // 2), 0)


def _split(text: str, width: int) -> tuple[str, str]:
    """Split where `width` cells are full; always takes at least one character."""
    end = min(len(text), width)
    while end > 1 and cell_len(text[:end]) > width:
        end -= 1
    return text[:end], text[end:]


def fold_words(text: str, width: int) -> list[str]:
    """Fold a sentence at its blanks into lines of at most `width` cells."""
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if cell_len(joined) <= width:
            lines[-1] = joined
            continue
        first, *rest = _folded(word, width)
        lines[-1:] = [lines[-1], first] if lines[-1] else [first]
        lines += rest
    return lines
