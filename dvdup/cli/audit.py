"""The command for reviewers and files: audit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from dvdup.cli.console import hooks_for, put
from dvdup.cli.options import (
    ALLOW_UNREADABLE,
    CANDIDATES,
    FAIL_ON,
    LABELS,
    OUTPUT,
    WITHIN,
    embed_options,
    open_workspace,
    place_options,
)


@click.command()
@click.option("--label", metavar="COLUMN", help="Name copies whose entries in this column differ.")
@LABELS
@click.option(
    "-f",
    "--format",
    "format_",
    type=click.Choice(["markdown", "json"]),
    help="How it is written [default: by the suffix of the output file, else markdown].",
)
@OUTPUT
@WITHIN
@FAIL_ON
@ALLOW_UNREADABLE
@CANDIDATES
@embed_options
@place_options
def audit(label: str | None, config: Path | None, quiet: bool, **flags: Any) -> int:
    """Check the dataset, and write what a reviewer wants on file.

    A digest of each split that depends on its voxels alone, what was checked and what not, the
    settings and versions, all findings, accepted pairs with their reasons. The same data give the
    same digests. Exit code 2 if something could not be checked; findings are no failure here.
    """
    from dvdup.commands import audit as command
    from dvdup.commands.output import demand_output, incomplete, write_report
    from dvdup.report.audit import to_json, to_markdown

    output, format_, file = (flags.pop(name) for name in ("output", "format_", "labels"))
    as_json = format_ == "json" or (
        format_ is None and output is not None and output.suffix.lower() == ".json"
    )
    workspace = open_workspace(config, **flags)
    if output is not None:
        demand_output(workspace, output)
    with hooks_for(quiet=quiet) as hooks:
        found = command.audit(workspace, column=label, file=file, hooks=hooks)
    text = (to_json if as_json else to_markdown)(found)
    if output is None or str(output) == "-":
        put(text)
    else:
        write_report(output, text)
    return incomplete(found.report, workspace.config.report)


COMMANDS = (audit,)
