"""Files that dvdup keeps beside an index and believes only under its seal.

A sealed file is one line, the seal of its name and payload with the key of the index, then the
payload. What is damaged, edited, emptied, or was put there from another index or under another name
counts as missing, so that it is made anew.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from hmac import compare_digest
from pathlib import Path
from tempfile import NamedTemporaryFile

from dvdup.hashing import seal
from dvdup.records import Say

_LINE = 65  # hex digits of a seal and the end of the line
_PASSING = secrets.token_bytes(32)
PART = ".part"
"""Suffix of a file that is being written."""


@dataclass(frozen=True, slots=True)
class SealedFiles:
    """The sealed files of one folder, named relative to it."""

    folder: Path | None
    """None: nothing is found, and nothing is kept."""
    key: Callable[[], bytes]
    """Gives the key when it is needed."""
    damaged: set[str] = field(default_factory=set)
    """Names of files that were there and are not believed."""

    def path(self, name: str) -> Path | None:
        """Where a file lies."""
        return None if self.folder is None else self.folder / name

    def read(self, name: str) -> bytes | None:
        """The payload of a file.

        Args:
            name: Relative to the folder, POSIX.

        Returns:
            The bytes that were written under this name with this key, else None. A file that is
            there all the same is remembered as damaged.
        """
        path = self.path(name)
        if path is None or not os.path.lexists(path):
            return None
        payload = self._opened(path, name)
        if payload is None:
            self.damaged.add(name)
        return payload

    def write(self, name: str, payload: bytes) -> None:
        """Write a file, whole or not at all; a link in its place is replaced, not followed.

        Args:
            name: Relative to the folder, POSIX.
            payload: What `read` is to give back.

        Raises:
            OSError: It cannot be written.
        """
        path = self.path(name)
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        part = ""
        try:
            with NamedTemporaryFile(dir=path.parent, suffix=PART, delete=False) as stream:
                part = stream.name
                stream.write(seal(self.key(), name, payload).encode() + b"\n")
                stream.write(payload)
                stream.flush()
                os.fsync(stream.fileno())
            with suppress(OSError):
                path.rmdir()  # an empty folder in its place
            os.replace(part, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(part)
            raise

    def _opened(self, path: Path, name: str) -> bytes | None:
        try:
            if path.is_symlink() or not path.is_file():
                return None
            content = path.read_bytes()
        except OSError:
            return None
        line, payload = content[:_LINE], content[_LINE:]
        wanted = seal(self.key(), name, payload).encode() + b"\n"
        return payload if compare_digest(line, wanted) else None


def nowhere() -> SealedFiles:
    """Sealed files that are not kept, for commands without an index.

    The key holds for this process: with one that is known everywhere, whoever sees the hash of a
    PatientID could try numbers until one fits.
    """
    return SealedFiles(None, lambda: _PASSING)


def tell_damaged(sealed: SealedFiles, say: Say) -> None:
    """Say once what was found damaged, or edited by somebody, and made anew."""
    names = sorted(sealed.damaged)
    sealed.damaged.clear()
    if names:
        what = names[0] if len(names) == 1 else f"{len(names)} files such as {names[0]}"
        say(f"note: {what} beside the index were damaged or edited; what they held is made anew")
