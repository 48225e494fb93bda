"""Croissant of MLCommons: JSON-LD with the files of a dataset and how their splits are told.

Scans are the FileSets whose patterns, and the FileObjects whose names, a reader claims. Their split
is what a field of a record set takes out of their path, as `^(train|test)/`; else what the name
of the set says; else what a folder says; else they are one split, `all`. A table that has a field
of splits declares the scans of its rows. Archives are looked for where they were unpacked: in a
folder of their name, or beside them. Nothing is downloaded: a file that is not there is a case that
is not checked.

Source: https://docs.mlcommons.org/croissant/docs/croissant-spec.html.
"""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote, urlsplit

from dvdup.config import DatasetConfig, split_name_fault
from dvdup.discover import columns, documents, patterns, sheets, tables
from dvdup.discover.arrays import split_of
from dvdup.discover.cases import ALL, Split
from dvdup.discover.columns import Columns
from dvdup.discover.entries import Entries
from dvdup.discover.formats import is_dicom_name
from dvdup.discover.names import relative, shown
from dvdup.discover.search import Search, identity
from dvdup.discover.split_names import is_split_name
from dvdup.discover.tables import Table, TableScan
from dvdup.errors import ConfigError, InputError

_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".7z")
_SPLIT_TYPES = ("cr:Split", "http://mlcommons.org/croissant/Split", "wd:Q3985153")
_PATHS = ("fullpath", "filepath", "filename")
"""What a field may take out of a file that is its path."""
_NAMES = ("croissant.json", "croissant.jsonld", "metadata.json", "metadata.jsonld")


def recognises(search: Search, top: str) -> DatasetConfig | None:
    """The settings for the only description of a folder; None if there is none."""
    found = documents.fitting(search, top, is_croissant)
    named = [name for name in _NAMES if name in found] or found
    return DatasetConfig(layout="croissant", json=named[0]) if named else None


def is_croissant(values: Mapping[str, Any]) -> bool:
    """Whether a JSON object describes a dataset so."""
    kind = str(values.get("@type", ""))
    return kind.rpartition(":")[2].rpartition("/")[2] == "Dataset" and "distribution" in values


@dataclass(frozen=True, slots=True)
class _Resource:
    """A FileObject or a FileSet."""

    id: str
    where: str
    """`contentUrl`; "" for a set."""
    includes: tuple[str, ...]
    excludes: tuple[str, ...]
    inside: tuple[str, ...]
    """Ids of what contains it."""
    encoding: str


@dataclass(frozen=True, slots=True)
class _SplitField:
    """How a field tells the split of what comes from a resource."""

    resource: str
    column: str
    """A column of a table, or ""."""
    file_property: str
    pattern: str
    """A regular expression for what is taken out; "" for the whole."""


def find(search: Search, dataset: DatasetConfig) -> list[Split]:
    """Find the cases of all files that are described.

    Raises:
        ConfigError: There is no description, or it cannot be read.
        InputError: It describes no scan.
    """
    top = search.path(dataset.path)
    detected = recognises(search, top) if dataset.json is None else None
    name = detected.json if detected is not None else dataset.json
    if name is None:
        raise ConfigError(
            f"{shown(search.name(top))} has no description as of Croissant; name it with "
            "dataset.json"
        )
    described = _Description(search, search.path(top, name))
    named: dict[str, dict[str, TableScan]] = {}
    for scan in described.scans():
        named.setdefault(scan.split, {}).setdefault(scan.entry, scan)
    if not named:
        raise InputError(described.without_scans())
    entries, where = Entries(search, top), f"Croissant {shown(described.name)}"
    return [
        Split(
            split,
            where,
            list(tables.cases_of(search, dataset, entries, list(scans.values()), described.base)),
        )
        for split, scans in named.items()
    ]


