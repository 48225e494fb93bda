"""Split folders: which folder is which split, what becomes a case, what is left out."""

from __future__ import annotations

import os

import pytest

from dvdup.errors import ConfigError, InputError


@pytest.mark.parametrize(
    ("folders", "splits"),
    [
        (("train", "test"), {"train", "test"}),
        (("Training", "Validation"), {"Training", "Validation"}),
        (("images/train", "images/test"), {"train", "test"}),
        (("fold_0", "fold_1"), {"fold_0", "fold_1"}),
        (("train_set", "holdout"), {"train_set", "holdout"}),
    ],
)
def test_split_folders_are_known_by_name(touch, found, folders, splits):
    touch(*(f"{folder}/a.nii.gz" for folder in folders))
    cases, _ = found()
    assert {split for split, _ in cases} == splits


def test_ids_are_paths_below_the_split(touch, found):
    touch("train/p1/t1.nii.gz", "train/p2/t1.nii.gz", "test/p1/t1.nii.gz")
    cases, _ = found()
    assert list(cases) == [("test", "p1/t1"), ("train", "p1/t1"), ("train", "p2/t1")]
    assert cases[("train", "p1/t1")] == ("train/p1/t1.nii.gz",)


def test_a_plain_folder_is_no_part_of_the_id(touch, found):
    touch("train/images/a.nii.gz", "test/images/b.nii.gz")
    assert list(found()[0]) == [("test", "b"), ("train", "a")]


def test_label_maps_never_become_cases(touch, found):
    touch(
        *("train/a.nii.gz", "train/a_seg.nii.gz", "train/labels/a.nii.gz", "train/mask.nii.gz"),
        *("test/b.nii.gz", "labelsTr/a.nii.gz", "notes/readme.txt"),
    )
    cases, left = found()
    assert list(cases) == [("test", "b"), ("train", "a")]
    assert {"train/a_seg.nii.gz", "train/labels/", "train/mask.nii.gz", "labelsTr/"} <= set(left)


def test_include_and_exclude(touch, found):
    touch("train/a.nii.gz", "train/a.png", "train/old/b.nii.gz", "train/c_seg.nii.gz")
    touch("test/d.nii.gz")
    cases, left = found(include=("*.nii.gz",), exclude=("old/", "!c_seg.nii.gz"))
    assert list(cases) == [("test", "d"), ("train", "a"), ("train", "c_seg")]
    assert left["train/a.png"] == "not in dataset.include"
    assert left["train/old/b.nii.gz"] == "excluded by old/"


def test_hidden_and_unknown_files_are_named(touch, found):
    touch("train/a.nii.gz", "train/._a.nii.gz", "train/notes.txt", "test/b.nii.gz")
    _, left = found()
    assert left["train/._a.nii.gz"] == "hidden"
    assert "no reader for .txt" in left["train/notes.txt"]


def test_declared_splits_take_folders_files_and_patterns(touch, found):
    touch("old/a.nii.gz", "old/b.nii.gz", "new/c.nii.gz", "extra/d.nii.gz")
    cases, _ = found(splits={"train": ("old", "extra/d.nii.gz"), "test": ("n*/*.nii.gz",)})
    assert list(cases) == [("test", "new/c"), ("train", "extra/d"), ("train", "old/a"),
                           ("train", "old/b")]  # fmt: skip


def test_a_declared_place_must_exist(touch, found):
    touch("old/a.nii.gz")
    with pytest.raises(ConfigError, match="no such file or folder"):
        found(splits={"train": ("odl",)})


def test_an_empty_split_is_an_error(touch, found):
    touch("train/a.nii.gz", "test/notes.txt")
    with pytest.raises(InputError, match="split test has no scan"):
        found()


def test_two_scans_of_one_id(touch, found):
    touch("train/a.nii.gz", "train/a.nrrd", "test/b.nii.gz")
    with pytest.raises(InputError, match=r"a\.nii\.gz and train/a\.nrrd both are case a"):
        found()


def test_groups_from_the_path(touch, declared):
    touch("train/sub-01/a.nii.gz", "train/other.nii.gz", "test/sub-01/b.nii.gz")
    cases = declared(group="(sub-[0-9]+)").cases
    assert [case.group for case in cases] == ["sub-01", None, "sub-01"]


def test_a_link_round_in_a_circle_ends(touch, tmp_path, found):
    touch("train/a.nii.gz", "test/b.nii.gz")
    os.symlink(tmp_path / "train", tmp_path / "train/again", target_is_directory=True)
    cases, left = found()
    assert list(cases) == [("test", "b"), ("train", "a")]
    assert left["train/again/"] == "a link back to a folder above it"


def test_a_broken_link_is_a_case(touch, tmp_path, found):
    touch("train/a.nii.gz", "test/b.nii.gz")
    (tmp_path / "train/gone.nii.gz").symlink_to("nowhere")
    assert ("train", "gone") in found()[0]


def test_header_and_voxel_file_are_one_case(touch, found):
    touch("train/a.hdr", "train/a.img", "test/b.nii")
    assert found()[0][("train", "a")] == ("train/a.hdr", "train/a.img")
