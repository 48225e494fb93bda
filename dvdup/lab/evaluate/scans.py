"""Scans in memory: read once, edited often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dvdup import edits, hashing, readers, slicing, voxels
from dvdup.records import Case

UNEDITED = "none"
"""Name of the edit that does nothing, and of its level."""


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """The voting channels of a scan."""

    case_id: str
    channels: tuple[np.ndarray, ...]
    """float32 (X, Y, Z) each, RAS+ order."""
    numbers: tuple[int, ...]
    """The number of each channel in the file."""
    spacing: tuple[float, float, float]
    """mm along X, Y, Z."""
    modality: str = ""

    def edited(self, name: str, level: str) -> Scan:
        """The scan with all its channels edited alike."""
        if name == UNEDITED:
            return self
        done = [
            edits.apply(name, level, values, self.spacing, self.case_id) for values in self.channels
        ]
        return Scan(
            self.case_id,
            tuple(each.values for each in done),
            self.numbers,
            done[0].spacing,
            # grey levels of an exported window, inverted or with a wrong sign, are no HU any more
            "" if _leaves_units(done[0]) else self.modality,
        )


def _leaves_units(done: edits.Edited) -> bool:
    return any(each["name"] in {"window", "invert", "signs"} for each in done.truth["edits"])


@dataclass(frozen=True, slots=True)
class Content:
    """What a scan holds, in hashes."""

    key: str
    """Changes with anything that changes its slices or its edits."""
    voxel_hashes: tuple[str, ...]


def read_scan(root: Path, case: Case) -> Scan:
    """Read a case.

    Raises:
        ReadError: It cannot be read.
    """
    volume = readers.read_volume(root, case)
    numbers = slicing.channels_to_slice(volume)
    return Scan(
        case.case_id,
        tuple(voxels.channel_values(volume, number) for number in numbers),
        numbers,
        volume.spacing,
        volume.modality,
    )


def content_of(scan: Scan) -> Content:
    """Hash a scan."""
    hashes = [hashing.hash_channel(values) for values in scan.channels]
    return Content(
        hashing.content_key([each.digest for each in hashes], scan.spacing, scan.modality),
        tuple(each.voxel_hash for each in hashes if each.voxel_hash is not None),
    )


def copies(contents: Sequence[Content]) -> np.ndarray:
    """Bool (N, N): whether two scans share the voxels of a channel; each is its own copy."""
    holders: dict[str, list[int]] = {}
    for code, content in enumerate(contents):
        for digest in content.voxel_hashes:
            holders.setdefault(digest, []).append(code)
    same = np.eye(len(contents), dtype=bool)
    for codes in holders.values():
        same[np.ix_(codes, codes)] = True
    return same