class _Description:
    """What a description says."""

    def __init__(self, search: Search, file: str) -> None:
        self._search, self.base, self.name = search, os.path.dirname(file), search.name(file)
        values = documents.load(file, self.name)
        found = map(_resource, _objects(values.get("distribution")))
        self._resources = {one.id: one for one in found}
        fields = (
            field
            for records in _objects(values.get("recordSet"))
            for field in _objects(records.get("field"))
        )
        self._walked: dict[str, list[str]] = {}
        self._splits = {one.resource: one for one in map(_split_field, fields) if one is not None}

    def without_scans(self) -> str:
        """What to say where no scan is described."""
        kinds = sorted({one.encoding for one in self._resources.values()} - {""})
        return (
            f"{shown(self.name)} describes no file that dvdup reads (it has "
            f"{', '.join(map(shown, kinds)) or 'no files'}); name the files in [dataset.splits]"
        )

    def scans(self) -> Iterator[TableScan]:
        """The scans of all resources, with paths that are absolute or relative to the file."""
        for one in self._resources.values():
            said = self._splits.get(one.id)
            if said is not None and said.column:
                yield from self._of_table(one, said)
            elif one.includes:
                yield from self._of_set(one, said)
            elif self._search.formats.claims(_base_of(one)):
                path = self._path(one)
                (split,) = self._splits_of(one, said, [os.path.basename(path)])
                yield TableScan(path, split)

    def _of_set(self, one: _Resource, said: _SplitField | None) -> Iterator[TableScan]:
        for pattern in one.includes:
            if not self._search.formats.claims(pattern):
                self._search.leave_out(pattern, f"no scans ({one.encoding or 'of no format'})")
                continue
            files = [
                file for folder in self._folders(one) for file in self._matching(folder, pattern)
            ]
            kept = [
                (path, below)
                for folder, path in files
                for below in [relative(path, folder)]
                if not any(_fits(below, each) for each in one.excludes)
            ]
            splits = self._splits_of(one, said, [below for _, below in kept])
            for (path, _), split in zip(kept, splits, strict=True):
                place = os.path.dirname(path) if is_dicom_name(path) else path
                yield TableScan(place, split)
            if not files:
                (split,) = self._splits_of(one, said, [pattern])
                yield TableScan(pattern, split, case_id=pattern)

    def _matching(self, folder: str, pattern: str) -> Iterator[tuple[str, str]]:
        for path in self._files(folder):
            if _fits(relative(path, folder), pattern):
                yield folder, path

    def _files(self, folder: str) -> list[str]:
        """The files of a folder and below that are not left out by their names."""
        if folder not in self._walked:
            self._walked[folder] = list(self._walk(folder, ()))
        return self._walked[folder]

    def _walk(self, folder: str, above: tuple[tuple[int, int], ...]) -> Iterator[str]:
        self._search.poll()
        here = identity(folder)
        for base, is_folder in self._search.entries(folder) if here not in above else ():
            path = os.path.join(folder, base)
            name, rules = self._search.name(path), self._search.rules
            out = rules.folder_out(name, base, None) if is_folder else None
            out = out if is_folder else rules.file_out(name, base, None)
            if out:
                self._search.leave_out(f"{name}/" if is_folder else name, out)
            elif is_folder:
                yield from self._walk(path, (*above, here))
            elif self._search.formats.claims(base):
                yield path

    def _folders(self, one: _Resource) -> list[str]:
        """Where what contains a set is: the folder of an unpacked archive, else its own."""
        outer = [self._resources[name] for name in one.inside if name in self._resources]
        found = [self._unpacked(each) for each in outer]
        return list(dict.fromkeys(found)) or [self.base]

    def _unpacked(self, archive: _Resource) -> str:
        path = self._path(archive)
        suffix = next((end for end in _ARCHIVES if path.lower().endswith(end)), "")
        bare = path[: len(path) - len(suffix)] if suffix else path
        return next((place for place in (bare, path) if os.path.isdir(place)), self.base)

    def _path(self, one: _Resource) -> str:
        """Where a FileObject is on this machine: as its URL says, else by its name."""
        parts = urlsplit(one.where)
        local = one.where if not parts.scheme else ""
        names = [local, unquote(os.path.basename(parts.path)), one.id, f"data/{_base_of(one)}"]
        places = [self._search.path(self.base, name) for name in names if name]
        return next(filter(os.path.lexists, places), places[0])

    def _splits_of(
        self, one: _Resource, said: _SplitField | None, paths: Sequence[str]
    ) -> list[str]:
        """The splits of files, by their paths below the folder of what contains them."""
        taken = self._taken(said, paths)
        return [
            split if split and not split_name_fault(split) else _told(one, path)
            for split, path in zip(taken, paths, strict=True)
        ]

    def _taken(self, said: _SplitField | None, paths: Sequence[str]) -> list[str]:
        """What a field takes out of paths; "" where it says nothing."""
        if said is None or said.file_property not in _PATHS or not said.pattern:
            return [""] * len(paths)
        of_name = said.file_property == "filename"
        values = [os.path.basename(path) if of_name else path for path in paths]
        return patterns.first_groups(said.pattern, values, shown(self.name))

    def _of_table(self, one: _Resource, said: _SplitField) -> Iterator[TableScan]:
        sheet = sheets.read(self._search, self._path(one))
        found = columns.find(sheet.header, sheet.rows, self._search.formats.claims)
        if said.column not in sheet.header:
            raise ConfigError(
                f"{shown(self.name)} names the column {shown(said.column)}, but "
                f"{shown(sheet.name)} has {columns.header_of(sheet.header)}; correct it"
            )
        of = {**found.of, "split": sheet.header.index(said.column)}
        table = Table(sheet, Columns(of, found.files))
        if not found.files and not table.columns.name_of_scan:
            return  # of something else: answers, annotations
        for row in sheet.rows:
            for scan in tables.scans_of(self._search, table, row):
                path = os.path.join(table.folder, scan.entry)
                yield replace(scan, entry=path if os.path.lexists(path) else scan.entry)


