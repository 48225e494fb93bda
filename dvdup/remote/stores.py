"""Asks object stores of single objects and of folders. In: addresses. Out: `Seen`, or a file.

Whatever fails is one `ReadError` that names the object and what to do. A store that could not be
reached is not asked again for a while, so that a thousand cases do not wait a thousand times.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TypeVar

from dvdup.errors import ConfigError, ReadError, StoreError
from dvdup.objects import UNREACHABLE, Found, ObjectFolder, version_of

T = TypeVar("T")

_PAUSE = 30.0
"""Seconds for which a store that could not be reached is not asked again."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a store says of an object, or of all objects of a folder."""

    size: int
    """Bytes."""
    version: int
    """Another number for another content."""
    is_folder: bool = False


def parts_of(uri: str) -> tuple[str, str]:
    """The address of the bucket of an object, and the name of the object in it."""
    scheme, _, rest = uri.partition("://")
    bucket, _, name = rest.partition("/")
    return f"{scheme}://{bucket}", name


class Stores:
    """All buckets that one command asks."""

    def __init__(self) -> None:
        """Ask nothing yet."""
        self._buckets: dict[str, ObjectFolder] = {}
        self._down: dict[str, float] = {}
        self._lock = Lock()

    def head(self, uri: str) -> Seen | None:
        """What the store says of one object, None if there is none.

        Raises:
            ReadError: It cannot be asked.
        """
        found = self._asked(uri, lambda bucket, name: bucket.head(name) if name else None)
        return None if found is None else _seen(found)

    def below(self, uri: str) -> dict[str, Seen]:
        """All objects of a folder and below.

        Raises:
            ReadError: It cannot be asked.
        """
        return self._asked(uri, lambda bucket, name: _by_uri(bucket, bucket.found(name)))

    def beside(self, uri: str) -> dict[str, Seen]:
        """All objects of the folder in which an object lies, without those of its folders.

        Raises:
            ReadError: It cannot be asked.
        """

        def ask(bucket: ObjectFolder, name: str) -> dict[str, Seen]:
            return _by_uri(bucket, bucket.beside(name.rpartition("/")[0]))

        return self._asked(uri, ask)

    def fetch(self, uri: str, target: Path, first: int | None = None) -> Seen:
        """Write the content of an object to a file.

        Args:
            uri: The object.
            target: The file.
            first: How many of its bytes, which has more; None: all.

        Raises:
            ReadError: It is not there, the store cannot be asked, or the file cannot be written.
        """

        def ask(bucket: ObjectFolder, name: str) -> Found:
            if first is None:
                return bucket.fetch(name, target)
            return bucket.fetch_start(name, first, target)

        try:
            return _seen(self._asked(uri, ask))
        except FileNotFoundError as error:
            raise gone(uri) from error
        except OSError as error:
            raise ReadError(
                f"{uri}: its content cannot be written to the cache folder of the user: "
                f"{(error.strerror or type(error).__name__).lower()}; make room there, or set "
                "XDG_CACHE_HOME to another folder"
            ) from error

    def _asked(self, uri: str, ask: Callable[[ObjectFolder, str], T]) -> T:
        where, name = parts_of(uri)
        if time.monotonic() < self._down.get(where, 0.0):
            raise ReadError(
                f"cannot read {uri}: {UNREACHABLE}; look at the address, the network and the "
                "credentials in the environment, and run it again"
            )
        try:
            return ask(self._bucket(where), name)
        except StoreError as error:
            if UNREACHABLE in str(error):
                self._down[where] = time.monotonic() + _PAUSE
            raise ReadError(str(error)) from error
        except ConfigError as error:
            raise ReadError(str(error)) from error

    def _bucket(self, where: str) -> ObjectFolder:
        with self._lock:
            if where not in self._buckets:
                self._buckets[where] = ObjectFolder(where)
            return self._buckets[where]


def gone(uri: str) -> ReadError:
    """What to say of an object that is not there."""
    return ReadError(f"{uri}: there is no such object; put it back, or leave it out of the dataset")


def _seen(found: Found) -> Seen:
    return Seen(found.size, version_of(found))


def _by_uri(bucket: ObjectFolder, found: Iterable[Found]) -> dict[str, Seen]:
    return {f"{bucket.uri}/{each.name}": _seen(each) for each in found}
