"""HDF5: datasets are the arrays of a file, and nothing outside of the file is ever opened."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from reader_scans import Read, hashes, scan

from dvdup import extras, readers
from dvdup.errors import PointerError, ReadError
from dvdup.readers import limits
from dvdup.records import ArrayPart, Case, Volume

VALUES = scan(shape=(9, 10, 11))
STACK = (scan(shape=(6, 16, 20)) // 8).astype(np.uint8)


def h5(path: Path, **datasets: object) -> str:
    with h5py.File(path, "w") as file:
        for key, values in datasets.items():
            file[key.replace("__", "/")] = values
    return path.name


def parts(root: Path, name: str) -> tuple[ArrayPart, ...]:
    return readers.array_parts(root / name, name)


def row(root: Path, name: str, series: str) -> Volume:
    return readers.read_volume(root, Case("train", "a", (name,), series=series))


@pytest.mark.parametrize("suffix", [".h5", ".hdf5", ".H5"])
@pytest.mark.parametrize("dtype", ["u1", "<i2", ">f4", "?", "f2"])
def test_the_voxels_of_the_npy(tmp_path, read: Read, suffix, dtype):
    values = VALUES.astype(dtype)
    np.save(tmp_path / "a.npy", values)
    h5(tmp_path / f"a{suffix}", image=values, names=["one", "two"], age=30, spacing=[1.0, 2.0, 3.0])
    assert hashes(read(f"a{suffix}")) == hashes(read("a.npy"))


@pytest.mark.parametrize("how", [{}, {"chunks": (3, 5, 4)}, {"compression": "gzip", "shuffle": 1}])
def test_chunks_and_filters_change_nothing(tmp_path, read: Read, how):
    np.save(tmp_path / "a.npy", VALUES)
    with h5py.File(tmp_path / "a.h5", "w", userblock_size=1024) as file:
        file.create_dataset("deep/in/groups", data=VALUES, **how)
    assert hashes(read("a.h5")) == hashes(read("a.npy"))


def test_arrays_beside_the_image_are_channels_and_masks_are_not(tmp_path, read: Read):
    mask = np.zeros(VALUES.shape, np.uint8)
    mask[1:8, 1:9, 1:10] = 1
    h5(tmp_path / "a.h5", image=VALUES, other=VALUES[::-1] * 2, seg=mask)
    assert len(read("a.h5").channels) == 2


def test_one_volume_beside_labels_is_the_image(tmp_path, read: Read):
    mask = np.zeros(VALUES.shape, np.uint8)
    mask[1:8, 1:9, 1:10] = 1
    h5(tmp_path / "a.h5", thorax=VALUES, thorax_mask=mask)
    np.testing.assert_array_equal(read("a.h5").channels[0], VALUES)


def test_which_array_is_the_image_is_asked(tmp_path, read: Read):
    h5(tmp_path / "a.h5", first=VALUES, second=VALUES + 1)
    with pytest.raises(ReadError, match=r'first, second; .* arrays = \["!a\.h5#\*"\]'):
        read("a.h5")


@pytest.mark.parametrize("chunks", [None, (1, 16, 20), (4, 16, 20), (4, 7, 20), (6, 16, 20)])
def test_a_row_is_the_picture_that_was_saved(tmp_path, chunks):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("train/images", data=STACK, chunks=chunks)
        file["test/images"] = STACK[::-1]
        file["train/labels"] = np.arange(6)
    assert parts(tmp_path, "x.h5") == (
        ArrayPart("test/images", 6),
        ArrayPart("train/images", 6),
        ArrayPart("train/labels", None, "labels (train/labels)"),
    )
    for number in (5, 0, 3, 4):
        np.save(tmp_path / "one.npy", STACK[number])
        one = hashes(readers.read_volume(tmp_path, Case("train", "a", ("one.npy",))))
        assert hashes(row(tmp_path, "x.h5", f"#train/images#{number:06d}")) == one
        assert hashes(row(tmp_path, "x.h5", f"#test/images#{5 - number:06d}")) == one


def test_rows_are_read_alone(tmp_path, monkeypatch):
    """A file that is far bigger than what one case may take."""
    big = np.zeros((40, 64, 64), np.uint8)
    big[17, 3:40, 5:9] = 7
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("x", data=big, chunks=(2, 64, 64))
    monkeypatch.setattr(limits, "_chosen", 10_000)  # a row has 4,096 bytes, all of it 163,840
    assert row(tmp_path, "x.h5", "#x#000017").channels[0].sum() == big[17].sum()
    with pytest.raises(ReadError, match=r"read\.max_bytes"):
        row(tmp_path, "x.h5", "#x#!")


def test_a_file_that_has_changed_is_read_anew(tmp_path):
    h5(tmp_path / "x.h5", x=STACK)
    assert row(tmp_path, "x.h5", "#x#000002").channels[0].sum() == STACK[2].sum()
    h5(tmp_path / "x.h5", x=STACK[:3] + 1)
    assert row(tmp_path, "x.h5", "#x#000002").channels[0].sum() == STACK[2].sum() + 320
    with pytest.raises(ReadError, match="has no row 5 any more"):
        row(tmp_path, "x.h5", "#x#000005")
    with pytest.raises(ReadError, match="holds no array y"):
        row(tmp_path, "x.h5", "#y#000000")


@pytest.mark.parametrize(
    ("datasets", "many"),
    [
        ({"X_train": STACK}, True),
        ({"train__images": STACK}, True),
        ({"images__train": STACK}, True),
        ({"fold__x": STACK, "fold__y": np.arange(6)}, True),
        ({"a__x": STACK, "b__y": np.arange(6)}, False),  # labels of something else
        ({f"case_{i}": STACK for i in range(9)}, True),
        ({**{f"masks__{i}": STACK for i in range(9)}, "image": STACK}, False),
        ({"image": STACK}, False),
    ],
)
def test_what_looks_like_many_cases(tmp_path, read: Read, datasets, many):
    h5(tmp_path / "a.h5", **datasets)
    assert readers.looks_many(tmp_path / "a.h5", "a.h5") == many
    if many:
        with pytest.raises(ReadError, match=r"name it in dataset\.arrays"):
            read("a.h5")


def test_a_dataset_a_case(tmp_path, read: Read):
    h5(tmp_path / "a.h5", **{f"train__case_{i}": VALUES + i for i in range(9)}, ages=np.ones(9))
    with pytest.raises(ReadError, match=r"holds 9 arrays of one size.* each array is a case"):
        read("a.h5")
    found = parts(tmp_path, "a.h5")
    assert [part.key for part in found if part.is_scan] == [f"train/case_{i}" for i in range(9)]
    volume = row(tmp_path, "a.h5", "#train/case_3#!")
    np.testing.assert_array_equal(volume.channels[0], VALUES + 3)


def hostile(path: Path, what: str) -> None:
    """A file whose `image` leads out of it, or is no plain array."""
    secret = path.with_name("secret.h5")
    h5(secret, image=VALUES)
    raw = path.with_name("secret.raw")
    raw.write_bytes(VALUES.tobytes())
    with h5py.File(path, "w") as file:
        if what == "link":
            file["image"] = h5py.ExternalLink("secret.h5", "image")
        elif what == "virtual":
            layout = h5py.VirtualLayout(VALUES.shape, VALUES.dtype)
            layout[...] = h5py.VirtualSource("secret.h5", "image", VALUES.shape)
            file.create_virtual_dataset("image", layout)
        elif what == "outside":
            external = [("secret.raw", 0, VALUES.nbytes)]
            file.create_dataset("image", VALUES.shape, VALUES.dtype, external=external)
        elif what == "varying":
            kind = h5py.vlen_dtype(np.uint8)
            encoded = file.create_dataset("image", (6,), dtype=kind)
            encoded[0] = np.arange(300) % 255
        elif what == "objects":
            file.create_dataset("image", (16, 20), dtype=h5py.ref_dtype)
        elif what == "text":
            file.create_dataset("image", (16, 20), dtype=h5py.string_dtype())


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("link", "is a link into another file"),
        ("virtual", "is a virtual dataset"),
        ("outside", "keeps its values in another file"),
        ("varying", "values of varying length"),
        ("objects", "or references"),
        ("text", "values of varying length"),
    ],
)
def test_what_is_not_plain_is_refused(tmp_path, read: Read, what, said):
    hostile(tmp_path / "a.h5", what)
    for name in ("#image#!", "#image#000000", "#image#", "#", None):
        with pytest.raises(ReadError, match=said if name else f"{said}|which array|no arrays"):
            read("a.h5", series=name)
    (part,) = parts(tmp_path, "a.h5")
    assert (part.rows, part.left_out) == (None, "")


def test_an_image_beside_a_foreign_link_is_not_checked_in_part(tmp_path, read: Read):
    hostile(tmp_path / "a.h5", "link")
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["ct"] = VALUES
    with pytest.raises(ReadError, match="is a link into another file"):
        read("a.h5")


def test_other_names_and_circles_are_one_array(tmp_path, read: Read):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["group/image"] = VALUES
        file["again"] = file["group/image"]
        file["group/up"] = file["/"]
        file["soft"] = h5py.SoftLink("/group/image")
        file["lost"] = h5py.SoftLink("/nowhere")
    assert len(parts(tmp_path, "a.h5")) == 1
    np.testing.assert_array_equal(read("a.h5").channels[0], VALUES)


def test_a_filter_that_is_not_here_is_named(tmp_path, read: Read):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        made.set_chunk((6, 16, 20))
        made.set_filter(32001, h5py.h5z.FLAG_OPTIONAL)
        space = h5py.h5s.create_simple(STACK.shape)
        h5py.h5d.create(file.id, b"image", h5py.h5t.NATIVE_UINT8, space, made)
    with pytest.raises(ReadError, match=r"filter 32001 .*HDF5_PLUGIN_PATH"):
        read("a.h5")


def test_a_huge_shape_is_refused_before_it_is_allocated(tmp_path, read: Read):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("image", (1 << 20, 1 << 20, 64), "f8", chunks=(64, 64, 64))
        file.create_dataset("train", (1 << 22, 512, 512), "f8", chunks=(1, 512, 512))
    for series in ("#image#!", "#"):
        with pytest.raises(ReadError, match=r"read\.max_bytes|which array"):
            read("a.h5", series=series)
    with pytest.raises(ReadError, match="truncated"):
        read("a.h5", series="#train#000000")
    assert [part.rows for part in parts(tmp_path, "a.h5")] == [None, None]


@pytest.mark.parametrize("cut", [0, 7, 8, 100, 2000, -1])
def test_files_that_are_cut_off(tmp_path, read: Read, cut):
    h5(tmp_path / "a.h5", image=VALUES)
    data = (tmp_path / "a.h5").read_bytes()
    (tmp_path / "a.h5").write_bytes(data[:cut])
    with pytest.raises(ReadError, match=r"a\.h5"):
        read("a.h5")
    assert not readers.looks_many(tmp_path / "a.h5", "a.h5")


def test_something_else_and_pointers(tmp_path, read: Read):
    (tmp_path / "a.h5").write_bytes(b"\x93NUMPY text")
    with pytest.raises(ReadError, match="is not an HDF5 file: it looks like a NumPy array"):
        read("a.h5")
    (tmp_path / "a.h5").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1\n")
    with pytest.raises(PointerError, match="git lfs pull"):
        read("a.h5")


def test_names_that_cannot_be_printed(tmp_path, read: Read):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["a\x1b[2J"] = VALUES
    with pytest.raises(ReadError, match="cannot be printed"):
        read("a.h5")


def test_without_the_library_the_extra_is_named(tmp_path, read: Read, monkeypatch):
    h5(tmp_path / "a.h5", image=VALUES)
    monkeypatch.setattr(extras, "is_installed", lambda name: name != "h5py")
    with pytest.raises(ReadError, match=r"needs h5py, .*pip install 'dvdup\[arrays\]'"):
        read("a.h5")
