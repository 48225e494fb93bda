"""How much the scans of two sides resemble one another without being copies.

Scans that were warped to one template, or that are all coarse, agree better than those the shipped
threshold was fitted on. The pairs of such a set show it themselves: nearly all of them reach about
the same strength. Then a copy is what stands out from it. A pair's own strength stays a function of
the pair; this is applied afterwards, to all pairs of two sides at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from dvdup.records import Pair, PairResult
from dvdup.verify import Limits

FEWEST = 30
"""Pairs from which their strengths say anything about a set."""
_EXACT = 7.8  # strength of copies that hardly differ; they say nothing about strangers
_ORDINARY = 3.0  # middle of strangers, at most, who do not resemble one another: 2.0 to 2.6
_MOST = 8.3  # threshold that is never exceeded, so that a plain copy is found in any set
_APART = 5.0  # deviations above the middle, from which a pair stands out
_BELOW = 4.0  # deviations below it
_FEW = 0.1  # share of the pairs that may lie as far below: else the middle is that of copies
_PART = 3  # of the pairs one in as many lies in the interval that tells the middle
_DENSEST = 0.4307  # deviations to both sides that hold as many of a normal distribution
_HALF = 0.6745  # deviations to one side that hold half of what lies there
_LEAST = 0.1  # strength that counts as one deviation at least


@dataclass(frozen=True, slots=True)
class Alike:
    """The threshold that a set of look-alikes has of its own."""

    threshold: float
    """Strength from which a pair stands out."""
    pairs: int
    """Pairs that it was found by."""
    withheld: int
    """Pairs that would be copies by the shipped threshold, and are none by this one."""


def own_threshold(verified: Mapping[Pair, PairResult], limits: Limits) -> Alike | None:
    """The threshold of two sides, if it is above the shipped one.

    The shortest interval that holds a third of the pairs tells their middle, however many copies
    there are (as the shorth does with half of them: D. Andrews and others, Robust Estimates of
    Location, 1972); where hardly any lies far below it, it is what strangers of this set reach.

    Args:
        verified: What the voxels of some pairs said.
        limits: The constants as shipped; others were chosen for this set, and hold.

    Returns:
        None where the shipped threshold serves.
    """
    if limits != Limits():
        return None
    judged = [each.strength for each in verified.values() if each.decided and each.agreement]
    strengths = np.sort([each for each in judged if 0 < each < _EXACT])
    if len(strengths) < FEWEST:
        return None
    middle, width = _densest(strengths)
    if middle < _ORDINARY:
        return None  # as the shipped threshold was fitted to, however much they differ
    if (strengths < middle - _BELOW * width).mean() > _FEW:
        return None
    # copies lie above the middle, so the strangers below it tell how far they spread
    below = middle - strengths[strengths < middle]
    deviation = max(_LEAST, float(np.median(below)) / _HALF) if len(below) else _LEAST
    threshold = round(min(_MOST, middle + _APART * deviation), 2)
    if threshold <= limits.copy:
        return None
    withheld = sum(_is_withheld(each, threshold) for each in verified.values())
    return Alike(threshold, len(strengths), withheld)


def without_alike(
    verified: Mapping[Pair, PairResult], alike: Alike | None
) -> dict[Pair, PairResult]:
    """The same without the copies that do not stand out.

    Args:
        verified: What the voxels of some pairs said.
        alike: The threshold of their sides; None: all stay.
    """
    if alike is None:
        return dict(verified)
    return {
        pair: replace(each, verdict=None, rule="look-alike", change=None, slices=None)
        if _is_withheld(each, alike.threshold)
        else each
        for pair, each in verified.items()
    }


def _densest(ordered: np.ndarray) -> tuple[float, float]:
    """The middle of the densest third of some values, and about one deviation or more."""
    part = len(ordered) // _PART
    widths = ordered[part:] - ordered[: len(ordered) - part]
    first = int(widths.argmin())
    within = ordered[first : first + part + 1]
    return float(np.median(within)), max(_LEAST, float(widths[first]) / 2 / _DENSEST)


def _is_withheld(result: PairResult, threshold: float) -> bool:
    by_structure = result.order is None and result.rule != "rearranged-values"
    return result.verdict is not None and by_structure and result.strength < threshold
