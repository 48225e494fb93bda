"""Made-up variant rows, sides of slices in memory, and a small index of made-up cases."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_variants import NAMES, with_cells

from dvdup import store
from dvdup.compare.match import Side
from dvdup.compare.variant_rows import ASKING, DIMENSIONS, VariantRows
from dvdup.records import Embedded, EmbedderSpec, FileStat, IndexedCase
from dvdup.store import Index, IndexMeta, Writer


def make_rows(seed: int, n: int = 4, channels: int = 1, wide: int = 4) -> VariantRows:
    """Rows of n slices a channel, in a few dimensions, so that cosines are not all near 0."""
    rng = np.random.default_rng(seed)

    def unit(*shape: int) -> np.ndarray:
        drawn = np.zeros((*shape, DIMENSIONS))
        drawn[..., :wide] = rng.normal(size=(*shape, wide))
        length = np.maximum(np.linalg.norm(drawn, axis=-1, keepdims=True), 1e-9)
        return np.rint(drawn / length * 127).astype(np.int8)

    few = min(n, 2)
    slices = unit(n * channels)
    asking = unit(len(ASKING), few * channels)
    first = np.concatenate([np.arange(c * n, c * n + few) for c in range(channels)])
    asking[0] = slices[first]
    return with_cells(
        slices,
        unit(3 * few * channels),
        asking,
        np.repeat(np.arange(channels), few).astype(np.uint8),
    )


@pytest.fixture(scope="session")
def rows() -> Callable[..., VariantRows]:
    """`make_rows`."""
    return make_rows


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


def make_slice_rows(
    seed: int, split: str, sizes: Sequence[Sequence[int]], dimensions: int = 6
) -> Rows:
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
def slice_rows() -> Callable[..., Rows]:
    """`make_slice_rows`."""
    return make_slice_rows


META = IndexMeta(EmbedderSpec("made-up", "w", 4, 32), {"size": 32}, "r")


def make_case(split: str, case_id: str, **more: object) -> IndexedCase:
    """A case with a file of its own; equal contents have equal slices."""
    file = FileStat(f"{split}/{case_id}.nii", 100, 1, "f" * 32)
    return replace(
        IndexedCase(split, case_id, (file,), content=f"content of {case_id}", n_slices=6), **more
    )


def rows_of(case: IndexedCase) -> Embedded | None:
    """Its slices, drawn from its content."""
    if not case.n_slices:
        return None
    rng = np.random.default_rng(list(case.content.encode()))
    embedding = rng.normal(size=(case.n_slices, 4)).astype(np.float32)
    embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
    n = case.n_slices
    return Embedded(
        embedding,
        np.zeros(n, np.int16),
        np.zeros(n, np.uint8),
        np.arange(n, dtype=np.int32),
        np.arange(n, dtype=np.float32),
    )


@pytest.fixture(scope="session")
def case() -> Callable[..., IndexedCase]:
    """`make_case`."""
    return make_case


@pytest.fixture(scope="session")
def meta() -> IndexMeta:
    """What the made-up indexes are made with."""
    return META


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Index]:
    """Make the index hold exactly these cases, in one commit."""
    store.create(tmp_path / "store", META)

    def put(*cases: IndexedCase) -> Index:
        index = Index(tmp_path / "store")
        writer = Writer(index, "sync")
        for key in {old.key for old in index.cases} - {new.key for new in cases}:
            writer.delete(key)
        for each in cases:
            writer.put(each, rows_of(each), "embedded")
        writer.flush()
        return Index(tmp_path / "store")

    return put


@pytest.fixture(scope="session")
def cases(rows: Callable[..., VariantRows]) -> dict[str, VariantRows]:
    """Some are equal to others, so that there are ties."""
    return {name: rows(i % 11, 1 + i % 3, 1 + i % 2) for i, name in enumerate(NAMES)}


@pytest.fixture(scope="session")
def pool() -> Iterator[ThreadPoolExecutor]:
    """Two threads."""
    with ThreadPoolExecutor(2) as threads:
        yield threads
