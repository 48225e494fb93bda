"""A small index whose cases are made up, for what needs no files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dvdup import store
from dvdup.records import Embedded, EmbedderSpec, FileStat, IndexedCase
from dvdup.store import Index, IndexMeta, Writer

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
