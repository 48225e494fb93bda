"""Plain text of what the commands say, kept out of the commands; no I/O."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dvdup.pipeline import ModelRow, Status
    from dvdup.records import LogEntry, SyncSummary

_SHOWN = 20


def summary_lines(summary: SyncSummary, *, verbose: bool) -> Iterator[str]:
    """What a sync or add did; unreadable cases are named even when it should be quiet."""
    if verbose:
        for note in summary.notes:
            yield f"note: {note}"
        yield from _ignored(summary)
        yield _counts(summary)
    for case in summary.unreadable[:_SHOWN]:
        yield f"not checked: {case.split}/{case.case}: {case.reason}"
    if len(summary.unreadable) > _SHOWN:
        yield f"... and {len(summary.unreadable) - _SHOWN} more that could not be checked"


def _counts(summary: SyncSummary) -> str:
    words = ("embedded", "reused", "renamed", "removed", "touched", "unchanged")
    parts = [f"{getattr(summary, word)} {word}" for word in words if getattr(summary, word)]
    if summary.unreadable:
        parts.append(f"{len(summary.unreadable)} not checked")
    return "cases: " + (", ".join(parts) or "none")


def _ignored(summary: SyncSummary) -> Iterator[str]:
    reasons: dict[str, list[str]] = {}
    for path in summary.ignored:
        reasons.setdefault(path.reason, []).append(path.path)
    for reason, paths in sorted(reasons.items()):
        example = paths[0] if len(paths) == 1 else f"{len(paths)} files such as {paths[0]}"
        yield f"left out {example}: {reason}"


def status_lines(status: Status) -> Iterator[str]:
    """The index at a glance."""
    yield f"index      {status.folder}, version {status.version}, {_size(status.bytes)}"
    yield f"embedder   {status.embedder}"
    yield f"recipe     {status.recipe}"
    yield f"tags       {', '.join(status.tags) or 'none'}"
    yield ""
    header = ("split", "cases", "slices", "not checked", "changed", "missing", "new")
    rows = [
        (s.split, *map(str, (s.cases, s.slices, s.not_checked, s.changed, s.missing, s.new)))
        for s in status.splits
    ]
    yield from _columns(header, rows)
    if any(s.changed or s.missing or s.new for s in status.splits):
        yield "the dataset has changed since it was indexed: run `dvdup sync`"
    if status.undeclared:
        yield f"new scans could not be looked for: {status.undeclared}"
    yield from _not_checked(status)
    if status.damage is not None:
        faults = len(status.damage) + len(status.differing)
        yield f"verified: {_counted(faults, 'fault')}" if faults else "verified: all well"


def _not_checked(status: Status) -> Iterator[str]:
    first = status.unchecked
    if first is not None:
        n = sum(s.not_checked for s in status.splits)
        yield (
            f"{_counted(n, 'case')} could not be checked, such as {first.split}/{first.case}: "
            f"{first.reason} (`dvdup check` lists all)"
        )


def _counted(n: int, noun: str) -> str:
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def log_lines(entries: Sequence[LogEntry]) -> Iterator[str]:
    """One line a command."""
    rows = []
    for entry in entries:
        what = ", ".join(f"{n} {word}" for word, n in entry.counts.items())
        named = "".join(f" [{tag}]" for tag in entry.tags)
        rows.append((str(entry.version), entry.time, entry.command + named, what))
    yield from _columns(("version", "time (UTC)", "command", "cases"), rows)


def model_lines(models: Sequence[ModelRow]) -> Iterator[str]:
    """An embedder a paragraph: a line of facts, then what it is."""
    words = {True: "here", False: "not here", None: "by model"}
    rows = [(m.name, str(m.dimensions or ""), words[m.present], m.licence) for m in models]
    header, *lines = _columns(("name", "dim", "weights", "licence"), rows)
    yield header
    for model, line in zip(models, lines, strict=True):
        yield line
        yield from textwrap.wrap(model.what, 76, initial_indent="    ", subsequent_indent="    ")


def _columns(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    table = [tuple(header), *map(tuple, rows)]
    widths = [max(len(row[i]) for row in table) for i in range(len(header))]
    for row in table:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _size(n_bytes: int) -> str:
    size = float(n_bytes)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
