"""Small indexes without readers or embedders: cases and rows made up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dvdup import store
from dvdup.records import Embedded, EmbedderSpec, FileStat, IndexedCase
from dvdup.store import Index, IndexMeta, Writer

DIMENSIONS = 4
META = IndexMeta(EmbedderSpec("made-up", "abc", DIMENSIONS, 32, "MIT", "here"), {"size": 32}, "r1")


def make_rows(seed: int, n: int = 5) -> Embedded:
    """n unit rows with labels of their own."""
    rng = np.random.default_rng(seed)
    embedding = rng.normal(size=(n, DIMENSIONS)).astype(np.float32)
    embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
    return Embedded(
        embedding=embedding,
        channel=np.sort(rng.integers(0, 3, n)).astype(np.int16),
        plane=rng.integers(0, 3, n).astype(np.uint8),
        index=rng.integers(0, 500, n).astype(np.int32),
        position_mm=rng.uniform(0, 300, n).astype(np.float32),
    )


def make_case(case_id: str, split: str = "train", content: str = "", **more: object) -> IndexedCase:
    """A case with a file and a proxy of its own."""
    file = FileStat(f"{split}/{case_id}.nii", 100, 1_700_000_000_000_000_000, "f" * 32)
    case = IndexedCase(
        split, case_id, (file,), content=content or f"content of {case_id}", proxy=b"\0\1\2",
        proxy_shape=(1, 1, 1, 3), voxel_hashes=("v",), n_channels=1, shape=(5, 6, 7),
        spacing=(1.0, 1.5, 2.5),
    )  # fmt: skip
    return replace(case, **more)


@pytest.fixture(scope="session")
def rows() -> Callable[..., Embedded]:
    """`make_rows`."""
    return make_rows


@pytest.fixture(scope="session")
def case() -> Callable[..., IndexedCase]:
    """`make_case`."""
    return make_case


@pytest.fixture(scope="session")
def meta() -> IndexMeta:
    """What the indexes are made with."""
    return META


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An index folder with an empty index."""
    store.claim(tmp_path / "store", tmp_path)
    store.create(tmp_path / "store", META)
    return tmp_path / "store"


@pytest.fixture
def write(folder: Path) -> Callable[..., Index]:
    """Put (case, rows) in one command; gives the index as it then is."""

    def put(*items: tuple[IndexedCase, Embedded | None], command: str = "sync") -> Index:
        writer = Writer(Index(folder), command)
        for each, its_rows in items:
            writer.put(each, its_rows, "embedded")
        writer.flush()
        return Index(folder)

    return put


@pytest.fixture(scope="session")
def same_rows() -> Callable[[Embedded, Embedded], bool]:
    """Whether stored rows are those that were put, up to float16."""

    def same(stored: Embedded, put: Embedded) -> bool:
        return np.array_equal(stored.embedding, put.embedding.astype(np.float16)) and all(
            np.array_equal(getattr(stored, name), getattr(put, name))
            for name in ("channel", "plane", "index", "position_mm")
        )

    return same
