"""Whatever lies among scans and is not known to be something else is checked, or exit code 2."""

from __future__ import annotations

import json
import os

import numpy as np
import pydicom
import pytest
from reader_dicom import write_series

from dvdup import files

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12\n"


@pytest.fixture
def small(tmp_path, save, phantom):
    """One scan in train, another one in test: clean."""
    for name, seed in (("train/a", 1), ("test/b", 2)):
        save(tmp_path / f"{name}.nii.gz", phantom(seed, (16, 16, 16)))
    return tmp_path


@pytest.fixture
def check(dvdup, monkeypatch):
    """Check a folder; its lines on cases that could not be checked."""
    monkeypatch.setenv("DVDUP_EMBEDDER", "thumbnail")

    def run(root):
        ran = dvdup(root, "check", "-q", "-f", "json", "--jobs", "1")
        cases = json.loads(ran.stdout)["unreadable"] if ran.stdout else []
        return ran.code, {case["case"]: case["reason"] for case in cases}, ran.stderr

    return run


def test_a_clean_dataset(small, check):
    assert check(small)[:2] == (0, {})


@pytest.mark.parametrize(
    "name",
    [
        *(
            "x.mat",
            "x.tar",
            "x.zip",
            "x.svs",
            "x.mp4",
            "x.mat",
            "x.b2nd",
            "x.PAR",
            "x.HEAD",
            "x.mif",
        ),
        *("x.nii.bz2", "x.dcm.gz", "x.pt", "x.pkl", "x.npy.gz", "x.img", "x.raw", "x.mnc", "x.7z"),
    ],
)
def test_formats_that_nobody_reads(small, check, name):
    (small / "test" / name).write_bytes(b"\0\1\2\3" * 50)
    code, told, _ = check(small)
    assert (code, list(told)) == (2, [name])
    assert "leave it out with dataset.exclude" in told[name]


def test_a_huge_file_that_nobody_reads_is_not_read(small, check):
    with (small / "test/x.tar").open("wb") as stream:
        stream.truncate(1 << 43)  # 8 TB of nothing: hashing it would take hours
    assert check(small)[0] == 2


@pytest.mark.parametrize("content", [b"", LFS, b"\0" * 128 + b"DICM" + b"\2\0", b"\7\1\3" * 99])
@pytest.mark.parametrize("n_bad", [2, 5])
def test_dicom_without_suffix_that_is_not_whole(small, check, phantom, content, n_bad):
    (small / "test/three").mkdir()
    names = write_series(small / "test/three", phantom(3, (5, 20, 20)))
    for k, name in enumerate(names):
        path = (small / "test/three" / name).rename(small / f"test/three/IM{k}")
        if k < n_bad:
            path.write_bytes(content)
    code, told, _ = check(small)
    assert (code, len(told)) == (2, 1)
    (reason,) = told.values()
    assert f"IM0 and {n_bad - 1} more: " in reason
    assert ("git lfs pull" in reason) == (content == LFS)


def test_dicom_of_an_unknown_suffix_is_read(small, check, phantom):
    write_series(small / "train", phantom(4, (20, 20, 20))[10:11], "x")
    (small / "test/y.anon").write_bytes((small / "train/x001.dcm").read_bytes())
    assert check(small)[:2] == (1, {})


def test_radiographs_of_no_series_are_compared(small, check, phantom):
    for split, seeds in (("train", (1, 2, 3)), ("test", (4, 5, 2))):
        folder = small / split / "xr"
        folder.mkdir()
        for seed in seeds:
            write_series(folder, phantom(seed, (20, 20, 20))[10:11], f"{seed}")
        for path in folder.iterdir():
            one = pydicom.dcmread(path)
            del one.SeriesInstanceUID, one.ImagePositionPatient, one.ImageOrientationPatient
            one.save_as(path)
    assert check(small)[:2] == (1, {})


def test_zarr(small, check):
    (small / "test/z.ome.zarr/0").mkdir(parents=True)
    (small / "test/z.ome.zarr/0/0.0").touch()
    code, told, _ = check(small)
    assert (code, list(told)) == (2, ["z.ome"])


@pytest.mark.parametrize(
    ("pointer", "case"),
    [("test/x.nii.gz.dvc", "x"), ("test/batch.dvc", "batch"), ("val.dvc", "val")],
)
def test_dvc(small, check, pointer, case):
    (small / pointer).write_text("outs:\n- path: x\n")
    code, told, _ = check(small)
    assert (code, list(told)) == (2, [case])
    assert "dvc pull" in told[case]


def test_a_submodule_that_is_not_here(small, check):
    (small / "test/site").mkdir()
    (small / ".gitmodules").write_text('[submodule "s"]\n\tpath = test/site\n')
    code, told, _ = check(small)
    assert (code, list(told)) == (2, ["site"])
    assert "git submodule update --init test/site" in told["site"]


