"""Split folders: which folder is which split, what becomes a case, what is left out."""

from __future__ import annotations

import os

import pytest

from dvdup import discover
from dvdup.config import DatasetConfig
from dvdup.errors import ConfigError, InputError, Interrupted
from dvdup.sealed import nowhere
from dvdup.workspace import readers_as_formats


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
    assert left["train/notes.txt"] == "text or document (.txt)"


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


def test_two_scans_that_differ_in_their_suffix_keep_it(touch, found):
    touch("train/a.nii.gz", "train/a.nrrd", "train/b.hdr", "train/b.img", "train/sub/a.nii")
    touch("test/a.nii.gz", "test/Y92.jpg", "test/Y92.png")
    assert sorted(found()[0]) == [
        *(("test", "Y92.jpg"), ("test", "Y92.png"), ("test", "a")),
        *(("train", "a.nii.gz"), ("train", "a.nrrd"), ("train", "b"), ("train", "sub/a")),
    ]


def test_two_scans_of_one_id(touch, found):
    touch("train/e\u0301.nii", "train/\u00e9.nii", "test/b.nii.gz")  # one name in two spellings
    with pytest.raises(InputError, match=r"\.nii and train/.*\.nii both are case"):
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


@pytest.mark.parametrize(
    "name",
    [
        *("a.he5", "a.tar", "a.nii.bz2", "a.mnc", "a.webm", "a.unheard-of", "a.dcm.gz", "a.mat"),
        *("a.nii.gz.bak", "a.npy.gz", "a.img", "a.raw", "IM0001", "1.2.840.1", "notes"),
    ],
)
def test_what_is_not_known_is_a_case(touch, found, name):
    touch("train/a.nii.gz", "test/b.nii.gz", f"test/sub/{name}", "test/sub/c.nii.gz")
    cases, _ = found()
    (key,) = (key for key, files in cases.items() if files == (f"test/sub/{name}",))
    assert key[0] == "test"
    assert key[1].endswith(name) or key[1] == "sub"


@pytest.mark.parametrize(
    "name",
    [
        *("a.txt", "a.JSON", "a.tsv.gz", "a.bval", "a.sha256", "README", "LICENSE", "Thumbs.db"),
        *("DICOMDIR", "a.ipynb", "a.stl", "lh.white.gii", "Makefile", "a.nii.gz.lock", ".hidden"),
    ],
)
def test_what_is_known_is_no_case(touch, found, name):
    touch("train/a.nii.gz", "test/b.nii.gz", f"test/{name}")
    cases, left = found()
    assert list(cases) == [("test", "b"), ("train", "a")]
    assert f"test/{name}" in left


@pytest.mark.parametrize("marker", [".zgroup", ".zarray", "zarr.json"])
def test_a_zarr_folder_is_one_case(touch, found, marker):
    touch("train/a.nii.gz", f"test/scan/{marker}", "test/scan/0/0.0", "test/b.ome.zarr/c/0")
    cases, _ = found()
    assert cases[("test", "scan")] == ("test/scan",)
    assert cases[("test", "b.ome")] == ("test/b.ome.zarr",)
    assert len(cases) == 3


def test_dvc_pointers_stand_for_their_content(touch, found):
    touch("train/a.nii.gz", "train/a.nii.gz.dvc", "train/b.nii.gz.dvc", "train/batch1.dvc")
    touch("train/labels.dvc", "train/b_seg.nii.gz.dvc", "train/list.csv.dvc", "test.dvc")
    cases, left = found()
    assert cases == {
        ("train", "a"): ("train/a.nii.gz",),
        ("train", "b"): ("train/b.nii.gz",),
        ("train", "batch1"): ("train/batch1",),
        ("test", "test"): ("test",),
    }
    assert left["train/a.nii.gz.dvc"] == "side-car (.dvc)"


