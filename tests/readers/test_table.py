"""The table of readers and what it says about names."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from reader_scans import Read, hashes, save, scan

from dvdup import readers
from dvdup.errors import ReadError


@pytest.mark.parametrize("name", readers.READERS)
def test_row(name: str) -> None:
    row = readers.READERS[name]
    module = import_module(row.module)
    assert callable(module.read)
    assert tuple(module.SUFFIXES) == row.suffixes
    assert hasattr(module, "companions") == row.has_companions


def test_suffixes_are_claimed_once() -> None:
    assert len(set(readers.SUFFIXES)) == len(readers.SUFFIXES)


@pytest.mark.parametrize(
    ("name", "case"),
    [
        ("a.nii.gz", "a"),
        ("a.b.nii", "a.b"),
        ("dir/sub-01_T1w.NII.GZ", "sub-01_T1w"),
        ("a\\b.mgz", "a\\b" if os.sep == "/" else "b"),
        ("a.tar.gz", "a.tar.gz"),
        ("a", "a"),
        (".nii.gz", ".nii.gz"),
        ("scan.v2", "scan.v2"),
    ],
)
def test_case_name(name: str, case: str) -> None:
    assert readers.case_name(name) == case


@pytest.mark.parametrize(
    ("name", "claimed"),
    [
        ("a.nii.gz", True),
        ("A.NRRD", True),
        ("a.dcm", True),
        ("a.jpeg", True),
        ("a.gz", False),
        ("a.img", False),
        ("a.csv", False),
        ("nii", False),
        (".nii", False),
    ],
)
def test_is_readable_name(name: str, claimed: bool) -> None:
    assert readers.is_readable_name(name) == claimed


@pytest.mark.parametrize(
    ("name", "belongs"),
    [
        ("a.hdr", ["a.img"]),
        ("a.hdr.gz", ["a.img.gz"]),
        ("A.HDR", ["A.IMG"]),
        ("a.nii", []),
        ("a.mhd", []),
        ("a.txt", []),
    ],
)
def test_companions_of_missing_files(tmp_path: Path, name: str, belongs: list[str]) -> None:
    assert readers.companions(tmp_path / name) == tuple(tmp_path / other for other in belongs)


def test_companion_that_exists_is_taken(tmp_path: Path) -> None:
    (tmp_path / "a.img.gz").write_bytes(b"x")
    assert readers.companions(tmp_path / "a.hdr") == (tmp_path / "a.img.gz",)


def test_table_loads_no_library() -> None:
    heavy = "{'nibabel', 'pydicom', 'SimpleITK', 'PIL', 'tifffile', 'isal'}"
    code = f"import sys, dvdup.readers; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_files_of_one_case_are_its_channels(tmp_path: Path, read: Read) -> None:
    """As nnU-Net keeps them; sharing one of them makes cases identical."""
    for number in range(3):
        save(tmp_path / f"a_{number:04}.nii.gz", scan(number), np.eye(4))
    volume = read(*(f"a_{number:04}.nii.gz" for number in range(3)))
    assert hashes(volume) == [
        each for number in range(3) for each in hashes(read(f"a_{number:04}.nii.gz"))
    ]


def test_channels_of_another_size_are_refused(tmp_path: Path, read: Read) -> None:
    save(tmp_path / "a.nii.gz", scan(0), np.eye(4))
    save(tmp_path / "b.nii.gz", scan(0, (5, 6, 8)), np.eye(4))
    with pytest.raises(ReadError, match=r"b\.nii\.gz is \(5, 6, 8\)"):
        read("a.nii.gz", "b.nii.gz")
