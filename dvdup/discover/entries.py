"""What an entry of a list stands for: a path, or the name of a file, a case, a folder, a subject.

A path is relative to the list, or else to the dataset. A name without a path is looked up among all
scans of the dataset: `case_007` is the scan of that name, `P-017` everything in the folders of that
name. What is found nowhere is a case whose file is not there, so that it is told, not lost.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from dvdup.discover.names import join, nfc, relative
from dvdup.discover.search import Scan, Search, is_folder
from dvdup.pointers import is_absent

_SUBJECT = "sub-"


class Entries:
    """Looks up the entries of the lists of one dataset."""

    def __init__(self, search: Search, top: str) -> None:
        """Look nowhere yet.

        Args:
            search: The search.
            top: Absolute path of the folder of the dataset.
        """
        self._search, self._top = search, top
        self._named: dict[str, list[Scan]] | None = None
        self._below_top: set[str] = set()
        """Folders of lists whose paths start at the dataset rather than there."""

    def learn(self, listed: Sequence[str], base: str) -> None:
        """Find out where the paths of a list start, so that those of missing files are right.

        Args:
            listed: Its entries.
            base: Folder of the list.
        """
        here, top = (
            sum(is_there(self._search.path(folder, entry)) for entry in listed)
            for folder in (base, self._top)
        )
        if top > here:
            self._below_top.add(base)

    def place(self, entry: str, base: str) -> str:
        """The absolute path that an entry has if it is a path, there or not.

        Args:
            entry: A path relative to the list or to the dataset, or an absolute one.
            base: Folder of the list.
        """
        texts = (entry, entry.replace("\\", "/")) if os.sep == "/" else (entry,)
        both = (self._top, base) if base in self._below_top else (base, self._top)
        folders = dict.fromkeys(both)
        places = [self._search.path(folder, text) for text in texts for folder in folders]
        return next(filter(is_there, places), places[0])

    def found(self, entry: str, base: str, start: str) -> list[Scan]:
        """The scans of an entry: those of its path, else of its name, else one that is not there.

        Args:
            entry: A path or a name.
            base: Folder of the list.
            start: Folder that the ids of paths begin below.
        """
        path = self.place(entry, base)
        return ([] if is_there(path) else self.named(entry)) or self.scans(path, start)

    def named(self, name: str) -> list[Scan]:
        """The scans of a name that is no path; none if nothing, or several files, are so called."""
        name = nfc(name.strip("/"))
        for key in (name, f"{_SUBJECT}{name}"):
            scans = self._names().get(key, [])
            if len(scans) == 1 or (scans and not self._search.formats.claims(key)):
                return scans
        return []

    def scans(self, path: str, start: str) -> list[Scan]:
        """What a path stands for: all scans of a folder, or one scan, there or not.

        Args:
            path: As `place` gives it.
            start: Folder that ids begin below.
        """
        search, below = self._search, relative(path, start)
        if is_folder(path):
            return search.scans(path, below)
        scans = search.picked([path], start) if os.path.exists(path) else []
        stem = join(relative(os.path.dirname(path), start), search.formats.case_name(below))
        return scans or [Scan(nfc(stem), (search.name(path),))]

    def _names(self) -> dict[str, list[Scan]]:
        if self._named is None:
            found: dict[str, dict[tuple[str, ...], Scan]] = {}
            for scan in self._search.scans(self._top):
                for name in self._names_of(scan):
                    found.setdefault(name, {})[(*scan.files, scan.series or "")] = scan
            self._named = {name: list(scans.values()) for name, scans in found.items()}
        return self._named

    def _names_of(self, scan: Scan) -> set[str]:
        """The stem and its end, the name of the file, and those of all folders above it."""
        *folders, base = scan.stem.split("/")
        files = {nfc(os.path.basename(file)) for file in scan.files[:1]}
        return {scan.stem, base, *folders, *files}


def is_there(path: str) -> bool:
    """Whether a path, or a pointer to its content, is there."""
    return os.path.lexists(path) or is_absent(Path(path))
