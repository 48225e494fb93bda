"""Files and folders named on the command line."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from dvdup.config import DatasetConfig, split_name_fault
from dvdup.config.uris import is_uri
from dvdup.discover import arrays
from dvdup.discover.cases import in_order, make_case
from dvdup.discover.formats import Formats
from dvdup.discover.names import shown
from dvdup.discover.rules import Rules
from dvdup.discover.search import Scan, Search, is_folder
from dvdup.errors import InputError
from dvdup.records import Declaration


def by_hand(
    root: Path,
    paths: Sequence[str],
    *,
    split: str,
    case: str | None,
    group: str | None,
    dataset: DatasetConfig,
    formats: Formats,
    should_stop: Callable[[], bool] = lambda: False,
) -> Declaration:
    """The scans of some paths.

    Args:
        root: Folder that the paths of cases are relative to.
        paths: Files, folders (every scan below counts), patterns, or rows of arrays as
            `X_test.npy#17`, relative to the working folder.
        split: Their split; "" where they belong to none.
        case: The id of the case, if they are one; None: by file name, below a folder by path.
        group: Their subject, if somebody said so.
        dataset: Says what is left out, and how subjects are named.
        formats: What is known about formats.
        should_stop: Whether the user wants to stop.

    Raises:
        InputError: A path is missing, holds no scan, is left out by the configuration, or two scans
            have the same id.
        Interrupted: `should_stop` said so.
    """
    if split and (fault := split_name_fault(split)):
        raise InputError(f"split {shown(split)!r} {fault}; choose another name")
    rules = Rules(dataset.include, dataset.exclude)
    search = Search(root, formats, rules, should_stop=should_stop)
    named = [scan for path in paths for scan in _scans(search, os.fspath(path))]
    scans = arrays.rows_instead(search, dataset, named)
    if case is not None and len(scans) != 1:
        raise InputError(
            f"--case names one scan, but {len(scans)} were found; add them one at a time"
        )
    cases = [
        # whether a PatientID tells anybody apart cannot be seen from a few files
        make_case(
            dataset, split, replace(scan, person=""), case_id=case, group=group, origin="added"
        )
        for scan in scans
    ]
    ordered = in_order(cases, "add them one at a time, each with its own --case")
    return Declaration(ordered, search.all_ignored())


def _scans(search: Search, named: str) -> list[Scan]:
    if row := arrays.row(search, named):
        return [row]
    scans: list[Scan] = []
    files: list[str] = []
    for path in [search.path(named)] if is_uri(named) else _paths(named):
        name = search.name(path)
        folder = is_folder(path)
        if is_uri(named) and not os.path.lexists(path):
            raise InputError(f"there is no {shown(name)}; correct the address")
        out = search.rules.named_folder_out if folder else search.rules.named_file_out
        if reason := out(name):
            raise InputError(f"{shown(named)} is left out: {reason}; change that, or name another")
        if folder:
            scans += _of_folder(search, path, named)
        else:
            files.append(path)
    scans += _of_files(search, files)
    search.take([file for scan in scans for file in scan.files])
    return scans


def _paths(named: str) -> Iterator[str]:
    """Absolute paths; a pattern that no shell has spelled out is spelled out here."""
    path = os.path.abspath(named)
    if os.path.lexists(path):
        yield path
        return
    found = sorted(glob.glob(path, recursive=True)) if glob.has_magic(named) else []
    if not found:
        raise InputError(f"there is no {shown(named)}; correct the path")
    yield from found


def _of_folder(search: Search, path: str, named: str) -> list[Scan]:
    scans = search.scans(path)
    if not scans:
        raise InputError(f"{shown(named)} holds no scan that dvdup reads; name another folder")
    return scans


def _of_files(search: Search, files: Sequence[str]) -> list[Scan]:
    """Scans out of named files; one that no reader claims is a case, so that reading it tells."""
    scans = search.picked(files)
    got = {file for scan in scans for file in scan.files}
    for path in files:
        if search.name(path) not in got:
            scans.append(search.file(path))
    return scans
