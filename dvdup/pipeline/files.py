"""What files look like on disk, and whether they are still those that were indexed.

A file written within 2 s of being indexed could change again without changing its mtime, so its
mtime is not stored (`RACY`) and the next run hashes it again. What that run finds unchanged is
remembered in `Verified`, a small file beside the index: it is no news worth a version of the index.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from dvdup.errors import ReadError
from dvdup.hashing import file_hash
from dvdup.records import FileStat

RACY = -1
"""Stored instead of an mtime that is too young to be trusted, so that the next run hashes again."""

_RACY_NS = 2_000_000_000  # some file systems keep mtimes to 2 s; git's racy-clean rule


def stat_files(root: Path, paths: Sequence[str]) -> tuple[FileStat, ...] | None:
    """Size and mtime of the files of a case, or None if one is not there."""
    try:
        return tuple(_stat(root, path) for path in paths)
    except OSError:
        return None


def is_missing(root: Path, path: str) -> bool:
    """Whether a file is not there, links included; a folder that is closed to us proves nothing."""
    try:
        os.lstat(root / path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def unchanged(stored: Sequence[FileStat], now: Sequence[FileStat]) -> bool:
    """Whether paths, sizes and mtimes are those of the index."""
    return len(stored) == len(now) and all(
        (a.path, a.size, a.mtime_ns) == (b.path, b.size, b.mtime_ns)
        for a, b in zip(stored, now, strict=True)
    )


def plausibly_unchanged(stored: Sequence[FileStat], now: Sequence[FileStat]) -> bool:
    """As `unchanged`, but an mtime that was too young to be stored is taken for unchanged."""
    believed = [
        dataclasses.replace(b, mtime_ns=a.mtime_ns) if a.mtime_ns == RACY else b
        for a, b in zip(stored, now, strict=False)
    ]
    return unchanged(stored, believed) and len(stored) == len(now)


def holds_what_was_indexed(root: Path, stored: Sequence[FileStat], paths: Sequence[str]) -> bool:
    """Whether the files of a case are still those that were indexed, to the byte where in doubt.

    Args:
        root: What paths are relative to.
        stored: The files as indexed.
        paths: Their names.

    Raises:
        ReadError: One cannot be looked at, which does not mean that it has gone.
    """
    now = stat_files(root, paths)
    if now is None:
        if any(is_missing(root, path) for path in paths):
            return False
        raise ReadError(f"{paths[0]}: permission denied; make it readable, or leave it out")
    if not plausibly_unchanged(stored, now):
        return False
    doubtful = {stat.path: stat.file_hash for stat in stored if stat.mtime_ns == RACY}
    hashed = hash_files(root, [stat for stat in now if stat.path in doubtful])
    return all(stat.file_hash == doubtful[stat.path] for stat in hashed)


class Verified:
    """Files that were too young to be trusted when indexed and have been hashed again since."""

    def __init__(self, file: Path) -> None:
        """Read what earlier runs found; a damaged or missing file costs hashing only."""
        self._file = file
        self._known: dict[str, list[int | str]] = {}
        self._changed = False
        with suppress(OSError, ValueError):
            values = json.loads(file.read_text(encoding="utf-8"))
            if isinstance(values, dict):
                self._known = {
                    path: known
                    for path, known in values.items()
                    if isinstance(known, list) and len(known) == 3
                }

    def add(self, hashed: Sequence[FileStat]) -> None:
        """Remember files whose bytes were found to be those of the index."""
        for stat in hashed:
            if stat.mtime_ns != RACY:
                self._known[stat.path] = [stat.size, stat.mtime_ns, stat.file_hash]
                self._changed = True

    def unchanged(self, stored: Sequence[FileStat], now: Sequence[FileStat]) -> bool:
        """As the function `unchanged`, with what is remembered here for mtimes not stored."""
        return unchanged([self._filled(stat) for stat in stored], now)

    def _filled(self, stat: FileStat) -> FileStat:
        size, mtime_ns, digest = self._known.get(stat.path, (0, RACY, ""))
        if stat.mtime_ns != RACY or (size, digest) != (stat.size, stat.file_hash):
            return stat
        return dataclasses.replace(stat, mtime_ns=int(mtime_ns))

    def save(self) -> None:
        """Write what was added; a folder that cannot be written costs hashing only."""
        if not self._changed:
            return
        part = self._file.with_name(self._file.name + ".part")
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(self._known, sort_keys=True), encoding="utf-8")
            os.replace(part, self._file)


def hash_files(root: Path, stats: Sequence[FileStat]) -> tuple[FileStat, ...]:
    """Fill in the hashes of the bytes; an mtime within 2 s of now becomes `RACY`.

    Raises:
        ReadError: A file vanished, cannot be opened, or changed while it was hashed.
    """
    hashed = []
    for stat in stats:
        try:
            digest = file_hash(root / stat.path)
            after = _stat(root, stat.path)
        except OSError as error:
            reason = (error.strerror or type(error).__name__).lower()
            raise ReadError(f"{stat.path}: {reason}; make it readable, or leave it out") from error
        if (after.size, after.mtime_ns) != (stat.size, stat.mtime_ns):
            raise ReadError(f"{stat.path} changed while it was read; run it again")
        racy = time.time_ns() - stat.mtime_ns < _RACY_NS
        mtime_ns = RACY if racy else stat.mtime_ns
        hashed.append(dataclasses.replace(stat, mtime_ns=mtime_ns, file_hash=digest))
    return tuple(hashed)


def fingerprint(files: Sequence[FileStat], series: str | None) -> tuple[str, ...] | None:
    """What two cases share if one is a byte copy of the other; None without hashes.

    The suffix belongs to it, because it decides which reader reads the bytes.
    """
    if not files or any(not stat.file_hash for stat in files):
        return None
    return (series or "", *sorted(f"{_suffix(stat.path)}:{stat.file_hash}" for stat in files))


def _suffix(path: str) -> str:
    name = path.rsplit("/", 1)[-1]
    return name[name.find(".") :].lower() if "." in name else ""


def _stat(root: Path, path: str) -> FileStat:
    found = os.stat(root / path)  # several times as fast as Path.stat
    return FileStat(path=path, size=found.st_size, mtime_ns=found.st_mtime_ns)
