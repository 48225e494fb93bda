"""The report room: one `Report` in, text in the format asked for out.

A format is one module with `render(report, width, color) -> str` and one row of `FORMATS`. What a
report says (totals, sentences, blocks, lines, meanings) is computed once, in the modules of these
names and in `headline`; a format only lays it out.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from dvdup.errors import ConfigError
from dvdup.records import Pictures, Report


@dataclass(frozen=True, slots=True)
class Format:
    """One row of `FORMATS`."""

    target: str
    """Import path of the function that renders it, `module:function`; loaded when asked for."""
    suffix: str
    """Usual suffix of a file in this format; of several formats the first row is meant by it."""
    illustrated: bool = False
    """Whether its function takes `pictures` too."""


FORMATS: dict[str, Format] = {
    "table": Format("dvdup.report.table:render", ".txt"),
    "json": Format("dvdup.report.json:render", ".json"),
    "csv": Format("dvdup.report.csv:render", ".csv"),
    "markdown": Format("dvdup.report.markdown:render", ".md"),
    "html": Format("dvdup.report.html:render", ".html", illustrated=True),
    "sarif": Format("dvdup.report.sarif:render", ".sarif"),
    "junit": Format("dvdup.report.junit:render", ".xml"),
    "github": Format("dvdup.report.github:render", ".txt"),
    "gitlab": Format("dvdup.report.gitlab:render", ".json"),
    "concise": Format("dvdup.report.concise:render", ".txt"),
    "jsonl": Format("dvdup.report.jsonl:render", ".jsonl"),
}
"""Every report format by the name users give it."""


def render(
    report: Report,
    format: str,
    *,
    width: int = 80,
    color: bool = False,
    pictures: Pictures | None = None,
) -> str:
    """Render a report; same report and arguments, same text, whatever the terminal.

    Args:
        report: What was found.
        format: A name from `FORMATS`.
        width: Columns a line may take (table only); less than 40 counts as 40.
        color: Whether to style with ANSI codes (table only); no information depends on it.
        pictures: Of the pairs, in the order of the report (html only); None: without any.

    Returns:
        The text, ending with a newline.

    Raises:
        ConfigError: If there is no such format.
    """
    row = FORMATS.get(format)
    if row is None:
        choices = ", ".join(FORMATS)
        raise ConfigError(f"unknown report format {format!r}: choose one of {choices}")
    module, _, function = row.target.partition(":")
    more = {"pictures": pictures} if row.illustrated else {}
    text: str = getattr(import_module(module), function)(report, width, color, **more)
    return text
