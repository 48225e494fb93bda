"""What discovery is told about file formats, so that it never imports a reader."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dvdup.records import ArrayPart, DicomFolder

DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
"""Lower case. DICOM files may also have no suffix, or end in the digits of a UID."""


@dataclass(frozen=True, slots=True)
class Formats:
    """Eight questions about files; the first two are about names alone."""

    claims: Callable[[str], bool]
    """Whether a reader claims files of this name."""
    case_name: Callable[[str], str]
    """A file name without its folder and its whole suffix; what no reader claims keeps it."""
    companions: Callable[[Path], tuple[Path, ...]]
    """The files that belong to a file (the .img of a .hdr), existing or not."""
    maybe_dicom: Callable[[Path], bool]
    """Whether a file is named as DICOM or starts as DICOM."""
    dicom_series: Callable[[Path, list[Path], Callable[[], None]], DicomFolder]
    """(folder, its files, poll) -> what they are; `poll` is called for each file."""
    absent: Callable[[Path], str]
    """The command that brings an empty folder whose content is not here, else ""."""
    array_parts: Callable[[Path, str], tuple[ArrayPart, ...]]
    """(file, its name) -> the arrays of a file of many cases; raises `ReadError`."""
    looks_many: Callable[[Path, str], bool]
    """(file, its name) -> whether a file that is not declared seems to hold many cases."""


def is_dicom_name(name: str) -> bool:
    """Whether a file has a DICOM suffix."""
    return name.lower().endswith(DICOM_SUFFIXES)


def may_be_dicom_name(name: str) -> bool:
    """Whether a file that no reader claims is called as DICOM often is: IM0001, 1.2.840.10008.1."""
    _, dot, suffix = name.rpartition(".")
    return not dot or suffix.isdecimal()
