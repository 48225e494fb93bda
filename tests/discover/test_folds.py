"""nnU-Net: folds, `dataset`, version 1; every fold's train is compared with its val."""

from __future__ import annotations

import json
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvdup.discover import folds
from dvdup.errors import ConfigError


@pytest.fixture
def nnunet(touch, tmp_path):
    """A dataset of six cases and two channels: nnunet(folds, folder)."""
    channels = {"channel_names": {"0": "T1", "1": "T2"}, "file_ending": ".nii.gz"}
    touch(*(f"imagesTr/c{n}_{c:04}.nii.gz" for n in range(6) for c in range(2)))
    touch("imagesTs/x_0000.nii.gz", "imagesTs/x_0001.nii.gz", "labelsTr/c0.nii.gz")
    (tmp_path / "dataset.json").write_text(json.dumps(channels))

    def write(found, name="splits_final.json"):
        (tmp_path / name).write_text(json.dumps(found))
        return tmp_path

    return write


def fold(train, val):
    return {"train": [f"c{n}" for n in train], "val": [f"c{n}" for n in val]}


def test_a_case_is_in_the_split_of_the_fold_that_it_validates(nnunet, found):
    nnunet([fold((2, 3, 4), (0, 1)), fold((0, 1, 4), (2, 3))])
    cases, _ = found()
    assert cases == {
        **{("fold_0", f"c{n}"): _files(n) for n in (0, 1)},
        **{("fold_1", f"c{n}"): _files(n) for n in (2, 3)},
        **{("train", f"c{n}"): _files(n) for n in (4, 5)},
        ("test", "x"): ("imagesTs/x_0000.nii.gz", "imagesTs/x_0001.nii.gz"),
    }


def _files(n):
    return tuple(f"imagesTr/c{n}_{c:04}.nii.gz" for c in range(2))


def test_one_fold_is_train_and_val(nnunet, found):
    nnunet([fold((0, 1, 2, 3), (4, 5))])
    splits = {case: split for split, case in found()[0]}
    assert splits == {**dict.fromkeys(("c0", "c1", "c2", "c3"), "train"), "c4": "val", "c5": "val",
                      "x": "test"}  # fmt: skip


def test_a_case_that_a_fold_trains_and_validates_on_is_in_two_splits(nnunet, found):
    nnunet([fold((0, 1, 2), (2, 3)), fold((3,), (0, 1))])
    assert {("fold_0", "c2"), ("train", "c2")} <= set(found()[0])


def test_a_case_of_a_fold_that_is_not_there(nnunet, found):
    nnunet([fold((0, 1), (2, 9))])
    assert found()[0][("val", "c9")] == ("imagesTr/c9_0000.nii.gz",)


def test_folds_are_detected(nnunet, detect):
    nnunet([fold((0, 1, 2), (3, 4, 5)), fold((3, 4, 5), (0, 1, 2))])
    seen = detect()
    assert (seen.dataset.layout, seen.dataset.folds) == ("msd", "splits_final.json")
    assert seen.notes[1] == (
        "splits_final.json: 2 folds of 6 cases; "
        "a case is in the split of the fold that it validates"
    )


def test_folds_among_what_is_preprocessed(tmp_path):
    top = tmp_path / "nnUNet_raw/Dataset001_X"
    file = tmp_path / "nnUNet_preprocessed/Dataset001_X/splits_final.json"
    for folder in (top, file.parent):
        folder.mkdir(parents=True)
    assert folds.detected(str(top)) is None
    file.touch()
    assert folds.detected(str(top)) == "../../nnUNet_preprocessed/Dataset001_X/splits_final.json"


@pytest.mark.parametrize(
    "text", ["{", "{}", "[]", "[1]", '[{"train": []}]', '[{"train": [1], "val": []}]']
)
def test_what_is_no_folds(nnunet, found, tmp_path, text):
    nnunet([])
    (tmp_path / "splits_final.json").write_text(text)
    with pytest.raises(
        ConfigError, match=r"splits_final\.json is (no list of folds|not valid JSON)"
    ):
        found()


