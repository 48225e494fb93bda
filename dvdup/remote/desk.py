"""The folder of this process, in which the files lie that it uses now.

```
<cache folder of the user>/dvdup/data/desks/<name>        its files
<cache folder of the user>/dvdup/data/desks/<name>.lock   held as long as the process lives
```

It goes when the process ends; what a killed one left is cleared away by the next.
"""

from __future__ import annotations

import atexit
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from threading import Lock

from dvdup.objects import made_private
from dvdup.remote.cache import locked


class Desk:
    """A folder of one process."""

    def __init__(self, folder: Path) -> None:
        """Make one, and clear away those of processes that are no more.

        Args:
            folder: Of the cache, whose lock is held meanwhile.

        Raises:
            OSError: It cannot be made.
        """
        from filelock import FileLock

        self._number, self._counting = 0, Lock()
        with locked(folder):
            desks = made_private(folder / "desks")
            _clear(desks)
            name = secrets.token_hex(8)
            self._lock = FileLock(desks / f"{name}.lock", thread_local=False)
            self._lock.acquire(timeout=0)
            self.folder = made_private(desks / name)
        atexit.register(self.close)

    def place(self, name: str) -> Path:
        """A folder on it that is new."""
        with self._counting:
            self._number += 1
            place = self.folder / f"{name}-{self._number}"
        place.mkdir()
        return place

    def close(self) -> None:
        """Clear it away."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(OSError):
            Path(self._lock.lock_file).unlink(missing_ok=True)
            self._lock.release()


def _clear(desks: Path) -> None:
    from filelock import FileLock, Timeout

    for file in desks.glob("*.lock"):
        lock = FileLock(file)
        try:
            lock.acquire(timeout=0)
        except (Timeout, OSError):
            continue
        shutil.rmtree(file.with_suffix(""), ignore_errors=True)
        with suppress(OSError):
            file.unlink()
        lock.release()
