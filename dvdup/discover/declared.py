"""The files in which a dataset declares its splits, as they stand, for whoever writes them anew."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from dvdup.config import DatasetConfig
from dvdup.discover import documents, msd, tables
from dvdup.discover.entries import Entries, is_there
from dvdup.discover.search import Search
from dvdup.discover.sheets import Row


@dataclass(frozen=True, slots=True)
class DeclaringRow:
    """A row of the table that declares a dataset."""

    line: int
    """Number of its line."""
    cells: tuple[str, ...]
    split: str
    paths: tuple[str, ...]
    """As in `Case.files`; of files, or of a folder of scans."""


@dataclass(frozen=True, slots=True)
class DeclaringTable:
    """The table that declares a dataset."""

    header: tuple[str, ...]
    split_column: int
    delimiter: str
    rows: tuple[DeclaringRow, ...]


def table_of(search: Search, dataset: DatasetConfig) -> DeclaringTable | None:
    """The table that declares a dataset; None if it has no column of splits to write anew.

    Args:
        search: What is known about the dataset.
        dataset: Its declaration, whose layout is `csv`.

    Raises:
        ConfigError: It cannot be read.
        InputError: A row cannot be used.
    """
    top = search.path(dataset.path)
    name = dataset.csv or tables.detected(search, top) or ""
    table = tables.read(search, search.path(top, name))
    if "split" not in table.columns.of or not table.sheet.is_text:
        return None
    entries = Entries(search, top)
    rows = (_row(search, entries, table, row) for row in table.sheet.rows)
    number, delimiter = table.columns.of["split"], table.sheet.delimiter
    return DeclaringTable(table.sheet.header, number, delimiter, tuple(rows))


def _row(search: Search, entries: Entries, table: tables.Table, row: Row) -> DeclaringRow:
    paths = [
        name
        for scan in tables.scans_of(search, table, row)
        for name in _paths(search, entries, scan.entry, table.folder)
    ]
    return DeclaringRow(*row, next(iter(table.columns.splits(row[1])), ""), tuple(paths))


def _paths(search: Search, entries: Entries, entry: str, base: str) -> list[str]:
    path = entries.place(entry, base)
    named = [] if is_there(path) else entries.named(entry)
    return [file for scan in named for file in scan.files[:1]] or [search.name(path)]


def lists_of(search: Search, dataset: DatasetConfig) -> dict[str, Any]:
    """What the datalist or the `dataset.json` of a dataset holds; empty if there is none.

    Raises:
        ConfigError: It cannot be read.
    """
    name = (dataset.json if dataset.layout == "monai" else None) or msd.LIST_NAME
    file = os.path.join(search.path(dataset.path), name)
    return documents.load(file, search.name(file)) if os.path.lexists(file) else {}
