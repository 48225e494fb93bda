"""Why a file that looks like a declaration of the splits is not gone by, where nothing else is.

A datalist with a comma too many, a table without a column for the split, two tables that both say
the splits: whoever wrote them expects them to be used, and is told what is wrong with them.
"""

from __future__ import annotations

import os

from dvdup.discover import columns, documents, monai, sheets, tables
from dvdup.discover.names import shown
from dvdup.discover.search import Search
from dvdup.errors import ConfigError, InputError

_SHOWN = 3


def reasons(search: Search, top: str) -> str:
    """What is wrong with the tables and datalists of a folder, as one text; "" if there are none.

    Args:
        search: The search.
        top: Absolute path of the folder.
    """
    names = [name for name, folder in search.entries(top) if not folder]
    of_tables = [name for name in names if name.lower().endswith(sheets.SUFFIXES)]
    of_lists = [name for name in names if name.lower().endswith(".json")]
    lacking = {name: _of_table(search, os.path.join(top, name)) for name in of_tables}
    whole = [name for name, lacks in lacking.items() if lacks is None]
    found = [_several(whole)] if len(whole) > 1 else []
    found += [lacks or "" for lacks in lacking.values()]
    found += [_of_datalist(search, os.path.join(top, name)) for name in of_lists]
    return "; ".join([each for each in found if each][:_SHOWN])


def _several(names: list[str]) -> str:
    return (
        f"{' and '.join(map(shown, names[:_SHOWN]))} are tables of scans and splits each; name "
        f'one, as csv = "{shown(names[0])}", below [dataset] in dvdup.toml'
    )


def _of_table(search: Search, file: str) -> str | None:
    """What a table lacks; None if it is whole, "" if it is of something else."""
    try:
        tables.read(search, file)
    except ConfigError as error:
        return str(error) if _is_half(search, file) else ""
    except InputError as error:
        return str(error)
    return None


def _is_half(search: Search, file: str) -> bool:
    """Whether a table cannot be read, or has a column for paths, or one for splits."""
    try:
        sheet = sheets.read(search, file)
    except ConfigError:
        return True
    found = columns.find(sheet.header, sheet.rows, search.formats.claims)
    return bool(found.files) or "path" in found.of or found.has_split


def _of_datalist(search: Search, file: str) -> str:
    try:
        values = documents.load(file, search.name(file))
        monai.demand_images(search, values, shown(search.name(file)))
    except (ConfigError, InputError) as error:
        return str(error)
    return ""
