"""Pointers of git-lfs: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from dvdup.pointers.places import named, nested, top_of
from dvdup.records import Pointer

TOOL = "git-lfs"
_FIRST = (b"version https://git-lfs.github.com/spec/", b"version https://hawser.github.com/spec/")
_OID = re.compile(rb"^oid (sha256:[0-9a-f]{64})$", re.M)
_SIZE = re.compile(rb"^size (\d{1,18})$", re.M)
_EXTENDED = re.compile(rb"^ext-\d", re.M)
_PATTERN = re.compile(r"[,*?\[\]\\!#]|^\s|\s$")  # what --include would not take for a name


def of_text(head: bytes, path: Path, root: Path) -> Pointer | None:
    """What a pointer file says; None if it is none."""
    if not head.startswith(_FIRST):
        return None
    oid, size = _OID.search(head), _SIZE.search(head)
    # an extension has changed the bytes: those of the file have another hash
    known = oid is not None and not _EXTENDED.search(head)
    return Pointer(
        TOOL,
        _command(path, root),
        _command(path.parent, root),
        oid[1].decode() if oid is not None and known else "",
        int(size[1]) if size is not None and known else 0,
    )


def _command(path: Path, root: Path) -> str:
    """How to fetch a file or folder; --include takes names from the top of the repository."""
    top = top_of(path / "_", ".git") if path.is_dir() else top_of(path, ".git")
    inner = nested(top, root)
    git = "git" if inner is None else f"git -C {shlex.quote(named(inner, root))}"
    name = named(path, top or root)
    unnamed = name == "." or _PATTERN.search(name)
    return f"{git} lfs pull" + ("" if unnamed else f" -I {shlex.quote(name)}")
