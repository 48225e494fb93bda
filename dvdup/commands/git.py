"""What git says about the files of a dataset: which it has, and which a range has changed.

A pointer of DVC stands for its file or folder: git has the pointer, and ignores the data.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dvdup.errors import InputError

_TABLES = (".csv", ".tsv", ".json", ".txt", ".parquet")
"""Suffixes of files of a dataset that may say which case is in which split."""
_SETTINGS = ("dvdup.toml", "pyproject.toml")


def tracked(root: Path, option: str) -> frozenset[str]:
    """The files that git has in its index, in all the repository that a folder is in; absolute.

    Args:
        root: The folder.
        option: What asks, for messages.

    Raises:
        InputError: The folder is in no git repository, or there is no git.
    """
    # of all the repository: the data may lie beside the configuration, as ../data
    return _absolute(root, _ask(root, option, "ls-files", "-z", "--cached", "--", ":/"))


def has(root: Path, files: frozenset[str]) -> Callable[[str], bool]:
    """Whether a file is among some, something in it if it is a folder, or a pointer of DVC to it.

    Args:
        root: What paths are relative to.
        files: Absolute.
    """
    folders = {str(parent) for file in files for parent in PurePosixPath(file).parents}

    def is_there(path: str) -> bool:
        path = os.path.abspath(os.path.join(root, path))
        above = (path, *map(str, PurePosixPath(path).parents))
        # a folder above it is in the index of git where it is a link
        return path in folders or any(p in files or f"{p}.dvc" in files for p in above)

    return is_there


@dataclass(frozen=True, slots=True)
class GitRange:
    """What has changed since a commit, up to the files as they lie here."""

    since: str
    """As the user calls it."""
    is_new: Callable[[Iterable[str]], bool]
    """Whether one of some files has changed since then, or git does not know it."""
    is_unread: Callable[[Iterable[str]], bool]
    """Whether one may be another one than was indexed."""
    table: str = ""
    """A file that has changed and may say which case is in which split; else ""."""


def range_since(root: Path, since: str, indexed_at: str | None, top: Path) -> GitRange:
    """Ask git what has changed.

    Args:
        root: Folder of the configuration.
        since: A commit, branch or tag.
        indexed_at: The commit at which the index was brought up to date; None: there is no index.
        top: Folder of the dataset.

    Raises:
        InputError: There is no such commit, no repository or no git.
    """
    known = has(root, tracked(root, "--since"))
    changed = _changed(root, _commit(root, since))
    recent = set(changed)
    if indexed_at:
        recent |= _changed(root, _commit(root, indexed_at))
    new, unread = (has(root, frozenset(files)) for files in (changed, recent))
    tables = sorted(file for file in changed if _may_declare(Path(file), root, top))
    return GitRange(
        since,
        lambda paths: any(new(path) or not known(path) for path in paths),
        lambda paths: any(unread(path) or not known(path) for path in paths),
        os.path.basename(tables[0]) if tables else "",
    )


def _may_declare(file: Path, root: Path, top: Path) -> bool:
    """Whether a file may say which case is in which split."""
    if file.name in _SETTINGS:
        return file.parent == Path(os.path.abspath(root))
    folder = Path(os.path.abspath(top))
    if not file.is_relative_to(folder) or not file.name.lower().endswith(_TABLES):
        return False
    return not any(part.startswith(".") for part in file.relative_to(folder).parts)


def _commit(root: Path, name: str) -> str:
    """The hash of a commit.

    Raises:
        InputError: Git does not know it.
    """
    try:
        asked = f"{name}^{{commit}}"
        found = _ask(root, "--since", "rev-parse", "--verify", "--end-of-options", asked)
    except InputError as error:
        raise InputError(
            f"--since: git knows no commit {name!r} here; correct it, or fetch it if the clone is "
            "shallow (`git fetch --unshallow`)"
        ) from error
    return found.decode().strip()


def _changed(root: Path, commit: str) -> frozenset[str]:
    """Files that are not as they were in a commit, and those that git does not have yet."""
    up = os.fsdecode(_ask(root, "--since", "rev-parse", "--show-cdup").rstrip(b"\n"))
    differing = _ask(root, "--since", "diff", "--name-only", "--no-renames", "-z", commit, "--")
    others = _ask(root, "--since", "ls-files", "-z", "--others", "--exclude-standard", "--", ":/")
    return _absolute(root / up, differing) | _absolute(root, others)


def _absolute(folder: Path, names: bytes) -> frozenset[str]:
    return frozenset(
        os.path.abspath(os.path.join(folder, os.fsdecode(name)))
        for name in names.split(b"\0")
        if name
    )


def _ask(root: Path, option: str, *command: str) -> bytes:
    """What a command of git prints.

    Raises:
        InputError: It fails, or there is no git.
    """
    try:
        done = subprocess.run(["git", "-C", str(root), *command], capture_output=True, check=False)
    except OSError as error:
        raise InputError(f"{option} needs git, which cannot be run: {error.strerror}") from error
    if done.returncode:
        said = os.fsdecode(done.stderr).strip().partition("\n")[0]
        raise InputError(f"{option}: git does not answer ({said}); leave it out")
    return done.stdout
