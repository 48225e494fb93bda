"""A list a split: texts and tables, as found and as `dataset.splits` names them."""

from __future__ import annotations

import pytest

from dvdup.errors import ConfigError


@pytest.fixture
def scans(touch, tmp_path):
    """Scans, and a way to write a list."""
    touch("scans/a.nii.gz", "scans/b.nii.gz", "scans/p3/c.nii.gz", "scans/p3/d.nii.gz")

    def write(name, *lines):
        (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")

    return write


EVERY = {
    ("train", "a"): ("scans/a.nii.gz",),
    ("test", "b"): ("scans/b.nii.gz",),
}


@pytest.mark.parametrize(
    ("suffix", "head", "line"),
    [
        ("txt", (), "scans/{}.nii.gz"),
        ("txt", ("# comment", ""), "scans/{}.nii.gz 1"),
        ("list", (), "scans/{}.nii.gz\t0"),
        ("csv", (), "scans/{}.nii.gz,0"),
        ("csv", ("image,label",), "scans/{}.nii.gz,0"),
        ("csv", ("image",), "scans/{}.nii.gz"),
        ("csv", ("label;File Name;split",), "0;scans/{}.nii.gz;other"),
        ("jsonl", (), '{{"file_name": "scans/{}.nii.gz", "label": 1}}'),
    ],
)
def test_paths(scans, found, detect, suffix, head, line):
    scans(f"train.{suffix}", *head, line.format("a"))
    scans(f"test.{suffix}", *head, line.format("b"))
    assert found()[0] == EVERY
    seen = detect()
    splits = {"test": (f"test.{suffix}",), "train": (f"train.{suffix}",)}
    assert (seen.dataset.layout, dict(seen.dataset.splits)) == ("lists", splits)
    assert found(splits=splits)[0] == EVERY
    assert found(layout="lists")[0] == EVERY


def test_names_of_cases_and_folders(scans, found):
    scans("train.txt", "a", "p3")
    scans("test.txt", "b")
    assert sorted(found()[0]) == [
        ("test", "scans/b"), ("train", "scans/a"), ("train", "scans/p3/c"),
        ("train", "scans/p3/d"),
    ]  # fmt: skip


def test_what_is_not_there_is_a_case(scans, found):
    scans("train.txt", "scans/a.nii.gz")
    scans("test.txt", "scans/b.nii.gz", "scans/gone.nii.gz", "case_9")
    assert {("test", "gone"), ("test", "case_9")} <= {
        (split, case.rpartition("/")[2]) for split, case in found(layout="lists")[0]
    }


def test_columns_are_told(scans, detect):
    scans("train.csv", "image,patient_id,label", "scans/a.nii.gz,p1,0")
    scans("test.csv", "image,patient_id,label", "scans/b.nii.gz,p1,0")
    assert detect().notes[1] == (
        "test.csv: columns: image for the path, patient_id for the group; not used: label"
    )


def test_tables_of_other_things_are_no_lists(scans, found):
    scans("train.csv", "x,y", "1,2")
    scans("test.csv", "x,y", "1,2")
    with pytest.raises(ConfigError, match="laid out in no way"):
        found()
    with pytest.raises(ConfigError, match=r"train\.csv has no column for the path"):
        found(splits={"train": ("train.csv",), "test": ("scans/b.nii.gz",)})
    with pytest.raises(ConfigError, match=r"test\.csv has no column for the path"):
        found(layout="lists")


def test_no_lists(scans, found):
    with pytest.raises(ConfigError, match=r"no lists such as train\.csv"):
        found(layout="lists")


def test_split_folders_go_before_lists(touch, scans, detect):
    touch("train/a.nii.gz", "test/b.nii.gz")
    scans("train.csv", "image", "train/a.nii.gz")
    scans("test.csv", "image", "test/b.nii.gz")
    assert detect().dataset.layout == "folders"


def test_a_list_beside_folders_and_patterns(scans, found):
    scans("more.txt", "scans/b.nii.gz")
    cases, _ = found(splits={"train": ("more.txt", "scans/a.nii.gz"), "test": ("scans/p3",)})
    assert sorted(cases) == [
        ("test", "c"), ("test", "d"), ("train", "b"), ("train", "scans/a"),
    ]  # fmt: skip


def test_a_list_that_is_no_text(scans, found, tmp_path):
    (tmp_path / "train.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"list train\.txt is no UTF-8 text"):
        found(splits={"train": ("train.txt",)})
