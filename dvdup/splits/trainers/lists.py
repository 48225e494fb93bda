"""The lists of cases that `dataset.json` and datalists have in common."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from dvdup.records import GroupedCase, Key, Proposal
from dvdup.splits.trainers.files import DatasetFiles, by_path

_KNOWN = ("training", "train", "validation", "val", "test", "testing")


def lists_of(
    proposal: Proposal, files: DatasetFiles, keys: Mapping[str, str]
) -> dict[str, list[Any]]:
    """The entries of every list, in the order in which they stand there now.

    Args:
        proposal: What changes.
        files: What is listed now.
        keys: Split -> name of its list where it has none yet; other splits go by their own names.

    Returns:
        A list for every split that has cases, and for every list that is there. A case that no list
        names is appended to that of its split.
    """
    names = _names(proposal, files, keys)
    found: dict[str, list[Any]] = {name: [] for name in _KNOWN if name in files.listed}
    seen: set[Key] = set()
    for name, entry, case in _entries(proposal, files):
        seen.update(() if case is None else (case.key,))
        split = None if case is None else proposal.after[case.key]
        if case is None:
            found[name].append(entry)  # of something that is no case: it is not ours to take out
        elif split is not None:
            target = name if split == case.split else names[split]
            found.setdefault(target, []).append(_fit(entry, target, split))
    for case in proposal.cases:
        split = proposal.after[case.key]
        if split is not None and case.key not in seen:
            found.setdefault(names[split], []).append(_fit(_new(case, files), names[split], split))
    return found


def _names(proposal: Proposal, files: DatasetFiles, keys: Mapping[str, str]) -> dict[str, str]:
    """Split -> the list that it has, else the one that it gets."""
    splits = dict.fromkeys(case.split for case in proposal.cases)
    names = {split: keys.get("train" if _fold(split) else split, split) for split in splits}
    for name, _, case in _entries(proposal, files):
        if case is not None:
            names[case.split] = name
    return names


def _entries(
    proposal: Proposal, files: DatasetFiles
) -> Iterator[tuple[str, Any, GroupedCase | None]]:
    """(list, entry, its case) of everything that is listed now."""
    cases = by_path(proposal.cases)
    for name in _KNOWN:
        entries = files.listed.get(name)
        for entry in entries if isinstance(entries, list) else ():
            fitting = cases.get(files.path(_image(entry)), [])
            here = [case for case in fitting if case.split in _splits(name, entry)]
            yield name, entry, next(iter(here), None)


_SPLITS = {
    "training": "train", "train": "train", "validation": "val", "val": "val",
    "test": "test", "testing": "test",
}  # fmt: skip


_FOLD = re.compile(r"fold_(\d+)")
"""Splits that are folds of the training cases."""


def _fold(split: str) -> re.Match[str] | None:
    return _FOLD.fullmatch(split)


def _splits(name: str, entry: Any) -> tuple[str, ...]:
    """The splits that an entry of a list may declare: that of the list, or its fold."""
    fold = entry.get("fold") if isinstance(entry, dict) and _SPLITS[name] == "train" else None
    return (_SPLITS[name],) if fold is None else (_SPLITS[name], f"fold_{fold}")


def _image(entry: Any) -> str:
    image = entry.get("image") if isinstance(entry, dict) else entry
    first = image[0] if isinstance(image, list) and image else image
    return first if isinstance(first, str) else ""


def _fit(entry: Any, name: str, split: str) -> Any:
    """Lists of images to train on hold tables, with their fold; that of tests may hold paths."""
    bare = isinstance(entry, str) and _SPLITS.get(name) != "test"
    fitted = {"image": entry} if bare else entry
    fold = _fold(split)
    return {**fitted, "fold": int(fold[1])} if fold and isinstance(fitted, dict) else fitted


def _new(case: GroupedCase, files: DatasetFiles) -> dict[str, Any]:
    images = [files.below_top(path) for path in case.paths]
    return {"image": images[0] if len(images) == 1 else images}
