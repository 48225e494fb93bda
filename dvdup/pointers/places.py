"""In which repository a file lies, so that a command that brings it works where it is given."""

from __future__ import annotations

import os
from pathlib import Path


def top_of(path: Path, marker: str) -> Path | None:
    """The nearest folder above a path that holds `.git` or `.dvc`; None if there is none."""
    return next((parent for parent in path.parents if (parent / marker).exists()), None)


def nested(top: Path | None, root: Path) -> Path | None:
    """The repository of a file, if it is another one than that around the dataset."""
    return top if top is not None and top != root and top.is_relative_to(root) else None


def named(path: Path, folder: Path) -> str:
    """A path as it is named in a folder; POSIX."""
    return os.path.relpath(path, folder).replace(os.sep, "/")
