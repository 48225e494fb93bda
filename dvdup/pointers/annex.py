"""What git-annex leaves of a file: a link into its objects, or a pointer file if it is unlocked.

Keys: https://git-annex.branchable.com/internals/key_format/.
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from dvdup.pointers.places import named, nested, top_of
from dvdup.records import Pointer

TOOL = "git-annex"
_OBJECTS = "annex/objects/"
_KEY = re.compile(r"(?P<backend>[A-Z0-9_]+?)E?(?P<fields>(?:-[a-zA-Z]\d+)*)--(?P<name>.+)")
_SIZE = re.compile(r"-s(\d{1,18})")
_DIGEST = re.compile(r"[0-9a-f]{32,128}")
_BACKENDS = ("MD5", "SHA", "BLAKE", "SKEIN")
"""How the names of those begin whose keys are hashes of the bytes."""
_LONGEST_LINE = 1024


def of_link(path: Path, root: Path) -> Pointer | None:
    """What a link says whose target is not here; None if it leads elsewhere."""
    try:
        target = os.readlink(path).replace("\\", "/")
    except OSError:
        return None
    return _of_target(target, path, root) if _OBJECTS in target else None


def of_text(head: bytes, path: Path, root: Path) -> Pointer | None:
    """What a pointer file says, or a link that was checked out as text; None if it is neither."""
    line = head.partition(b"\n")[0]
    if f"/{_OBJECTS}".encode() not in line or len(line) >= _LONGEST_LINE:
        return None
    try:
        target = line.decode()
    except UnicodeDecodeError:
        return None
    return _of_target(target, path, root) if target.isprintable() else None


def _of_target(target: str, path: Path, root: Path) -> Pointer:
    digest, size = _recorded(target.rpartition("/")[2].strip())
    inner = nested(top_of(path, ".git"), root)
    git = "git" if inner is None else f"git -C {shlex.quote(named(inner, root))}"
    name, folder = (shlex.quote(named(each, inner or root)) for each in (path, path.parent))
    return Pointer(TOOL, f"{git} annex get {name}", f"{git} annex get {folder}", digest, size)


def _recorded(key: str) -> tuple[str, int]:
    """The hash in a key and the size; "" for keys that are made of times or addresses."""
    found = _KEY.fullmatch(key)
    if found is None or not found["backend"].startswith(_BACKENDS):
        return "", 0
    digest = found["name"].partition(".")[0]
    size = _SIZE.search(found["fields"])
    if not _DIGEST.fullmatch(digest):
        return "", 0
    return f"{found['backend'].lower()}:{digest}", int(size[1]) if size is not None else 0
