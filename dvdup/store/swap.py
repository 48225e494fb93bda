"""Putting a new index in the place of the old one, so that a kill in between loses neither."""

from __future__ import annotations

import shutil
from pathlib import Path

from dvdup.errors import StoreError
from dvdup.store.index import exists

REBUILD = "rebuild"
"""Folder beside `index` in which a new index grows; it is an index folder of its own."""
_OLD = "index.old"


def discard(folder: Path) -> None:
    """Delete an index that is not wanted; the caller holds the lock."""
    shutil.rmtree(folder / "index", ignore_errors=True)


def swap_in(folder: Path) -> None:
    """Replace the index of a folder by the complete one in its `rebuild`.

    Raises:
        StoreError: The folders cannot be moved; the old index is where it was.
    """
    old, new = folder / _OLD, folder / REBUILD / "index"
    try:
        shutil.rmtree(old, ignore_errors=True)
        if (folder / "index").exists():
            (folder / "index").rename(old)
        new.rename(folder / "index")
    except OSError as error:
        finish_swap(folder)
        raise StoreError(
            f"cannot replace the index in {folder}: {error.strerror or error}; "
            "close what uses it and run it again"
        ) from error
    _clean(folder)


def finish_swap(folder: Path) -> None:
    """Bring back the old index if a swap was killed between its two steps; tidy up after one."""
    old = folder / _OLD
    if not old.exists():
        return
    if exists(folder):
        shutil.rmtree(old, ignore_errors=True)
    else:
        old.rename(folder / "index")


def _clean(folder: Path) -> None:
    shutil.rmtree(folder / _OLD, ignore_errors=True)
    shutil.rmtree(folder / REBUILD, ignore_errors=True)
