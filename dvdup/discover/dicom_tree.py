"""Trees of DICOM files: a series is a case, whatever its files and folders are called.

Splits are folders, or what `dataset.splits` (as `train = "P0*"`) or a table (`dataset.csv`, a
column of paths, of folders, or of patients that are folders) says. Without any, all series are one
split, `all`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from dvdup.config import DatasetConfig
from dvdup.discover import folders, places, tables
from dvdup.discover.cases import ALL, Split, make_case
from dvdup.discover.names import shown
from dvdup.discover.rules import known
from dvdup.discover.search import Search

_LOOKED_AT = 12  # files from which it is told what a tree holds
_DEPTH = 6


def recognises(search: Search, top: str) -> DatasetConfig | None:
    """The settings for a folder whose files are DICOM, as far as the first ones tell; else None."""
    files = [path for path, _ in zip(_files(search, top, _DEPTH), range(_LOOKED_AT), strict=False)]
    dicom = sum(search.formats.maybe_dicom(Path(path)) for path in files)
    return DatasetConfig(layout="dicom") if files and 2 * dicom > len(files) else None


def _files(search: Search, folder: str, depth: int) -> Iterator[str]:
    entries = search.entries(folder)
    for name, is_folder in entries:
        if not is_folder and known(name) is None:
            yield os.path.join(folder, name)
    for name, is_folder in entries if depth else ():
        if is_folder:
            yield from _files(search, os.path.join(folder, name), depth - 1)


def find(search: Search, dataset: DatasetConfig) -> list[Split]:
    """Find the series of a tree.

    Raises:
        ConfigError: A declared place or table cannot be used.
        InputError: A folder cannot be read.
    """
    top = search.path(dataset.path)
    if dataset.splits:
        return places.declared(search, dataset)
    if dataset.csv is not None:
        return tables.find(search, dataset)
    if folders.split_folders(top):
        return folders.find(search, dataset)
    search.demand_content(top)
    cases = [make_case(dataset, ALL, scan) for scan in search.scans(top)]
    return [Split(ALL, f"folder {shown(search.name(top))}", cases)]


def notes(search: Search, dataset: DatasetConfig) -> list[str]:
    """Say so where nothing names the splits."""
    top = search.path(dataset.path)
    if dataset.splits or dataset.csv is not None or folders.split_folders(top):
        return []
    return [
        f"one split, {ALL}: nothing says which series are for training; name folders in "
        '[dataset.splits], as train = "P0*", or a table with dataset.csv'
    ]
