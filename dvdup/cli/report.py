"""Commands that compare (exit code 1 if they find something), and render, which writes again."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dvdup.cli import complete
from dvdup.cli.console import hooks_for, put, say, screen
from dvdup.cli.options import (
    FULL,
    JOBS,
    NEW_SINCE,
    RUNNER,
    WITHIN,
    embed_options,
    key_options,
    open_workspace,
    output_options,
    passphrase,
    place_options,
    report_options,
)
from dvdup.errors import EXIT_FAILED, InputError

if TYPE_CHECKING:
    from dvdup.commands.output import Output
    from dvdup.records import Hooks, Pictures, Report, SyncSummary
    from dvdup.workspace import Workspace


@click.command()
@click.argument("ref_a", metavar="REF_A", shell_complete=complete.refs)
@click.argument("ref_b", metavar="[REF_B]", required=False, shell_complete=complete.refs)
@NEW_SINCE
@key_options
@report_options
@JOBS
@RUNNER
@place_options
def diff(ref_a: str, ref_b: str | None, config: Path | None, quiet: bool, **flags: Any) -> int:
    """Report the cases of REF_B that are already in REF_A, or what happened in between.

    A ref is a split (train), a split as it was (train@v1, train@12, see `dvdup tag` and
    `dvdup log`), or a file that `dvdup export` wrote somewhere else (other.dvdup). `dvdup diff
    train train` finds the duplicates within train. Works on the index as it is; `dvdup check`
    brings it up to date first.

    Of two versions, v1 v2 or train@v1 train@v2, or of one and nothing, which stands for now, tells
    what was added, removed, renamed, moved to another split and changed. What came is compared
    with what was there.

    Exit code 1 if a copy is found, 2 if something could not be checked, or is not as it was
    indexed; else 0, whatever has changed.
    """
    from dvdup.commands import diff as command

    new_since, secret = flags.pop("new_since"), passphrase(flags)
    with _comparison(config, quiet, flags) as asked:
        asked.report = command.diff(
            asked.workspace, ref_a, ref_b, new_since=new_since, secret=secret, hooks=asked.hooks
        )
    return asked.exit_code


@click.command()
@WITHIN
@FULL
@click.option(
    "--committed",
    is_flag=True,
    help="Leave out scans that git does not have, as a hook does; a split of which it has none is "
    "looked at as it lies on disk.",
)
@click.option(
    "--since",
    metavar="COMMIT",
    help="Look only at scans that git says have changed since, and tell findings of these alone; "
    "all others are compared as they were indexed.",
)
@NEW_SINCE
@click.option(
    "--names-only",
    is_flag=True,
    help="Only tell which subjects, files and DICOM images lie in two splits, from what is "
    "declared: in about a second, before a scan is read, and without an index. Says nothing about "
    "copies. Makes the key of the index if a patient has to be named.",
)
@click.option(
    "--give-up",
    "minutes",
    type=click.FloatRange(0),
    metavar="MINUTES",
    help="Give up (exit code 2) before a scan is read if the check may take longer.",
)
@report_options
@embed_options
@RUNNER
@place_options
def check(config: Path | None, quiet: bool, **flags: Any) -> int:
    """Bring the index up to date, then compare every pair of splits.

    The command for pre-commit and CI: with nothing changed it takes a moment. Exit code 1 if
    something is found, 2 if it could not be checked completely.
    """
    from dvdup.cli.words import left_out_lines
    from dvdup.commands import check as command

    def synced(summary: SyncSummary) -> None:
        for line in left_out_lines(summary):
            say(line, quiet=quiet)

    if flags.pop("names_only"):
        return _names_only(config, quiet, flags)
    asked_for = {name: flags.pop(name) for name in _CHECK}
    asked_for["command"] = _program()
    with _comparison(config, quiet, flags) as asked:
        asked.report = command.check(asked.workspace, **asked_for, synced=synced, hooks=asked.hooks)
    return asked.exit_code


_CHECK = ("full", "committed", "since", "new_since", "minutes")
"""Parameters of `check` itself."""


def _names_only(config: Path | None, quiet: bool, flags: dict[str, Any]) -> int:
    from dvdup.commands import names_only as command

    if any(flags.pop(name) not in (None, False) for name in _CHECK):
        raise click.UsageError(
            "--names-only reads no scan: leave out --full, --committed, --since, --new-since, "
            "--give-up"
        )
    with _comparison(config, quiet, flags) as asked:
        asked.report = command.names_only(asked.workspace, hooks=asked.hooks)
    return asked.exit_code


def _program() -> str:
    """How this program is called by hand: by its path in an environment of pre-commit."""
    path = Path(sys.argv[0])
    return str(path) if any(part.startswith("py_env") for part in path.parts) else "dvdup"


@click.command()
@click.argument("file", metavar="FILE")
@click.option(
    "--split",
    metavar="SPLIT",
    shell_complete=complete.refs,
    help="Search this split only [default: all].",
)
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


@click.command("render")
@click.argument("file", metavar="REPORT")
@output_options
@place_options
def render_report(file: str, config: Path | None, quiet: bool, **flags: Any) -> int:
    """Write a report again in other formats.

    REPORT is what --format json wrote, - stands for stdin. An HTML report shows the pairs whose
    scans the index here still holds as they were. The exit code is 0, whatever the report says.
    """
    from dvdup.commands import output

    deliveries = _Deliveries(flags)
    report = output.read_report(file)
    workspace = open_workspace(config, **flags)
    with hooks_for(quiet=quiet) as hooks:
        deliveries.demand(workspace)
        pictures = deliveries.drawn(workspace, report, hooks, saved=True)
    deliveries.write(report, pictures, quiet=quiet)
    return 0


class _Deliveries:
    """Where the report of a command goes."""

    def __init__(self, flags: dict[str, Any]) -> None:
        """Take the flags of `output_options` out of those of a command."""
        from dvdup.commands import output

        self._outputs = output.outputs_of(flags.pop("format_"), flags.pop("targets"))
        self._with_pictures: bool = flags.pop("pictures")
        self._summary: bool = flags.pop("step_summary")

    def demand(self, workspace: Workspace) -> None:
        """Refuse places that no report may go to, before any work is done."""
        from dvdup.commands.output import demand_output

        for each in self._outputs:
            if each.path is not None:
                demand_output(workspace, each.path)

    def drawn(
        self, workspace: Workspace, report: Report, hooks: Hooks, *, saved: bool = False
    ) -> Pictures | None:
        """Draw the pairs, where an output shows them; see `pictures_of`."""
        from dvdup.report import FORMATS

        shown = any(FORMATS[each.format].illustrated for each in self._outputs)
        if not (shown and self._with_pictures):
            return None
        from dvdup.commands.pictures import pictures_of

        return pictures_of(workspace, report, hooks, saved=saved)

    def write(self, report: Report, pictures: Pictures | None, *, quiet: bool) -> None:
        """Write the report to all its places; what went into files alone is said in short.

        Raises:
            InputError: Some cannot be written, after those that can.
        """
        from dvdup.report.headline import headline

        if all(each.path is not None for each in self._outputs):
            say(" ".join(headline(report)), quiet=quiet)
        # whoever reads stdout may stop reading, which ends the command
        places = sorted(self._outputs, key=lambda each: each.path is None)
        steps = [partial(_deliver, each, report, pictures, quiet) for each in places]
        failed = []
        for step in (partial(self._summarise, report), *steps):
            try:
                step()
            except InputError as error:
                failed.append(str(error))
        if failed:
            raise InputError("; ".join(failed))

    def _summarise(self, report: Report) -> None:
        """Add to the summary of a step of GitHub Actions, if that was asked for."""
        from dvdup.commands.output import add_step_summary

        remark = add_step_summary(report, os.environ) if self._summary else ""
        if remark:
            say(remark)


def _deliver(place: Output, report: Report, pictures: Pictures | None, quiet: bool) -> None:
    """Write a report to one place."""
    from dvdup.commands.output import write_report
    from dvdup.report import render

    if place.path is None:
        put(render(report, place.format, **screen(), pictures=pictures))
    else:
        write_report(place.path, render(report, place.format, pictures=pictures))
        say(place.told, quiet=quiet)


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
    from dvdup.commands.output import exit_code

    deliveries = _Deliveries(flags)
    workspace = open_workspace(config, **flags)
    deliveries.demand(workspace)
    with hooks_for(quiet=quiet, stoppable=stoppable) as hooks:
        asked = _Comparison(workspace, hooks)
        yield asked
        assert asked.report is not None
        pictures = deliveries.drawn(workspace, asked.report, hooks)
    deliveries.write(asked.report, pictures, quiet=quiet)
    rules = workspace.config.report
    if flags["exit_zero"]:  # of findings, not of what could not be checked
        rules = dataclasses.replace(rules, fail_on=())
    asked.exit_code = exit_code(asked.report, rules)


COMMANDS = (diff, check, query, compare, render_report)
