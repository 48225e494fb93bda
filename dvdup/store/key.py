"""The key of an index: 32 random bytes that seal its caches and hide what names a patient.

It lies in the index folder and never leaves it. Who can read it can forge what it seals, so that
the seals find damage, mix-ups and edits by tools that do not know it, not an owner of the folder.
"""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

KEY_NAME = "key"
KEY_BYTES = 32
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)  # a FIFO in the place of the file must not hold us


def index_key(folder: Path) -> bytes:
    """Read the key of an index folder, make it if there is none.

    Args:
        folder: A marked index folder; see `place`.

    Returns:
        32 bytes. Where the folder cannot be written they hold for this process only, and where the
        file was damaged they are new, so that nothing that the old key sealed is believed.
    """
    for _ in range(3):
        found = read_key(folder)
        if found is not None:
            return found
        with suppress(OSError):
            _make(folder)
    return secrets.token_bytes(KEY_BYTES)


def read_key(folder: Path) -> bytes | None:
    """The key of an index folder as it is now; None if it is missing or damaged."""
    try:
        descriptor = os.open(folder / KEY_NAME, os.O_RDONLY | _NO_WAIT | _NO_LINKS)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            return None
        found = stream.read(KEY_BYTES + 1)
    return found if len(found) == KEY_BYTES else None


def _make(folder: Path) -> None:
    """Put a new key there; of two processes that do so at once the first one wins."""
    file = folder / KEY_NAME
    part = folder / f"{KEY_NAME}.{secrets.token_hex(4)}.part"
    damaged = file.is_symlink() or (file.is_file() and read_key(folder) is None)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINKS
    try:
        with os.fdopen(os.open(part, flags, 0o600), "wb") as stream:
            stream.write(secrets.token_bytes(KEY_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
        if damaged:
            os.replace(part, file)
        else:
            _link(part, file)
    finally:
        part.unlink(missing_ok=True)


def _link(part: Path, file: Path) -> None:
    """Give a file its name unless that is taken; some file systems know no hard links."""
    try:
        os.link(part, file)
    except FileExistsError:
        return
    except OSError:
        os.replace(part, file)
