"""The files in which a dataset declares its splits, as they stand, for whoever writes them anew."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dvdup.config import DatasetConfig
from dvdup.discover import msd, tables
from dvdup.discover.search import Search


@dataclass(frozen=True, slots=True)
class DeclaringRow:
    """A row of the table that declares a dataset."""

    line: int
    """Number of its line."""
    cells: tuple[str, ...]
    split: str
    path: str
    """As in `Case.files`; of a file, or of a folder of scans."""


@dataclass(frozen=True, slots=True)
class DeclaringTable:
    """The table that declares a dataset."""

    header: tuple[str, ...]
    split_column: int
    delimiter: str
    rows: tuple[DeclaringRow, ...]


def table_of(search: Search, dataset: DatasetConfig) -> DeclaringTable:
    """The table that declares a dataset.

    Args:
        search: What is known about the dataset.
        dataset: Its declaration, whose layout is `csv`.

    Raises:
        ConfigError: It cannot be read.
    """
    top = search.path(dataset.path)
    name = dataset.csv or tables.detected(search, top) or ""
    table = tables.read(search, search.path(top, name))
    rows = (_row(search, table, line, cells) for line, cells in table.rows)
    return DeclaringTable(table.header, table.columns["split"], table.delimiter, tuple(rows))


def _row(search: Search, table: tables.Table, line: int, cells: Sequence[str]) -> DeclaringRow:
    path = search.path(os.path.dirname(table.file), table.cell(cells, "path"))
    return DeclaringRow(line, tuple(cells), table.cell(cells, "split"), search.name(path))


def lists_of(search: Search, dataset: DatasetConfig) -> dict[str, Any]:
    """What the `dataset.json` of a dataset holds; empty if there is none.

    Raises:
        ConfigError: It cannot be read.
    """
    file = os.path.join(search.path(dataset.path), msd.LIST_NAME)
    return msd.load(file, search.name(file)) if os.path.lexists(file) else {}
