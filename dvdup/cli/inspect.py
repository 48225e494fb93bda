"""Commands that look at things: status, log, models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from dvdup.cli.console import out, progress_bar, say
from dvdup.cli.options import open_workspace, place_options
from dvdup.errors import EXIT_FAILED


@click.command()
@click.option(
    "--verify",
    is_flag=True,
    help="Read everything back, compare checksums, and hash every file of the dataset.",
)
@place_options
def status(config: Path | None, quiet: bool, verify: bool, **flags: Any) -> int:
    """Show what the index holds and whether the files have changed since.

    Exit code 2 if --verify finds damage, or files that do not hold what was indexed.
    """
    from dvdup.cli.words import status_lines
    from dvdup.commands import history

    workspace = open_workspace(config, **flags)
    with progress_bar(quiet=quiet) as progress:
        found = history.status(workspace, verify=verify, progress=progress)
    for line in status_lines(found):
        out(line)
    for fault in found.damage or ():
        say(f"damaged: {fault}")
    for case in found.differing:
        say(f"differs: {case}")
    return EXIT_FAILED if found.damage or found.differing else 0


@click.command()
@click.option("-n", "--number", type=click.IntRange(1), help="Only the newest N entries.")
@place_options
def log(config: Path | None, quiet: bool, number: int | None, **flags: Any) -> None:
    """List every command that changed the index, newest first."""
    from dvdup.cli.words import log_lines
    from dvdup.commands import history

    entries = history.log(open_workspace(config, **flags))
    for line in log_lines(entries[:number]):
        out(line)


@click.command()
@click.argument("action", type=click.Choice(["list", "fetch"]), default="list")
@click.argument("name", required=False)
def models(action: str, name: str | None) -> None:
    """List the embedders, or fetch the weights of one for later use without a network.

    \b
    dvdup models               what there is, and whether its weights are here
    dvdup models fetch dinov2  download weights into the cache of the model hub
    """
    from dvdup.cli.words import model_lines
    from dvdup.commands.models import fetch
    from dvdup.embedders import available

    if action == "fetch":
        if name is None:
            raise click.UsageError("fetch needs the NAME of an embedder, see `dvdup models`")
        say(f"fetched {fetch(open_workspace(None), name, say)}")
        return
    for line in model_lines(available()):
        out(line)


COMMANDS = (status, log, models)
