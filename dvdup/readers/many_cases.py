"""Whether an array is one scan or many cases, judged by name, shape and what lies beside it.

Many cases are told by any of these:

- it is named as all pictures of a split (`X_train`, `test_images`), and has three axes or more;
- it is called `x`, `images`, `data` or the like, and beside it, in the archive or in the folder,
  lies one label for each of its rows;
- its first axis is longer than any scan: 256 rows or more, and 8 times the longest other side;
- its last axis is 3 or 4 and it holds bytes, as colour pictures do; or its second axis is 1;
- it is one of more than 8 arrays of one size in a file; then each of them is a case.

Anything else is one scan. In a 4D array an axis of up to 8 at the front or the end is channels. The
key of an array in groups, `train/images`, says what `train_images` says, and what `images` says.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dvdup.readers.axes import MAX_CHANNELS

_SPLIT = "train|training|tr|trn|val|valid|validation|dev|test|testing|ts|tst"
_PICTURES = "x|images?|imgs?|data|scans|volumes|slices|pictures|samples|inputs?"
_WHOLE_SPLIT = re.compile(
    rf"({_PICTURES})[_-]?({_SPLIT})|({_SPLIT})[_-]?({_PICTURES})|train|training|validation",
    re.IGNORECASE,
)
_LABEL = r"y|labels?|targets?|masks?|segs?|segmentations?|gt|annotations?|classes|class|ids?"
_LABELS = re.compile(
    rf"({_LABEL})([_-]?({_SPLIT}))?|({_SPLIT})[_-]?({_LABEL})|.*[_-](y|labels?|targets|masks?|segs?|segmentations?)",
    re.IGNORECASE,
)
_PLURAL = re.compile("x|images|imgs|data|samples|pictures|scans|volumes", re.IGNORECASE)
SPLITS = tuple(_SPLIT.split("|"))
"""What a file may be called that is all of a split; `test` only where one of another split is."""

_LABEL_GROUP = re.compile(
    "labels?|masks?|segs?|segmentations?|gt|annotations?|labelmaps?", re.IGNORECASE
)

LABELS_BESIDE = ("y", "labels", "targets", "Y")
"""How the files are called that hold the labels of x.npy or images.npy in their folder."""

_LONG = 256
_RATIO = 8
_SMALLEST = 64  # numbers that a picture has at least
_SIDE = 16  # of a colour picture at least
_CLASSES = 64  # numbers that label a case at most


@dataclass(frozen=True, slots=True)
class Shape:
    """What the header of an array says."""

    sides: tuple[int, ...]
    dtype: np.dtype[np.generic]


def is_label_name(name: str) -> bool:
    """Whether an array is called as labels are: y_train, test_labels, masks."""
    return _LABELS.fullmatch(name) is not None


def is_label_key(key: str) -> bool:
    """Whether an array is called as labels are, or lies in a group that is: masks/case_3."""
    *groups, last = key.split("/")
    return (
        is_label_name(last)
        or is_label_name("_".join((*groups, last)))
        or any(_LABEL_GROUP.fullmatch(group) for group in groups)
    )


def may_have_labels(name: str) -> bool:
    """Whether an array is called as pictures with labels are: x, images, data."""
    return _PLURAL.fullmatch(name) is not None


def is_no_picture(array: Shape) -> str:
    """What an array is whose rows are too small to be pictures; "" if they may be some."""
    if len(array.sides) < 2 or math.prod(array.sides[1:]) < _SMALLEST:
        return f"numbers, no pictures ({_shown(array.sides)})"
    return ""


def cannot_be_rows(array: Shape) -> str:
    """Why an array that is declared as many cases cannot be taken apart; "" if it can."""
    if len(array.sides) < 3:
        return (
            f"its rows are {array.sides[-1]} numbers each, no pictures; save them as "
            "(cases, rows, columns)"
        )
    return ""


def why_many(arrays: Mapping[str, Shape], stem: str) -> str:
    """Why a file seems to hold many cases; "" if it is one scan.

    Args:
        arrays: The header of each array by its key; of a file of one array by "".
        stem: The name of the file without its suffix.
    """
    return why_rows(arrays, stem) or why_each(arrays)


def why_rows(arrays: Mapping[str, Shape], stem: str) -> str:
    """Why the rows of an array seem to be cases; "" if none seems so."""
    for key, array in arrays.items():
        names = (*_names(key), stem) if len(arrays) == 1 and key else _names(key or stem)
        said = _by_name(names, array) or _by_labels(key, array, arrays) or _by_shape(array)
        if said and not is_label_key(key or stem):
            return f"{key} {said}" if key else said
    return ""


def why_each(arrays: Mapping[str, Shape]) -> str:
    """Why each array seems to be a case; "" if they do not."""
    sides = Counter(
        array.sides for key, array in arrays.items() if is_picture(array) and not is_label_key(key)
    )
    most = max(sides.values(), default=0)
    return f"holds {most} arrays of one size" if most > MAX_CHANNELS else ""


def _names(key: str) -> tuple[str, ...]:
    """What the key of an array may be read as: of train/images both images and train_images."""
    return (key.rpartition("/")[2], key.replace("/", "_")) if "/" in key else (key,)


def _by_name(names: tuple[str, ...], array: Shape) -> str:
    if len(array.sides) >= 3 and any(_WHOLE_SPLIT.fullmatch(name) for name in names):
        return f"is named as all {array.sides[0]} pictures of a split"
    return ""


def _by_labels(key: str, array: Shape, arrays: Mapping[str, Shape]) -> str:
    group, _, own = key.rpartition("/")
    if len(array.sides) < 3 or array.sides[0] < 2 or not may_have_labels(own):
        return ""
    n = array.sides[0]
    for name, other in arrays.items():
        few = len(other.sides) == 1 or (len(other.sides) == 2 and other.sides[1] <= _CLASSES)
        beside, _, called = name.rpartition("/")
        if beside == group and is_label_name(called) and few and other.sides[0] == n:
            return f"has {n} rows, and {name} a label for each"
    return ""


def _by_shape(array: Shape) -> str:
    n, *rest = array.sides or (0,)
    if len(rest) < 2 or n < 2 or not is_picture(array):
        return ""
    channels_last = len(rest) == 3 and rest[-1] <= MAX_CHANNELS
    inner = rest[:-1] if channels_last else rest
    if n >= _LONG and n >= _RATIO * max(inner):
        return f"({_shown(array.sides)}) has {n} rows, more than a scan has slices"
    colour = len(rest) == 3 and rest[-1] in (3, 4) and array.dtype == np.uint8
    if colour and min(inner) >= _SIDE:
        return f"({_shown(array.sides)}) looks like {n} colour pictures (or a volume in colour)"
    if len(rest) == 3 and rest[0] == 1 and n > MAX_CHANNELS and min(rest[1:]) >= _SIDE:
        return f"({_shown(array.sides)}) looks like {n} pictures of one channel"
    return ""


def is_picture(array: Shape) -> bool:
    """Whether an array has two sides as long as those of a picture."""
    return sum(side >= 8 for side in array.sides) >= 2


def _shown(sides: tuple[int, ...]) -> str:
    return " x ".join(map(str, sides)) or "one number"
