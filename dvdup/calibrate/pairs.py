"""Which pairs of strangers are measured, and how each case is edited."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from dvdup import edits, match
from dvdup.bench.groups import persons
from dvdup.bench.plan import choose_scans
from dvdup.calibrate.threshold import LEVELS
from dvdup.errors import InputError
from dvdup.pipeline import evidence
from dvdup.pipeline.evidence import Key, Pair
from dvdup.pipeline.leaks import Rules
from dvdup.pipeline.looks import Led
from dvdup.pipeline.prepare import case_of
from dvdup.pipeline.refs import Ref

MIN_GROUPS = 30
EDITS_EACH = 2
"""Edits of each strength and case."""

_MOST_KEPT = 50  # more cases of one group hardly stand between a case and its strangers


@dataclass(frozen=True, slots=True)
class Chosen:
    """The cases that are asked about."""

    keys: tuple[Key, ...]
    """Sorted; one case of every content."""
    groups: Mapping[Key, str]
    """Of every case of the index that has votes."""

    @property
    def codes(self) -> dict[str, int]:
        """The groups of the chosen cases, numbered."""
        names = sorted({self.groups[key] for key in self.keys})
        return {name: code for code, name in enumerate(names)}


def choose(ref: Ref, rule: str | None, most: int | None) -> Chosen:
    """Take the cases that are asked about: whole groups, spread evenly.

    Args:
        ref: The whole index.
        rule: As `bench.groups.persons` takes it; None: as declared, else each case for itself.
        most: How many cases at most; None: all.

    Raises:
        InputError: There are too few groups for a threshold that means anything.
    """
    cases = ref.voting
    if rule is None:
        names: Sequence[str] = [case.group or "/".join(case.key) for case in cases]
    else:
        names = persons([case_of(case) for case in cases], rule)
    keys = tuple(cases[code].key for code in choose_scans(names, most))
    chosen = Chosen(keys, {case.key: name for case, name in zip(cases, names, strict=True)})
    demand_groups(len(chosen.codes))
    return chosen


def demand_groups(n: int) -> None:
    """Refuse to fit a threshold on a handful of subjects.

    Raises:
        InputError: There are fewer than 30.
    """
    if n < MIN_GROUPS:
        raise InputError(
            f"calibrate needs scans of at least {MIN_GROUPS} groups (subjects), here are {n}; "
            "add more, or keep the threshold that dvdup comes with"
        )


def stranger_pairs(
    ref: Ref, chosen: Chosen, rules: Rules, again: Mapping[Pair, Led] = MappingProxyType({})
) -> list[Pair]:
    """The candidate pairs of the chosen cases with cases of other groups.

    Each case is a query against the whole index without its own group. Pairs that share voxels
    are copies whatever their groups, and are not among them.

    Args:
        ref: The whole index.
        chosen: Who is asked about.
        rules: How candidates are chosen.
        again: What other looks of the chosen cases find, (case, other case).

    Returns:
        Sorted, each pair once and in order.
    """
    biggest = max(Counter(chosen.groups.values()).values(), default=1)
    settings = dataclasses.replace(
        rules.match, keep_nearest=rules.match.keep_nearest + min(biggest - 1, _MOST_KEPT)
    )
    side = ref.side()
    scores = [
        score
        for score in match.match(side, side, settings)
        if chosen.groups[score.a] != chosen.groups[score.b]
    ]
    both = [*scores, *(score.flipped() for score in scores)]
    looks = {
        (other, case): led
        for (case, other), led in again.items()
        if chosen.groups[case] != chosen.groups[other]
    }
    pairs = evidence.candidates(both, rules.candidates, (ref.cases, ref.cases), looks)
    asked = set(chosen.keys)
    return sorted({(min(pair), max(pair)) for pair in pairs if asked & set(pair)})


def edits_of(n_cases: int, seed: int) -> list[tuple[tuple[str, str], ...]]:
    """The edits (name, level) of each case: every edit of a level in turn, in a drawn order."""
    rng = np.random.default_rng([seed, 3])
    orders = {level: rng.permutation(edits.available(level)).tolist() for level in LEVELS}
    return [
        tuple(
            (str(orders[level][(EDITS_EACH * i + j) % len(orders[level])]), level)
            for level in LEVELS
            for j in range(EDITS_EACH)
        )
        for i in range(n_cases)
    ]
