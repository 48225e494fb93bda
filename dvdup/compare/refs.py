"""What the user compares: a ref (`train`, `train@v1`) becomes the cases of a version."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dvdup import store
from dvdup.compare.match import Block, Side
from dvdup.errors import InputError
from dvdup.records import EVERY_SPLIT, Embedded, IndexedCase, Key, RefInfo
from dvdup.store import Index

SPLIT_ORDER = ("train", "val", "test")
"""Splits of these names come in this order, others behind them by name."""


@dataclass(frozen=True, eq=False)
class Ref:
    """The cases of one split at one version."""

    info: RefInfo
    cases: tuple[IndexedCase, ...]
    """Sorted by (split, case_id)."""
    index: Index

    @property
    def lasting(self) -> bool:
        """They are cases of the index."""
        return True

    @functools.cached_property
    def voting(self) -> tuple[IndexedCase, ...]:
        """One case of every content that has voting slices: copies are scored once."""
        first: dict[str, IndexedCase] = {}
        for case in self.cases:
            if case.n_slices:
                first.setdefault(case.content, case)
        return tuple(first.values())

    @functools.cached_property
    def copies(self) -> dict[Key, list[Key]]:
        """Key of a voting case -> the keys of all cases of its content."""
        keys: dict[str, list[Key]] = {}
        for case in self.cases:
            keys.setdefault(case.content, []).append(case.key)
        return {case.key: keys[case.content] for case in self.voting}

    @functools.cached_property
    def _by_key(self) -> dict[Key, IndexedCase]:
        return {case.key: case for case in self.voting}

    def case(self, key: Key) -> IndexedCase:
        """A voting case."""
        return self._by_key[key]

    def proxied(self, keys: Sequence[Key]) -> dict[Key, IndexedCase]:
        """Some voting cases with their proxies."""
        return {case.key: case for case in self.index.with_proxies(keys)}

    def rows(self, key: Key) -> Embedded:
        """The slice rows of a voting case."""
        return self.index.rows_of(*key, self._by_key[key].content)

    def side(self) -> Side:
        """Its voting cases, ready to be matched."""
        return Side(
            keys=tuple(case.key for case in self.voting),
            n_slices=tuple(case.n_slices for case in self.voting),
            blocks=self._blocks,
        )

    def _blocks(self, codes: Sequence[int]) -> Iterator[Block]:
        chosen = np.asarray(codes, dtype=np.int32)
        for block in self.index.blocks([self.voting[code] for code in codes]):
            yield block.embedding, chosen[block.case], block.channel


def find_ref(index: Index, text: str) -> Ref:
    """Resolve `split` or `split@version-or-tag`.

    Raises:
        InputError: There is no such split, tag or version; the message lists those there are.
    """
    split, at, version = text.partition("@")
    if at and not version:
        raise InputError(f"{text!r} names no version; write {split}@TAG, see `dvdup log`")
    looked_at = index.at(store.resolve(index, version)) if version else index
    return _of_split(looked_at, split, text)


def find_case(index: Index, text: str) -> tuple[Index, IndexedCase]:
    """Resolve `split/case` or `split@version-or-tag/case`.

    Returns:
        The index at that version, and the case without its proxy.

    Raises:
        InputError: There is no such split, tag, version or case; the message names near ones.
    """
    split, _, case_id = text.partition("/")
    ref = find_ref(index, split)
    found = next((case for case in ref.cases if case.case_id == case_id), None)
    if found is None:
        near = difflib.get_close_matches(case_id, [case.case_id for case in ref.cases], 3)
        said = f"did you mean {' or '.join(f'{split}/{name}' for name in near)}?"
        few = f"it has {len(ref.cases)}, such as {split}/{ref.cases[0].case_id}"
        raise InputError(f"no case {case_id!r} in {split}; {said if near else few}")
    return ref.index, found


def all_refs(index: Index) -> list[Ref]:
    """Every split as it is now, train before val before test before others."""
    names = {case.split for case in index.cases}
    return [_of_split(index, name, name) for name in sorted(names, key=split_order)]


def whole(index: Index) -> Ref:
    """Every case of every split as one side."""
    return Ref(RefInfo("index", "", len(index.cases)), index.cases, index)


def at_version(index: Index, text: str) -> Ref | None:
    """Every case of a version as one side; None if the text names a split of the index.

    Args:
        index: The newest version.
        text: A tag or a version number; "@v1" where a split is called as the tag is.

    Raises:
        InputError: There is no such version.
    """
    splits = {case.split for case in index.cases}
    known = text in store.tags(index) or text.isdecimal()
    if not text.startswith("@") and (text in splits or not known):
        return None
    name = text.removeprefix("@")
    then = index.at(store.resolve(index, name))
    return Ref(RefInfo(name, EVERY_SPLIT, len(then.cases)), then.cases, then)


def as_now(index: Index, ref: Ref) -> Ref:
    """What a ref of an earlier version is now.

    Raises:
        InputError: Its split is not there any more.
    """
    if ref.info.split != EVERY_SPLIT:
        return find_ref(index, ref.info.split)
    return Ref(RefInfo("now", EVERY_SPLIT, len(index.cases)), index.cases, index)


def split_order(name: str) -> tuple[int, str]:
    """Sort key of splits."""
    known = name in SPLIT_ORDER
    return (SPLIT_ORDER.index(name) if known else len(SPLIT_ORDER), name)


def _of_split(index: Index, split: str, text: str) -> Ref:
    cases = tuple(case for case in index.cases if case.split == split)
    if not cases:
        names = sorted({case.split for case in index.cases}, key=split_order)
        there = f"there are {', '.join(names)}" if names else "the index is empty"
        where = f" at {text.partition('@')[2]}" if "@" in text else ""
        raise InputError(f"no split {split!r} in the index{where}; {there}")
    return Ref(RefInfo(text, split, len(cases)), cases, index)
