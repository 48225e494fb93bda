"""Exact nearest slices, and the scores of pairs of cases, from slice rows that are streamed.

One blocked matrix product gives s[i, k], the highest cosine of query slice i to any slice of case
k of the other side, for both directions at once. Every score is a function of s:

- `count_score(q -> k)`: share of the slices i of q with k = argmax s[i, .], ties to the smaller
  (split, case). The published measure (Truong, Khun Jush, Lenga, arXiv 2312.07273, top-1).
- `shared_score(q -> k)`: share of i with s[i, k] >= max s[i, .] - `margin`, and
  s[i, k] >= m + `floor` * (1 - m), where m is the median of s[i, .] over the cases. All copies of
  one scan keep the votes of its slices; a slice that looks alike in everybody votes for nobody.
  With fewer than `records.MIN_COHORT` cases nobody can tell what everybody looks like: no floor.
- `similarity(q -> k)`: mean of s[i, k] over i (late interaction).

Of a case with several channels each channel is scored on its own; the maximum counts.

Memory: at most `budget` floats of state, whatever the number of cases. If the left side does not
fit, it is done in tiles of cases, and each tile streams the right side again. What a slice of the
right side is offered by all tiles together is then surveyed first, so that tiles change nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from dvdup.records import MIN_COHORT, Directed, Key, PairScore

Block = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Embeddings float (B, D), case codes int (B,), channels int (B,)."""

NEVER = np.float32(-2.0)
"""Below every cosine: not compared."""

_ROWS = 1024  # left slices a product: with 8192 on the right the result stays near the processor
_WIDTH = 512  # floats that an embedding is taken to have when tiles are cut
_TIE = 2e-6  # cosines closer than this are equal: block sizes must not decide who wins


@dataclass(frozen=True, slots=True)
class MatchSettings:
    """What scoring depends on."""

    margin: float = 0.01
    """Cosine below its best within which a slice votes for a case as well."""
    floor: float = 0.35
    """Share of the way from the median case to 1 that a slice must reach to vote."""
    keep_nearest: int = 5
    """Cases kept for every case by similarity, whatever their scores."""
    keep_above: float = 0.2
    """Count or shared score from which a pair is kept."""
    budget: int = 128_000_000
    """Floats of state, 4 bytes each."""


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison: cases, and a way to stream their slices as often as needed."""

    keys: tuple[Key, ...]
    """Sorted; the code of a case is its position here."""
    n_slices: tuple[int, ...]
    blocks: Callable[[Sequence[int]], Iterator[Block]] = field(compare=False)
    """Streams the rows of the cases with the given codes. Rows of a case come channel by
    channel and need not be in one piece."""


def match(a: Side, b: Side, settings: MatchSettings | None = None) -> list[PairScore]:
    """Score the cases of two sides against each other, in both directions.

    A case is never compared with itself: pairs of equal (split, case_id) are left out.

    Args:
        a: First side.
        b: Second side. The first one again gives every pair once, with a < b; two versions of one
            split are two sides, and a pair of their names stands for other scans each way round.
        settings: Margins and limits.

    Returns:
        The pairs worth a look (see `MatchSettings`), sorted by (a, b).
    """
    settings = settings or MatchSettings()
    if not a.keys or not b.keys:
        return []
    tiles = list(_tiles(a, b, settings.budget))
    offers = _survey_all(b, a, settings) if len(tiles) > 1 else None
    pairs = [pair for tile in tiles for pair in _tile_pairs(a, b, tile, offers, settings)]
    within = a is b
    return sorted(
        (pair for pair in pairs if not within or pair.a < pair.b),
        key=lambda pair: (pair.a, pair.b),
    )


def _tiles(a: Side, b: Side, budget: int) -> Iterator[range]:
    """Cut the cases of the left side into runs whose state fits the budget."""
    start = used = 0
    for code, n in enumerate(a.n_slices):
        need = n * (len(b.keys) + _WIDTH) + sum(b.n_slices)
        if used and used + need > budget:
            yield range(start, code)
            start, used = code, 0
        used += need
    if a.keys:
        yield range(start, len(a.keys))


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Labels of slices in memory: case (position within what was asked for) and channel."""

    case: np.ndarray
    channel: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class _Swept:
    """What one pass over the right side leaves."""

    forward: np.ndarray
    """float32 (slices of the tile, cases of b): s of the left slices."""
    backward: np.ndarray
    """float32 (slices of b, cases of the tile): s of the right slices, or empty."""
    left: _Rows
    right: _Rows


