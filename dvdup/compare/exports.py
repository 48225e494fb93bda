"""Cases that were exported elsewhere, as one side of a comparison.

An export holds neither files nor names. Its hashes are keyed: they are compared with those of the
other side once these have gone through the same key. Without small copies no voxels can be
compared; then rows decide, and hashes of values where both sides have the key.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dvdup.compare.cases import CaseSet
from dvdup.compare.match import Side
from dvdup.compare.memory import EmbeddedScan, MemoryCases
from dvdup.compare.nominated import sharing_values
from dvdup.hashing import seal
from dvdup.records import (
    EQUAL_SLICES,
    EQUAL_VALUES,
    Embedded,
    IndexedCase,
    Key,
    Pair,
    PairResult,
)
from dvdup.store import SharedCase
from dvdup.voxels import is_flat

_LEAST = 0.25  # of the slices of the smaller scan, that make it a part of the other


def keyed(case: IndexedCase, key: bytes | None) -> IndexedCase:
    """A case whose hashes can be compared by whoever has the key, and tell others nothing.

    Args:
        case: With the hashes of its voxels and values.
        key: The key; None: no hashes are left but the content, by which the copies that one
            export holds are equal to one another, and to nothing else.
    """
    if key is None:
        own = (f"{case.split}/{case.content}",) if case.content else ()
        return dataclasses.replace(case, voxel_hashes=own, value_hashes=(), slice_hashes=b"")
    return dataclasses.replace(
        case,
        voxel_hashes=tuple(seal(key, "voxels", each.encode()) for each in case.voxel_hashes),
        value_hashes=tuple(
            each and seal(key, "values", each.encode())[:16] for each in case.value_hashes
        ),
        slice_hashes=_keyed_slices(np.frombuffer(case.slice_hashes, "<u8"), key),
    )


def _keyed_slices(hashes: np.ndarray, key: bytes) -> bytes:
    """uint64 (N,), little-endian; 0, of constant slices, stays 0."""
    found = [
        int(seal(key, "slice", each.to_bytes(8, "little"))[:16], 16) if each else 0
        for each in hashes.tolist()
    ]
    return np.array(found, "<u8").tobytes()


@dataclass(frozen=True, eq=False)
class KeyedCases:
    """One side of a comparison with an export: the same cases, with keyed hashes."""

    inner: CaseSet
    key: bytes | None
    """None: their hashes are not compared."""

    @functools.cached_property
    def _by_key(self) -> dict[Key, IndexedCase]:
        return {case.key: keyed(case, self.key) for case in self.inner.cases}

    @property
    def cases(self) -> Sequence[IndexedCase]:
        """All its cases, sorted."""
        return list(self._by_key.values())

    @property
    def lasting(self) -> bool:
        """As the cases themselves."""
        return self.inner.lasting

    @functools.cached_property
    def voting(self) -> Sequence[IndexedCase]:
        """One case of every content that has slices."""
        return [self._by_key[case.key] for case in self.inner.voting]

    @property
    def copies(self) -> Mapping[Key, Sequence[Key]]:
        """As of the cases themselves."""
        return self.inner.copies

    def side(self) -> Side:
        """Its voting cases, ready to be matched."""
        return self.inner.side()

    def case(self, key: Key) -> IndexedCase:
        """One of its cases."""
        return self._by_key[key]

    def proxied(self, keys: Sequence[Key]) -> dict[Key, IndexedCase]:
        """Some of its cases, with their proxies."""
        return {key: keyed(case, self.key) for key, case in self.inner.proxied(keys).items()}

    def rows(self, key: Key) -> Embedded:
        """The slice rows of one of them."""
        return self.inner.rows(key)


def exported_cases(name: str, cases: Sequence[SharedCase]) -> MemoryCases:
    """The cases of an export as a side.

    Args:
        name: What stands for their split.
        cases: As `store.read_export` gives them.
    """
    return MemoryCases(
        [EmbeddedScan(dataclasses.replace(case, split=name), rows) for case, rows in cases]
    )


def told_by_hashes(a: CaseSet, b: CaseSet) -> dict[Pair, PairResult]:
    """What hashes of values say about pairs whose voxels cannot be had.

    Args:
        a: First side.
        b: Second side, with hashes of the same key; the same object for a side with itself.

    Returns:
        A copy each: the values of whole scans are the same, or those of enough slices.
    """
    ours, theirs = a.voting, a.voting if a is b else b.voting
    found: dict[Pair, PairResult] = {}
    for pair in sorted(sharing_values(ours, theirs)):
        one, other = a.case(pair[0]), b.case(pair[1])
        if {*one.value_hashes} & {*other.value_hashes} - {""}:
            found[pair] = PairResult("near", EQUAL_VALUES, True, 1.0)
        elif _share_slices(one, other):
            found[pair] = PairResult("partial", EQUAL_SLICES, True, 1.0)
    return found


def _share_slices(a: IndexedCase, b: IndexedCase) -> bool:
    """Whether so many slices are equal that it is no accident: of masks a few always are."""
    ours, theirs = (np.unique(np.frombuffer(case.slice_hashes, "<u8")) for case in (a, b))
    ours, theirs = ours[ours != 0], theirs[theirs != 0]
    if is_flat(a.shape) or is_flat(b.shape):
        return True  # a picture has the one slice that nominated it
    shared = len(np.intersect1d(ours, theirs))
    return shared >= _LEAST * min(len(ours), len(theirs))
