"""Datalists of MONAI: JSON with lists `training`, `validation`, `testing` of images.

An entry is a path, or a table such as `{"image": path, "label": path, "fold": 0}`; an image that is
a list of paths is one scan of several channels, and `image` and `image2` are two scans. Paths are
relative to the datalist, else to `dataset.path`. Where entries of `training` have a fold, the split
is that of the fold that they validate, as `fold_3`: each fold's training is compared with its
validation where splits are compared with one another.

Source: monai.data.load_decathlon_datalist, monai.apps.auto3dseg.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from dvdup.config import DatasetConfig
from dvdup.discover import columns, documents, tables
from dvdup.discover.cases import Split
from dvdup.discover.entries import Entries, is_there
from dvdup.discover.names import shown
from dvdup.discover.search import Search
from dvdup.discover.split_names import is_split_name
from dvdup.discover.tables import TableScan
from dvdup.errors import ConfigError, InputError

SPLITS = {
    "training": "train", "train": "train", "validation": "val", "val": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
"""Name of a list -> split; other lists go by their own names."""

Claims = Callable[[str], bool]
"""As `Formats.claims`."""


def recognises(search: Search, top: str) -> DatasetConfig | None:
    """The settings for the only datalist of a folder; None if there is none.

    Raises:
        ConfigError: There are several.
    """
    entries = Entries(search, top)
    lists = documents.fitting(search, top, partial(is_datalist, search.formats.claims))
    found = [name for name in lists if _names_scans(search, entries, top, name)]
    if len(found) > 1:
        raise ConfigError(
            f"{', '.join(map(shown, found[:8]))} are datalists of MONAI each; name one, as "
            f'json = "{found[0]}", below [dataset] in dvdup.toml'
        )
    return DatasetConfig(layout="monai", json=found[0]) if found else None


def is_datalist(claims: Claims, values: Mapping[str, Any]) -> bool:
    """Whether a JSON object has lists of images, or of names."""
    entries = [entry for _, each in _lists(values) for entry in each]
    return bool(entries) and all(_images(claims, entry) for entry in entries)


def _names_scans(search: Search, entries: Entries, top: str, name: str) -> bool:
    """Whether a datalist is one for sure; lists of mere names have to name what is there."""
    values = documents.load(os.path.join(top, name), name)
    bare = [entry for _, each in _lists(values) for entry in each if isinstance(entry, str)]
    names = [entry for entry in bare if not search.formats.claims(entry)]
    here = sum(is_there(entries.place(entry, top)) or bool(entries.named(entry)) for entry in names)
    return 2 * here >= len(names)


def _lists(values: Mapping[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    for key, value in values.items():
        if isinstance(value, list) and (
            key in SPLITS or is_split_name(key) or (value and all(map(_has_image, value)))
        ):
            yield key, value


def _has_image(entry: Any) -> bool:
    return isinstance(entry, dict) and "image" in entry


def _images(claims: Claims, entry: Any) -> dict[str, tuple[str, ...]]:
    """The images of an entry by their keys, each with its files."""
    fields = entry.items() if isinstance(entry, dict) else [("image", entry)]
    found = {}
    for key, value in fields:
        files = value if isinstance(value, list) else [value]
        whole = bool(files) and all(isinstance(file, str) and file for file in files)
        if whole and (key == "image" or (claims(files[0]) and not columns.is_of_labels(key))):
            found[key] = tuple(files)
    return found


def find(search: Search, dataset: DatasetConfig) -> list[Split]:
    """Find the cases of the datalist.

    Raises:
        ConfigError: There is none, or it cannot be read.
        InputError: An entry has no image.
    """
    top = search.path(dataset.path)
    detected = recognises(search, top) if dataset.json is None else None
    name = detected.json if detected is not None else dataset.json
    if name is None:
        raise ConfigError(f"{shown(search.name(top))} has no datalist; name it with dataset.json")
    file = search.path(top, name)
    values = documents.load(file, search.name(file))
    named: dict[str, list[TableScan]] = {split: [] for split in _declared(values)}
    for scan in _scans(search, values, shown(search.name(file))):
        named.setdefault(scan.split, []).append(scan)
    if not named:
        raise ConfigError(
            f"{shown(search.name(file))} has no list such as training, validation or testing "
            f"(it has {', '.join(map(shown, list(values)[:8])) or 'nothing'}); name another file"
        )
    entries, base = Entries(search, top), os.path.dirname(file)
    where = f"datalist {shown(search.name(file))}"
    return [
        Split(split, where, list(tables.cases_of(search, dataset, entries, scans, base)))
        for split, scans in named.items()
    ]


def _declared(values: Mapping[str, Any]) -> Iterator[str]:
    """The splits of lists that are not empty and not dealt into folds."""
    for key, entries in _lists(values):
        if entries and not (SPLITS.get(key) == "train" and _n_folds(entries) > 1):
            yield SPLITS.get(key, key)


def _n_folds(entries: list[Any]) -> int:
    return len({fold for entry in entries if (fold := _fold(entry)) is not None})


def _fold(entry: Any) -> int | None:
    fold = entry.get("fold") if isinstance(entry, dict) else None
    return fold if isinstance(fold, int) and not isinstance(fold, bool) and fold >= 0 else None


def _scans(search: Search, values: Mapping[str, Any], name: str) -> Iterator[TableScan]:
    for key, entries in _lists(values):
        split = SPLITS.get(key, key)
        has_folds = split == "train" and _n_folds(entries) > 1
        for number, entry in enumerate(entries):
            fold = _fold(entry) if has_folds else None
            own = split if fold is None else f"fold_{fold}"
            yield from _of_entry(search, entry, own, f"{name}: {key}[{number}]")


def demand_images(search: Search, values: Mapping[str, Any], name: str) -> None:
    """Check that all entries of the lists of a JSON object have an image.

    Raises:
        InputError: One has none.
    """
    for _ in _scans(search, values, name):
        pass


def _of_entry(search: Search, entry: Any, split: str, where: str) -> Iterator[TableScan]:
    images = _images(search.formats.claims, entry)
    if not images:
        raise InputError(f"{where} has no image; give it one, or take it out")
    fields = entry if isinstance(entry, dict) else {}
    group = columns.value_of(fields, "group")
    case_id = columns.value_of(fields, "case") if len(images) == 1 else None
    for first, *more in images.values():
        yield TableScan(first, split, case_id, group, tuple(more))


def notes(search: Search, dataset: DatasetConfig) -> list[str]:
    """Say which keys of the entries are used."""
    file = search.path(dataset.path, dataset.json or "")
    values, claims = documents.load(file, search.name(file)), search.formats.claims
    tables_ = [entry for _, each in _lists(values) for entry in each if isinstance(entry, dict)]
    used = dict.fromkeys(key for entry in tables_ for key in _images(claims, entry))
    others = dict.fromkeys(key for entry in tables_ for key in entry if key not in used)
    folds = any(_n_folds(each) > 1 for key, each in _lists(values) if SPLITS.get(key) == "train")
    said = {key: "fold for the split" for key in others if key == "fold" and folds}
    said |= {key: f"{key} for the {what}" for what in ("group", "case")
             if (key := columns.key_of(others, what)) is not None}  # fmt: skip
    parts = [*(f"{key} for a scan" for key in used), *said.values()]
    unused = [key for key in others if key not in said]
    more = f"; not used: {columns.header_of(unused)}" if unused else ""
    return [f"keys: {', '.join(parts)}{more}"] if parts else []
