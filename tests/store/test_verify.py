"""`find_damage` names what is wrong: overwritten bytes, cut and missing files, foreign rows."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dvdup import store
from dvdup.errors import StoreDamagedError, StoreError
from dvdup.records import FileStat
from dvdup.store import Index
from dvdup.store.schema import checksum, row_hash


@pytest.fixture
def filled(write, rows, case) -> Index:
    """Two cases with 40 slices each, and one without any."""
    return write(
        (case("a"), rows(0, 40)), (case("b"), rows(1, 40)), (case("c", status="unchecked"), None)
    )


def data_file(folder: Path, table: str) -> Path:
    """The data file of a table; there is one because all came in one window."""
    (file,) = (folder / "index" / f"{table}.lance" / "data").glob("*.lance")
    return file


def test_an_index_without_faults(filled):
    seen = []
    assert store.find_damage(filled, lambda done, total: seen.append((done, total))) == ()
    assert seen[-1] == (80, 80)


def test_a_table_that_lancedb_does_not_open_is_told(filled, monkeypatch):
    def refuse(uri):
        raise ValueError("no such table")

    monkeypatch.setattr("lancedb.connect", refuse)
    (fault,) = store.find_damage(filled)
    assert "open the index with lancedb" in fault


def flip(file: Path, value: bytes) -> None:
    """Overwrite the first place where some bytes stand; the length stays."""
    data = bytearray(file.read_bytes())
    at = data.index(value)
    data[at : at + len(value)] = bytes(byte ^ 1 for byte in value)
    file.write_bytes(bytes(data))


def test_an_overwritten_embedding_is_named(folder, filled, rows):
    flip(data_file(folder, "slices"), rows(1, 40).embedding.astype(np.float16)[7].tobytes())
    assert store.find_damage(Index(folder)) == (
        "the slices of train/b do not match their checksum (40 of 40 there); "
        "`dvdup sync --rebuild` makes the index anew",
    )


@pytest.mark.parametrize("name", ["position_mm", "index"])
def test_an_overwritten_label_is_named(folder, filled, rows, name):
    labels = getattr(rows(0, 40), name)
    try:
        flip(data_file(folder, "slices"), labels[3:6].tobytes())
    except ValueError:
        pytest.skip("this version of Lance packs the column")
    (fault,) = store.find_damage(Index(folder))
    assert "train/a" in fault


def test_an_overwritten_case_is_named(folder, filled):
    flip(data_file(folder, "cases"), b"content of b")
    faults = store.find_damage(Index(folder))
    assert any("the row of train/b does not match its checksum" in fault for fault in faults)
    assert not any("train/a" in fault for fault in faults)


@pytest.mark.parametrize("table", ["cases", "slices"])
@pytest.mark.parametrize("left", [0, 30, 0.5, None], ids=["empty", "short", "half", "missing"])
def test_a_file_that_is_cut_or_missing_is_told(folder, filled, table, left):
    file = data_file(folder, table)
    data = file.read_bytes()
    if left is None:
        file.unlink()
    else:
        file.write_bytes(data[: int(left * len(data)) if left < 1 else left])
    faults = store.find_damage(Index(folder))
    assert faults
    assert all("\n" not in fault for fault in faults)
    with pytest.raises(StoreDamagedError, match=r"`dvdup status --verify`|make it anew"):
        read_all(folder)


def read_all(folder: Path) -> None:
    index = Index(folder)
    list(index.blocks(index.cases))


def test_any_byte_of_the_embeddings_is_watched(folder, filled, rows):
    """One bit anywhere in the stored embeddings changes a checksum."""
    file = data_file(folder, "slices")
    good = file.read_bytes()
    stored = rows(0, 40).embedding.astype(np.float16).tobytes()
    start = good.index(stored)
    for at in np.random.default_rng(0).integers(start, start + len(stored), 6).tolist():
        data = bytearray(good)
        data[at] ^= 1 << (at % 8)
        file.write_bytes(bytes(data))
        assert store.find_damage(Index(folder)) != ()
    file.write_bytes(good)
    assert store.find_damage(Index(folder)) == ()


def test_a_missing_table_is_one_message(folder, filled):
    shutil.rmtree(folder / "index/slices.lance")
    with pytest.raises(StoreError, match="cannot open the index"):
        Index(folder)


def test_a_damaged_manifest_is_one_message(folder, filled):
    for manifest in (folder / "index/cases.lance/_versions").iterdir():
        manifest.write_bytes(b"not a manifest")
    with pytest.raises(StoreDamagedError, match="cannot open the index") as caught:
        Index(folder)
    assert "\n" not in str(caught.value)
    assert "sync --rebuild" in str(caught.value)


def test_the_checksum_sees_every_column_and_the_order(rows):
    one = rows(0, 6)
    sums = {checksum(one), checksum(rows(1, 6)), checksum(rows(0, 5))}
    for name in ("channel", "plane", "index", "position_mm", "embedding"):
        changed = getattr(one, name).copy()
        changed[2] += 1
        sums.add(checksum(replace(one, **{name: changed})))
    turned = {name: getattr(one, name)[::-1] for name in one.__slots__}
    sums.add(checksum(replace(one, **turned)))
    assert len(sums) == 9


CHANGES = {
    "split": "test", "case_id": "z", "files": (FileStat("x", 1, 1),), "group": "g",
    "origin": "added", "series": "1.2", "status": "unchecked", "reason": "why", "notes": ("n",),
    "instances": b"\0" * 8, "content": "c", "voxel_hashes": ("w",),
    "value_hashes": ("v",), "slice_hashes": b"\0" * 8, "n_channels": 2, "n_slices": 3,
    "shape": (5, 6, 8),
    "spacing": (1.0, 1.5, 2.6), "modality": "CT", "checksum": "s", "proxy": b"\0\1\3",
    "proxy_shape": (1, 1, 3, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_the_hash_of_a_row_sees_every_field(case, name):
    assert row_hash(replace(case("a"), **{name: CHANGES[name]})) != row_hash(case("a"))


def test_the_hash_of_a_row_knows_all_fields(case):
    assert set(CHANGES) == set(case("a").__slots__)
