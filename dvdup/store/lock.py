"""One writing command at a time: an advisory lock beside the tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dvdup.errors import StoreError


@contextmanager
def write_lock(folder: Path, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the index for writing; wait as long as another command holds it.

    A killed process gives its lock back by itself, the file stays.

    Args:
        folder: The index folder (`.dvdup`); made if missing, with a `.gitignore` of its own.
        waiting: Called once, before waiting, if somebody else holds the lock.

    Raises:
        StoreError: The folder cannot be written.
    """
    import filelock

    try:
        folder.mkdir(parents=True, exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
        lock = filelock.FileLock(folder / "lock")
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            waiting()
            lock.acquire()
    except OSError as error:
        raise StoreError(
            f"cannot write the index in {folder}: {error.strerror or error}; "
            "make the folder writable or name another one with --index"
        ) from error
    try:
        yield
    finally:
        lock.release()
