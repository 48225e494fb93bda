"""How many bytes a file may become in memory: a small file must not fill it.

Two rules. Never more than `read.max_bytes`, by default a quarter of the memory of the machine (or
of the control group that the process runs in). And, unless the user has set that number, never more
than 256 MiB that are also over 200 times what lies on disk: no scan is packed as tightly.
"""

from __future__ import annotations

import functools
import os
from contextlib import suppress
from pathlib import Path

from dvdup.errors import ReadError

SMALL = 256 << 20
"""Bytes that any file may become."""
RATIO = 200
"""How far a bigger file may expand."""

_SHARE = 4
_UNKNOWN_MEMORY = 8 << 30
_CONTROL_GROUPS = Path("/sys/fs/cgroup")

_chosen: int | None = None


def choose(max_bytes: int | None) -> None:
    """Set the bound of this process; None takes the default. Processes that it starts inherit it.

    Args:
        max_bytes: The setting `read.max_bytes`.
    """
    global _chosen
    _chosen = max_bytes


def chosen() -> int | None:
    """What `choose` was last called with."""
    return _chosen


def bound() -> int:
    """Bytes that the voxels of one case may take."""
    return _chosen if _chosen is not None else max(1 << 30, machine_memory() // _SHARE)


def check(name: str, wanted: int, stored: int) -> None:
    """Refuse what would fill the memory, before anything is allocated.

    Args:
        name: The file, for the message.
        wanted: Bytes that it becomes.
        stored: Bytes that it has on disk.

    Raises:
        ReadError: It would become too big; says how to raise the bound.
    """
    if wanted > bound():
        raise ReadError(
            f"{name}: would take {_shown(wanted)} of memory, more than the {_shown(bound())} that "
            "read.max_bytes allows; raise it if the file is sound"
        )
    if _chosen is None and wanted > SMALL and wanted > RATIO * stored:
        raise ReadError(
            f"{name}: {_shown(stored)} on disk would become {_shown(wanted)} in memory, as no scan "
            f"does; if the file is sound, set read.max_bytes (it is {bound()} by default)"
        )


def allowed(stored: int) -> int:
    """Bytes that a file of `stored` bytes may become."""
    return bound() if _chosen is not None else min(bound(), max(SMALL, RATIO * stored))


@functools.cache
def machine_memory() -> int:
    """Bytes of memory that this process may have: of the machine or of its control group."""
    found = [*_physical(), *_of_control_groups()]
    return min(found, default=_UNKNOWN_MEMORY)


def _physical() -> list[int]:
    with suppress(AttributeError, OSError, ValueError):
        return [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    with suppress(Exception):
        return [_of_windows()]
    return []


def _of_windows() -> int:
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ulong), ("load", ctypes.c_ulong), *(
            (name, ctypes.c_ulonglong) for name in ("total", "a", "b", "c", "d", "e", "f")
        ))  # fmt: skip

    status = Status()
    status.length = ctypes.sizeof(Status)
    ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))  # type: ignore[attr-defined]
    return int(status.total)


def _of_control_groups() -> list[int]:
    """The limits of version 2, from the group of the process upwards, and that of version 1."""
    files = [_CONTROL_GROUPS / "memory" / "memory.limit_in_bytes"]
    with suppress(OSError):
        own = Path("/proc/self/cgroup").read_text().strip().rpartition(":")[2].lstrip("/")
        group = _CONTROL_GROUPS / own
        files += [each / "memory.max" for each in (group, *group.parents)][:16]
    limits = []
    for file in files:
        with suppress(OSError, ValueError):
            limits.append(int(file.read_text()))
    return limits


def _shown(count: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return (
                f"{count / size:.3g} {unit}" if count < 1000 * size else f"{count // size} {unit}"
            )
    return f"{count} bytes"
