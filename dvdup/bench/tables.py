"""The document of a bench as a table: for a terminal, or as Markdown for a README."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from io import StringIO
from types import MappingProxyType
from typing import Any

from dvdup.bench.document import Document, to_json
from dvdup.edits import LEVELS
from dvdup.errors import ConfigError

_WEAKEST = 4  # edits named below the table of an embedder

Row = dict[str, Any]


def table(document: Document, width: int, color: bool) -> str:
    """A table for people, at most `width` columns wide.

    Args:
        document: What `to_document` gives.
        width: Of the terminal, at least 72.
        color: Whether to use ANSI styles.
    """
    from rich.console import Console

    out = StringIO()
    console = Console(
        file=out,
        width=max(72, width),
        color_system="standard" if color else None,
        force_terminal=color,
        no_color=not color,
        legacy_windows=False,
        highlight=False,
        _environ={},
    )
    for sentence in headline(document):
        console.print(sentence, markup=False)
    for embedder, rows in _by_embedder(document):
        console.print()
        console.print(_title(embedder, rows), style="bold", markup=False)
        console.print(_grid(rows))
        for sentence in _weakest(rows):
            console.print(sentence, style="dim", markup=False)
    console.print()
    console.print(LEGEND, style="dim", markup=False)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


LEGEND = (
    "All in per cent. Youden, spec: sensitivity and specificity at the threshold of their largest "
    "sum, over mild and medium edits. Then sensitivity at the threshold for specificity 99, by "
    "strength and over all edits (95 % interval over persons), and the specificity it reached. "
    "Thresholds are fitted on other persons; specificity is the worse of unedited and edited "
    "negatives. wrong: alarms for a wrong case. first: the source ranks first, whatever its score."
)


def headline(document: Document) -> list[str]:
    """What was measured on, in sentences."""
    data = document["data"]
    some = "" if data["scans"] == data["scans_found"] else f" of {data['scans_found']}"
    row = document["rows"][0] if document["rows"] else None
    found = [
        f"{data['scans']}{some} scans of {data['persons']} persons, "
        f"{len(data['edits'])} edits in {len(data['levels'])} strengths"
        + (
            f": {row['positives']} positive queries, {row['negatives']} negative unedited, "
            f"{row['negatives_edited']} negative edited."
            if row
            else "."
        )
    ]
    if data["quick"]:
        found.append(f"Quick: only {', '.join(data['edits'])}, on a part of the scans.")
    if data["unreadable"]:
        found.append(f"{len(data['unreadable'])} scans could not be read and are left out.")
    return found


def _by_embedder(document: Document) -> Iterator[tuple[str, list[Row]]]:
    for name in dict.fromkeys(row["embedder"] for row in document["rows"]):
        yield name, [row for row in document["rows"] if row["embedder"] == name]


def _title(embedder: str, rows: list[Row]) -> str:
    speed = rows[0]["slices_per_second"]
    return embedder if speed is None else f"{embedder}, {speed:,} slices/s"


def _grid(rows: list[Row]) -> Any:
    from rich.table import Table

    grid = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="")
    for i, title in enumerate(
        ("score", "Youden", "spec", *LEVELS, "all", "spec", "wrong", "first")
    ):
        grid.add_column(title, justify="left" if i == 0 else "right", no_wrap=True)
    for row in rows:
        grid.add_row(*_cells(row))
    return grid


def _cells(row: Row) -> list[str]:
    at = row["sensitivity_at_specificity_99"]
    youden = row["youden"]
    interval = at["all"]
    whole = _share(interval)
    if interval is not None:
        low, high = (100 * bound for bound in interval["ci"])
        whole += f" ({low:.0f}-{high:.0f})"
    return [
        score_name(row),
        _share(youden["sensitivity"]),
        _share(youden["specificity"]),
        *(_share(at[level]) for level in LEVELS),
        whole,
        _share(at["specificity"]),
        _share(row["wrong_case_rate"]),
        _share(row["first"]),
    ]


def score_name(row: Row) -> str:
    """Aggregation, and index and variants where they are not as usual."""
    parts = [row["aggregation"]]
    parts += [row["index"]] if row["index"] != "exact" else []
    parts += ["variants"] if row["variants"] else []
    return " ".join(parts)


def _share(rate: dict[str, Any] | None) -> str:
    """In per cent."""
    return "-" if rate is None else f"{100 * rate['value']:.1f}"


def _weakest(rows: list[Row]) -> Iterator[str]:
    """The edits that the last score of an embedder finds least."""
    row = rows[-1]
    found = sorted(
        (rate["value"], f"{edit} {level}")
        for edit, levels in row["sensitivity_at_specificity_99"]["by_edit"].items()
        for level, rate in levels.items()
        if rate is not None and rate["value"] < 1
    )
    if found:
        named = ", ".join(f"{name} {100 * value:.0f}" for value, name in found[:_WEAKEST])
        yield f"{score_name(row)} finds least of: {named}"


def markdown(document: Document) -> str:
    """A table for a README."""
    head = ("embedder", "score", "Youden: sens. / spec.", *LEVELS, "all (95 %)", "spec.", "wrong")
    lines = [*headline(document), "", f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for row in document["rows"]:
        cells = _cells(row)
        cells = [f"`{row['embedder']}`", cells[0], f"{cells[1]} / {cells[2]}", *cells[3:-1]]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


FORMATS: Mapping[str, Callable[[Document, int, bool], str]] = MappingProxyType(
    {
        "table": table,
        "json": lambda document, width, color: to_json(document),
        "markdown": lambda document, width, color: markdown(document),
    }
)
"""By name, as given to `--format`."""


def demand_format(name: str) -> None:
    """Refuse an unknown format before any work is done.

    Raises:
        ConfigError: There is no such format.
    """
    if name not in FORMATS:
        raise ConfigError(f"unknown format {name!r}: choose one of {', '.join(FORMATS)}")


def render(document: Document, name: str, *, width: int = 80, color: bool = False) -> str:
    """The document in a format, ending with a newline."""
    return FORMATS[name](document, width, color)
