"""Copies that are found without their data: by the hashes that pointers record of their bytes.

A pointer of git-lfs records a SHA-256, one of DVC an MD5, a key of git-annex either. Two pointers
that record the same stand for the same bytes. A file that is here is hashed only where it has as
many bytes as a pointer records.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from dvdup.compare import verdicts
from dvdup.compare.cases import CaseSet
from dvdup.compare.missed import Missed
from dvdup.errors import ReadError
from dvdup.files import holds_what_was_indexed
from dvdup.pointers import is_recorded
from dvdup.records import IndexedCase, Pair
from dvdup.remote import at_hand
from dvdup.rows import is_row

_COMPUTED = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")
_Wanted = dict[tuple[str, tuple[int, ...]], dict[tuple[str, ...], list[IndexedCase]]]
"""(algorithm, sizes of the files) -> what pointers record -> whose."""


def same_bytes(a: CaseSet, b: CaseSet, root: Path, missed: Missed) -> frozenset[Pair]:
    """Pairs of cases of the same bytes, of which one at least is not here.

    Args:
        a: First side.
        b: Second side.
        root: Where the files are.
        missed: Is told of files that are not those that were indexed.
    """
    pointers = verdicts.sharing_records(a.cases, b.cases)
    ours = {(away.key, here.key) for away, here in _with_files(a.cases, b.cases, root, missed)}
    theirs = {(here.key, away.key) for away, here in _with_files(b.cases, a.cases, root, missed)}
    return frozenset(pointers | ours | theirs)


def _with_files(
    away: Sequence[IndexedCase], here: Sequence[IndexedCase], root: Path, missed: Missed
) -> Iterator[tuple[IndexedCase, IndexedCase]]:
    """Pairs of a case that is not here and one that is."""
    wanted = _wanted(away)
    algorithms = sorted({algorithm for algorithm, _ in wanted})
    for case in here if wanted else ():
        sizes = tuple(sorted(stat.size for stat in case.files))
        for algorithm in algorithms:
            records = wanted.get((algorithm, sizes))
            if records and _has_files(case):
                found = _hashed(root, case, algorithm, missed)
                yield from ((one, case) for one in records.get(found, ()))


def _wanted(cases: Sequence[IndexedCase]) -> _Wanted:
    found: _Wanted = {}
    for case in cases:
        sizes = tuple(sorted(stat.size for stat in case.files))
        algorithms = {record.partition(":")[0] for record in case.recorded}
        if len(algorithms) == 1 and all(sizes) and algorithms <= set(_COMPUTED):
            same_size = found.setdefault((algorithms.pop(), sizes), {})
            same_size.setdefault(case.recorded, []).append(case)
    return found


def _has_files(case: IndexedCase) -> bool:
    """Whether a case is all that its files hold, and these are here."""
    away = any(is_recorded(stat.file_hash) for stat in case.files)
    return not away and not is_row(case.series)


def _hashed(root: Path, case: IndexedCase, algorithm: str, missed: Missed) -> tuple[str, ...]:
    """Hashes of the files of a case, sorted; none where they are not those that were indexed."""
    try:
        with at_hand(root, case.paths) as files:
            if not all(map(os.path.isfile, files)):
                return ()
            if not holds_what_was_indexed(root, case.files, case.paths):
                missed.away(case)
                return ()
            return tuple(sorted(f"{algorithm}:{_digest(file, algorithm)}" for file in files))
    except ReadError as error:
        missed.failed(case, str(error))
    except OSError as error:
        missed.failed(case, f"{case.paths[0]}: cannot be read: {error.strerror}")
    return ()


def _digest(file: Path, algorithm: str) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()
