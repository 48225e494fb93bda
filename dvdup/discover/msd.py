"""Medical Segmentation Decathlon and nnU-Net folders: imagesTr, imagesTs, dataset.json.

The folders say the split; where `dataset.json` lists images under `training`, `validation` or
`test`, the list goes before the folder. A file in a folder that no list names is a case all the
same: what lies beside the listed data can leak as well. nnU-Net keeps one file a channel
(`case_0000.nii.gz`, `case_0001.nii.gz`): where dataset.json counts channels as nnU-Net does they
are one case; without that, four digits are a number like any other and every file is a scan. Its
`dataset` names the images of training cases that lie elsewhere. With `dataset.folds` the training
cases are dealt into the folds of nnU-Net (`folds`).

Source: http://medicaldecathlon.com (dataset.json), nnU-Net documentation/dataset_format.md.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dvdup.config import DatasetConfig
from dvdup.discover import documents, folds
from dvdup.discover.cases import Split, make_case
from dvdup.discover.folders import leave_rest
from dvdup.discover.folds import Folds
from dvdup.discover.names import clean, nfc, shown
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


def recognises(search: Search, top: str) -> DatasetConfig | None:
    """The settings that describe a folder that is laid out so; None if it is not."""
    return DatasetConfig(layout="msd", folds=folds.detected(top)) if _is_msd(top) else None


def _is_msd(top: str) -> bool:
    paths = [os.path.join(top, name) for name in FOLDERS]
    if any(is_folder(path) or _stands_for(path) for path in paths):
        return True
    try:
        file = os.path.join(top, LIST_NAME)
        values = documents.load(file, LIST_NAME) if os.path.isfile(file) else {}
        return bool(_mapped(values)) or _n_channels(values) > 0
    except ConfigError:
        return False


def _stands_for(path: str) -> bool:
    """Whether there is something in the place of a folder: a DVC pointer, a link to nowhere."""
    return os.path.islink(path) or is_absent(Path(path))


def find(search: Search, dataset: DatasetConfig) -> list[Split]:
    """Find the cases of the image folders, and of what dataset.json names elsewhere.

    Raises:
        ConfigError: None of the folders is there, or a file beside them cannot be used.
        InputError: A folder cannot be read.
    """
    top = search.path(dataset.path)
    if not _is_msd(top):
        raise ConfigError(
            f"{shown(search.name(top))} has no {', '.join(FOLDERS)}; correct dataset.path, or set "
            "dataset.layout to another one"
        )
    leave_rest(search, top, {os.path.join(top, folder) for folder in FOLDERS})
    listed = _Lists(search, top)
    splits: dict[str, Split] = {}
    for split, where, scans in _found(search, top, listed):
        target = splits.setdefault(split, Split(split, where))
        target.cases.extend(make_case(dataset, split, scan) for scan in scans)
    if not dataset.exclude and dataset.folds is None:
        listed.demand_count(splits.get("train"))
    if dataset.folds is not None:
        file = search.path(top, dataset.folds)
        return _in_folds(search, dataset, folds.read(search, file), splits, listed)
    return list(splits.values())


def _found(search: Search, top: str, listed: _Lists) -> Iterator[tuple[str, str, Sequence[Scan]]]:
    """(split, where, scans) of every folder, and of what is listed and lies elsewhere."""
    for scan in listed.elsewhere(search, top):
        yield "train", f"{LIST_NAME} names it in dataset", [scan]
    for folder, split in FOLDERS.items():
        path = os.path.join(top, folder)
        where = f"folder {shown(search.name(path))}"
        if is_folder(path):
            yield split, where, []
            for scan in _joined(search.scans(path), listed.channels):
                if not listed.has(scan):
                    for name in listed.take(scan) or (split,):
                        yield name, f"{LIST_NAME} lists it as {name}", [scan]
        elif _stands_for(path):
            yield split, where, [Scan(folder, (search.name(path),))]
    for file, names in listed.rest(search).items():
        for name in names:
            scan = search.file(search.path(file), top)
            yield name, f"{LIST_NAME} lists it as {name}", [scan]


def _in_folds(
    search: Search,
    dataset: DatasetConfig,
    found: Folds,
    splits: Mapping[str, Split],
    listed: _Lists,
) -> list[Split]:
    """The cases for training by the folds that they validate; those of other splits stay."""
    where = f"folds of {shown(dataset.folds or '')}"
    dealt: dict[str, Split] = {}
    missing = dict(found.of)
    for case in (case for split in splits.values() for case in split.cases):
        name = case.case_id.rpartition("/")[2]
        own = missing.pop(name, None) if case.split in ("train", "val") else None
        for split in own or (case.split,):
            target = dealt.setdefault(split, Split(split, where))
            target.cases.append(dataclasses.replace(case, split=split))
    for name, own in missing.items():
        scan = Scan(name, (listed.file_of(search, name),))
        for split in own:
            case = make_case(dataset, split, scan)
            dealt.setdefault(split, Split(split, where)).cases.append(case)
    return list(dealt.values())


def notes(search: Search, dataset: DatasetConfig) -> list[str]:
    """Say which folds are used, or why none are."""
    top = search.path(dataset.path)
    if dataset.folds is not None:
        found = folds.read(search, search.path(top, dataset.folds))
        n, how = "1 fold", "its lists are train and val"
        if found.n > 1:
            n, how = f"{found.n} folds", "a case is in the split of the fold that it validates"
        return [f"{shown(dataset.folds)}: {n} of {len(found.of)} cases; {how}"]
    if folds.has_pickle(top):
        return [
            "splits_final.pkl is not read, as a pickle can run code; nnU-Net v2 writes "
            "splits_final.json"
        ]
    return []


class _Lists:
    """What dataset.json says, if there is one."""

    def __init__(self, search: Search, top: str) -> None:
        self._of: dict[str, tuple[str, ...]] = {}
        """File -> the splits that list it."""
        self._taken: set[str] = set()
        file = os.path.join(top, LIST_NAME)
        values = documents.load(file, search.name(file)) if os.path.lexists(file) else {}
        self.channels = _n_channels(values) or _n_channels_of_v1(search, top, values)
        """Files a case as nnU-Net names them; 0 where each file is a case under its own name."""
        self._counted = values.get("numTraining")
        self._mapped, self._folder = _mapped(values), os.path.join(top, "imagesTr")
        self._ending = str(values.get("file_ending") or ".nii.gz")
        self._elsewhere: set[str] = set()
        for key, split in _LISTS.items():
            for entry in _images(values.get(key)):
                name = search.name(search.path(top, entry))
                self._of[name] = tuple(dict.fromkeys((*self._of.get(name, ()), split)))

    def elsewhere(self, search: Search, top: str) -> Iterator[Scan]:
        """The cases that `dataset` names, with their files, there or not."""
        for case, images in self._mapped.items():
            files = tuple(search.name(search.path(top, _expanded(image))) for image in images)
            self._elsewhere.update(files)
            if reason := search.rules.named_file_out(files[0]):
                search.leave_out(files[0], reason)
            else:
                yield Scan(nfc(clean(case)), files)

    def has(self, scan: Scan) -> bool:
        """Whether a scan is one that `dataset` names."""
        return set(scan.files) <= self._elsewhere

    def file_of(self, search: Search, case: str) -> str:
        """The file that a training case should have, as in `Case.files`."""
        channel = "_0000" if self.channels else ""
        return search.name(os.path.join(self._folder, f"{clean(case)}{channel}{self._ending}"))

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


def _n_channels(values: dict[str, Any]) -> int:
    """nnU-Net counts channels in `channel_names` and writes one file for each; 0 without it."""
    names = values.get("channel_names")
    return len(names) if isinstance(names, dict) else 0


def _n_channels_of_v1(search: Search, top: str, values: dict[str, Any]) -> int:
    """nnU-Net v1 counts them in `modality`, as the Decathlon does, but lists cases, not files."""
    names = values.get("modality")
    first = next(_images(values.get("training")), None)
    if not isinstance(names, dict) or first is None:
        return 0
    path = search.path(top, first)
    own = search.formats.case_name(os.path.basename(path))
    channel = os.path.join(os.path.dirname(path), f"{own}_0000{os.path.basename(path)[len(own) :]}")
    return len(names) if os.path.lexists(channel) and not os.path.lexists(path) else 0


def _expanded(path: str) -> str:
    """A path with the folders of nnU-Net in it; no other variable is anybody's business."""
    return re.sub(r"\$\{?(nnUNet_\w+)\}?", lambda name: os.environ.get(name[1], name[0]), path)


def _mapped(values: dict[str, Any]) -> dict[str, list[str]]:
    """The images that `dataset` of nnU-Net v2 names for each case."""
    found = values.get("dataset")
    return {
        case: images
        for case, entry in (found.items() if isinstance(found, dict) else ())
        if isinstance(entry, dict) and (images := list(_images([{"image": entry.get("images")}])))
    }


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
