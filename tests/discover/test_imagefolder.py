"""Metadata beside the pictures of split folders, as of Hugging Face; class folders."""

from __future__ import annotations

import json

import pytest


def test_class_folders_of_pictures(touch, found):
    touch("train/yes/a.png", "train/no/b.jpg", "test/yes/c.png", "test/no/c.png")
    assert list(found()[0]) == [
        ("test", "no/c"), ("test", "yes/c"), ("train", "no/b"), ("train", "yes/a"),
    ]  # fmt: skip


@pytest.fixture
def metadata(touch, tmp_path):
    """Two split folders, and a way to write the metadata of one."""
    touch("data/train/a.png", "data/train/b.png", "data/test/sub/c.png")

    def write(split, name, rows):
        path = tmp_path / "data" / split / name
        if name.endswith(".jsonl"):
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        elif name.endswith(".parquet"):
            import pyarrow as pa
            from pyarrow import parquet

            parquet.write_table(pa.Table.from_pylist(rows), path)
        else:
            lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
            path.write_text("\n".join(lines) + "\n")

    return write


@pytest.mark.parametrize("name", ["metadata.csv", "metadata.jsonl", "metadata.parquet"])
def test_subjects_and_missing_files(metadata, declared, detect, name):
    metadata("train", name, [
        {"file_name": "a.png", "patient_id": 7, "label": 0},
        {"file_name": "gone.png", "patient_id": 8, "label": 0},
    ])  # fmt: skip
    metadata("test", name, [{"file_name": "sub/c.png", "patient_id": 7, "label": 1}])
    assert {case.key: (case.files[0], case.group) for case in declared().cases} == {
        ("train", "a"): ("data/train/a.png", "7"),
        ("train", "b"): ("data/train/b.png", None),
        ("train", "gone"): ("data/train/gone.png", "8"),
        ("test", "sub/c"): ("data/test/sub/c.png", "7"),
    }
    notes = detect().notes
    assert notes[0] == "found split folders: 3 scans (1 in test, 2 in train)"
    assert f"data/train/{name}: 2 files; patient_id for the group" in notes
    assert any(note.startswith("not here: data/train/gone.png") for note in notes)


def test_excluded_files_are_not_missed(metadata, found):
    metadata("train", "metadata.csv", [{"file_name": "gone.png"}])
    assert ("train", "gone") in found()[0]
    assert ("train", "gone") not in found(exclude=("gone.png",))[0]


def test_other_metadata(metadata, found):
    metadata("train", "metadata.csv", [{"age": 1, "sex": "f"}])
    assert len(found()[0]) == 3
