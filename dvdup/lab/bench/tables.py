"""The document of a bench as a table: for a terminal, or as Markdown for a document."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from io import StringIO
from types import MappingProxyType
from typing import Any

from dvdup.edits import LEVELS, names_of
from dvdup.errors import ConfigError
from dvdup.lab.bench.document import Document, to_json

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
        console.print(_grid(_HEAD, [_cells(row) for row in rows]))
        for row in _shipped(rows):
            if not row.get("without"):
                console.print()
                console.print(_at_shipped(row), markup=False)
                console.print(_grid(("", "per cent", "95 %", "queries"), _shipped_lines(row)))
                if lines := _extended_lines(row):
                    console.print(f"\n{_EXTENDED}", markup=False)
                    console.print(_grid(("edit", *LEVELS), lines))
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
    "negatives. wrong: alarms for a wrong case. first: the source ranks first, whatever its score. "
    "dvdup is the score that ranks candidates, verified what dvdup diff decides about them, -x the "
    "same without step x."
)


def headline(document: Document) -> list[str]:
    """What was measured on, in sentences."""
    data = document["data"]
    some = "" if data["scans"] == data["scans_found"] else f" of {data['scans_found']}"
    row = document["rows"][0] if document["rows"] else None
    found = [
        f"{data['scans']}{some} scans of {data['persons']} persons, "
        + (f"of which {data['asked']} were queries, " if "asked" in data else "")
        + f"{len(data['edits'])} edits in {len(data['levels'])} strengths"
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


_HEAD = ("score", "Youden", "spec", *LEVELS, "all", "spec", "wrong", "first")


def _grid(head: Sequence[str], lines: list[list[str]]) -> Any:
    from rich.table import Table

    grid = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="")
    for i, title in enumerate(head):
        grid.add_column(title, justify="left" if i == 0 else "right", no_wrap=True)
    for line in lines:
        grid.add_row(*line)
    return grid


def _cells(row: Row) -> list[str]:
    at = row["sensitivity_at_specificity_99"]
    youden = row["youden"]
    return [
        f"-{row['without']}" if row.get("without") else score_name(row),
        _share(youden["sensitivity"]),
        _share(youden["specificity"]),
        *(_share(at[level]) for level in LEVELS),
        _with_interval(at["all"]),
        _share(at["specificity"]),
        _share(row["wrong_case_rate"]),
        _share(row["first"]),
    ]


def _shipped(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if "at_shipped_threshold" in row]


def _at_shipped(row: Row) -> str:
    threshold = row["at_shipped_threshold"]["threshold"]
    return f"{score_name(row)} at {threshold:g}, the threshold that dvdup comes with:"


def _shipped_rates(row: Row) -> dict[str, dict[str, Any] | None]:
    """What there is to tell, in words."""
    at = row["at_shipped_threshold"]
    return {
        **{f"{level} edits found": at["sensitivity"][level] for level in LEVELS},
        "silent on unedited": at["specificity"]["unedited"],
        "silent on edited": at["specificity"]["edited"],
        "wrong case": at["wrong_case"],
    }


def _shipped_lines(row: Row) -> list[list[str]]:
    return [
        [what, _share(rate), _interval(rate), f"{rate['count']} of {rate['of']}"]
        for what, rate in _shipped_rates(row).items()
        if rate is not None
    ]


_EXTENDED = "Found of each edit that is not among the standard ones (95 %):"


def _extended_lines(row: Row) -> list[list[str]]:
    """The edits beyond the standard ones, with what is found of them at the shipped threshold."""
    by_edit = row["at_shipped_threshold"].get("by_edit", {})  # absent in documents of earlier ones
    return [
        [edit, *(_number(by_edit[edit].get(level), of=True) for level in LEVELS)]
        for edit in names_of("extended")
        if edit in by_edit
    ]


def _with_interval(rate: dict[str, Any] | None) -> str:
    """In per cent, with the interval of 95 %."""
    if rate is None:
        return "-"
    return f"{_share(rate)} ({_interval(rate)})"


def _interval(rate: dict[str, Any]) -> str:
    low, high = (100 * bound for bound in rate["ci"])
    return f"{low:.0f}-{high:.0f}"


def score_name(row: Row) -> str:
    """Aggregation, and index and variants where they are not as usual."""
    parts = [row["aggregation"]]
    parts += [row["index"]] if row["index"] != "exact" else []
    parts += ["variants"] if row["variants"] else []
    parts += [f"-{row['without']}"] if row.get("without") else []
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
    """Tables in Markdown, all rows."""
    head = ("embedder", "score", "Youden: sens. / spec.", *LEVELS, "all (95 %)", "spec.", "wrong")
    lines = []
    for row in document["rows"]:
        cells = _cells(row)
        youden = f"{cells[1]} / {cells[2]}"
        lines.append([f"`{row['embedder']}`", score_name(row), youden, *cells[3:-1]])
    parts = [*headline(document), "", *_pipes(head, lines), *_shipped_markdown(document)]
    return "\n".join(parts) + "\n"


def _shipped_markdown(document: Document) -> Iterator[str]:
    rows = _shipped(document["rows"])
    if not rows:
        return
    head = ["embedder", "score"]
    for what, rate in _shipped_rates(rows[0]).items():
        head.append(what if rate is None else f"{what}, of {rate['of']}")
    yield ""
    yield "At the threshold that dvdup comes with (95 %):"
    yield ""
    lines = []
    for row in rows:
        *shares, wrong = _shipped_rates(row).values()
        cells = [*map(_with_interval, shares), _number(wrong)]
        lines.append([f"`{row['embedder']}`", score_name(row), *cells])
    yield from _pipes(head, lines)
    for row in rows:
        if extended := _extended_lines(row):
            yield from ("", f"`{row['embedder']}`, {score_name(row)}. {_EXTENDED}", "")
            yield from _pipes(("edit", *LEVELS), extended)


def _number(rate: dict[str, Any] | None, *, of: bool = False) -> str:
    if rate is None:
        return "-"
    total = f" of {rate['of']}" if of else ""
    return f"{rate['count']}{total} ({_interval(rate)} %)"


def _pipes(head: Sequence[str], lines: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table in Markdown, line by line."""
    yield f"| {' | '.join(head)} |"
    yield "|---" * len(head) + "|"
    for line in lines:
        yield f"| {' | '.join(line)} |"


