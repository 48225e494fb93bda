"""How names that come from users are shown: one line, no control characters, no absolute paths.

Comes in: case names, splits, paths and reasons as they are. Goes out: text that is safe to print.
Nothing is decided here about a format; `table`, `markdown` and `csv` escape further as they need.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from dvdup.records import Member, Unreadable
from dvdup.text import visible

_ABSOLUTE = re.compile(r"^(?:/|[A-Za-z]:[\\/]|\\\\)")
_SERIES = 5  # files in one folder from which the folder says more than the first of them


def public_path(path: str) -> str:
    """Return the path as reports give it: as it is if relative, else the bare file name.

    Absolute paths occur only for files outside the dataset; they would tell where a user keeps
    files, and would make the same result differ between machines.
    """
    if not _ABSOLUTE.match(path):
        return path
    return re.split(r"[\\/]", path.rstrip("\\/"))[-1] or "."


def public_reason(case: Unreadable) -> str:
    """Return why a case could not be checked, with its paths as reports give them."""
    return public_text(case.reason, case.paths)


def public_text(text: str, paths: Iterable[str]) -> str:
    """Return a text about a case with its paths as reports give them."""
    for path in sorted(paths, key=len, reverse=True):
        text = text.replace(path, public_path(path))
    return text


def case_label(split: str, case: str) -> str:
    """Return `split/case`, or the case alone if it lies in no split (a file given by hand)."""
    return f"{split}/{case}" if split else case


def files_text(owner: Member | Unreadable) -> str:
    """Return the main file of a case and how many more belong to it; "" without files.

    Many files in one folder (a DICOM series) are told as the folder.
    """
    if not owner.paths:
        return ""
    folders = {path.rpartition("/")[0] for path in owner.paths}
    if len(owner.paths) >= _SERIES and len(folders) == 1 and folders != {""}:
        folder = visible(public_path(folders.pop()))
        return f"{folder}/ ({len(owner.paths):,} files)"
    more = len(owner.paths) - 1
    main = visible(public_path(owner.paths[0]))
    return f"{main} (+{more:,} more)" if more else main


def percent(share: float, digits: int = 0) -> str:
    """Return a share in [0, 1] as `7.3 %`; only a whole is printed as 100, only nothing as 0."""
    smallest = 10.0**-digits
    value = round(100 * share, digits)
    if share < 1 and value >= 100:
        value = 100 - smallest
    if share > 0 and value <= 0:
        value = smallest
    return f"{value:.{digits}f} %"


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return `1 case`, `2 cases`, `1,000 cases`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def listed(parts: Iterable[str]) -> str:
    """Join as a sentence does: `a`, `a and b`, `a, b and c`."""
    *head, last = list(parts) or [""]
    return f"{', '.join(head)} and {last}" if head else last
