"""The command that fits the threshold to one's own scans: calibrate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from dvdup.cli.console import hooks_for, out, say
from dvdup.cli.options import DRY_RUN, GROUPS, JOBS, open_workspace, place_options


@click.command()
@click.option(
    "--budget",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="False alarms that a query case may cost [default: 0.001, 1 in 1,000].",
)
@click.option(
    "--youden",
    is_flag=True,
    help="Largest sum of sensitivity and specificity instead of a budget.",
)
@GROUPS
@click.option("--cases", type=click.IntRange(1), help="At most so many cases, whole groups.")
@click.option(
    "--all-strangers",
    is_flag=True,
    help="Count pairs of two groups as strangers even where they are called copies now: you have "
    "looked at them.",
)
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Picture of the distributions, PNG.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Same seed, same result."
)
@DRY_RUN
@JOBS
@place_options
def calibrate(
    budget: float | None,
    youden: bool,
    plot: Path | None,
    dry_run: bool,
    config: Path | None,
    quiet: bool,
    **flags: Any,
) -> None:
    """Fit the threshold between strangers and copies to the scans of the index.

    Compares every case with its candidates of other groups, and with edited copies of itself;
    the threshold that keeps the budget goes into [calibration] of the configuration file, and
    every comparison goes by it from then on. Needs 30 groups at least.
    """
    from dvdup.extras import demand
    from dvdup.lab import calibrate as room

    if youden and budget is not None:
        raise click.UsageError("--youden and --budget exclude each other; give one of them.")
    if plot is not None:
        demand("--plot", ("matplotlib",), "bench")
        room.demand_file(plot)
    names = ("groups", "cases", "all_strangers", "seed")
    options = room.Options(
        budget=None if youden else budget or room.BUDGET, **{name: flags[name] for name in names}
    )
    workspace = open_workspace(config, **flags)
    with hooks_for(quiet=quiet) as hooks:
        result = room.calibrate(workspace, options, hooks)
    for line in room.lines(result):
        out(line)
    if plot is not None:
        room.draw(result, plot)
        say(f"wrote {plot}", quiet=quiet)
    if dry_run:
        say("nothing was written (--dry-run)", quiet=quiet)
        return
    say(f"wrote [calibration] into {room.store(workspace.config, result)}", quiet=quiet)


COMMANDS = (calibrate,)
