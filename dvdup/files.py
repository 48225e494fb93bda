"""What files look like on disk, and whether they are still those that were indexed.

Another file can have the size and the mtime of the one that was indexed (`cp -p`, archives with
fixed times), not its ctime and inode: where they differ, the bytes are hashed again. A file written
within 2 s of being indexed could change again without changing its mtime, so its mtime is not
stored (`RACY`) and the next run hashes it again. What is found to have the same bytes is remembered
in `Verified`, a small file beside the index: it is no news worth a version of the index.

A file on an object store (`remote`) has its version, made of the ETag, in the place of an mtime.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections import OrderedDict
from collections.abc import Collection, Sequence
from contextlib import suppress
from errno import EACCES, ENOENT
from pathlib import Path
from stat import S_IFREG, S_ISDIR, S_ISREG
from threading import Lock

from dvdup import pointers, remote
from dvdup.config.uris import is_object_uri
from dvdup.errors import ReadError
from dvdup.hashing import file_hash, files_below, folder_hash
from dvdup.records import FileStat, IndexedCase, Pointer
from dvdup.sealed import SealedFiles, nowhere

RACY = -1
"""Stored instead of an mtime that is too young to be trusted, so that the next run hashes again."""

_INODE_BITS = 2**63 - 1  # some file systems have numbers of 128 bits, the index has room for 63
_VERIFIED = "cache/verified.json"
_BELIEVED = 20.0  # times as long as it took to look into a folder, what was seen is believed
_RACY_NS = 2_000_000_000  # some file systems keep mtimes to 2 s; git's racy-clean rule


def stat_files(root: Path, paths: Sequence[str]) -> tuple[FileStat, ...] | None:
    """Sizes, times and inodes of the files of a case, or None if one is not there or closed."""
    try:
        return tuple(_recent_stat(root, path) for path in paths)
    except (OSError, ReadError):
        return None


def is_missing(root: Path, path: str) -> bool:
    """Whether a file is not there, links included; a folder that is closed to us proves nothing."""
    if is_object_uri(path):
        return remote.is_missing(path)
    try:
        os.lstat(root / path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def all_missing(root: Path, paths: Sequence[str]) -> bool:
    """Whether no file of a case is there any more.

    One that only cannot be reached, or that DVC keeps elsewhere, is not gone.
    """
    return all(
        is_missing(root, path) and (is_object_uri(path) or not pointers.is_absent(root / path))
        for path in paths
    )


def unchanged(stored: Sequence[FileStat], now: Sequence[FileStat]) -> bool:
    """Whether paths, sizes, times and inodes are those of the index, which no copy can pretend."""
    return _same_times(stored, now) and all(
        not _differ(a.ctime_ns, b.ctime_ns) and not _differ(a.inode, b.inode)
        for a, b in zip(stored, now, strict=True)
    )


def plausibly_unchanged(stored: Sequence[FileStat], now: Sequence[FileStat]) -> bool:
    """As `unchanged`, but an mtime that was too young to be stored is taken for unchanged."""
    return unchanged(_believed(stored, now), now)


def with_recorded(root: Path, stats: Sequence[FileStat]) -> tuple[FileStat, ...]:
    """What pointers record of files that are not here, in place of what the pointers look like."""
    return tuple(_recorded(root, stat) for stat in stats)


def _recorded(root: Path, stat: FileStat) -> FileStat:
    pointer = _pointer(root, stat.path)
    if pointer is None or not pointer.recorded:
        return stat
    return FileStat(stat.path, pointer.size, 0, pointer.recorded)


def _pointer(root: Path, path: str) -> Pointer | None:
    """What stands for a file that is not here; nothing does on an object store."""
    return None if is_object_uri(path) else pointers.find(root / path, root)


def still_away(root: Path, case: IndexedCase) -> bool:
    """Whether the files of a case were not here when it was indexed, and are so still.

    Args:
        root: What paths are relative to.
        case: As indexed; what its pointers record has not changed either.
    """
    if case.status != "unreadable":
        return False
    found = [_pointer(root, path) for path in case.paths]
    stored = [stat.file_hash if pointers.is_recorded(stat.file_hash) else "" for stat in case.files]
    return any(found) and stored == [each.recorded if each else "" for each in found]


def same_times(stored: Sequence[FileStat], now: Sequence[FileStat]) -> bool:
    """As `plausibly_unchanged`, for files that may have been copied with their mtimes."""
    return _same_times(_believed(stored, now), now)


def _same_times(stored: Sequence[FileStat], now: Sequence[FileStat]) -> bool:
    return len(stored) == len(now) and all(
        (a.path, a.size, a.mtime_ns) == (b.path, b.size, b.mtime_ns)
        for a, b in zip(stored, now, strict=True)
    )


def _differ(stored: int, now: int) -> bool:
    """Whether two facts contradict each other; one that is not known contradicts nothing."""
    return bool(stored and now and stored != now)


def _believed(stored: Sequence[FileStat], now: Sequence[FileStat]) -> list[FileStat]:
    """What is stored, with the mtimes of now where they were too young to be stored."""
    mtimes = {stat.path: stat.mtime_ns for stat in now}
    return [
        dataclasses.replace(stat, mtime_ns=mtimes.get(stat.path, RACY))
        if stat.mtime_ns == RACY
        else stat
        for stat in stored
    ]


def holds_what_was_indexed(
    root: Path,
    stored: Sequence[FileStat],
    paths: Sequence[str],
    verified: Verified | None = None,
) -> bool:
    """Whether the files of a case are still those that were indexed, to the byte where in doubt.

    Args:
        root: What paths are relative to.
        stored: The files as indexed.
        paths: Their names.
        verified: Files that were hashed again since; what is hashed here is added to it.

    Raises:
        ReadError: One cannot be looked at, which does not mean that it has gone.
    """
    now = stat_files(root, paths)
    if now is None:
        if any(is_missing(root, path) for path in paths):
            return False
        raise ReadError(f"{_why_not(root, paths)}; make it readable, or leave it out")
    verified = verified or Verified(nowhere())
    if verified.unchanged(stored, now):
        return True
    if [(stat.path, stat.size) for stat in stored] != [(stat.path, stat.size) for stat in now]:
        return False
    known = {stat.path: stat for stat in verified.filled(stored)}
    doubtful = [stat for stat in now if not unchanged([known[stat.path]], [stat])]
    hashed = hash_files(root, doubtful, verified.recent)
    if any(stat.file_hash != known[stat.path].file_hash for stat in hashed):
        return False
    verified.add(hashed)
    return True


def not_shared(path: str, machine: str) -> str:
    """What to say of a file that is not the same on a machine that works for this one."""
    if is_object_uri(path):
        return (
            f"{path} is not for {machine} what it is here, so it was not checked; all machines of "
            "the cluster must reach the object store, with the same settings and credentials in "
            "the environment in which `ray start` was called (an object that was just written may "
            "be seen a little later: run it again)"
        )
    return (
        f"{path} is not on {machine} as it is here, so it was not checked; all machines of the "
        "cluster must see the scans under the same path, in a folder that they share (a file that "
        "was just written may take a minute to be seen: run it again)"
    )


def _why_not(root: Path, paths: Sequence[str]) -> str:
    """Why the files of a case cannot be looked at: the first that is closed, or a broken link."""
    for path in paths:
        try:
            _stat(root, path)
        except OSError as error:
            return f"{path}: {(error.strerror or type(error).__name__).lower()}"
    return f"{paths[0]}: it could not be reached a moment ago"


class Verified:
    """Files that have been hashed again since they were indexed, and had the bytes of the index."""

    def __init__(self, sealed: SealedFiles) -> None:
        """Read what earlier runs found; a damaged or missing file costs hashing only.

        Args:
            sealed: Where it is kept.
        """
        self._sealed = sealed
        self.recent = Recent()
        """What this command has hashed."""
        self._known: dict[str, FileStat] = {}
        self._changed = False
        payload = sealed.read(_VERIFIED)
        with suppress(ValueError, TypeError):
            kept = json.loads(payload or "[]")
            self._known = {stat.path: stat for stat in (FileStat(**row) for row in kept)}

    def add(self, hashed: Sequence[FileStat]) -> None:
        """Remember files whose bytes were found to be those of the index."""
        for stat in hashed:
            if stat.mtime_ns != RACY:
                self._known[stat.path] = stat
                self._changed = True

    def unchanged(self, stored: Sequence[FileStat], now: Sequence[FileStat]) -> bool:
        """As the function `unchanged`, for files as they were when they were last hashed."""
        return unchanged(stored, now) or unchanged(self.filled(stored), now)

    def filled(self, stored: Sequence[FileStat]) -> tuple[FileStat, ...]:
        """What is stored, with times and inodes as they were when the bytes were last hashed."""
        return tuple(map(self._filled, stored))

    def _filled(self, stat: FileStat) -> FileStat:
        known = self._known.get(stat.path)
        same = known is not None and (known.size, known.file_hash) == (stat.size, stat.file_hash)
        return known if known is not None and same and stat.file_hash else stat

    def lost(self, paths: Collection[str]) -> set[str]:
        """Remembered files that are not among those of any case.

        Args:
            paths: The files of all cases.
        """
        return set(self._known) - set(paths)

    def forget(self, paths: Collection[str]) -> None:
        """Remember some files no longer."""
        for path in paths:
            self._changed = self._known.pop(path, None) is not None or self._changed

    def save(self) -> None:
        """Write what was added; a folder that cannot be written costs hashing only."""
        if not self._changed:
            return
        kept = [dataclasses.asdict(self._known[path]) for path in sorted(self._known)]
        with suppress(OSError):
            self._sealed.write(_VERIFIED, json.dumps(kept).encode())


class Recent:
    """Hashes of the last files, so that one that many cases lie in is not hashed for each."""

    _MOST = 256

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._known: OrderedDict[FileStat, str] = OrderedDict()
        self._busy: dict[FileStat, Lock] = {}
        self._lock = Lock()

    def file_hash(self, root: Path, stat: FileStat) -> str:
        """The hash of a file; a thread that asks while another one hashes it waits for that.

        A file that could change again without changing its times is hashed again.

        Raises:
            OSError: It cannot be read.
        """
        with self._lock:
            own = self._busy.setdefault(stat, Lock())
        with own:
            known = self._known.get(stat)
            digest = known or _digest(root, stat.path)
            with self._lock:
                self._busy.pop(stat, None)
                if known is None and not _is_young(max(stat.mtime_ns, stat.ctime_ns)):
                    self._known[stat] = digest
                if len(self._known) > self._MOST:
                    self._known.popitem(last=False)
            return digest


def hash_files(
    root: Path, stats: Sequence[FileStat], recent: Recent | None = None
) -> tuple[FileStat, ...]:
    """Fill in the hashes of the bytes; an mtime within 2 s of now becomes `RACY`.

    Args:
        root: What paths are relative to.
        stats: The files.
        recent: What was hashed a moment ago and is not hashed again.

    Raises:
        ReadError: A file vanished, cannot be opened, or changed while it was hashed.
    """
    hashed = []
    for stat in stats:
        try:
            _demand_regular(root, stat.path)
            digest = recent.file_hash(root, stat) if recent else _digest(root, stat.path)
            after = _stat(root, stat.path)
        except OSError as error:
            reason = (error.strerror or type(error).__name__).lower()
            raise ReadError(f"{stat.path}: {reason}; make it readable, or leave it out") from error
        if not unchanged([stat], [after]):
            raise ReadError(f"{stat.path} changed while it was read; run it again")
        mtime_ns = RACY if _is_young(stat.mtime_ns) else stat.mtime_ns
        hashed.append(dataclasses.replace(stat, mtime_ns=mtime_ns, file_hash=digest))
    return tuple(hashed)


def _demand_regular(root: Path, path: str) -> None:
    """Refuse what would wait for ever, as a pipe does."""
    mode = S_IFREG if is_object_uri(path) else os.stat(root / path).st_mode
    if not (S_ISREG(mode) or S_ISDIR(mode)):
        raise ReadError(f"{path} is not a regular file; replace it, or leave it out")


def _is_young(time_ns: int) -> bool:
    return time.time_ns() - time_ns < _RACY_NS


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


def _digest(root: Path, name: str) -> str:
    with remote.at_hand(root, [name]) as (path,):
        return folder_hash(path) if path.is_dir() else file_hash(path)


_FOLDERS: dict[str, tuple[float, FileStat]] = {}
"""Until when what a folder looked like is believed: thousands of rows may lie in one."""


def _recent_stat(root: Path, path: str) -> FileStat:
    """As `_stat`, but a folder is not walked for more than a small part of the time."""
    if is_object_uri(path):
        return _stat(root, path)
    file = os.path.join(root, path)
    until, known = _FOLDERS.get(file, (0.0, None))
    start = time.monotonic()
    if known is not None and start < until and known.path == path:
        return known
    found = _stat(root, path)
    if os.path.isdir(file):
        now = time.monotonic()
        _FOLDERS[file] = (now + _BELIEVED * (now - start), found)
    return found


def _stat(root: Path, path: str) -> FileStat:
    if is_object_uri(path):
        return _stat_of_object(path)
    file = os.path.join(root, path)
    found = os.stat(file)  # several times as fast as Path.stat
    if not os.access(file, os.R_OK):
        raise PermissionError(EACCES, "permission denied", path)
    if S_ISDIR(found.st_mode):
        return _stat_of_folder(file, path)
    return FileStat(
        path=path,
        size=found.st_size,
        mtime_ns=found.st_mtime_ns,
        ctime_ns=found.st_ctime_ns,
        inode=found.st_ino & _INODE_BITS,
    )


def _stat_of_object(uri: str) -> FileStat:
    """An object, or all of a folder: what the store calls the content is in the place of a time."""
    seen = remote.look(uri)
    if seen is None:
        raise FileNotFoundError(ENOENT, "no such object", uri)
    return FileStat(path=uri, size=seen.size, mtime_ns=seen.version)


def _stat_of_folder(folder: str, path: str) -> FileStat:
    """A folder that is one scan: bytes of all its files, and the youngest times in it.

    Whatever is written, added or removed in it makes one of these times that of the change.
    """
    own = os.stat(folder)
    files = [file.stat() for file in files_below(Path(folder))]
    folders = [os.stat(place) for place, _, _ in os.walk(folder)]
    every = (*files, *folders)
    return FileStat(
        path=path,
        size=sum(found.st_size for found in files),
        mtime_ns=max(found.st_mtime_ns for found in every),
        ctime_ns=max(found.st_ctime_ns for found in every),
        inode=own.st_ino & _INODE_BITS,
    )
