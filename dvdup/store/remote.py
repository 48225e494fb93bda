"""An index on an object store: marker, key, lock and tables are objects below one address.

```
<address>/dvdup-index.json    marker: whose index it is, and which folder the tables are in
<address>/key                 the key of the index
<address>/lock/<number>       see `lease`
<address>/index*/*.lance      the tables; a rebuild ends with a folder of another name
<address>/rebuild             a rebuild that grows, an index of its own
```

A folder of this machine has the caches, and a lock among the commands of this machine. Objects
cannot be moved, so that a rebuild is put in place by the marker, which is written at once.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from dvdup.errors import StoreError
from dvdup.objects import ObjectFolder, lance_options, made_private
from dvdup.sealed import SealedFiles
from dvdup.store.key import KEY_BYTES, KEY_NAME
from dvdup.store.lease import FOLDER as LOCK
from dvdup.store.lease import RemoteLease, leased, unwritable
from dvdup.store.place import LANCE_FILES, MARKER
from dvdup.store.schema import FORMAT
from dvdup.store.swap import REBUILD
from dvdup.store.tables import TABLES, folder_bytes

_FIRST = "index"
"""Folder of the tables that were there before any rebuild."""
_IS_TABLES = re.compile(rf"{_FIRST}(-[0-9a-f]{{8}})?")
_ADOPTED = "cache/root"
"""A sealed local file: the dataset that an index is taken for on this machine."""


class RemoteStorage:
    """An index on an object store."""

    def __init__(self, objects: ObjectFolder, local: Path) -> None:
        """Ask nothing yet.

        Args:
            objects: All below the address of the index.
            local: Folder of this machine for locks and caches.
        """
        self.local = local
        self._objects = objects
        self._mark: dict[str, str] | None = None
        self._lease: RemoteLease | None = None

    @property
    def name(self) -> str:
        """The address."""
        return self._objects.uri

    @property
    def options(self) -> dict[str, str]:
        """What Lance has to be told beside what it reads from the environment."""
        return lance_options(self._objects.uri)

    @property
    def database(self) -> str:
        """The address of the tables."""
        return f"{self._objects.uri}/{self._tables()}"

    def table(self, name: str) -> str:
        """The address of a table."""
        return f"{self.database}/{name}.lance"

    def caches(self) -> Path:
        """The local folder, made for its user only; where it cannot be made nothing is kept."""
        with suppress(OSError):
            made_private(self.local)
        return self.local

    def is_marked(self) -> bool:
        """Whether dvdup made it, as far as the marker tells."""
        return self._marked() is not None

    def claim(self, root: Path) -> None:
        """Make a place that is new the index of a dataset, or make sure that it is.

        Raises:
            StoreError: It is somebody else's, or the store is of a kind that loses commits.
        """
        if self._marked() is None:
            self._demand_empty()
            self._objects.create(MARKER, _marker(_recorded(root), _FIRST))
            self._mark = None
        self.demand(root)

    def demand(self, root: Path) -> None:
        """Make sure that it is the index of a dataset; a place that is new passes.

        Raises:
            StoreError: It is not.
        """
        mark = self._marked()
        if mark is None:
            self._demand_empty()
        elif _recorded(root) != mark["root"] and _recorded(root) != self._adopted():
            raise StoreError(
                f"the index in {self.name} is that of the dataset in {mark['root']}, not of "
                f"{_recorded(root)}; name another one with --index, or, if this is the same "
                "dataset under another path, run `dvdup sync --adopt` once on this machine"
            )

    def key(self) -> bytes:
        """The key of the index, made if there is none; a damaged one is replaced."""
        for _ in range(3):
            found = self._objects.read(KEY_NAME)
            if found is not None and len(found) == KEY_BYTES:
                return found
            if found is None:
                self._objects.create(KEY_NAME, secrets.token_bytes(KEY_BYTES))
            else:
                self._objects.replace(KEY_NAME, secrets.token_bytes(KEY_BYTES))
        raise StoreError(f"the key in {self.name} changes all the time; run it again")

    def exists(self) -> bool:
        """Whether there is an index, perhaps damaged; as `tables.exists`."""
        if self._marked() is None:
            return False
        below = self._tables()
        places = [f"{below}/cases.lance/_versions", *(f"{below}/{t}.lance/data" for t in TABLES)]
        return any(each.size for place in places for each in self._objects.found(place))

    def size(self) -> int:
        """Bytes of all objects, and of the caches on this machine."""
        return sum(each.size for each in self._objects.found()) + folder_bytes(self.local)

    def clear(self) -> None:
        """Delete the tables as far as Lance wrote them; the caller holds the lock."""
        self._clear(self._tables())

    @contextmanager
    def locked(
        self, root: Path, waiting: Callable[[], None], *, moved: bool
    ) -> Iterator[RemoteLease]:
        """Hold the index for writing: on this machine by a file, among machines by an object.

        Args:
            root: Folder of the dataset.
            waiting: Called once, before waiting, if somebody else holds it.
            moved: Take it for the index of this dataset, on this machine.

        Raises:
            StoreError: It is that of another dataset, or the store cannot be asked.
        """
        told = list[bool]()

        def tell() -> None:
            if not told:
                waiting()
            told.append(True)

        with _locked_here(self.local, tell):
            if moved and self._marked() is not None:
                self._sealed().write(_ADOPTED, _recorded(root).encode("utf-8", "surrogateescape"))
            self.claim(root)
            self.key()
            with leased(self._objects, self.local, tell) as lease:
                self._mark, self._lease = None, lease  # a rebuild may have ended meanwhile
                self.demand(root)
                yield lease

    def swap_in(self) -> None:
        """Replace the index by the complete one in its `rebuild`; the caller holds the lock.

        The new tables are copied inside the store, then the marker names them, then the old ones
        go. A kill before the marker leaves the old index, one after it the new one.
        """
        mark = self._marked()
        if mark is None:
            raise StoreError(f"the index in {self.name} was deleted meanwhile; run it again")
        inside = self.inside(REBUILD)
        old, new, source = mark["tables"], f"{_FIRST}-{secrets.token_hex(4)}", inside.database
        below = source.removeprefix(f"{self.name}/")
        for each in self._objects.found(below):
            self._objects.copy(each.name, new + each.name.removeprefix(below))
        self._objects.replace(MARKER, _marker(mark["root"], new))
        self._mark = None
        self._clear(old)
        inside.remove()

    def finish_swap(self) -> None:
        """Delete tables that a killed rebuild left, those that the marker does not name."""
        for name in self._objects.names():
            if _IS_TABLES.fullmatch(name) and name != self._tables():
                self._clear(name)

    def abandon(self) -> None:
        """Delete a place in which no index was made, if nothing else is in it."""
        if not self.exists() and {*self._objects.names()} <= {MARKER, KEY_NAME, LOCK}:
            self.remove()

    def remove(self) -> None:
        """Delete an index as far as dvdup made it; its marker goes last."""
        self._clear(self._tables())
        if self._lease is not None:
            self._lease.forget()
        self._objects.delete([KEY_NAME, *(each.name for each in self._objects.found(LOCK))])
        self._objects.delete([MARKER])
        self._mark = None

    def inside(self, name: str) -> RemoteStorage:
        """An index in a folder of this one."""
        return RemoteStorage(ObjectFolder(f"{self.name}/{name}"), self.local / name)

    def _clear(self, folder: str) -> None:
        ours = []
        for table in TABLES:
            below = f"{folder}/{table}.lance/"
            ours += [
                each.name
                for each in self._objects.found(below)
                if LANCE_FILES.fullmatch(each.name.removeprefix(below))
            ]
        # what says that there is a table goes first: without it the rest is a left-over
        manifests = [name for name in ours if "/_versions/" in name]
        self._objects.delete(manifests)
        self._objects.delete(set(ours) - set(manifests))

    def _tables(self) -> str:
        mark = self._marked()
        return _FIRST if mark is None else mark["tables"]

    def _marked(self) -> dict[str, str] | None:
        """What the marker says; None without one that is dvdup's."""
        if self._mark is None:
            self._mark = _parsed(self._objects.read(MARKER))
        return self._mark

    def _demand_empty(self) -> None:
        names = self._objects.names()
        if names:
            what = f"its {MARKER} is damaged" if MARKER in names else f"it holds {names[0]}"
            raise StoreError(
                f"{self.name} is not an index that dvdup made ({what}), so nothing in it is "
                "touched; name a new or empty folder with --index"
            )

    def _adopted(self) -> str | None:
        kept = self._sealed().read(_ADOPTED)
        return None if kept is None else kept.decode("utf-8", "surrogateescape")

    def _sealed(self) -> SealedFiles:
        return SealedFiles(self.local, self.key)


def _recorded(root: Path) -> str:
    return PurePosixPath(os.path.realpath(root)).as_posix()


def _marker(root: str, tables: str) -> bytes:
    values = {"dvdup": "index", "format": FORMAT, "root": root, "tables": tables}
    return json.dumps(values, sort_keys=True).encode() + b"\n"


def _parsed(content: bytes | None) -> dict[str, str] | None:
    try:
        values = json.loads(content or b"")
        if values["dvdup"] != "index" or "/" in values["tables"]:
            return None
        return {"root": str(values["root"]), "tables": str(values["tables"])}
    except (ValueError, KeyError, TypeError):
        return None


@contextmanager
def _locked_here(local: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock among the commands of this machine."""
    from filelock import FileLock, Timeout

    try:
        lock = FileLock(made_private(local) / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            waiting()
            lock.acquire()
    except OSError as error:
        raise unwritable(local, error) from error
    try:
        yield
    finally:
        lock.release()
