"""Arrays of many cases, end to end: each row is checked, or the file is reported as not checked."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pytest
import zarr
from scipy import ndimage

from dvdup import extras, files


def pictures(seed: int, n: int, shape: tuple[int, ...] = (48, 48)) -> np.ndarray:
    """uint8 (n, ...), each its own."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(n):
        fine = ndimage.gaussian_filter(rng.normal(size=shape), 1.5)
        made.append(np.interp(fine, (fine.min(), fine.max()), (0, 255)).astype(np.uint8))
    return np.stack(made)


@pytest.fixture(autouse=True)
def _thumbnail(monkeypatch):
    monkeypatch.setenv("DVDUP_EMBEDDER", "thumbnail")


@pytest.fixture
def planted(tmp_path):
    """20 pictures to train and 20 to test; rows 2, 7 and 11 of test are 5, 6 and 0 of train."""
    train, test = pictures(1, 20), pictures(2, 20)
    test[[2, 7, 11]] = train[[5, 6, 0]]
    np.save(tmp_path / "X_train.npy", train)
    np.save(tmp_path / "X_test.npy", test)
    np.save(tmp_path / "y_train.npy", np.arange(20))
    np.save(tmp_path / "y_test.npy", np.arange(20))
    return tmp_path


PLANTED = {
    ("X_test.npy#000002", "X_train.npy#000005", "identical"),
    ("X_test.npy#000007", "X_train.npy#000006", "identical"),
    ("X_test.npy#000011", "X_train.npy#000000", "identical"),
}


def pairs(report: dict) -> set[tuple[str, str, str]]:
    found = set()
    for one in report["pairs"]:
        sides = sorted((one["a"], one["b"]), key=lambda side: side["split"])
        found.add((sides[0]["case"], sides[1]["case"], one["verdict"]))
    return found


def unchecked(ran) -> dict[str, str]:
    return {case["case"]: case["reason"] for case in json.loads(ran.stdout)["unreadable"]}


def check(dvdup, root, *more):
    return dvdup(root, "check", "-q", "-f", "json", "--jobs", "1", *more)


def declare(root, text: str) -> None:
    (root / "dvdup.toml").write_text(f"[dataset]\n{text}\n")


@pytest.mark.parametrize(
    "text",
    [
        'arrays = ["X_train.npy", "X_test.npy"]',
        'arrays = ["*.npy"]',
        'arrays = { train = "X_train.npy", test = ["X_test.npy"] }',
    ],
)
def test_rows_that_are_copies_are_found(dvdup, planted, text):
    declare(planted, text)
    ran = check(dvdup, planted)
    assert ran.code == 1, ran.stderr
    assert pairs(json.loads(ran.stdout)) == PLANTED
    assert check(dvdup, planted).stdout == ran.stdout


def test_init_writes_the_declaration(dvdup, planted):
    ran = dvdup(planted, "init", ".")
    assert ran.code == 0, ran.stderr
    assert "arrays of many cases: X_test.npy, X_train.npy" in ran.stdout + ran.stderr
    written = (planted / "dvdup.toml").read_text()
    assert '\narrays = ["X_test.npy", "X_train.npy"]' in written
    assert pairs(json.loads(check(dvdup, planted).stdout)) == PLANTED


