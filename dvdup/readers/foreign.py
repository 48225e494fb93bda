"""Scans in formats that dvdup does not read: known by name, so that they never pass as clean."""

from __future__ import annotations

from dvdup.errors import ReadError
from dvdup.readers.sources import Source, require
from dvdup.records import Volume

SUFFIXES = (
    *(".nii.bz2", ".nii.xz", ".nii.zst", ".nii.zip"),
    *(".mnc", ".mnc.gz", ".gipl", ".gipl.gz", ".vti"),
)


def read(source: Source) -> Volume:
    """Say that it cannot be read.

    Raises:
        ReadError: Always.
        PointerError: If the file is a pointer.
    """
    require(source)
    raise ReadError(
        f"{source.name}: dvdup does not read this format; convert it to NIfTI (.nii.gz), or leave "
        "it out with dataset.exclude"
    )
