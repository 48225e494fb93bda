"""Put one table into a configuration file; every other byte of it stays."""

from __future__ import annotations

import os
import re
import shutil
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dvdup.config.load import PROJECT_NAME
from dvdup.config.write import toml_value
from dvdup.errors import ConfigError

_HEADER = re.compile(r"[ \t]*\[[ \t]*(?P<name>[A-Za-z0-9_.-]+)[ \t]*\][ \t]*(#.*)?")
_ANY_HEADER = re.compile(r"[ \t]*\[")
_PAIR = re.compile(r"[ \t]*[A-Za-z0-9_-]+[ \t]*=")


def put_table(file: Path, name: str, values: Mapping[str, Any], remark: str) -> None:
    """Write a table of plain values into a configuration file, in the place of the old one.

    Args:
        file: A `dvdup.toml`, made if it is not there, or a `pyproject.toml`.
        name: Of the table, below `[tool.dvdup]` in a `pyproject.toml`.
        values: Texts, numbers and flags; None leaves a key out.
        remark: A comment of one line at the top of the table.

    Raises:
        ConfigError: The file cannot be read or written, or has the table in a form that this
            cannot replace.
    """
    path = ("tool", "dvdup", name) if file.name == PROJECT_NAME else (name,)
    kept = {key: value for key, value in values.items() if value is not None}
    try:
        data = file.read_bytes() if file.exists() else b""
        bom = b"\xef\xbb\xbf" if data.startswith(b"\xef\xbb\xbf") else b""
        text = with_table(data[len(bom) :].decode("utf-8"), path, kept, remark)
        if text is None:
            raise ConfigError(
                f"{file.name}: [{'.'.join(path)}] is written in a way that cannot be replaced; "
                "take it out of the file and try again"
            )
        _replace(file, bom + text.encode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{file.name} is not valid TOML: {error}") from error
    except OSError as error:
        raise ConfigError(f"cannot write {file}: {error.strerror or error}") from error


def with_table(
    text: str, path: Sequence[str], values: Mapping[str, Any], remark: str
) -> str | None:
    """A TOML text with one table put in or replaced; None if that cannot be done by text.

    Raises:
        tomllib.TOMLDecodeError: The text is not valid.
    """
    end = "\r\n" if "\r\n" in text else "\n"
    header = ".".join(path)
    rows = [f"[{header}]", f"# {remark}"]
    rows += [f"{key} = {toml_value(value)}" for key, value in values.items()]
    table = "".join(row + end for row in rows)
    before, after = _around(text, header, end)
    edited = before + table + after
    wanted = _changed(_loads(text), path, dict(values))
    try:
        return edited if _loads(edited) == wanted else None
    except tomllib.TOMLDecodeError:
        return None


def _around(text: str, header: str, end: str) -> tuple[str, str]:
    """What stands before the table and after it; a new one comes last."""
    lines = text.splitlines(keepends=True)
    starts = [i for i in _headers(lines) if _named(lines[i]) == header]
    if not starts:
        gap = "" if not text else (end if text.endswith("\n") else end + end)
        return text + gap, ""
    start = starts[0]
    stop = next((i for i in _headers(lines) if i > start), len(lines))
    while stop > start + 1 and not _PAIR.match(lines[stop - 1]):
        stop -= 1  # comments above the next header belong to that
    return "".join(lines[:start]), "".join(lines[stop:])


def _headers(lines: Sequence[str]) -> Iterator[int]:
    """Lines where a table begins, and not a line of a text or a list that looks like it."""
    for i, line in enumerate(lines):
        if _ANY_HEADER.match(line) and _is_whole("".join(lines[:i])):
            yield i


def _named(line: str) -> str | None:
    found = _HEADER.fullmatch(line.rstrip("\r\n"))
    return found["name"] if found else None


def _is_whole(text: str) -> bool:
    try:
        _loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _loads(text: str) -> dict[str, Any]:
    return tomllib.loads(text.replace("\r\n", "\n"))


def _changed(table: Mapping[str, Any], path: Sequence[str], value: Any) -> dict[str, Any]:
    name, *rest = path
    below = table.get(name, {})
    return {**table, name: _changed(below, rest, value) if rest else value}


def _replace(file: Path, data: bytes) -> None:
    """Whole or not at all; a link stays a link."""
    target = Path(os.path.realpath(file))
    part = target.with_name(target.name + ".part")
    part.write_bytes(data)
    if target.exists():
        shutil.copymode(target, part)
    os.replace(part, target)
