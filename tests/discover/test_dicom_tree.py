"""Trees of DICOM: with split folders, by pattern, by a table, and without any split."""

from __future__ import annotations

import numpy as np
import pytest
from reader_dicom import write_series


@pytest.fixture
def tree(tmp_path, phantom):
    """Three patients with a study of one series each, as TCIA gives them."""
    for number in (1, 2, 3):
        folder = tmp_path / f"P00{number}/study/series"
        folder.mkdir(parents=True)
        values = phantom(number, (12, 12, 4)).astype(np.int16)
        uid = f"1.2.826.0.1.3680043.8.498.{number}"
        write_series(folder, values, SeriesInstanceUID=uid, PatientID=f"P{number}")
    return tmp_path


def test_without_splits(tree, declared, detect):
    assert [case.key for case in declared().cases] == [
        ("all", f"P00{n}/study/series") for n in (1, 2, 3)
    ]
    seen = detect()
    assert seen.dataset.layout == "dicom"
    assert seen.notes[0] == "found DICOM: 3 scans (3 in all)"
    assert seen.notes[1].startswith("one split, all: nothing says which series are for training")


def test_by_pattern(tree, declared):
    found = declared(layout="dicom", splits={"train": ("P00[12]",), "test": ("P003",)}).cases
    assert [case.split for case in found] == ["test", "train", "train"]


@pytest.mark.parametrize("layout", ["dicom", "auto"])
def test_by_a_table_of_patients(tree, declared, layout):
    (tree / "splits.csv").write_text(
        "PatientID,split\nP001,train\nP002,train\nP003,test\nP9,test\n"
    )
    found = declared(layout=layout, csv="splits.csv").cases
    assert [(case.split, case.group, len(case.files)) for case in found] == [
        ("test", "P003", 12), ("test", "P9", 1), ("train", "P001", 12), ("train", "P002", 12),
    ]  # fmt: skip


def test_a_table_of_patients_is_detected(tree, detect):
    (tree / "splits.csv").write_text("PatientID,split\nP001,train\nP002,train\nP003,test\n")
    assert (detect().dataset.layout, detect().dataset.csv) == ("csv", "splits.csv")


def test_split_folders(tree, declared):
    (tree / "train").mkdir()
    (tree / "test").mkdir()
    for number, split in enumerate(("train", "train", "test"), 1):
        (tree / f"P00{number}").rename(tree / split / f"P00{number}")
    for layout in ("dicom", "auto"):
        assert {case.split for case in declared(layout=layout).cases} == {"train", "test"}
