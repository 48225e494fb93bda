"""Verify candidate pairs: slice order, voxels, what was done to the copy, and the verdict.

Takes arrays and records, knows no index and no reader. `judge` does a pair; `align` fits the order
of slices; `draw` and `terminal` show a pair.
"""

from dvdup.verify.exact import Order, Same, orders, same_values
from dvdup.verify.grid import usable_spacing
from dvdup.verify.judge import UNLIKE, Full, Inside, Judged, judge, measure
from dvdup.verify.order import align, fitting, nearest_channels
from dvdup.verify.picture import Matrix, Panel, draw, matrix_of, matrix_panel, panels, terminal
from dvdup.verify.scans import Evidence, Scan, compare, of_proxy, on_voxels
from dvdup.verify.steps import ALL, Steps
from dvdup.verify.verdict import (
    RULES,
    STRENGTH,
    Decision,
    Found,
    Limits,
    decide,
    excess,
    reach,
    score,
    strength,
)

__all__ = [
    "ALL",
    "RULES",
    "STRENGTH",
    "UNLIKE",
    "Decision",
    "Evidence",
    "Found",
    "Full",
    "Inside",
    "Judged",
    "Limits",
    "Matrix",
    "Order",
    "Panel",
    "Same",
    "Scan",
    "Steps",
    "align",
    "compare",
    "decide",
    "draw",
    "excess",
    "fitting",
    "judge",
    "matrix_of",
    "matrix_panel",
    "measure",
    "nearest_channels",
    "of_proxy",
    "on_voxels",
    "orders",
    "panels",
    "reach",
    "same_values",
    "score",
    "strength",
    "terminal",
    "usable_spacing",
]
