"""Medical Segmentation Decathlon and nnU-Net folders: imagesTr, imagesTs, dataset.json.

The folders say the split; where `dataset.json` lists images under `training`, `validation` or
`test`, the list goes before the folder. A file in a folder that no list names is a case all the
same: what lies beside the listed data can leak as well. nnU-Net keeps one file a channel
(`case_0000.nii.gz`, `case_0001.nii.gz`): where dataset.json counts channels as nnU-Net does they
are one case; without that, four digits are a number like any other and every file is a scan.

Source: http://medicaldecathlon.com (dataset.json), nnU-Net documentation/dataset_format.md.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
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
        """Files a case as nnU-Net names them; 0 where each file is a case under its own name."""
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
    """nnU-Net counts channels in `channel_names` and writes one file for each; 0 without it."""
    names = values.get("channel_names")
    return len(names) if isinstance(names, dict) else 0


def _images(entries: Any) -> Iterator[str]:
    """The image paths of a list, whose entries are paths or `{"image": path, ...}`."""
    for entry in entries if isinstance(entries, list) else ():
        image = entry.get("image") if isinstance(entry, dict) else entry
        for one in image if isinstance(image, list) else (image,):
            if isinstance(one, str) and one:
                yield one


def _joined(scans: Sequence[Scan], n_channels: int) -> list[Scan]:
    """Put the channel files of a case together; what is not named as a channel stays as it is."""
    cases: dict[str, dict[int, Scan]] = {}
    joined = []
    for scan in scans:
        found = _CHANNEL.fullmatch(scan.stem) if scan.series is None else None
        if found is not None and int(found[2]) < n_channels:
            cases.setdefault(found[1], {})[int(found[2])] = scan
        else:
            joined.append(scan)
    for stem, channels in cases.items():
        files = tuple(file for number in sorted(channels) for file in channels[number].files)
        joined.append(Scan(stem, files))
    return joined
