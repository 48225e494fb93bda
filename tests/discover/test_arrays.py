"""Arrays of many cases: how they are declared, detected and named."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import zarr

from dvdup import readers
from dvdup.discover import names_row
from dvdup.discover.arrays import SUFFIXES, split_of
from dvdup.errors import ConfigError, InputError

STACK = np.zeros((3, 16, 16), np.uint8)


@pytest.fixture
def put(tmp_path):
    """Save arrays: put("X_train.npy"), put("a.npz", x=..., y=...)."""

    def save(name, array=STACK, **arrays):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".npz"):
            np.savez(path, **arrays)
        elif name.endswith(".h5"):
            with h5py.File(path, "w") as file:
                for key, values in arrays.items():
                    file[key] = values
        elif name.endswith(".zarr"):
            group = zarr.open_group(str(path), mode="w")
            for key, values in arrays.items():
                group.create_array(key, data=values)
        else:
            np.save(path, array)

    return save


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("X_train", "train"), ("x_test", "test"), ("xval", "val"), ("train_images", "train"),
        ("images-Valid", "valid"), ("Xtr", "tr"), ("pathmnist_test_224", "test"),
        ("testset", "test"),
        ("contest", ""), ("images", ""), ("trainer", ""), ("retest", ""), ("", ""),
        ("train_test", ""), ("test_of_test", "test"),
    ],
)  # fmt: skip
def test_splits_that_names_say(name, split):
    assert split_of(name) == split


def test_a_row_is_a_case(put, found):
    put("X_train.npy")
    put("X_test.npy", STACK[:2])
    put("y_train.npy", np.arange(3))
    cases, ignored = found(arrays={"": ("*.npy",)})
    assert cases == {
        **{("train", f"X_train.npy#{i:06d}"): ("X_train.npy",) for i in range(3)},
        **{("test", f"X_test.npy#{i:06d}"): ("X_test.npy",) for i in range(2)},
    }
    assert ignored == {"y_train.npy": "labels (y_train)"}


def test_keys(put, found):
    put("a.npz", train_images=STACK, test_images=STACK[:1], train_labels=np.arange(3))
    cases, ignored = found(arrays={"": ("a.npz",)})
    assert sorted(cases) == [
        ("test", "a.npz#test_images#000000"),
        *(("train", f"a.npz#train_images#{i:06d}") for i in range(3)),
    ]
    assert ignored == {"a.npz#train_labels": "labels (train_labels)"}
    cases, ignored = found(arrays={"": ("a.npz#test_*",)})
    assert list(cases) == [("test", "a.npz#test_images#000000")]
    assert ignored["a.npz#train_images"] == "not in dataset.arrays"
    _, ignored = found(arrays={"": ("a.npz#test_*", "a.npz#train_*")})
    assert list(ignored) == ["a.npz#train_labels"]
    cases, _ = found(arrays={"dev": ("a.npz#test_images",), "x": ("a.npz#train_images",)})
    assert [case[0] for case in cases] == ["dev", "x", "x", "x"]


def test_the_folder_says_the_split_too(put, found):
    put("train/images.npy")
    put("test/images.npy")
    cases, _ = found(arrays={"": ("*/images.npy",)})
    assert {case[:2] for case in cases} == {
        (split, f"{split}/images.npy#{i:06d}") for split in ("train", "test") for i in range(3)
    }


def test_the_name_of_a_file_may_hold_the_mark(put, found):
    put("a#1_train.npy", STACK[:1])
    put("b#2.npz", x_test=STACK[:1])
    cases, _ = found(arrays={"": ("a#1_train.npy", "b#2.npz#x_test")})
    assert list(cases) == [("test", "b#2.npz#x_test#000000"), ("train", "a#1_train.npy#000000")]


def test_an_excluded_file_is_left_out(put, found):
    put("X_train.npy")
    put("X_test.npy")
    cases, ignored = found(arrays={"": ("X_*.npy",)}, exclude=("X_test.npy",))
    assert {split for split, _ in cases} == {"train"}
    assert ignored["X_test.npy"] == "excluded by X_test.npy"


def test_what_lies_beside_is_told(put, touch, found):
    put("X_train.npy")
    put("other.npy", STACK[0])
    touch("scan.nii.gz", "notes.txt")
    _, ignored = found(arrays={"": ("X_train.npy",)})
    assert ignored == {"other.npy": "in no split", "scan.nii.gz": "in no split"}


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"": ("gone.npy",)}, "has no such file of arrays (.npy, .npz, .h5"),
        ({"": ("gone_*.npy",)}, "has no such file of arrays (.npy, .npz, .h5"),
        ({"": ("!gone.npy",)}, "has no such file of arrays (.npy, .npz, .h5"),
        ({"": ("images.npy",)}, 'of which split it is; write a table, as train = "images.npy"'),
        ({"train": ("a.npz#z",)}, "holds no such array"),
        ({"train": ("#x",)}, "has no such"),
    ],
)  # fmt: skip
def test_declarations_that_cannot_be_used(put, found, entries, words):
    put("images.npy")
    put("a.npz", x=STACK)
    with pytest.raises(ConfigError) as raised:
        found(arrays=entries)
    assert words in str(raised.value)


def test_nothing_but_labels(put, found):
    put("y_train.npy")
    for arrays in ({"train": ("y_train.npy",)}, {"": ("y_train.npy",)}):
        with pytest.raises(InputError, match="no array whose rows are pictures"):
            found(arrays=arrays)
    put("X_test.npy")
    with pytest.raises(InputError, match="split train has no scan that dvdup reads"):
        found(arrays={"train": ("y_train.npy",), "test": ("X_test.npy",)})


def test_a_file_that_cannot_be_read_is_a_case(touch, found):
    touch("X_train.npy")
    cases, _ = found(arrays={"": ("X_train.npy",)})
    assert cases == {("train", "X_train.npy"): ("X_train.npy",)}


def test_a_file_that_cannot_be_read_and_of_which_no_name_tells(touch, found):
    touch("chest.npz")
    with pytest.raises(InputError, match=r"^chest\.npz: the file is empty"):
        found(arrays={"": ("chest.npz#*_images",)})
    cases, _ = found(arrays={"dev": ("chest.npz#*_images",)})
    assert cases == {("dev", "chest.npz"): ("chest.npz",)}


def test_a_pointer_stands_for_its_file(touch, found):
    touch("X_train.npy.dvc")
    cases, _ = found(arrays={"": ("X_*.npy",)})
    assert cases == {("train", "X_train.npy"): ("X_train.npy",)}


def test_undeclared_arrays_beside_split_folders_are_cases(put, touch, found):
    touch("train/a.nii.gz", "test/b.nii.gz")
    put("X_train.npy")
    put("both.npz", train_images=STACK, test_images=STACK)
    put("volume.npy", np.zeros((16, 16, 16)))
    cases, ignored = found()
    assert {("train", "X_train.npy"), ("test", "both.npz")} <= set(cases)
    assert ignored["volume.npy"] == "in no split"


def test_detected(put, detect):
    put("X_train.npy")
    put("X_test.npy")
    put("y_test.npy", np.arange(3))
    put("chest.npz", val_images=STACK, val_labels=np.arange(3))
    seen = detect()
    assert (seen.dataset.layout, seen.dataset.arrays) == (
        "arrays",
        {"": ("X_test.npy", "X_train.npy", "chest.npz")},
    )
    assert any("arrays of many cases" in note for note in seen.notes)


def test_detected_beside_folders(put, touch, detect):
    touch("train/a.nii.gz", "test/b.nii.gz")
    put("train/images.npz", images=STACK, labels=np.arange(3))
    put("all.npz", images=STACK, labels=np.arange(3))
    seen = detect()
    assert (seen.dataset.layout, seen.dataset.arrays) == ("folders", {"": ("train/images.npz",)})
    assert any(note.startswith("all.npz: seems to hold many cases") for note in seen.notes)


def test_volumes_are_not_detected(put, detect):
    for split in ("train", "test"):
        put(f"{split}/case.npy", np.zeros((20, 24, 22), np.int16))
        put(f"{split}/nnunet.npz", data=np.zeros((1, 20, 24, 22), np.float32), seg=STACK)
    assert detect().dataset.arrays == {}


def test_rows_by_hand(put, by_hand):
    put("X_test.npy")
    put("a.npz", test_images=STACK, train_images=STACK, test_labels=np.arange(3))
    put("one.npz", images=STACK, y=np.arange(3))
    put("b#1.npy", STACK[0])
    assert [
        case.case_id for case in by_hand("X_test.npy#1", "a.npz#test_images#02", "b#1.npy")
    ] == [
        "X_test.npy#000001",
        "a.npz#test_images#000002",
        "b#1",
    ]
    assert by_hand("one.npz#2")[0].series == "#images#000002"
    for named, words in (
        ("X_test.npy#3", "there are rows 0 to 2"),
        ("a.npz#1", "which array"),
        ("a.npz#z#1", "which array"),
        ("gone.npy#1", "there is no gone.npy#1"),
    ):
        with pytest.raises(InputError, match=words):
            by_hand(named)


def test_a_declared_file_by_hand_is_its_rows(put, by_hand):
    put("X_test.npy")
    put("cine_test.npy")
    arrays = {"": ("X_test.npy", "!cine_test.npy")}
    assert len(by_hand("X_test.npy", arrays=arrays)) == 3
    assert [case.series for case in by_hand("cine_test.npy", arrays=arrays)] == ["#"]


def test_texts_that_name_rows(put, tmp_path, monkeypatch):
    put("X.npy")
    put("b#1.npy")
    monkeypatch.chdir(tmp_path)
    assert names_row("X.npy#0")
    for text in ("X.npy", "X.npy#", "gone.npy#1", "b#1.npy", "train/X.npy#1"):
        assert not names_row(text)


def test_files_outside_of_the_dataset(put, found, tmp_path):
    put("data/x.txt.npy")
    outside = tmp_path.parent / "outside-X_train.npy"
    np.save(outside, STACK[:1])
    cases, _ = found(path="data", arrays={"": (str(outside), f"../../{outside.name}")})
    assert cases == {("train", f"{outside.name}#000000"): (outside.as_posix(),)}
    outside.unlink()


def test_a_split_that_is_a_file_beside_split_folders(put, touch, found):
    touch("train/a.nii.gz")
    put("test.npy")
    cases, _ = found()
    assert cases == {("train", "a"): ("train/a.nii.gz",), ("test", "test.npy"): ("test.npy",)}


@pytest.mark.parametrize("name", ["a.npz", "a.h5", "a.zarr"])
def test_every_container_has_keys(put, found, name):
    put(name, train_images=STACK, test_images=STACK[:1], train_labels=np.arange(3))
    cases, ignored = found(arrays={"": (name,)})
    assert cases == {
        **{("train", f"{name}#train_images#{i:06d}"): (name,) for i in range(3)},
        ("test", f"{name}#test_images#000000"): (name,),
    }
    assert ignored == {f"{name}#train_labels": "labels (train_labels)"}


@pytest.mark.parametrize("name", ["a.h5", "a.zarr"])
def test_groups_say_the_split(put, found, name):
    put(name, **{"train/images": STACK, "test/x": STACK[:1], "test/y": np.arange(1)})
    cases, ignored = found(arrays={"": (f"{name}#*/*",)})
    assert [key for key in cases if key[0] == "test"] == [("test", f"{name}#test/x#000000")]
    assert len(cases) == 4
    assert ignored == {f"{name}#test/y": "labels (test/y)"}


@pytest.mark.parametrize("name", ["a.npz", "a.h5", "a.zarr"])
def test_an_array_a_case_where_it_is_said(put, found, name):
    put(name, **{f"case_{i}": np.zeros((9 + i, 12, 12)) for i in range(3)}, case_mask=STACK)
    cases, ignored = found(arrays={"train": (f"!{name}#case_[01]",), "test": (f"!{name}#case_2",)})
    assert sorted(cases) == [
        ("test", f"{name}#case_2"), ("train", f"{name}#case_0"), ("train", f"{name}#case_1"),
    ]  # fmt: skip
    assert ignored == {f"{name}#case_mask": "labels (case_mask)"}


def test_many_arrays_of_one_size_are_a_case_each(put, found):
    put("train.h5", **{f"{i}": np.zeros((16, 16)) for i in range(9)})
    put("test.npz", **{f"{i}": np.zeros((16, 16, 16)) for i in range(9)}, ages=np.arange(9))
    cases, ignored = found(arrays={"": ("*.*",)})
    assert cases == {
        **{("test", f"test.npz#{i}"): ("test.npz",) for i in range(9)},
        **{("train", f"train.h5#{i}"): ("train.h5",) for i in range(9)},
    }
    assert list(ignored) == ["test.npz#ages"]


def test_init_finds_them_in_every_container(put, detect):
    put("X_train.npy")
    put("all.h5", test_images=STACK, train_images=STACK)
    put("val.zarr", x=STACK, y=np.arange(3))
    put("images.zarr", x=STACK, y=np.arange(3))
    found = detect()
    assert found.dataset.arrays == {"": ("X_train.npy", "all.h5", "val.zarr")}
    assert any("images.zarr" in note and "of which split" in note for note in found.notes)


def test_a_zarr_store_is_one_file_to_whoever_looks(put, touch, found):
    """Its groups are no split folders, its chunks no cases, and rules of files and folders hold."""
    for name in ("scans/a.zarr", "scans/a_seg.zarr", "scans/old.zarr"):
        put(name, train=STACK, test=STACK)
    touch("train/b.nii.gz", "test/c.nii.gz")
    put("train/d.zarr", image=STACK)
    cases, ignored = found(
        splits={"train": ("train", "scans"), "test": ("test",)}, exclude=("old.zarr/",)
    )
    assert sorted(cases) == [
        *(("test", "c"), ("train", "scans/a"), ("train", "train/b"), ("train", "train/d")),
    ]
    assert ignored["scans/a_seg.zarr"] == "label map (*[_-]seg.*)"
    assert ignored["scans/old.zarr"] == "excluded by old.zarr/"
    assert not any(path.startswith("scans/a.zarr") for path in ignored)


@pytest.mark.parametrize("name", ["a.h5", "a.zarr"])
def test_a_row_or_an_array_by_hand(put, by_hand, name):
    put(name, x=STACK, ct=np.zeros((9, 12, 12)))
    (row,), (array,) = by_hand(f"{name}#x#2"), by_hand(f"{name}#ct")
    assert (row.case_id, row.series) == (f"{name}#x#000002", "#x#000002")
    assert (array.case_id, array.series) == (f"{name}#ct", "#ct#!")
    (whole,) = by_hand(name)
    assert (whole.case_id, whole.files) == ("a", (name,))
    with pytest.raises(InputError, match=r"which array\? .* one of ct, x"):
        by_hand(f"{name}#pet")


def test_suffixes_are_those_that_readers_take_apart():
    found = (
        s for reader in readers.READERS.values() if reader.holds_arrays for s in reader.suffixes
    )
    assert sorted(found) == sorted(SUFFIXES)
