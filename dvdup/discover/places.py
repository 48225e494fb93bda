"""Splits whose places `dataset.splits` names: folders, files, patterns and lists."""

from __future__ import annotations

import dataclasses
import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dvdup.config import DatasetConfig
from dvdup.discover import lists
from dvdup.discover.cases import Split, make_case
from dvdup.discover.entries import Entries
from dvdup.discover.names import common_folders, is_stand_in, relative, shown
from dvdup.discover.rules import POINTER
from dvdup.discover.search import HIDDEN, Scan, Search, is_folder
from dvdup.errors import ConfigError
from dvdup.pointers import is_absent


def find(search: Search, dataset: DatasetConfig) -> list[Split]:
    """Find the cases of a list a split: those that `dataset.splits` names, else by their names.

    Raises:
        ConfigError: There are none, or one cannot be read.
        InputError: A folder or a line cannot be read.
    """
    top = search.path(dataset.path)
    splits = dataset.splits or lists.detected(search, top, sure=True)
    if not splits:
        raise ConfigError(
            f"{shown(search.name(top))} has no lists such as train.csv and test.csv; name them in "
            "[dataset.splits]"
        )
    return declared(search, dataclasses.replace(dataset, splits=splits))


def notes(search: Search, dataset: DatasetConfig) -> list[str]:
    """Say which columns of the lists are used."""
    top = search.path(dataset.path)
    files = [file for each in dataset.splits.values() for file in each]
    said = {file: lists.note(search, search.path(top, file)) for file in files}
    return [f"{shown(file)}: {note}" if note else shown(file) for file, note in said.items()]


def declared(search: Search, dataset: DatasetConfig) -> list[Split]:
    """Find the cases of the places that `dataset.splits` names.

    Raises:
        ConfigError: A place does not exist, or a list cannot be read.
        InputError: A folder or a line cannot be read.
    """
    top = search.path(dataset.path)
    entries = Entries(search, top)
    return [_declared(search, dataset, entries, top, *item) for item in dataset.splits.items()]


@dataclass(frozen=True, slots=True)
class _Place:
    """What one entry of `dataset.splits` stands for."""

    start: str
    """Folder that holds all of it, as far as the entry says without wildcards."""
    folders: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    lists: list[str] = field(default_factory=list)
    """Files whose lines name scans."""


def _declared(
    search: Search,
    dataset: DatasetConfig,
    entries: Entries,
    top: str,
    split: str,
    named: Sequence[str],
) -> Split:
    """The cases of a split out of folders, files, patterns and lists; ids start below all."""
    places = [_place(search, top, split, entry) for entry in named]
    starts = common_folders([place.start for place in places])
    scans: list[Scan] = []
    for place in places:
        start = starts[is_stand_in(place.start)]
        for folder in place.folders:
            scans += search.scans(folder, relative(folder, start))
        scans += search.picked(place.files, start)
    cases = [make_case(dataset, split, scan) for scan in scans]
    for file in (file for place in places for file in place.lists):
        cases += lists.cases(search, dataset, entries, split, file)
    return Split(split, f"dataset.splits names {', '.join(map(shown, named))}", cases)


def _place(search: Search, top: str, split: str, entry: str) -> _Place:
    path = search.path(top, entry)
    if is_folder(path):
        return _Place(path, [path])
    if lists.is_list(path) and os.path.lexists(path):
        return _Place(os.path.dirname(path), lists=[path])
    if os.path.lexists(path) or is_absent(Path(path)):
        return _Place(os.path.dirname(path), [], [path])
    matches = _matches(search, top, entry) if glob.has_magic(entry) else []
    if not matches:
        raise ConfigError(
            f"dataset.splits: {shown(split)} names {shown(entry)}, but "
            f"{shown(search.name(top))} has no such file or folder; correct it"
        )
    folders = [path for path in matches if is_folder(path)]
    inner = tuple(folder + os.sep for folder in folders)
    return _Place(
        _fixed_part(search, top, entry),
        [path for path in folders if not path.startswith(inner)],
        [path for path in matches if path not in set(folders) and not path.startswith(inner)],
    )


def _matches(search: Search, top: str, pattern: str) -> list[str]:
    """What a pattern stands for, without what the rules leave out."""
    kept = []
    found = glob.glob(pattern, root_dir=top, recursive=True)
    pointers = glob.glob(pattern + POINTER, root_dir=top, recursive=True)
    for match in sorted({*found, *(name.removesuffix(POINTER) for name in pointers)}):
        search.poll()
        path = search.path(top, match)
        name, base = search.name(path), os.path.basename(path)
        if base.startswith(HIDDEN):
            reason: str | None = "hidden"
        elif is_folder(path):
            reason = search.rules.folder_out(name, base, None)
            name += "/"
        else:
            reason = search.rules.file_out(name, base, None)
        if reason:
            search.leave_out(name, reason)
        else:
            kept.append(path)
    return kept


def _fixed_part(search: Search, top: str, pattern: str) -> str:
    parts = pattern.replace(os.sep, "/").split("/")[:-1]
    magic = next((i for i, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    return search.path(top, "/".join(parts[:magic]) or ("/" if pattern.startswith("/") else "."))
