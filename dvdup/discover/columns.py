"""Which column of a table is what, by the headers that people write.

Headers are compared without regard to case, spaces and underscores.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dvdup.discover.names import shown
from dvdup.discover.rules import looks_like_labels
from dvdup.discover.sheets import Row, text

HEADERS: dict[str, tuple[str, ...]] = {
    "path": (
        "path", "file", "filepath", "filename", "image", "imagepath", "imagefile", "img", "imgpath",
        "imagefilename", "scan", "scanpath", "volume", "volumepath", "nifti", "niftipath",
        "relpath", "relativepath", "uri", "dicompath", "folder", "directory",
    ),
    "split": (
        "split", "set", "fold", "partition", "subset", "datasplit", "dataset", "phase", "splitname",
        "traintest", "traintestsplit", "trainvaltest",
    ),
    "case": (
        "case", "caseid", "id", "scanid", "imageid", "volumeid", "uid", "seriesuid",
        "seriesinstanceuid", "studyinstanceuid", "studyid", "name",
    ),
    "group": (
        "group", "groupid", "patient", "patientid", "subject", "subjectid", "participant",
        "participantid", "pid", "person", "personid", "sub", "subj", "subjid", "mrn",
        "medicalrecordnumber", "patientnumber", "patientno", "ptid", "usubjid",
    ),
}  # fmt: skip
"""What a column is for -> the headers it goes by, the first one found in this order."""

_FLAG = re.compile(r"(?:is|in)?(train|training|val|valid|validation|test|testing)(?:set)?")
"""Headers of columns of yes and no: `is_train`, `test`."""
_YES, _NO = frozenset(("1", "true", "yes", "y", "t")), frozenset(("0", "false", "no", "n", "f", ""))
_SPLIT_OF = {"training": "train", "valid": "val", "validation": "val", "testing": "test"}
_LABELS = re.compile(
    r"label|mask|seg|annot|target|truth|(?<![a-z])gt(?![a-z])|roi|contour|pred|prompt|json|meta",
    re.IGNORECASE,
)
_LOOKED_AT = 50  # rows from which it is told whether a column holds files


@dataclass(frozen=True, slots=True)
class Columns:
    """Numbers of the columns that are used."""

    of: dict[str, int] = field(default_factory=dict)
    """What a column is for -> its number."""
    files: tuple[int, ...] = ()
    """Columns of files, one a sequence, where none is for the path: t1, t2, flair."""
    flags: dict[int, str] = field(default_factory=dict)
    """Columns of yes and no -> the split that a yes stands for; where none is for the split."""

    def cell(self, row: Sequence[str], what: str) -> str:
        """A cell, "" where the table has no such column or the row is too short."""
        return at(row, self.of.get(what, len(row)))

    @property
    def name_of_scan(self) -> str:
        """The column that says which scan a row is about: a path, else an id; "" if none does."""
        return next((what for what in ("path", "case", "group") if what in self.of), "")

    def splits(self, row: Sequence[str]) -> tuple[str, ...]:
        """The splits of a row: one, none if it says none, or several by columns of yes and no."""
        if "split" in self.of:
            said = self.cell(row, "split")
            return (said,) if said else ()
        yes = [split for number, split in self.flags.items() if at(row, number).lower() in _YES]
        if yes or len(self.flags) != 1:
            return tuple(dict.fromkeys(yes))
        return ("test",) if "train" in self.flags.values() else ("train",)

    @property
    def has_split(self) -> bool:
        """Whether a row says its split."""
        return "split" in self.of or bool(self.flags)

    def note(self, header: Sequence[str]) -> str:
        """Say which columns of a table are used, and which are not."""
        used = {number: f"for the {what}" for what, number in self.of.items()}
        used |= dict.fromkeys(self.files, "for a scan each")
        used |= {number: f"for the split {split}" for number, split in self.flags.items()}
        taken = ", ".join(f"{shown(header[n])} {used[n]}" for n in sorted(used))
        others = [name for n, name in enumerate(header) if n not in used and name.strip()]
        return f"columns: {taken}" + (f"; not used: {header_of(others)}" if others else "")


def at(row: Sequence[str], number: int) -> str:
    """A cell without the spaces around it, "" where the row is too short."""
    return row[number].strip() if number < len(row) else ""


def find(header: Sequence[str], rows: Sequence[Row], claims: Callable[[str], bool]) -> Columns:
    """Find the columns that are used.

    Args:
        header: Names of the columns.
        rows: The rows; a few of them are looked at.
        claims: Whether a reader claims files of a name.
    """
    headers = [plain(cell) for cell in header]
    found: dict[str, int] = {}
    for what, names in HEADERS.items():
        number = next((headers.index(name) for name in names if name in headers), None)
        if number is not None:
            found[what] = number
    rest = [n for n in range(len(header)) if n not in found.values()]
    files: tuple[int, ...] = ()
    if "path" not in found:
        files = tuple(n for n in rest if _holds_files(header[n], n, rows, claims))
    flags: dict[int, str] = {}
    if "split" not in found:
        named = {n: match[1] for n in rest if (match := _FLAG.fullmatch(headers[n]))}
        flags = {n: _SPLIT_OF.get(name, name) for n, name in named.items() if _is_flag(n, rows)}
    return Columns(found, files, flags)


def _holds_files(
    name: str, number: int, rows: Sequence[Row], claims: Callable[[str], bool]
) -> bool:
    """Whether all cells of a column are names of scans, and its header is none of label maps."""
    if is_of_labels(name):
        return False
    cells = [cell for _, row in rows[:_LOOKED_AT] if (cell := at(row, number))]
    return bool(cells) and all(claims(cell.replace("\\", "/")) for cell in cells)


def _is_flag(number: int, rows: Sequence[Row]) -> bool:
    cells = {at(row, number).lower() for _, row in rows}
    return cells <= (_YES | _NO) and bool(cells & _YES)


def is_of_labels(name: str) -> bool:
    """Whether a column or a key is of label maps, or of other things that are no scans."""
    return bool(_LABELS.search(name)) or looks_like_labels(f"{name}.nii", folder=False) is not None


def plain(name: str) -> str:
    """A header as headers are compared."""
    return "".join(char for char in name.lower() if char.isalnum())


def key_of(keys: Iterable[str], what: str) -> str | None:
    """The key of an object that a column of such a header would be; None if it has none."""
    named = {plain(key): key for key in keys}
    return next((named[name] for name in HEADERS[what] if name in named), None)


def value_of(fields: Mapping[str, Any], what: str) -> str | None:
    """The text of an object under the key that is for something; None if it has none."""
    key = key_of(fields, what)
    return (text(fields[key]).strip() or None) if key is not None else None


def header_of(header: Sequence[str]) -> str:
    """Names of columns, as many as a message bears; the first line may be anything."""
    cells = [f"{shown(cell[:30])}{'...' * (len(cell) > 30)}" for cell in header[:12]]
    return ", ".join(cells + ["..."] * (len(header) > 12)) or "nothing"
