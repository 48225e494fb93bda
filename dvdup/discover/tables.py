"""A table with the path and the split of each scan (CSV, TSV), as people write them.

Columns are found by their headers, compared without regard to case, spaces and underscores. A path
is relative to the table; one that does not exist becomes a case that cannot be read, so that it is
told, not lost.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TextIO

from dvdup.config import DatasetConfig, split_name_fault
from dvdup.discover.cases import Split, make_case
from dvdup.discover.names import common_folder, join, relative, shown
from dvdup.discover.search import Scan, Search, is_folder
from dvdup.errors import ConfigError, InputError
from dvdup.records import Case

HEADERS: dict[str, tuple[str, ...]] = {
    "path": (
        "path", "file", "filepath", "filename", "image", "imagepath", "imagefile", "img", "imgpath",
        "scan", "scanpath", "volume", "volumepath", "nifti", "niftipath", "relpath", "uri",
    ),
    "split": ("split", "set", "fold", "partition", "subset", "datasplit", "dataset", "phase"),
    "case": (
        "case", "caseid", "id", "scanid", "imageid", "volumeid", "uid", "seriesuid", "name",
    ),
    "group": (
        "group", "groupid", "patient", "patientid", "subject", "subjectid", "participant",
        "participantid", "pid", "person", "personid", "sub",
    ),
}  # fmt: skip
"""What a column is for -> the headers it goes by, the first one found in this order."""

_SUFFIXES = (".csv", ".tsv")
_DELIMITERS = ",;\t|"
_LONGEST_HEADER = 1 << 16


@dataclass(frozen=True, slots=True)
class Table:
    """A table as read."""

    file: str
    """On this machine."""
    name: str
    """As in messages."""
    header: tuple[str, ...]
    """Names of the columns, as they stand there."""
    columns: dict[str, int]
    """What a column is for -> its number."""
    rows: tuple[tuple[int, tuple[str, ...]], ...] = field(repr=False)
    """Line number in the file and cells; rows without any text are left out."""
    delimiter: str = ","

    def cell(self, row: Sequence[str], column: str) -> str:
        """A cell, "" where the table has no such column or the row is too short."""
        number = self.columns.get(column, len(row))
        return row[number].strip() if number < len(row) else ""


def detected(search: Search, top: str) -> str | None:
    """The only table in a folder that has a path and a split column, relative to it, or None."""
    found = []
    for name, folder in search.entries(top):
        if folder or not name.lower().endswith(_SUFFIXES):
            continue
        try:
            read(search, os.path.join(top, name))
        except (ConfigError, InputError):
            continue
        found.append(name)
    return found[0] if len(found) == 1 else None


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
    rows: dict[str, list[_Row]] = {}
    for line, cells in table.rows:
        row = _row(search, table, line, cells)
        rows.setdefault(row.split, []).append(row)
    splits = []
    for name, members in rows.items():
        top = common_folder([os.path.dirname(row.path) for row in members])
        cases = [case for row in members for case in _cases(search, dataset, row, top)]
        splits.append(Split(name, f"table {shown(table.name)}", cases))
    return splits


def read(search: Search, file: str) -> Table:
    """Read a table and find its columns.

    Raises:
        ConfigError: It cannot be read, or has no column for paths or for splits.
    """
    name = search.name(file)
    try:
        with open(file, encoding="utf-8-sig", newline="") as stream:
            first = stream.readline(_LONGEST_HEADER)
            _refuse_other_text(name, first.strip())
            dialect = _dialect(first, stream)
            lines = list(csv.reader(stream, dialect))
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise ConfigError(f"table {shown(name)}: {reason}; correct dataset.csv") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"table {shown(name)} is no UTF-8 table of text: {error}") from error
    header = lines[0] if lines else []
    columns = _columns(header)
    for what in ("path", "split"):
        if what not in columns:
            raise ConfigError(
                f"table {shown(name)} has no column for the {what} of a scan (it has "
                f"{_shown_header(header)}); call one {HEADERS[what][0]!r}"
            )
    rows = ((i, tuple(row)) for i, row in enumerate(lines[1:], 2) if any(map(str.strip, row)))
    return Table(file, name, tuple(header), columns, tuple(rows), dialect.delimiter)


def columns_note(table: Table) -> str:
    """Say which columns of a table are used, and which are not."""
    used = {number: what for what, number in table.columns.items()}
    taken = ", ".join(f"{shown(table.header[n])} for the {used[n]}" for n in sorted(used))
    others = [name for n, name in enumerate(table.header) if n not in used and name.strip()]
    return f"columns: {taken}" + (f"; not used: {_shown_header(others)}" if others else "")


def _shown_header(header: Sequence[str]) -> str:
    """Names of columns, as many as a message bears; the first line may be anything."""
    cells = [f"{shown(cell[:30])}{'...' * (len(cell) > 30)}" for cell in header[:12]]
    return ", ".join(cells + ["..."] * (len(header) > 12)) or "nothing"


def _refuse_other_text(name: str, head: str) -> None:
    """A JSON text or a list of paths is no table; say so without a word of what it holds.

    Raises:
        ConfigError: It is one.
    """
    if name.lower().endswith((".json", ".jsonl", ".yaml", ".yml")) or head[:1] in ("{", "["):
        raise ConfigError(
            f"table {shown(name)} is JSON or YAML, not a table; write a CSV with the columns path "
            "and split, or name the places in [dataset.splits]"
        )
    if head and not any(delimiter in head for delimiter in _DELIMITERS):
        raise ConfigError(
            f"table {shown(name)} has one column only; write a CSV with the columns path and "
            "split, or name the places in [dataset.splits]"
        )


def _dialect(header: str, stream: TextIO) -> type[csv.Dialect]:
    """The delimiter that the header holds most of; quotes as everywhere."""
    stream.seek(0)
    most = max(_DELIMITERS, key=header.count)

    class Dialect(csv.excel):
        delimiter = most

    return Dialect


def _columns(header: Sequence[str]) -> dict[str, int]:
    plain = ["".join(char for char in cell.lower() if char.isalnum()) for cell in header]
    found: dict[str, int] = {}
    for what, names in HEADERS.items():
        number = next((plain.index(name) for name in names if name in plain), None)
        if number is not None:
            found[what] = number
    return found


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of a table."""

    path: str
    """On this machine."""
    split: str
    case_id: str | None
    group: str | None


