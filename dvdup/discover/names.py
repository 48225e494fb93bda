"""Names of files and cases: joined, in one normal form, fit to be stored and printed."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence

from dvdup import remote
from dvdup.errors import InputError

_BAD_CATEGORIES = ("Cc", "Cs", "Zl", "Zp")  # control, undecodable, line and paragraph separators


def nfc(text: str) -> str:
    """Case ids in one normal form: some file systems store the other one."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def clean(name: str) -> str:
    """Check that a name can be stored and printed.

    Raises:
        InputError: It has a control character, or is no valid Unicode.
    """
    if not name.isprintable() and any(unicodedata.category(c) in _BAD_CATEGORIES for c in name):
        raise InputError(
            f"{name!a} has a control character or is not Unicode; rename it, or leave it out "
            "with dataset.exclude"
        )
    return name


def shown(text: str) -> str:
    """A path or name for a message: one line, printable."""
    return printable(text) or "."


def printable(text: str) -> str:
    """A text on one line, with escapes for what cannot be printed."""
    return text if text.isprintable() else ascii(text)[1:-1]


def join(folder: str, name: str) -> str:
    """A POSIX path below a folder; "" is the root."""
    return f"{folder}/{name}" if folder else name


def inside(folder: str, name: str) -> str:
    """A path on this machine below a folder."""
    return f"{folder}{name}" if folder.endswith(os.sep) else f"{folder}{os.sep}{name}"


def relative(path: str, top: str | None) -> str:
    """A path below a folder, POSIX; "" for the folder itself or without one."""
    if top is None or path == top:
        return ""
    return os.path.relpath(path, top).replace(os.sep, "/")


def common_folders(folders: Sequence[str]) -> dict[bool, str]:
    """The innermost folders that hold all of some absolute folders: those here, and stand-ins.

    Returns:
        Whether a folder is a stand-in of one on an object store -> the folder that holds it.
    """
    by_kind: dict[bool, list[str]] = {}
    for folder in folders:
        by_kind.setdefault(is_stand_in(folder), []).append(folder)
    return {kind: _common_folder(own) for kind, own in by_kind.items()}


def is_stand_in(path: str) -> bool:
    """Whether a path stands for something on an object store."""
    return remote.uri_of(path) is not None


def _common_folder(folders: Sequence[str]) -> str:
    try:
        return os.path.commonpath(folders)
    except ValueError:  # on several drives
        return os.path.abspath(os.sep)