def test_splits_that_are_packed_or_linked_to_nowhere(touch, tmp_path, found):
    touch("train/a.nii.gz", "test.tar.gz", "notes.h5")
    (tmp_path / "val").symlink_to("nowhere")
    cases, _ = found()
    assert sorted(cases) == [("test", "test.tar.gz"), ("train", "a"), ("val", "val")]
    assert sorted(found(exclude=("test.tar.gz",))[0]) == [("train", "a"), ("val", "val")]


def test_a_dataset_that_is_a_pointer_says_so(touch, found):
    touch("data.dvc")
    with pytest.raises(ConfigError, match="data is not here; bring it with `dvc pull data`"):
        found()


def test_an_empty_submodule_is_a_case(touch, tmp_path, found):
    touch("train/a.nii.gz", "test/b.nii.gz")
    (tmp_path / "train/site").mkdir()
    (tmp_path / "train/empty").mkdir()
    (tmp_path / ".gitmodules").write_text('[submodule "s"]\n\tpath = train/site\n\turl = x\n')
    assert ("train", "site") in found()[0]
    assert ("train", "empty") not in found()[0]


@pytest.mark.parametrize(
    "name",
    [
        *("a_msk.nii.gz", "labels-0.nii.gz", "a-seg001.nii.gz", "a_mask1.png", "segm.nii.gz"),
        *("21_manual1.gif", "a_roi.nii.gz", "a_lesion.nii.gz", "a_pred.nii.gz", "wmparc.mgz"),
        *("lh.ribbon.mgz", "seg-lungs/a.nii.gz", "a_masks/1.png", "MASKS_DICOM/a/IM0"),
        *("LABELLED_DICOM/IM0", "liverMask/1.png", "gt_segmentations/1.png", "predictions/1.png"),
    ],
)
def test_names_of_label_maps(touch, found, name):
    touch("train/a.nii.gz", "test/b.nii.gz", f"test/{name}")
    assert list(found()[0]) == [("test", "b"), ("train", "a")]


@pytest.mark.parametrize(
    "name",
    [
        *("lesion_study_t1.nii.gz", "mask_study/a.nii.gz", "unlabeled/a.nii.gz", "segway.nii.gz"),
        *("labeled_data/a.nii.gz", "tumor_segmentation/t1.nii.gz", "manually.nii.gz"),
    ],
)
def test_names_of_scans(touch, found, name):
    touch("train/a.nii.gz", "test/b.nii.gz", f"test/{name}")
    assert len(found()[0]) == 3


def test_a_label_map_without_a_scan_beside_it_is_told(touch, found):
    touch("train/a.nii.gz", "train/a_seg.nii.gz", "test/b.nii.gz", "test/q7/q7_mask.nii.gz")
    _, left = found()
    assert left["test/q7/q7_mask.nii.gz"].endswith("with no scan beside it")
    assert left["train/a_seg.nii.gz"] == "label map (*[_-]seg.*)"


def test_code_that_is_called_as_a_label_map_may_be_no_scan(touch, found):
    touch("train/a.nii.gz", "test/b.nii.gz", "test/copy_seg.py", "test/roi.csv")
    _, left = found()
    assert left["test/copy_seg.py"] == "label map (*[_-]seg.*)"
    assert left["test/roi.csv"] == "label map (roi.*)"


def test_backslashes_are_part_of_a_name_on_posix(touch, found):
    if os.sep == "/":
        touch("train/a\\b.nii.gz", "train/b.nii.gz", "test/c.nii.gz")
        assert ("train", "a\\b") in found()[0]


def test_a_search_can_be_stopped(touch, tmp_path):
    touch("train/a.nii.gz", "test/b.nii.gz")
    formats, polls = readers_as_formats(nowhere()), iter([False] * 3)
    with pytest.raises(Interrupted, match="stopped while looking for scans"):
        discover.discover(tmp_path, DatasetConfig(), formats, lambda: next(polls, True))
