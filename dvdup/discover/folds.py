"""Folds of nnU-Net: `splits_final.json`, a list of `{"train": [case, ...], "val": [case, ...]}`.

A case becomes part of the split of the fold that it validates, as `fold_3`; one that no fold
validates is `train`. So every fold's train is compared with its val where splits are compared with
one another, each pair once. With one fold alone the splits are `train` and `val`. A case in both
lists of a fold is in two splits, and so is found.

Source: nnU-Net documentation/manual_data_splits.md.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dvdup.discover import documents
from dvdup.discover.names import shown
from dvdup.discover.search import Search
from dvdup.errors import ConfigError

NAME = "splits_final.json"
_PICKLE = "splits_final.pkl"


@dataclass(frozen=True, slots=True)
class Folds:
    """Which splits cases belong to."""

    n: int
    """Number of folds."""
    of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Case -> its splits: one, unless a fold trains and validates on it."""


def detected(top: str) -> str | None:
    """The folds of a dataset of nnU-Net, relative to its folder; None if there are none.

    They lie beside `dataset.json`, or in the folder of what was preprocessed.
    """
    preprocessed = os.path.join("..", "..", "nnUNet_preprocessed", os.path.basename(top), NAME)
    for name in (NAME, preprocessed):
        if os.path.isfile(os.path.join(top, name)):
            return name.replace(os.sep, "/")
    return None


def has_pickle(top: str) -> bool:
    """Whether there are folds in the form of nnU-Net v1, which could run code if it were read."""
    return os.path.isfile(os.path.join(top, _PICKLE))


def read(search: Search, file: str) -> Folds:
    """Read folds.

    Raises:
        ConfigError: The file cannot be read, or holds no folds.
    """
    name = shown(search.name(file))
    if not os.path.lexists(file):
        raise ConfigError(f"dataset.folds: there is no {name}; correct it")
    values = documents.parsed(file, name)
    folds = values if isinstance(values, list) else []
    if not folds or not all(map(_is_fold, folds)):
        raise ConfigError(
            f'{name} is no list of folds, each {{"train": [...], "val": [...]}}; correct it'
        )
    return Folds(len(folds), _splits(folds))


def _is_fold(fold: object) -> bool:
    if not isinstance(fold, dict):
        return False
    lists = (fold.get("train"), fold.get("val"))
    return all(isinstance(each, list) and all(isinstance(n, str) for n in each) for each in lists)


def _splits(folds: Sequence[Mapping[str, Sequence[str]]]) -> dict[str, tuple[str, ...]]:
    validates: dict[str, list[int]] = {}
    both: set[str] = set()
    for number, fold in enumerate(folds):
        for name in (*fold["train"], *fold["val"]):
            validates.setdefault(name, [])
        for name in dict.fromkeys(fold["val"]):
            validates[name].append(number)
        both |= set(fold["train"]) & set(fold["val"])
    return {
        name: (*_of(numbers, len(folds)), *(("train",) if name in both else ()))
        for name, numbers in validates.items()
    }


def _of(numbers: Sequence[int], n: int) -> tuple[str, ...]:
    if not numbers:
        return ("train",)
    return ("val",) if n == 1 else ("fold_" + "+".join(map(str, numbers)),)
