"""What a setting can take: one `Kind` for each type of value, with its two ways in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

FAIL_ON = ("identical", "near", "partial", "same-subject:declared", "same-subject")
"""What `report.fail_on` can name, strongest first; a name stands for the stronger ones too."""

LOCAL = "local"
"""The runner that needs no cluster."""

_SIZE = re.compile(r"(?P<number>\d{1,15}(\.\d{1,6})?) ?(?P<unit>[kKMGT]?)(?P<binary>i?)B?")
_CLUSTER = re.compile(r"ray://([^\s/@?#:\[\]]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?")
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


class Unfit(ValueError):  # noqa: N818 - never leaves the package
    """A value is not of its kind; the text says why where `Kind.what` does not."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a setting takes. Both functions raise ValueError for anything else."""

    what: str
    parse: Callable[[object], object]
    """From a TOML value."""
    from_text: Callable[[str], object] | None = None
    """From a variable or a flag; None: settable in a file only."""


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """`, did you mean X?` if one of the known words is close, else ""."""
    import difflib  # only when something is wrong

    close = difflib.get_close_matches(word, known, n=1)
    return f", did you mean {close[0]}?" if close else ""


def split_name_fault(name: str) -> str | None:
    """Why a text cannot be the name of a split, or None if it can."""
    if not name.strip():
        return "is empty"
    if "/" in name or "@" in name or not name.isprintable():
        return "has a character that no split name can have (/, @ or a control character)"
    return None


def group_of(pattern: str, text: str) -> str | None:
    """The subject that a `dataset.group` pattern finds in a text, None if it finds none.

    It is what the group named `group` takes, else what the only group takes.

    Raises:
        ValueError: The pattern is no regular expression, or does not say which group to take.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise Unfit(str(error)) from error
    if compiled.groups != 1 and "group" not in compiled.groupindex:
        raise Unfit(f"it has {compiled.groups} groups; mark the subject as (?P<group>...)")
    found = compiled.search(text)
    return (found["group" if "group" in compiled.groupindex else 1] or None) if found else None


def _text(value: object) -> str:
    if isinstance(value, str) and value.strip():
        return value.strip()
    raise Unfit


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, list | tuple):
        return tuple(_text(item) for item in value)
    return (_text(value),)


def _list_from_text(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise Unfit


def _flag_from_text(text: str) -> bool:
    if text.lower() not in _TRUE + _FALSE:
        raise Unfit
    return text.lower() in _TRUE


def _group(value: object) -> str:
    pattern = _text(value)
    group_of(pattern, "")
    return pattern


def _splits(value: object) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, Mapping):
        raise Unfit
    for name in value:
        if fault := split_name_fault(str(name)):
            raise Unfit(f"split {str(name)!r} {fault}")
    splits = {str(name): _texts(places) for name, places in value.items()}
    if not all(splits.values()):
        raise Unfit("a split needs at least one place")
    return splits


def _arrays(value: object) -> dict[str, tuple[str, ...]]:
    """Entries by split; those of a list, whose names say the split, under ""."""
    if isinstance(value, Mapping):
        return _splits(value)
    entries = _texts(value)
    return {"": entries} if entries else {}


def _fail_on(value: object) -> tuple[str, ...]:
    """Spell out what is meant: `partial` becomes identical, near, partial; `none` nothing."""
    words = _texts(value)
    known = (*FAIL_ON, "none")
    for word in words:
        if word not in known:
            raise Unfit(f"unknown: {word}{did_you_mean(word, known)}")
    if words and set(words) == {"none"}:
        return ()
    if not words or "none" in words:
        raise Unfit("none stands alone" if words else "write none")
    return FAIL_ON[: 1 + max(FAIL_ON.index(word) for word in words)]


def whole(least: int) -> Kind:
    """Whole numbers from `least`."""

    def parse(value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and value >= least:
            return value
        raise Unfit

    return Kind(f"a whole number of at least {least}", parse, lambda text: parse(int(text)))


def choice(words: Sequence[str]) -> Kind:
    """One of some words."""

    def parse(value: object) -> str:
        if value in words:
            return str(value)
        raise Unfit

    return Kind(f"one of {', '.join(words)}", parse, parse)


def _runner(value: object) -> str:
    text = _text(value)
    if text not in (LOCAL, "ray") and not _CLUSTER.fullmatch(text):
        raise Unfit
    return text


def _positive(value: object) -> float:
    number = float(value) if isinstance(value, int | float) else 0.0
    if isinstance(value, bool) or not 0 < number < float("inf"):
        raise Unfit
    return number


def _bytes(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    found = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise Unfit
    power = "KMGT".find(found["unit"].upper()) + 1 if found["unit"] else 0
    size = int(float(found["number"]) * (1024 if found["binary"] else 1000) ** power)
    if size < 1:
        raise Unfit
    return size


def in_file(kind: Kind) -> Kind:
    """The same, settable in a file only."""
    return replace(kind, from_text=None)


TEXT = Kind("a text", _text, _text)
TEXTS = Kind("a list of texts", _texts, _list_from_text)
BYTES = Kind("a number of bytes, as 4000000000 or 4GB", _bytes, _bytes)
FLAG = Kind("true or false", _flag, _flag_from_text)
POSITIVE = Kind("a number above 0", _positive, lambda text: _positive(float(text)))
GROUP = Kind("a regular expression with one group, as (sub-[0-9]+)", _group, _group)
RUNNER = Kind("local, ray or ray://host:port", _runner, _runner)
SPLITS = Kind('a table of splits, as train = "imagesTr"', _splits)
ARRAYS = Kind(
    'a list, as ["X_*.npy"], or a table of splits, as train = "X_train.npy"',
    _arrays,
    lambda text: _arrays(_list_from_text(text)),
)
VERDICTS = Kind(
    f"some of {', '.join(FAIL_ON)}, or none", _fail_on, lambda text: _fail_on(_list_from_text(text))
)
