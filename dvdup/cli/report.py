"""Commands that compare: diff, check, query, compare. Exit code 1 if they find something."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dvdup.cli.console import progress_bar, put, say, screen, stop_requests
from dvdup.cli.options import (
    FULL,
    JOBS,
    embed_options,
    open_workspace,
    place_options,
    report_options,
)

if TYPE_CHECKING:
    from dvdup.records import Progress, Report, SyncSummary
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
    from dvdup.commands import diff

    def run(workspace: Workspace, progress: Progress) -> Report:
        with stop_requests() as stop:
            return diff.diff(workspace, ref_a, ref_b, progress=progress, should_stop=stop, say=say)

    return _report(run, config, quiet, flags)


@click.command()
@click.option(
    "--within", is_flag=True, default=None, help="Look for duplicates inside each split too."
)
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
    from dvdup.commands import check
    from dvdup.sync.build import Hooks

    def synced(summary: SyncSummary) -> None:
        for line in left_out_lines(summary):
            say(line, quiet=quiet)

    def run(workspace: Workspace, progress: Progress) -> Report:
        with stop_requests() as should_stop:
            hooks = Hooks(progress, should_stop, say, synced, full)
            return check.check(workspace, hooks=hooks)

    return _report(run, config, quiet, flags)


@click.command()
@click.argument("file", metavar="FILE")
@click.option("--split", metavar="SPLIT", help="Search this split only [default: all].")
@report_options
@embed_options
@place_options
def query(file: str, split: str | None, config: Path | None, quiet: bool, **flags: Any) -> int:
    """Report whether the scan in FILE (a file or a DICOM folder) is in the index.

    The index is not changed.
    """
    from dvdup.commands import adhoc

    def run(workspace: Workspace, progress: Progress) -> Report:
        return adhoc.query(workspace, file, split=split, progress=progress, say=say)

    return _report(run, config, quiet, flags)


@click.command()
@click.argument("file_a", metavar="FILE_A")
@click.argument("file_b", metavar="FILE_B")
@report_options
@embed_options
@place_options
def compare(file_a: str, file_b: str, config: Path | None, quiet: bool, **flags: Any) -> int:
    """Report whether two scans (files or DICOM folders) are copies; needs no index."""
    from dvdup.commands import adhoc

    def run(workspace: Workspace, progress: Progress) -> Report:
        return adhoc.compare(workspace, file_a, file_b, progress=progress)

    return _report(run, config, quiet, flags)


def _report(
    run: Callable[[Workspace, Progress], Report],
    config: Path | None,
    quiet: bool,
    flags: dict[str, Any],
) -> int:
    """Run a comparison, write its report, return the exit code."""
    from dvdup.commands.output import demand_output, exit_code, format_of, write_report
    from dvdup.report import render

    output = flags.pop("output")
    format_ = format_of(flags.pop("format_"), output)
    workspace = open_workspace(config, **flags)
    if output is not None:
        demand_output(workspace, output)
    with progress_bar(quiet=quiet) as progress:
        report = run(workspace, progress)
    if output is None or str(output) == "-":
        put(render(report, format_, **screen()))
    else:
        write_report(output, render(report, format_))
    return exit_code(report, workspace.config.report)


COMMANDS = (diff, check, query, compare)