def _row(search: Search, table: Table, line: int, cells: Sequence[str]) -> _Row:
    split, entry = table.cell(cells, "split"), table.cell(cells, "path")
    where = f"table {shown(table.name)}, line {line}"
    if fault := split_name_fault(split) if split else "is empty":
        raise InputError(f"{where}: split {split!a} {fault}; correct it")
    if not entry:
        raise InputError(f"{where} has no path; fill it in")
    path = search.path(os.path.dirname(table.file), entry)
    case_id, group = table.cell(cells, "case"), table.cell(cells, "group")
    return _Row(path, split, case_id or None, group or None)


def _cases(search: Search, dataset: DatasetConfig, row: _Row, top: str) -> list[Case]:
    name = search.name(row.path)
    if reason := search.rules.named_file_out(name):
        search.leave_out(name, reason)
        return []
    scans = _scans(search, row.path, top)
    # a folder of several series: each has its own id
    case_id = row.case_id if len(scans) == 1 else None
    return [make_case(dataset, row.split, scan, case_id=case_id, group=row.group) for scan in scans]


def _scans(search: Search, path: str, top: str) -> list[Scan]:
    """What a path of the table stands for; ids begin below the folder that holds the split."""
    below = relative(path, top)
    if is_folder(path):
        return search.scans(path, below)
    scans = search.picked([path], top) if os.path.exists(path) else []
    stem = join(relative(os.path.dirname(path), top), search.formats.case_name(below))
    return scans or [Scan(stem, (search.name(path),))]
