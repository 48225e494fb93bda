"""The command train."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dvdup.cli.console import hooks_for, out, say
from dvdup.cli.options import terminal_options

if TYPE_CHECKING:
    from dvdup.lab.train import Row


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="Weight file to write; its state, log and model card go beside it.",
)
@click.option("--steps", type=click.IntRange(1), default=6000, show_default=True, help="In all.")
@click.option("--minutes", type=float, help="Stop after so long; --resume goes on.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Same seed, same result."
)
@click.option("--resume", is_flag=True, help="Go on where --out stopped.")
@click.option(
    "--persons",
    metavar="REGEX",
    help="Finds the person in the id or path of a scan: its group, '(sub-[0-9]+)'.",
)
@click.option(
    "--val",
    "kept_out",
    multiple=True,
    metavar="PERSON",
    help="Keep a person (or pattern) out, to validate on [default: a fifth of them, at most 12].",
)
@click.option(
    "--phantoms", type=click.IntRange(0), default=28, show_default=True, help="Kinds of phantoms."
)
@click.option(
    "--note",
    "notes",
    multiple=True,
    metavar="TEXT",
    help="A line of the model card about the data, such as its licence.",
)
@terminal_options
def train(paths: tuple[str, ...], quiet: bool, **flags: Any) -> None:
    """Train the built-in network on scans (files, folders) and procedural phantoms.

    Prints how well edited copies of the persons kept out are found. Use the weights as
    --embedder builtin@FILE; the ONNX model that runs lies beside them. Ctrl-C stops after the
    step in hand and keeps what is learnt. Needs `pip install 'dvdup[models]'`.
    """
    from dvdup.extras import CONVERSION, demand

    demand("dvdup train", CONVERSION)
    from dvdup.lab import train as room

    with hooks_for(quiet=quiet, within=None) as hooks:
        if quiet:
            hooks = dataclasses.replace(hooks, say=lambda line: None)
        result = room.train(_request(paths, **flags), hooks)
    say(f"{result.step} steps in {result.seconds / 60:.1f} minutes", quiet=quiet)
    if not result.done:
        say("not all steps are done; go on with --resume", quiet=quiet)
    for line in table_lines(result.validation):
        out(line)


def _request(
    paths: tuple[str, ...], *, out: Path, phantoms: int, kept_out: tuple[str, ...], **flags: Any
) -> Any:
    from dvdup.lab.train import Plan, Request

    plan = Plan(steps=flags["steps"], minutes=flags["minutes"], seed=flags["seed"])
    return Request(
        paths=paths,
        weights=out,
        plan=plan,
        persons=flags["persons"],
        kept_out=kept_out,
        families=phantoms,
        resume=flags["resume"],
        notes=flags["notes"],
    )


def table_lines(rows: tuple[Row, ...]) -> list[str]:
    """The validation table, a line a row under a line of names."""
    if not rows:
        return []
    names = [field.name for field in dataclasses.fields(rows[0])]
    cells = [names, *([_cell(getattr(row, name)) for name in names] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(names))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]


def _cell(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value) or "-"


COMMANDS = (train,)
