"""A picture of a calibration: both distributions, the thresholds, and the tail that was fitted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dvdup.errors import InputError
from dvdup.lab.calibrate.run import Result
from dvdup.lab.calibrate.threshold import LEVELS
from dvdup.lab.evaluate.figure import figure, save

_COLORS = ("tab:green", "tab:orange")
_BINS = 40


def demand_file(file: Path) -> None:
    """Refuse a picture that could not be written before any work is done.

    Raises:
        InputError: It is no PNG, or its folder is not there.
    """
    if file.suffix.lower() != ".png":
        raise InputError(f"--plot {file}: it becomes a PNG; give it a name that ends in .png")
    if not file.parent.is_dir():
        raise InputError(f"--plot {file}: there is no folder {file.parent}; make it first")


def draw(result: Result, file: Path) -> None:
    """Write the picture.

    Raises:
        InputError: The file cannot be written.
    """
    canvas, (above, below) = figure(8, 7, rows=2)
    low, high = _span(result)
    above.sharex(below)
    below.set_xlim(low, high)
    _distributions(result, above, np.linspace(low, high, _BINS + 1))
    _tail(result, below, np.linspace(low, high, 400))
    for axes in (above, below):
        axes.axvline(result.threshold, color="black", label=f"threshold {result.threshold:.2f}")
        axes.axvline(
            result.before, color="grey", linestyle="--", label=f"before {result.before:.2f}"
        )
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small", frameon=False)
    below.set_xlabel("strength of the voxel evidence")
    try:
        save(canvas, file)
    except OSError as error:
        raise InputError(f"cannot write {file}: {error.strerror or error}") from error


def _span(result: Result) -> tuple[float, float]:
    seen = np.concatenate([result.strengths.stranger, result.strengths.copy])
    seen = seen[np.isfinite(seen)]
    low, high = float(np.append(seen, result.before).min()), float(np.append(seen, 0).max())
    return low - 0.3, max(high, result.threshold, result.before) + 0.3


def _distributions(result: Result, axes: Any, edges: np.ndarray) -> None:
    found = result.strengths
    finite = found.stranger[np.isfinite(found.stranger)]
    axes.hist(
        finite, edges, weights=np.full(len(finite), 1 / len(found.stranger)), color="tab:red",
        alpha=0.6, label=f"best stranger of {len(found.stranger)} cases",
    )  # fmt: skip
    for number, (level, color) in enumerate(zip(LEVELS, _COLORS, strict=True)):
        copies = found.copy[found.copy_level == number]
        shown = np.clip(copies, edges[0], edges[-1])
        if len(copies):
            axes.hist(
                shown, edges, weights=np.full(len(copies), 1 / len(copies)), color=color,
                histtype="step", linewidth=1.6, label=f"{len(copies)} {level} copies",
            )  # fmt: skip
    axes.set_ylabel("share")


def _tail(result: Result, axes: Any, places: np.ndarray) -> None:
    """How many strangers reach a strength, on a logarithmic axis."""
    stranger, tail = np.sort(result.strengths.stranger), result.fitted.tail
    finite = stranger[np.isfinite(stranger)]
    n = len(stranger)
    shares = np.arange(len(finite), 0, -1) / n
    axes.step(finite, shares, where="pre", color="tab:red", label="strangers, counted")
    beyond = places[places >= tail.start]
    axes.plot(
        beyond, [tail.beyond(float(x)) for x in beyond], color="tab:blue", linewidth=1,
        label=f"{tail.name} tail from {tail.points} cases",
    )  # fmt: skip
    lowest = result.fitted.budget or 1 / n
    if result.fitted.budget is not None:
        axes.axhline(lowest, color="black", linewidth=0.8, linestyle=":", label="budget")
    axes.set_yscale("log")
    axes.set_ylim(min(lowest, 1 / n) / 5, 1.5)
    axes.set_ylabel("share of cases at or above")
