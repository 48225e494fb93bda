"""The rows of a Parquet file. The only part of `discover` that knows pyarrow."""

from __future__ import annotations

from collections.abc import Iterator

from dvdup.discover.sheets import text
from dvdup.errors import ConfigError

_MOST_ROWS = 10_000_000


def rows(file: str, name: str) -> tuple[list[str], Iterator[tuple[str, ...]]]:
    """The columns of a file that hold texts, numbers and flags; pictures in cells are not read.

    Args:
        file: On this machine.
        name: As in messages.

    Returns:
        The names of the columns, and the cells of every row.

    Raises:
        ConfigError: It is no Parquet file.
        OSError: It cannot be opened.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        source = parquet.ParquetFile(file, memory_map=False)
        header = [one.name for one in source.schema_arrow if _is_plain(pa, one.type)]
        if source.metadata.num_rows > _MOST_ROWS:
            raise ConfigError(f"table {name} has more than {_MOST_ROWS} rows; name another one")
        table = source.read(columns=header)
    except pa.ArrowInvalid as error:
        raise ConfigError(f"table {name} is no Parquet file ({error}); correct it") from error
    columns = [[text(value) for value in table.column(one).to_pylist()] for one in header]
    return header, zip(*columns, strict=True)


def _is_plain(pa: object, kind: object) -> bool:
    types = pa.types  # type: ignore[attr-defined]
    if types.is_dictionary(kind):
        kind = kind.value_type  # type: ignore[attr-defined]
    tests = (types.is_string, types.is_large_string, types.is_integer, types.is_boolean,
             types.is_floating)  # fmt: skip
    return any(test(kind) for test in tests)
