"""Figures without a window: the same numbers give the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_DPI = 120


def figure(width: float, height: float, rows: int = 1) -> tuple[Any, Any]:
    """A figure and its axes, one below the other; no window, no global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(made)
    return made, made.subplots(rows)


def save(canvas: Any, file: Path) -> Path:
    """Write a figure; the same figure gives the same bytes."""
    canvas.savefig(file, dpi=_DPI, metadata={"Software": None})
    return file
