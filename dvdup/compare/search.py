"""Search for the nearest cases: all pairs where nothing is known yet, else what has changed.

In: contents of the asking and of the other cases, and a way to stream their rows. Out: the lists of
every asking case, equal to those of a search from the beginning in whatever order cases came.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from dvdup.compare.candidates import KEPT, Nearest, Ranking
from dvdup.compare.scores import Block, RankScores, rank_scores_of
from dvdup.compare.variant_rows import VariantRows

Stream = Callable[[Collection[str]], Iterator[tuple[str, VariantRows]]]
"""Gives the rows of some contents, each once, in any order; contents without rows are left out."""

_TILE = 256  # asking cases that are in memory at once
_BLOCK = 64  # cases whose rows stand side by side
_FEW = 8  # asking cases a product


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
    advance: Callable[[int], None] = lambda n: None
    """Called with the number of asking cases that are done; may raise to stop."""

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
        found: dict[str, Nearest] = {}
        if not asking or not others:
            return found
        rows = self.asking(asking)
        while tile := sorted(islice(rows, _TILE), key=lambda item: item[0]):
            found |= self._tile(tile, others)
            self.advance(len(found))
        return found

    def _tile(
        self, tile: Sequence[tuple[str, VariantRows]], others: Collection[str]
    ) -> dict[str, Nearest]:
        blocks = [
            Block([rows for _, rows in tile[start : start + _FEW]])
            for start in range(0, len(tile), _FEW)
        ]
        names: list[str] = []
        parts: list[RankScores] = []
        for contents, block in _blocks(self.others(others)):
            names += contents
            parts.append(
                _stacked(list(self.pool.map(rank_scores_of, blocks, [block] * len(blocks))), axis=0)
            )
        if not names:
            return {content: Nearest() for content, _ in tile}
        scores = _stacked(parts, axis=1)
        order = np.argsort(np.array(names))
        names = [names[i] for i in order.tolist()]
        return {
            content: Nearest(
                ranked(scores.change[row][order], names, content, self.most),
                ranked(scores.bag[row][order], names, content, self.most),
            )
            for row, (content, _) in enumerate(tile)
        }


def _blocks(
    stream: Iterable[tuple[str, VariantRows]],
) -> Iterator[tuple[list[str], Block]]:
    rows = iter(stream)
    while part := list(islice(rows, _BLOCK)):
        yield [content for content, _ in part], Block([each for _, each in part])


def _stacked(parts: Sequence[RankScores], axis: int) -> RankScores:
    return RankScores(
        np.concatenate([part.change for part in parts], axis=axis),
        np.concatenate([part.bag for part in parts], axis=axis),
    )


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
