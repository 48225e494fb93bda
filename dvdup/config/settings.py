"""The settings themselves: frozen dataclasses whose fields carry kind and meaning."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dvdup.config.kinds import (
    ARRAYS,
    BYTES,
    FAIL_ON,
    FLAG,
    GROUP,
    LOCAL,
    POSITIVE,
    RUNNER,
    SPLITS,
    TEXT,
    TEXTS,
    VERDICTS,
    Kind,
    choice,
    in_file,
    whole,
)

DEFAULT_EMBEDDER = "builtin"
LAYOUTS = (
    *("auto", "folders", "lists", "csv", "msd", "monai", "bids", "croissant", "dicom", "arrays"),
)


def _setting(default: Any, kind: Kind, meaning: str, example: Any = None) -> Any:
    """A field that is a setting; `example` is shown in files where the default is no value."""
    metadata = {"kind": kind, "help": meaning, "example": example}
    if isinstance(default, dict):
        return field(default_factory=dict, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class DatasetConfig:
    """Which files are cases, and of which split. Relative to the folder of the file."""

    layout: str = _setting("auto", choice(LAYOUTS), "how the dataset is laid out")
    path: str = _setting(".", TEXT, "folder of the dataset")
    csv: str | None = _setting(
        None, TEXT, "table with the path (or an id) and the split of each scan", "splits.csv"
    )
    json: str | None = _setting(
        None, TEXT, "MONAI datalist or Croissant file that lists the scans", "datalist.json"
    )
    folds: str | None = _setting(
        None, TEXT, "nnU-Net splits_final.json; a fold becomes a split", "splits_final.json"
    )
    include: tuple[str, ...] = _setting(
        (), TEXTS, "take these files only; patterns as in .gitignore", ("*.nii.gz",)
    )
    exclude: tuple[str, ...] = _setting(
        (), TEXTS, "leave these out; !PATTERN takes what looks like a label map", ("old/",)
    )
    group: str | None = _setting(
        None, GROUP, "finds the subject in the case id, else in the path", "(sub-[0-9]+)"
    )
    arrays: Mapping[str, tuple[str, ...]] = _setting(
        {}, ARRAYS, "files whose rows are cases each, as X_train.npy", ("X_*.npy", "chest.npz")
    )
    """By split; under "" those whose names say the split."""
    splits: Mapping[str, tuple[str, ...]] = _setting(
        {}, SPLITS, "split = folder, file, pattern or list of scans, below dataset.path"
    )


@dataclass(frozen=True, slots=True)
class ReadConfig:
    """How much a file may ask for: memory, and space where it is on an object store."""

    max_bytes: int | None = _setting(
        None,
        BYTES,
        "bytes of memory that a scan may take; by default a quarter of it",
        4_000_000_000,
    )
    cache_bytes: int = _setting(
        10_000_000_000, BYTES, "bytes of scans on object stores that are kept on this machine"
    )


@dataclass(frozen=True, slots=True)
class SlicingConfig:
    """How volumes are cut; None leaves it to the recipe. A change asks for `sync --rebuild`."""

    planes: tuple[str, ...] | None = _setting(
        None, TEXTS, "some of axial, coronal, sagittal", ("axial",)
    )
    spacing_mm: float | None = _setting(None, POSITIVE, "distance of the slices, mm", 3.0)
    max_slices: int | None = _setting(None, whole(1), "slices a channel at most", 300)


@dataclass(frozen=True, slots=True)
class ReportConfig:
    """What counts as failure."""

    fail_on: tuple[str, ...] = _setting(
        FAIL_ON, VERDICTS, "what makes the exit code 1; each names the stronger ones too"
    )
    """Spelled out: every name of `FAIL_ON` that makes the exit code 1, strongest first."""
    allow_unreadable: bool = _setting(
        False, FLAG, "do not fail because of cases that could not be checked"
    )
    within: bool = _setting(False, FLAG, "look for duplicates inside each split too")

    def fails(self, verdict: str, basis: str) -> bool:
        """Whether a finding of this verdict and basis makes the exit code 1."""
        return verdict in self.fail_on or f"{verdict}:{basis}" in self.fail_on


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """How often finished work is committed, and what is kept."""

    commit_rows: int = _setting(20_000, whole(1), "commit when so many slices have gathered")
    commit_seconds: float = _setting(30.0, POSITIVE, "or after so many seconds")
    proxies: bool = _setting(
        True, FLAG, "keep a small copy of each scan, which can show a face; else files are needed"
    )


@dataclass(frozen=True, slots=True)
class VerifyConfig:
    """Which pairs are compared by their voxels."""

    candidates: int = _setting(
        1,
        whole(0),
        "candidates of a case that are no copies before it is left; 0: compare no voxels",
    )
    exact_pairs: int = _setting(
        1_000_000_000,
        whole(0),
        "pairs of cases up to which candidates are searched exactly; beyond, from shortlists",
    )


@dataclass(frozen=True, slots=True)
class CalibrationConfig:
    """What `dvdup calibrate` found out; whole or not there at all."""

    threshold: float | None = _setting(
        None,
        in_file(POSITIVE),
        "strength from which a pair is a copy; all by `dvdup calibrate`",
    )
    budget: float | None = _setting(
        None, in_file(POSITIVE), "false alarms a query case that it allows; none: Youden"
    )
    embedder: str | None = _setting(None, in_file(TEXT), "embedder of the index it was fitted on")
    weights: str | None = _setting(None, in_file(TEXT), "hash of the weights of that embedder")
    recipe: str | None = _setting(None, in_file(TEXT), "hash of the slicing recipe of that index")
    strength: int | None = _setting(None, in_file(whole(1)), "version of the scale of strengths")
    candidates: int | None = _setting(
        None, in_file(whole(1)), "`verify.candidates` when it was fitted"
    )
    cases: int | None = _setting(None, in_file(whole(1)), "cases of that index")
    null_cases: int | None = _setting(None, in_file(whole(1)), "cases it was fitted on")

    @property
    def missing(self) -> tuple[str, ...]:
        """Keys that a calibration must have and this one has not; all of them if there is none."""
        optional = ("budget", "weights")
        names = (item.name for item in dataclasses.fields(self) if item.name not in optional)
        return tuple(name for name in names if getattr(self, name) is None)


@dataclass(frozen=True, slots=True)
class Config:
    """All settings of one command."""

    root: Path
    """Absolute: the folder of the configuration file, else the working folder."""
    file: Path | None
    """The configuration file, None if there is none."""
    declares: bool = False
    """Whether that file sets more than a calibration, which alone declares no dataset."""
    index: str = _setting(".dvdup", TEXT, "index folder, or s3://, gs://, az://bucket/folder")
    """Relative to `root`; absolute if it lies outside; or the address of one elsewhere."""
    embedder: str = _setting(DEFAULT_EMBEDDER, TEXT, "name of the embedder, see `dvdup models`")
    device: str = _setting("auto", TEXT, "auto, cpu, cuda, cuda:1 or mps")
    batch: int | None = _setting(None, whole(1), "slices embedded at a time", 64)
    jobs: int = _setting(0, whole(0), "scans read or compared at a time; 0: one a core")
    runner: str = _setting(LOCAL, RUNNER, "who does the work: local, ray or ray://host:port")
    """Beside reading the index and writing it, which the command does itself."""
    offline: bool = _setting(False, FLAG, "never use the network")
    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    read: ReadConfig = field(default_factory=ReadConfig)
    slicing: SlicingConfig = field(default_factory=SlicingConfig)
    verify: VerifyConfig = field(default_factory=VerifyConfig)
    report: ReportConfig = field(default_factory=ReportConfig)
    store: StoreConfig = field(default_factory=StoreConfig)
    calibration: CalibrationConfig = field(default_factory=CalibrationConfig)


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of `settings_table`."""

    key: str
    """Dotted, as in `report.fail_on`."""
    variable: str
    """`DVDUP_...`, or "" if it can stand in a file only."""
    kind: Kind
    """What it takes."""
    default: Any
    example: Any
    """A value to show where the default is none or empty."""
    meaning: str


