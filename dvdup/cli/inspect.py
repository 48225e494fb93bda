"""Commands that look at things: status, log, models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from dvdup.cli.console import out, progress_bar, put, say
from dvdup.cli.options import TABLE_OR_JSON, open_workspace, place_options, terminal_options
from dvdup.errors import EXIT_FAILED
from dvdup.plain import document, to_plain


@click.command()
@click.option(
    "--verify",
    is_flag=True,
    help="Read everything back, compare checksums, and hash every file of the dataset.",
)
@TABLE_OR_JSON
@place_options
def status(config: Path | None, quiet: bool, verify: bool, format_: str, **flags: Any) -> int:
    """Show what the index holds and whether the files have changed since.

    Exit code 2 if --verify finds damage, or files that do not hold what was indexed.
    """
    from dvdup.cli.words import status_lines
    from dvdup.commands import history

    workspace = open_workspace(config, **flags)
    with progress_bar(quiet=quiet) as progress:
        found = history.status(workspace, verify=verify, progress=progress)
    if format_ == "json":
        put(document("status", **to_plain(found)))
    else:
        for line in status_lines(found):
            out(line)
    for fault in found.damage or ():
        say(f"damaged: {fault}")
    for case in found.differing:
        say(f"differs: {case}")
    return EXIT_FAILED if found.damage or found.differing else 0


@click.command()
@click.option("-n", "--number", type=click.IntRange(1), help="Only the newest N entries.")
@TABLE_OR_JSON
@place_options
def log(config: Path | None, quiet: bool, number: int | None, format_: str, **flags: Any) -> None:
    """List every command that changed the index, newest first.

    In a git repository each entry has the commit that was checked out.
    """
    from dvdup.cli.words import log_lines
    from dvdup.commands import history

    entries = history.log(open_workspace(config, **flags))[:number]
    if format_ == "json":
        put(document("log", entries=[to_plain(entry) for entry in entries]))
        return
    for line in log_lines(entries):
        out(line)


@click.command()
@click.argument("action", type=click.Choice(["list", "fetch"]), default="list")
@click.argument("name", required=False)
@TABLE_OR_JSON
@terminal_options
def models(action: str, name: str | None, format_: str, quiet: bool) -> None:
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
        say(f"fetched {fetch(open_workspace(None), name, say)}", quiet=quiet)
        return
    if format_ == "json":
        put(document("models", models=[to_plain(model) for model in available()]))
        return
    for line in model_lines(available()):
        out(line)


COMMANDS = (status, log, models)
