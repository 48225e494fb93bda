"""Croissant: file objects, file sets, splits from paths, from names and from tables."""

from __future__ import annotations

import json

import pytest

from dvdup.errors import ConfigError, InputError


@pytest.fixture
def croissant(tmp_path):
    """Write a description: croissant(distribution, fields)."""

    def write(distribution, fields=(), name="croissant.json"):
        records = {"@type": "cr:RecordSet", "@id": "images", "field": list(fields)}
        described = {
            "@context": {"@vocab": "https://schema.org/", "cr": "http://mlcommons.org/croissant/"},
            "@type": "sc:Dataset",
            "name": "x",
            "distribution": distribution,
            "recordSet": [records],
        }
        (tmp_path / name).write_text(json.dumps(described), encoding="utf-8")

    return write


def file_set(id_, includes, **more):
    return {"@type": "cr:FileSet", "@id": id_, "includes": includes,
            "encodingFormat": "application/gzip", **more}  # fmt: skip


def split_of(resource, regex=None, *, kind="fileSet", **extract):
    source = {kind: {"@id": resource}, "extract": extract}
    if regex:
        source["transform"] = {"regex": regex}
    return {"@type": "cr:Field", "@id": "images/split", "dataType": ["cr:Split", "sc:Text"],
            "source": source}  # fmt: skip


def test_a_set_whose_split_is_in_the_path(touch, croissant, found, detect):
    touch("data/train2014/a.nii.gz", "data/test2014/b.nii.gz", "data/train2014/a_seg.nii.gz")
    croissant(
        [file_set("files", "data/**/*.nii.gz", excludes="data/old/*")],
        [split_of("files", r"^data/(train|val|test)2014/.*\.nii\.gz$", fileProperty="fullpath")],
    )
    cases, left = found()
    assert cases == {
        ("train", "a"): ("data/train2014/a.nii.gz",),
        ("test", "b"): ("data/test2014/b.nii.gz",),
    }
    assert left["data/train2014/a_seg.nii.gz"] == "label map (*[_-]seg.*)"
    assert detect().notes[0] == "found Croissant, croissant.json: 2 scans (1 in test, 1 in train)"


@pytest.mark.parametrize("regex", ["(", "(train|test", "a{2}{3}**"])
def test_what_is_no_pattern_says_nothing(touch, croissant, found, regex):
    touch("data/train/a.nii.gz", "data/test/b.nii.gz")
    said = [split_of("files", regex, fileProperty="fullpath")]
    croissant([file_set("files", "data/*/*.nii.gz")], said)
    assert set(found(layout="croissant")[0]) == {("test", "b"), ("train", "a")}


def test_a_pattern_that_would_run_for_ever(touch, croissant, found, monkeypatch):
    monkeypatch.setattr("dvdup.discover.patterns.SECONDS", 1.0)
    touch("data/" + "a" * 60 + "!.nii.gz")
    said = [split_of("files", "^data/((a+)+)+$", fileProperty="fullpath")]
    croissant([file_set("files", "data/*.nii.gz")], said)
    with pytest.raises(ConfigError, match="takes more than 1 seconds on the paths of the files"):
        found(layout="croissant")


def test_sets_that_are_named_as_splits(touch, croissant, found):
    touch("x/a.png", "y/b.png")
    croissant([file_set("train-images", "x/*.png"), file_set("test-images", ["y/*.png"])])
    assert list(found()[0]) == [("test", "b"), ("train", "a")]


def test_folders_that_are_named_as_splits(touch, croissant, found):
    touch("files/train/a.png", "files/Test/b.png", "files/c.png")
    croissant([file_set("images", "files/*.png")])
    assert {split for split, _ in found(layout="croissant")[0]} == {"train", "Test", "all"}
    assert {split for split, _ in found()[0]} == {"train", "Test"}  # split folders go first


