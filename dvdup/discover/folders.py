"""Split folders: train/, val/, test/ at the top or one folder down, or as `dataset.splits` says."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dvdup.config import DatasetConfig
from dvdup.discover import columns, imagefolder, places
from dvdup.discover.cases import Split, make_case
from dvdup.discover.names import join, shown
from dvdup.discover.rules import POINTER, known, looks_like_labels
from dvdup.discover.search import Scan, Search, files_in, is_folder, subfolders
from dvdup.discover.split_names import is_split_name
from dvdup.errors import ConfigError
from dvdup.pointers import absent_outs

_PLAIN = re.compile(
    r"images?|imgs?|data|datasets?|scans?|volumes?|nii|nifti|dicoms?", re.IGNORECASE
)
"""Folders that say nothing about what is in them, so that case ids leave them out."""


@dataclass(frozen=True, slots=True)
class SplitFolder:
    """A folder that is a split by its name."""

    split: str
    path: str
    prefix: str
    """What the ids of its cases begin with."""


def split_folders(top: str) -> list[SplitFolder]:
    """The split folders in a folder; if it has none, those one folder down (images/train)."""
    found = _splits_in(top, "")
    if found:
        return found
    for middle in subfolders(top):
        if not looks_like_labels(middle, folder=True):
            prefix = "" if _PLAIN.fullmatch(middle) else middle
            found += _splits_in(os.path.join(top, middle), prefix)
    return found


def _splits_in(top: str, prefix: str) -> list[SplitFolder]:
    """Split folders, and what stands in the place of one whose content is not here or is packed."""
    here = set(subfolders(top))
    places = {name: os.path.join(top, name) for name in here if is_split_name(name)}
    packed: dict[str, str] = {}
    for name in files_in(top):
        path, stem = os.path.join(top, name), name.partition(".")[0]
        content = name.removesuffix(POINTER)
        if content != name and is_split_name(content):
            places.setdefault(content, os.path.join(top, content))
        elif is_split_name(name) and os.path.islink(path):
            places.setdefault(name, path)
        elif is_split_name(stem) and stem != name and known(name) is None and content == name:
            packed[stem] = path
    for name in absent_outs(Path(top)):
        if is_split_name(name):
            places.setdefault(name, os.path.join(top, name))
    if places:  # train/ beside test.zip, or beside test.h5
        places = packed | places
    return [SplitFolder(split, places[split], prefix) for split in sorted(places)]


def find(search: Search, dataset: DatasetConfig) -> list[Split]:
    """Find the cases of split folders, or of the places that `dataset.splits` names.

    Raises:
        ConfigError: There are no split folders, or a named place does not exist.
        InputError: A folder cannot be read.
    """
    top = search.path(dataset.path)
    if dataset.splits:
        return places.declared(search, dataset)
    folders = split_folders(top)
    if not folders:
        names = ", ".join(map(shown, subfolders(top)[:8])) or "no folders"
        search.demand_content(top)
        raise ConfigError(
            f"{shown(search.name(top))} has no split folders such as train/ and test/ (it has "
            f"{names}); say which folder is which split in [dataset.splits]"
        )
    leave_rest(search, top, {folder.path for folder in folders})
    return [
        split for folder in folders if (split := _of_folder(search, dataset, folder)) is not None
    ]


def _of_folder(search: Search, dataset: DatasetConfig, folder: SplitFolder) -> Split | None:
    name = search.name(folder.path)
    if not is_folder(folder.path):
        return _stand_in(search, dataset, folder, name)
    if reason := search.rules.named_folder_out(name):
        search.leave_out(name + "/", reason)
        return None
    scans = search.scans(folder.path, folder.prefix)
    said = imagefolder.read(search, folder.path)
    here = [file for scan in scans for file in scan.files]
    for path in said.missing(search, here, folder.path):
        scan = search.file(path, folder.path)
        scans.append(replace(scan, stem=join(folder.prefix, scan.stem)))
    strip = _plain_start(scans, folder.prefix)
    cases = [
        make_case(
            dataset,
            folder.split,
            scan,
            case_id=_stripped(scan.stem, folder.prefix, strip),
            group=said.groups.get(scan.files[0]),
        )
        for scan in scans
    ]
    return Split(folder.split, f"folder {shown(name)}", cases)


def notes(search: Search, dataset: DatasetConfig) -> list[str]:
    """Say which metadata beside the files are used."""
    lines = []
    for folder in split_folders(search.path(dataset.path)) if not dataset.splits else ():
        said = imagefolder.read(search, folder.path)
        if said.sheet is not None and said.files:
            group = columns.key_of(said.sheet.header, "group")
            taken = f"{shown(group)} for the group" if group else "no column names the subject"
            lines.append(f"{shown(said.sheet.name)}: {len(said.files)} files; {taken}")
    return lines


def _stand_in(
    search: Search, dataset: DatasetConfig, folder: SplitFolder, name: str
) -> Split | None:
    """A split that is not here, or packed: one case, so that reading it tells."""
    base = os.path.basename(folder.path)
    if search.formats.claims(base):
        return None
    if reason := search.rules.named_file_out(name) or search.rules.named_folder_out(name):
        search.leave_out(name, reason)
        return None
    case = make_case(dataset, folder.split, Scan(join(folder.prefix, base), (name,)))
    return Split(folder.split, f"file {shown(name)}", [case])


def _plain_start(scans: Sequence[Scan], prefix: str) -> str:
    """`images/` if that is how all ids would begin (train/images), else ""."""
    start = len(prefix) + 1 if prefix else 0
    starts = {scan.stem[start:].partition("/")[:2] for scan in scans}
    if len(starts) != 1:
        return ""
    name, slash = starts.pop()
    return f"{name}/" if slash and _PLAIN.fullmatch(name) else ""


def _stripped(stem: str, prefix: str, strip: str) -> str:
    start = len(prefix) + 1 if prefix else 0
    return stem[:start] + stem[start:].removeprefix(strip)


def leave_rest(search: Search, top: str, used: set[str]) -> None:
    """Remember the folders and scans beside the split folders, which belong to no split.

    Args:
        search: The search.
        top: Absolute path of the folder of the dataset.
        used: Absolute paths of the split folders.
    """
    for path, folder in _beside(search, top, used):
        name = search.name(path)
        labels = looks_like_labels(os.path.basename(path), folder=folder)
        if folder:
            search.leave_out(name + "/", f"label maps ({labels}/)" if labels else "in no split")
        elif search.formats.claims(os.path.basename(path)):
            search.leave_out(name, f"label map ({labels})" if labels else "in no split")


def _beside(search: Search, top: str, used: set[str]) -> Iterable[tuple[str, bool]]:
    holds_used = {os.path.dirname(path) for path in used}
    for name, folder in search.entries(top):
        path = os.path.join(top, name)
        if folder and path in holds_used:
            yield from _beside(search, path, used)
        elif path not in used:
            yield path, folder