def summary(documents: Mapping[str, Document], link: str) -> str:
    """One table in Markdown of several documents: what is decided beside the published count.

    Args:
        documents: By name.
        link: Address of the full tables, which have a heading of this name each.
    """
    head = ("scans", "queries", "by", *LEVELS, "specificity", "wrong case", "slices/s")
    lines = []
    for name, document in documents.items():
        data = document["data"]
        queries = f"{data.get('asked', data['scans'])} of {data['scans']}"
        for row in _summarised(document["rows"]):
            speed = row["slices_per_second"]
            cells = [f"[{name}]({link}#{name})", f"{queries}, {row['positives']:,} edited copies"]
            cells += [_SUMMARISED[row["aggregation"]], *_summary_rates(row)]
            lines.append([*cells, "-" if speed is None else f"{speed:,}"])
    return "\n".join(_pipes(head, lines)) + "\n"


_SUMMARISED = MappingProxyType(
    {
        "verified": "`dvdup diff`",
        "dvdup": "candidate score only",
        "count-top1": "published count",
    }
)


def _summarised(rows: Sequence[Row]) -> list[Row]:
    """What is decided, or else the best score that candidates are chosen by; and the count."""
    mine = [row for row in rows if row["embedder"] == rows[0]["embedder"]]
    decided = [row for row in _shipped(mine) if not row.get("without")]
    scores = [row for row in mine if row["aggregation"] == "dvdup" and row["variants"]]
    counts = [row for row in mine if row["aggregation"] == "count-top1" and row["index"] == "exact"]
    return [*(decided or scores), *counts]


def _summary_rates(row: Row) -> list[str]:
    """By strength, specificity, wrong cases: at the threshold in use, else at the one fitted."""
    if "at_shipped_threshold" not in row:
        at = row["sensitivity_at_specificity_99"]
        rates = [*(at[level] for level in LEVELS), at["specificity"], row["wrong_case_rate"]]
        return [_share(rate) for rate in rates]
    at = row["at_shipped_threshold"]
    rates = [rate for rate in at["specificity"].values() if rate is not None]
    worse = min(rates, key=lambda rate: rate["value"], default=None)
    rates = [*(at["sensitivity"][level] for level in LEVELS), worse, at["wrong_case"]]
    return [_share(rate) for rate in rates]


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
