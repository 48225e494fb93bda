"""Small files of a table: the commit that would add one more to very many joins them.

Every command that writes adds a file to a table, and every version lists all files: without this,
what an index takes and what it costs to open would grow with the square and with the number of its
commands. Files are joined with others of about their size, as the levels of a log-structured merge
tree are (O'Neil and others, Acta Informatica 1996), so that a row is copied a few times at most
however many commands come after it. Files of one commit stay apart from those of others until then.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from dvdup.errors import StoreError
from dvdup.store.faults import lance_faults

if TYPE_CHECKING:
    from collections.abc import Sequence

    import lance
    import pyarrow as pa
    from lance.fragment import LanceFragment

MOST = 32
"""Files of one level before they are joined; each level has files of so many times as many rows."""
_LARGE = 1 << 22
"""Bytes of a file that is left alone: a table can have many such before its versions weigh as much,
and what is copied stays twice as long as the history has the old files."""


def size_of(fragment: LanceFragment) -> int:
    """Bytes of the files of a fragment, as its table knows them."""
    return sum(int(file.file_size_bytes or 0) for file in fragment.metadata.files)


def to_join(table: lance.LanceDataset) -> list[LanceFragment]:
    """The fragments that the next commit should replace by one: none, or more than one.

    Args:
        table: At the version that the commit is based on.
    """
    levels: dict[int, list[LanceFragment]] = {}
    for fragment in table.get_fragments():
        if size_of(fragment) < _LARGE:
            levels.setdefault(_level(fragment.physical_rows), []).append(fragment)
    full = sorted(level for level, found in levels.items() if len(found) >= MOST)
    return levels[full[0]] if full else []


def rows_of(table: lance.LanceDataset, fragments: Sequence[LanceFragment]) -> pa.Table:
    """The rows of some fragments that were not deleted, in stored order."""
    return table.scanner(fragments=list(fragments)).to_table()


def drop_old(table: lance.LanceDataset, age: timedelta = timedelta(days=1)) -> None:
    """Drop the files that only older versions have: nobody reads them any more.

    For tables whose versions are no history. Where it fails, `dvdup gc` does it.

    Args:
        table: At its newest version.
        age: Since when a version has not been the newest one.
    """
    with suppress(StoreError), lance_faults("tidy the index"):
        table.cleanup_old_versions(age)


def _level(rows: int) -> int:
    level, most = 0, MOST
    while rows >= most:
        level, most = level + 1, most * MOST
    return level
