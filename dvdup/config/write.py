"""From a detected dataset to the text of a `dvdup.toml`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dvdup.config.settings import DatasetConfig, Setting, settings_table

_HEAD = (
    "What dvdup takes for the dataset, and how it checks it.",
    "Lines that are commented out show the default, or an example where there is none.",
)


def to_toml(dataset: DatasetConfig, notes: Sequence[str] = ()) -> str:
    """Write a commented configuration file.

    Args:
        dataset: What was detected; what differs from the defaults is written out.
        notes: Remarks for the top of the file, a line each.

    Returns:
        A TOML text; loading it gives `dataset` and defaults.
    """
    lines = [*map(_comment, (*_HEAD, *notes)), ""]
    section = ""
    for setting in settings_table():
        if setting.key.startswith("calibration."):
            continue  # no one writes it by hand
        table, _, name = setting.key.rpartition(".")
        if table != section:
            section = table
            lines += ["", f"[{table}]"]
        if name == "splits":
            lines += _splits(setting, dataset.splits)
        else:
            chosen = getattr(dataset, name) if table == "dataset" else setting.default
            if setting.key == "dataset.arrays" and set(chosen) == {""}:
                chosen = chosen[""]
            lines.append(_line(name, setting, chosen, always=setting.key == "dataset.layout"))
    return "\n".join(lines) + "\n"


def _line(name: str, setting: Setting, chosen: Any, *, always: bool) -> str:
    shown = setting.example if chosen in (None, (), {}) else chosen
    text = f"{name} = {toml_value(shown)}  {_comment(setting.meaning)}"
    return text if always or chosen != setting.default else f"# {text}"


def _splits(setting: Setting, splits: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    yield from ("", f"[{setting.key}]  {_comment(setting.meaning)}")
    for split, places in splits.items():
        yield f"{_key(split)} = {toml_value(places[0] if len(places) == 1 else places)}"
    if not splits:
        yield f"# train = {toml_value(['train', 'more/train'])}"


def toml_value(value: Any) -> str:
    """A text, number, flag, list or table as TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return '"' + "".join(map(_escaped, value)) + '"'
    if isinstance(value, Mapping):
        pairs = (f"{_key(name)} = {toml_value(each)}" for name, each in value.items())
        return f"{{{', '.join(pairs)}}}"
    return f"[{', '.join(map(toml_value, value))}]"


def _escaped(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    return char if char.isprintable() else f"\\U{ord(char):08x}"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else toml_value(name)


def _comment(text: str) -> str:
    return "# " + "".join(char if char.isprintable() else " " for char in text)
