"""The command that measures: bench."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from dvdup.cli.console import hooks_for, put, say, screen
from dvdup.cli.options import (
    ALLOW_UNREADABLE,
    BATCH,
    DEVICE,
    GROUPS,
    OUTPUT,
    open_workspace,
    place_options,
)
from dvdup.errors import EXIT_FAILED

_WHAT = (
    click.option(
        "--embedder",
        "embedders",
        metavar="NAME",
        multiple=True,
        help="Embedder, see `dvdup models`.",
    ),
    GROUPS,
    click.option(
        "--search",
        "indexes",
        type=click.Choice(["exact", "hnsw", "lsh"]),
        multiple=True,
        default=("exact",),
        show_default=True,
        help="How the counts look for nearest slices; repeatable. hnsw and lsh need faiss.",
    ),
    click.option(
        "--variants/--no-variants",
        help="Measure the rank score with variants too (mirrors, turns, zooms, crops), with the "
        "first embedder.",
    ),
    click.option(
        "--verified",
        is_flag=True,
        help="Measure what `dvdup diff` decides too, with the first embedder: a second or "
        "two a query.",
    ),
    click.option(
        "--ablate",
        is_flag=True,
        help="The same again with each step of the verification left out.",
    ),
    click.option(
        "--edits",
        metavar="NAMES",
        help="Only these edits, separated by commas; extended: masks, erased blocks and other "
        "disguises instead of the standard ones.",
    ),
    click.option("--scans", type=click.IntRange(2), help="At most so many scans, whole persons."),
    click.option(
        "--ask",
        metavar="REGEX",
        help="Queries are the scans whose id it finds; the others are in the database only.",
    ),
    click.option("--quick", is_flag=True, help="24 scans and 7 edits: a first look."),
    click.option(
        "--seed",
        type=click.IntRange(0),
        default=0,
        show_default=True,
        help="Same seed, same result.",
    ),
)
_HOW = (
    click.option(
        "-f",
        "--format",
        "format_",
        metavar="FORMAT",
        default="table",
        show_default=True,
        help="table, json or markdown.",
    ),
    OUTPUT,
    click.option(
        "--plots",
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder for ROC curves and heat maps, PNG.",
    ),
    click.option(
        "--work",
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder for finished queries [default: bench in the index folder].",
    ),
    click.option(
        "--timing/--no-timing",
        default=True,
        help="Whether slices per second are told: they alone differ between runs.",
    ),
    DEVICE,
    BATCH,
    click.option("--jobs", type=click.IntRange(0), help="Worker processes; 0: one a core."),
    ALLOW_UNREADABLE,
    place_options,
)


def _options(command: Any) -> Any:
    for option in reversed((*_WHAT, *_HOW)):
        command = option(command)
    return command


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@_options
def bench(
    paths: tuple[str, ...],
    format_: str,
    output: Path | None,
    plots: Path | None,
    config: Path | None,
    quiet: bool,
    **flags: Any,
) -> int:
    """Measure how well copies are found among the scans of PATH.

    Every scan is once a query whose person is taken out of the database, and nothing must be
    found; and it is edited in 18 ways and 3 strengths, and its source must be found, and nobody
    else. Thresholds are fitted on other persons than they are judged on. Ctrl-C keeps what is
    finished; the same command goes on from there.

    --embedder can be repeated and takes two baselines as well: correlation and phash3d. Without
    it the configured embedder, thumbnail and both baselines are measured.
    """
    from dvdup.commands.output import demand_output, write_report
    from dvdup.extras import demand
    from dvdup.lab.bench import demand_format, draw, measure, render, to_document

    demand_format(format_)
    if plots is not None:  # before hours of measuring, not after them
        demand("--plots", ("matplotlib",), "bench")
    workspace = open_workspace(config, **flags)
    if output is not None:
        demand_output(workspace, output)
    with hooks_for(quiet=quiet) as hooks:
        result = measure(workspace, paths, _asked(workspace, flags), hooks)
    document = to_document(result)
    if output is None or str(output) == "-":
        put(render(document, format_, **screen()))
    else:
        write_report(output, render(document, format_))
    if plots is not None:
        for file in draw(document, result.curves, plots):
            say(f"wrote {file}", quiet=quiet)
    return EXIT_FAILED if result.unreadable and not workspace.config.report.allow_unreadable else 0


def _asked(workspace: Any, flags: dict[str, Any]) -> Any:
    from dvdup.lab.bench import BASELINES, Options, Voxels

    usual = (workspace.config.embedder, "thumbnail", *BASELINES)
    names = ("groups", "scans", "ask", "quick", "indexes", "variants", "seed", "timing", "work")
    return Options(
        embedders=tuple(flags["embedders"] or dict.fromkeys(usual)),
        voxels=Voxels(flags["verified"], flags["ablate"]),
        edits=tuple(filter(None, (flags["edits"] or "").replace(" ", "").split(","))),
        **{name: flags[name] for name in names},
    )


COMMANDS = (bench,)
