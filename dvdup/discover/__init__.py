"""From a dataset declaration to cases. In: `DatasetConfig`. Out: a `Declaration`.

`LAYOUTS` is the table of layouts: how a folder is recognised, and how its cases are found. Nothing
here reads a voxel: what is known about file formats is handed in as `Formats`.
"""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dvdup.config import DatasetConfig
from dvdup.config.uris import is_uri
from dvdup.discover import (
    arrays,
    bids,
    croissant,
    dicom_tree,
    documents,
    folders,
    lists,
    monai,
    msd,
    nearly,
    places,
    tables,
)
from dvdup.discover.arrays import names_row
from dvdup.discover.cases import (
    Split,
    demand_cases,
    demand_subjects,
    in_order,
    lacking_subject,
    without_only_patient,
)
from dvdup.discover.declared import DeclaringTable, lists_of, table_of
from dvdup.discover.formats import Formats
from dvdup.discover.hand import by_hand
from dvdup.discover.names import shown
from dvdup.discover.rules import Rules
from dvdup.discover.search import Search, is_folder, subfolders
from dvdup.errors import ConfigError, InputError
from dvdup.records import LONELY, Case, Declaration, Ignored

__all__ = [
    "LAYOUTS",
    "DeclaringTable",
    "Detected",
    "Formats",
    "Layout",
    "by_hand",
    "declaring",
    "detect",
    "discover",
    "lacking_subject",
    "left_out",
    "names_row",
]


@dataclass(frozen=True, slots=True)
class Layout:
    """One way to lay out a dataset."""

    name: str
    what: str
    """As `dvdup init` calls it."""
    recognised: Callable[[Search, str], DatasetConfig | None] | None
    """(search, folder) -> the settings that describe it, None if it is laid out otherwise. None
    for a layout that has to be asked for."""
    find: Callable[[Search, DatasetConfig], list[Split]]
    notes: Callable[[Search, DatasetConfig], list[str]] = lambda search, dataset: []
    """What `dvdup init` says about it besides, a line each."""
    leaves_out: Mapping[str, str] = field(default_factory=dict)
    """Patterns as in .gitignore -> what that is, which is no scan in this layout."""


@dataclass(frozen=True, slots=True)
class Detected:
    """What a folder looks like."""

    dataset: DatasetConfig
    notes: tuple[str, ...]
    """What was found, a line each."""


def discover(
    root: Path,
    dataset: DatasetConfig,
    formats: Formats,
    should_stop: Callable[[], bool] = lambda: False,
) -> Declaration:
    """Find the cases that a configuration declares.

    Args:
        root: Folder of the configuration.
        dataset: The declaration.
        formats: What is known about formats.
        should_stop: Whether the user wants to stop.

    Returns:
        Cases sorted by (split, case_id), and what was left out.

    Raises:
        ConfigError: The declaration cannot be used.
        InputError: A folder cannot be read, a split is empty, or two scans have the same id.
        Interrupted: `should_stop` said so.
    """
    search = _search(root, dataset, formats, should_stop)
    top = search.path(dataset.path)
    if not is_folder(top):
        raise ConfigError(f"dataset.path: there is no folder {shown(dataset.path)}; correct it")
    if dataset.layout == "auto":
        dataset = _recognised(search, dataset)
        search = _search(root, dataset, formats, should_stop)
    splits = arrays.added_to(search, dataset, _row(dataset.layout).find(search, dataset))
    demand_cases(splits)
    cases = in_order(
        _all(splits), "rename one, or leave one out with dataset.exclude or in the table"
    )
    demand_subjects(dataset, cases)
    search.take([file for case in cases for file in case.files])
    return Declaration(without_only_patient(cases), search.all_ignored())


def detect(
    root: Path,
    formats: Formats,
    should_stop: Callable[[], bool] = lambda: False,
    *,
    path: str = ".",
) -> Detected:
    """Find out how a folder is laid out.

    Args:
        root: The folder of the configuration that comes of it.
        formats: What is known about formats.
        path: The folder of the dataset below it, or its address on an object store.
        should_stop: Whether the user wants to stop.

    Raises:
        InputError: It has no layout that dvdup knows.
        Interrupted: `should_stop` said so.
    """
    search = _search(root, DatasetConfig(), formats, should_stop)
    top = search.path(path)
    if not is_folder(top):
        raise InputError(f"{shown(path)} is no folder; name the folder of the dataset")
    told, unclear = arrays.detected(search, top)
    try:
        given = DatasetConfig(path=path, arrays={"": tuple(told)} if told else {})
        dataset = _recognised(search, given)
    except ConfigError as error:
        raise InputError(str(error)) from error
    found = discover(root, dataset, formats, should_stop)
    notes = (*_notes(search, dataset, found), *_also(search, dataset), *_of_arrays(told, unclear))
    return Detected(dataset, notes)


