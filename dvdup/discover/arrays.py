"""Arrays of many cases: X_train.npy, or train_images in an .npz, of which each row is a case.

They are named in `dataset.arrays`, beside whatever else the layout finds: a list of entries, or
entries by split. An entry is a file or a pattern below `dataset.path`, with `#KEY` behind it for
some arrays of an archive, an HDF5 file or a Zarr store only. In a list the split is read from the
key, else from the name of the file, else from its folder. `!FILE` says that a file is one scan,
whatever it looks like, `!FILE#KEY` that each of these arrays is one. Labels are left out, and a
file that cannot be read is a case, so that reading it tells.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import glob
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dvdup import rows
from dvdup.config import DatasetConfig
from dvdup.discover.cases import Split, make_case
from dvdup.discover.names import nfc, relative, shown
from dvdup.discover.rules import POINTER, looks_like_labels
from dvdup.discover.search import Scan, Search
from dvdup.errors import ConfigError, InputError, ReadError
from dvdup.records import ArrayPart, Case

SUFFIXES = (".npy", ".npz", ".h5", ".hdf5", ".zarr", ".zarr.zip")
_OTHER = "!"
_DEPTH = 2  # folders that are looked into for arrays of many cases, as images/train/
_WORDS = r"train|training|tr|trn|val|valid|validation|dev|test|testing|ts|tst"
_SPLIT = re.compile(
    rf"(?<![a-z])(x|y|images?|imgs?|data|scans?|volumes?)?(?P<split>{_WORDS})"
    r"(x|y|images?|imgs?|data|scans?|volumes?|set)?(?![a-z])",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Declared:
    """What `dataset.arrays` stands for."""

    splits: list[Split] = field(default_factory=list)
    files: set[str] = field(default_factory=set)
    """Names of the files that are taken apart, those that are left out as labels among them."""
    one_scan: set[str] = field(default_factory=set)
    """Names of the files that are one scan."""
    parts: dict[str, bool] = field(default_factory=dict)
    """Arrays of archives, as `chest.npz#test_images`, and whether an entry names them."""


def find(search: Search, dataset: DatasetConfig) -> list[Split]:
    """The layout of a dataset that has nothing but declared arrays: what else lies there is told.

    Raises:
        InputError: The folder cannot be read.
    """
    top = search.path(dataset.path)
    for base, folder in search.entries(top):
        if not folder and search.formats.claims(base):
            search.leave_out(search.name(os.path.join(top, base)), _why_beside(search, top, base))
    return []


def _why_beside(search: Search, top: str, base: str) -> str:
    path = os.path.join(top, base)
    if reason := search.rules.file_out(search.name(path), base, None):
        return reason
    parts = _parts(search, path) if base.lower().endswith(SUFFIXES) else ()
    return _labels(parts) or "in no split"


def _labels(parts: Sequence[ArrayPart]) -> str:
    """Why a file of labels alone is left out, "" for any other."""
    left = [part.left_out for part in parts]
    return left[0] if left and all(reason.startswith("labels") for reason in left) else ""


def split_of(name: str) -> str:
    """The split that the name of a file, an array or a folder says: X_train is `train`.

    Returns:
        "" if it says none, or two.
    """
    found = {match["split"].lower() for match in _SPLIT.finditer(name)}
    return found.pop() if len(found) == 1 else ""


def declared(search: Search, dataset: DatasetConfig) -> Declared:
    """Find the cases of the files that are declared to hold many.

    Raises:
        ConfigError: A file is not there, has no such array, or nothing says of which split it is.
        InputError: A name has characters that cannot be stored or printed.
    """
    found = Declared()
    top = search.path(dataset.path)
    for split, entries in dataset.arrays.items():
        for entry in entries:
            if entry.startswith(_OTHER) and not _keys(search, top, entry):
                paths = _files(search, top, entry.removeprefix(_OTHER))[0]
                found.one_scan.update(map(search.name, paths))
            else:
                found.splits.extend(_of_entry(search, dataset, split, entry, found))
    for name, named in found.parts.items():
        if not named:
            search.leave_out(name, "not in dataset.arrays")
    return found


def _keys(search: Search, top: str, entry: str) -> str:
    """The pattern of keys in an entry that begins with `!`; "" if it names whole files."""
    return _files(search, top, entry.removeprefix(_OTHER))[1]


def _of_entry(
    search: Search, dataset: DatasetConfig, split: str, entry: str, found: Declared
) -> Iterator[Split]:
    top = search.path(dataset.path)
    paths, pattern = _files(search, top, entry.removeprefix(_OTHER))
    pattern, are_scans = pattern or "*", entry.startswith(_OTHER)
    where, matched = f"dataset.arrays names {shown(entry)}", False
    if split:
        yield Split(split, where)
    for path in paths:
        name = search.name(path)
        found.files.add(name)
        if reason := search.rules.named_file_out(name):
            search.leave_out(name, reason)
            matched = True
            continue
        for part in _readable_parts(search, path, split):
            own = f"{name}#{part.key}" if part.key else name
            named = not part.key or fnmatch.fnmatchcase(part.key, pattern)
            matched |= named
            if part.left_out:
                search.leave_out(own, part.left_out)
                continue
            found.parts[own] = named or found.parts.get(own, False)
            if named:
                whole = dataclasses.replace(part, is_scan=part.is_scan or are_scans)
                yield Split(*_cases(search, dataset, split, path, whole, where))
    if not matched:
        raise ConfigError(f"{where}, but it holds no such array; correct it")


def _cases(
    search: Search, dataset: DatasetConfig, split: str, path: str, part: ArrayPart, where: str
) -> tuple[str, str, list[Case]]:
    name, top = search.name(path), search.path(dataset.path)
    split = split or _told_split(name, part.key)
    scans = _kept(search, _scans(name, _below(path, top), part))
    return split, where, [make_case(dataset, split, scan) for scan in scans]


def _readable_parts(search: Search, path: str, split: str) -> tuple[ArrayPart, ...]:
    """The arrays of a file; if it cannot be read, one that says so, in the split it is of.

    Raises:
        InputError: It cannot be read, and so nothing says of which split it is.
    """
    name = search.name(path)
    try:
        return search.formats.array_parts(Path(path), name)
    except ReadError as error:
        try:
            _ = split or _told_split(name, "")
        except ConfigError:
            raise InputError(str(error)) from error
        return (ArrayPart("", None),)


def _files(search: Search, top: str, entry: str) -> tuple[list[str], str]:
    """The files of an entry, and the pattern of their keys if it has one.

    Raises:
        ConfigError: There are none.
    """
    for name, key in ((entry, ""), entry.rpartition("#")[::2]):
        path = search.path(top, name)
        if not name:
            continue
        if os.path.lexists(path) or os.path.lexists(path + POINTER):
            return [path], key
        if glob.has_magic(name):
            matches = glob.glob(name, root_dir=top, recursive=True)
            pointers = glob.glob(name + POINTER, root_dir=top, recursive=True)
            names = {*matches, *(one.removesuffix(POINTER) for one in pointers)}
            if kept := [one for one in sorted(names) if one.lower().endswith(SUFFIXES)]:
                return [search.path(top, one) for one in kept], key
    raise ConfigError(
        f"dataset.arrays names {shown(entry)}, but {shown(search.name(top))} has no such file of "
        f"arrays ({', '.join(SUFFIXES)}); correct it"
    )


def _parts(search: Search, path: str) -> tuple[ArrayPart, ...]:
    """The arrays of a file; one that cannot be read is one that cannot be taken apart."""
    try:
        return search.formats.array_parts(Path(path), search.name(path))
    except ReadError:
        return (ArrayPart("", None),)


def _told_split(name: str, key: str) -> str:
    *folders, base = name.split("/")
    for text in (key, base.partition(".")[0], *reversed(folders)):
        if split := split_of(text):
            return split
    what = f"{name}#{key}" if key else name
    raise ConfigError(
        f"dataset.arrays: nothing in the name of {shown(what)} says of which split it is; write "
        f'a table, as train = "{shown(what)}"'
    )


def _kept(search: Search, scans: Iterator[Scan]) -> Iterator[Scan]:
    """The rows that the user has not left out, such as blank ones."""
    for scan in scans:
        search.poll()
        name = scan.files[0] + (scan.series or "")
        if reason := search.rules.row_out(name):
            search.leave_out(name, reason)
        else:
            yield scan


def _below(path: str, top: str) -> str:
    """What the ids of a file begin with; of one outside of the dataset its bare name."""
    below = relative(path, top)
    return os.path.basename(path) if below.startswith("../") else below


def _scans(name: str, below: str, part: ArrayPart) -> Iterator[Scan]:
    numbers = (None,) if part.is_scan or part.rows is None else range(part.rows)
    return (_scan(name, below, part, number) for number in numbers)


def _scan(name: str, below: str, part: ArrayPart, row: int | None) -> Scan:
    """A row of an array, or an array that is a scan or that cannot be taken apart."""
    is_scan = part.is_scan and bool(part.key)
    series = rows.array_name(part.key) if is_scan else rows.row_name(part.key, row)
    return Scan(nfc(below + rows.shown(series)), (name,), series)


def added_to(search: Search, dataset: DatasetConfig, splits: Sequence[Split]) -> list[Split]:
    """What a layout found, with the declared arrays, and those that look as if they should be.

    Args:
        search: The search.
        dataset: The declaration.
        splits: What its layout found. A file that is taken apart is no case of its own.

    Raises:
        ConfigError: An entry cannot be used.
        InputError: Nothing is declared but labels, or a name cannot be stored.
    """
    found = declared(search, dataset)
    _leave_labels(search, found, splits)
    kept = [
        dataclasses.replace(split, cases=[_as_declared(case, found) for case in split.cases
                                          if case.files[0] not in found.files])
        for split in splits
    ]  # fmt: skip
    if dataset.layout == "arrays" and not any(split.cases for split in found.splits):
        raise InputError("dataset.arrays names no array whose rows are pictures; correct it")
    return [*kept, *found.splits, *_beside(search, dataset, found, kept)]


def _leave_labels(search: Search, found: Declared, splits: Sequence[Split]) -> None:
    """y.npy beside the x.npy of a split folder holds no scan, and takes part in nothing."""
    folders = {name.rpartition("/")[0] for name in found.files}
    for case in (case for split in splits for case in split.cases):
        name = case.files[0]
        beside = name.rpartition("/")[0] in folders and name not in found.files
        if not beside or not name.lower().endswith(SUFFIXES):
            continue
        if reason := _labels(_parts(search, search.path(name))):
            search.leave_out(name, reason)
            found.files.add(name)


def _as_declared(case: Case, found: Declared) -> Case:
    if case.files[0] in found.one_scan:
        return dataclasses.replace(case, series=rows.ONE_SCAN)
    return case


def _beside(
    search: Search, dataset: DatasetConfig, found: Declared, splits: Sequence[Split]
) -> Iterator[Split]:
    """X_train.npy beside split folders: in no split by its place, in one by its name."""
    top = search.path(dataset.path)
    known = {file for split in splits for case in split.cases for file in case.files}
    for path in _arrays_in(search, top):
        name, base = search.name(path), os.path.basename(path)
        if name in known or name in found.files or name in found.one_scan:
            continue
        many = search.formats.looks_many(Path(path), name)
        whole = base.partition(".")[0].lower() in _WORDS.split("|")  # test.npy beside train/
        split = _first_split(search, path) if many or whole else ""
        if split:
            series = None if many else rows.row_name("", None)
            case = make_case(dataset, split, Scan(nfc(base), (name,), series))
            yield Split(split, f"file {shown(name)}", [case])


def _arrays_in(search: Search, top: str) -> Iterator[str]:
    """The files of arrays of a folder that are not left out by their names."""
    for base, folder in search.entries(top):
        path = os.path.join(top, base)
        taken = not folder and base.lower().endswith(SUFFIXES)
        if taken and not search.rules.file_out(search.name(path), base, None):
            yield path


def _first_split(search: Search, path: str) -> str:
    """The split of the first array of a file of which that can be told, else ""."""
    for part in _parts(search, path):
        if not part.left_out:
            try:
                return _told_split(search.name(path), part.key)
            except ConfigError:
                continue
    return ""


def detected(search: Search, top: str) -> tuple[list[str], list[str]]:
    """The files in a folder and a little below that seem to hold many cases, relative to it.

    Returns:
        Those whose names say the split of every array, and the others.
    """
    told: list[str] = []
    others: list[str] = []
    for path in _walk(search, top):
        parts = [part for part in _parts(search, path) if not part.left_out]
        try:
            for part in parts:
                _told_split(search.name(path), part.key)
            told.append(relative(path, top))
        except ConfigError:
            others.append(relative(path, top))
    return told, others


def _walk(search: Search, top: str, depth: int = _DEPTH) -> Iterator[str]:
    search.poll()
    for path in _arrays_in(search, top):
        if search.formats.looks_many(Path(path), search.name(path)):
            yield path
    for base, folder in search.entries(top) if depth else ():
        if folder and not looks_like_labels(base, folder=True):
            yield from _walk(search, os.path.join(top, base), depth - 1)


def names_row(text: str) -> bool:
    """Whether a text names a row or an array of a file that is there, as `X_test.npy#17`."""
    return not os.path.lexists(text) and any(
        os.path.exists(file) for file, _, _ in rows.references(text)
    )


def row(search: Search, named: str) -> Scan | None:
    """The row or array that somebody named: `X_test.npy#17`, `a.npz#test_images#17`, `a.h5#ct`.

    Returns:
        None if the text names no row of a file that is there.

    Raises:
        InputError: The file has no such array or row.
    """
    if not names_row(named):
        return None
    for file, key, number in rows.references(named):
        path = os.path.abspath(file)
        if os.path.exists(path):
            part = _named_part(search, path, key, named)
            if number is None:
                part = dataclasses.replace(part, is_scan=True)
            elif part.rows is not None and number >= part.rows:
                raise InputError(f"{shown(named)}: there are rows 0 to {part.rows - 1}; correct it")
            name, base = search.name(path), os.path.basename(path)
            if reason := search.rules.named_file_out(name):
                raise InputError(f"{shown(named)} is left out: {reason}; change that")
            return _scan(name, base, part, None if part.rows is None else number)
    return None


def _named_part(search: Search, path: str, key: str, named: str) -> ArrayPart:
    try:
        parts = search.formats.array_parts(Path(path), search.name(path))
    except ReadError as error:
        raise InputError(str(error)) from error
    pictures = [part for part in parts if not part.left_out]
    wanted = [part for part in parts if part.key == key] or (pictures if not key else [])
    if len(wanted) == 1:
        return wanted[0]
    listed = ", ".join(part.key for part in parts)
    raise InputError(
        f"{shown(named)}: which array? Write FILE#KEY#ROW, or FILE#KEY for all of it, with one of "
        f"{listed}"
    )


def rows_instead(search: Search, dataset: DatasetConfig, scans: Sequence[Scan]) -> list[Scan]:
    """Scans named by hand, those of files that are declared to hold many cases taken apart.

    Raises:
        ConfigError: The declaration cannot be used.
    """
    if not dataset.arrays or not scans:
        return list(scans)
    found = declared(search, dataset)
    made: list[Scan] = []
    for scan in scans:
        name = scan.files[0]
        if scan.series is None and name in found.files:
            cases = [case for split in found.splits for case in split.cases]
            made += [Scan(c.case_id, c.files, c.series) for c in cases if c.files == (name,)]
        elif scan.series is None and name in found.one_scan:
            made.append(dataclasses.replace(scan, series=rows.ONE_SCAN))
        else:
            made.append(scan)
    return made