class _Forward:
    """Keeps s of the left slices."""

    def __init__(self, n_left: int, n_cases: int, n_right: int, n_tile: int) -> None:
        self.forward = np.full((n_left, n_cases), NEVER, np.float32)
        self.backward = np.full((0, 0), NEVER, np.float32)

    def take(
        self,
        product: np.ndarray,
        rows: slice,
        columns: slice,
        left: np.ndarray,
        right: np.ndarray,
    ) -> None:
        """Take in one product, (left rows, right columns), with the case codes of both."""
        starts, codes = _segments(right)
        best = np.maximum.reduceat(product, starts, axis=1)
        self.forward[rows, codes] = np.maximum(self.forward[rows, codes], best)


class _Both(_Forward):
    """Keeps s of the right slices too."""

    def __init__(self, n_left: int, n_cases: int, n_right: int, n_tile: int) -> None:
        super().__init__(n_left, n_cases, n_right, n_tile)
        self.backward = np.full((n_right, n_tile), NEVER, np.float32)

    def take(
        self,
        product: np.ndarray,
        rows: slice,
        columns: slice,
        left: np.ndarray,
        right: np.ndarray,
    ) -> None:
        """Take in one product, (left rows, right columns), with the case codes of both."""
        super().take(product, rows, columns, left, right)
        starts, codes = _segments(left)
        best = _highest_rows(product, starts).T
        self.backward[columns, codes] = np.maximum(self.backward[columns, codes], best)


