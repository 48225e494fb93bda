"""JSON files in which a dataset is described: datalists, `dataset.json`, Croissant."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import Any

from dvdup import remote
from dvdup.discover.names import shown
from dvdup.discover.search import Search
from dvdup.errors import ConfigError, ReadError

_SUFFIXES = (".json", ".jsonld")
_MOST_BYTES = 256 << 20


def load(file: str, name: str) -> dict[str, Any]:
    """The object that a JSON file holds.

    Args:
        file: On this machine.
        name: As in messages.

    Raises:
        ConfigError: It cannot be read, or is no JSON object.
    """
    values = parsed(file, name)
    if not isinstance(values, dict):
        raise ConfigError(f"{shown(name)} is no JSON object; correct it, or take it away")
    return values


def parsed(file: str, name: str) -> Any:
    """What a JSON file holds, whatever it is.

    Args:
        file: On this machine.
        name: As in messages.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        with remote.opened(file), open(file, encoding="utf-8-sig") as stream:
            return json.load(stream)
    except ReadError as error:
        raise ConfigError(str(error)) from error
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise ConfigError(f"{shown(name)} cannot be read: {reason}; make it readable") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{shown(name)} is not valid JSON ({error}); correct it") from error


def fitting(search: Search, top: str, fits: Callable[[Mapping[str, Any]], bool]) -> list[str]:
    """The JSON files of a folder that hold an object of some kind, relative to it, sorted.

    Args:
        search: The search.
        top: Absolute path of the folder.
        fits: Whether an object is of that kind.
    """
    found = []
    for name, folder in search.entries(top):
        path = os.path.join(top, name)
        if folder or not name.lower().endswith(_SUFFIXES) or not _may_be_read(path):
            continue
        try:
            values = load(path, name)
        except ConfigError:
            continue
        if fits(values):
            found.append(name)
    return found


def _may_be_read(path: str) -> bool:
    return os.path.isfile(path) and remote.size_of(path) <= _MOST_BYTES
