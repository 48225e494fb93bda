"""`metadata.csv`, `metadata.jsonl` or `metadata.parquet` in a split folder, as of Hugging Face.

It lists the files of the folder by `file_name`, with what is known about them. A column of subjects
says the groups; a file that is listed and is not there is a case that is not checked.

Source: https://huggingface.co/docs/datasets/image_dataset#imagefolder.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dvdup.discover import columns, sheets
from dvdup.discover.names import relative
from dvdup.discover.search import Search
from dvdup.discover.sheets import Sheet

_NAMES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
_FILES = ("filename", "image", "file")  # file_name, without its underscore


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is said about the files of a folder."""

    sheet: Sheet | None = None
    groups: Mapping[str, str] = field(default_factory=dict)
    """File as in `Case.files` -> its subject."""
    files: tuple[str, ...] = ()
    """All files that are listed, as in `Case.files`."""

    def missing(self, search: Search, here: Iterable[str], top: str) -> list[str]:
        """Absolute paths of the files that are listed, not left out, and not there."""
        known = set(here)
        paths = [search.path(name) for name in self.files if name not in known]
        return [
            path
            for path in paths
            if not os.path.lexists(path)
            and not search.rules.named_file_out(search.name(path))
            and not relative(path, top).startswith("../")
        ]


def read(search: Search, folder: str) -> Metadata:
    """What the metadata of a folder say; nothing if there are none, or if they name no files.

    Raises:
        ConfigError: They cannot be read.
    """
    for name in _NAMES:
        file = os.path.join(folder, name)
        if os.path.isfile(file):
            return _of_sheet(search, folder, sheets.read(search, file, one_column=True))
    return Metadata()


def _of_sheet(search: Search, folder: str, sheet: Sheet) -> Metadata:
    headers = [columns.plain(cell) for cell in sheet.header]
    number = next((headers.index(name) for name in _FILES if name in headers), None)
    if number is None:
        return Metadata(sheet)
    found = columns.find(sheet.header, (), search.formats.claims)
    groups, files = {}, []
    for _, cells in sheet.rows:
        if entry := columns.at(cells, number):
            name = search.name(search.path(folder, entry))
            files.append(name)
            if group := found.cell(cells, "group"):
                groups[name] = group
    return Metadata(sheet, groups, tuple(dict.fromkeys(files)))
