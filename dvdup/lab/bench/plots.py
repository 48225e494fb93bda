"""Pictures of a result: ROC curves, and sensitivity by edit and strength."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dvdup.edits import LEVELS
from dvdup.errors import InputError
from dvdup.lab.bench.document import Document
from dvdup.lab.bench.results import Curve
from dvdup.lab.bench.tables import score_name
from dvdup.lab.evaluate.figure import figure, save

_SMALLEST = 1e-3  # false alarm rate from which the axis is logarithmic


def draw(document: Document, curves: Sequence[Curve], folder: Path) -> tuple[Path, ...]:
    """Write `roc.png`, and for every row of the result a heat map `edits-<row>.png`.

    Returns:
        The files.

    Raises:
        InputError: The folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files = [_roc(curves, folder / "roc.png")]
        files += [_edits(row, folder) for row in document["rows"]]
    except OSError as error:
        raise InputError(f"cannot write plots to {folder}: {error.strerror or error}") from error
    return tuple(files)


def _roc(curves: Sequence[Curve], file: Path) -> Path:
    canvas, axes = figure(8, 5)
    styles = ("-", "--", ":", "-.")
    for i, curve in enumerate(curves):
        axes.step(
            curve.false_alarms,
            curve.sensitivity,
            where="post",
            linestyle=styles[i // 10 % len(styles)],
            label=curve.label,
        )
    axes.axvline(0.01, color="grey", linewidth=0.8)
    axes.set_xscale("symlog", linthresh=_SMALLEST)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.005)
    axes.set_xlabel("share of queries without a copy that raise an alarm (worse pool)")
    axes.set_ylabel("share of copies found, right case")
    axes.grid(alpha=0.3)
    canvas.legend(loc="outside right upper", fontsize="small", frameon=False)
    return save(canvas, file)


def _edits(row: dict[str, Any], folder: Path) -> Path:
    by_edit = row["sensitivity_at_specificity_99"]["by_edit"]
    values = np.array(
        [
            [rate["value"] if (rate := levels.get(level)) else np.nan for level in LEVELS]
            for levels in by_edit.values()
        ]
    ).reshape(len(by_edit), len(LEVELS))
    canvas, axes = figure(5, 1.4 + 0.32 * len(by_edit))
    image = axes.imshow(values, vmin=0, vmax=1, cmap="viridis", aspect="auto")
    axes.set_xticks(range(len(LEVELS)), LEVELS)
    axes.set_yticks(range(len(by_edit)), list(by_edit))
    for (y, x), value in np.ndenumerate(values):
        if np.isfinite(value):
            color = "black" if value > 0.6 else "white"
            axes.text(x, y, f"{value:.2f}", ha="center", va="center", color=color, fontsize=9)
    canvas.colorbar(image, label="copies found at specificity 0.99")
    name = f"{row['embedder']} {score_name(row)}"
    axes.set_title(name, fontsize=9, wrap=True)
    return save(canvas, folder / f"edits-{re.sub(r'[^A-Za-z0-9.]+', '-', name)}.png")
