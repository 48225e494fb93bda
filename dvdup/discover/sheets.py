"""What a file of rows holds: CSV, TSV, JSON lines, Parquet. In: a file. Out: a header and cells.

Cells are texts, whatever the file says; what they mean is decided in `columns`.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TextIO

from dvdup import remote
from dvdup.discover.names import shown
from dvdup.discover.search import Search
from dvdup.errors import ConfigError, ReadError

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
"""Lower case, with the dot."""
DELIMITERS = ",;\t|"
_LONGEST_HEADER = 1 << 16

Row = tuple[int, tuple[str, ...]]
"""Number of the line in the file, and the cells."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """Rows as read."""

    file: str
    """On this machine."""
    name: str
    """As in messages."""
    header: tuple[str, ...]
    """Names of the columns, as they stand there."""
    rows: tuple[Row, ...] = field(repr=False)
    """Rows without any text are left out."""
    delimiter: str = ","
    is_text: bool = True
    """Whether the file is a table of text that can be written anew: CSV or TSV."""


def read(search: Search, file: str, *, one_column: bool = False) -> Sheet:
    """Read a file of rows.

    Args:
        search: The search.
        file: On this machine.
        one_column: Whether a text without any delimiter is a table of one column.

    Raises:
        ConfigError: It cannot be read.
    """
    name = search.name(file)
    try:
        with remote.opened(file):
            return _read(file, name, one_column=one_column)
    except ReadError as error:
        raise ConfigError(str(error)) from error
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise ConfigError(f"table {shown(name)}: {reason}; correct dataset.csv") from error
    except csv.Error as error:
        raise ConfigError(
            f"table {shown(name)}: {error}: a quote is open, or text follows one; correct it"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"table {shown(name)} is no UTF-8 table of text: {error}") from error


def _read(file: str, name: str, *, one_column: bool) -> Sheet:
    lower = file.lower()
    if lower.endswith(".parquet"):
        from dvdup.discover import parquet  # loads pyarrow

        return _sheet(file, name, *parquet.rows(file, shown(name)), is_text=False)
    with open(file, encoding="utf-8-sig", newline="") as stream:
        if lower.endswith((".jsonl", ".ndjson")):
            return _of_json_lines(file, name, stream)
        return _of_text(file, name, stream, one_column=one_column)


def _sheet(
    file: str, name: str, header: Sequence[str], rows: Iterable[Sequence[str]], *, is_text: bool
) -> Sheet:
    numbered = ((i, tuple(row)) for i, row in enumerate(rows, 2) if any(map(str.strip, row)))
    return Sheet(file, name, tuple(header), tuple(numbered), is_text=is_text)


def _of_text(file: str, name: str, stream: TextIO, *, one_column: bool) -> Sheet:
    first = stream.readline(_LONGEST_HEADER)
    _refuse_other_text(name, first.strip(), one_column=one_column)
    dialect = _dialect_of(first)
    stream.seek(0)
    lines = list(csv.reader(stream, dialect))
    rows = ((i, tuple(row)) for i, row in enumerate(lines[1:], 2) if any(map(str.strip, row)))
    header = lines[0] if lines else []
    return Sheet(file, name, tuple(header), tuple(rows), dialect.delimiter)


def _of_json_lines(file: str, name: str, stream: TextIO) -> Sheet:
    """Objects of one line each; a column for every key, in the order in which they first come."""
    objects: list[tuple[int, dict[str, Any]]] = []
    for number, line in enumerate(stream, 1):
        if line.strip():
            try:
                found = json.loads(line)
            except ValueError as error:
                where = f"table {shown(name)}, line {number}"
                raise ConfigError(f"{where}: is not valid JSON ({error}); correct it") from error
            if not isinstance(found, dict):
                raise ConfigError(f"table {shown(name)}, line {number}: is no JSON object")
            objects.append((number, found))
    header = tuple(dict.fromkeys(key for _, found in objects for key in found))
    rows = ((n, tuple(text(found.get(key)) for key in header)) for n, found in objects)
    return Sheet(file, name, header, tuple(rows), is_text=False)


def text(value: Any) -> str:
    """A value of JSON or Parquet as the text of a cell; nothing for lists and tables."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, str | int | float) else ""


def _refuse_other_text(name: str, head: str, *, one_column: bool) -> None:
    """A JSON text or a list of paths is no table; say so without a word of what it holds.

    Raises:
        ConfigError: It is one.
    """
    if name.lower().endswith((".json", ".yaml", ".yml")) or head[:1] in ("{", "["):
        raise ConfigError(
            f"table {shown(name)} is JSON or YAML, not a table; a datalist or Croissant goes into "
            "dataset.json; else write a CSV with the columns path and split"
        )
    if head and not one_column and not any(delimiter in head for delimiter in DELIMITERS):
        raise ConfigError(
            f"table {shown(name)} has one column only; write a CSV with the columns path and "
            "split, or name a list for each split in [dataset.splits]"
        )


def _dialect_of(header: str) -> type[csv.Dialect]:
    """The delimiter that the header holds most of; quotes as everywhere."""
    most = max(DELIMITERS, key=header.count)

    class Dialect(csv.excel):
        delimiter = most
        strict = True  # an open quote would swallow the rows behind it

    return Dialect