def settings_table() -> list[Setting]:
    """Every setting, in the order of the file."""
    return list(_settings_of(Config))


def _settings_of(cls: Any, prefix: str = "") -> Iterator[Setting]:
    for item in dataclasses.fields(cls):
        key = prefix + item.name
        if "kind" in item.metadata:
            kind: Kind = item.metadata["kind"]
            yield Setting(
                key=key,
                variable=_variable(key) if kind.from_text else "",
                kind=kind,
                default={} if item.default is dataclasses.MISSING else item.default,
                example=item.metadata["example"],
                meaning=item.metadata["help"],
            )
        elif dataclasses.is_dataclass(item.default_factory):
            yield from _settings_of(item.default_factory, f"{key}.")


def _variable(key: str) -> str:
    """As the flag, so without `report.`; settings without a flag by their whole key."""
    return "DVDUP_" + key.removeprefix("report.").replace(".", "_").upper()


def build(cls: Any, values: Mapping[str, object], prefix: str = "", **more: object) -> Any:
    """Make a settings dataclass out of parsed values by dotted key; the rest by default."""
    for item in dataclasses.fields(cls):
        key = prefix + item.name
        if key in values:
            more[item.name] = values[key]
        elif dataclasses.is_dataclass(item.default_factory):
            more[item.name] = build(item.default_factory, values, f"{key}.")
    return cls(**more)
