"""Whose folder it is: a marker says that dvdup made an index folder, and of which dataset.

Without the marker nothing in a folder is deleted, overwritten or kept out of git. It is written
before anything else and only into a folder that is new or empty. A marked folder holds no links, so
that nothing outside of it can be reached through it.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dvdup.errors import StoreError
from dvdup.store.schema import FORMAT

MARKER = "dvdup-index.json"
_PART = f"{MARKER}."
"""How the names of markers begin that were not finished."""
LANCE_FILES = re.compile(
    r"data/.+\.lance|_versions/([^/]+\.manifest|latest_version_hint\.json|\.tmp[^/]*)"
    r"|_transactions/[^/]+\.txn|_deletions/[^/]+\.(arrow|bin)|_refs/(tags|branches)/.+\.json"
    r"|_indices/.+/[^/]+\.(idx|lance)"
)
"""What Lance writes into the folder of a table."""
_OWN_NAMES = {"cache", "index", "index.old", "key", "lock", "rebuild", "results"}
_TABLE_FOLDERS = ("", "data", "_versions", "_transactions", "_deletions", "_refs", "_indices")


@dataclass(frozen=True, slots=True)
class Mark:
    """What a marker says."""

    root: str
    """The dataset: relative to the index folder if that lies inside it, else absolute; POSIX."""

    def path(self, folder: Path) -> Path:
        """The dataset on this machine."""
        return Path(os.path.normpath(os.path.join(os.path.realpath(folder), self.root)))


def is_marked(folder: Path) -> bool:
    """Whether dvdup made a folder, as far as the marker tells."""
    return _read(folder) is not None


def claim(folder: Path, root: Path) -> None:
    """Make a folder the index folder of a dataset, or make sure that it is.

    Args:
        folder: New, empty, or marked for this dataset.
        root: Folder of the dataset.

    Raises:
        StoreError: It is somebody else's.
        OSError: It cannot be written.
    """
    _demand_no_file(folder)
    if _read(folder) is None and not _foreign(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if not _foreign(folder):  # another command may have been faster
            _write_beside_others(folder, root)
            _tidy(folder)
    demand(folder, root)
    ignore = folder / ".gitignore"
    if not os.path.lexists(ignore) and {*os.listdir(folder)} <= {MARKER, *_OWN_NAMES}:
        ignore.write_text("*\n", encoding="utf-8")


def demand(folder: Path, root: Path) -> None:
    """Make sure that a folder is the index folder of a dataset; a folder that is new passes.

    Raises:
        StoreError: It is not, or links lead out of it.
    """
    _demand_no_file(folder)
    mark = _read(folder)
    if mark is None:
        found = _foreign(folder)
        if found:
            raise StoreError(_not_ours(folder, found))
        return
    if not _same(mark.path(folder), root):
        raise StoreError(
            f"the index in {folder} is that of the dataset in {mark.path(folder)}, not of {root}; "
            "name another one with --index, or, if the dataset has moved, run `dvdup sync --adopt`"
        )
    for link in _links(folder):
        raise StoreError(
            f"{link} is a link, and an index folder has none; remove it, it may lead to files that "
            "are not dvdup's"
        )


def remove_table(table: Path) -> None:
    """Delete the folder of a Lance table as far as Lance wrote it; other files stay where they are.

    Args:
        table: Inside an index folder that is dvdup's; it may be missing.
    """
    for folder, _, names in os.walk(table, topdown=False):
        for name in names:
            file = Path(folder, name)
            if LANCE_FILES.fullmatch(file.relative_to(table).as_posix()):
                file.unlink(missing_ok=True)
        with suppress(OSError):
            os.rmdir(folder)


def adopt(folder: Path, root: Path) -> None:
    """Mark an index folder as that of another dataset, because the dataset has moved.

    Raises:
        StoreError: dvdup did not make the folder.
        OSError: It cannot be written.
    """
    if _read(folder) is not None:
        _write(folder, root)


def _demand_no_file(folder: Path) -> None:
    if os.path.lexists(folder) and not folder.is_dir():
        raise StoreError(
            f"{folder} is no folder, so that it cannot hold an index; name another one with --index"
        )


def _not_ours(folder: Path, found: str) -> str:
    if found == MARKER:
        what = f"its {MARKER} is damaged"
    elif (folder / "index" / "cases.lance").is_dir():
        what = f"it has no {MARKER}, as indexes of older versions have not"
    else:
        what = f"it holds {found} and no {MARKER}"
    return (
        f"{folder} is not an index folder that dvdup made ({what}), so nothing in it is touched; "
        "name a new or empty folder with --index, or delete this one yourself if it is of no use"
    )


def _foreign(folder: Path) -> str:
    """The name of something in a folder that dvdup did not put there before its marker, or ""."""
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise StoreError(
            f"the index folder {folder} cannot be read: {error.strerror or error}; make it "
            "readable, or name another one with --index"
        ) from error
    return next((ascii(name)[1:-1] for name in names if not name.startswith(_PART)), "")


def _read(folder: Path) -> Mark | None:
    file = folder / MARKER
    try:
        if file.is_symlink() or not file.is_file() or file.stat().st_size > 1 << 16:
            return None
        values = json.loads(file.read_text(encoding="utf-8"))
        if values["dvdup"] != "index":
            return None
        return Mark(str(values["root"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(folder: Path, root: Path) -> None:
    """Write the marker, whole or not at all."""
    values = {"dvdup": "index", "format": FORMAT, "root": _recorded(folder, root)}
    part = folder / f"{_PART}{secrets.token_hex(4)}"
    try:
        with part.open("x", encoding="utf-8") as stream:
            stream.write(json.dumps(values, sort_keys=True) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(part, folder / MARKER)
    finally:
        part.unlink(missing_ok=True)


def _write_beside_others(folder: Path, root: Path) -> None:
    """Write the marker, unless a faster command did so and took ours for what a kill left."""
    try:
        _write(folder, root)
    except FileNotFoundError:
        if _read(folder) is None:
            raise


def _tidy(folder: Path) -> None:
    """Remove markers that a kill left unfinished."""
    for part in folder.glob(f"{_PART}*"):
        with suppress(OSError):
            part.unlink()


def _recorded(folder: Path, root: Path) -> str:
    real, top = Path(os.path.realpath(folder)), Path(os.path.realpath(root))
    inside = real.is_relative_to(top)
    return PurePosixPath(os.path.relpath(top, real) if inside else top).as_posix()


def _same(recorded: Path, root: Path) -> bool:
    return os.path.realpath(recorded) == os.path.realpath(root)


def _links(folder: Path) -> Iterator[Path]:
    """Links among the things that dvdup writes to."""
    for place in _written(folder):
        if place.is_symlink():
            yield place


def _written(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        yield from sorted(folder / entry.name for entry in entries)
    cache = folder / "cache"
    yield from (cache / "answers.sqlite", cache / "variants.lance")
    yield from (cache / "variants.lance" / name for name in _TABLE_FOLDERS)
    for place in (folder, folder / "rebuild"):
        yield place / "index"
        for table in ("cases.lance", "slices.lance"):
            yield from (place / "index" / table / name for name in _TABLE_FOLDERS)
            yield place / "index" / table / "_refs" / "tags"
