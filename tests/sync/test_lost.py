"""Splits and folders that are not there: what is refused, what is told, what is a rename."""

from __future__ import annotations

import pytest


@pytest.fixture
def checked(dataset, dvdup):
    dataset.put("val/p20.nii.gz", 20)
    dataset.put("val/p21.nii.gz", 21)
    assert dvdup(dataset.root, "check", "-q").code == 0
    return dataset


def refused(ran) -> bool:
    return ran.code == 2 and "bring them back" in ran.stderr


def away(dataset, split="val"):
    return (dataset.root / split).rename(dataset.root.parent / f"{split} away")


@pytest.mark.parametrize("into", ["train", "test", "extra"])
def test_new_scans_elsewhere_do_not_hide_a_split_that_went(checked, dvdup, into):
    away(checked)
    checked.put(f"{into}/p22.nii.gz", 22)
    checked.put(f"{into}/p23.nii.gz", 23)
    ran = dvdup(checked.root, "check")
    assert refused(ran)
    assert "val was in the index with 2 cases" in ran.stderr


def test_a_split_that_went_is_not_excused_by_its_copies_in_another_one(checked, dvdup):
    """Else the very leak would make the split pass for moved."""
    away(checked)
    checked.put("train/one.nii.gz", 20)
    checked.put("train/two.nii.gz", 21)
    assert refused(dvdup(checked.root, "check"))


@pytest.mark.parametrize("more", [0, 3])
def test_a_split_may_be_renamed(checked, dvdup, more):
    (checked.root / "val").rename(checked.root / "valid")
    if more:
        checked.put("valid/p22.nii.gz", 22)
    ran = dvdup(checked.root, "check")
    assert ran.code == 0, ran.stderr


def test_two_splits_may_be_swapped(checked, dvdup):
    (checked.root / "val").rename(checked.root / "x")
    (checked.root / "test").rename(checked.root / "val")
    (checked.root / "x").rename(checked.root / "test")
    assert dvdup(checked.root, "check").code == 0


def test_half_of_a_split_that_went_is_told(checked, dvdup):
    for n in range(7):
        (checked.root / f"train/p{n:02}.nii.gz").unlink()
    ran = dvdup(checked.root, "check", "-q")
    assert "7 of 14 cases of train have gone, such as train/p00.nii.gz" in ran.stderr


def test_a_folder_that_went_is_told(checked, dvdup):
    checked.put("train/site/p22.nii.gz", 22)
    assert dvdup(checked.root, "check", "-q").code == 0
    (checked.root / "train/site/p22.nii.gz").unlink()
    (checked.root / "train/site").rmdir()
    assert "gone with the folder train/site" in dvdup(checked.root, "check", "-q").stderr


def test_a_file_that_went_is_daily_work(checked, dvdup):
    (checked.root / "train/p00.nii.gz").unlink()
    assert dvdup(checked.root, "check", "-q").stderr == ""


def test_an_indexed_split_that_is_excluded_is_told(checked, dvdup):
    with (checked.root / "dvdup.toml").open("a", encoding="utf-8") as stream:
        stream.write('exclude = ["val/"]\n')
    ran = dvdup(checked.root, "check", "-q")
    assert ran.code == 0
    assert "val is no part of the dataset any more" in ran.stderr


@pytest.mark.parametrize("how", ["excluded", "named alone", "the only folder", "removed"])
def test_one_split_is_not_clean(dataset, dvdup, how):
    assert dvdup(dataset.root, "check", "-q").code == 0
    toml = dataset.root / "dvdup.toml"
    if how == "excluded":
        toml.write_text(toml.read_text(encoding="utf-8") + 'exclude = ["test/"]\n', "utf-8")
    elif how == "named alone":
        text = toml.read_text(encoding="utf-8")
        toml.write_text(text + '[dataset.splits]\ntrain = "train"\n', "utf-8")
    else:
        away(dataset, "test")
        assert refused(dvdup(dataset.root, "check"))
        assert dvdup(dataset.root, "rm", "test/*", "-q").code == 0
    ran = dvdup(dataset.root, "check")
    assert ran.code == 2
    assert "only one split, train: there is nothing to compare it with" in ran.stderr
    assert dvdup(dataset.root, "check", "--within", "-q").code == 0
