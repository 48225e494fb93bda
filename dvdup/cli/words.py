"""Plain text of what the commands say, kept out of the commands; no I/O."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dvdup.records import LONELY

if TYPE_CHECKING:
    from pathlib import Path

    from dvdup.commands.accept import Accepted, Listed
    from dvdup.commands.export import Written
    from dvdup.commands.gc import Tidied
    from dvdup.commands.history import Status
    from dvdup.config import Config
    from dvdup.embedders import ModelRow
    from dvdup.records import LogEntry, SyncSummary

_SHOWN = 20
_NAMED = 100
_FEW = 3
_COMMIT = 10  # digits of a git commit that are shown


def summary_lines(summary: SyncSummary, *, verbose: bool) -> Iterator[str]:
    """What a sync or add did; unreadable cases are named even when it should be quiet."""
    if verbose:
        yield from _notes(summary)
        yield from _ignored(summary)
        yield _counts(summary)
    for case in summary.unreadable[:_SHOWN]:
        yield f"not checked: {case.split}/{case.case}: {case.reason}"
    if len(summary.unreadable) > _SHOWN:
        yield f"... and {len(summary.unreadable) - _SHOWN} more that could not be checked"


def exported_lines(file: Path, found: Written) -> Iterator[str]:
    """What an export holds, and of which cases it cannot tell."""
    n = _counted(found.cases, "case")
    hashes = "keyed hashes" if found.hashed else "no hashes (there was no --key)"
    copies = "small copies of the scans" if found.proxies else "no small copies of the scans"
    yield f"wrote {file}: {n}, {found.size / 1e6:.1f} MB; rows, {hashes}, {copies}"
    for case in found.unchecked[:_SHOWN]:
        what = "not as it is now" if case.kind == "stale" else "not in it"
        yield f"{what}: {case.split}/{case.case}: {case.reason}"
    if len(found.unchecked) > _SHOWN:
        yield f"... and {len(found.unchecked) - _SHOWN} more"


def left_out_lines(summary: SyncSummary) -> Iterator[str]:
    """What a check did not look at and what is odd about the scans, in a few lines."""
    yield from _notes(summary)
    reasons = _reasons(summary)
    if len(reasons) <= _FEW:
        for reason, paths in reasons:
            example = paths[0] if len(paths) == 1 else f"{len(paths)} files such as {paths[0]}"
            yield f"left out {example}: {reason}"
        return
    parts = [f"{len(paths)} ({reason})" for reason, paths in reasons[:_FEW]]
    rest = sum(len(paths) for _, paths in reasons[_FEW:])
    n = _counted(len(summary.ignored), "file or folder", "files and folders")
    yield f"left out {n}: {', '.join(parts)}, {rest} for other reasons; `dvdup sync` names all"


def _notes(summary: SyncSummary) -> Iterator[str]:
    for note in summary.notes[:_SHOWN]:
        yield f"note: {note}"
    if len(summary.notes) > _SHOWN:
        yield f"... and {_counted(len(summary.notes) - _SHOWN, 'more note')}"


def _counts(summary: SyncSummary) -> str:
    words = ("embedded", "reused", "renamed", "removed", "touched", "unchanged")
    parts = [f"{getattr(summary, word)} {word}" for word in words if getattr(summary, word)]
    if summary.unreadable:
        parts.append(f"{len(summary.unreadable)} not checked")
    return "cases: " + (", ".join(parts) or "none")


def _ignored(summary: SyncSummary) -> Iterator[str]:
    for reason, paths in _reasons(summary):
        if len(paths) == 1:
            yield f"left out {paths[0]}: {reason}"
            continue
        yield f"left out {len(paths)} files: {reason}"
        yield from (f"  {path}" for path in paths[:_NAMED])
        if len(paths) > _NAMED:
            yield f"  ... and {len(paths) - _NAMED} more"


def _reasons(summary: SyncSummary) -> list[tuple[str, list[str]]]:
    """Why paths were left out, and which: what may be a scan, then the commonest reason first."""
    reasons: dict[str, list[str]] = {}
    for path in summary.ignored:
        reasons.setdefault(path.reason, []).append(path.path)
    return sorted(
        reasons.items(), key=lambda item: (not item[0].endswith(LONELY), -len(item[1]), item[0])
    )


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


def _counted(n: int, noun: str, nouns: str = "") -> str:
    return f"{n:,} {noun if n == 1 else nouns or noun + 's'}"


def settings_lines(
    config: Config, flags: Mapping[str, object], environ: Mapping[str, str]
) -> Iterator[str]:
    """Every setting as it is used, as a line of TOML, and where it comes from.

    Args:
        config: What is used.
        flags: The settings that were given as flags, by their keys.
        environ: The variables of the environment.
    """
    from dvdup.config import settings_table, toml_value

    yield f"# {config.file or 'no configuration file'}"
    for setting in settings_table():
        value: Any = config
        for part in setting.key.split("."):
            value = getattr(value, part)
        if setting.key in flags:
            origin = "flag"
        elif setting.variable and setting.variable in environ:
            origin = setting.variable
        else:
            origin = "default" if value == setting.default else "file"
        if value in (None, (), {}):
            yield f"# {setting.key} is not set"
        else:
            yield f"{setting.key} = {toml_value(value)}  # {origin}"


def log_lines(entries: Sequence[LogEntry]) -> Iterator[str]:
    """One line a command."""
    header, rows = ["version", "time (UTC)", "command", "what"], []
    in_git = any(entry.commit for entry in entries)
    for entry in entries:
        what = ", ".join(f"{n} {word}" for word, n in entry.counts.items())
        named = "".join(f" [{tag}]" for tag in entry.tags)
        commit = [entry.commit[:_COMMIT]] if in_git else []
        rows.append((str(entry.version), entry.time, *commit, entry.command + named, what))
    if in_git:
        header.insert(2, "commit")
    yield from _columns(header, rows)


def tidied_lines(tidied: Tidied) -> Iterator[str]:
    """What `dvdup gc` found, a kind a line, and what it is all together."""
    rows = [
        (waste.what, f"{waste.number:,}", _size(waste.bytes) if waste.bytes else "")
        for waste in tidied.wastes
    ]
    if rows:
        yield from _columns(("what goes", "how many", "size"), rows)
    if not rows:
        yield f"nothing to tidy; the index takes {_size(tidied.before)}"
    elif tidied.after is None:
        freed = max(0, sum(waste.bytes for waste in tidied.wastes) - tidied.copied)
        yield f"would free about {_size(freed)} of {_size(tidied.before)}; nothing was changed"
    else:
        yield f"the index took {_size(tidied.before)}, now {_size(tidied.after)}"
    if tidied.left_small:
        yield (
            f"{tidied.left_small:,} small files of cases stay apart: versions that stay need them; "
            "those without a tag go with `dvdup gc --history`"
        )
    if tidied.tags:
        yield f"tags that stay: {', '.join(tidied.tags)}"


def accepted_lines(done: Accepted) -> Iterator[str]:
    """What `dvdup accept` wrote."""
    for entries, verb in ((done.added, "accepted"), (done.changed, "accepted on other terms")):
        for entry in entries[:_SHOWN]:
            until = f" until {entry.until}" if entry.until is not None else ""
            yield f"{verb}{until}: {entry.labels}"
        if len(entries) > _SHOWN:
            yield f"... and {len(entries) - _SHOWN} more"
    for labels in done.impossible[:_SHOWN]:
        yield f"not accepted, because the report has no hash of the scans: {labels}"
    if len(done.impossible) > _SHOWN:
        yield f"... and {len(done.impossible) - _SHOWN} more without a hash"
    if not done.added and not done.changed:
        yield "nothing new to accept"


def listed_lines(rows: Sequence[Listed]) -> Iterator[str]:
    """An accepted pair a paragraph: its state and names, then why."""
    if not rows:
        yield "no pair is accepted"
    width = max((len(row.state) for row in rows), default=0)
    for row in rows:
        entry = row.entry
        yield f"{row.state.ljust(width)}  {'  '.join(row.now)}"
        until = f"until {entry.until}: " if entry.until is not None else ""
        yield from _wrapped(until + entry.reason, width + 2)
        if row.is_renamed:
            yield from _wrapped(f"accepted as {entry.labels}", width + 2)
        if row.missing:
            gone = " and ".join(side.label for side in row.missing)
            yield from _wrapped(f"not in the index any more: {gone}", width + 2)


def _wrapped(text: str, indent: int) -> list[str]:
    blank = " " * indent
    return textwrap.wrap(text, 78, initial_indent=blank, subsequent_indent=blank)


def model_lines(models: Sequence[ModelRow]) -> Iterator[str]:
    """An embedder a paragraph: a line of facts, then what it is."""
    rows = [(m.name, str(m.dimensions or ""), _weights(m), m.licence) for m in models]
    header, *lines = _columns(("name", "dim", "weights", "licence"), rows)
    yield header
    for model, line in zip(models, lines, strict=True):
        yield line
        yield from textwrap.wrap(model.what, 76, initial_indent="    ", subsequent_indent="    ")


def _weights(model: ModelRow) -> str:
    if not model.installed:
        return "needs dvdup[models]"
    if model.present is False:
        return f"not here, {model.megabytes} MB"
    return "here" if model.present else "by model"


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
