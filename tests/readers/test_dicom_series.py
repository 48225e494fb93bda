"""DICOM files grouped into series, and the cache of what was found."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from reader_dicom import UID, dataset, write_series, write_slice

from dvdup import readers
from dvdup.readers import dicom_parts, dicom_series
from dvdup.readers.dicom_series import SeriesCache, group_series
from dvdup.records import Case


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


SAGITTAL = [0.0, 1.0, 0.0, 0.0, 0.0, -1.0]


def parts(folder: Path) -> list[tuple[str, list[str]]]:
    """Whether the part keeps the series' own id, and the names of its files."""
    found = group_series(sorted(folder.iterdir()), SeriesCache())
    assert {dicom_parts.series_of(one.uid) for one in found} == {UID}
    assert len({one.uid for one in found}) == len(found)
    return [("own" if one.uid == UID else "part", [p.name for p in one.files]) for one in found]


def test_a_scout_of_another_size_is_a_scan_of_its_own(tmp_path: Path) -> None:
    write_slice(tmp_path / "a.dcm", np.zeros((5, 7), np.int16), 0)
    write_series(tmp_path, pixels())
    assert parts(tmp_path) == [("part", ["a.dcm"]), ("own", ["s001.dcm", "s002.dcm"])]


def test_the_planes_of_a_localizer_are_scans_of_their_own(tmp_path: Path) -> None:
    write_series(tmp_path, pixels(), "a")
    write_series(tmp_path, pixels(), "b", ImageOrientationPatient=SAGITTAL)
    found = parts(tmp_path)
    assert found == [("own", ["a001.dcm", "a002.dcm"]), ("part", ["b001.dcm", "b002.dcm"])]
    for one in group_series(sorted(tmp_path.iterdir()), SeriesCache()):
        case = Case("train", "c", tuple(p.name for p in one.files), series=one.uid)
        assert readers.read_volume(tmp_path, case).channels[0].size == 24


def test_rounding_of_the_orientation_does_not_split_a_series(tmp_path: Path) -> None:
    for k, tilt in enumerate((4.9e-5, 5.1e-5, 0.0, 1e-4)):
        orientation = [1.0, tilt, 0.0, 0.0, 1.0, 0.0]
        write_slice(tmp_path / f"{k}.dcm", pixels()[0], k, ImageOrientationPatient=orientation)
    assert [name for name, _ in parts(tmp_path)] == ["own"]


def without_position(path: Path, modality: str) -> None:
    one = dataset(pixels()[0])
    one.Modality = modality
    one.save_as(path, enforce_file_format=True)


@pytest.mark.parametrize(("modality", "count"), [("US", 3), ("DX", 3), ("CT", 1), ("MR", 1)])
def test_stills_are_scans_and_slices_are_not(tmp_path: Path, modality: str, count: int) -> None:
    for k in range(3):
        without_position(tmp_path / f"{k}.dcm", modality)
    assert len(parts(tmp_path)) == count


def test_the_ids_of_parts_are_the_same_in_every_run(tmp_path: Path) -> None:
    for k in range(3):
        without_position(tmp_path / f"{k}.dcm", "US")
    files, cache = make_old(tmp_path), SeriesCache()
    first = group_series(files, cache)
    assert group_series(files, cache) == group_series(files[::-1], SeriesCache()) == first
