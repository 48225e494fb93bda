"""Where the tables of an index folder lie, and whether there are any."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

TABLES = ("cases", "slices")
"""Their names; `cases` is made last."""


def table_path(folder: Path, name: str) -> Path:
    """Folder of a table."""
    return folder / "index" / f"{name}.lance"


def exists(folder: Path) -> bool:
    """Whether there is an index, perhaps damaged: `cases` is made last, so it decides.

    A creation that a kill or a full disk ended leaves tables without a manifest or without content;
    rows in a table without a manifest are an index that has lost it.
    """
    return _has_manifest(table_path(folder, "cases")) or any(
        _has_files(table_path(folder, name) / "data") for name in TABLES
    )


def _has_manifest(table: Path) -> bool:
    return any(file.stat().st_size > 0 for file in (table / "_versions").glob("*.manifest"))


def _has_files(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is not None
    except OSError:
        return False


def folder_bytes(folder: Path) -> int:
    """What all files of a folder take."""
    size = 0
    for path in folder.rglob("*"):
        with suppress(OSError):  # another command has taken it away
            size += path.stat().st_size if path.is_file() else 0
    return size
