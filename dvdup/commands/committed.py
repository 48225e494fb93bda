"""Which cases are committed: what git has in its index, without a look at other files.

A hook that runs before a commit must neither stop it for a copy that is not part of it, nor let one
pass because git holds the data in another way. So a pointer of DVC stands for its files, and a
split of which git has nothing is looked at as it lies on disk, which is said.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from dvdup.commands import git
from dvdup.compare.refs import Ref
from dvdup.records import IndexedCase, Say


def committed(root: Path, refs: Sequence[Ref], say: Say) -> list[Ref]:
    """Leave out the cases that git does not have.

    Args:
        root: Folder of the configuration, which the paths of cases are relative to.
        refs: Splits as they are now.
        say: Called with a line about every split of which git has nothing.

    Returns:
        The same splits.

    Raises:
        InputError: The folder is in no git repository, or there is no git.
    """
    has = git.has(root, git.tracked(root, "--committed"))
    return [_of(ref, has, say) for ref in refs]


def _of(ref: Ref, has: Callable[[str], bool], say: Say) -> Ref:
    kept = tuple(case for case in ref.cases if _is_committed(case, has))
    if not kept:
        say(f"note: git has no scan of {ref.info.split}; it is looked at as it lies on disk")
        return ref
    return dataclasses.replace(ref, info=dataclasses.replace(ref.info, cases=len(kept)), cases=kept)


def _is_committed(case: IndexedCase, has: Callable[[str], bool]) -> bool:
    """Whether git has a part of a case: one that is there by half is looked at."""
    return any(map(has, case.paths))
