"""Split folders: train/, val/, test/ at the top or one folder down, or as `dataset.splits` says."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dvdup.config import DatasetConfig, split_name_fault
from dvdup.discover.cases import Split, make_case
from dvdup.discover.names import common_folder, join, relative, shown
from dvdup.discover.rules import POINTER, known, looks_like_labels
from dvdup.discover.search import HIDDEN, Scan, Search, files_in, is_folder, subfolders
from dvdup.errors import ConfigError
from dvdup.pointers import absent_outs, is_absent

_SPLIT = re.compile(
    r"((images?|imgs?|scans?|volumes?|data)[ _.-]?)?"
    r"(train(ing)?|tr|trn|val|valid|validation|va|dev|devel|development|test(ing)?|ts|tst|te"
    r"|eval|evaluation|hold[ _-]?out|held[ _-]?out|fold(?=[ _-]?\d)|split(?=[ _-]?\d))"
    r"([ _.-]?(set|data|split|images?|scans?|cases))?[ _-]?\d{0,3}",
    re.IGNORECASE,
)
"""Names of split folders; the split is called as its folder."""

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
    places = {name: os.path.join(top, name) for name in here if _is_split(name)}
    packed: dict[str, str] = {}
    for name in files_in(top):
        path, stem = os.path.join(top, name), name.partition(".")[0]
        content = name.removesuffix(POINTER)
        if content != name and _is_split(content):
            places.setdefault(content, os.path.join(top, content))
        elif _is_split(name) and os.path.islink(path):
            places.setdefault(name, path)
        elif _is_split(stem) and stem != name and known(name) is None and content == name:
            packed[stem] = path
    for name in absent_outs(Path(top)):
        if _is_split(name):
            places.setdefault(name, os.path.join(top, name))
    if places:  # train/ beside test.zip, or beside test.h5
        places = packed | places
    return [SplitFolder(split, places[split], prefix) for split in sorted(places)]


def _is_split(name: str) -> bool:
    return _SPLIT.fullmatch(name) is not None and split_name_fault(name) is None


def find(search: Search, dataset: DatasetConfig) -> list[Split]:
    """Find the cases of split folders, or of the places that `dataset.splits` names.

    Raises:
        ConfigError: There are no split folders, or a named place does not exist.
        InputError: A folder cannot be read.
    """
    top = search.path(dataset.path)
    if dataset.splits:
        return [_declared(search, dataset, top, *item) for item in dataset.splits.items()]
    folders = split_folders(top)
    if not folders:
        names = ", ".join(map(shown, subfolders(top)[:8])) or "no folders"
        search.demand_content(top)
        raise ConfigError(
            f"{shown(search.name(top))} has no split folders such as train/ and test/ (it has "
            f"{names}); say which folder is which split in [dataset.splits]"
        )
    _leave_rest(search, top, {folder.path for folder in folders})
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
    strip = _plain_start(scans, folder.prefix)
    cases = [
        make_case(dataset, folder.split, scan, case_id=_stripped(scan.stem, folder.prefix, strip))
        for scan in scans
    ]
    return Split(folder.split, f"folder {shown(name)}", cases)


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


def _leave_rest(search: Search, top: str, used: set[str]) -> None:
    """Remember the folders and scans beside the split folders, which belong to no split."""
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


@dataclass(frozen=True, slots=True)
class _Place:
    """What one entry of `dataset.splits` stands for."""

    start: str
    """Folder that holds all of it, as far as the entry says without wildcards."""
    folders: list[str]
    files: list[str]


def _declared(
    search: Search, dataset: DatasetConfig, top: str, split: str, entries: Sequence[str]
) -> Split:
    """The cases of a split out of folders, files and patterns; ids start below all of them."""
    places = [_place(search, top, split, entry) for entry in entries]
    start = common_folder([place.start for place in places])
    scans: list[Scan] = []
    for place in places:
        for folder in place.folders:
            scans += search.scans(folder, relative(folder, start))
        scans += search.picked(place.files, start)
    cases = [make_case(dataset, split, scan) for scan in scans]
    return Split(split, f"dataset.splits names {', '.join(map(shown, entries))}", cases)


def _place(search: Search, top: str, split: str, entry: str) -> _Place:
    path = search.path(top, entry)
    if is_folder(path):
        return _Place(path, [path], [])
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
