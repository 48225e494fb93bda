"""Folders of this machine that look as an object store is laid out: names are right, files empty.

Whoever looks for scans goes through folders, and does so here without a byte being fetched. An
empty file is no scan to any reader, so that a stand-in never passes for what it stands for.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from dvdup.errors import InputError
from dvdup.remote.listing import Listing, is_file_name
from dvdup.remote.stores import Seen


class StandIns:
    """The stand-ins of one command, below one folder: `<folder>/s3/bucket/a/b.nii.gz`."""

    def __init__(self, listing: Listing, folder: Path) -> None:
        """Make none yet."""
        self._listing, self.folder = listing, str(folder)
        self._whole: set[str] = set()
        """Folders that stand here with all below them."""
        self._flat: set[str] = set()
        """Folders whose own objects stand here."""
        self._made: set[str] = set()

    def path(self, uri: str) -> str:
        """Where an address stands, with what lies there and around it, or below it.

        Raises:
            InputError: An object has a name that no file can have.
            ReadError: The store cannot be asked.
        """
        self.cover(uri)
        scheme, _, rest = uri.partition("://")
        return os.path.join(self.folder, scheme, *rest.split("/"))

    def uri(self, path: str) -> str | None:
        """The address that stands at a path, None if the path is of this machine."""
        start = self.folder + os.sep
        if not path.startswith(start):
            return None
        scheme, _, rest = path[len(start) :].replace(os.sep, "/").partition("/")
        return f"{scheme}://{rest}" if rest else None

    def cover(self, uri: str) -> None:
        """Put all in its place that a search may want to see at an address; as `path`."""
        folder = uri.rpartition("/")[0]
        if self._is_whole(uri) or (folder in self._flat and is_file_name(uri)):
            return
        found = self._listing.look(uri)
        if found is not None and found.is_folder:
            self._make(self._listing.below(uri))
            self._whole.add(uri)
        else:
            self._make(self._listing.around(uri))
            self._flat.add(folder)

    def _is_whole(self, uri: str) -> bool:
        place = uri
        while "://" in place:
            if place in self._whole:
                return True
            place = place.rpartition("/")[0]
        return False

    def _make(self, found: Mapping[str, Seen]) -> None:
        for uri, seen in found.items():
            is_marker = seen.size == 0 and self._listing.is_folder(uri)
            if uri not in self._made and not is_marker:
                self._made.add(uri)
                self._stand(uri)

    def _stand(self, uri: str) -> None:
        scheme, _, rest = uri.partition("://")
        parts = rest.split("/")
        if not all(part not in ("", ".", "..") and os.sep not in part for part in parts):
            raise _unfit(uri)
        file = os.path.join(self.folder, scheme, *parts)
        try:
            os.makedirs(os.path.dirname(file), exist_ok=True)
            with open(file, "xb"):
                pass
        except OSError as error:
            raise _unfit(uri) from error

    @contextmanager
    def filled(self, files: dict[str, Path]) -> Iterator[None]:
        """Have the content of some objects in the place of their stand-ins for a while.

        Args:
            files: Address -> a file with its content.
        """
        places = {self.path(uri): file for uri, file in files.items()}
        try:
            for place, file in places.items():
                os.unlink(place)
                _give(file, place)
            yield
        finally:
            for place in places:
                Path(place).unlink(missing_ok=True)
                Path(place).touch()


def _give(file: Path, place: str) -> None:
    """Have the content of a file at a place too: a copy where the file system knows no links."""
    try:
        os.link(file, place)
    except OSError:
        shutil.copyfile(file, place)


def _unfit(uri: str) -> InputError:
    return InputError(
        f"{uri!a} has a name that no file beside the others can have; rename the object, or take "
        "it away"
    )
