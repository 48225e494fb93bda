"""Zarr: a folder or a zip, version 2 and 3, is read as the .npy of the same values."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import zarr
from reader_scans import Read, hashes, scan

from dvdup import extras, readers
from dvdup.errors import PointerError, ReadError
from dvdup.readers import limits
from dvdup.records import ArrayPart, Case, Volume

VALUES = scan(shape=(9, 10, 11))
STACK = (scan(shape=(6, 16, 20)) // 8).astype(np.uint8)
LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 5\n"


@pytest.fixture(params=[2, 3])
def version(request) -> int:
    return request.param


def array(path: Path, values: np.ndarray, version: int = 3, **how: object) -> None:
    zarr.create_array(str(path), data=values, zarr_format=version, **how)


def group(path: Path, version: int = 3, **arrays: np.ndarray) -> zarr.Group:
    made = zarr.open_group(str(path), mode="w", zarr_format=version)
    for key, values in arrays.items():
        made.create_array(key.replace("__", "/"), data=np.asarray(values))
    return made


def parts(root: Path, name: str) -> tuple[ArrayPart, ...]:
    return readers.array_parts(root / name, name)


def row(root: Path, name: str, series: str) -> Volume:
    return readers.read_volume(root, Case("train", "a", (name,), series=series))


def zipped(folder: Path) -> None:
    shutil.make_archive(str(folder), "zip", folder)


@pytest.mark.parametrize("dtype", ["u1", "<i2", ">f4", "?", "f2"])
def test_the_voxels_of_the_npy(tmp_path, read: Read, version, dtype):
    np.save(tmp_path / "a.npy", VALUES.astype(dtype))
    array(tmp_path / "a.zarr", VALUES.astype(dtype), version, chunks=(5, 4, 7))
    zipped(tmp_path / "a.zarr")
    shutil.copytree(tmp_path / "a.zarr", tmp_path / "unnamed")
    expected = hashes(read("a.npy"))
    for name in ("a.zarr", "a.zarr.zip", "unnamed"):
        volume = read(name)
        assert (hashes(volume), volume.notes) == (expected, ())


def test_shards(tmp_path, read: Read):
    np.save(tmp_path / "a.npy", STACK)
    array(tmp_path / "a.zarr", STACK, chunks=(1, 8, 10), shards=(3, 16, 20))
    assert hashes(read("a.zarr")) == hashes(read("a.npy"))
    np.save(tmp_path / "one.npy", STACK[4])
    assert hashes(row(tmp_path, "a.zarr", "#000004")) == hashes(read("one.npy"))


@pytest.mark.parametrize("chunks", [(1, 16, 20), (4, 7, 20), (6, 16, 20)])
def test_a_row_is_the_picture_that_was_saved(tmp_path, version, chunks):
    made = group(tmp_path / "x.zarr", version, train__labels=np.arange(6))
    made.create_array("train/images", data=STACK, chunks=chunks)
    zipped(tmp_path / "x.zarr")
    for name in ("x.zarr", "x.zarr.zip"):
        assert parts(tmp_path, name) == (
            ArrayPart("train/images", 6),
            ArrayPart("train/labels", None, "labels (train/labels)"),
        )
        for number in (5, 0, 3):
            np.save(tmp_path / "one.npy", STACK[number])
            one = hashes(readers.read_volume(tmp_path, Case("train", "a", ("one.npy",))))
            assert hashes(row(tmp_path, name, f"#train/images#{number:06d}")) == one


def test_what_looks_like_many_cases(tmp_path, read: Read):
    group(tmp_path / "a.zarr", X_train=STACK)
    assert readers.looks_many(tmp_path / "a.zarr", "a.zarr")
    with pytest.raises(ReadError, match=r"name it in dataset\.arrays"):
        read("a.zarr")
    array(tmp_path / "train.zarr", STACK)
    assert readers.looks_many(tmp_path / "train.zarr", "train.zarr")
    assert not readers.looks_many(tmp_path, "folder")


def test_rows_are_read_alone(tmp_path, monkeypatch):
    array(tmp_path / "x.zarr", np.tile(STACK, (20, 1, 1)), chunks=(2, 16, 20))
    monkeypatch.setattr(limits, "_chosen", 1000)  # a row has 320 bytes, all of it 38,400
    assert row(tmp_path, "x.zarr", "#000017").channels[0].sum() == STACK[5].sum()
    with pytest.raises(ReadError, match=r"read\.max_bytes"):
        row(tmp_path, "x.zarr", "#")


def chunk(store: Path, version: int) -> Path:
    return store / ("0.0.0" if version == 2 else "c/0/0/0")


def test_chunks_that_are_not_stored_are_counted(tmp_path, read: Read, version):
    array(tmp_path / "a.zarr", VALUES, version, chunks=(2, 64, 64), fill_value=3)
    chunk(tmp_path / "a.zarr", version).unlink()
    n = -(-VALUES.shape[0] // 2)
    zipped(tmp_path / "a.zarr")
    for name in ("a.zarr", "a.zarr.zip"):
        (note,) = read(name).notes
        assert note == f"1 of {n} chunks are not stored; their voxels are the fill value 3"
    with pytest.raises(ReadError, match="none of the 1 chunks of it that hold this is here"):
        read("a.zarr", series="#000001")
    assert read("a.zarr", series="#000003").notes == ()


def test_a_store_without_any_chunk_is_no_blank_scan(tmp_path, read: Read, version):
    zarr.create_array(str(tmp_path / "a.zarr"), shape=(9, 9, 9), dtype="i2", zarr_format=version)
    with pytest.raises(ReadError, match="none of the 1 chunks"):
        read("a.zarr")


@pytest.mark.parametrize(
    ("what", "said"),
    [("empty", "empty"), ("lfs", "git lfs pull"), ("link", "broken"), ("annex", "git annex get"),
     ("noise", "damaged"), ("cut", "damaged")],
)  # fmt: skip
def test_chunks_that_are_damaged(tmp_path, read: Read, version, what, said):
    array(tmp_path / "a.zarr", VALUES, version, chunks=(6, 64, 64))
    path = chunk(tmp_path / "a.zarr", version)
    data = path.read_bytes()
    path.unlink()
    if what in ("link", "annex"):
        path.symlink_to("nowhere" if what == "link" else ".git/annex/objects/x")
    else:
        stored = {"empty": b"", "lfs": LFS.encode(), "noise": b"\7" * len(data), "cut": data[:40]}
        path.write_bytes(stored[what])
    with pytest.raises(PointerError if what in ("lfs", "annex") else ReadError, match=said):
        read("a.zarr")


@pytest.mark.skipif(os.name == "nt", reason="no FIFOs")
def test_a_chunk_that_is_a_pipe_holds_nobody(tmp_path, read: Read, version):
    array(tmp_path / "a.zarr", VALUES, version, chunks=(6, 64, 64))
    chunk(tmp_path / "a.zarr", version).unlink()
    os.mkfifo(chunk(tmp_path / "a.zarr", version))
    with pytest.raises(ReadError, match="not a regular file"):
        read("a.zarr")


def rewritten(store: Path, version: int, **changes: object) -> None:
    path = store / (".zarray" if version == 2 else "zarr.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    ("version", "changes"),
    [
        (2, {"compressor": {"id": "pickle"}}),
        (2, {"filters": [{"id": "pickle", "protocol": 5}]}),
        (2, {"filters": [{"id": "json2"}]}),
        (2, {"filters": [{"id": "unheard-of"}]}),
        (2, {"dtype": "|O", "filters": [{"id": "pickle"}]}),
        (3, {"codecs": [{"name": "unheard-of"}]}),
    ],
)
def test_codecs_that_could_run_code_are_refused(tmp_path, read: Read, version, changes):
    array(tmp_path / "a.zarr", VALUES, version, chunks=VALUES.shape)
    ran = tmp_path / "ran"
    payload = b"cos\nsystem\n(S'touch %s'\ntR." % str(ran).encode()
    chunk(tmp_path / "a.zarr", version).write_bytes(payload)
    rewritten(tmp_path / "a.zarr", version, **changes)
    for series in (None, "#", "#000000"):
        with pytest.raises(ReadError, match=r"does not run|damaged or not supported"):
            read("a.zarr", series=series)
    assert not ran.exists()


def test_codecs_inside_of_shards_are_looked_at():
    from dvdup.readers.zarr_stores import _codecs

    inner = {"codecs": [{"name": "bytes"}, {"name": "numcodecs.pickle"}]}
    assert _codecs({"codecs": [{"name": "sharding_indexed", "configuration": inner}]}) == {
        *("sharding_indexed", "bytes", "pickle")
    }


def test_consolidated_metadata_are_not_believed(tmp_path, read: Read):
    group(tmp_path / "a.zarr", version=2, image=VALUES)
    zarr.consolidate_metadata(str(tmp_path / "a.zarr"), zarr_format=2)
    path = tmp_path / "a.zarr/.zmetadata"
    path.write_text(path.read_text().replace('"zlib"', '"pickle"').replace("image", "other"))
    np.testing.assert_array_equal(read("a.zarr").channels[0], VALUES)


@pytest.mark.parametrize("shape", [[1 << 30, 1 << 20, 1 << 20], [1 << 40, 16, 20]])
def test_a_huge_shape_is_refused_before_it_is_allocated(tmp_path, read: Read, version, shape):
    array(tmp_path / "a.zarr", STACK, version, chunks=(6, 16, 20))
    rewritten(tmp_path / "a.zarr", version, shape=shape)
    for series in ("#", "#000000"):
        with pytest.raises(ReadError, match=r"read\.max_bytes|chunks; save|takes; split"):
            read("a.zarr", series=series)
    assert parts(tmp_path, "a.zarr") == (ArrayPart("", None),)


def test_links_that_make_a_circle_end(tmp_path, read: Read):
    group(tmp_path / "a.zarr", image=VALUES)
    (tmp_path / "a.zarr/again").symlink_to(".")
    with pytest.raises(ReadError):
        read("a.zarr")


@pytest.mark.parametrize("made", ["empty", "n5", "text", "lfs"])
def test_folders_that_are_something_else(tmp_path, read: Read, made):
    name = "a.n5" if made == "n5" else "a.zarr"
    (tmp_path / name).mkdir()
    if made in ("text", "lfs"):
        (tmp_path / name / ".zarray").write_text(LFS if made == "lfs" else "{}")
    with pytest.raises(ReadError) as caught:
        read(name)
    said = {"empty": "is no Zarr store", "n5": "does not read this format", "lfs": "git lfs pull"}
    assert said.get(made, "a.zarr") in str(caught.value)


def test_files_that_are_something_else(tmp_path, read: Read):
    for name in ("a.zarr", "a.zarr.zip"):
        (tmp_path / name).write_bytes(b"\x93NUMPY no zip")
        with pytest.raises(ReadError, match="is not a zipped Zarr store"):
            read(name)
        (tmp_path / name).write_bytes(b"PK\3\4 no zip")
        with pytest.raises(ReadError, match=name):
            read(name)


def test_without_the_library_the_extra_is_named(tmp_path, read: Read, monkeypatch):
    array(tmp_path / "a.zarr", VALUES)
    monkeypatch.setattr(extras, "is_installed", lambda name: name != "zarr")
    with pytest.raises(ReadError, match=r"needs zarr, .*pip install 'dvdup\[arrays\]'"):
        read("a.zarr")
