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
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dvdup.config import DatasetConfig
from dvdup.discover.cases import Split, make_case
from dvdup.discover.names import shown
from dvdup.discover.search import Scan, Search, is_folder
from dvdup.errors import ConfigError
from dvdup.pointers import is_absent

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
    paths = [os.path.join(top, name) for name in FOLDERS]
    return any(is_folder(path) or _stands_for(path) for path in paths)


def _stands_for(path: str) -> bool:
    """Whether there is something in the place of a folder: a DVC pointer, a link to nowhere."""
    return os.path.islink(path) or is_absent(Path(path))


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

    def add(split: str, scan: Scan, where: str) -> None:
        target = splits.setdefault(split, Split(split, where))
        target.cases.append(make_case(dataset, split, scan))

    for folder, split in FOLDERS.items():
        path = os.path.join(top, folder)
        where = f"folder {shown(search.name(path))}"
        if is_folder(path):
            splits.setdefault(split, Split(split, where))
        elif _stands_for(path):
            add(split, Scan(folder, (search.name(path),)), where)
            continue
        else:
            continue
        for scan in _joined(search.scans(path), listed.channels):
            for name in listed.take(scan) or (split,):
                add(name, scan, f"{LIST_NAME} lists it as {name}" if name != split else where)
    for file, names in listed.rest(search).items():
        for name in names:
            add(name, search.file(search.path(file), top), f"{LIST_NAME} lists it as {name}")
    if not dataset.exclude:
        listed.demand_count(splits.get("train"))
    return list(splits.values())


class _Lists:
    """What dataset.json says, if there is one."""

    def __init__(self, search: Search, top: str) -> None:
        self._of: dict[str, tuple[str, ...]] = {}
        """File -> the splits that list it."""
        self._taken: set[str] = set()
        file = os.path.join(top, LIST_NAME)
        values = load(file, search.name(file)) if os.path.lexists(file) else {}
        self.channels = _n_channels(values)
        """Files a case as nnU-Net names them; 0 where each file is a case under its own name."""
        self._counted = values.get("numTraining")
        for key, split in _LISTS.items():
            for entry in _images(values.get(key)):
                name = search.name(search.path(top, entry))
                self._of[name] = tuple(dict.fromkeys((*self._of.get(name, ()), split)))

    def demand_count(self, train: Split | None) -> None:
        """Refuse an nnU-Net folder with fewer cases than dataset.json counts, as nnU-Net does.

        Raises:
            ConfigError: `numTraining` is higher than the number of training cases.
        """
        n_cases = 0 if train is None else len({case.case_id for case in train.cases})
        if self.channels and isinstance(self._counted, int) and self._counted > n_cases:
            raise ConfigError(
                f"{LIST_NAME} says numTraining {self._counted}, but there are {n_cases} training "
                f"cases; bring the missing ones, or correct {LIST_NAME}"
            )

    def take(self, scan: Scan) -> tuple[str, ...]:
        """The splits that list a scan, under its name or, in nnU-Net, that of its case."""
        first = scan.files[0]
        names = [first]
        found = _CHANNEL.match(first) if self.channels else None
        if found is not None:
            names.append(first[: found.end(1)] + first[found.end() :])
        self._taken.update(names)
        return next((self._of[name] for name in names if name in self._of), ())

    def rest(self, search: Search) -> dict[str, tuple[str, ...]]:
        """Files that are listed and were not found in the folders, and their splits."""
        rest = {}
        for name, splits in self._of.items():
            if name in self._taken or name in search.ignored:
                continue
            if reason := search.rules.named_file_out(name):
                search.leave_out(name, reason)
            else:
                rest[name] = splits
        return rest


def load(file: str, name: str) -> dict[str, Any]:
    """What a `dataset.json` holds.

    Args:
        file: On this machine.
        name: As in messages.

    Raises:
        ConfigError: It cannot be read, or is no JSON object.
    """
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
        files = (file for n in range(n_channels) for file in _channel_files(stem, channels, n))
        joined.append(Scan(stem, tuple(files)))
    return joined


def _channel_files(stem: str, channels: Mapping[int, Scan], number: int) -> tuple[str, ...]:
    """The files of a channel; if it is not there, the name that it should have."""
    if number in channels:
        return channels[number].files
    like, scan = next(iter(channels.items()))
    folder, slash, base = scan.files[0].rpartition("/")
    name = os.path.basename(stem)
    suffix = base[len(f"{name}_{like:04}") :]
    return (f"{folder}{slash}{name}_{number:04}{suffix}",)
