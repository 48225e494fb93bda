"""The command that keeps copies and subjects together: groups."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dvdup.cli.console import hooks_for, put, say
from dvdup.cli.options import (
    ALLOW_UNREADABLE,
    CANDIDATES,
    FAIL_ON,
    LABELS,
    OUTPUT,
    embed_options,
    open_workspace,
    place_options,
)

if TYPE_CHECKING:
    from dvdup.commands.groups import Asked, Found
    from dvdup.workspace import Workspace


@click.command()
@click.option(
    "--resplit",
    is_flag=True,
    help="Propose the smallest change after which no group lies in more than one split.",
)
@click.option(
    "--keep",
    multiple=True,
    metavar="SPLIT",
    help="A split that neither loses nor gains a case; may be given several times, none: every "
    "split may change [default: test, else the last one].",
)
@click.option(
    "--how",
    type=click.Choice(["move", "drop"]),
    default="move",
    show_default=True,
    help="Whether cases go to another split. What would have to go to or out of a kept split is "
    "dropped with both.",
)
@click.option("--sizes", is_flag=True, help="Keep the proportions of the other splits.")
@click.option(
    "--balance",
    metavar="COLUMN",
    help="Keep the share that each class of this column has in each split.",
)
@LABELS
@click.option(
    "--folds",
    type=click.IntRange(2),
    default=5,
    show_default=True,
    help="Folds of a splits_final.json where the dataset has no split val.",
)
@click.option(
    "-f",
    "--format",
    "format_",
    metavar="FORMAT",
    help="csv or json [default: by the suffix of the output file, else csv]. With --resplit: "
    "table, list (CSV of the changes), json, or the file of a trainer: csv (a table of splits), "
    "msd, monai, nnunet [default: table].",
)
@OUTPUT
@FAIL_ON
@ALLOW_UNREADABLE
@CANDIDATES
@embed_options
@place_options
def groups(resplit: bool, config: Path | None, quiet: bool, **flags: Any) -> int:
    """Say which cases belong into one split, or how to put them there.

    Copies and scans of one subject are a group: all that --fail-on names, directly or through
    others. Prints the group of every case, for scikit-learn's GroupKFold for example. Accepted
    pairs join nobody.

    With --resplit prints what to move or drop, or the file of splits of a trainer. Neither scans
    nor files of the dataset are changed. Exit code 2 if something could not be checked.
    """
    from dvdup.commands import groups as command
    from dvdup.commands.output import demand_output

    output, format_ = flags.pop("output"), flags.pop("format_")
    format_ = format_ or _format(output, resplit)
    command.demand_format(format_, resplit=resplit)
    asked, folds = _asked(flags), flags.pop("folds")
    workspace = open_workspace(config, **flags)
    if output is not None:
        demand_output(workspace, output)
    with hooks_for(quiet=quiet) as hooks:
        found = command.groups(workspace, hooks=hooks)
    for case in found.unchecked:
        say(f"not checked: {case.split}/{case.case}: {case.reason}")
    if resplit:
        text = _proposed(workspace, found, asked, format_, folds, quiet=quiet)
    else:
        text = command.render_groups(found, format_)
        say(f"{len(found.cases)} cases, {found.shared} groups of several", quiet=quiet)
    _write(text, output)
    return found.exit_code(workspace.config.report)


def _format(output: Path | None, resplit: bool) -> str:
    """The format of a file by its suffix, else the usual one."""
    from dvdup.commands.groups import formats

    usual = formats(resplit=resplit)[0]
    return "json" if output is not None and output.suffix.lower() == ".json" else usual


def _asked(flags: dict[str, Any]) -> Asked:
    from dvdup.commands.groups import Asked

    return Asked(
        **{name: flags.pop(name) for name in ("keep", "how", "sizes", "balance", "labels")}
    )


def _proposed(
    workspace: Workspace, found: Found, asked: Asked, format_: str, folds: int, *, quiet: bool
) -> str:
    from dvdup.commands import groups as command
    from dvdup.report.resplit import dropped_note, to_text

    proposal = command.resplit(workspace, found, asked)
    if format_ != "table":
        say(to_text(proposal).partition("\n")[0], quiet=quiet)
    note = dropped_note(proposal)
    if note is not None:
        say(note)
    return command.render_proposal(workspace, found, proposal, format_, folds)


def _write(text: str, output: Path | None) -> None:
    from dvdup.commands.output import write_report

    if output is None or str(output) == "-":
        put(text)
    else:
        write_report(output, text)


COMMANDS = (groups,)
