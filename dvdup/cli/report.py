"""Commands that compare: diff, check, query, compare. Exit code 1 if they find something."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dvdup.cli.console import hooks_for, put, say, screen
from dvdup.cli.options import (
    FULL,
    JOBS,
    WITHIN,
    embed_options,
    open_workspace,
    place_options,
    report_options,
)
from dvdup.errors import EXIT_FAILED

if TYPE_CHECKING:
    from dvdup.records import Hooks, Report, SyncSummary
    from dvdup.workspace import Workspace


@click.command()
@click.argument("ref_a", metavar="REF_A")
@click.argument("ref_b", metavar="REF_B")
@report_options
@JOBS
@place_options
def diff(ref_a: str, ref_b: str, config: Path | None, quiet: bool, **flags: Any) -> int:
    """Report the cases of REF_B that are already in REF_A.

    A ref is a split (train), or a split as it was (train@v1, train@12, see `dvdup tag` and
    `dvdup log`). `dvdup diff train train` finds the duplicates within train. Works on the
    index as it is; `dvdup check` brings it up to date first. Exit code 1 if something is found,
    2 if something could not be checked, or is not as it was indexed.
    """
    from dvdup.commands import diff as command

    with _comparison(config, quiet, flags) as asked:
        asked.report = command.diff(asked.workspace, ref_a, ref_b, hooks=asked.hooks)
    return asked.exit_code


@click.command()
@WITHIN
@FULL
@report_options
@embed_options
@place_options
def check(config: Path | None, quiet: bool, full: bool, **flags: Any) -> int:
    """Bring the index up to date, then compare every pair of splits.

    The command for pre-commit and CI: with nothing changed it takes a moment. Exit code 1 if
    something is found, 2 if it could not be checked completely.
    """
    from dvdup.cli.words import left_out_lines
    from dvdup.commands import check as command

    def synced(summary: SyncSummary) -> None:
        for line in left_out_lines(summary):
            say(line, quiet=quiet)

    with _comparison(config, quiet, flags) as asked:
        asked.report = command.check(asked.workspace, full=full, synced=synced, hooks=asked.hooks)
    return asked.exit_code


@click.command()
@click.argument("file", metavar="FILE")
@click.option("--split", metavar="SPLIT", help="Search this split only [default: all].")
@report_options
@embed_options
@place_options
def query(file: str, split: str | None, config: Path | None, quiet: bool, **flags: Any) -> int:
    """Report whether the scan in FILE (a file or a DICOM folder) is in the index.

    The index is not changed. X_test.npy#17 is one row of an array of many cases.
    """
    from dvdup.commands import adhoc

    with _comparison(config, quiet, flags, stoppable=False) as asked:
        asked.report = adhoc.query(asked.workspace, file, split=split, hooks=asked.hooks)
    return asked.exit_code


@click.command()
@click.argument("file_a", metavar="FILE_A")
@click.argument("file_b", metavar="FILE_B")
@report_options
@embed_options
@place_options
def compare(file_a: str, file_b: str, config: Path | None, quiet: bool, **flags: Any) -> int:
    """Report whether two scans (files or DICOM folders) are copies; needs no index."""
    from dvdup.commands import adhoc

    with _comparison(config, quiet, flags, stoppable=False) as asked:
        asked.report = adhoc.compare(asked.workspace, file_a, file_b, hooks=asked.hooks)
    return asked.exit_code


@dataclass
class _Comparison:
    """A comparison from its flags to its exit code."""

    workspace: Workspace
    hooks: Hooks
    report: Report | None = None
    """What the command found."""
    exit_code: int = EXIT_FAILED


@contextmanager
def _comparison(
    config: Path | None, quiet: bool, flags: dict[str, Any], *, stoppable: bool = True
) -> Iterator[_Comparison]:
    """Open what a comparison needs; afterwards write the report that it was given."""
    from dvdup.commands.output import demand_output, exit_code, format_of, write_report
    from dvdup.report import render

    output = flags.pop("output")
    format_ = format_of(flags.pop("format_"), output)
    workspace = open_workspace(config, **flags)
    if output is not None:
        demand_output(workspace, output)
    with hooks_for(quiet=quiet, stoppable=stoppable) as hooks:
        asked = _Comparison(workspace, hooks)
        yield asked
    assert asked.report is not None
    if output is None or str(output) == "-":
        put(render(asked.report, format_, **screen()))
    else:
        write_report(output, render(asked.report, format_))
    asked.exit_code = exit_code(asked.report, workspace.config.report)


COMMANDS = (diff, check, query, compare)
