"""The steps of verification that can be left out, to measure what each of them is worth."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Steps:
    """Which steps are taken; dvdup itself takes all of them."""

    turns: bool = True
    """Start mirrored, turned and leaning too, not only as stored."""
    information: bool = True
    """Register by mutual information before the fine structures."""
    greys: bool = True
    """Map the grey values of one scan to those of the other."""
    full: bool = True
    """Look at the values and at finer voxels where proxies are not enough."""


ALL = Steps()
"""Nothing is left out."""
