"""The smallest change after which no group lies in more than one split.

Groups with the same numbers of cases in each split (and of each class) are alike, so what is
decided is how many of each kind go to which split: a small integer program, whatever the number of
cases. What is asked for is taken in turn, each without giving up what came before: sizes, balance
of the classes, the number of cases that are moved or dropped, and of equal ones the change that
leaves the later splits (val rather than train) as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dvdup.errors import InputError
from dvdup.records import CaseChange, GroupedCase, Key, Proposal, SplitWish
from dvdup.splits.groups import groups_of

MOST_CLASSES = 50
"""Different labels that can be balanced."""
_SLACK = 1.0
"""Cases by which sizes and classes may be off for the sake of a smaller change."""
_EPSILON = 1e-4  # of a case


@dataclass(frozen=True, slots=True)
class _Kind:
    """Groups that are alike."""

    counts: tuple[tuple[int, ...], ...]
    """Cases by split and class."""
    targets: tuple[int, ...]
    """Splits that it may go to."""
    moves: bool
    """Whether its cases go there from other splits; else those are dropped."""

    def after(self, target: int) -> tuple[int, ...]:
        """How many cases of each class it has in its new split."""
        columns = zip(*self.counts, strict=True)
        return tuple(map(sum, columns)) if self.moves else self.counts[target]

    def changes(self, target: int) -> int:
        """How many of its cases are moved or dropped."""
        return sum(map(sum, self.counts)) - sum(self.counts[target])


def propose(cases: Sequence[GroupedCase], wish: SplitWish) -> Proposal:
    """Find the smallest change after which no group lies in two splits.

    Args:
        cases: Every case and its group.
        wish: What may be changed.

    Returns:
        The proposal; the same for the same cases, in whatever order they come.

    Raises:
        InputError: A group lies in two splits that are both to be kept, or there are too many
            classes to balance.
    """
    ordered = tuple(sorted(cases, key=lambda case: case.key))
    classes = _classes(ordered, wish)
    kinds: dict[_Kind, list[tuple[GroupedCase, ...]]] = {}
    for _, members in sorted(groups_of(ordered).items()):
        kinds.setdefault(_kind(members, classes, wish), []).append(members)
    after: dict[Key, str | None] = {}
    for (kind, groups), numbers in zip(kinds.items(), _solve(kinds, wish), strict=True):
        targets = (target for target, n in numbers for _ in range(n))
        for members, target in zip(groups, targets, strict=True):
            after |= _placed(members, wish.splits[target], moves=kind.moves)
    return Proposal(ordered, wish, tuple(_changes(ordered, after)), after)


def parted(proposal: Proposal) -> list[str]:
    """Groups that would still lie in more than one split: none, if a proposal is right."""
    return [
        name
        for name, members in groups_of(proposal.cases).items()
        if len({proposal.after[case.key] for case in members} - {None}) > 1
    ]


def _classes(cases: Sequence[GroupedCase], wish: SplitWish) -> dict[Key, int]:
    """A number for the class of every case; all the same where nothing is to be balanced."""
    labels = wish.labels or {}
    named = {case.key: labels.get(case.key, "") for case in cases}
    numbers = {label: number for number, label in enumerate(sorted(set(named.values())))}
    if len(numbers) > MOST_CLASSES:
        raise InputError(
            f"the labels to balance have {len(numbers)} different values, more than "
            f"{MOST_CLASSES}; name a column of few classes"
        )
    return {key: numbers[label] for key, label in named.items()}


def _kind(members: Sequence[GroupedCase], classes: Mapping[Key, int], wish: SplitWish) -> _Kind:
    n_classes = max(classes.values()) + 1
    counts = [[0] * n_classes for _ in wish.splits]
    for case in members:
        counts[wish.splits.index(case.split)][classes[case.key]] += 1
    here = {case.split for case in members}
    kept = sorted(here & wish.keep)
    if len(kept) > 1:
        labels = [next(case.label for case in members if case.split == split) for split in kept]
        raise InputError(
            f"{' and '.join(labels)} are of one group, and {' and '.join(kept)} are to be kept "
            "both; keep one of these splits only"
        )
    free = [split for split in wish.splits if split not in wish.keep]
    if kept:
        targets = kept
    else:
        balances = wish.sizes or wish.labels is not None
        targets = free if wish.move and balances else [split for split in free if split in here]
    return _Kind(
        tuple(map(tuple, counts)),
        tuple(map(wish.splits.index, targets)),
        moves=wish.move and not kept,
    )


def _solve(kinds: Mapping[_Kind, Sequence[object]], wish: SplitWish) -> list[list[tuple[int, int]]]:
    """How many groups of every kind go to which split: (split, number) for each of its targets."""
    program = _Program(
        [(kind, target) for kind in kinds for target in kind.targets],
        {kind: len(groups) for kind, groups in kinds.items()},
        wish,
    )
    if wish.sizes:
        program.approach(program.off_sizes())
    if wish.labels is not None:
        program.approach(program.off_classes())
    program.least(np.array([kind.changes(target) for kind, target in program.ways], dtype=float))
    numbers = program.least(np.array([-float(target) for _, target in program.ways]))
    found = dict(zip(program.ways, np.rint(numbers).astype(int).tolist(), strict=True))
    return [[(target, found[kind, target]) for target in kind.targets] for kind in kinds]


class _Program:
    """Whole numbers of groups, one for every way of a kind, under constraints that add up."""

    def __init__(
        self, ways: Sequence[tuple[_Kind, int]], sizes: Mapping[_Kind, int], wish: SplitWish
    ) -> None:
        self.ways = ways
        self._wish = wish
        self._upper = np.array([sizes[kind] for kind, _ in ways], dtype=float)
        self._rows = [
            (np.array([float(one == kind) for one, _ in ways]), float(n), float(n))
            for kind, n in sizes.items()
        ]
        counts = [np.array(kind.counts) * n for kind, n in sizes.items()]
        self._before: np.ndarray = np.sum(counts, axis=0)
        """Cases by split and class as they are."""

    def least(self, cost: np.ndarray) -> np.ndarray:
        """Make a sum of whole numbers as small as it can be, and keep it so."""
        found = self._milp(cost, self._rows)
        self._rows.append((cost, -np.inf, round(float(cost @ found)) + 0.5))
        return found

    def approach(self, offs: Sequence[np.ndarray]) -> None:
        """Bring the largest of some deviations to `_SLACK`, or as near to it as can be."""
        n = len(self.ways)
        wide = [(np.append(row, 0.0), low, high) for row, low, high in self._rows]
        for off in offs:
            wide += [(np.append(way * off, -1.0), -np.inf, 0.0) for way in (1.0, -1.0)]
        found = self._milp(np.append(np.zeros(n), 1.0), wide)
        most = max(_SLACK, float(found[-1])) + _EPSILON
        self._rows += [(off, -most, most) for off in offs]

    def off_sizes(self) -> list[np.ndarray]:
        """For each free split, how its size deviates from its share of all free cases."""
        sizes = {split: self._now(split).sum(axis=1) for split in self._free}
        total = sum(sizes.values())
        before = {split: self._before[split].sum() for split in self._free}
        everything = max(1, sum(before.values()))
        return [sizes[split] - before[split] / everything * total for split in self._free]

    def off_classes(self) -> list[np.ndarray]:
        """For each free split and class, how its number deviates from its share of the split."""
        found = []
        for split in self._free:
            now, before = self._now(split), self._before[split]
            size = now.sum(axis=1)
            found += [
                now[:, label] - n / max(1, before.sum()) * size for label, n in enumerate(before)
            ]
        return found

    @property
    def _free(self) -> list[int]:
        return [i for i, split in enumerate(self._wish.splits) if split not in self._wish.keep]

    def _now(self, split: int) -> np.ndarray:
        """float64 (ways, classes): the cases that a group brings into a split."""
        n_classes = self._before.shape[1]
        return np.array(
            [kind.after(target) if target == split else (0,) * n_classes
             for kind, target in self.ways], dtype=float,
        )  # fmt: skip

    def _milp(self, cost: np.ndarray, rows: Sequence[_Row]) -> np.ndarray:
        """Solve it; numbers beyond those of the ways are real."""
        from scipy.optimize import Bounds, LinearConstraint, milp

        more = len(cost) - len(self.ways)
        matrix, low, high = (np.array(part) for part in zip(*rows, strict=True))
        found = milp(
            cost,
            integrality=np.append(np.ones(len(self.ways)), np.zeros(more)),
            bounds=Bounds(0, np.append(self._upper, np.full(more, np.inf))),
            constraints=LinearConstraint(matrix, low, high),
            options={"mip_rel_gap": 0.0},
        )
        if found.x is None:
            raise InputError(f"no proposal was found ({found.message}); ask for less")
        values: np.ndarray = found.x
        return values


_Row = tuple[np.ndarray, float, float]
"""A linear combination of the numbers, and between what it lies."""


def _placed(
    members: Sequence[GroupedCase], target: str, *, moves: bool
) -> Iterator[tuple[Key, str | None]]:
    """The split of every member when its group goes to one."""
    for case in members:
        stays = moves or case.split == target
        yield case.key, target if stays else None


def _changes(cases: Sequence[GroupedCase], after: Mapping[Key, str | None]) -> Iterator[CaseChange]:
    members = groups_of(cases)
    for case in cases:
        if after[case.key] != case.split:
            others = [other for other in members[case.group] if other.split != case.split]
            staying = [other for other in others if after[other.key] == other.split]
            because = next((other.label for other in (*staying, *others)), None)
            yield CaseChange(case, after[case.key], because)