def test_file_objects(touch, croissant, found):
    touch("train.nii.gz", "down/b.nii.gz", "list.csv")
    croissant([
        {"@type": "cr:FileObject", "@id": "train.nii.gz", "contentUrl": "train.nii.gz"},
        {"@type": "cr:FileObject", "@id": "test-b", "contentUrl": "down/b.nii.gz"},
        {"@type": "cr:FileObject", "@id": "x_test", "contentUrl": "https://x.org/d/gone.nii.gz?x=1"},
        {"@type": "cr:FileObject", "@id": "list.csv", "contentUrl": "list.csv"},
    ])  # fmt: skip
    assert found()[0] == {
        ("train", "train"): ("train.nii.gz",),
        ("test", "down/b"): ("down/b.nii.gz",),
        ("test", "gone"): ("gone.nii.gz",),
    }


def test_what_was_in_archives(touch, croissant, found):
    touch("data/train.zip", "data/train/a.png", "b.png")
    croissant([
        {"@type": "cr:FileObject", "name": "train.zip", "contentUrl": "data/train.zip"},
        {"@type": "cr:FileObject", "@id": "test.zip", "contentUrl": "https://x.org/test.zip"},
        file_set("train-files", "*.png", containedIn="train.zip"),
        file_set("test-files", "b.png", containedIn=[{"@id": "test.zip"}]),
    ])  # fmt: skip
    cases, _ = found(json="croissant.json")
    assert cases == {("train", "a"): ("data/train/a.png",), ("test", "b"): ("b.png",)}


def test_a_set_of_nothing_is_a_case(touch, croissant, found):
    touch("x/a.png")
    croissant([file_set("train", "x/*.png"), file_set("test", "gone/*.png")])
    assert found()[0][("test", "gone/*.png")] == ("gone/*.png",)


def test_a_table_with_a_field_of_splits(touch, croissant, declared):
    touch("scans/a.nii.gz", "scans/b.nii.gz")
    (touch() / "list.csv").write_text(
        "file,patient,usage\nscans/a.nii.gz,p,train\nscans/b.nii.gz,p,test\n"
    )
    croissant(
        [{"@type": "cr:FileObject", "@id": "table", "contentUrl": "list.csv"}],
        [split_of("table", kind="fileObject", column="usage")],
    )
    assert [(case.key, case.group) for case in declared().cases] == [
        (("test", "b"), "p"), (("train", "a"), "p"),
    ]  # fmt: skip
    croissant(
        [{"@type": "cr:FileObject", "@id": "table", "contentUrl": "list.csv"}],
        [split_of("table", kind="fileObject", column="use")],
    )
    with pytest.raises(ConfigError, match=r"names the column use, but list\.csv has file, patient"):
        declared()


def test_series_of_dicom_are_their_folders(touch, croissant, found):
    touch("d/p1/1.dcm", "d/p1/2.dcm", "d/p2/1.dcm")
    said = [split_of("files", r"^d/(p\d)/", fileProperty="fullpath")]
    croissant([file_set("files", "d/**/*.dcm")], said)
    cases, _ = found()
    assert {(split, len(files)) for (split, _), files in cases.items()} == {("p1", 2), ("p2", 1)}


def test_links_round_in_a_circle_end(touch, croissant, found, tmp_path):
    touch("d/a.png", "d/masks/a.png")
    (tmp_path / "d/again").symlink_to(tmp_path / "d", target_is_directory=True)
    croissant([file_set("train", "d/**/*.png")])
    cases, left = found()
    assert list(cases) == [("train", "a")]
    assert left["d/masks/"] == "label maps (masks/)"


def test_no_scans(touch, croissant, found):
    touch("data/x.parquet")
    croissant([file_set("rows", "data/*.parquet", encodingFormat="application/x-parquet")])
    with pytest.raises(InputError, match=r"no file that dvdup reads \(it has application/x-parq"):
        found()


def test_other_json_is_none(touch, found, tmp_path):
    touch("a.nii.gz")
    (tmp_path / "metadata.json").write_text('{"@type": "sc:Person", "distribution": []}')
    with pytest.raises(ConfigError, match="laid out in no way"):
        found()
    with pytest.raises(ConfigError, match="no description as of Croissant"):
        found(layout="croissant")
