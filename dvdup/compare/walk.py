"""Candidates of every case, and their voxels: the nearest first, more where a copy was found."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

from dvdup.cache import Cache
from dvdup.compare import shortlist
from dvdup.compare.candidates import KEPT, Nearest, Ranking, next_candidates
from dvdup.compare.cases import CaseSet
from dvdup.compare.missed import Missed
from dvdup.compare.nominated import sharing_images, sharing_values
from dvdup.compare.search import Known, Search
from dvdup.compare.shortlist import Shortlists
from dvdup.compare.variant_store import VariantStore, network_of
from dvdup.errors import Interrupted, StoreError
from dvdup.fingerprint import code_fingerprint
from dvdup.records import Hooks, IndexedCase, Pair, PairResult
from dvdup.store.variants import VariantTable
from dvdup.voxels import is_flat
from dvdup.workers import reader_threads
from dvdup.workspace import Workspace, n_jobs

T = TypeVar("T")

CODE = (
    *("compare.candidates", "compare.coarse", "compare.scores", "compare.search"),
    *("compare.shortlist", "compare.variant_rows", "compare.walk", "fingerprint"),
)
_ALL = 1 << 60
_MIXED = 8
"""Pairs of a picture and a volume that count as one miss: one slice says less than a scan, and
comparing it costs milliseconds."""
_TRIES = 3  # of a search whose rows turn out to be damaged


@dataclass(frozen=True, slots=True)
class Candidates:
    """Finds the nearest cases of a case, and keeps their lists."""

    variants: VariantStore
    cache: Cache
    """Where lists are kept."""
    misses: int
    """Candidates of each list that are no copies, after which it is left."""
    exact_pairs: int
    """Pairs of an asking and another case up to which all of them have their rank scores computed;
    beyond, only those on a shortlist."""

    def are_approximate(self, asking: CaseSet, others: CaseSet) -> bool:
        """Whether candidates of two sides are drawn from shortlists; see `exact_pairs`."""
        return len(asking.voting) * len(others.voting) > self.exact_pairs

    def nearest(
        self, asking: CaseSet, others: CaseSet, name: tuple[str, ...] | None
    ) -> dict[str, Nearest]:
        """The lists of every asking case, by content.

        Args:
            asking: The cases that ask.
            others: The cases that they may find.
            name: What the two sides are called, where their lists are to be kept.
        """
        if self.are_approximate(asking, others):
            return self._shortlisted(asking, others, name)
        text = self._recalled(name)
        known = Known() if text is None else _from_json(text)

        def update() -> Known:
            # who has no rows, as its files are away, is news once it has some
            there = self.variants.there(asking.voting), self.variants.there(others.voting)
            return self._search(*map(len, there)).update(known, *there, self.misses)

        found = self._complete((asking, others), update)
        if name is not None and found != known:
            self.cache.put(_to_json(found), *self._name(name))
        return dict(found.nearest)

    def _shortlisted(
        self, asking: CaseSet, others: CaseSet, name: tuple[str, ...] | None
    ) -> dict[str, Nearest]:
        """The same by shortlists; what is kept of them has a name of its own."""
        self.variants.hooks.say(
            f"note: {len(asking.voting):,} x {len(others.voting):,} cases are more pairs than "
            "verify.exact_pairs: candidates are searched approximately, and copies that were "
            "strongly changed can be missed"
        )
        own = None if name is None else (*name, "shortlists")
        text = self._recalled(own)
        known = Shortlists() if text is None else shortlist.from_json(text)

        def update() -> Shortlists:
            there = self.variants.there(asking.voting), self.variants.there(others.voting)
            return known.update(self._search(*map(len, there)), *there)

        found = self._complete((asking, others), update)
        if own is not None and found != known:
            self.cache.put(shortlist.to_json(found), *self._name(own))
        return found.nearest()

    def listed(
        self, asking: Sequence[IndexedCase], others: CaseSet, most: int
    ) -> dict[str, Nearest]:
        """The lists of some cases, by content, made for this once.

        Args:
            asking: Voting cases among the others.
            others: The cases that they may find.
            most: Entries of a list that are wanted.
        """
        search = replace(self._search(len(asking), len(others.voting)), most=most)
        return self._complete(
            (others,), lambda: search.nearest(_contents(asking), _contents(others.voting))
        )

    def whole(self, content: str, others: CaseSet) -> Nearest:
        """Both lists of one case, to their ends; the rows of all are there."""
        search = replace(self._search(1, len(others.voting)), most=_ALL)
        found = search.nearest([content], _contents(others.voting))
        return found.get(content, Nearest())

    def _complete(self, sides: Sequence[CaseSet], search: Callable[[], T]) -> T:
        """Search once all rows are there, and again where some turned out to be damaged.

        Raises:
            StoreError: They are damaged again as often as they are made.
        """
        table = self.variants.table
        for _ in range(_TRIES):
            for side in sides:
                self.variants.ensure(side.voting, side)
            losses, found = table.losses, search()
            if table.losses == losses:
                return found
        raise StoreError(
            "the rows by which candidates are found are damaged as often as they are made; is the "
            "disk full or failing, or does something else write into the index folder?"
        )

    def _search(self, n_asking: int, n_others: int) -> Search:
        variants, pairs = self.variants, 0

        def advance(n: int) -> None:
            nonlocal pairs
            pairs += n
            done = min(n_asking, pairs // max(1, n_others))
            variants.hooks.progress("searching candidates", done, n_asking)
            if variants.hooks.should_stop():
                raise Interrupted("stopped while searching candidates; run it again to go on")

        return Search(variants.stream, variants.stream, variants.pool, advance=advance)

    def _recalled(self, name: tuple[str, ...] | None) -> str | None:
        return None if name is None else self.cache.get(*self._name(name))

    def _name(self, name: tuple[str, ...]) -> tuple[str, ...]:
        code = code_fingerprint(*CODE)
        return ("nearest", self.variants.network.key, code, str(KEPT), *name)


@contextmanager
def open_candidates(
    workspace: Workspace,
    cache: Cache,
    misses: int,
    missed: Missed,
    hooks: Hooks,
) -> Iterator[Candidates]:
    """Open what the candidates of a command are found by.

    Args:
        workspace: Where the index lies.
        cache: Where lists are kept.
        misses: As in `Candidates`.
        missed: Is told which files could not be had.
        hooks: Progress, and the wish to stop.
    """
    with reader_threads(n_jobs(workspace.config)) as pool:
        table = VariantTable(workspace.sealed)
        network = network_of(workspace)
        store = VariantStore(workspace, network, table, pool, missed, hooks)
        yield Candidates(store, cache, misses, workspace.config.verify.exact_pairs)


class Walk:
    """Whose voxels are compared, round by round: the nearest of every case, more where copies are.

    Pairs are (case of a, case of b); within one side the smaller case comes first.
    """

    def __init__(
        self,
        candidates: Candidates,
        sides: tuple[CaseSet, CaseSet],
        *,
        asks_first: bool = False,
        name: tuple[str, str] | None = None,
        without: Collection[Pair] = frozenset(),
    ) -> None:
        """Find the nearest cases of every case that asks.

        Args:
            candidates: Finds them.
            sides: a and b, of which b asks; one object twice for one side with itself.
            asks_first: Whether a asks instead.
            name: What the sides are called, where lists are to be kept.
            without: Pairs that are one scan under two names, and not compared.
        """
        self.verified: dict[Pair, PairResult] = {}
        others, asking = reversed(sides) if asks_first else sides
        self._candidates, self._others = candidates, others
        self._within, self._asks_first = asking is others, asks_first
        self._by_content = {case.content: case for case in others.voting}
        self._asking = {case.content: case for case in asking.voting}
        self._others_by_key = {case.key: case for case in others.voting}
        self._asking_by_key = {case.key: case for case in asking.voting}
        self._copies: dict[Pair, bool] = dict.fromkeys(without, True)
        self._nominated = sharing_values(others.voting, asking.voting)
        self._nominated |= sharing_images(others.voting, asking.voting).keys()
        kept_as = None if name is None else (*name, str(asks_first))
        self._nearest = candidates.nearest(asking, others, kept_as)

    def wanted(self) -> list[Pair]:
        """The pairs whose voxels are compared next, sorted; none once all is known."""
        found = self._unknown_nominees()
        for content, case in self._asking.items():
            found |= self._of(case, content)
        return sorted(found)

    def _unknown_nominees(self) -> set[Pair]:
        """Pairs that value hashes nominate, as far as nothing is known about them."""
        cases = (
            (self._others_by_key[one], self._asking_by_key[other]) for one, other in self._nominated
        )
        return {self._pair(one, other) for one, other in cases if self._is_copy(one, other) is None}

    def learn(self, asked: Iterable[Pair], found: Mapping[Pair, PairResult]) -> None:
        """Take in what the voxels of some pairs said; what could not be compared is no copy."""
        self.verified |= found
        for pair in asked:
            self._copies[pair] = pair in found and found[pair].verdict is not None

    def _of(self, case: IndexedCase, content: str) -> set[Pair]:
        def is_copy(other: str) -> bool | None:
            return self._is_copy(self._by_content[other], case)

        def cost(other: str) -> int:
            return _MIXED if is_flat(self._by_content[other].shape) == is_flat(case.shape) else 1

        while True:
            lists = self._nearest.get(content, Nearest())
            following = next_candidates(lists, is_copy, _MIXED * self._candidates.misses, cost)
            if following.compare or not following.ended:
                return {self._pair(self._by_content[each], case) for each in following.compare}
            self._nearest[content] = self._candidates.whole(content, self._others)

    def _is_copy(self, other: IndexedCase, asking: IndexedCase) -> bool | None:
        if set(other.voxel_hashes) & set(asking.voxel_hashes):
            return True
        return self._copies.get(self._pair(other, asking))

    def _pair(self, other: IndexedCase, asking: IndexedCase) -> Pair:
        pair = (other.key, asking.key)
        turned = other.key > asking.key if self._within else self._asks_first
        return pair[::-1] if turned else pair


def _contents(cases: Iterable[IndexedCase]) -> list[str]:
    return sorted({case.content for case in cases})


def _to_json(known: Known) -> str:
    lists = {
        content: [[ranking.entries, ranking.whole] for ranking in each.rankings]
        for content, each in sorted(known.nearest.items())
    }
    return json.dumps({"others": sorted(known.others), "nearest": lists}, separators=(",", ":"))


def _from_json(text: str) -> Known:
    values = json.loads(text)
    nearest = {
        content: Nearest(*(_ranking(*each) for each in lists))
        for content, lists in values["nearest"].items()
    }
    return Known(frozenset(values["others"]), nearest)


def _ranking(entries: Sequence[tuple[int, str]], whole: bool) -> Ranking:
    return Ranking(tuple((int(score), str(content)) for score, content in entries), bool(whole))


def prune_variants(workspace: Workspace, cases: Sequence[IndexedCase]) -> None:
    """Drop the variant rows of cases that the index no longer holds.

    Args:
        workspace: Where the index lies.
        cases: All cases that it holds.
    """
    network = network_of(workspace)
    names = {network.name_of(content) for content in _contents(cases)}
    VariantTable(workspace.sealed).prune(names)
