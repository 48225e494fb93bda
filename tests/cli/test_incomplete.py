"""What was not looked at never passes as clean, and is not remembered as if it had been."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from reader_dicom import write_series
from scipy import ndimage

from dvdup.compare import missed
from dvdup.errors import ReadError


def put(dataset, name, change, person=0):
    image = nib.load(dataset.pool / f"p{person:02}.nii.gz")
    values = change(np.asarray(image.dataobj, np.float32))
    nib.save(nib.Nifti1Image(values, image.affine), dataset.root / name)


def noisy(seed, deviation=60):
    def change(values):
        noise = np.random.default_rng(seed).normal(0, deviation, values.shape)
        return (values + noise).astype(np.float32)

    return change


@pytest.fixture
def mirrored(dataset, monkeypatch):
    """A copy in test that looks unlike its source until it is looked at again."""
    monkeypatch.delenv("DVDUP_VERIFY_CANDIDATES")
    monkeypatch.setenv("DVDUP_EMBEDDER", "builtin")
    put(dataset, "test/copy.nii.gz", lambda values: values[::-1])
    return dataset


@pytest.mark.parametrize("command", [("check",), ("diff", "train", "test")])
def test_a_scan_that_cannot_be_read_when_it_is_compared(dataset, dvdup, monkeypatch, command):
    """A candidate that small copies cannot turn away is wanted in full."""
    monkeypatch.delenv("DVDUP_VERIFY_CANDIDATES")
    put(dataset, "test/copy.nii.gz", noisy(1, 60))
    assert dvdup(dataset.root, "sync", "-q").code == 0
    whole = missed.readers.read_volume

    def read(root, case):
        if case.case_id == "copy":
            raise ReadError("test/copy.nii.gz: the disk gave up; copy it again")
        return whole(root, case)

    with monkeypatch.context() as patch:
        patch.setattr(missed.readers, "read_volume", read)
        ran = dvdup(dataset.root, *command, "--jobs", "1", "--candidates", "1")
        assert ran.code == 1  # its small copy makes it a finding all the same
        assert "could not check 1 of" in ran.stdout
        assert "the disk gave up" in ran.stdout
    ran = dvdup(dataset.root, *command, "--jobs", "1", "--candidates", "1")
    assert (ran.code, "could not check" in ran.stdout) == (1, False)


def test_files_that_are_away_are_told_and_asked_again_when_back(mirrored, dvdup):
    assert dvdup(mirrored.root, "sync", "-q").code == 0
    away = (mirrored.root / "test").rename(mirrored.root / "away")
    ran = dvdup(mirrored.root, "diff", "train", "test", "--jobs", "1", "--candidates", "1")
    assert "small copies in the index stood in for them" in ran.stderr
    away.rename(mirrored.root / "test")
    ran = dvdup(mirrored.root, "diff", "train", "test", "--jobs", "1", "--candidates", "1")
    assert (ran.code, "stood in" in ran.stderr) == (1, False)


@pytest.mark.parametrize("by_hand", [True, False])
def test_a_split_that_is_away_does_not_leave_the_index(dataset, dvdup, by_hand):
    if by_hand:
        (dataset.root / "dvdup.toml").unlink()
        for split in ("train", "test"):
            assert dvdup(dataset.root, "add", split, "--split", split, "-q").code == 0
    assert dvdup(dataset.root, "check", "-q").code == 0
    away = (dataset.root / "test").rename(dataset.root / "away")
    if not by_hand:
        text = (dataset.root / "dvdup.toml").read_text(encoding="utf-8")
        declared = "\n".join(line for line in text.splitlines() if not line.startswith("test ="))
        (dataset.root / "dvdup.toml").write_text(declared, encoding="utf-8")
    for command in ("check", "sync"):
        ran = dvdup(dataset.root, command)
        assert ran.code == 2
        assert "test was in the index with" in ran.stderr
        assert "dvdup rm 'test/*'" in ran.stderr
    if by_hand:
        away.rename(dataset.root / "test")
        assert dvdup(dataset.root, "check", "-q").code == 0
    else:
        assert dvdup(dataset.root, "rm", "test/*").code == 0
        assert dvdup(dataset.root, "sync", "-q").code == 0


def test_a_split_may_be_renamed(dataset, dvdup):
    (dataset.root / "dvdup.toml").unlink()
    assert dvdup(dataset.root, "add", "test", "--split", "test", "-q").code == 0
    (dataset.root / "test").rename(dataset.root / "val")
    assert dvdup(dataset.root, "add", "val", "--split", "val", "-q").code == 0
    assert dvdup(dataset.root, "rm", "test/*", "-q").code == 0
    assert dvdup(dataset.root, "sync", "-q").code == 0


def test_nothing_to_compare_is_not_clean(dataset, dvdup):
    with (dataset.root / "dvdup.toml").open("a", encoding="utf-8") as stream:
        stream.write('exclude = ["*"]\n')
    ran = dvdup(dataset.root, "check")
    assert ran.code == 2


def test_a_scan_in_a_foreign_format_is_not_checked(dataset, dvdup):
    (dataset.root / "test/scan.nii.bz2").write_bytes(b"BZh9")
    ran = dvdup(dataset.root, "check")
    assert ran.code == 2
    assert "does not read this format" in ran.stdout


def test_a_query_of_indexed_files_asks_for_the_others(dataset, dvdup):
    put(dataset, "test/again.nii.gz", noisy(1), person=2)
    assert dvdup(dataset.root, "sync", "-q").code == 0
    ran = dvdup(dataset.root, "query", ".", "-f", "json", "--jobs", "1")
    assert ran.code == 1
    found = {
        (pair["a"]["split"], pair["a"]["case"], pair["b"]["case"]) for pair in ran.json["pairs"]
    }
    assert found == {("train", "p02", "test/again"), ("test", "again", "train/p02")}
    assert "more are cases of the index themselves" in ran.stderr


def test_a_query_names_every_case_of_equal_content(dataset, dvdup):
    dataset.put("test/twin.nii.gz", 4)  # byte-equal to train/p04
    put(dataset, "new.nii.gz", noisy(2), person=4)
    assert dvdup(dataset.root, "sync", "-q").code == 0
    ran = dvdup(dataset.root, "query", "new.nii.gz", "-f", "json", "--jobs", "1")
    found = {(pair["a"]["split"], pair["a"]["case"]) for pair in ran.json["pairs"]}
    assert found == {("train", "p04"), ("test", "twin")}


def test_of_many_copies_each_is_found(dataset, dvdup, monkeypatch):
    """Three versions in train take the lead from one another."""
    monkeypatch.delenv("DVDUP_VERIFY_CANDIDATES")
    for n in range(4):
        put(dataset, f"train/copy{n}.nii.gz", noisy(n, 3), person=20)
    put(
        dataset,
        "new.nii.gz",
        lambda values: ndimage.rotate(values, 20, reshape=False, order=1),
        person=20,
    )
    assert dvdup(dataset.root, "sync", "-q").code == 0
    ran = dvdup(dataset.root, "query", "new.nii.gz", "-f", "json", "--jobs", "1")
    assert {pair["a"]["case"] for pair in ran.json["pairs"]} == {f"copy{n}" for n in range(4)}


# Names and ways out


def test_compare_blames_the_right_file(dataset, dvdup, save):
    save(dataset.root / "flat.nii", np.ones((20, 20, 20), np.float32))
    ran = dvdup(dataset.root, "compare", "flat.nii", "train/p01.nii.gz")
    assert (ran.code, "could not check flat.nii" in ran.stdout) == (2, True)
    save(dataset.root / "flat2.nii", np.ones((20, 20, 20), np.float32))
    ran = dvdup(dataset.root, "compare", "flat.nii", "flat2.nii")
    assert "flat.nii and" in ran.stdout.splitlines()[0]
    assert "flat2.nii" in ran.stdout.splitlines()[0]


def test_no_absolute_path_in_a_report(dataset, dvdup, tmp_path):
    ours = dataset.root / "train/p01.nii.gz"
    theirs = tmp_path / "elsewhere"
    theirs.mkdir()
    (theirs / "p01.nii.gz").write_bytes(ours.read_bytes())
    (theirs / "p03.nii.gz").write_bytes(ours.read_bytes())
    for other, names in (
        (theirs / "p03.nii.gz", ["p01.nii.gz", "p03.nii.gz"]),
        (theirs / "p01.nii.gz", ["train/p01.nii.gz", "elsewhere/p01.nii.gz"]),
        ("train/p03.nii.gz", ["p01.nii.gz", "train/p03.nii.gz"]),
    ):
        ran = dvdup(dataset.root, "compare", ours, other, "-f", "json")
        assert [ref["ref"] for ref in ran.json["refs"]] == names
        assert str(tmp_path) not in ran.stdout


def test_a_report_never_overwrites_a_scan(dataset, dvdup):
    before = (dataset.root / "test/p14.nii.gz").read_bytes()
    assert dvdup(dataset.root, "check", "-q", "-o", "test/p14.nii.gz").code == 2
    assert (dataset.root / "test/p14.nii.gz").read_bytes() == before


def test_a_dash_is_stdout(dataset, dvdup):
    plain = dvdup(dataset.root, "check", "-q", "-f", "json")
    assert dvdup(dataset.root, "check", "-q", "-f", "json", "-o", "-").stdout == plain.stdout
    assert not (dataset.root / "-").exists()


@pytest.mark.parametrize("args", [("--help",), ("diff", "train", "test"), ("status",)])
def test_a_closed_pipe_is_no_finding(dataset, dvdup, args):
    """A reader that stops early must not make a clean run look like a leak."""
    assert dvdup(dataset.root, "sync", "-q").code == 0
    script = shutil.which("dvdup", path=str(Path(sys.executable).parent)) or "dvdup"
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [script, *args], cwd=dataset.root, stdout=writer, stderr=subprocess.PIPE, check=False
        )
    finally:
        os.close(writer)
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr


def test_an_empty_split_is_refused(dataset, dvdup):
    ran = dvdup(dataset.root, "add", "train", "--split", "")
    assert (ran.code, "--split is empty" in ran.stderr) == (2, True)


def test_a_picture_of_show_does_not_become_a_case(dataset, dvdup):
    assert dvdup(dataset.root, "sync", "-q").code == 0
    ran = dvdup(dataset.root / "train", "show", "train/p00", "train/p01")
    assert ran.code == 0
    assert (dataset.root / "train_p00-train_p01.png").is_file()
    assert not list((dataset.root / "train").glob("*.png"))


# Files that do not say how large they are


def test_a_resized_picture_and_a_resized_array_are_found(tmp_path, dvdup, phantom, monkeypatch):
    monkeypatch.delenv("DVDUP_VERIFY_CANDIDATES")
    values = ndimage.zoom(phantom(3), 3, order=1)[:, :, 50]
    grey = np.clip(values / values.max() * 255, 0, 255).astype(np.uint8)
    picture = Image.fromarray(grey)
    picture.save(tmp_path / "a.png")
    picture.resize((224, 190), Image.Resampling.BICUBIC).save(tmp_path / "b.png")
    np.save(tmp_path / "a.npy", phantom(5))
    np.save(tmp_path / "b.npy", ndimage.zoom(phantom(5), 0.5, order=1))
    np.save(tmp_path / "c.npy", ndimage.zoom(phantom(6), 0.5, order=1))
    for one, other, code in (("a.png", "b.png", 1), ("a.npy", "b.npy", 1), ("a.npy", "c.npy", 0)):
        ran = dvdup(tmp_path, "compare", one, other, "-f", "json")
        assert ran.code == code, (one, other)
        if code:
            assert "resized to" in ran.json["pairs"][0]["reason"]
            shown = dvdup(tmp_path, "show", one, other, "--no-picture")
            assert "near (confidence" in shown.stdout


def test_missing_slices_are_told_in_the_json(tmp_path, phantom, dvdup, monkeypatch):
    """A series with a gap is compared all the same, and a program is told as the user is."""
    monkeypatch.setenv("DVDUP_EMBEDDER", "thumbnail")
    for number, name in enumerate(("train/a", "test/b")):
        (tmp_path / name).mkdir(parents=True)
        volume = phantom(number, (16, 20, 20)).astype(np.int16)
        uid = f"1.2.826.0.1.3680043.8.498.{number + 10}"
        write_series(tmp_path / name, volume, SeriesInstanceUID=uid, PatientID=f"P-{number}")
    (tmp_path / "test/b/s007.dcm").unlink()
    expected = {"case": "b", "split": "test"}
    for command in (("check",), ("diff", "train", "test"), ("check", "-q")):
        ran = dvdup(tmp_path, *command, "-f", "json")
        assert ran.code == 0
        (told,) = ran.json["notes"]
        assert "missing slices: 1 between" in told.pop("note")
        assert told == expected


def test_that_it_was_looked_inside_the_splits_is_said(dataset, dvdup):
    ran = dvdup(dataset.root, "check", "--within", "-q")
    assert ran.code == 0
    assert "neither between splits nor within one." in ran.stdout
    assert "neither" not in dvdup(dataset.root, "check", "-q").stdout
    shutil.copy(dataset.root / "train/p03.nii.gz", dataset.root / "train/again.nii.gz")
    ran = dvdup(dataset.root, "check", "--within", "-q")
    assert ran.code == 1
    assert "No copy found between splits." in ran.stdout
    assert "No copies found within test." in ran.stdout
