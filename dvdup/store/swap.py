"""Putting a new index in the place of the old one, so that a kill in between loses neither.

Only the tables that dvdup made are deleted; a folder that holds something else as well stays.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from dvdup.errors import StoreError
from dvdup.store import place
from dvdup.store.key import KEY_NAME
from dvdup.store.place import MARKER, is_marked
from dvdup.store.tables import TABLES, exists

REBUILD = "rebuild"
"""Folder beside `index` in which a new index grows; it is an index folder of its own."""
_OLD = "index.old"
_OWN_FILES = (MARKER, KEY_NAME, "lock", ".gitignore")


def discard(folder: Path) -> None:
    """Delete an index that is not wanted; the caller holds the lock."""
    _remove(folder / "index")


def swap_in(folder: Path) -> None:
    """Replace the index of a folder by the complete one in its `rebuild`.

    Raises:
        StoreError: The folders cannot be moved; the old index is where it was.
    """
    old, new = folder / _OLD, folder / REBUILD / "index"
    try:
        _remove(old)
        if (folder / "index").exists():
            (folder / "index").rename(old)
        new.rename(folder / "index")
    except OSError as error:
        finish_swap(folder)
        raise StoreError(
            f"cannot replace the index in {folder}: {error.strerror or error}; "
            "close what uses it, move away what you have put there yourself, and run it again"
        ) from error
    _remove(old)
    _remove_folder(folder / REBUILD)


def abandon(folder: Path) -> None:
    """Delete an index folder in which no index was made, if nothing else is in it."""
    if is_marked(folder) and not exists(folder) and {*os.listdir(folder)} <= {*_OWN_FILES}:
        _remove_folder(folder)


def finish_swap(folder: Path) -> None:
    """Bring back the old index if a swap was killed between its two steps; tidy up after one.

    Raises:
        StoreError: Something else is in its place.
    """
    old = folder / _OLD
    if not old.exists():
        return
    if exists(folder):
        _remove(old)
        return
    _remove(folder / "index")  # what a creation left that did not end
    try:
        old.rename(folder / "index")
    except OSError as error:
        raise StoreError(
            f"cannot bring back the index from {old}: {error.strerror or error}; move away what "
            f"you have put into {folder / 'index'} yourself, and run it again"
        ) from error


def _remove(index: Path) -> None:
    """Delete the tables of an index, and its folder if nothing else is in it."""
    for name in TABLES:
        with suppress(OSError):
            place.remove_table(index / f"{name}.lance")
    with suppress(OSError):
        index.rmdir()


def _remove_folder(folder: Path) -> None:
    """Delete an index folder as far as dvdup made it; its marker goes last."""
    if not is_marked(folder):
        return
    _remove(folder / "index")
    with suppress(OSError):
        for name in reversed(_OWN_FILES):
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()
