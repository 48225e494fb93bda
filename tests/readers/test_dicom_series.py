"""DICOM files grouped into series, and the cache of what was found."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from reader_dicom import UID, dataset, write_series

from dvdup import readers
from dvdup.readers import dicom_series
from dvdup.readers.dicom_series import SeriesCache, group_series


def pixels() -> np.ndarray:
    return np.arange(2 * 3 * 4, dtype=np.int16).reshape(2, 3, 4)


def make_old(folder: Path) -> list[Path]:
    """All files, with an mtime far enough back to be trusted."""
    files = sorted(folder.iterdir())
    for path in files:
        os.utime(path, (1_600_000_000, 1_600_000_000))
    return files


def test_two_series_in_one_folder(tmp_path: Path) -> None:
    write_series(tmp_path, pixels(), "b")
    write_series(tmp_path, pixels(), "a", SeriesInstanceUID="1.2.3")
    files = sorted(tmp_path.iterdir())
    found = group_series(files[::-1], SeriesCache())
    assert [(one.uid, [path.name for path in one.files]) for one in found] == [
        ("1.2.3", ["a001.dcm", "a002.dcm"]),
        (UID, ["b001.dcm", "b002.dcm"]),
    ]


def test_other_files_are_left_out(tmp_path: Path) -> None:
    write_series(tmp_path, pixels())
    (tmp_path / "notes.txt").write_text("hello")
    report, labels = dataset(pixels()[0]), dataset(pixels()[0])
    for name in ("Rows", "Columns", "PixelData"):
        delattr(report, name)
    labels.Modality = "SEG"
    report.save_as(tmp_path / "report.dcm", enforce_file_format=True)
    labels.save_as(tmp_path / "labels.dcm", enforce_file_format=True)
    found = group_series(list(tmp_path.iterdir()), SeriesCache())
    assert [[path.name for path in one.files] for one in found] == [["s001.dcm", "s002.dcm"]]


def test_bad_files_named_as_dicom_are_not_lost(tmp_path: Path) -> None:
    write_series(tmp_path, pixels())
    (tmp_path / "empty.dcm").write_bytes(b"")
    (tmp_path / "pointer.DCM").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    found = group_series(list(tmp_path.iterdir()), SeriesCache())
    assert [(one.uid, [path.name for path in one.files]) for one in found] == [
        ("", ["empty.dcm", "pointer.DCM"]),
        (UID, ["s001.dcm", "s002.dcm"]),
    ]


def test_files_without_suffix(tmp_path: Path) -> None:
    names = write_series(tmp_path, pixels())
    for number, name in enumerate(names):
        (tmp_path / name).rename(tmp_path / f"IM{number}")
    found = group_series(list(tmp_path.iterdir()), SeriesCache())
    assert [path.name for path in found[0].files] == ["IM0", "IM1"]
    assert readers.maybe_dicom(tmp_path / "IM0")
    assert not readers.maybe_dicom(tmp_path / "gone")
    assert readers.maybe_dicom(tmp_path / "gone.dcm")


def test_unchanged_files_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, cache = tmp_path / "data", tmp_path / "cache"
    data.mkdir()
    write_series(data, pixels())
    files = make_old(data)
    expected = readers.series_finder(cache)(data, files)

    def refuse(*_: object) -> None:
        raise AssertionError("a file was opened")

    monkeypatch.setattr(dicom_series, "read_header", refuse)
    assert readers.series_finder(cache)(data, files) == expected
    os.utime(files[0], (1_600_000_001, 1_600_000_001))
    with pytest.raises(AssertionError):
        readers.series_finder(cache)(data, files)


def test_fresh_files_are_not_remembered(tmp_path: Path) -> None:
    """A file written this second may change again without a trace in its mtime."""
    write_series(tmp_path, pixels())
    cache = SeriesCache()
    group_series(list(tmp_path.iterdir()), cache)
    assert cache.entries == {}


@pytest.mark.parametrize("kept", ["", "[1]", "{", '{"s001.dcm": 3}', '{"s001.dcm": [1, 2, 3, 4]}'])
def test_damaged_cache_is_ignored(tmp_path: Path, kept: str) -> None:
    data, cache = tmp_path / "data", tmp_path / "cache"
    data.mkdir()
    write_series(data, pixels())
    files = make_old(data)
    expected = readers.series_finder(cache)(data, files)
    next(cache.iterdir()).write_text(kept)
    assert readers.series_finder(cache)(data, files) == expected


def test_cache_keeps_no_patient_tag(tmp_path: Path) -> None:
    data, cache = tmp_path / "data", tmp_path / "cache"
    data.mkdir()
    write_series(data, pixels())
    readers.series_finder(cache)(data, make_old(data))
    text = "".join(path.read_text() for path in cache.iterdir())
    assert UID in text
    assert "Doe" not in text
    assert "secret" not in text


def test_without_a_place_for_the_cache(tmp_path: Path) -> None:
    data, cache = tmp_path / "data", tmp_path / "cache"
    data.mkdir()
    cache.write_text("a file is in the way")
    write_series(data, pixels())
    assert len(readers.series_finder(cache)(data, make_old(data))) == 1
