"""The command that writes what others may compare with their scans: export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from dvdup.cli.console import hooks_for, put, say
from dvdup.cli.options import (
    ALLOW_UNREADABLE,
    key_options,
    open_workspace,
    passphrase,
    place_options,
)
from dvdup.errors import EXIT_FAILED


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--split", metavar="SPLIT", help="The split, or a version of it (train@v1).")
@click.option(
    "--proxies",
    is_flag=True,
    help="Put the small copies of the scans in as well, so that voxels can be compared; a face can "
    "be recognised in them.",
)
@click.option("--force", is_flag=True, help="Replace a FILE that is there.")
@click.option(
    "--whose",
    "ids",
    multiple=True,
    metavar="ID",
    help="Print which case of this index an id of its exports stands for; repeatable.",
)
@key_options
@ALLOW_UNREADABLE
@place_options
def export(
    file: Path | None, ids: tuple[str, ...], config: Path | None, quiet: bool, **flags: Any
) -> int:
    """Write the fingerprints of one split to FILE.dvdup, for others to compare with their scans.

    In it are rows of numbers, sizes of the scans and, with --key, hashes that only who knows the
    key can compare; no names, no paths, no subjects, no voxels. `dvdup diff train FILE.dvdup`
    tells which scans are in both. Exit code 2 if not all cases of the split could be exported.
    """
    from dvdup.cli.words import exported_lines
    from dvdup.commands import export as command

    if (file is None) != bool(ids):
        raise click.UsageError("give one of FILE and --whose ID")
    chosen = {name: flags.pop(name) for name in ("split", "proxies", "force")}
    secret = passphrase(flags)
    workspace = open_workspace(config, **flags)
    if file is None:
        for given, label in command.whose(workspace, ids):
            put(f"{given}\t{label}\n")
        return 0
    with hooks_for(quiet=quiet) as hooks:
        found = command.export(workspace, file, secret=secret, hooks=hooks, **chosen)
    for line in exported_lines(file, found):
        say(line, quiet=quiet and not found.unchecked)
    stale = any(case.kind == "stale" for case in found.unchecked)
    lacking = stale or (found.unchecked and not workspace.config.report.allow_unreadable)
    return EXIT_FAILED if lacking else 0


COMMANDS = (export,)