def _objects(value: Any) -> list[Mapping[str, Any]]:
    each = value if isinstance(value, list) else [value]
    return [one for one in each if isinstance(one, dict)]


def _texts(value: Any) -> tuple[str, ...]:
    """Texts, or the ids of references, of which there may be one or a list."""
    each = value if isinstance(value, list) else [value]
    named = (one.get("@id") if isinstance(one, dict) else one for one in each)
    return tuple(one for one in named if isinstance(one, str) and one)


def _first(value: Any) -> str:
    return next(iter(_texts(value)), "")


def _resource(values: Mapping[str, Any]) -> _Resource:
    return _Resource(
        _first(values.get("@id")) or _first(values.get("name")),
        _first(values.get("contentUrl")),
        _texts(values.get("includes")),
        _texts(values.get("excludes")),
        _texts(values.get("containedIn")),
        _first(values.get("encodingFormat")),
    )


def _base_of(one: _Resource) -> str:
    return os.path.basename(unquote(urlsplit(one.where).path)) or one.id


def _split_field(values: Mapping[str, Any]) -> _SplitField | None:
    """What a field says about splits; None if it is about something else."""
    name = (_first(values.get("@id")) or _first(values.get("name"))).rpartition("/")[2]
    is_split = name == "split" or any(
        kind in _SPLIT_TYPES for kind in _texts(values.get("dataType"))
    )
    source = values.get("source")
    if not is_split or not isinstance(source, dict):
        return None
    resource = _first(source.get("fileSet")) or _first(source.get("fileObject"))
    extract = next(iter(_objects(source.get("extract"))), {})
    transform = next(iter(_objects(source.get("transform"))), {})
    return _SplitField(
        resource,
        _first(extract.get("column")),
        _first(extract.get("fileProperty")),
        _first(transform.get("regex")),
    )


def _told(one: _Resource, path: str) -> str:
    """The split of a file by the name of its set, a folder, or its own."""
    folders = [part for part in path.split("/")[:-1] if is_split_name(part)]
    return split_of(one.id) or (folders[0] if folders else "") or split_of(path) or ALL


def _fits(name: str, pattern: str) -> bool:
    """Whether a path fits a pattern; `*.jpg` fits in every folder."""
    name = name if "/" in pattern else os.path.basename(name)
    return fnmatch.fnmatchcase(name, pattern.removeprefix("./").replace("**/", "*"))
