"""A list a split: train.csv and test.csv, or train.txt, as found or as `dataset.splits` names.

Each line names a scan by a path or by its name. What else stands in a line of text, as the number
of a class, is not used; of a table the columns are found by their headers, the split is the file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from dvdup import remote
from dvdup.config import DatasetConfig
from dvdup.discover import columns, sheets, tables
from dvdup.discover.columns import Columns
from dvdup.discover.entries import Entries, is_there
from dvdup.discover.names import shown
from dvdup.discover.search import Search, is_folder
from dvdup.discover.split_names import is_split_name
from dvdup.discover.tables import Table, TableScan
from dvdup.errors import ConfigError, InputError, ReadError
from dvdup.records import Case

_TEXTS = (".txt", ".list", ".lst", ".files")
SUFFIXES = (*_TEXTS, *sheets.SUFFIXES)
"""Lower case, with the dot: what a list is written in."""


def is_list(path: str) -> bool:
    """Whether a place is a list of scans, by its name."""
    return path.lower().endswith(SUFFIXES) and not is_folder(path)


def detected(search: Search, top: str, *, sure: bool = False) -> dict[str, tuple[str, ...]]:
    """The lists of a folder by the splits that their names say; empty if they are no lists.

    Args:
        search: The search.
        top: Absolute path of the folder.
        sure: Whether they are known to be lists; else most of what each names has to be there.
    """
    found: dict[str, list[str]] = {}
    for name, folder in search.entries(top):
        stem = name.partition(".")[0]
        if not folder and is_split_name(stem) and is_list(name):
            found.setdefault(stem, []).append(name)
    entries = Entries(search, top)
    names = [name for each in found.values() for name in each]
    if not sure and not all(_names_scans(search, entries, top, name) for name in names):
        return {}
    return {split: tuple(each) for split, each in sorted(found.items())}


def _names_scans(search: Search, entries: Entries, top: str, name: str) -> bool:
    try:
        _, scans = read(search, os.path.join(top, name), "x")
    except (ConfigError, InputError):
        return False
    here = sum(
        is_there(entries.place(scan.entry, top)) or bool(entries.named(scan.entry))
        for scan in scans
    )
    return bool(scans) and 2 * here >= len(scans)


def cases(
    search: Search, dataset: DatasetConfig, entries: Entries, split: str, file: str
) -> list[Case]:
    """The cases that a list names.

    Args:
        search: The search.
        dataset: The declaration.
        entries: What entries stand for.
        split: The split of all of them.
        file: Absolute path of the list.

    Raises:
        ConfigError: The list cannot be read, or has no column that names scans.
        InputError: A line cannot be used.
    """
    _, scans = read(search, file, split)
    return list(tables.cases_of(search, dataset, entries, scans, os.path.dirname(file)))


def note(search: Search, file: str) -> str:
    """Say which columns of a list are used; "" for one that has no header.

    Raises:
        ConfigError, InputError: It cannot be read.
    """
    table, _ = read(search, file, "x")
    return "" if table is None else table.columns.note(table.sheet.header)


def read(search: Search, file: str, split: str) -> tuple[Table | None, list[TableScan]]:
    """A list: its table, None if it has no header, and the scans that it names.

    Raises:
        ConfigError: It cannot be read, or has no column that names scans.
        InputError: A line cannot be used.
    """
    if file.lower().endswith(_TEXTS):
        return None, [
            TableScan(e, split, None, None) for e in entries_of(search, _text(search, file))
        ]
    sheet = sheets.read(search, file, one_column=True)
    first = next((cell.strip() for cell in sheet.header), "")
    if search.formats.claims(first):  # paths from the first line on
        rows = (sheet.header, *(cells for _, cells in sheet.rows))
        return None, [TableScan(columns.at(row, 0), split) for row in rows]
    found = columns.find(sheet.header, sheet.rows, search.formats.claims)
    found = Columns({what: n for what, n in found.of.items() if what != "split"}, found.files)
    if not found.files and not found.name_of_scan:
        raise tables.lacking(sheet, "path")
    table = Table(sheet, found)
    return table, [
        scan for row in sheet.rows for scan in tables.scans_of(search, table, row, split=split)
    ]


def _text(search: Search, file: str) -> Sequence[str]:
    name = shown(search.name(file))
    try:
        with remote.opened(file), open(file, encoding="utf-8-sig") as stream:
            return stream.read().splitlines()
    except ReadError as error:
        raise ConfigError(str(error)) from error
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise ConfigError(f"list {name}: {reason}; correct dataset.splits") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"list {name} is no UTF-8 text: {error}") from error


def entries_of(search: Search, lines: Sequence[str]) -> Iterator[str]:
    """The entries of lines of text; empty lines and those after `#` are none."""
    for line in lines:
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if not search.formats.claims(text):
            for delimiter in sheets.DELIMITERS:
                text = text.partition(delimiter)[0].strip()
            first = text.split(maxsplit=1)[0] if text else ""
            text = first if search.formats.claims(first) else text
        if text:
            yield text
