"""Where an index lies: in a folder of this machine, or on an object store.

The one way in which tables, the marker, the key and the lock of an index are reached. A `Path`
stands for the folder of this name wherever a `Storage` is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dvdup.config.uris import is_object_uri
from dvdup.objects import ObjectFolder, local_folder
from dvdup.store import key, lock, place, swap, tables
from dvdup.store.remote import RemoteStorage


class WriteLease(Protocol):
    """A lock for writing that is held."""

    def demand(self) -> None:
        """Make sure that it is held still.

        Raises:
            StoreError: The index was deleted or replaced, or another command has taken over.
        """


class Storage(Protocol):
    """The place of one index."""

    @property
    def name(self) -> str:
        """As messages call it."""

    @property
    def local(self) -> Path:
        """A folder of this machine for locks and caches; the index folder itself if it is here."""

    @property
    def options(self) -> dict[str, str] | None:
        """What Lance has to be told to reach the tables."""

    @property
    def database(self) -> str:
        """What lancedb connects to."""

    def table(self, name: str) -> str:
        """The address of a table, `cases` or `slices`, as Lance wants it."""

    def caches(self) -> Path:
        """The folder for caches, `local`; one that dvdup makes is for its user only."""

    def is_marked(self) -> bool:
        """Whether dvdup made it, as far as the marker tells."""

    def claim(self, root: Path) -> None:
        """Make a place that is new the index of a dataset, or make sure that it is."""

    def demand(self, root: Path) -> None:
        """Make sure that it is the index of a dataset; one that is new passes."""

    def key(self) -> bytes:
        """The key of the index, made if there is none."""

    def exists(self) -> bool:
        """Whether there is an index, perhaps damaged."""

    def size(self) -> int:
        """Bytes that it takes, locks and caches included."""

    def clear(self) -> None:
        """Delete the tables as far as Lance wrote them; the caller holds the lock."""

    def locked(
        self, root: Path, waiting: Callable[[], None], *, moved: bool
    ) -> AbstractContextManager[WriteLease]:
        """Hold the index for writing, see `lock.write_lock`."""

    def swap_in(self) -> None:
        """Replace the index by the complete one in its `rebuild`."""

    def finish_swap(self) -> None:
        """Put in order what a swap left that was killed."""

    def abandon(self) -> None:
        """Delete a place in which no index was made, if nothing else is in it."""


@dataclass(frozen=True, slots=True)
class FolderStorage:
    """An index in a folder of this machine."""

    local: Path
    options: None = None

    @property
    def name(self) -> str:
        """The folder."""
        return str(self.local)

    @property
    def database(self) -> str:
        """The folder of the tables."""
        return str(self.local / "index")

    def table(self, name: str) -> str:
        """The folder of a table."""
        return str(tables.table_path(self.local, name))

    def caches(self) -> Path:
        """The folder itself, as private as its user has made it."""
        return self.local

    def is_marked(self) -> bool:
        """See `place.is_marked`."""
        return place.is_marked(self.local)

    def claim(self, root: Path) -> None:
        """See `place.claim`."""
        place.claim(self.local, root)

    def demand(self, root: Path) -> None:
        """See `place.demand`."""
        place.demand(self.local, root)

    def key(self) -> bytes:
        """See `key.index_key`."""
        return key.index_key(self.local)

    def exists(self) -> bool:
        """See `tables.exists`."""
        return tables.exists(self.local)

    def size(self) -> int:
        """Bytes of all files in the folder."""
        return tables.folder_bytes(self.local)

    def clear(self) -> None:
        """Delete the tables, and nothing that somebody else put there."""
        swap.discard(self.local)

    def locked(
        self, root: Path, waiting: Callable[[], None], *, moved: bool
    ) -> AbstractContextManager[WriteLease]:
        """See `lock.write_lock`."""
        return lock.write_lock(self.local, root, waiting, moved=moved)

    def swap_in(self) -> None:
        """See `swap.swap_in`."""
        swap.swap_in(self.local)

    def finish_swap(self) -> None:
        """See `swap.finish_swap`."""
        swap.finish_swap(self.local)

    def abandon(self) -> None:
        """See `swap.abandon`."""
        swap.abandon(self.local)


def storage_of(where: Path | Storage) -> Storage:
    """The place that a folder stands for; one that is a place already stays."""
    return FolderStorage(where) if isinstance(where, Path) else where


def storage_at(index: str, root: Path) -> Storage:
    """The place that the setting `index` names.

    Args:
        index: A folder, relative to the root or absolute, or the address of one on an object store.
        root: Folder of the configuration.

    Raises:
        InstallError: It is on an object store, and the extra for these is not installed.
    """
    if not is_object_uri(index):
        return FolderStorage(root / index)
    return RemoteStorage(ObjectFolder(index), local_folder(index, "indexes"))
