"""Sides made of rows in memory, streamed in any order and in blocks of any size."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from dvdup.match import Side

Rows = dict[tuple[str, str], list[tuple[int, np.ndarray]]]
"""Key of a case -> its slices as (channel, unit row), channel by channel."""


def make_side(rows: Rows, block: int = 1000, seed: int = 0) -> Side:
    """A side whose cases arrive mixed up: the rows of one case stay in order, no more."""
    keys = tuple(sorted(rows))
    turns = [code for code, key in enumerate(keys) for _ in rows[key]]
    np.random.default_rng(seed).shuffle(turns)
    waiting = [iter(rows[key]) for key in keys]
    stored = [(code, *next(waiting[code])) for code in turns]

    def blocks(codes: Sequence[int]):
        wanted = [row for row in stored if row[0] in set(codes)]
        for start in range(0, len(wanted), block):
            part = wanted[start : start + block]
            yield (
                np.array([row for _, _, row in part], np.float16),
                np.array([code for code, _, _ in part], np.int32),
                np.array([channel for _, channel, _ in part], np.int16),
            )

    return Side(keys, tuple(len(rows[key]) for key in keys), blocks)


def make_rows(seed: int, split: str, sizes: Sequence[Sequence[int]], dimensions: int = 6) -> Rows:
    """Random cases; `sizes` gives for each case the slices of each of its channels."""
    rng = np.random.default_rng(seed)
    made: Rows = {}
    for number, channels in enumerate(sizes):
        slices = [
            (c, rng.normal(size=dimensions)) for c, n in enumerate(channels) for _ in range(n)
        ]
        made[(split, f"c{number}")] = [
            (c, (row / np.linalg.norm(row)).astype(np.float16)) for c, row in slices
        ]
    return made


@pytest.fixture(scope="session")
def side() -> Callable[..., Side]:
    """`make_side`."""
    return make_side


@pytest.fixture(scope="session")
def rows() -> Callable[..., Rows]:
    """`make_rows`."""
    return make_rows
