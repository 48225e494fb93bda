"""Frozen records to JSON values and back, by the types of their fields.

Comes in: a record of numbers, texts, tuples and records. Goes out: dicts and lists; `from_plain`
makes an equal record of them, and refuses what is none.
"""

from __future__ import annotations

import dataclasses
import json
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")


def to_plain(record: Any) -> dict[str, Any]:
    """A record as JSON values.

    Args:
        record: Of a dataclass whose fields are numbers, texts, None, tuples or such records.
    """
    return dataclasses.asdict(record)


def document(name: str, **values: Any) -> str:
    """A JSON text that says what it is.

    Args:
        name: Of the contract, such as "log", which becomes `dvdup/log@1`.
        values: JSON values.
    """
    return json.dumps({"schema": f"dvdup/{name}@1", **values}, indent=2) + "\n"


def from_plain(kind: type[T], value: Any) -> T:
    """A record of the JSON values that were made of it.

    Args:
        kind: Its dataclass.
        value: As `to_plain` made it, with or without a way through JSON.

    Raises:
        TypeError: It is no such record.
    """
    return cast(T, _read(kind, value))


def _read(kind: Any, value: Any) -> Any:
    """Read a value of some type."""
    if dataclasses.is_dataclass(kind):
        return _read_record(cast(type, kind), value)
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return _read_optional(get_args(kind), value)
    if origin is tuple:
        return _read_tuple(get_args(kind), value)
    if origin is Literal:
        return _demand(value in get_args(kind), kind, value)
    if kind is float:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return float(_demand(number, kind, value))
    return _demand(type(value) is kind, kind, value)


def _read_record(kind: type, value: Any) -> Any:
    types = get_type_hints(kind)
    fields = {each.name for each in dataclasses.fields(kind)}
    _demand(isinstance(value, dict) and value.keys() == fields, kind, value)
    return kind(**{name: _read(types[name], value[name]) for name in fields})


def _read_optional(kinds: tuple[Any, ...], value: Any) -> Any:
    """Read a value that may be None, of one other type."""
    if value is None and NoneType in kinds:
        return None
    (kind,) = (each for each in kinds if each is not NoneType)
    return _read(kind, value)


def _read_tuple(kinds: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    _demand(isinstance(value, list | tuple), kinds, value)
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return tuple(_read(kinds[0], each) for each in value)
    _demand(len(value) == len(kinds), kinds, value)
    return tuple(_read(kind, each) for kind, each in zip(kinds, value, strict=True))


def _demand(fits: bool, kind: Any, value: Any) -> Any:
    if not fits:
        raise TypeError(f"{value!r} is no {kind}")
    return value
