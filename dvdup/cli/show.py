"""The command that draws a pair: show."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dvdup.cli import complete
from dvdup.cli.console import out, progress_bar, say, screen
from dvdup.cli.options import BATCH, DEVICE, EMBEDDER, open_workspace, place_options

if TYPE_CHECKING:
    from dvdup.commands.show import Shown
    from dvdup.workspace import Workspace

_WIDEST = 160  # columns; what is wider is too high for a screen


@click.command()
@click.argument("a", metavar="A", shell_complete=complete.cases_or_files)
@click.argument("b", metavar="B", shell_complete=complete.cases_or_files)
@click.option(
    "-o",
    "--output",
    "picture",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The PNG file; overwritten if it is there [default: A-B.png here, "
    "or beside dvdup.toml within a dataset, under the next free number if that is taken].",
)
@click.option("--no-picture", is_flag=True, help="Only words and the rough view.")
@EMBEDDER
@DEVICE
@BATCH
@place_options
def show(
    a: str,
    b: str,
    picture: Path | None,
    no_picture: bool,
    config: Path | None,
    quiet: bool,
    **flags: Any,
) -> None:
    """Draw two scans side by side, copies or not.

    A and B are cases of the index (train/p03, train@v1/p03), files or DICOM folders. Prints
    the verdict and why, which slices match, and a rough view of both; a PNG shows the matching
    slices, their difference, and the similarities of all slices with the line of the matching
    ones. B is brought onto A first. A case whose files have gone is shown from its small copy
    in the index.
    """
    from dvdup.commands import show

    _demand_png(picture, no_picture)
    workspace = open_workspace(config, **flags)
    with progress_bar(quiet=quiet) as progress:
        shown = show.show(workspace, a, b, progress=progress)
    for line in shown.words:
        out(line)
    click.echo("\n" + shown.terminal(min(_WIDEST, screen()["width"])))
    if not no_picture:
        say(f"wrote {_write(shown, picture or _folder(workspace))}", quiet=quiet)


def _demand_png(picture: Path | None, no_picture: bool) -> None:
    if picture is not None and no_picture:
        raise click.UsageError("--output and --no-picture exclude each other")
    if picture is not None and picture.suffix.lower() != ".png":
        raise click.UsageError(f"{picture}: the picture is a PNG; give it a name that ends in .png")


def _folder(workspace: Workspace) -> Path:
    """Here but, within a dataset, beside its configuration: among scans it would be one of them."""
    root = workspace.root
    inside = workspace.config.file is not None and Path.cwd().is_relative_to(root)
    return Path(os.path.relpath(root)) if inside else Path()


def _write(shown: Shown, target: Path) -> Path:
    """Write the picture to a PNG file, or under a free name into a folder."""
    from dvdup.commands import output, show

    png = shown.picture()
    is_file = target.suffix.lower() == ".png"
    file = target if is_file else show.free_name(target, shown.titles, png)
    output.write_file(file, png)
    return file


COMMANDS = (show,)
