"""Files of a dataset that are not here: what stands for them, their hash, how to bring them.

`git-lfs` and `git-annex` leave a small text or a link in place of a file, DVC a text beside it or
an entry in `dvc.lock`. Each of these records a hash of the bytes, so that copies can be found
without them.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from stat import S_ISLNK, S_ISREG

from dvdup.pointers import annex, dvc, lfs
from dvdup.pointers.dvc import AbsentOuts, absent_outs, files_of, folder_hash, is_absent
from dvdup.records import Pointer

__all__ = [
    "LONGEST",
    "AbsentOuts",
    "absent_outs",
    "files_of",
    "find",
    "folder_hash",
    "is_absent",
    "is_folder",
    "is_folder_hash",
    "is_recorded",
    "of_text",
]

LONGEST = 4096
"""Bytes; pointer files are shorter."""
_OF_TEXT = (lfs.of_text, annex.of_text)


def find(path: Path, root: Path) -> Pointer | None:
    """What stands for a file or folder that is not here; None if nothing is known to.

    Args:
        path: Where it should be.
        root: Folder of the dataset, in which commands are given.
    """
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return dvc.find(path, root)
    except OSError:
        return None
    if S_ISLNK(status.st_mode) and not path.exists():
        return annex.of_link(path, root) or dvc.find(path, root)
    with suppress(OSError):
        status = os.stat(path)
        if S_ISREG(status.st_mode) and status.st_size < LONGEST:
            return of_text(path.read_bytes(), path, root)
    return None


def of_text(head: bytes, path: Path, root: Path) -> Pointer | None:
    """What a text that stands in the place of a file says; None if it is no pointer.

    Args:
        head: The text; of a long file its start.
        path: Where it stands.
        root: Folder of the dataset.
    """
    for read in _OF_TEXT:
        found = read(head, path, root)
        if found is not None:
            return found
    return None


def is_recorded(file_hash: str) -> bool:
    """Whether a `FileStat.file_hash` is what a pointer records, `sha256:...`."""
    return ":" in file_hash


def is_folder_hash(recorded: str) -> bool:
    """Whether a recorded hash is that of a folder and all that is in it."""
    return recorded.endswith(dvc.FOLDER)


def is_folder(path: Path, root: Path) -> bool:
    """Whether DVC keeps a folder at a place where nothing is.

    Args:
        path: The place.
        root: Folder of the dataset.
    """
    found = None if os.path.lexists(path) else dvc.find(path, root)
    return found is not None and is_folder_hash(found.recorded)