def declaring(
    root: Path, dataset: DatasetConfig, formats: Formats
) -> tuple[DeclaringTable | None, dict[str, Any]]:
    """The files in which a dataset declares its splits, as they stand.

    Args:
        root: Folder of the configuration.
        dataset: The declaration.
        formats: What is known about formats.

    Returns:
        Its table, None if it is declared otherwise; and what its `dataset.json` holds.

    Raises:
        ConfigError: One of them cannot be read.
    """
    search = _search(root, dataset, formats, lambda: False)
    if dataset.layout == "auto":
        dataset = _recognised(search, dataset)
    table = table_of(search, dataset) if dataset.layout == "csv" else None
    return table, lists_of(search, dataset)


def _search(
    root: Path, dataset: DatasetConfig, formats: Formats, should_stop: Callable[[], bool]
) -> Search:
    usual = {} if dataset.layout == "auto" else _row(dataset.layout).leaves_out
    return Search(
        root,
        formats,
        Rules(dataset.include, dataset.exclude, usual),
        dicom_only=dataset.layout == "dicom",
        should_stop=should_stop,
    )


def _all(splits: Sequence[Split]) -> list[Case]:
    return [case for split in splits for case in split.cases]


def _recognised(search: Search, dataset: DatasetConfig) -> DatasetConfig:
    """Replace the layout "auto" by the first one that fits; what is set stays as it is."""
    if dataset.csv is not None:
        return dataclasses.replace(dataset, layout="csv")
    top = search.path(dataset.path)
    if dataset.json is not None:
        return dataclasses.replace(dataset, layout=_described_as(search, top, dataset.json))
    if dataset.splits:
        return dataclasses.replace(dataset, layout="folders")
    if dataset.folds is not None:
        return dataclasses.replace(dataset, layout="msd")
    for layout in LAYOUTS:
        found = layout.recognised(search, top) if layout.recognised is not None else None
        if found is not None:
            inner = _joined(dataset.path, os.path.normpath(found.path))
            own = {key: getattr(found, key) for key in _OWN}
            return dataclasses.replace(dataset, path=inner, **own)
    if dataset.arrays:
        return dataclasses.replace(dataset, layout="arrays")
    search.demand_content(top)
    _demand_declared(search, top)
    names = ", ".join(map(shown, subfolders(top)[:8])) or "no folders"
    why = nearly.reasons(search, top)
    raise ConfigError(
        f"{shown(search.name(top))} is laid out in no way that dvdup knows (it has {names}): "
        "neither split folders such as train/ and test/, nor imagesTr/, sub-01/, a datalist or a "
        "table with columns path and split; name the splits in dvdup.toml, below [dataset.splits], "
        "or add what there is with `dvdup add . --split all`" + (f". But {why}" if why else "")
    )


def _joined(path: str, inner: str) -> str:
    """A folder below that of the dataset, which may be an address."""
    if is_uri(path):
        return path if inner == "." else f"{path}/{inner.replace(os.sep, '/')}"
    return os.path.normpath(os.path.join(path, inner))


def _demand_declared(search: Search, top: str) -> None:
    """A folder that has nothing but arrays of many cases lacks a declaration of them.

    Raises:
        ConfigError: It is one.
    """
    told, unclear = arrays.detected(search, top)
    if told or unclear:
        name = shown((told or unclear)[0])
        raise ConfigError(
            f"{name} seems to hold many cases, and no split folder is beside it; write it and "
            f'others into dataset.arrays, as arrays = ["{name}"], or let `dvdup init` do it'
        )


_OWN = ("layout", "csv", "json", "folds", "splits")
"""Settings that recognising a layout finds out."""


def _described_as(search: Search, top: str, name: str) -> str:
    file = search.path(top, name)
    values = documents.load(file, search.name(file))
    return "croissant" if croissant.is_croissant(values) else "monai"


def _as_csv(search: Search, top: str) -> DatasetConfig | None:
    name = tables.detected(search, top)
    return None if name is None else DatasetConfig(layout="csv", csv=name)


def _as_folders(search: Search, top: str) -> DatasetConfig | None:
    return DatasetConfig(layout="folders") if folders.split_folders(top) else None


def _as_lists(search: Search, top: str) -> DatasetConfig | None:
    splits = lists.detected(search, top)
    return DatasetConfig(layout="lists", splits=splits) if splits else None


