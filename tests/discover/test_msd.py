"""Decathlon and nnU-Net folders."""

from __future__ import annotations

import json

import pytest

from dvdup.errors import ConfigError


def test_folders_say_the_split(touch, found):
    touch("imagesTr/hip_001.nii.gz", "imagesTs/hip_002.nii.gz", "labelsTr/hip_001.nii.gz")
    touch("imagesTr/._hip_001.nii.gz")
    cases, _ = found()
    assert cases == {
        ("train", "hip_001"): ("imagesTr/hip_001.nii.gz",),
        ("test", "hip_002"): ("imagesTs/hip_002.nii.gz",),
    }


def test_dataset_json_goes_before_the_folder(touch, tmp_path, found):
    touch(*(f"imagesTr/{name}.nii.gz" for name in "abc"), "imagesTs/d.nii.gz")
    lists = {
        "training": [{"image": "./imagesTr/a.nii.gz", "label": "./labelsTr/a.nii.gz"}],
        "validation": [{"image": "./imagesTr/b.nii.gz"}],
        "test": ["./imagesTs/d.nii.gz"],
    }
    (tmp_path / "dataset.json").write_text(json.dumps(lists))
    cases, _ = found()
    assert sorted(cases) == [("test", "d"), ("train", "a"), ("train", "c"), ("val", "b")]


def test_a_file_listed_twice_is_a_case_of_both_splits(touch, tmp_path, found):
    touch("imagesTr/a.nii.gz", "imagesTr/b.nii.gz")
    lists = {"training": ["imagesTr/a.nii.gz"], "test": ["imagesTr/a.nii.gz"]}
    (tmp_path / "dataset.json").write_text(json.dumps(lists))
    cases, _ = found()
    assert sorted(cases) == [("test", "a"), ("train", "a"), ("train", "b")]


def test_channels_of_nnunet_are_one_case(touch, tmp_path, found):
    touch(*(f"imagesTr/brats_{n}_{c:04}.nii.gz" for n in (1, 2) for c in range(3)))
    (tmp_path / "dataset.json").write_text(
        json.dumps({"channel_names": {"0": "T1", "1": "T2", "2": "FLAIR"}})
    )
    cases, _ = found()
    assert list(cases) == [("train", "brats_1"), ("train", "brats_2")]
    assert cases[("train", "brats_2")] == tuple(f"imagesTr/brats_2_{c:04}.nii.gz" for c in range(3))


@pytest.mark.parametrize("lists", [None, {"modality": {"0": "CT", "1": "PET"}, "numTraining": 2}])
def test_numbered_scans_are_no_channels(touch, tmp_path, found, lists):
    """Only nnU-Net's channel_names make channels of them: one case would hide all the others."""
    touch(*(f"imagesTr/lung_{n:04}.nii.gz" for n in range(3)))
    if lists is not None:
        (tmp_path / "dataset.json").write_text(json.dumps(lists))
    assert list(found()[0]) == [("train", f"lung_{n:04}") for n in range(3)]


def test_one_channel_of_nnunet_is_no_part_of_the_id(touch, tmp_path, found):
    touch("imagesTr/la_003_0000.nii.gz", "imagesTr/la_004_0000.nii.gz", "imagesTr/x_0001.nii.gz")
    (tmp_path / "dataset.json").write_text(json.dumps({"channel_names": {"0": "MRI"}}))
    assert list(found()[0]) == [("train", "la_003"), ("train", "la_004"), ("train", "x_0001")]


def test_a_bad_dataset_json_is_told(touch, tmp_path, found):
    touch("imagesTr/a.nii.gz")
    (tmp_path / "dataset.json").write_text("{")
    with pytest.raises(ConfigError, match="not valid JSON"):
        found()
    (tmp_path / "dataset.json").write_text("[]")
    with pytest.raises(ConfigError, match="no JSON object"):
        found()


def test_the_layout_must_fit(touch, found):
    touch("train/a.nii.gz")
    with pytest.raises(ConfigError, match="imagesTr"):
        found(layout="msd")


def test_a_missing_channel_is_named(touch, tmp_path, found):
    touch("imagesTr/a_0000.nii.gz", "imagesTr/b_0001.nii.gz")
    (tmp_path / "dataset.json").write_text(json.dumps({"channel_names": {"0": "T1", "1": "T2"}}))
    assert found()[0] == {
        ("train", "a"): ("imagesTr/a_0000.nii.gz", "imagesTr/a_0001.nii.gz"),
        ("train", "b"): ("imagesTr/b_0000.nii.gz", "imagesTr/b_0001.nii.gz"),
    }


@pytest.mark.parametrize("counted", [1, 2, 3])
def test_fewer_cases_than_nnunet_counts(touch, tmp_path, found, counted):
    touch("imagesTr/a_0000.nii.gz", "imagesTr/b_0000.nii.gz")
    (tmp_path / "dataset.json").write_text(
        json.dumps({"channel_names": {"0": "T1"}, "numTraining": counted})
    )
    if counted < 3:
        assert len(found()[0]) == 2
    else:
        with pytest.raises(ConfigError, match="numTraining 3, but there are 2 training cases"):
            found()
        assert len(found(exclude=("imagesTr/b*",))[0]) == 1


def test_listed_files_that_are_not_there_are_cases(touch, tmp_path, found):
    touch("imagesTr/a_0000.nii.gz", "more/c.nii.gz")
    lists = {
        "channel_names": {"0": "T1"},
        "training": ["./imagesTr/a.nii.gz", "imagesTr/gone.nii.gz", "more/c.nii.gz"],
        "test": ["imagesTs/d.nii.gz"],
    }
    (tmp_path / "dataset.json").write_text(json.dumps(lists))
    assert sorted(found()[0]) == [
        ("test", "imagesTs/d"), ("train", "a"), ("train", "imagesTr/gone"), ("train", "more/c"),
    ]  # fmt: skip
    cases, left = found(exclude=("imagesTs/",))
    assert ("test", "imagesTs/d") not in cases
    assert left["imagesTs/d.nii.gz"] == "excluded by imagesTs/"


def test_a_folder_of_images_that_is_not_pulled(touch, found):
    touch("imagesTr/a.nii.gz", "imagesTs.dvc")
    assert found()[0][("test", "imagesTs")] == ("imagesTs",)
