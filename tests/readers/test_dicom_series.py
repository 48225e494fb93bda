"""DICOM files grouped into series, and the cache of what was found."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pydicom
import pytest
from reader_dicom import UID, dataset, write_series, write_slice

from dvdup import readers
from dvdup.errors import PointerError, ReadError
from dvdup.readers import dicom_series
from dvdup.readers.dicom_series import SeriesCache, group_series
from dvdup.records import Case, DicomFolder
from dvdup.sealed import SealedFiles


def pixels() -> np.ndarray:
    return np.arange(2 * 3 * 4, dtype=np.int16).reshape(2, 3, 4)


def names(found: DicomFolder) -> list[list[str]]:
    """The files of each series."""
    return [[path.name for path in one.files] for one in found.series]


def found_in(folder: Path) -> DicomFolder:
    return group_series(sorted(folder.iterdir()), SeriesCache())


def cached(cache: Path, data: Path, files: list[Path], key: bytes = b"k") -> DicomFolder:
    """As discovery asks, with what earlier runs found."""
    return readers.series_finder(SealedFiles(cache, lambda: key))(data, files, lambda: None)


def make_old(folder: Path) -> list[Path]:
    """All files, with an mtime far enough back to be trusted."""
    files = sorted(folder.iterdir())
    for path in files:
        os.utime(path, (1_600_000_000, 1_600_000_000))
    return files


def test_two_series_in_one_folder(tmp_path: Path) -> None:
    write_series(tmp_path, pixels(), "b")
    write_series(tmp_path, pixels(), "a", SeriesInstanceUID="1.2.3")
    found = group_series(sorted(tmp_path.iterdir())[::-1], SeriesCache())
    assert names(found) == [["a001.dcm", "a002.dcm"], ["b001.dcm", "b002.dcm"]]
    assert len({one.series for one in found.series}) == 2


def test_other_files_are_left_out(tmp_path: Path) -> None:
    write_series(tmp_path, pixels())
    (tmp_path / "notes.txt").write_text("hello")
    report, labels = dataset(pixels()[0]), dataset(pixels()[0])
    for name in ("Rows", "Columns", "PixelData"):
        delattr(report, name)
    labels.Modality = "SEG"
    report.SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.11"
    report.save_as(tmp_path / "report.dcm", enforce_file_format=True)
    labels.save_as(tmp_path / "labels.dcm", enforce_file_format=True)
    found = found_in(tmp_path)
    assert names(found) == [["s001.dcm", "s002.dcm"]]
    assert [path.name for path in found.no_image] == ["labels.dcm", "report.dcm"]
    assert [path.name for path in found.foreign] == ["notes.txt"]


def test_bad_files_named_as_dicom_are_not_lost(tmp_path: Path) -> None:
    write_series(tmp_path, pixels())
    (tmp_path / "empty.dcm").write_bytes(b"")
    (tmp_path / "pointer.DCM").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    found = found_in(tmp_path)
    assert [path.name for path in found.broken] == ["empty.dcm", "pointer.DCM"]
    assert names(found) == [["s001.dcm", "s002.dcm"]]


def test_bad_files_are_told_with_counts_and_the_command(tmp_path: Path) -> None:
    for k in range(3):
        (tmp_path / f"IM{k}").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    (tmp_path / "IM3").touch()
    case = Case("test", "a", tuple(f"IM{k}" for k in range(4)), series="")
    with pytest.raises(PointerError, match=r"IM0 and 2 more: .*git lfs pull`; also IM3: .*empty"):
        readers.read_volume(tmp_path, case)


@pytest.mark.parametrize("size", [140, 300, 420])
def test_a_file_that_ends_before_its_image_is_broken(tmp_path: Path, size: int) -> None:
    (name,) = write_series(tmp_path, pixels()[:1])
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).rename(tmp_path / "IM0")
    (tmp_path / "IM1").write_bytes(whole[:size])
    found = found_in(tmp_path)
    assert ([path.name for path in found.broken], names(found)) == (["IM1"], [["IM0"]])
    with pytest.raises(ReadError, match="IM1"):
        readers.read_volume(tmp_path, Case("test", "a", ("IM1",), series=""))


def without_preamble(path: Path, *, implicit: bool = False, **tags: str) -> None:
    one = dataset(pixels()[0])
    for name, value in tags.items():
        setattr(one, name, value)
    if "Modality" in tags:
        for name in ("Rows", "Columns", "PixelData"):
            delattr(one, name)
    pydicom.dcmwrite(path, pydicom.Dataset(one), implicit_vr=implicit, little_endian=True)


@pytest.mark.parametrize("implicit", [True, False])
def test_dicom_without_preamble_and_suffix(tmp_path: Path, implicit: bool) -> None:
    without_preamble(tmp_path / "IM0", implicit=implicit)
    assert names(found_in(tmp_path)) == [["IM0"]]


@pytest.mark.parametrize("modality", ["RTSTRUCT", "SR", "RTPLAN", "ECG"])
def test_objects_without_an_image_and_without_preamble(tmp_path: Path, modality: str) -> None:
    without_preamble(tmp_path / "a.dcm", Modality=modality)
    found = found_in(tmp_path)
    assert ([path.name for path in found.no_image], found.broken) == (["a.dcm"], ())


@pytest.mark.parametrize("uid", ["", "1.2.3"])
def test_radiographs_of_no_series_are_scans_of_their_own(tmp_path: Path, uid: str) -> None:
    for k in range(3):
        without_position(tmp_path / f"{k}.dcm", "MR", SeriesInstanceUID=uid)
    assert names(found_in(tmp_path)) == [["0.dcm"], ["1.dcm"], ["2.dcm"]]


def test_a_stack_of_no_series_is_one_scan(tmp_path: Path) -> None:
    write_series(tmp_path, pixels(), SeriesInstanceUID="")
    assert names(found_in(tmp_path)) == [["s001.dcm", "s002.dcm"]]


def test_one_series_uid_in_two_studies(tmp_path: Path) -> None:
    write_series(tmp_path, pixels(), "a", StudyInstanceUID="1.2.840.1")
    write_series(tmp_path, pixels(), "b", StudyInstanceUID="1.2.840.2")
    assert names(found_in(tmp_path)) == [["a001.dcm", "a002.dcm"], ["b001.dcm", "b002.dcm"]]


def test_nothing_but_a_regular_file_is_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "IM0")
    (tmp_path / "IM1").symlink_to("/dev/zero")
    found = found_in(tmp_path)
    assert [path.name for path in found.foreign] == ["IM0", "IM1"]


def test_files_without_suffix(tmp_path: Path) -> None:
    for number, name in enumerate(write_series(tmp_path, pixels())):
        (tmp_path / name).rename(tmp_path / f"IM{number}")
    assert names(found_in(tmp_path)) == [["IM0", "IM1"]]
    assert readers.maybe_dicom(tmp_path / "IM0")
    assert not readers.maybe_dicom(tmp_path / "gone")
    assert readers.maybe_dicom(tmp_path / "gone.dcm")


def test_unchanged_files_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, cache = tmp_path / "data", tmp_path / "cache"
    data.mkdir()
    write_series(data, pixels())
    files = make_old(data)
    expected = cached(cache, data, files)

    def refuse(*_: object) -> None:
        raise AssertionError("a file was opened")

    monkeypatch.setattr(dicom_series, "_read", refuse)
    assert cached(cache, data, files) == expected
    os.utime(files[0], (1_600_000_001, 1_600_000_001))
    with pytest.raises(AssertionError):
        cached(cache, data, files)


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
    expected = cached(cache, data, files)
    next(cache.glob("cache/dicom-*")).write_text(kept)
    assert cached(cache, data, files) == expected


def test_cache_keeps_no_patient_tag(tmp_path: Path) -> None:
    data, cache = tmp_path / "data", tmp_path / "cache"
    data.mkdir()
    write_series(data, pixels())
    cached(cache, data, make_old(data))
    text = "".join(path.read_text() for path in cache.glob("cache/dicom-*"))
    assert "s001.dcm" in text
    assert UID not in text
    assert "Doe" not in text
    assert "secret" not in text


def test_without_a_place_for_the_cache(tmp_path: Path) -> None:
    data, cache = tmp_path / "data", tmp_path / "cache"
    data.mkdir()
    cache.write_text("a file is in the way")
    write_series(data, pixels())
    assert len(cached(cache, data, make_old(data)).series) == 1


SAGITTAL = [0.0, 1.0, 0.0, 0.0, 0.0, -1.0]


def parts(folder: Path) -> list[tuple[str, list[str]]]:
    """Whether the part keeps the series' own id, and the names of its files."""
    found = found_in(folder).series
    assert len({one.mark for one in found}) == len({one.series for one in found}) == len(found)
    return [("part" if "#" in one.series else "own", [p.name for p in one.files]) for one in found]


