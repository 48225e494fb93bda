"""Whom the voxels of a case are compared with: the cases nearest by rank scores.

Every asking case has two lists of the cases of the other side, best first: by `change` and by
`bag` (see `scores`). Its candidates are the first of each; where voxels prove a candidate a copy,
the next one of that list is a candidate too, until one is none. Lists are prefixes of an order that
depends on pairs alone, so they can be kept, and brought up to date when cases come and go.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

KEPT = 12
"""Entries of a list that are kept."""

Entry = tuple[int, str]
"""Minus the score, and the content of the other case: entries sort best first, ties by content."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """The beginning of one list."""

    entries: tuple[Entry, ...] = ()
    """Sorted."""
    whole: bool = True
    """Whether nothing comes behind the entries."""

    def without(self, contents: Collection[str]) -> Ranking:
        """The list when some cases are gone."""
        left = tuple(entry for entry in self.entries if entry[1] not in contents)
        return Ranking(left, self.whole)

    def merged(self, newcomers: Ranking, most: int = KEPT) -> Ranking:
        """The list when some cases have come that were not in it.

        Args:
            newcomers: The list of these cases alone.
            most: Entries that are kept.
        """
        # behind the last entry of a list that goes on, others may lie that are not known here
        ends = [r.entries[-1:] for r in (self, newcomers) if not r.whole]
        entries = sorted((*self.entries, *newcomers.entries))
        certain = [entry for entry in entries if all(end and entry <= end[0] for end in ends)]
        kept = tuple(certain[:most])
        return Ranking(kept, not ends and len(kept) == len(entries))


@dataclass(frozen=True, slots=True)
class Nearest:
    """Both lists of one asking case."""

    change: Ranking = field(default_factory=Ranking)
    bag: Ranking = field(default_factory=Ranking)

    @property
    def rankings(self) -> tuple[Ranking, Ranking]:
        """By change, by bag."""
        return self.change, self.bag

    def without(self, contents: Collection[str]) -> Nearest:
        """Both lists when some cases are gone."""
        return Nearest(*(ranking.without(contents) for ranking in self.rankings))

    def merged(self, newcomers: Nearest, most: int = KEPT) -> Nearest:
        """Both lists when some cases have come; see `Ranking.merged`."""
        pairs = zip(self.rankings, newcomers.rankings, strict=True)
        return Nearest(*(one.merged(other, most) for one, other in pairs))

    def lasts(self, n: int) -> bool:
        """Whether at least n entries of each list are known, or all there are."""
        return all(ranking.whole or len(ranking.entries) >= n for ranking in self.rankings)


@dataclass(frozen=True, slots=True)
class Next:
    """What a walk along the lists of a case asks for."""

    compare: tuple[str, ...]
    """Contents whose voxels are to be compared with it now, sorted."""
    ended: bool
    """Whether a list ended before it came to a case that is no copy: more of it is wanted."""


def next_candidates(
    nearest: Nearest,
    is_copy: Callable[[str], bool | None],
    misses: int,
    cost: Callable[[str], int] = lambda content: 1,
) -> Next:
    """Walk along both lists as far as is known.

    Args:
        nearest: The lists.
        is_copy: Whether a case is a copy; None where that is not known yet.
        misses: Cases that are no copies after which a list is left; 0: nothing is compared.
        cost: How many misses a case counts that is no copy.
    """
    wanted: set[str] = set()
    ended = False
    for ranking in nearest.rankings if misses else ():
        found, at_end = _walked(ranking, is_copy, misses, cost)
        wanted.update(found)
        ended = ended or at_end
    return Next(tuple(sorted(wanted)), ended)


def _walked(
    ranking: Ranking,
    is_copy: Callable[[str], bool | None],
    misses: int,
    cost: Callable[[str], int],
) -> tuple[list[str], bool]:
    """Entries whose voxels are wanted, and whether the known part of the list is too short."""
    left, wanted = misses, []
    for _, content in ranking.entries:
        verdict = is_copy(content)
        if verdict:
            continue
        if verdict is None:
            wanted.append(content)
        left -= cost(content)
        if left <= 0:
            return wanted, False
    return wanted, not ranking.whole


def candidates_of(
    nearest: Nearest, verdict_of: Callable[[str], bool], misses: int
) -> Sequence[str]:
    """Every case whose voxels are compared with an asking case, one after the other.

    Args:
        nearest: Its lists, whole.
        verdict_of: Compares voxels: whether a case is a copy.
        misses: As for `next_candidates`.
    """
    known: dict[str, bool] = {}
    while wanted := next_candidates(nearest, known.get, misses).compare:
        known.update((content, verdict_of(content)) for content in wanted)
    return sorted(known)
