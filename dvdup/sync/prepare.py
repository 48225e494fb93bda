"""One case from disk to slices: runs in worker threads, knows no index and no embedder."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dvdup import hashing, readers, slicing, voxels
from dvdup.errors import ReadError
from dvdup.files import with_recorded
from dvdup.records import Case, FileStat, IndexedCase, SliceStack, Volume
from dvdup.slicing import Recipe


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A case that has been read, or could not be."""

    case: IndexedCase
    stack: SliceStack | None
    """Its voting slices; None if there are none (unreadable, or nothing informative in it)."""


def prepare(root: Path, case: Case, files: tuple[FileStat, ...], recipe: Recipe) -> Prepared:
    """Read, hash and slice one case; what goes wrong with it becomes its status.

    Args:
        root: Folder that the paths are relative to.
        case: What to read.
        files: Its files, hashed.
        recipe: How to slice.
    """
    row = row_of(case, files)
    try:
        with readers.nothing_escapes(case.files[0]):
            volume = readers.read_volume(root, case)
            return _from_volume(volume, row, recipe)
    except ReadError as error:
        return unreadable(dataclasses.replace(row, files=with_recorded(root, files)), str(error))


def row_of(case: Case, files: tuple[FileStat, ...]) -> IndexedCase:
    """The identity of a case as a row, before anything is known about its content."""
    return IndexedCase(
        split=case.split,
        case_id=case.case_id,
        files=files,
        group=case.group,
        origin=case.origin,
        series=case.series,
        instances=case.instances,
    )


def unreadable(row: IndexedCase, reason: str) -> Prepared:
    """A case that cannot be read."""
    return Prepared(dataclasses.replace(row, status="unreadable", reason=reason), None)


def _from_volume(volume: Volume, row: IndexedCase, recipe: Recipe) -> Prepared:
    hashes, sums, stacks, proxies = [], [], [], []
    voting = slicing.channels_to_slice(volume)
    for channel in range(len(volume.channels)):
        values = voxels.channel_values(volume, channel)
        hashes.append(hashing.hash_channel(values))
        sums.append(hashing.value_hashes(values))
        if channel in voting:
            proxies.append(voxels.proxy(values))
            stacks.append(
                slicing.slice_channel(
                    values, proxies[-1], volume.spacing, volume.modality, channel, recipe
                )
            )
    stack = slicing.concatenate(stacks)
    proxy, proxy_shape = voxels.packed(proxies)
    filled = dataclasses.replace(
        row,
        notes=(*volume.notes, *_vote_notes(len(volume.channels), len(voting))),
        content=hashing.content_key(
            [each.digest for each in hashes], volume.spacing, volume.modality
        ),
        voxel_hashes=tuple(each.voxel_hash for each in hashes if each.voxel_hash is not None),
        value_hashes=tuple(f"{each.whole:016x}" if each.whole else "" for each in sums),
        slice_hashes=np.concatenate(sums[voting[0]].slices).astype("<u8").tobytes(),
        n_channels=len(volume.channels),
        shape=volume.shape,
        spacing=volume.spacing,
        modality=volume.modality,
        proxy=proxy,
        proxy_shape=proxy_shape,
    )
    if len(stack) == 0:
        reason = (
            "no informative slice: every slice is empty or nearly constant; if that is right, "
            "leave the file out with dataset.exclude"
        )
        return Prepared(dataclasses.replace(filled, status="unchecked", reason=reason), None)
    return Prepared(filled, stack)


def _vote_notes(n_channels: int, n_voting: int) -> tuple[str, ...]:
    """How many of the volumes of a case can only be found by their voxel hash."""
    others = n_channels - n_voting
    if not others:
        return ()
    by_hash = f"the other {others} by their voxel hash only"
    if n_voting == 3:
        series = f"time series of {n_channels} volumes"
        return (f"{series}: the first, middle and last are compared, {by_hash}",)
    return (f"{n_channels} volumes that differ: {n_voting} of them are compared, {by_hash}",)
