"""What the files of a dataset say about its cases besides their splits: labels, rows of tables."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dvdup import discover
from dvdup.discover import DeclaringTable
from dvdup.errors import InputError
from dvdup.records import GroupedCase, Key
from dvdup.splits import TableRow
from dvdup.workspace import Workspace


def labels_of(
    workspace: Workspace, cases: Sequence[GroupedCase], column: str, file: Path | None
) -> dict[Key, str]:
    """What a column says about cases; "" or nothing for those that it does not speak about.

    Args:
        workspace: Where.
        cases: All cases.
        column: Its name.
        file: A CSV with a column `case` besides; None: the table that declares the dataset.

    Raises:
        InputError: There is no such column or table.
    """
    if file is not None:
        return _labels_of_file(file, column, cases)
    table, _ = declaring(workspace)
    return _labels_of_table(table, column, cases)


def _labels_of_file(file: Path, column: str, cases: Sequence[GroupedCase]) -> dict[Key, str]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            for name in ("case", column):
                if name not in (reader.fieldnames or ()):
                    there = ", ".join(reader.fieldnames or ())
                    raise InputError(f"{file} has no column {name!r}; it has {there}")
            labels = {row["case"]: (row[column] or "").strip() for row in reader}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read {file}: {error}") from error
    return {case.key: labels.get(case.label, labels.get(case.case, "")) for case in cases}


def _labels_of_table(
    table: DeclaringTable | None, column: str, cases: Sequence[GroupedCase]
) -> dict[Key, str]:
    if table is None:
        raise InputError(
            f"{column}: no table declares this dataset; give one with the columns case "
            f"and {column} as --labels FILE"
        )
    if column not in table.header:
        there = ", ".join(table.header)
        raise InputError(f"the table of the dataset has no column {column!r}; it has {there}")
    number = table.header.index(column)
    return {
        key: row.cells[number].strip() if number < len(row.cells) else ""
        for row in rows_of(table, cases)
        for key in row.cases
    }


def declaring(workspace: Workspace) -> tuple[DeclaringTable | None, dict[str, Any]]:
    """How the dataset is declared; cases that were added by hand are declared nowhere."""
    if not workspace.config.declares:
        return None, {}
    return discover.declaring(workspace.root, workspace.config.dataset, workspace.formats)


def rows_of(table: DeclaringTable, cases: Iterable[GroupedCase]) -> tuple[TableRow, ...]:
    """The rows of a table, and which cases each stands for."""
    by_path: dict[tuple[str, str], list[Key]] = {}
    for case in cases:
        for path in dict.fromkeys(name for file in case.paths for name in _above(file)):
            by_path.setdefault((case.split, path), []).append(case.key)
    return tuple(
        TableRow(row.line, row.cells, tuple(_found(by_path, row.split, row.paths)))
        for row in table.rows
    )


def _found(
    by_path: Mapping[tuple[str, str], list[Key]], split: str, paths: Sequence[str]
) -> Iterator[Key]:
    yield from dict.fromkeys(key for path in paths for key in by_path.get((split, path), ()))


def _above(file: str) -> Iterator[str]:
    """A path, the array that it is a row of, and every folder that it lies in."""
    yield file
    name = file.partition("#")[0]
    while name:
        yield name
        name = name.rpartition("/")[0]
