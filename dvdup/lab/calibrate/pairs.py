"""Which pairs of strangers are measured, and how each case is edited."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dvdup import edits
from dvdup.compare.candidates import KEPT, Nearest, next_candidates
from dvdup.compare.refs import Ref
from dvdup.compare.walk import Candidates
from dvdup.errors import InputError
from dvdup.lab.calibrate.threshold import LEVELS
from dvdup.lab.evaluate.persons import persons
from dvdup.lab.evaluate.sampling import choose_scans
from dvdup.records import IndexedCase, Key, Pair, case_of

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


def stranger_pairs(ref: Ref, chosen: Chosen, candidates: Candidates) -> list[Pair]:
    """The candidate pairs of the chosen cases with cases of other groups.

    Each case is a query against the whole index without its own group. Pairs that share voxels
    are copies whatever their groups, and are not among them.

    Args:
        ref: The whole index.
        chosen: Who is asked about.
        candidates: Finds them.

    Returns:
        Sorted, each pair once and in order.
    """
    biggest = max(Counter(chosen.groups.values()).values(), default=1)
    asking = [ref.case(key) for key in chosen.keys]
    nearest = candidates.listed(asking, ref, KEPT + min(biggest - 1, _MOST_KEPT))
    by_content = {case.content: case for case in ref.voting}
    found: set[Pair] = set()
    for case in asking:

        def is_known(other: str, case: IndexedCase = case) -> bool | None:
            return _is_no_stranger(by_content[other], case, chosen) or None

        following = next_candidates(
            nearest.get(case.content, Nearest()), is_known, candidates.misses
        )
        keys = (by_content[other].key for other in following.compare)
        found.update((min(case.key, key), max(case.key, key)) for key in keys)
    return sorted(found)


def _is_no_stranger(other: IndexedCase, case: IndexedCase, chosen: Chosen) -> bool:
    same_group = chosen.groups[other.key] == chosen.groups[case.key]
    return same_group or bool(set(other.voxel_hashes) & set(case.voxel_hashes))


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
