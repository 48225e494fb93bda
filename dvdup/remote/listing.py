"""What object stores have said in this command, so that each thing is asked once.

A folder that somebody names is listed with all below it. Of a single object the folder around it is
listed, because its neighbours may belong to it, and thousands of a table lie in few folders; where
listing is not allowed the object alone is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from threading import RLock

from dvdup.errors import ReadError
from dvdup.hashing import text_hash
from dvdup.remote.stores import Seen, Stores


class Listing:
    """Objects by address; safe to ask from several threads."""

    def __init__(self, stores: Stores) -> None:
        """Know nothing yet."""
        self._stores = stores
        self._objects: dict[str, Seen] = {}
        self._inside: dict[str, list[str]] = {}
        """Folder -> the addresses of its own objects."""
        self._folders: dict[str, set[str]] = {}
        """Folder -> the folders in it."""
        self._whole: set[str] = set()
        """Folders all of whose objects are known."""
        self._flat: set[str] = set()
        """Folders whose own objects are known."""
        self._absent: set[str] = set()
        """Addresses at which there is no object, beyond what the folders say."""
        self._denied: set[str] = set()
        """Folders that may not be listed."""
        self._lock = RLock()

    def known(self, uri: str) -> bool:
        """Whether an object of this address has been seen."""
        return uri in self._objects

    def object(self, uri: str) -> Seen | None:
        """An object, None if there is none.

        Raises:
            ReadError: The store cannot be asked.
        """
        with self._lock:
            if uri not in self._objects and not self._is_decided(uri):
                self._ask_around(uri)
            return self._objects.get(uri)

    def below(self, uri: str) -> dict[str, Seen]:
        """All objects of a folder and below, sorted by address.

        Raises:
            ReadError: The store cannot be asked.
        """
        with self._lock:
            if not self._is_whole(uri):
                self._add(self._stores.below(uri))
                self._whole.add(uri)
            return {each: self._objects[each] for each in sorted(self._names(uri))}

    def around(self, uri: str) -> dict[str, Seen]:
        """What is known of the folder in which an object lies, without its folders, sorted."""
        with self._lock:
            inside = sorted(self._inside.get(_folder_of(uri), ()))
            return {each: self._objects[each] for each in inside}

    def is_folder(self, uri: str) -> bool:
        """Whether an object has been seen below an address."""
        return uri in self._inside or uri in self._folders

    def look(self, uri: str) -> Seen | None:
        """An object, or a folder as a whole; None if there is neither.

        Raises:
            ReadError: The store cannot be asked.
        """
        first, second = self.object, self._folder
        if not is_file_name(uri) and not self.known(uri):
            first, second = second, first
        try:
            found = first(uri)
        except ReadError:
            # who may read one object may not be allowed to list, and the other way round
            with suppress(ReadError):
                if other := second(uri):
                    return other
            raise
        return found or second(uri)

    def replace(self, uri: str, seen: Seen) -> None:
        """Believe something newer about an object."""
        with self._lock:
            self._add({uri: seen})

    def _folder(self, uri: str) -> Seen | None:
        inside = self.below(uri)
        if not inside:
            return None
        text = "\n".join(f"{name} {seen.size} {seen.version}" for name, seen in inside.items())
        size = sum(seen.size for seen in inside.values())
        return Seen(size, int(text_hash(text)[:15], 16), is_folder=True)

    def _ask_around(self, uri: str) -> None:
        folder = _folder_of(uri)
        if folder not in self._denied:
            try:
                self._add(self._stores.beside(uri))
                self._flat.add(folder)
                return
            except ReadError:
                self._denied.add(folder)
        found = self._stores.head(uri)
        if found is None:
            self._absent.add(uri)
        else:
            self._add({uri: found})

    def _is_decided(self, uri: str) -> bool:
        return uri in self._absent or _folder_of(uri) in self._flat or self._is_whole(uri)

    def _is_whole(self, uri: str) -> bool:
        """Whether all is known of a folder, or of one above it."""
        place = uri
        while "://" in place:
            if place in self._whole:
                return True
            place = _folder_of(place)
        return False

    def _add(self, found: dict[str, Seen]) -> None:
        for uri in found:
            if uri not in self._objects:
                folder = _folder_of(uri)
                self._inside.setdefault(folder, []).append(uri)
                while "://" in (above := _folder_of(folder)):
                    if folder in self._folders.setdefault(above, set()):
                        break
                    self._folders[above].add(folder)
                    folder = above
        self._objects |= found

    def _names(self, folder: str) -> Iterator[str]:
        yield from self._inside.get(folder, ())
        for each in self._folders.get(folder, ()):
            yield from self._names(each)


def is_file_name(uri: str) -> bool:
    """Whether an address looks like that of an object rather than of a folder."""
    name = uri.partition("://")[2].partition("/")[2].rpartition("/")[2]
    return "." in name[1:] and not name.lower().endswith((".zarr", ".n5"))


def _folder_of(uri: str) -> str:
    return uri.rpartition("/")[0]