def test_folds_that_are_named_and_not_there(nnunet, found):
    nnunet([], "other.json")
    with pytest.raises(ConfigError, match=r"there is no gone\.json"):
        found(layout="msd", folds="gone.json")


def test_a_pickle_is_not_read(nnunet, detect, touch):
    nnunet([], "other.json")
    touch("splits_final.pkl")
    assert "splits_final.pkl is not read" in detect().notes[1]


@given(
    st.lists(
        st.tuples(st.sets(st.integers(0, 6)), st.sets(st.integers(0, 6))), min_size=1, max_size=4
    )
)
def test_whatever_a_fold_parts_lies_in_two_splits(pairs):
    """Every case of a fold's train and every case of its val are compared with one another."""
    found = [{"train": [*map(str, train)], "val": [*map(str, val)]} for train, val in pairs]
    splits = folds._splits(found)
    compared = {
        frozenset((a, b))
        for (a, of_a), (b, of_b) in combinations(splits.items(), 2)
        if any(x != y for x in of_a for y in of_b)
    }
    for each in found:
        for train in each["train"]:
            for val in each["val"]:
                if train == val:
                    assert len(splits[train]) > 1
                else:
                    assert frozenset((train, val)) in compared


def test_dataset_names_images_elsewhere(touch, tmp_path, found):
    touch("other/p1/t1.nii.gz", "other/p1/t2.nii.gz", "imagesTs/x_0000.nii.gz")
    described = {
        "channel_names": {"0": "T1", "1": "T2"},
        "dataset": {
            "p1": {"images": ["other/p1/t1.nii.gz", "other/p1/t2.nii.gz"], "label": "l.nii.gz"},
            "p2": {"images": ["other/p2/t1.nii.gz", "other/p2/t2.nii.gz"], "label": "l.nii.gz"},
        },
    }
    (tmp_path / "dataset.json").write_text(json.dumps(described))
    cases, _ = found()
    assert cases == {
        ("train", "p1"): ("other/p1/t1.nii.gz", "other/p1/t2.nii.gz"),
        ("train", "p2"): ("other/p2/t1.nii.gz", "other/p2/t2.nii.gz"),
        ("test", "x"): ("imagesTs/x_0000.nii.gz", "imagesTs/x_0001.nii.gz"),
    }


def test_dataset_may_name_the_folders_of_nnunet_and_no_other(touch, tmp_path, found, monkeypatch):
    monkeypatch.setenv("nnUNet_raw", str(tmp_path / "raw"))
    monkeypatch.setenv("SECRET", "hidden")
    touch("raw/a.nii.gz")
    images = ["${nnUNet_raw}/a.nii.gz", "$SECRET/b.nii.gz"]
    entries = {f"p{n}": {"images": [image], "label": "x"} for n, image in enumerate(images)}
    (tmp_path / "dataset.json").write_text(json.dumps({"dataset": entries}))
    assert found()[0] == {
        ("train", "p0"): ("raw/a.nii.gz",),
        ("train", "p1"): ("$SECRET/b.nii.gz",),
    }


def test_dataset_alone_is_enough(touch, tmp_path, found):
    touch("imagesTr/a_0000.nii.gz", "imagesTr/b_0000.nii.gz")
    (tmp_path / "imagesTr").rename(tmp_path / "elsewhere")
    entry = {"images": ["elsewhere/a_0000.nii.gz"], "label": "x"}
    described = {"channel_names": {"0": "CT"}, "dataset": {"a": entry}}
    (tmp_path / "dataset.json").write_text(json.dumps(described))
    assert list(found()[0]) == [("train", "a")]


def test_version_1_lists_cases_without_their_channels(touch, tmp_path, found):
    touch(*(f"imagesTr/c{n}_{c:04}.nii.gz" for n in range(2) for c in range(2)))
    described = {
        "modality": {"0": "T1", "1": "T2"},
        "numTraining": 2,
        "training": [{"image": f"./imagesTr/c{n}.nii.gz", "label": "x"} for n in range(3)],
    }
    described["training"].pop()
    (tmp_path / "dataset.json").write_text(json.dumps(described))
    assert found()[0] == {("train", f"c{n}"): _files(n) for n in range(2)}
