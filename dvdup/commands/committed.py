"""Which cases are committed: what git has in its index, without a look at other files.

A hook that runs before a commit must neither stop it for a copy that is not part of it, nor let one
pass because git holds the data in another way. So a pointer of DVC stands for its files, and a
split of which git has nothing is looked at as it lies on disk, which is said.
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from dvdup.compare.refs import Ref
from dvdup.errors import InputError
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
    has = _known(root, _tracked(root))
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


def _known(root: Path, tracked: frozenset[str]) -> Callable[[str], bool]:
    """Whether git has a file, something in it if it is a folder, or a pointer of DVC to it."""
    folders = {str(parent) for file in tracked for parent in PurePosixPath(file).parents}

    def has(path: str) -> bool:
        path = os.path.abspath(os.path.join(root, path))
        above = (path, *map(str, PurePosixPath(path).parents))
        # a folder above it is in the index of git where it is a link
        return path in folders or any(p in tracked or f"{p}.dvc" in tracked for p in above)

    return has


def _tracked(root: Path) -> frozenset[str]:
    """The files that git has in its index, in all the repository that a folder is in; absolute."""
    # of all the repository: the data may lie beside the configuration, as ../data
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--", ":/"]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except OSError as error:
        raise InputError(f"--committed needs git, which cannot be run: {error.strerror}") from error
    if done.returncode:
        said = os.fsdecode(done.stderr).strip().partition("\n")[0]
        raise InputError(f"--committed: git does not tell what is committed ({said}); leave it out")
    return frozenset(
        os.path.abspath(os.path.join(root, os.fsdecode(name)))
        for name in done.stdout.split(b"\0")
        if name
    )
