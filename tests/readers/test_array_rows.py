"""Rows of arrays: read alone or once, whatever the order, and told where they are damaged."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from reader_scans import hashes, scan

from dvdup import readers
from dvdup.errors import PointerError, ReadError
from dvdup.readers import limits, numpy_arrays
from dvdup.records import ArrayPart, Case, Volume

STACK = (scan(shape=(6, 16, 20)) // 8).astype(np.uint8)


def read(root: Path, name: str, series: str) -> Volume:
    return readers.read_volume(root, Case("train", "a", (name,), series=series))


def parts(root: Path, name: str) -> tuple[ArrayPart, ...]:
    return readers.array_parts(root / name, name)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["u1", "<i2", ">f4", "?"])
def test_a_row_is_the_picture_that_was_saved(tmp_path, order, dtype):
    values = np.asarray(STACK, dtype=dtype, order=order)
    np.save(tmp_path / "x.npy", values)
    np.savez_compressed(tmp_path / "x.npz", train=values, test=values[::-1])
    assert parts(tmp_path, "x.npy") == (ArrayPart("", 6),)
    assert parts(tmp_path, "x.npz") == (ArrayPart("test", 6), ArrayPart("train", 6))
    for row in (5, 0, 3):
        np.save(tmp_path / "one.npy", values[row])
        one = hashes(readers.read_volume(tmp_path, Case("train", "a", ("one.npy",))))
        assert hashes(read(tmp_path, "x.npy", f"#{row:06d}")) == one
        assert hashes(read(tmp_path, "x.npz", f"#train#{row:06d}")) == one
        assert hashes(read(tmp_path, "x.npz", f"#test#{5 - row:06d}")) == one


@pytest.mark.parametrize("shape", [(6, 16, 20, 1), (6, 1, 16, 20)])
def test_one_channel_is_a_picture(tmp_path, shape):
    np.save(tmp_path / "x.npy", STACK.reshape(shape))
    Image.fromarray(STACK[4]).save(tmp_path / "a.png")
    picture = readers.read_volume(tmp_path, Case("train", "a", ("a.png",)))
    assert hashes(read(tmp_path, "x.npy", "#000004")) == hashes(picture)


@pytest.mark.parametrize("axis", [-1, 1])
def test_rows_in_colour(tmp_path, axis):
    """They are the picture of the PNG, and no note on each."""
    rows = np.random.default_rng(0).integers(0, 256, (4, 20, 24, 3), np.uint8)
    np.save(tmp_path / "x.npy", np.moveaxis(rows, -1, axis))
    Image.fromarray(rows[2]).save(tmp_path / "a.png")
    picture = readers.read_volume(tmp_path, Case("train", "a", ("a.png",)))
    row = read(tmp_path, "x.npy", "#000002")
    assert (hashes(row), row.notes) == (hashes(picture), ())


def test_rows_that_are_volumes(tmp_path):
    volumes = scan(shape=(5, 9, 10, 11))
    np.save(tmp_path / "x.npy", volumes)
    np.testing.assert_array_equal(read(tmp_path, "x.npy", "#000002").channels[0], volumes[2])


def test_an_archive_is_read_once_until_it_changes(tmp_path, monkeypatch):
    loads = []
    monkeypatch.setattr(
        numpy_arrays, "whole", lambda *a, f=numpy_arrays.whole: (loads.append(a[1]), f(*a))[1]
    )
    np.savez_compressed(tmp_path / "x.npz", a=STACK, b=STACK + 1)
    for row in range(6):
        read(tmp_path, "x.npz", f"#a#{row:06d}")
        read(tmp_path, "x.npz", f"#b#{row:06d}")
    assert loads == ["a", "b"]
    np.savez_compressed(tmp_path / "x.npz", a=STACK[::-1], b=STACK)
    np.save(tmp_path / "one.npy", STACK[5])
    one = readers.read_volume(tmp_path, Case("train", "a", ("one.npy",)))
    assert hashes(read(tmp_path, "x.npz", "#a#000000")) == hashes(one)
    assert [key for key in loads if key] == ["a", "b", "a"]


def test_a_row_of_an_npy_reads_its_own_bytes_only(tmp_path, monkeypatch):
    monkeypatch.setattr(numpy_arrays, "whole", lambda *a: pytest.fail("all of it was read"))
    monkeypatch.setattr(limits, "_chosen", 1000)  # the file has 1920 bytes, a row 320
    np.save(tmp_path / "x.npy", STACK)
    assert read(tmp_path, "x.npy", "#000005").shape == (20, 16, 1)


def test_labels_and_numbers_are_left_out(tmp_path):
    np.savez(
        tmp_path / "x.npz",
        train_images=STACK, train_labels=STACK, ages=np.ones(6), boxes=np.ones((6, 4)),
        flat=np.ones((6, 784)), empty=np.ones((0, 16, 20)),
    )  # fmt: skip
    found = {part.key: (part.rows, part.left_out) for part in parts(tmp_path, "x.npz")}
    assert found == {
        "train_images": (6, ""),
        "train_labels": (None, "labels (train_labels)"),
        "ages": (None, "numbers, no pictures (6)"),
        "boxes": (None, "numbers, no pictures (6 x 4)"),
        "flat": (None, ""),
        "empty": (None, "an array without rows"),
    }
    with pytest.raises(ReadError, match="its rows are 784 numbers each, no pictures"):
        read(tmp_path, "x.npz", "#flat#")


@pytest.mark.parametrize(
    ("series", "said"),
    [("#nothing#000000", "holds no array nothing"), ("#a#000006", "has no row 6 any more")],
)
def test_what_is_not_there(tmp_path, series, said):
    np.savez(tmp_path / "x.npz", a=STACK)
    with pytest.raises(ReadError, match=said):
        read(tmp_path, "x.npz", series)


def test_nothing_is_unpickled(tmp_path):
    class Evil:
        def __reduce__(self):
            return (pytest.fail, ("it was unpickled",))

    np.save(tmp_path / "x.npy", np.array([Evil()] * 6, dtype=object), allow_pickle=True)
    (tmp_path / "y.npy").write_bytes(pickle.dumps(Evil()))
    for name in ("x.npy", "y.npy"):
        with pytest.raises(ReadError):
            parts(tmp_path, name)
        with pytest.raises(ReadError):
            read(tmp_path, name, "#000000")


def header(sides: tuple[int, ...]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": "|u1", "fortran_order": False, "shape": sides}
    )
    return stream.getvalue()


@pytest.mark.parametrize(
    "sides", [(10**9, 64, 64), (2**62, 2**62, 4), (-1, 64, 64), (10**7, 8, 8), (6, 10**6, 10**6)]
)
def test_shapes_that_promise_too_much(tmp_path, sides):
    (tmp_path / "x.npy").write_bytes(header(sides) + STACK.tobytes())
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", header(sides) + STACK.tobytes())
    for name, series in (("x.npy", "#000000"), ("x.npz", "#a#000000")):
        with pytest.raises(ReadError):
            parts(tmp_path, name)
        with pytest.raises(ReadError):
            read(tmp_path, name, series)


def test_more_rows_than_cases_fit_into_a_report(tmp_path):
    start = header((6_000_000, 8, 8))
    with (tmp_path / "x.npy").open("wb") as stream:
        stream.write(start)
        stream.truncate(len(start) + 6_000_000 * 64)  # of nothing: it takes no space
    assert parts(tmp_path, "x.npy") == (ArrayPart("", None),)
    with pytest.raises(ReadError, match="more than the 5,000,000 that dvdup takes"):
        read(tmp_path, "x.npy", "##")


def test_an_archive_too_big_for_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "_chosen", 1000)
    np.savez(tmp_path / "x.npz", a=STACK)
    assert parts(tmp_path, "x.npz") == (ArrayPart("a", None),)
    with pytest.raises(ReadError, match=r"read\.max_bytes .* or save it as \.npy"):
        read(tmp_path, "x.npz", "#a#")


def test_damaged_archives_are_tried_once(tmp_path, monkeypatch):
    noise = np.random.default_rng(0).integers(0, 256, (20, 64, 64), np.uint8)
    np.savez_compressed(tmp_path / "x.npz", a=noise)
    data = bytearray((tmp_path / "x.npz").read_bytes())
    data[-9000:-8000] = bytes(1000)
    (tmp_path / "x.npz").write_bytes(data)
    tries = []
    monkeypatch.setattr(
        numpy_arrays, "whole", lambda *a, f=numpy_arrays.whole: (tries.append(1), f(*a))[1]
    )
    for row in range(3):
        with pytest.raises(ReadError, match="the array cannot be read"):
            read(tmp_path, "x.npz", f"#a#{row:06d}")
    assert len(tries) == 1


@pytest.mark.parametrize("content", [b"", b"PK\3\4 no archive", b"\x93NUMPY\1\0", b"text"])
@pytest.mark.parametrize("name", ["x.npy", "x.npz"])
def test_files_that_are_something_else(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ReadError):
        parts(tmp_path, name)
    with pytest.raises(ReadError):
        read(tmp_path, name, "#000000")
    assert not readers.looks_many(tmp_path / name, name)


def test_pointers(tmp_path):
    text = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12\n"
    (tmp_path / "x.npy").write_bytes(text)
    with pytest.raises(PointerError):
        read(tmp_path, "x.npy", "#000000")


def test_other_formats_have_no_rows(tmp_path):
    (tmp_path / "x.mat").write_bytes(b"\x89HDF")
    with pytest.raises(ReadError, match=r"is no file of arrays, such as \.npy"):
        readers.array_parts(tmp_path / "x.mat", "x.mat")
    assert not readers.looks_many(tmp_path / "x.mat", "x.mat")
