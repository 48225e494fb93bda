"""What it costs to draw the pairs of a report, knowing how they lie on each other or not.

    python tests/perf/draw_pairs.py REPORT.json [PAIRS]

Run it in the folder of the dataset, after `dvdup check -o REPORT.json`. Draws the first pairs in
this process, as the report has them and without what it says of their places, as an older one.
Prints seconds of processor time a pair.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from pathlib import Path

from dvdup.commands.output import read_report
from dvdup.commands.pictures import pictures_of
from dvdup.config import load_config
from dvdup.records import Finding, Hooks, Report
from dvdup.report.json import A_TO_B
from dvdup.workspace import Workspace


def unplaced(pair: Finding) -> Finding:
    """A finding that does not say how its scans lie."""
    said = {key: value for key, value in (pair.alignment or {}).items() if key != A_TO_B}
    return dataclasses.replace(pair, alignment=said)


def seconds(workspace: Workspace, report: Report) -> tuple[float, int]:
    """Processor time of all pairs, and how many were drawn."""
    start = time.process_time()
    found = pictures_of(workspace, report, Hooks())
    return time.process_time() - start, sum(bool(pair.rows) for pair in found)


def main() -> None:
    """Measure and print."""
    report = read_report(sys.argv[1])
    pairs = report.pairs[: int(sys.argv[2]) if len(sys.argv) > 2 else 10]
    report = dataclasses.replace(report, pairs=pairs)
    without = dataclasses.replace(report, pairs=tuple(map(unplaced, pairs)))
    config = load_config(config=None, cwd=Path.cwd(), environ={}, overrides={"jobs": 1})
    workspace = Workspace(config)
    seconds(workspace, dataclasses.replace(report, pairs=pairs[:1]))  # what is loaded only once
    for name, each in (("placed", report), ("unplaced", without)):
        taken, drawn = seconds(workspace, each)
        print(f"{name:9} {drawn:3} pairs drawn, {taken / max(1, drawn):6.2f} s a pair")


if __name__ == "__main__":
    main()