def _highest_rows(product: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """The highest of each run of rows; (runs, columns)."""
    # np.maximum.reduceat goes down the columns and is twenty times as slow
    stops = np.append(starts[1:], len(product))
    found = np.empty((len(starts), product.shape[1]), product.dtype)
    for row, (start, stop) in enumerate(zip(starts.tolist(), stops.tolist(), strict=True)):
        np.max(product[start:stop], axis=0, out=found[row])
    return found


def _segments(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray | slice]:
    """Where runs of equal codes start, and the code of each; codes ascend."""
    starts = np.flatnonzero(np.diff(codes, prepend=codes[0] - 1))
    found = codes[starts]
    if len(found) == found[-1] - found[0] + 1:
        return starts, slice(int(found[0]), int(found[-1]) + 1)
    return starts, found


def _sweep(a: Side, b: Side, tile: range, keeper: type[_Forward]) -> _Swept:
    """Compare a tile of `a` with all of `b`."""
    embedding, left = _gathered(a, tile)
    n_right = sum(b.n_slices)
    state = keeper(len(embedding), len(b.keys), n_right, len(tile))
    right = _Rows(np.zeros(n_right, np.int64), np.zeros(n_right, np.int16))
    position = {key: code for code, key in enumerate(b.keys)}
    itself = np.array([position.get(a.keys[code], -1) for code in tile])
    done = 0
    for block, case, channel in _ordered(b, range(len(b.keys))):
        columns = slice(done, done + len(case))
        right.case[columns], right.channel[columns] = case, channel
        turned = np.ascontiguousarray(block.T, dtype=np.float32)
        for start in range(0, len(embedding), _ROWS):
            rows = slice(start, start + _ROWS)
            product = embedding[rows] @ turned
            _mask_itself(product, itself[left.case[rows]], case)
            state.take(product, rows, columns, left.case[rows], case)
        done = columns.stop
    return _Swept(state.forward, state.backward, left, right)


def _mask_itself(product: np.ndarray, own: np.ndarray, case: np.ndarray) -> None:
    """Take out what compares a case with itself; `own` is the code on the right, or -1."""
    present = np.intersect1d(own, case)
    for code in present.tolist():
        product[np.ix_(own == code, case == code)] = NEVER


def _gathered(side: Side, tile: range) -> tuple[np.ndarray, _Rows]:
    """The slices of some cases in memory, sorted by case."""
    embeddings, cases, channels = [], [], []
    for embedding, case, channel in _ordered(side, tile):
        embeddings.append(embedding.astype(np.float32))
        cases.append(case - tile.start)
        channels.append(channel)
    if not cases:
        return np.zeros((0, 1), np.float32), _Rows(np.zeros(0, np.int64), np.zeros(0, np.int16))
    case, channel = np.concatenate(cases), np.concatenate(channels)
    order = np.lexsort((channel, case))
    return np.concatenate(embeddings)[order], _Rows(case[order], channel[order])


def _ordered(side: Side, codes: Sequence[int]) -> Iterator[Block]:
    """Blocks whose rows ascend by case."""
    for embedding, case, channel in side.blocks(codes):
        if len(case) == 0:
            continue
        if (np.diff(case) < 0).any():
            order = np.argsort(case, kind="stable")
            embedding, case, channel = embedding[order], case[order], channel[order]
        yield embedding, case.astype(np.int64), channel


@dataclass(frozen=True, slots=True, eq=False)
class _Offers:
    """What all candidate cases together offer the slices of some query cases.

    N slices in the order (case, channel, as streamed); Q query cases. Only cases with slices
    count, and never the query itself.
    """

    best: np.ndarray
    """float32 (N,): the highest s."""
    median: np.ndarray
    """float32 (N,): the median of s over the cases; below every cosine for a small cohort."""
    winner: np.ndarray
    """int64 (N,): code of the first case that ties with the best, or -1."""
    background: np.ndarray
    """float32 (Q,): similarity to the median case."""
    cohort: np.ndarray
    """int64 (Q,): how many cases there are."""
    nearest: np.ndarray
    """int64 (Q, n): codes of the most similar cases, nearest first, -1 where there are fewer."""


def _survey_all(queries: Side, candidates: Side, settings: MatchSettings) -> _Offers:
    """Survey all cases of a side, a tile after the other."""
    parts = []
    for tile in _tiles(queries, candidates, settings.budget):
        swept = _sweep(queries, candidates, tile, _Forward)
        parts.append(_survey(swept.forward, _runs(swept.left), len(tile), settings))
    return _Offers(
        **{
            field.name: np.concatenate([getattr(part, field.name) for part in parts])
            for field in dataclasses.fields(_Offers)
        }
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Runs:
    """Slices that are scored together: those of one channel of one case."""

    order: np.ndarray
    """Row numbers in the order (case, channel)."""
    spans: list[tuple[int, int, int]]
    """(case, start, stop) within `order`."""

    def longest(self, n_cases: int) -> np.ndarray:
        """Slices in the channel of each case that has most, int (n_cases,)."""
        sizes = np.zeros(n_cases, np.int64)
        for case, start, stop in self.spans:
            sizes[case] = max(sizes[case], stop - start)
        return sizes


def _runs(rows: _Rows) -> _Runs:
    order = np.lexsort((rows.channel, rows.case))
    case, channel = rows.case[order], rows.channel[order]
    starts = np.flatnonzero(np.diff(case, prepend=-1) | (np.diff(channel, prepend=-1) != 0))
    stops = np.append(starts[1:], len(order))
    owner = case[starts]
    return _Runs(order, list(zip(owner.tolist(), starts.tolist(), stops.tolist(), strict=False)))


def _survey(s: np.ndarray, runs: _Runs, n_cases: int, settings: MatchSettings) -> _Offers:
    """Survey query slices whose s is known for every candidate."""
    n, k = s.shape
    offers = _Offers(
        best=np.full(n, NEVER, np.float32),
        median=np.full(n, NEVER, np.float32),
        winner=np.full(n, -1),
        background=np.full(n_cases, NEVER, np.float32),
        cohort=np.zeros(n_cases, np.int64),
        nearest=np.full((n_cases, min(k, settings.keep_nearest)), -1),
    )
    similarity = np.full((n_cases, k), NEVER, np.float32)
    for case, start, stop in runs.spans:
        part = s[runs.order[start:stop]]
        there = np.flatnonzero(part[0] > NEVER)
        if there.size == 0:
            continue
        part = part[:, there]
        best = part.max(axis=1)
        offers.best[start:stop] = best
        if there.size >= MIN_COHORT:
            offers.median[start:stop] = np.median(part, axis=1)
        offers.winner[start:stop] = there[(part >= (best - _TIE)[:, None]).argmax(axis=1)]
        means = part.mean(axis=0)
        offers.background[case] = max(offers.background[case], np.median(means))
        offers.cohort[case] = there.size
        similarity[case, there] = np.maximum(similarity[case, there], means)
    ranked = np.argsort(-similarity, axis=1, kind="stable")[:, : offers.nearest.shape[1]]
    known = np.take_along_axis(similarity, ranked, axis=1) > NEVER
    offers.nearest[:] = np.where(known, ranked, -1)
    return offers


@dataclass(frozen=True, slots=True, eq=False)
class _Scores:
    """float32 (Q, K): scores of Q query cases against K candidates."""

    count: np.ndarray
    shared: np.ndarray
    similarity: np.ndarray


def _tile_pairs(
    a: Side, b: Side, tile: range, offers: _Offers | None, settings: MatchSettings
) -> Iterator[PairScore]:
    """The pairs of a tile of `a` with `b`; `offers` to `b`, or None if the tile is all of `a`."""
    swept = _sweep(a, b, tile, _Both)
    runs, back_runs = _runs(swept.left), _runs(swept.right)
    ours = _survey(swept.forward, runs, len(tile), settings)
    theirs = offers or _survey(swept.backward, back_runs, len(b.keys), settings)
    ahead = _scores(swept.forward, runs, len(tile), ours, 0, settings)
    back = _scores(swept.backward, back_runs, len(b.keys), theirs, tile.start, settings)
    sizes = runs.longest(len(tile)), back_runs.longest(len(b.keys))
    for i, k in _kept(ahead, back, ours, theirs, tile, settings):
        yield PairScore(
            a=a.keys[tile[i]],
            b=b.keys[k],
            count_score=_directed(ahead.count[i, k], back.count[k, i]),
            shared_score=_directed(ahead.shared[i, k], back.shared[k, i]),
            # rows rounded to float16 can be a little longer than 1
            similarity=_directed(min(1.0, ahead.similarity[i, k]), min(1.0, back.similarity[k, i])),
            background=_directed(min(1.0, ours.background[i]), min(1.0, theirs.background[k])),
            slices=(int(sizes[0][i]), int(sizes[1][k])),
            cohort=(int(ours.cohort[i]), int(theirs.cohort[k])),
        )


def _directed(a_to_b: float, b_to_a: float) -> Directed:
    return Directed(float(a_to_b), float(b_to_a))


def _scores(
    s: np.ndarray,
    runs: _Runs,
    n_cases: int,
    offers: _Offers,
    first: int,
    settings: MatchSettings,
) -> _Scores:
    """All scores of one direction; the columns of `s` are the cases from code `first` on."""
    n = s.shape[1]
    shape = (n_cases, n)
    found = _Scores(
        count=np.zeros(shape, np.float32),
        shared=np.zeros(shape, np.float32),
        similarity=np.full(shape, NEVER, np.float32),
    )
    for case, start, stop in runs.spans:
        part = s[runs.order[start:stop]]
        best, median = offers.best[start:stop, None], offers.median[start:stop, None]
        winner = offers.winner[start:stop] - first
        won = np.bincount(winner[(winner >= 0) & (winner < n)], minlength=n)
        floor = median + settings.floor * (1 - median) - _TIE  # rounding must not silence copies
        floor = np.where(median > NEVER, floor, NEVER)
        votes = (part >= best - settings.margin) & (part >= floor)
        votes &= part > NEVER
        for scores, value in (
            (found.count, won / (stop - start)),
            (found.shared, votes.mean(axis=0)),
            (found.similarity, part.mean(axis=0)),
        ):
            np.maximum(scores[case], value, out=scores[case])
    return found


def _kept(
    ahead: _Scores,
    back: _Scores,
    ours: _Offers,
    theirs: _Offers,
    tile: range,
    settings: MatchSettings,
) -> Iterator[tuple[int, int]]:
    """Positions (left case in the tile, right case) of the pairs worth a look."""
    keep: np.ndarray = np.zeros(ahead.count.shape, bool)
    turned: np.ndarray = keep.T  # a view: what is set in it is set in `keep`
    for scores, mask, offers, first in ((ahead, keep, ours, 0), (back, turned, theirs, tile.start)):
        mask |= (scores.count >= settings.keep_above) | (scores.shared >= settings.keep_above)
        nearest = offers.nearest - first
        near = (offers.nearest >= 0) & (nearest >= 0) & (nearest < mask.shape[1])
        mask[np.nonzero(near)[0], nearest[near]] = True
    keep &= ahead.similarity > NEVER
    for i, k in np.argwhere(keep).tolist():
        yield int(i), int(k)


@dataclass(frozen=True, slots=True)
class _OneWay:
    """What a query says of one candidate."""

    count: float
    shared: float
    similarity: float
    background: float
    n_slices: int
    cohort: int


def score_pairs(
    pairs: Iterable[tuple[Key, Key]], a: Side, b: Side, settings: MatchSettings | None = None
) -> list[PairScore]:
    """Score some pairs, in both directions; the cohort of each is all of the other side.

    Args:
        pairs: (case of a, case of b); cases without slices have no scores and are left out.
        a: First side.
        b: Second side.
        settings: Margins and limits.

    Returns:
        As `match` gives them for these pairs, sorted by (a, b).
    """
    settings = settings or MatchSettings()
    wanted = sorted({pair for pair in pairs if pair[0] in set(a.keys) and pair[1] in set(b.keys)})
    ahead = _one_way(wanted, a, b, settings)
    back = _one_way([(two, one) for one, two in wanted], b, a, settings)
    found = []
    for one, two in wanted:
        if (one, two) in ahead and (two, one) in back:
            found.append(_pair_score(one, two, ahead[one, two], back[two, one]))
    return found


def _pair_score(a: Key, b: Key, ahead: _OneWay, back: _OneWay) -> PairScore:
    def both(name: str) -> Directed:
        return _directed(getattr(ahead, name), getattr(back, name))

    return PairScore(
        a=a,
        b=b,
        count_score=both("count"),
        shared_score=both("shared"),
        similarity=both("similarity"),
        background=both("background"),
        slices=(ahead.n_slices, back.n_slices),
        cohort=(ahead.cohort, back.cohort),
    )


def _one_way(
    pairs: Sequence[tuple[Key, Key]], queries: Side, candidates: Side, settings: MatchSettings
) -> dict[tuple[Key, Key], _OneWay]:
    """The scores of (query, candidate) pairs in that direction."""
    asking = _some(queries, {query for query, _ in pairs})
    found: dict[tuple[Key, Key], _OneWay] = {}
    for tile in _tiles(asking, candidates, settings.budget):
        swept = _sweep(asking, candidates, tile, _Forward)
        runs = _runs(swept.left)
        offers = _survey(swept.forward, runs, len(tile), settings)
        scores = _scores(swept.forward, runs, len(tile), offers, 0, settings)
        rows = {asking.keys[code]: row for row, code in enumerate(tile)}
        columns = {key: column for column, key in enumerate(candidates.keys)}
        sizes = runs.longest(len(tile))
        for query, candidate in pairs:
            if query not in rows:
                continue
            i, k = rows[query], columns[candidate]
            if scores.similarity[i, k] > NEVER:
                found[query, candidate] = _OneWay(
                    float(scores.count[i, k]),
                    float(scores.shared[i, k]),
                    # rows rounded to float16 can be a little longer than 1
                    min(1.0, float(scores.similarity[i, k])),
                    min(1.0, float(offers.background[i])),
                    int(sizes[i]),
                    int(offers.cohort[i]),
                )
    return found


def _some(side: Side, keys: Collection[Key]) -> Side:
    """Some cases of a side as a side of their own."""
    codes = [code for code, key in enumerate(side.keys) if key in keys]

    def blocks(chosen: Sequence[int]) -> Iterator[Block]:
        places = {codes[place]: place for place in chosen}
        new = np.full(len(side.keys), -1, np.int64)
        new[list(places)] = list(places.values())
        for embedding, case, channel in side.blocks(sorted(places)):
            yield embedding, new[case], channel

    return Side(
        keys=tuple(side.keys[code] for code in codes),
        n_slices=tuple(side.n_slices[code] for code in codes),
        blocks=blocks,
    )
