"""`splits_final.json` of nnU-Net: which cases of imagesTr each fold trains and validates on.

Where its splits are folds, as `fold_0`, these are written as proposed. Where the dataset has a
split `val`, that is the only fold. Else the cases of `train` are dealt into
folds, every group into one, the largest groups first, each into the smallest fold: as
scikit-learn's `GroupKFold` does. Format: nnU-Net documentation/manual_data_splits.md.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Sequence

from dvdup.errors import InputError
from dvdup.records import GroupedCase, Proposal
from dvdup.splits.groups import groups_of
from dvdup.splits.trainers.files import DatasetFiles

_FOLD = re.compile(r"fold_(\d+(?:\+\d+)*)")


def render(proposal: Proposal, files: DatasetFiles) -> str:
    """Return the file.

    Raises:
        InputError: There is no split `train`, or it has fewer groups than folds, or two cases have
            the same name.
    """
    if any(_numbers(case.split) for case in proposal.cases):
        return _written(_of_folds(proposal))
    left = {split: _left(proposal, split) for split in ("train", "val")}
    _demand_names([case for cases in left.values() for case in cases])
    train, val = left["train"], left["val"]
    if not train:
        raise InputError("nnU-Net trains on a split called train, and there is none")
    folds = [(train, val)] if val else _dealt(train, files.folds)
    return _written(folds)


Fold = tuple[Sequence[GroupedCase], Sequence[GroupedCase]]
"""What is trained on, and what validates it."""


def _written(folds: Sequence[Fold]) -> str:
    document = [{"train": _names(train), "val": _names(val)} for train, val in folds]
    return json.dumps(document, indent=4, ensure_ascii=False) + "\n"


def _numbers(split: str) -> tuple[int, ...]:
    """The folds that a split validates: `fold_0+2` is part of two; none for other splits."""
    found = _FOLD.fullmatch(split)
    return tuple(map(int, found[1].split("+"))) if found else ()


def _of_folds(proposal: Proposal) -> list[Fold]:
    """The folds that the dataset has, with the cases that are in them as proposed."""
    splits = dict.fromkeys(case.split for case in proposal.cases)
    folds = {split: _numbers(split) for split in splits if _numbers(split) or split == "train"}
    left = {split: _left(proposal, split) for split in folds}
    _demand_names([case for cases in left.values() for case in cases])
    numbers = sorted({number for each in folds.values() for number in each})
    return [
        (
            [case for split, each in folds.items() if number not in each for case in left[split]],
            [case for split, each in folds.items() if number in each for case in left[split]],
        )
        for number in numbers
    ]


def _left(proposal: Proposal, split: str) -> list[GroupedCase]:
    return [case for case in proposal.cases if proposal.after[case.key] == split]


def _names(cases: Sequence[GroupedCase]) -> list[str]:
    return sorted(posixpath.basename(case.case) for case in cases)


def _demand_names(cases: Sequence[GroupedCase]) -> None:
    labels: dict[str, str] = {}
    for case in cases:
        name = posixpath.basename(case.case)
        other = labels.setdefault(name, case.label)
        if other != case.label:
            raise InputError(f"nnU-Net knows cases by {name} alone: {other} and {case.label}")


def _dealt(
    cases: Sequence[GroupedCase], n: int
) -> list[tuple[list[GroupedCase], list[GroupedCase]]]:
    groups = sorted(groups_of(cases).values(), key=lambda members: (-len(members), members[0].key))
    if len(groups) < n:
        which = "1 group" if len(groups) == 1 else f"{len(groups)} groups"
        raise InputError(
            f"{which} of cases cannot be dealt into {n} folds; ask for fewer with --folds"
        )
    folds: list[list[GroupedCase]] = [[] for _ in range(n)]
    for members in groups:
        min(folds, key=len).extend(members)
    return [([c for c in cases if c not in fold], fold) for fold in folds]
