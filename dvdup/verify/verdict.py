"""Evidence to a verdict: one table of rules, read from the top.

In: what was found about a pair. Out: a `Decision` with the rule that made it and a confidence.

A coarse grid may say no; yes is said on the finest that both scans have, as whole brains of two
persons agree on a coarse one almost as well as copies do. What few cells show must agree better:
structures that are wide in proportion to the scan are much alike in everybody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from dvdup.records import Verdict
from dvdup.verify.compare import CELLS, ENOUGH
from dvdup.verify.exact import Same
from dvdup.verify.noise import NoiseMatch
from dvdup.verify.scans import Evidence

STRENGTH = 5
"""Grows when the same pair gets another strength: thresholds fitted before mean nothing then."""

_UNDECIDING = ("undecided", "nothing-to-compare")  # rules that decide nothing
_STEEP = 2.0  # of the confidence over the strength
_SAME = 10.0  # score of equal values, above every strength
_LACKING_ROUGH, _LACKING_FINE = 2.2, 1.4  # strength that strangers lack at a quick look
_OPEN = 0.99  # so that what is open stays below what is decided


_ALONE = 0.75  # confidence in a copy by a coarse grid, at most


# Fitted on every second case of 161 MR crops of the hippocampus and of 40 whole heads at 2 mm, and
# on templates of the brain. Strangers, edited or not: up to 3.2. Templates that share their
# subjects or their space: up to 4.9. Copies: mild and medium edits from 6, strong ones from 4.6.
# On proxies of whole heads: strangers up to 5.0 (median 4.2), all copies but one from 5.2. Heads of
# strangers at a third or a quarter of 2 mm, in 16 and 5 cells: up to 5.7.
@dataclass(frozen=True, slots=True)
class Limits:
    """Everything the rules depend on."""

    copy: float = 5.0
    """Strength from which a pair is a copy, on the finest grid there is."""
    clear_copy: float = 6.3
    """The same on a coarser grid, where no finer one can be had."""
    stranger: float = 4.6
    """Strength below which a coarse grid is enough to say no."""
    middle: float = 7.0
    """Strength from which the middle on a fine grid is enough; templates agree best there."""
    cells: float = CELLS
    """Cells that are enough; with fewer more strength is needed ..."""
    per_cell: float = 0.8
    """... by this, times the logarithm of how many times fewer there are."""
    one_acquisition: float = 8.3
    """Strength that no two acquisitions reach, whatever their noise says."""
    whole: float = 0.6
    """Share of the body of each that both must show for `near`; less is `partial`."""
    shared: float = 0.3
    """Share of the body of one that the other must show."""
    voxels: int = ENOUGH
    """Voxels that must have been compared."""

    def describe(self) -> dict[str, Any]:
        """For the settings of a report."""
        return asdict(self)

    def with_copy(self, copy: float) -> Limits:
        """Another threshold; what a coarse grid decides keeps its distance to it."""
        moved = copy - self.copy
        return replace(
            self,
            copy=copy,
            clear_copy=self.clear_copy + moved,
            middle=self.middle + moved,
            stranger=min(self.stranger, self.stranger + moved),
        )


@dataclass(frozen=True, slots=True)
class Found:
    """What is known about a pair; None where it was not looked at."""

    same: Same | None = None
    rearranged: bool = False
    """Whether the values are the same, each as often, in an order that no turn explains."""
    evidence: Evidence | None = None
    finest: bool = True
    """False where no finer grid than that of the evidence can be had."""
    noise: NoiseMatch | None = None
    """Of scans whose structures agree."""
    proves_nothing: bool = False
    """Whether one of the scans resembles many others whoever it shows."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict and why."""

    verdict: Verdict | None
    """None: nothing is reported."""
    rule: str
    confidence: float
    """0 to 1, of the verdict or of there being none."""

    @property
    def decided(self) -> bool:
        """False where other voxels, or nothing but the slices, could tell."""
        return self.rule not in _UNDECIDING


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table."""

    name: str
    verdict: Verdict | None
    what: str
    applies: Callable[[Found, Limits], bool]


def strength(evidence: Evidence) -> float:
    """How strongly the voxels speak for a copy: about 2 for strangers, up to 9 for copies."""
    return evidence.agreement.strength


def excess(evidence: Evidence, limits: Limits) -> float:
    """The strength less what few cells make needed: `Limits.copy` or more for copies."""
    cells = max(1.0, evidence.agreement.cells)
    return strength(evidence) - limits.per_cell * max(0.0, float(np.log(limits.cells / cells)))


def score(found: Found, limits: Limits | None = None) -> float:
    """The strength on one scale for all grids: `Limits.copy` or more exactly for copies.

    What a coarse grid leaves open is squeezed in below `Limits.copy`, in its order. Equal values
    are above every strength; nothing to compare is 0.
    """
    limits = limits or Limits()
    if found.same is not None or found.rearranged:
        return _SAME
    if found.proves_nothing:
        return 0.0
    if found.evidence is None or not _enough(found.evidence, limits):
        return 0.0
    reached = excess(found.evidence, limits)
    if not found.evidence.final:
        reached -= limits.clear_copy - limits.copy
    if not _is_undecided(found, limits):
        return reached
    share = (strength(found.evidence) - limits.stranger) / (_SAME - limits.stranger)
    return limits.stranger + _OPEN * share * (limits.copy - limits.stranger)


def decide(found: Found, limits: Limits | None = None) -> Decision:
    """Apply the first rule that fits.

    Args:
        found: What is known about the pair.
        limits: The constants.
    """
    limits = limits or Limits()
    rule = next(rule for rule in RULES if rule.applies(found, limits))
    return Decision(rule.verdict, rule.name, _confidence(rule, found, limits))


def reach(
    coarse: Evidence | None,
    fine: Sequence[Evidence | None] = (),
    limits: Limits | None = None,
) -> float:
    """The highest `Limits.copy`, set by `with_copy`, at which a pair is still called a copy.

    Args:
        coarse: What the first comparison found.
        fine: What finer ones found, of the middle alone and of the whole; empty where the first was
            final or no other is to be had.
        limits: The constants as shipped.

    Returns:
        A strength; -inf where too little was compared.
    """
    limits = limits or Limits()
    if coarse is None or not _enough(coarse, limits):
        return -np.inf
    if coarse.final:
        return excess(coarse, limits)
    distance = limits.clear_copy - limits.copy
    if not fine:
        return excess(coarse, limits) - distance
    middle, whole = fine
    most = _reach(whole, limits)
    if middle is not None:
        alone = _reach(middle, limits) - (limits.middle - limits.copy)
        most = max(most, min(alone, strength(coarse) - distance))
    if strength(coarse) >= limits.stranger:
        return most
    # a finer look is taken only where this is not clearly a stranger
    return min(most, strength(coarse) + limits.copy - limits.stranger)


def _reach(evidence: Evidence | None, limits: Limits) -> float:
    """The same for one comparison."""
    enough = evidence is not None and _enough(evidence, limits)
    return excess(evidence, limits) if evidence is not None and enough else -np.inf


def is_open(evidence: Evidence | None, limits: Limits | None = None) -> bool:
    """Whether a finer grid is needed to decide."""
    limits = limits or Limits()
    if evidence is None or evidence.final or not _enough(evidence, limits):
        return False
    return strength(evidence) >= limits.stranger


def is_clear(evidence: Evidence, limits: Limits | None = None) -> bool:
    """Whether a coarse grid is enough to look at no more than the middle on a finer one."""
    limits = limits or Limits()
    return _enough(evidence, limits) and strength(evidence) >= limits.clear_copy


def is_hopeless(evidence: Evidence, limits: Limits | None = None, rough: bool = False) -> bool:
    """Whether a quick look is enough to call a pair strangers.

    Args:
        evidence: From one direction, or of the middle of the scans.
        limits: The constants.
        rough: Whether nothing was registered yet but by mutual information.
    """
    limits = limits or Limits()
    lacking = _LACKING_ROUGH if rough else _LACKING_FINE if evidence.final else 0.0
    return _enough(evidence, limits) and strength(evidence) < limits.stranger - lacking


def is_sure(evidence: Evidence, limits: Limits | None = None) -> bool:
    """Whether a pair is a copy whatever else is looked at on grids of this fineness."""
    limits = limits or Limits()
    if not evidence.final:
        return is_clear(evidence, limits)
    return _enough(evidence, limits) and excess(evidence, limits) >= limits.copy


def _enough(evidence: Evidence, limits: Limits) -> bool:
    """Whether enough was compared to say anything."""
    agreement = evidence.agreement
    most = max(agreement.cover_a, agreement.cover_b)
    return agreement.voxels >= limits.voxels and most >= limits.shared


def is_sure_by_middle(evidence: Evidence, limits: Limits | None = None) -> bool:
    """Whether the middle of two scans is enough to call them copies.

    Args:
        evidence: Of the middle, on a fine grid.
        limits: The constants.
    """
    limits = limits or Limits()
    return is_sure(evidence, limits) and excess(evidence, limits) >= limits.middle


def _is_stored(found: Found, limits: Limits) -> bool:
    return found.same is not None and found.same.as_stored


def _is_turned(found: Found, limits: Limits) -> bool:
    return found.same is not None and not found.same.as_stored


def _is_rearranged(found: Found, limits: Limits) -> bool:
    return found.rearranged


def _is_copy(found: Found, limits: Limits) -> bool:
    evidence = found.evidence
    return evidence is not None and evidence.final and is_sure(evidence, limits)


def _proves_nothing(found: Found, limits: Limits) -> bool:
    return found.proves_nothing


def _is_other_acquisition(found: Found, limits: Limits) -> bool:
    if found.noise is None or found.evidence is None or not _is_copy(found, limits):
        return False
    return found.noise.independent and strength(found.evidence) < limits.one_acquisition


def _is_whole(found: Found, limits: Limits) -> bool:
    return _is_copy(found, limits) and _shows_all(found, limits)


def _is_coarse_copy(found: Found, limits: Limits) -> bool:
    evidence = found.evidence
    if evidence is None or evidence.final or found.finest or not _enough(evidence, limits):
        return False
    return excess(evidence, limits) >= limits.clear_copy


def _is_whole_coarse_copy(found: Found, limits: Limits) -> bool:
    return _is_coarse_copy(found, limits) and _shows_all(found, limits)


def _shows_all(found: Found, limits: Limits) -> bool:
    assert found.evidence is not None
    agreement = found.evidence.agreement
    return min(agreement.cover_a, agreement.cover_b) >= limits.whole


def _is_nothing(found: Found, limits: Limits) -> bool:
    return found.evidence is None or not _enough(found.evidence, limits)


def _is_undecided(found: Found, limits: Limits) -> bool:
    return is_open(found.evidence, limits) and not _is_coarse_copy(found, limits)


RULES: tuple[Rule, ...] = (
    Rule("same-values", "identical", "equal shape and values, but for rounding", _is_stored),
    Rule("turned-values", "identical", "equal values, axes flipped or exchanged", _is_turned),
    Rule("rearranged-values", "near", "equal values in another arrangement", _is_rearranged),
    Rule(
        "proves-nothing",
        None,
        "too few voxels, or a page of text, which is like others",
        _proves_nothing,
    ),
    Rule(
        "other-acquisition",
        "same-subject",
        "structures agree, noise does not",
        _is_other_acquisition,
    ),
    Rule("same-structure", "near", "fine structures agree; each shows the other", _is_whole),
    Rule("shared-structure", "partial", "fine structures agree where they overlap", _is_copy),
    Rule("coarse-structure", "near", "structures agree on a coarse grid", _is_whole_coarse_copy),
    Rule("coarse-shared", "partial", "the same where they overlap", _is_coarse_copy),
    Rule("undecided", None, "only finer voxels could tell", _is_undecided),
    Rule("nothing-to-compare", None, "too little in common to look at", _is_nothing),
    Rule("other-structure", None, "fine structures differ", lambda found, limits: True),
)
"""Strongest first."""
BY_STRUCTURE = ("same-structure", "shared-structure")
"""Rules after which noise tells a copy from a second acquisition."""


def _confidence(rule: Rule, found: Found, limits: Limits) -> float:
    """1 for equal values; else by how far the strength lies from the threshold."""
    if found.same is not None or found.rearranged:
        return 1.0
    if found.evidence is None or not _enough(found.evidence, limits):
        return 0.5
    needed = limits.copy if found.evidence.final else limits.clear_copy
    certain = 1 / (1 + np.exp(-_STEEP * abs(excess(found.evidence, limits) - needed)))
    most = _ALONE if _is_coarse_copy(found, limits) else 0.999
    return round(float(min(most, certain)), 4)
