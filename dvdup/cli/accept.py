"""The command that remembers reviewed pairs: accept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dvdup.cli import complete
from dvdup.cli.console import out, put, say
from dvdup.cli.options import TABLE_OR_JSON, open_workspace, place_options
from dvdup.records import Hooks

if TYPE_CHECKING:
    from datetime import datetime

    from dvdup.commands.accept import Accepted, Terms
    from dvdup.workspace import Workspace


@click.command()
@click.argument("cases", nargs=-1, metavar="[A B]", shell_complete=complete.cases_or_files)
@click.option("--reason", metavar="TEXT", help="Why the pair is no leak, for whoever reads it.")
@click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="The last day on which it is accepted, as 2027-01-31 [default: for ever].",
)
@click.option(
    "--baseline",
    metavar="REPORT",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Accept every pair that this report holds, as `dvdup check -f json` wrote it.",
)
@click.option("--list", "listing", is_flag=True, help="Print what is accepted.")
@click.option("--remove", is_flag=True, help="Take the pair out again: it counts as before.")
@TABLE_OR_JSON
@place_options
def accept(
    cases: tuple[str, ...],
    reason: str | None,
    until: datetime | None,
    baseline: Path | None,
    listing: bool,
    remove: bool,
    format_: str,
    config: Path | None,
    quiet: bool,
    **flags: Any,
) -> None:
    """Remember that a pair was reviewed and is no leak.

    A and B are cases of the index (train/p03, train@v1/p03), or files as `dvdup query` takes
    them. The pair stays in every report, marked as accepted, and fails no check.

    It is written into dvdup-accepted.toml beside the configuration, to be committed. The voxels
    say which scans are meant: renamed or stored otherwise they stay accepted, and a new copy of
    one of them does not.
    """
    _demand_one_action(cases, baseline, listing=listing, remove=remove)
    workspace = open_workspace(config, **flags)
    if listing:
        _print(workspace, format_)
    elif remove:
        _remove(workspace, cases, quiet)
    else:
        _tell(_accepted(workspace, cases, baseline, _terms(reason, until)), quiet)


def _demand_one_action(
    cases: tuple[str, ...], baseline: Path | None, *, listing: bool, remove: bool
) -> None:
    asked = [bool(cases) and not remove, baseline is not None, listing, remove]
    if sum(asked) != 1 or (len(cases) != 2 and (bool(cases) or remove)):
        raise click.UsageError("give one of: A B, --baseline REPORT, --list, --remove A B")


def _terms(reason: str | None, until: datetime | None) -> Terms:
    from dvdup.commands.accept import Terms

    if reason is None:
        raise click.UsageError("say why the pair is accepted, with --reason TEXT")
    return Terms(reason, None if until is None else until.date())


def _accepted(
    workspace: Workspace, cases: tuple[str, ...], baseline: Path | None, terms: Terms
) -> Accepted:
    from dvdup.commands import accept as command

    waiting = Hooks(say=say).waiting
    if baseline is not None:
        return command.accept_report(workspace, baseline, terms, waiting)
    a, b = cases
    return command.accept(workspace, a, b, terms, waiting)


def _tell(done: Accepted, quiet: bool) -> None:
    from dvdup.cli.words import accepted_lines

    for line in accepted_lines(done):
        say(line, quiet=quiet)


def _remove(workspace: Workspace, cases: tuple[str, ...], quiet: bool) -> None:
    from dvdup.commands import accept as command

    a, b = cases
    entry = command.remove(workspace, a, b, Hooks(say=say).waiting)
    say(f"{entry.labels} are not accepted any more", quiet=quiet)


def _print(workspace: Workspace, format_: str) -> None:
    from dvdup.cli.words import listed_lines
    from dvdup.commands import accept as command

    rows = command.listed(workspace)
    if format_ == "json":
        put(command.to_json(rows))
        return
    for line in listed_lines(rows):
        out(line)


COMMANDS = (accept,)
