"""Search for the nearest cases: all pairs where nothing is known yet, else what has changed.

In: contents of the asking and of the other cases, and a way to stream their rows. Out: the lists of
every asking case, equal to those of a search from the beginning in whatever order cases came.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from dvdup.compare.candidates import KEPT, Nearest, Ranking
from dvdup.compare.scores import Block, RankScores, rank_scores_of
from dvdup.compare.variant_rows import VariantRows

Stream = Callable[[Collection[str]], Iterator[tuple[str, VariantRows]]]
"""Gives the rows of some contents, each once, in any order; contents without rows are left out."""

_TILE = 256  # cases that stay in memory while the others pass by
_PAIRS = 1 << 16  # of cases, a block of those that pass by
_BLOCK = 1024  # cases of a block, at most
_AHEAD = 3  # blocks that wait for a thread, or are in one
_COLUMNS = 1 << 14  # cases whose scores with a tile stay in memory
_GROUP = 32  # cases whose pairs are scored one by one: with what they name they stay in memory


@dataclass(frozen=True, slots=True)
class Known:
    """The lists of some asking cases, among some others."""

    others: frozenset[str] = frozenset()
    """The contents that every list has been asked about."""
    nearest: Mapping[str, Nearest] = field(default_factory=dict)
    """By the content of the asking case."""


@dataclass(frozen=True, slots=True)
class Search:
    """How to search."""

    asking: Stream
    others: Stream
    pool: Executor
    """Threads; linear algebra should have one of its own."""
    most: int = KEPT
    """Entries of a list that are kept."""
    scores: Callable[[Block, Block], RankScores] = rank_scores_of
    """What lists are by."""
    advance: Callable[[int], None] = lambda n: None
    """Called with the number of pairs that were done since; may raise to stop."""

    def update(
        self, known: Known, asking: Collection[str], others: Collection[str], needed: int
    ) -> Known:
        """Bring lists up to date.

        Args:
            known: What was found before, among other cases perhaps.
            asking: Contents of the cases that ask now.
            others: Contents of the cases that they may find; an equal content is left out.
            needed: Entries of a list that must be certain, or all there are.
        """
        gone, fresh = known.others - set(others), set(others) - known.others
        left = {
            content: known.nearest[content].without(gone)
            for content in asking
            if content in known.nearest
        }
        kept = {content: each for content, each in left.items() if each.lasts(needed)}
        found = self.nearest(set(asking) - set(kept), others)
        if fresh and kept:
            more = self.nearest(set(kept), fresh)
            kept = {
                content: each.merged(more.get(content, Nearest()), self.most)
                for content, each in kept.items()
            }
        short = {content for content, each in kept.items() if not each.lasts(needed)}
        found |= self.nearest(short, others)
        return Known(frozenset(others), {**kept, **found})

    def nearest(self, asking: Collection[str], others: Collection[str]) -> dict[str, Nearest]:
        """Search from the beginning: the lists of every asking case that has rows."""
        if not asking or not others:
            return {}
        if len(others) < len(asking):
            return self._found_by_few(asking, others)
        found: dict[str, Nearest] = {}
        for contents, tile in _tiles(self.asking(asking)):
            lists = {content: Nearest() for content in contents}
            for parts in _gathered(self._against(tile, self.others(others))):
                for content, each in self._lists(contents, parts).items():
                    lists[content] = lists[content].merged(each, self.most)
            found |= lists
        return found

    def _lists(
        self, contents: Sequence[str], parts: Sequence[tuple[list[str], RankScores]]
    ) -> dict[str, Nearest]:
        """The lists of asking cases, from their scores with blocks of others, at least one."""
        names = np.array([name for block, _ in parts for name in block])
        order = np.argsort(names)
        change = np.concatenate([scores.change for _, scores in parts], axis=1)[:, order]
        bag = np.concatenate([scores.bag for _, scores in parts], axis=1)[:, order]
        others = names[order].tolist()
        return {
            content: Nearest(
                ranked(change[row], others, content, self.most),
                ranked(bag[row], others, content, self.most),
            )
            for row, content in enumerate(contents)
        }

    def _found_by_few(self, asking: Collection[str], others: Collection[str]) -> dict[str, Nearest]:
        """The same where fewer can be found than ask: those who ask pass by."""
        found: dict[str, Nearest] = {}
        for contents, tile in _tiles(self.others(others)):
            for names, scores in self._against(tile, self.asking(asking)):
                turned = RankScores(scores.change.T, scores.bag.T)
                for content, each in self._lists(names, [(contents, turned)]).items():
                    found[content] = found.get(content, Nearest()).merged(each, self.most)
        return found or {content: Nearest() for content, _ in self.asking(asking)}

    def _against(
        self, tile: Block, stream: Iterator[tuple[str, VariantRows]]
    ) -> Iterator[tuple[list[str], RankScores]]:
        """The scores of a tile with the cases of a stream, block by block."""
        waiting: deque[tuple[list[str], Future[RankScores]]] = deque()
        size = min(_BLOCK, max(1, _PAIRS // len(tile)))
        try:
            for contents, cases in _cut(stream, size):
                waiting.append((contents, self.pool.submit(self._scored, tile, cases)))
                while len(waiting) >= _AHEAD:
                    yield self._done(tile, *waiting.popleft())
            while waiting:
                yield self._done(tile, *waiting.popleft())
        finally:
            for _, future in waiting:
                future.cancel()

    def _scored(self, tile: Block, cases: Sequence[VariantRows]) -> RankScores:
        return self.scores(tile, Block(cases))

    def scored(self, pairs: Mapping[str, Collection[str]]) -> dict[str, dict[str, tuple[int, int]]]:
        """The scores of some pairs: by asking case, then by the other, `change` and `bag`.

        Args:
            pairs: For every asking case, the others; pairs of which one has no rows are left out.
        """
        found: dict[str, dict[str, tuple[int, int]]] = {}
        for contents, cases in _cut(self.asking(pairs), _GROUP):
            others = dict(self.others({name for each in contents for name in pairs[each]}))
            parts = [
                (content, case, sorted(others.keys() & set(pairs[content])))
                for content, case in zip(contents, cases, strict=True)
            ]
            waiting = [
                (content, names, self.pool.submit(self._scored, Block([case]), _of(others, names)))
                for content, case, names in parts
                if names
            ]
            for content, names, future in waiting:
                scores = future.result()
                change, bag = scores.change[0].tolist(), scores.bag[0].tolist()
                found[content] = dict(zip(names, zip(change, bag, strict=True), strict=True))
            self.advance(0)
        return found

    def _done(
        self, tile: Block, contents: list[str], scores: Future[RankScores]
    ) -> tuple[list[str], RankScores]:
        found = contents, scores.result()
        self.advance(len(tile) * len(contents))
        return found


def _gathered(
    parts: Iterator[tuple[list[str], RankScores]],
) -> Iterator[list[tuple[list[str], RankScores]]]:
    """Blocks together, as many as scores of them may lie in memory."""
    waiting: list[tuple[list[str], RankScores]] = []
    for part in parts:
        waiting.append(part)
        if sum(len(contents) for contents, _ in waiting) >= _COLUMNS:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def _of(rows: Mapping[str, VariantRows], names: Sequence[str]) -> list[VariantRows]:
    return [rows[name] for name in names]


def _tiles(stream: Iterator[tuple[str, VariantRows]]) -> Iterator[tuple[list[str], Block]]:
    for contents, cases in _cut(stream, _TILE):
        yield contents, Block(cases)


def _cut(
    stream: Iterator[tuple[str, VariantRows]], size: int
) -> Iterator[tuple[list[str], list[VariantRows]]]:
    while part := list(islice(stream, size)):
        yield [content for content, _ in part], [rows for _, rows in part]


def ranked(scores: np.ndarray, names: Sequence[str], itself: str, most: int) -> Ranking:
    """The list of one asking case.

    Args:
        scores: int64 (N,).
        names: Of the other cases, sorted, so that ties come by name.
        itself: A name that is left out.
        most: Entries that are kept.
    """
    order = np.argsort(-scores, kind="stable")[: most + 2].tolist()
    entries = [(-int(scores[i]), names[i]) for i in order if names[i] != itself]
    n_others = len(names) - (itself in names)
    return Ranking(tuple(entries[:most]), n_others <= most)
