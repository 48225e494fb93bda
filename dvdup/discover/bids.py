"""BIDS: a folder a subject, entities in the names of files, splits in the tables, if anywhere.

The subject is the group, so that two sessions of one person in two splits are told. A split may
stand in `participants.tsv`, in the `sessions.tsv` of a subject or in a `scans.tsv`; the nearest one
to the scan counts. Without any, all scans are one split, `all`, unless `dataset.splits` or
`dataset.csv` says more. Folders of recordings that are no images, derivatives and sources are left
out. A subject or scan that a table lists and that is not there is a case that is not checked.

Source: https://bids-specification.readthedocs.io.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field

from dvdup.config import DatasetConfig, split_name_fault
from dvdup.discover import columns, places, sheets, tables
from dvdup.discover.cases import ALL, Split, make_case
from dvdup.discover.names import join, shown
from dvdup.discover.search import Scan, Search, subfolders
from dvdup.errors import ConfigError

LEFT_OUT = {
    **{f"{name}/": f"BIDS {name}/" for name in (
        "derivatives", "sourcedata", "code", "stimuli", "phenotype",
    )},
    **{f"{name}/": "recording without images" for name in (
        "eeg", "meg", "ieeg", "emg", "nirs", "beh", "motion", "mrs",
    )},
    "*_photo.*": "photograph", "*_asllabeling.*": "photograph",
    "*_defacemask.*": "label map (_defacemask)",
}  # fmt: skip
"""What is no scan of a subject: pattern -> what it is."""

SUBJECT = "(sub-[0-9A-Za-z+]+)"
"""Where nothing else is configured, it finds the subject in names."""

_SUBJECT = re.compile(f"{SUBJECT[1:-1]}")
_SESSION = re.compile(r"ses-[0-9A-Za-z+]+")
_HEADERS = ("split", "datasplit", "splitname", "partition", "subset", "fold", "set", "traintest",
            "traintestsplit", "trainvaltest")  # fmt: skip
"""Columns of the split; `dataset` and `phase` mean other things here."""
PARTICIPANTS = "participants.tsv"
_MARKS = ("dataset_description.json", PARTICIPANTS)
_DATATYPES = frozenset(("anat", "func", "dwi", "fmap", "perf", "pet", "micr"))
_NESTED = ("rawdata", "raw", "bids", "BIDS", "bids_raw", "raw_data")
_NO_VALUE = ("", "n/a", "nan", "none")


def recognises(search: Search, top: str) -> DatasetConfig | None:
    """The settings for a BIDS dataset in a folder, or in one called `rawdata` there; else None."""
    if _is_bids(top):
        return DatasetConfig(layout="bids")
    inner = [name for name in _NESTED if _is_bids(os.path.join(top, name))]
    return DatasetConfig(layout="bids", path=inner[0]) if len(inner) == 1 else None


def _is_bids(top: str) -> bool:
    subjects = _subjects(top)
    if not subjects:
        return False
    if any(os.path.lexists(os.path.join(top, name)) for name in _MARKS):
        return True
    inside = os.path.join(top, subjects[0])
    sessions = [
        os.path.join(inside, name) for name in subfolders(inside) if _SESSION.fullmatch(name)
    ]
    return any(_DATATYPES & set(subfolders(folder)) for folder in (inside, *sessions))


def _subjects(top: str) -> list[str]:
    return [name for name in subfolders(top) if _SUBJECT.fullmatch(name)]


def _sessions(top: str, subject: str) -> list[str]:
    """Folders of sessions, as `sub-01/ses-02`."""
    inside = subfolders(os.path.join(top, subject))
    return [f"{subject}/{name}" for name in inside if _SESSION.fullmatch(name)]


def find(search: Search, dataset: DatasetConfig) -> list[Split]:
    """Find the cases of all subjects.

    Raises:
        ConfigError: There are no subjects, or a table cannot be read.
        InputError: A folder cannot be read.
    """
    top = search.path(dataset.path)
    dataset = dataclasses.replace(dataset, group=dataset.group or SUBJECT)
    if dataset.splits:
        return [_renamed(split) for split in places.declared(search, dataset)]
    if dataset.csv is not None:
        return tables.find(search, dataset)
    subjects = _subjects(top)
    if not subjects:
        raise ConfigError(
            f"{shown(search.name(top))} has no subjects such as sub-01/; correct dataset.path, or "
            "set dataset.layout to another one"
        )
    _leave_rest(search, top)
    said = _Tables(search, top, subjects)
    scans = [scan for name in subjects for scan in search.scans(os.path.join(top, name), name)]
    scans += said.missing({file for scan in scans for file in scan.files})
    splits: dict[str, list[Scan]] = {}
    for scan in scans:
        split = said.split_of(scan)
        if split:
            splits.setdefault(split, []).append(scan)
        else:
            search.leave_out(scan.files[0], "in no split")
    where = f"BIDS dataset {shown(search.name(top))}"
    found = (
        Split(name, where, [make_case(dataset, name, scan) for scan in each])
        for name, each in splits.items()
    )
    return [_renamed(split) for split in found] or [Split(ALL, where)]


def _renamed(split: Split) -> Split:
    """Cases called as their files: entities say all that the folders say."""
    bases = Counter(os.path.basename(case.case_id) for case in split.cases)
    cases = []
    for case in split.cases:
        base = os.path.basename(case.case_id)
        cases.append(dataclasses.replace(case, case_id=base) if bases[base] == 1 else case)
    return Split(split.name, split.where, cases)


def _leave_rest(search: Search, top: str) -> None:
    for name, folder in search.entries(top):
        if folder and not _SUBJECT.fullmatch(name):
            path = search.name(os.path.join(top, name))
            known = search.rules.folder_out(path, name, None)
            search.leave_out(f"{path}/", known or "no subject")


@dataclass(frozen=True, slots=True)
class _Listed:
    """A table of BIDS."""

    name: str
    """As in messages."""
    header: tuple[str, ...] = ()
    splits: dict[str, str] = field(default_factory=dict)
    """Participant, session or file -> its split, "" if it has none."""
    column: str = ""
    """Header of the column of splits; "" if there is none."""


class _Tables:
    """What the tables of a dataset say about splits, and which scans they list."""

    def __init__(self, search: Search, top: str, subjects: Sequence[str]) -> None:
        self._search, self._top = search, top
        self.participants = self._read(PARTICIPANTS, "participantid")
        listed = self.participants.splits if self.participants is not None else {}
        self._subjects = list(dict.fromkeys((*subjects, *map(_subject, listed))))
        self._sessions = {
            name: self._read(f"{name}/{name}_sessions.tsv", "sessionid") for name in subjects
        }
        self._scans = {
            folder: self._read(f"{folder}/{folder.replace('/', '_')}_scans.tsv", "filename")
            for name in subjects
            for folder in (name, *_sessions(top, name))
        }
        tables_ = (self.participants, *self._sessions.values(), *self._scans.values())
        self.any_split = any(table is not None and table.column for table in tables_)

    def _read(self, name: str, key: str) -> _Listed | None:
        file = os.path.join(self._top, name)
        return _read(self._search, file, key) if os.path.lexists(file) else None

    def split_of(self, scan: Scan) -> str:
        """The split of a scan; "" if it is in none."""
        said = (split for split in self._said(scan) if split is not None)
        return next(said, "") if self.any_split else ALL

    def _said(self, scan: Scan) -> Iterator[str | None]:
        """What each table says, the nearest first; None where it says nothing."""
        subject, *inner = scan.stem.split("/")
        session = inner[0] if inner and _SESSION.fullmatch(inner[0]) else ""
        base = os.path.basename(scan.files[0])
        scans = self._scans.get(join(subject, session) if session else subject)
        yield _value(scans, {base}, os.path.basename)
        yield _value(self._sessions.get(subject), {session, session.removeprefix("ses-")}, str)
        yield _value(self.participants, {subject}, _subject)

    def missing(self, here: Collection[str]) -> list[Scan]:
        """Subjects and scans that a table lists and that are not there.

        Args:
            here: The files that are, as in `Case.files`.
        """
        places = ((name, os.path.join(self._top, name)) for name in self._subjects)
        found = [
            Scan(name, (self._search.name(path),))
            for name, path in places
            if not os.path.lexists(path)
        ]
        for folder, table in self._scans.items():
            for entry in table.splits if table is not None else ():
                path = self._search.path(self._top, folder, entry)
                if self._is_missing(path, here):
                    found.append(self._search.file(path, self._top))
        return found

    def _is_missing(self, path: str, here: Collection[str]) -> bool:
        search, name = self._search, self._search.name(path)
        folder = name.rpartition("/")[0]
        out = search.rules.named_file_out(name) or search.rules.named_folder_out(folder)
        claimed = search.formats.claims(os.path.basename(path))
        return claimed and not out and name not in here and not os.path.lexists(path)


def _value(
    table: _Listed | None, keys: Collection[str], key_of: Callable[[str], str]
) -> str | None:
    if table is None or not table.column:
        return None
    return next((split for key, split in table.splits.items() if key_of(key) in keys), "")


def _subject(label: str) -> str:
    """`sub-01`, which some tables call 01."""
    return label if label.startswith("sub-") else f"sub-{label}"


def _read(search: Search, file: str, key: str) -> _Listed:
    """A table of BIDS.

    Raises:
        ConfigError: It cannot be read, a split has no name that a split can have, or one label two.
    """
    sheet = sheets.read(search, file, one_column=True)
    plain = [columns.plain(cell) for cell in sheet.header]
    if key not in plain:
        return _Listed(sheet.name, sheet.header)
    number = next((plain.index(name) for name in _HEADERS if name in plain), None)
    splits: dict[str, str] = {}
    for line, cells in sheet.rows:
        split = "" if number is None else columns.at(cells, number)
        split = "" if split.lower() in _NO_VALUE else split
        if fault := split_name_fault(split) if split else None:
            raise ConfigError(
                f"table {shown(sheet.name)}, line {line}: split {split!a} {fault}; correct it"
            )
        label = columns.at(cells, plain.index(key))
        label = _subject(label) if label and key == "participantid" else label
        before = splits.get(label, "")
        if label and before and split and before != split:
            raise ConfigError(
                f"table {shown(sheet.name)}, line {line}: {shown(label)} is in split "
                f"{shown(split)}, and in {shown(before)} by a line above; keep one of the two"
            )
        splits[label] = split or before
    splits.pop("", None)
    column = "" if number is None else sheet.header[number]
    return _Listed(sheet.name, sheet.header, splits, column)


def notes(search: Search, dataset: DatasetConfig) -> list[str]:
    """Say where the splits come from."""
    if dataset.splits or dataset.csv is not None:
        return []
    top = search.path(dataset.path)
    said = _Tables(search, top, _subjects(top))
    if not said.any_split:
        return [
            f"one split, {ALL}: no participants.tsv, sessions.tsv or scans.tsv has a column split; "
            'write one, or name subjects in [dataset.splits], as train = "sub-0[1-7]"'
        ]
    table = said.participants
    if table is None or not table.column:
        return ["splits from sessions.tsv or scans.tsv"]
    others = [name for name in table.header[1:] if name != table.column]
    unused = f"; not used: {columns.header_of(others)}" if others else ""
    return [f"{shown(table.name)}: {table.column} for the split{unused}"]