@pytest.mark.parametrize("format_", ["table", "csv", "markdown"])
def test_every_format_names_the_rows(dvdup, planted, format_, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    declare(planted, 'arrays = ["X_*.npy"]')
    ran = dvdup(planted, "check", "-q", "-f", format_, "--jobs", "1")
    for one, other, _ in PLANTED:
        assert one in ran.stdout
        assert other in ran.stdout
    if format_ == "csv":
        assert len(list(csv.reader(ran.stdout.splitlines()))) >= 4


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_keys_of_an_archive(dvdup, tmp_path, save):
    train, test = pictures(1, 12), pictures(2, 9)
    test[4] = train[3]
    save(
        tmp_path / "chest.npz",
        train_images=train, val_images=pictures(3, 9), test_images=test,
        train_labels=np.zeros((12, 14)), val_labels=np.zeros((9, 14)), test_labels=np.zeros((9, 1)),
    )  # fmt: skip
    assert dvdup(tmp_path, "init", ".").code == 0
    ran = check(dvdup, tmp_path)
    assert ran.code == 1, ran.stderr
    report = json.loads(ran.stdout)
    found = ("chest.npz#test_images#000004", "chest.npz#train_images#000003", "identical")
    assert pairs(report) == {found}
    assert report["unreadable"] == []
    synced = dvdup(tmp_path, "sync")
    assert "chest.npz#train_labels: labels" in synced.stdout + synced.stderr


def test_an_archive_that_is_not_declared_is_not_checked(dvdup, tmp_path):
    for split, seed in (("train", 1), ("test", 2)):
        (tmp_path / split).mkdir()
        np.save(tmp_path / split / "a.npy", pictures(seed, 1)[0])
    np.savez(tmp_path / "chest.npz", train_images=pictures(1, 9), test_images=pictures(2, 9))
    ran = check(dvdup, tmp_path)
    assert (ran.code, list(unchecked(ran))) == (2, ["chest.npz"])
    assert 'arrays = ["chest.npz"]' in unchecked(ran)["chest.npz"]


@pytest.mark.parametrize("name", ["test.npy", "test.npz"])
def test_a_split_that_is_one_file(dvdup, tmp_path, save, phantom, name):
    """Never taken for one volume, whether or not anything else tells."""
    for split, seed in (("train", 1), ("val", 2)):
        save(tmp_path / split / "a.nii.gz", phantom(seed, (16, 16, 16)))
    (np.save if name.endswith("npy") else np.savez)(tmp_path / name, pictures(1, 9))
    ran = check(dvdup, tmp_path)
    assert (ran.code, list(unchecked(ran))) == (2, [name])
    assert f'arrays = ["{name}"]' in unchecked(ran)[name]
    declare(tmp_path, f'arrays = ["{name}"]')
    ran = check(dvdup, tmp_path)
    assert ran.code == 0
    assert json.loads(ran.stdout)["totals"]["cases"]["test"] == 9


@pytest.mark.parametrize("name", ["X_train.npy", "train.npy"])
def test_nothing_but_arrays_without_a_declaration(dvdup, tmp_path, name):
    for each in (name, name.replace("train", "test")):
        np.save(tmp_path / each, pictures(1, 9))
    ran = check(dvdup, tmp_path)
    assert ran.code == 2
    assert "dataset.arrays" in ran.stdout + ran.stderr
    assert dvdup(tmp_path, "init", ".").code == 0


def test_arrays_in_split_folders(dvdup, tmp_path, save, phantom):
    """They are taken apart beside the scans that lie there too."""
    for split, seed in (("train", 1), ("test", 2)):
        save(tmp_path / split / "scan.nii.gz", phantom(seed, (16, 16, 16)))
        np.save(
            tmp_path / split / "images.npy", np.concatenate([pictures(9, 1), pictures(seed, 5)])
        )
    declare(tmp_path, 'arrays = ["*/images.npy"]')
    ran = check(dvdup, tmp_path)
    assert ran.code == 1, ran.stderr
    assert pairs(json.loads(ran.stdout)) == {
        ("test/images.npy#000000", "train/images.npy#000000", "identical")
    }
    assert json.loads(ran.stdout)["totals"]["cases"] == {"train": 7, "test": 7}


def test_volumes_and_colour_pictures(dvdup, tmp_path):
    volumes, colours = pictures(1, 6, (20, 24, 22)), pictures(2, 6, (40, 40, 3))
    np.save(tmp_path / "train_volumes.npy", volumes)
    np.save(tmp_path / "test_volumes.npy", volumes[::-1][:3])
    np.save(tmp_path / "train_images.npy", colours)
    np.save(tmp_path / "test_images.npy", colours[4:])
    declare(tmp_path, 'arrays = ["*.npy"]')
    ran = check(dvdup, tmp_path)
    found = {(a, b) for a, b, verdict in pairs(json.loads(ran.stdout)) if verdict == "identical"}
    assert found == {
        *((f"test_volumes.npy#{i:06d}", f"train_volumes.npy#{5 - i:06d}") for i in range(3)),
        *((f"test_images.npy#{i:06d}", f"train_images.npy#{4 + i:06d}") for i in range(2)),
    }


def test_a_file_that_is_one_scan_whatever_it_is_called(dvdup, tmp_path):
    for split, seed in (("train", 1), ("test", 2)):
        (tmp_path / split).mkdir()
        np.save(tmp_path / split / "X_train.npy", pictures(seed, 1, (30, 32, 34))[0])
    ran = check(dvdup, tmp_path)
    assert (ran.code, list(unchecked(ran))) == (2, ["X_train"])
    declare(tmp_path, 'arrays = ["!*/X_train.npy"]')
    ran = check(dvdup, tmp_path)
    assert (ran.code, unchecked(ran)) == (0, {})


def test_one_row_changes(dvdup, planted):
    declare(planted, 'arrays = ["X_*.npy"]')
    check(dvdup, planted)
    test = np.load(planted / "X_test.npy")
    test[3], test[7] = np.load(planted / "X_train.npy")[9], pictures(5, 1)[0]
    np.save(planted / "X_test.npy", test)
    assert pairs(json.loads(check(dvdup, planted).stdout)) == {
        *(pair for pair in PLANTED if "#000007" not in pair[0]),
        ("X_test.npy#000003", "X_train.npy#000009", "identical"),
    }


def test_rows_come_and_go(dvdup, planted):
    declare(planted, 'arrays = ["X_*.npy"]')
    check(dvdup, planted)
    np.save(planted / "X_test.npy", np.load(planted / "X_test.npy")[:5])
    status = dvdup(planted, "status")
    assert "changed" in status.stdout
    ran = check(dvdup, planted)
    assert pairs(json.loads(ran.stdout)) == {pair for pair in PLANTED if "#000002" in pair[0]}
    np.save(planted / "X_val.npy", np.load(planted / "X_train.npy")[:2])
    found = pairs(json.loads(check(dvdup, planted).stdout))
    assert ("X_train.npy#000001", "X_val.npy#000001", "identical") in found
    (planted / "X_val.npy").rename(planted / "X_valid.npy")
    synced = dvdup(planted, "sync")
    assert synced.code == 0, synced.stderr
    (planted / "X_valid.npy").unlink()
    assert dvdup(planted, "rm", "valid/X_valid.npy#*").code == 0
    assert check(dvdup, planted).stdout == ran.stdout


def test_a_row_by_hand(dvdup, planted):
    for seed, name in ((1, "train"), (2, "test")):
        (planted / name).mkdir()
        np.save(planted / name / "a#7.npy", pictures(seed + 5, 1)[0])
    declare(planted, 'layout = "folders"\narrays = ["X_*.npy"]')
    check(dvdup, planted)
    ran = dvdup(planted, "query", "X_test.npy#2", "--split", "train", "-f", "json")
    assert ran.code == 1, ran.stderr
    assert pairs(json.loads(ran.stdout)) == {PLANTED_ROW}
    one = dvdup(planted, "query", "X_test.npy", "--split", "train", "-f", "json")
    assert pairs(json.loads(one.stdout)) == {(a, b, v) for a, b, v in PLANTED}
    assert dvdup(planted, "compare", "X_test.npy#2", "X_train.npy#5").code == 1
    assert dvdup(planted, "compare", "X_test.npy#3", "X_train.npy#5").code == 0
    assert dvdup(planted, "compare", "test/a#7.npy", "X_train.npy#5").code == 0
    shown = dvdup(planted, "show", "X_test.npy#2", "train/X_train.npy#000005")
    assert shown.code == 0, shown.stderr
    assert dvdup(planted, "show", "X_test.npy#2", "X_test.npy#3").code == 0
    away = dvdup(planted, "query", "X_test.npy#20")
    assert away.code == 2
    assert "there are rows 0 to 19" in away.stderr


PLANTED_ROW = ("X_test.npy#000002", "X_train.npy#000005", "identical")


def test_rows_added_by_hand(dvdup, planted):
    (planted / "dvdup.toml").unlink(missing_ok=True)
    assert dvdup(planted, "add", "X_train.npy#5", "X_train.npy#6", "--split", "train").code == 0
    assert dvdup(planted, "add", "X_test.npy#2", "X_test.npy#3", "--split", "test").code == 0
    ran = dvdup(planted, "diff", "train", "test", "-f", "json")
    assert pairs(json.loads(ran.stdout)) == {PLANTED_ROW}


def test_voxels_of_rows_are_compared(dvdup, planted, monkeypatch):
    monkeypatch.setenv("DVDUP_VERIFY_CANDIDATES", "1")
    declare(planted, 'arrays = ["X_*.npy"]')
    noisy = np.load(planted / "X_test.npy")
    noisy[4] = np.clip(np.load(planted / "X_train.npy")[8] * 0.8 + 10, 0, 255)
    np.save(planted / "X_test.npy", noisy)
    found = pairs(json.loads(check(dvdup, planted).stdout))
    assert {pair for pair in found if pair[2] == "identical"} == PLANTED
    assert ("X_test.npy#000004", "X_train.npy#000008", "near") in found


def test_a_damaged_file_ends_no_run(dvdup, planted):
    declare(planted, 'arrays = ["X_*.npy"]')
    data = (planted / "X_test.npy").read_bytes()
    (planted / "X_test.npy").write_bytes(data[:-100])
    ran = check(dvdup, planted)
    assert (ran.code, list(unchecked(ran))) == (2, ["X_test.npy"])
    assert "truncated" in unchecked(ran)["X_test.npy"]


def test_pictures_and_labels_in_split_folders(dvdup, tmp_path):
    for split, seed in (("train", 1), ("test", 2)):
        (tmp_path / split).mkdir()
        np.save(tmp_path / split / "x.npy", np.concatenate([pictures(9, 1), pictures(seed, 5)]))
        np.save(tmp_path / split / "y.npy", np.arange(6) + seed)
    ran = check(dvdup, tmp_path)
    assert ran.code == 2
    assert 'arrays = ["train/x.npy"]' in unchecked(ran)["x"]
    assert dvdup(tmp_path, "init", ".").code == 0
    ran = check(dvdup, tmp_path)
    assert unchecked(ran) == {}
    found = ("test/x.npy#000000", "train/x.npy#000000", "identical")
    assert pairs(json.loads(ran.stdout)) == {found}


def test_a_file_is_hashed_once(dvdup, planted, monkeypatch):
    """Not once a row: neither by a sync nor by what looks whether it is up to date."""
    declare(planted, 'arrays = ["X_*.npy"]')
    hashed = []
    monkeypatch.setattr(files, "_RACY_NS", 0)
    monkeypatch.setattr(
        files, "file_hash", lambda path, f=files.file_hash: (hashed.append(path.name), f(path))[1]
    )
    check(dvdup, planted)
    assert sorted(hashed) == ["X_test.npy", "X_train.npy"]
    shutil.copy(planted / "X_test.npy", planted / "copy")  # as a checkout: other times and inode
    (planted / "copy").replace(planted / "X_test.npy")
    hashed.clear()
    monkeypatch.setenv("DVDUP_VERIFY_CANDIDATES", "1")
    check(dvdup, planted)
    assert set(hashed) == {"X_test.npy"}
    assert len(hashed) <= 3
    hashed.clear()
    dvdup(planted, "status", "--verify")
    assert sorted(hashed) == ["X_test.npy", "X_train.npy"]


def test_only_what_changed_is_embedded_again(dvdup, planted):
    declare(planted, 'arrays = ["X_*.npy"]')
    dvdup(planted, "sync")
    test = np.load(planted / "X_test.npy")
    test[3] = pictures(5, 1)[0]
    np.save(planted / "X_test.npy", test)
    synced = dvdup(planted, "sync")
    assert "1 embedded" in synced.stdout + synced.stderr, synced


def test_a_blank_row_is_told_and_can_be_left_out(dvdup, planted):
    train = np.load(planted / "X_train.npy")
    train[9] = 0
    np.save(planted / "X_train.npy", train)
    declare(planted, 'arrays = ["X_*.npy"]')
    ran = check(dvdup, planted)
    assert list(unchecked(ran)) == ["X_train.npy#000009"]
    assert "no informative slice" in unchecked(ran)["X_train.npy#000009"]
    declare(planted, 'arrays = ["X_*.npy"]\nexclude = ["X_train.npy#000009"]')
    ran = check(dvdup, planted)
    assert unchecked(ran) == {}
    assert pairs(json.loads(ran.stdout)) == PLANTED


def container(path, **arrays) -> None:
    """An HDF5 file or a Zarr store of some arrays."""
    if path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            for key, values in arrays.items():
                file.create_dataset(key, data=values, chunks=True, compression="gzip")
    else:
        group = zarr.open_group(str(path), mode="w")
        for key, values in arrays.items():
            group.create_array(key, data=values, chunks=(7, *values.shape[1:]))


@pytest.fixture(params=[".h5", ".zarr"])
def planted_container(request, planted):
    """The same pictures in one file."""
    arrays = {key: np.load(planted / f"{key}.npy") for key in ("X_train", "X_test")}
    for path in planted.glob("*.npy"):
        path.unlink()
    container(planted / f"all{request.param}", **arrays, y_train=np.arange(20))
    return planted, f"all{request.param}"


def test_rows_of_hdf5_and_zarr(dvdup, planted_container):
    root, name = planted_container
    assert dvdup(root, "init", ".").code == 0
    assert name in (root / "dvdup.toml").read_text()
    ran = check(dvdup, root)
    assert ran.code == 1, ran.stderr
    found = pairs(json.loads(ran.stdout))
    keyed = {(a.replace(".npy", ""), b.replace(".npy", ""), v) for a, b, v in PLANTED}
    assert found == {(f"{name}#{a}", f"{name}#{b}", v) for a, b, v in keyed}
    one = dvdup(root, "query", f"{name}#X_test#2", "--split", "train", "-f", "json")
    assert one.code == 1, one.stderr
    again = check(dvdup, root)
    assert (again.code, again.stdout) == (1, ran.stdout)


def test_what_is_not_declared_is_not_passed_as_clean(dvdup, planted_container):
    root, name = planted_container
    (root / "train").mkdir()
    (root / "test").mkdir()
    np.save(root / "train/a.npy", pictures(8, 1, (20, 24, 22))[0])
    (root / name).rename(root / "test" / name)
    ran = check(dvdup, root)
    assert ran.code == 2
    assert "name it in dataset.arrays" in unchecked(ran)["all"]


def test_without_the_library_nothing_is_clean(dvdup, planted_container, monkeypatch):
    root, name = planted_container
    monkeypatch.setattr(extras, "is_installed", lambda package: package not in ("h5py", "zarr"))
    declare(root, f'arrays = {{ train = "{name}#X_train", test = "{name}#X_test" }}')
    ran = check(dvdup, root)
    assert ran.code == 2
    assert all("pip install 'dvdup[arrays]'" in why for why in unchecked(ran).values())
    (root / "dvdup.toml").unlink()
    (root / name).rename(root / f"train{name[3:]}")
    container(root / f"test{name[3:]}", x=pictures(1, 9))
    assert check(dvdup, root).code == 2


@pytest.mark.parametrize("suffix", [".h5", ".zarr", ".npz"])
def test_one_scan_a_file_and_an_array_a_case(dvdup, tmp_path, suffix):
    scans = {f"case_{i}": pictures(i, 1, (20, 24, 22 + i))[0] for i in range(3)}
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
    np.save(tmp_path / "train/a.npy", scans["case_1"])
    np.save(tmp_path / "test/b.npy", pictures(9, 1, (20, 24, 22))[0])
    save = np.savez if suffix == ".npz" else container
    save(tmp_path / f"test/one{suffix}", image=scans["case_1"])
    save(tmp_path / f"more{suffix}", **scans)
    declare(tmp_path, f'arrays = {{ val = "!more{suffix}#case_*" }}')
    ran = check(dvdup, tmp_path)
    assert (ran.code, unchecked(ran)) == (1, {}), ran.stderr
    assert pairs(json.loads(ran.stdout)) >= {
        ("one", "a", "identical"), ("a", f"more{suffix}#case_1", "identical"),
    }  # fmt: skip


def test_the_installed_command_compares_containers(tmp_path):
    """A process of its own, so that the children that read are its own too."""
    values = pictures(1, 1, (20, 24, 22))[0]
    container(tmp_path / "a.h5", image=values)
    container(tmp_path / "b.zarr", image=values)
    command = [sys.executable, "-m", "dvdup", "compare", "a.h5", "b.zarr", "-q", "-f", "json"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert (ran.returncode, ran.stderr) == (1, "")
    assert [pair["verdict"] for pair in json.loads(ran.stdout)["pairs"]] == ["identical"]
