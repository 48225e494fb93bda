"""One writing command at a time: an advisory lock beside the tables."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dvdup.errors import StoreError
from dvdup.store.key import index_key, read_key
from dvdup.store.place import adopt, claim

if TYPE_CHECKING:
    from filelock import BaseFileLock


@dataclass(frozen=True, slots=True)
class Lease:
    """A lock that is held, and on which folder: its key, and the file of the lock."""

    folder: Path
    identity: tuple[bytes, int, int]

    def demand(self) -> None:
        """Make sure that the folder is still the one that was locked.

        Raises:
            StoreError: It has been deleted, or another one has been put in its place.
        """
        if _identity(self.folder) != self.identity:
            raise StoreError(
                f"the index in {self.folder} was deleted or replaced while this command wrote to "
                "it; nothing more is written, run it again"
            )


@contextmanager
def write_lock(
    folder: Path,
    root: Path,
    waiting: Callable[[], None] = lambda: None,
    *,
    moved: bool = False,
) -> Iterator[Lease]:
    """Hold the index for writing; wait as long as another command holds it.

    A killed process gives its lock back by itself, the file stays.

    Args:
        folder: The index folder (`.dvdup`); made if missing, with a `.gitignore` of its own.
        root: Folder of the dataset.
        waiting: Called once, before waiting, if somebody else holds the lock.
        moved: Take the folder over for this dataset, because the dataset has moved.

    Raises:
        StoreError: The folder is not dvdup's, or that of another dataset, or cannot be written.
    """
    try:
        if moved:
            adopt(folder, root)
        lock, lease = _acquired(folder, root, waiting)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise StoreError(
            f"cannot write the index in {folder}: {error.strerror or error}; "
            + ("free some space" if full else "make the folder writable")
            + ", or name another one with --index"
        ) from error
    try:
        yield lease
    finally:
        lock.release()


def _acquired(folder: Path, root: Path, waiting: Callable[[], None]) -> tuple[BaseFileLock, Lease]:
    """Lock the folder that is there once the lock is held: it may be replaced while one waits."""
    from filelock import FileLock, Timeout

    told = False
    while True:
        claim(folder, root)
        index_key(folder)
        (folder / "lock").touch()
        before = _identity(folder)
        lock = FileLock(folder / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if not told:
                waiting()
            told = True
            lock.acquire()
        if before is not None and before == _identity(folder):
            return lock, Lease(folder, before)
        lock.release()


def _identity(folder: Path) -> tuple[bytes, int, int] | None:
    """What tells this folder from another one in its place; None without a lock."""
    try:
        status = os.stat(folder / "lock")
    except OSError:
        return None
    return (read_key(folder) or b"", status.st_dev, status.st_ino)
