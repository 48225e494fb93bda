"""Content that was read from object stores, kept within a bound for all processes of the user.

```
<cache folder of the user>/dvdup/data/objects/<key>   one object, whole
<cache folder of the user>/dvdup/data/used            bytes in there, at most
<cache folder of the user>/dvdup/data/lock            held while something is put in or taken out
```

What lies in `objects` is whole: it comes there by a hard link, once it has been written elsewhere.
A process that uses it has a link of its own, so that it may go at any time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dvdup.objects import made_private

_FULL = 0.9  # of the bound is left when room is made, so that it is not made for every object


class Cache:
    """A folder of objects by key; who was used longest ago goes first."""

    def __init__(self, folder: Path, limit: int) -> None:
        """Touch nothing yet.

        Args:
            folder: Of the cache.
            limit: Bytes of all objects together.
        """
        self._folder, self._limit = folder, limit
        self._objects = folder / "objects"

    def take(self, key: str, size: int, target: Path) -> bool:
        """Give a file the content of an object, if it is here and whole.

        Args:
            key: Of the object.
            size: Bytes that it has.
            target: A path in the same file system that nothing is at.
        """
        kept = self._objects / key
        try:
            os.link(kept, target)
        except OSError:
            return False
        if target.stat().st_size != size:  # a machine that went down before it was on disk
            target.unlink()
            kept.unlink(missing_ok=True)
            return False
        with suppress(OSError):
            os.utime(kept)
        return True

    def keep(self, key: str, file: Path) -> None:
        """Keep the content of a file as that of an object; one that is too large is not kept.

        A file system that knows no links keeps nothing: that costs reading it again.
        """
        size = file.stat().st_size
        if size > self._limit:
            return
        with suppress(OSError), locked(self._folder):
            made_private(self._objects)
            kept = self._objects / key
            if not kept.exists():
                self._make_room(size)
                os.link(file, kept)

    def give_way(self) -> bool:
        """Delete all that is kept, as the disk is full; whether there was something.

        Raises:
            OSError: It cannot be deleted.
        """
        with locked(self._folder):
            kept = list(self._objects.glob("*"))
            for file in kept:
                file.unlink()
            (self._folder / "used").unlink(missing_ok=True)
        return bool(kept)

    def _make_room(self, size: int) -> None:
        """Delete what was used longest ago; the bytes are counted before they come."""
        used = self._used()
        if used is None or used + size > self._limit:
            used = self._without_oldest(size)
        (self._folder / "used").write_text(str(used + size))

    def _used(self) -> int | None:
        try:
            return int((self._folder / "used").read_text())
        except (OSError, ValueError):
            return None

    def _without_oldest(self, size: int) -> int:
        kept = []
        for entry in os.scandir(self._objects):
            status = entry.stat()
            kept.append((status.st_mtime_ns, entry.path, status.st_size))
        used = sum(each[2] for each in kept)
        goal = min(self._limit - size, int(self._limit * _FULL))
        if used + size <= self._limit:
            return used
        for _, path, own in sorted(kept):
            if used <= goal:
                break
            os.unlink(path)
            used -= own
        return used


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of the folder of the cache, which is made if it is not there.

    Raises:
        OSError: It cannot be written.
    """
    from filelock import FileLock

    with FileLock(made_private(folder) / "lock"):
        yield
