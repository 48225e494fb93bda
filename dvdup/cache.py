"""Answers that took time, kept beside the index: what voxels said, lists of nearest cases.

A small SQLite file. The name of an answer is a hash over its inputs and everything else that
changes it, the source of the modules that made it among them, so that nothing in it grows stale; it
may be deleted at any time. Every answer is sealed with the key of the index: one that was edited or
damaged is not believed, and a file that is no database any more is replaced. What was not used for
a while is dropped.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from hmac import compare_digest
from pathlib import Path

from dvdup.hashing import seal
from dvdup.sealed import SealedFiles, nowhere

NAME = "cache/answers.sqlite"
KEPT_DAYS = 90
"""Days after which an answer that nobody has asked for is dropped."""

_TABLE = (
    "CREATE TABLE IF NOT EXISTS answers "
    "(name TEXT PRIMARY KEY, answer TEXT, seal TEXT, used INTEGER, about TEXT)"
)
_OLDER_TABLE = "ALTER TABLE answers ADD COLUMN about TEXT"
"""Makes a table of an earlier version one of this."""
_DAY = 86400  # seconds


class Cache:
    """Kept answers; where the file cannot be used nothing is kept."""

    def __init__(
        self, connection: sqlite3.Connection | None, salt: str, sealed: SealedFiles | None = None
    ) -> None:
        """Keep an open connection, and what all answers depend on."""
        self._connection, self._salt = connection, salt
        self._sealed = sealed or nowhere()

    def get(self, *name: str) -> str | None:
        """The answer that was kept under a name of some parts, or None."""
        if self._connection is None:
            return None
        key, row = self._key(name), None
        try:
            query = "SELECT answer, seal, used FROM answers WHERE name = ?"
            row = self._connection.execute(query, (key,)).fetchone()
        except sqlite3.OperationalError:  # locked, or a full disk
            return None
        except sqlite3.Error:
            self._sealed.damaged.add(NAME)
        if row is None:
            return None
        answer, found = str(row[0]), str(row[1])
        if not compare_digest(found.encode(), self._seal(key, answer).encode()):
            self._sealed.damaged.add(NAME)
            return None
        if row[2] != _today():
            self._change("UPDATE answers SET used = ? WHERE name = ?", (_today(), key))
        return answer

    def put(self, answer: str, *name: str) -> None:
        """Keep an answer under a name of some parts."""
        key = self._key(name)
        row = (key, answer, self._seal(key, answer), _today(), json.dumps(name))
        self._change(
            "INSERT OR REPLACE INTO answers (name, answer, seal, used, about) "
            "VALUES (?, ?, ?, ?, ?)",
            row,
        )

    def _change(self, command: str, values: tuple[object, ...]) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.execute(command, values)

    def _seal(self, key: str, text: str) -> str:
        return seal(self._sealed.key(), f"{NAME}/{key}", text.encode("utf-8", "surrogatepass"))

    def _key(self, name: tuple[str, ...]) -> str:
        text = "\0".join((self._salt, *name))
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _today() -> int:
    """Days since 1970."""
    return int(time.time() // _DAY)


@contextmanager
def open_cache(sealed: SealedFiles, salt: str) -> Iterator[Cache]:
    """Open the cache of an index folder.

    Args:
        sealed: The caches of the index.
        salt: Changes with everything that changes the answers.
    """
    connection = _connected(sealed)
    if connection is None:
        yield Cache(None, salt)
        return
    with closing(connection):
        yield Cache(connection, salt, sealed)


def wasted_answers(
    sealed: SealedFiles, is_wanted: Callable[[tuple[str, ...]], bool]
) -> tuple[int, int]:
    """How many answers nobody will ask for again, and the bytes that they take; changes nothing.

    Args:
        sealed: The caches of the index.
        is_wanted: Tells that from the name that an answer was kept under.
    """
    file = sealed.path(NAME)
    if file is None or file.is_symlink() or not file.is_file():
        return 0, 0
    with suppress(sqlite3.Error):
        address = f"{file.resolve().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True)) as connection:
            found = _unwanted(connection, is_wanted)
            return len(found), sum(size for _, size in found)
    return 0, 0


def drop_answers(sealed: SealedFiles, is_wanted: Callable[[tuple[str, ...]], bool]) -> None:
    """Drop the answers that nobody will ask for again, and give their room back.

    Args:
        sealed: The caches of the index.
        is_wanted: As for `wasted_answers`.
    """
    connection = _connected(sealed)
    if connection is None:
        return
    with closing(connection), suppress(sqlite3.Error):
        names = [(name,) for name, _ in _unwanted(connection, is_wanted)]
        connection.executemany("DELETE FROM answers WHERE name = ?", names)
        connection.execute("VACUUM")


def _unwanted(
    connection: sqlite3.Connection, is_wanted: Callable[[tuple[str, ...]], bool]
) -> list[tuple[str, int]]:
    """Keys and sizes; what an earlier version kept without its name stays until it is old."""
    query = "SELECT name, about, used, length(answer) + length(seal) FROM answers"
    found, oldest = [], _today() - KEPT_DAYS
    for key, about, used, size in connection.execute(query):
        if used < oldest or (about is not None and not is_wanted(tuple(json.loads(about)))):
            found.append((str(key), int(size)))
    return found


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
            # the system writes them in its own time: seals tell what a power cut spoils
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute(_TABLE)
            with suppress(sqlite3.OperationalError):  # it has the column
                connection.execute(_OLDER_TABLE)
            connection.execute("SELECT count(name), count(answer), count(seal) FROM answers")
            oldest = (_today() - KEPT_DAYS,)
            connection.execute("DELETE FROM answers WHERE used < ?", oldest)
        except BaseException:
            connection.close()
            raise
    except sqlite3.OperationalError as error:
        if "no such column" in str(error):
            raise sqlite3.DatabaseError("another table") from error
        raise OSError(str(error)) from error
    return connection
