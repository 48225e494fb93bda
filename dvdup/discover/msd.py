"""Medical Segmentation Decathlon and nnU-Net folders: imagesTr, imagesTs, dataset.json.

The folders say the split; where `dataset.json` lists images under `training`, `validation` or
`test`, the list goes before the folder. A file in a folder that no list names is a case all the
same: what lies beside the listed data can leak as well. nnU-Net keeps one file a channel
(`case_0000.nii.gz`, `case_0001.nii.gz`): they are one case.

Source: http://medicaldecathlon.com (dataset.json), nnU-Net documentation/dataset_format.md.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dvdup.config import DatasetConfig
from dvdup.discover.cases import Split, make_case
from dvdup.discover.names import shown
from dvdup.discover.search import Scan, Search, is_folder
from dvdup.errors import ConfigError

FOLDERS = {"imagesTr": "train", "imagesVal": "val", "imagesTs": "test"}
"""Folder -> split."""
LIST_NAME = "dataset.json"

_LISTS = {
    "training": "train", "train": "train", "validation": "val", "val": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
_CHANNEL = re.compile(r"(.+)_(\d{4})")


def recognises(top: str) -> bool:
    """Whether a folder is laid out so."""
    return any(is_folder(os.path.join(top, name)) for name in FOLDERS)


def find(search: Search, dataset: DatasetConfig) -> list[Split]:
    """Find the cases of the image folders.

    Raises:
        ConfigError: None of the folders is there, or dataset.json cannot be used.
        InputError: A folder cannot be read.
    """
    top = search.path(dataset.path)
    if not recognises(top):
        raise ConfigError(
            f"{shown(search.name(top))} has no {', '.join(FOLDERS)}; correct dataset.path, or set "
            "dataset.layout to another one"
        )
    listed = _Lists(search, top)
    splits: dict[str, Split] = {}
    for folder, split in FOLDERS.items():
        path = os.path.join(top, folder)
        if not is_folder(path):
            continue
        splits[split] = Split(split, f"folder {shown(search.name(path))}")
        for scan in _joined(search.scans(path), listed.channels):
            for name in listed.of.get(scan.files[0], (split,)):
                target = splits.setdefault(name, Split(name, f"{LIST_NAME} lists it as {name}"))
                target.cases.append(make_case(dataset, name, scan))
    return list(splits.values())


class _Lists:
    """What dataset.json says, if there is one."""

    def __init__(self, search: Search, top: str) -> None:
        self.of: dict[str, tuple[str, ...]] = {}
        """File -> the splits that list it."""
        file = os.path.join(top, LIST_NAME)
        values = _load(file, search.name(file)) if os.path.lexists(file) else {}
        self.channels = _n_channels(values)
        """Files a case, 1 where each file is a case."""
        for key, split in _LISTS.items():
            for entry in _images(values.get(key)):
                name = search.name(search.path(top, entry))
                self.of[name] = tuple(dict.fromkeys((*self.of.get(name, ()), split)))


def _load(file: str, name: str) -> dict[str, Any]:
    try:
        with open(file, encoding="utf-8-sig") as stream:
            values = json.load(stream)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise ConfigError(f"{shown(name)} cannot be read: {reason}; make it readable") from error
    except ValueError as error:
        raise ConfigError(f"{shown(name)} is not valid JSON ({error}); correct it") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{shown(name)} is no JSON object; correct it, or take it away")
    return values


def _n_channels(values: dict[str, Any]) -> int:
    """nnU-Net counts channels in `channel_names` and writes one file for each."""
    names = values.get("channel_names")
    if names is None and "numTraining" in values and "file_ending" in values:
        names = values.get("modality")
    return max(1, len(names)) if isinstance(names, dict) else 1


def _images(entries: Any) -> Iterator[str]:
    """The image paths of a list, whose entries are paths or `{"image": path, ...}`."""
    for entry in entries if isinstance(entries, list) else ():
        image = entry.get("image") if isinstance(entry, dict) else entry
        for one in image if isinstance(image, list) else (image,):
            if isinstance(one, str) and one:
                yield one


@dataclass(frozen=True, slots=True)
class _Numbered:
    """A file that is one channel of a case."""

    case: str
    number: int
    scan: Scan


def _joined(scans: Sequence[Scan], n_channels: int) -> list[Scan]:
    """Put the channel files of a case together: where all files are numbered, as nnU-Net does."""
    numbered = [_numbered(scan) for scan in scans]
    if not scans or any(one is None for one in numbered):
        return list(scans)
    if n_channels == 1 and all(one.number == 0 for one in numbered if one):
        return [replace(one.scan, stem=one.case) for one in numbered if one]
    cases: dict[str, list[_Numbered]] = {}
    for one in numbered:
        assert one is not None
        cases.setdefault(one.case, []).append(one)
    return [_one_scan(stem, parts) for stem, parts in cases.items()]


def _numbered(scan: Scan) -> _Numbered | None:
    found = _CHANNEL.fullmatch(scan.stem)
    if found is None or scan.series is not None:
        return None
    return _Numbered(found[1], int(found[2]), scan)


def _one_scan(stem: str, parts: list[_Numbered]) -> Scan:
    parts = sorted(parts, key=lambda part: part.number)
    return Scan(stem, tuple(file for part in parts for file in part.scan.files))
