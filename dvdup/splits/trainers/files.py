"""What the files of a dataset say about its splits now, as trainers need it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dvdup.config.uris import is_uri
from dvdup.records import GroupedCase, Key

_CHANNEL = re.compile(r"_\d{4}(?=\.[^/]*$|$)")


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row of the table that declares the dataset."""

    line: int
    """Number of its line."""
    cells: tuple[str, ...]
    cases: tuple[Key, ...]
    """The cases that it stands for; none for a row that is left out."""


@dataclass(frozen=True, slots=True)
class DatasetFiles:
    """How a dataset is declared."""

    top: str = "."
    """`dataset.path`: folder of the dataset, relative to that of the configuration, POSIX."""
    listed: Mapping[str, Any] = field(default_factory=dict)
    """What its `dataset.json` holds; empty if there is none."""
    header: tuple[str, ...] = ()
    """The columns of its table; empty if it is not declared by one."""
    split_column: int = 0
    """Which of them holds the split."""
    delimiter: str = ","
    rows: tuple[TableRow, ...] = ()
    folds: int = 5
    """How many folds are made where no split is for validation."""

    def below_top(self, path: str) -> str:
        """A path of a case as lists of the dataset name it."""
        if is_uri(path):
            return path.removeprefix(f"{self.top}/")
        return path if posixpath.isabs(path) else posixpath.relpath(path, self.top)

    def path(self, entry: str) -> str:
        """A path in a list of the dataset as cases name it."""
        if is_uri(entry):
            return entry
        start, mark, top = self.top.rpartition("://")
        return start + mark + posixpath.normpath(posixpath.join(top, entry))


def by_path(cases: Iterable[GroupedCase]) -> dict[str, list[GroupedCase]]:
    """Cases by each of their paths, and by these without the number of the channel of nnU-Net."""
    found: dict[str, list[GroupedCase]] = {}
    for case in cases:
        for name in dict.fromkeys(name for path in case.paths for name in (path, _joined(path))):
            found.setdefault(name, []).append(case)
    return found


def _joined(path: str) -> str:
    return _CHANNEL.sub("", path)
