"""What voxels have said about pairs before, so that a pair is compared once.

A small SQLite file beside the index. The key of a pair is a hash over both contents and everything
else that changes the answer, so that nothing in it grows stale; it may be deleted at any time.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from dvdup.records import IndexedCase, Verified


class PairCache:
    """Remembered pairs; where the file cannot be used nothing is remembered."""

    def __init__(self, connection: sqlite3.Connection | None, salt: str) -> None:
        """Keep an open connection, and what the answers depend on besides the pair."""
        self._connection, self._salt = connection, salt

    def get(self, a: IndexedCase, b: IndexedCase) -> Verified | None:
        """What was said about (a, b), or None."""
        with suppress(ValueError, TypeError):
            text = self.recall(a.content, b.content)
            return None if text is None else Verified(**json.loads(text))
        return None

    def put(self, a: IndexedCase, b: IndexedCase, found: Verified) -> None:
        """Remember it, unless other voxels could still decide."""
        if found.decided:
            self.remember(
                json.dumps(dataclasses.asdict(found), sort_keys=True), a.content, b.content
            )

    def recall(self, *what: str) -> str | None:
        """The text that was remembered under a name, or None."""
        if self._connection is None:
            return None
        with suppress(sqlite3.Error):
            query = "SELECT found FROM pairs WHERE pair = ?"
            row = self._connection.execute(query, (self._key(what),)).fetchone()
            return None if row is None else str(row[0])
        return None

    def remember(self, text: str, *what: str) -> None:
        """Remember a text under a name of some parts."""
        if self._connection is None:
            return
        with suppress(sqlite3.Error):
            self._connection.execute(
                "INSERT OR REPLACE INTO pairs VALUES (?, ?)", (self._key(what), text)
            )

    def _key(self, what: tuple[str, ...]) -> str:
        text = "\0".join((self._salt, *what))
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


@contextmanager
def pair_cache(folder: Path, salt: str) -> Iterator[PairCache]:
    """Open the cache of an index folder.

    Args:
        folder: The index folder.
        salt: Changes with everything that changes the answers.
    """
    try:
        (folder / "cache").mkdir(parents=True, exist_ok=True)
        # every answer is its own transaction: a kill loses none that was given
        connection = sqlite3.connect(folder / "cache" / "pairs.sqlite", isolation_level=None)
        connection.execute("CREATE TABLE IF NOT EXISTS pairs (pair TEXT PRIMARY KEY, found TEXT)")
    except (OSError, sqlite3.Error):
        yield PairCache(None, salt)
        return
    with closing(connection):
        yield PairCache(connection, salt)
