"""A table with the path and the split of each scan, as people write them.

It is a CSV, a TSV, a file of JSON lines or of Parquet. A path is relative to the table, else to the
dataset; one that does not exist becomes a case that cannot be read, so that it is told, not lost.
A table without paths names its scans by an id or a subject. Where several columns hold files (t1,
t2, flair), each of them is a case.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dvdup.config import DatasetConfig, split_name_fault
from dvdup.discover import columns, sheets
from dvdup.discover.cases import Split, make_case
from dvdup.discover.columns import Columns, at
from dvdup.discover.entries import Entries
from dvdup.discover.names import common_folders, is_stand_in, shown
from dvdup.discover.search import Scan, Search
from dvdup.discover.sheets import Row, Sheet
from dvdup.errors import ConfigError, InputError
from dvdup.records import Case


@dataclass(frozen=True, slots=True)
class Table:
    """A table and what its columns are for."""

    sheet: Sheet
    columns: Columns

    @property
    def folder(self) -> str:
        """Folder that its paths are relative to."""
        return os.path.dirname(self.sheet.file)


@dataclass(frozen=True, slots=True)
class TableScan:
    """One scan that a row of a table, or an entry of a list, names."""

    entry: str
    """A path or a name."""
    split: str
    case_id: str | None = None
    group: str | None = None
    more: tuple[str, ...] = ()
    """Further files of the same scan: its other channels."""


def detected(search: Search, top: str) -> str | None:
    """The only table in a folder that says the split of each scan, relative to it, or None.

    Tables of paths go before those of ids; the latter count if most of the ids are found.
    """
    found: dict[bool, list[str]] = {True: [], False: []}
    for name, folder in search.entries(top):
        if folder or not name.lower().endswith(sheets.SUFFIXES):
            continue
        try:
            table = read(search, os.path.join(top, name))
        except (ConfigError, InputError):
            continue
        has_paths = table.columns.files != () or "path" in table.columns.of
        if has_paths or _finds_most(search, top, table):
            found[has_paths].append(name)
    candidates = found[True] or found[False]
    return candidates[0] if len(candidates) == 1 else None


def _finds_most(search: Search, top: str, table: Table) -> bool:
    entries, what = Entries(search, top), table.columns.name_of_scan
    names = [table.columns.cell(row, what) for _, row in table.sheet.rows]
    return 2 * sum(bool(entries.named(name)) for name in names if name) > len(names)


def find(search: Search, dataset: DatasetConfig) -> list[Split]:
    """Find the cases of the table named by `dataset.csv` (or the only one there is).

    Raises:
        ConfigError: There is no table, or it has no usable columns.
        InputError: A row cannot be used.
    """
    top = search.path(dataset.path)
    name = dataset.csv or detected(search, top)
    if name is None:
        raise ConfigError(
            f"{shown(search.name(top))} has no single table with a path and a split column; name "
            "it with dataset.csv"
        )
    table = read(search, search.path(top, name))
    named: dict[str, list[TableScan]] = {}
    for row in table.sheet.rows:
        for scan in scans_of(search, table, row):
            named.setdefault(scan.split, []).append(scan)
    where, entries = f"table {shown(table.sheet.name)}", Entries(search, top)
    return [
        Split(split, where, list(cases_of(search, dataset, entries, members, table.folder)))
        for split, members in named.items()
    ]


def notes(search: Search, dataset: DatasetConfig) -> list[str]:
    """Say which columns of the table are used, and which are not."""
    table = read(search, search.path(dataset.path, dataset.csv or ""))
    return [table.columns.note(table.sheet.header)]


def read(search: Search, file: str) -> Table:
    """Read a table and find its columns.

    Raises:
        ConfigError: It cannot be read, or has no column for scans or for splits.
    """
    sheet = sheets.read(search, file)
    found = columns.find(sheet.header, sheet.rows, search.formats.claims)
    if not found.files and not found.name_of_scan:
        raise lacking(sheet, "path")
    if not found.has_split:
        raise lacking(sheet, "split")
    _demand_one(sheet, found, "path")
    _demand_one(sheet, found, "split")
    return Table(sheet, found)


def _demand_one(sheet: Sheet, found: Columns, what: str) -> None:
    """Two columns of one name may say two things.

    Raises:
        ConfigError: There are several columns of the name by which one is used.
    """
    header = [columns.plain(cell) for cell in sheet.header]
    name = header[found.of[what]] if what in found.of else ""
    if name and header.count(name) > 1:
        raise ConfigError(
            f"table {shown(sheet.name)} has {header.count(name)} columns "
            f"{shown(sheet.header[found.of[what]])} for the {what} of a scan; keep one of them"
        )


def lacking(sheet: Sheet, what: str) -> ConfigError:
    """What to say about a table without a column."""
    return ConfigError(
        f"table {shown(sheet.name)} has no column for the {what} of a scan (it has "
        f"{columns.header_of(sheet.header)}); call one {columns.HEADERS[what][0]!r}"
    )


def scans_of(
    search: Search, table: Table, row: Row, *, split: str | None = None
) -> Iterator[TableScan]:
    """The scans that a row names.

    Args:
        search: The search.
        table: The table.
        row: One of its rows.
        split: Of all rows; None: the row says it.

    Raises:
        InputError: The row has no split, or no scan.
    """
    line, cells = row
    where, found = f"table {shown(table.sheet.name)}, line {line}", table.columns
    group = found.cell(cells, "group") or None
    case_id = found.cell(cells, "case") or None
    if found.files:
        named = {n: entry for n in found.files if (entry := at(cells, n))}
    else:
        number = found.of[found.name_of_scan]
        named = {number: entry} if (entry := at(cells, number)) else {}
        case_id = case_id if found.name_of_scan == "path" else None
    if not named:
        raise InputError(f"{where} has no path; fill it in")
    said = found.splits(cells) if split is None else (split,)
    if len(said) > 1:
        raise InputError(f"{where} is in {' and in '.join(said)} by its columns; correct it")
    split = said[0] if said else ""
    fault = split_name_fault(split) if split else "is empty"
    for number, entry in named.items():
        if fault and not _left_out(search, table, entry):
            raise InputError(f"{where}: split {split!a} {fault}; correct it")
        several = case_id and len(named) > 1
        own = f"{case_id}_{table.sheet.header[number]}" if several else case_id
        if not fault:
            yield TableScan(entry, split, own, group)


def _left_out(search: Search, table: Table, entry: str) -> bool:
    """Whether the user leaves a scan out, so that its row need not be whole."""
    name = search.name(search.path(table.folder, entry))
    reason = search.rules.named_file_out(name)
    if reason:
        search.leave_out(name, reason)
    return reason is not None


def cases_of(
    search: Search,
    dataset: DatasetConfig,
    entries: Entries,
    scans: Sequence[TableScan],
    base: str,
) -> Iterator[Case]:
    """The cases of the scans that a list names for one split; ids begin below all of them.

    Args:
        search: The search.
        dataset: The declaration.
        entries: What entries stand for.
        scans: What the list names.
        base: Folder of the list.
    """
    entries.learn([scan.entry for scan in scans], base)
    starts = common_folders([os.path.dirname(entries.place(scan.entry, base)) for scan in scans])
    for scan in scans:
        place = entries.place(scan.entry, base)
        start, name = starts[is_stand_in(place)], search.name(place)
        if reason := search.rules.named_file_out(name):
            search.leave_out(name, reason)
            continue
        found = _found(search, entries, scan, base, start)
        case_id = scan.case_id if len(found) == 1 else None  # each of several has its own id
        for one in found:
            yield make_case(dataset, scan.split, one, case_id=case_id, group=scan.group)


def _found(
    search: Search, entries: Entries, scan: TableScan, base: str, start: str
) -> Sequence[Scan]:
    if not scan.more:
        return entries.found(scan.entry, base, start)
    paths = [entries.place(entry, base) for entry in (scan.entry, *scan.more)]
    stems = [search.file(path, start).stem for path in paths]
    return [Scan(_common(stems), tuple(map(search.name, paths)))]


def _common(stems: Sequence[str]) -> str:
    """What channels have in common, in whole words: `p1/p1_t1` and `p1/p1_t2` are `p1/p1`."""
    first, last = min(stems), max(stems)
    differs = (i for i, pair in enumerate(zip(first, last, strict=False)) if len(set(pair)) > 1)
    common = first[: next(differs, len(first))]
    words = re.match(r"(.*?)[_\-. /][^_\-. /]*$", common, re.DOTALL)
    return (words[1].rstrip("_-. /") if words else "") or stems[0]
