"""What voxels have said about pairs before, so that a pair is compared once.

A small SQLite file beside the index. The key of a pair is a hash over both contents and everything
else that changes the answer, so that nothing in it grows stale; it may be deleted at any time.
Every answer is sealed with the key of the index: one that was edited or damaged is not believed,
and a file that is no database any more is replaced.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from hmac import compare_digest
from pathlib import Path

from dvdup.hashing import seal
from dvdup.records import IndexedCase, Verified
from dvdup.sealed import SealedFiles, nowhere

NAME = "cache/pairs.sqlite"
_TABLE = "CREATE TABLE IF NOT EXISTS sealed_pairs (pair TEXT PRIMARY KEY, found TEXT, seal TEXT)"


class PairCache:
    """Remembered pairs; where the file cannot be used nothing is remembered."""

    def __init__(
        self, connection: sqlite3.Connection | None, salt: str, sealed: SealedFiles | None = None
    ) -> None:
        """Keep an open connection, and what the answers depend on besides the pair."""
        self._connection, self._salt = connection, salt
        self._sealed = sealed or nowhere()

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
        key, row = self._key(what), None
        try:
            query = "SELECT found, seal FROM sealed_pairs WHERE pair = ?"
            row = self._connection.execute(query, (key,)).fetchone()
        except sqlite3.OperationalError:  # locked, or a full disk
            return None
        except sqlite3.Error:
            self._sealed.damaged.add(NAME)
        if row is None:
            return None
        text, found = str(row[0]), str(row[1])
        if compare_digest(found.encode(), self._seal(key, text).encode()):
            return text
        self._sealed.damaged.add(NAME)
        return None

    def remember(self, text: str, *what: str) -> None:
        """Remember a text under a name of some parts."""
        if self._connection is None:
            return
        with suppress(sqlite3.Error):
            self._connection.execute(
                "INSERT OR REPLACE INTO sealed_pairs VALUES (?, ?, ?)",
                (key := self._key(what), text, self._seal(key, text)),
            )

    def _seal(self, key: str, text: str) -> str:
        return seal(self._sealed.key(), f"{NAME}/{key}", text.encode("utf-8", "surrogatepass"))

    def _key(self, what: tuple[str, ...]) -> str:
        text = "\0".join((self._salt, *what))
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


@contextmanager
def pair_cache(sealed: SealedFiles, salt: str) -> Iterator[PairCache]:
    """Open the cache of an index folder.

    Args:
        sealed: The caches of the index.
        salt: Changes with everything that changes the answers.
    """
    connection = _connected(sealed)
    if connection is None:
        yield PairCache(None, salt)
        return
    with closing(connection):
        yield PairCache(connection, salt, sealed)


def _connected(sealed: SealedFiles) -> sqlite3.Connection | None:
    """Open the file; one that is damaged is replaced once."""
    file = sealed.path(NAME)
    if file is None:
        return None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):
            file.rmdir()  # an empty folder in its place
        if file.is_file() and file.stat().st_nlink > 1:
            file.unlink()  # a snapshot made of hard links, or somebody's own file
        for _ in range(2):
            if file.is_symlink() or (file.exists() and not file.is_file()):
                break
            with suppress(sqlite3.DatabaseError):
                return _opened(file)
            sealed.damaged.add(NAME)
            file.unlink()
    except (OSError, sqlite3.Error):  # a place that cannot be written
        return None
    sealed.damaged.add(NAME)
    return None


def _opened(file: Path) -> sqlite3.Connection:
    """Open the file and read all of it once.

    Raises:
        sqlite3.DatabaseError: It is damaged.
        OSError: It cannot be used for another reason, and is not to be replaced.
    """
    try:
        # every answer is its own transaction: a kill loses none that was given
        connection = sqlite3.connect(file, isolation_level=None)
        try:
            connection.execute(_TABLE)
            connection.execute("SELECT count(pair), count(found), count(seal) FROM sealed_pairs")
        except BaseException:
            connection.close()
            raise
    except sqlite3.OperationalError as error:
        if "no such column" in str(error):
            raise sqlite3.DatabaseError("another table") from error
        raise OSError(str(error)) from error
    return connection
