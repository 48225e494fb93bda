"""`dvdup-accepted.toml`: from its text to entries, and back.

What cannot be understood is an error: an entry that was left out silently, or taken for another
one, would hide a leak or bring one back.
"""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dvdup.config import toml_value
from dvdup.errors import InputError

NAME = "dvdup-accepted.toml"
"""Beside the configuration."""

_HEAD = """\
# Pairs that were reviewed and accepted. They stay in every report and fail no check.
# Written by `dvdup accept`; edited by hand it holds as well, but other comments are not kept.
# The voxels say which scans are meant, a and b (split/case) only what they were called.
"""
_KEYS = ("a", "b", "voxels", "reason", "until")
_HASH = re.compile(r"(bytes:)?[0-9a-f]{32}")


@dataclass(frozen=True, slots=True, order=True)
class Side:
    """One scan of an accepted pair."""

    split: str
    """Its split; "" for a file given by hand to `dvdup query`."""
    case: str
    """What it was called when it was accepted."""
    voxels: str
    """`match.known_by` of it: its voxels, or its bytes where it has none."""

    @property
    def label(self) -> str:
        """`split/case`; `/name` for a file given by hand."""
        return f"{self.split}/{self.case}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One accepted pair."""

    sides: tuple[Side, Side]
    """Sorted, so that a pair is one entry however it is named."""
    reason: str
    """Why it is accepted."""
    until: dt.date | None = None
    """The last day on which it is; None: for ever."""

    @property
    def labels(self) -> str:
        """The two, as messages name them."""
        return " and ".join(side.label for side in self.sides)


def read(root: Path) -> tuple[Entry, ...]:
    """The accepted pairs of a dataset, sorted; none if there is no such file.

    Args:
        root: Folder of the configuration.

    Raises:
        InputError: The file cannot be read or understood; says where.
    """
    file = root / NAME
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise InputError(f"cannot read {NAME}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{NAME} is not UTF-8 text (byte {error.start}); save it so") from error
    return parsed(text)


def parsed(text: str) -> tuple[Entry, ...]:
    """The entries of such a file, sorted.

    Raises:
        InputError: It is not valid; says which entry, and what to correct.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{NAME} is not valid TOML: {error}; correct it") from error
    rows = document.pop("accepted", [])
    if document:
        raise InputError(f"{NAME}: unknown key {min(document)}; it holds [[accepted]] only")
    if not isinstance(rows, list):
        raise InputError(f"{NAME}: accepted must be a list of tables; write [[accepted]]")
    entries = [_entry(row, f"{NAME}: entry {n}") for n, row in enumerate(rows, 1)]
    _demand_once(entries)
    return tuple(sorted(entries, key=lambda entry: entry.sides))


def _demand_once(entries: Iterable[Entry]) -> None:
    seen = set()
    for entry in entries:
        if entry.sides in seen:
            raise InputError(f"{NAME} holds {entry.labels} twice; keep one of the two")
        seen.add(entry.sides)


def _entry(row: Any, where: str) -> Entry:
    if not isinstance(row, Mapping):
        raise InputError(f"{where} is no table; write [[accepted]]")
    unknown = sorted(set(row) - set(_KEYS))
    lacking = [key for key in _KEYS[:-1] if key not in row]
    if unknown or lacking:
        fault = f"has an unknown key {unknown[0]}" if unknown else f"has no {lacking[0]}"
        raise InputError(f"{where} {fault}; it takes {', '.join(_KEYS)}")
    voxels = _voxels(row["voxels"], where)
    names = (_name(row["a"], f"{where}: a"), _name(row["b"], f"{where}: b"))
    one, other = sorted(Side(*name, key) for name, key in zip(names, voxels, strict=True))
    if one == other:
        raise InputError(f"{where}: a and b are the same case; name two")
    return Entry((one, other), _reason(row["reason"], where), _until(row.get("until"), where))


def _voxels(value: Any, where: str) -> list[str]:
    is_pair = isinstance(value, list) and len(value) == 2
    if not is_pair or not all(isinstance(key, str) and _HASH.fullmatch(key) for key in value):
        raise InputError(
            f"{where}: voxels must be the hashes of a and b, 32 hex digits each (bytes: before "
            "that of a scan without voxels); take the entry out and accept the pair anew with "
            "`dvdup accept`"
        )
    return list(value)


def _name(value: Any, where: str) -> tuple[str, str]:
    split, slash, case = value.partition("/") if isinstance(value, str) else ("", "", "")
    if not slash or not case:
        raise InputError(f"{where} must be split/case, got {value!r}; correct it")
    return split, case


def _reason(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{where}: reason must be a text; say why the pair is accepted")
    return value.strip()


def _until(value: Any, where: str) -> dt.date | None:
    if value is None or (isinstance(value, dt.date) and not isinstance(value, dt.datetime)):
        return value
    try:
        return dt.date.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{where}: until must be a date such as 2027-01-31, got {value!r}; correct it"
        ) from error


def to_toml(entries: Iterable[Entry]) -> str:
    """The text of the file: the same entries give the same bytes, in whatever order they come."""
    tables = (_table(entry) for entry in sorted(entries, key=lambda entry: entry.sides))
    return "\n".join((_HEAD, *tables))


def _table(entry: Entry) -> str:
    a, b = entry.sides
    rows = {
        "a": toml_value(a.label),
        "b": toml_value(b.label),
        "voxels": toml_value([a.voxels, b.voxels]),
        "reason": toml_value(entry.reason),
    }
    if entry.until is not None:
        rows["until"] = entry.until.isoformat()
    return "[[accepted]]\n" + "".join(f"{key} = {text}\n" for key, text in rows.items())
