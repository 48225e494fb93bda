"""What is about to leave the index: a drive that is not there must not pass for a clean dataset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dvdup import files
from dvdup.errors import InputError, ReadError
from dvdup.records import Case, IndexedCase, Key, Say
from dvdup.sync.plan import Plan


def tell(
    root: Path,
    todo: Plan,
    declared: Sequence[Case],
    indexed: Mapping[Key, IndexedCase],
    say: Say,
) -> None:
    """Tell which splits, or parts of them, are about to leave the index.

    Args:
        root: What paths are relative to.
        todo: What a sync is about to do.
        declared: The cases of the dataset as it is now.
        indexed: Those of the index.
        say: Called with a line for each split that loses cases without being refused.

    Raises:
        InputError: A split is not declared any more, none of its files is there, and it has not
            been renamed.
    """
    splits = {case.split for case in declared}
    vanished: dict[str, list[IndexedCase]] = {}
    for key in sorted(todo.vanished):
        vanished.setdefault(key[0], []).append(indexed[key])
    for split, cases in vanished.items():
        gone = [case for case in cases if files.all_missing(root, case.paths)]
        if split not in splits and len(gone) == len(cases):
            _demand_renamed(root, cases, todo, indexed)
        elif split not in splits:
            say(
                f"note: {split} is no part of the dataset any more, by its declaration: "
                f"{_counted(cases)} that the index knew will not be checked"
            )
        else:
            came = sum(case.split == split and case.key not in indexed for case in declared)
            n_before = sum(key[0] == split for key in indexed)
            if came < len(gone):
                _tell_gone(root, gone, n_before, say)


def _demand_renamed(
    root: Path, cases: Sequence[IndexedCase], todo: Plan, indexed: Mapping[Key, IndexedCase]
) -> None:
    """Cases of a split that is new may be those of one that went; their bytes prove it."""
    known = {split for split, _ in indexed}
    new = [case for case in todo.pending if case.split not in known]
    left = _bytes_of(cases)
    recent = files.Recent()
    came = {digest for case in new for digest in _hashed(root, case, recent)}
    if 2 * sum(digests <= came for digests in left) > len(cases):
        return
    raise InputError(
        f"{cases[0].split} was in the index with {_counted(cases)}, and none of the files is there "
        f"any more, such as {cases[0].paths[0]}; bring them back, or take the split out of the "
        f"index with `dvdup rm '{cases[0].split}/*'` (`dvdup sync --rebuild` makes it all anew)"
    )


def _bytes_of(cases: Sequence[IndexedCase]) -> list[set[str]]:
    hashed = [{stat.file_hash for stat in case.files} for case in cases]
    return [digests for digests in hashed if "" not in digests]


def _hashed(root: Path, case: Case, recent: files.Recent) -> Iterator[str]:
    stats = files.stat_files(root, case.files)
    try:
        yield from (stat.file_hash for stat in files.hash_files(root, stats or (), recent))
    except ReadError:  # the sync has the words for it
        return


def _tell_gone(root: Path, gone: Sequence[IndexedCase], n_before: int, say: Say) -> None:
    """A few files that go are the daily work; many, or a whole folder, may be a drive."""
    split = gone[0].split
    folders = {case.paths[0].rpartition("/")[0] for case in gone} - {split, ""}
    away = sorted(folder for folder in folders if files.is_missing(root, folder))
    if away or 2 * len(gone) >= n_before:
        where = f" with the folder {away[0]}" if away else ""
        say(
            f"note: {len(gone)} of {n_before} cases of {split} have gone{where}, such as "
            f"{gone[0].paths[0]}; if a drive is missing, bring it back and run this again"
        )


def _counted(cases: Sequence[IndexedCase]) -> str:
    return "1 case" if len(cases) == 1 else f"{len(cases)} cases"
