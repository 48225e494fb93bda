"""Pairs that value hashes nominate: the same voxels in another arrangement, or some slices of them.

Whatever candidates the rows of two cases make them, cases that have a value hash in common are
compared: whole scans (another order of axes, another shape), slices cut out of a volume, stacks put
together again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from dvdup.records import IndexedCase, Key, Pair
from dvdup.voxels import is_flat

_MOST = 8  # cases that may have a slice in common before it says nothing: an empty one, a test card
_SLICES = 3  # that two volumes have in common; a picture has one


def sharing_values(a: Sequence[IndexedCase], b: Sequence[IndexedCase]) -> set[Pair]:
    """Pairs of voting cases with equal values, or enough equal slices.

    Args:
        a: Cases of the first side.
        b: Cases of the second side; the same sequence for one side with itself.

    Returns:
        (key of a, key of b); within one side the smaller key first.
    """
    pairs = _of_equal_scans(a, b) | _of_equal_slices(a, b)
    if a is b:
        return {(one, other) for one, other in pairs if one < other}
    return pairs


def sharing_images(
    a: Sequence[IndexedCase], b: Sequence[IndexedCase]
) -> dict[Pair, tuple[int, int]]:
    """Pairs of cases with a SOPInstanceUID in common, which names one image in all the world.

    Args:
        a: Cases of the first side.
        b: Cases of the second side; the same sequence for one side with itself.

    Returns:
        (key of a, key of b) -> how many images both have, and how many the one with more has. A
        UID that many cases have is a placeholder, and counts for none of them.
    """
    counts = _shared(_images(a), _images(b))
    return {
        (a[i].key, b[k].key): (n, max(len(a[i].instances), len(b[k].instances)) // 8)
        for (i, k), n in sorted(counts.items())
        if a[i].key != b[k].key and not (a is b and a[i].key > b[k].key)
    }


def _shared(
    ours: tuple[np.ndarray, np.ndarray], theirs: tuple[np.ndarray, np.ndarray]
) -> Counter[tuple[int, int]]:
    """How many hashes two cases share, by their places; what many cases have tells none apart."""
    shared = np.intersect1d(ours[0], theirs[0])
    counts: Counter[tuple[int, int]] = Counter()
    for mine, others in zip(_holders(ours, shared), _holders(theirs, shared), strict=True):
        if len(mine) <= _MOST and len(others) <= _MOST:
            counts.update((i, k) for i in mine for k in others)
    return counts


def _images(cases: Sequence[IndexedCase]) -> tuple[np.ndarray, np.ndarray]:
    return _sorted([np.frombuffer(case.instances, "<u8") for case in cases])


def _of_equal_scans(a: Sequence[IndexedCase], b: Sequence[IndexedCase]) -> set[Pair]:
    holders: dict[str, list[Key]] = {}
    for case in b:
        for each in {*case.value_hashes} - {""}:
            holders.setdefault(each, []).append(case.key)
    return {
        (case.key, other)
        for case in a
        for each in {*case.value_hashes} - {""}
        for other in holders.get(each, ())
    }


def _of_equal_slices(a: Sequence[IndexedCase], b: Sequence[IndexedCase]) -> set[Pair]:
    counts = _shared(_slices(a), _slices(b))
    return {
        (a[i].key, b[k].key)
        for (i, k), n in counts.items()
        if n >= (1 if is_flat(a[i].shape) or is_flat(b[k].shape) else _SLICES)
    }


def _slices(cases: Sequence[IndexedCase]) -> tuple[np.ndarray, np.ndarray]:
    """The slice hashes of all cases, sorted, without those of constant slices, and their cases."""
    return _sorted([np.frombuffer(case.slice_hashes, "<u8") for case in cases])


def _sorted(parts: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The hashes of all cases, sorted, without those that are 0, and whose they are."""
    hashes = np.concatenate([*parts, np.zeros(0, np.uint64)])
    codes = np.repeat(np.arange(len(parts)), [len(each) for each in parts])
    hashes, codes = hashes[hashes != 0], codes[hashes != 0]
    order = np.argsort(hashes, kind="stable")
    return hashes[order], codes[order]


def _holders(slices: tuple[np.ndarray, np.ndarray], wanted: np.ndarray) -> list[list[int]]:
    """For each hash the cases that have it, each once."""
    hashes, codes = slices
    starts, stops = np.searchsorted(hashes, wanted), np.searchsorted(hashes, wanted, "right")
    return [
        sorted(set(codes[start:stop].tolist()))
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)
    ]