LAYOUTS = (
    Layout("msd", "a Decathlon or nnU-Net folder", msd.recognises, msd.find, msd.notes),
    Layout("bids", "BIDS", bids.recognises, bids.find, bids.notes, bids.LEFT_OUT),
    Layout("folders", "split folders", _as_folders, folders.find, folders.notes),
    Layout("monai", "a datalist", monai.recognises, monai.find, monai.notes),
    Layout("croissant", "Croissant", croissant.recognises, croissant.find),
    Layout("lists", "lists, one a split", _as_lists, places.find, places.notes),
    Layout("csv", "a table", _as_csv, tables.find, tables.notes),
    Layout("dicom", "DICOM", dicom_tree.recognises, dicom_tree.find, dicom_tree.notes),
    Layout("arrays", "arrays of many cases", None, arrays.find),
)
"""In the order in which they are tried."""


def _row(name: str) -> Layout:
    return next(layout for layout in LAYOUTS if layout.name == name)


def _notes(search: Search, dataset: DatasetConfig, found: Declaration) -> list[str]:
    layout, file = _row(dataset.layout), dataset.csv or dataset.json
    what = layout.what + (f", {shown(file)}" if file else "")
    away = [case for case in found.cases if _is_away(search, case)]
    unread = [case for case in found.cases if case not in away and not _is_read(search, case)]
    counts = Counter(case.split for case in found.cases)
    counts.subtract(case.split for case in (*away, *unread))
    scans = ", ".join(f"{counts[split]} in {shown(split)}" for split in sorted(counts))
    n = sum(counts.values())
    notes = [f"found {what}: {n} {'scan' if n == 1 else 'scans'} ({scans})"]
    notes += layout.notes(search, dataset)
    notes += _told("not here", away, "bring them back; until then they are not checked")
    notes += _told("not read", unread, "convert them, or leave them out with dataset.exclude")
    return [*notes, *left_out(found.ignored)]


def _also(search: Search, dataset: DatasetConfig) -> list[str]:
    """Name the files that say splits as well, and are not gone by."""
    top, lines = search.path(dataset.path), []
    own = {"msd": msd.LIST_NAME, "bids": bids.PARTICIPANTS}
    known = {dataset.json, dataset.csv, own.get(dataset.layout)}
    for key, recognised in (("json", monai.recognises), ("csv", _as_csv)):
        try:
            found = recognised(search, top)
        except ConfigError:  # several, or one that cannot be read
            continue
        name = None if found is None else getattr(found, key)
        if name not in known and name is not None:
            lines.append(
                f'{shown(name)} says splits too and is not used; to go by it, write {key} = "'
                f'{shown(name)}" and no layout below [dataset]'
            )
    return lines


def _of_arrays(told: Sequence[str], unclear: Sequence[str]) -> list[str]:
    lines = []
    if told:
        lines.append(f"arrays of many cases: {', '.join(map(shown, told[:8]))}")
    if unclear:
        lines.append(
            f"{', '.join(map(shown, unclear[:8]))}: seems to hold many cases, of which split its "
            'name does not say; write it into dataset.arrays, as {train = "FILE"}'
        )
    return lines


def _is_away(search: Search, case: Case) -> bool:
    return not any(os.path.exists(search.path(file)) for file in case.files)


def _is_read(search: Search, case: Case) -> bool:
    name = os.path.basename(case.files[0])
    return case.series != "" and (case.series is not None or search.formats.claims(name))


def _told(what: str, cases: Sequence[Case], advice: str) -> list[str]:
    if not cases:
        return []
    example = shown(cases[0].files[0])
    such = example if len(cases) == 1 else f"{len(cases)} cases such as {example}"
    return [f"{what}: {such}; {advice}"]


def left_out(ignored: Sequence[Ignored]) -> list[str]:
    """Tell in two lines what was left out as known to be no scan.

    Args:
        ignored: As in `Declaration`.

    Returns:
        A line with counts; another one if a file named as a label map may be a scan.
    """
    kinds = Counter(path.reason.partition(" (")[0] for path in ignored)
    lonely = [path.path for path in ignored if path.reason.endswith(LONELY)]
    lines = []
    if kinds:
        counts = ", ".join(f"{what}: {n}" for what, n in sorted(kinds.items()))
        lines.append(f"left out ({counts}); `dvdup sync` names them")
    if lonely:
        such = lonely[0] if len(lonely) == 1 else f"{len(lonely)} files such as {lonely[0]}"
        lines.append(
            f"{such}: left out as label maps by their names, with no scan beside them; if they are "
            f'scans, add "!{os.path.basename(lonely[0])}" to dataset.exclude'
        )
    return lines