def test_nnunet_without_a_channel_and_lists_of_missing_files(small, check):
    (small / "train").rename(small / "imagesTr")
    (small / "test").rename(small / "imagesTs")
    (small / "imagesTr/a.nii.gz").rename(small / "imagesTr/a_0000.nii.gz")
    values = {"channel_names": {"0": "T1", "1": "T2"}, "test": ["imagesTs/gone.nii.gz"]}
    (small / "dataset.json").write_text(json.dumps(values))
    code, told, _ = check(small)
    assert (code, sorted(told)) == (2, ["a", "imagesTs/gone"])
    assert "imagesTr/a_0001.nii.gz: no such file" in told["a"]


@pytest.mark.parametrize("keys", [("train_images", "test_images"), ("x_train", "x_test")])
def test_an_archive_of_whole_splits(small, check, keys):
    np.savez(small / "test/m.npz", **{key: np.zeros((9, 8, 8), np.uint8) for key in keys})
    code, told, _ = check(small)
    assert (code, list(told)) == (2, ["m"])
    assert "all 9 pictures of a split" in told["m"]


@pytest.mark.parametrize("name", ["X_train", "test_images", "x-val"])
def test_an_array_that_is_a_whole_split(small, check, name):
    np.save(small / f"test/{name}.npy", np.zeros((9, 8, 8), np.uint8))
    code, told, _ = check(small)
    assert (code, list(told)) == (2, [name])
    assert "save each picture in its own file" in told[name]


def test_no_uid_is_kept(small, check, phantom):
    (small / "train/p").mkdir()
    write_series(small / "train/p", phantom(4, (3, 20, 20)))
    uid = pydicom.dcmread(small / "train/p/s001.dcm").SeriesInstanceUID.encode()
    assert check(small)[0] == 0
    kept = [path for path in (small / ".dvdup").rglob("*") if path.is_file()]
    assert kept
    assert [path for path in kept if uid in path.read_bytes()] == []


def test_pipes_and_devices_wait_for_nobody(small, check):
    os.mkfifo(small / "pipe")
    for name, target in (
        ("x.nii.gz", "pipe"), ("y.mhd", "pipe"), ("IM1", "pipe"), ("z.mat", "pipe"),
        ("u.nii.gz", "/dev/zero"), ("v.nhdr", "/dev/zero"), ("IM2", "/dev/zero"), ("loop", "loop"),
    ):  # fmt: skip
        target = str(small / "pipe") if target == "pipe" else target
        (small / "test" / name).symlink_to(target)
    code, told, _ = check(small)
    assert code == 2
    assert {"x", "y", "z.mat", "u", "v"} < set(told)


def test_a_lonely_label_map_is_told_first(small, dvdup, monkeypatch):
    monkeypatch.setenv("DVDUP_EMBEDDER", "thumbnail")
    (small / "test/q7").mkdir()
    for name in ("q7/q7_mask.nii.gz", "a.txt", "a.csv", "a.py", "a.stl", "README", "b_seg.nii.gz"):
        (small / "test" / name).touch()
    ran = dvdup(small, "check", "--jobs", "1")
    assert ran.code == 0
    assert "with no scan beside it" in ran.stderr
    assert "with no scan beside it" not in dvdup(small, "check", "-q", "--jobs", "1").stderr


@pytest.mark.skipif(os.name == "nt", reason="no FIFOs")
@pytest.mark.parametrize("name", ["x.nii.gz", "x.dcm", "IM0001", "x.h5"])
def test_what_is_no_file_is_told_and_holds_nobody(small, check, name):
    os.mkfifo(small / "test" / name)
    code, unread, _ = check(small)
    assert code == 2
    assert len(unread) == 1


def test_an_empty_folder_that_is_named_as_a_scan(small, check):
    (small / "test/x.nii.gz").mkdir()
    code, unread, _ = check(small)
    assert (code, list(unread)) == (2, ["x.nii.gz"])


@pytest.mark.parametrize(("here", "code"), [(0, 2), (1, 2), (2, 0)])
def test_a_folder_of_dvc_of_which_a_part_is_here(small, check, save, phantom, here, code):
    pointer = "outs:\n- md5: 0123456789abcdef.dir\n  size: 99\n  nfiles: 2\n  path: more\n"
    (small / "test/more").mkdir()
    (small / "test/more.dvc").write_text(pointer)
    for number in range(here):
        save(small / f"test/more/{number}.nii.gz", phantom(7 + number, (16, 16, 16)))
    found, unread, _ = check(small)
    assert found == code
    assert all("bring them with `dvc pull test/more.dvc`" in reason for reason in unread.values())
    assert len(unread) == (code == 2)


def test_a_file_that_is_too_big_is_not_read_to_be_hashed(small, check, monkeypatch):
    with (small / "test/x.npy").open("wb") as stream:
        np.lib.format.write_array_header_1_0(
            stream, {"descr": "<f8", "fortran_order": False, "shape": (2000, 2000, 2000)}
        )
        stream.truncate(64 << 30)
    hashed, whole = [], files.file_hash
    monkeypatch.setattr(files, "file_hash", lambda path: hashed.append(path.name) or whole(path))
    code, unread, _ = check(small)
    assert code == 2
    assert "read.max_bytes" in unread["x"]
    assert sorted(hashed) == ["a.nii.gz", "b.nii.gz"]