def test_a_scout_of_another_size_is_a_scan_of_its_own(tmp_path: Path) -> None:
    write_slice(tmp_path / "a.dcm", np.zeros((5, 7), np.int16), 0)
    write_series(tmp_path, pixels())
    assert parts(tmp_path) == [("part", ["a.dcm"]), ("own", ["s001.dcm", "s002.dcm"])]


def test_the_planes_of_a_localizer_are_scans_of_their_own(tmp_path: Path) -> None:
    write_series(tmp_path, pixels(), "a")
    write_series(tmp_path, pixels(), "b", ImageOrientationPatient=SAGITTAL)
    found = parts(tmp_path)
    assert found == [("own", ["a001.dcm", "a002.dcm"]), ("part", ["b001.dcm", "b002.dcm"])]
    for one in found_in(tmp_path).series:
        case = Case("train", "c", tuple(p.name for p in one.files), series=one.series)
        assert readers.read_volume(tmp_path, case).channels[0].size == 24


def test_rounding_of_the_orientation_does_not_split_a_series(tmp_path: Path) -> None:
    for k, tilt in enumerate((4.9e-5, 5.1e-5, 0.0, 1e-4)):
        orientation = [1.0, tilt, 0.0, 0.0, 1.0, 0.0]
        write_slice(tmp_path / f"{k}.dcm", pixels()[0], k, ImageOrientationPatient=orientation)
    assert [name for name, _ in parts(tmp_path)] == ["own"]


def without_position(path: Path, modality: str, **tags: str) -> None:
    one = dataset(pixels()[0])
    one.Modality = modality
    for name, value in tags.items():
        setattr(one, name, value)
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
