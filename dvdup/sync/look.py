"""A look at one pending case: is it known by its bytes, else read, cut and perhaps embedded.

Runs in worker threads of this machine or on other machines, and knows no index.
"""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dvdup import files, remote
from dvdup.errors import ReadError
from dvdup.files import Recent
from dvdup.readers import limits, reads
from dvdup.records import Case, Embedded, FileStat, SliceStack
from dvdup.rows import is_row
from dvdup.slicing import Recipe
from dvdup.sync.prepare import Prepared, prepare, row_of, unreadable

Embed = Callable[[SliceStack], Embedded]
Fingerprint = tuple[str, ...]

_RECENT = Recent()
"""What a worker elsewhere has hashed: many cases may lie in one file."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A case that has to be looked at."""

    case: Case
    stats: tuple[FileStat, ...] | None
    """Its files as they are for whoever asks; None if one is not there or closed."""


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """What a look at a case found."""

    case: Case
    hashed: tuple[FileStat, ...] = ()
    """Its files, where their bytes are those of an indexed case, so that they were not read."""
    prepared: Prepared | None = None
    """The case as it was read, or why it could not be."""
    rows: Embedded | None = None
    """Its rows, if it was embedded too."""
    astray: str = ""
    """The machine on which the files of the case are not those that whoever asked sees."""


@dataclass(frozen=True, slots=True)
class Look:
    """How pending cases are looked at."""

    root: Path
    """Folder that the paths are relative to."""
    recipe: Recipe
    known: frozenset[Fingerprint | None]
    """Of the bytes of indexed cases, which are not read again."""
    recent: Recent | None = None
    """What was hashed a moment ago in this process."""
    embed: Embed | None = None
    """Given where this happens elsewhere, and rows are wanted from there."""

    def __call__(self, pending: Pending) -> Looked:
        """Look at a case for another machine, whose view of its files goes into the index."""
        case, theirs = pending.case, pending.stats
        own = files.stat_files(self.root, case.files)
        if not _are_same(theirs, own):
            return Looked(case, astray=platform.node())
        return self._look(case, own, theirs, _RECENT)

    def here(self, case: Case) -> Looked:
        """Look at a case for this process."""
        stats = files.stat_files(self.root, case.files)
        return self._look(case, stats, stats, self.recent)

    def _look(
        self,
        case: Case,
        own: tuple[FileStat, ...] | None,
        stats: tuple[FileStat, ...] | None,
        recent: Recent | None,
    ) -> Looked:
        """Look at a case whose files are `own` to this process, and `stats` in the index."""
        if own is None or stats is None:  # the reader has the better words for what is wrong
            return self._read(case, tuple(FileStat(path, 0, 0) for path in case.files))
        if not reads(
            self.root, case
        ):  # the hash of a huge archive that nobody reads is worth nothing
            return self._read(case, stats)
        try:
            if not is_row(case.series):  # of which more may be read than one case may take
                for stat in own:  # before it is read from end to end for nothing
                    limits.check(stat.path, stat.size, stat.size)
            with remote.at_hand(self.root, case.files):  # once, to be hashed and to be read
                hashed = _with_hashes(stats, files.hash_files(self.root, own, recent))
                if files.fingerprint(hashed, case.series) in self.known:
                    return Looked(case, hashed)
                return self._read(case, hashed)
        except ReadError as error:
            return Looked(case, prepared=unreadable(row_of(case, stats), str(error)))

    def _read(self, case: Case, stats: tuple[FileStat, ...]) -> Looked:
        prepared = prepare(self.root, case, stats, self.recipe)
        if self.embed is None or prepared.stack is None:
            return Looked(case, prepared=prepared)
        rows = self.embed(prepared.stack)  # slices are many times as big, and stay here
        return Looked(case, prepared=Prepared(prepared.case, None), rows=rows)


def _are_same(there: tuple[FileStat, ...] | None, here: tuple[FileStat, ...] | None) -> bool:
    """Whether files look alike on two machines; inodes and times of change need not be the same."""
    if there is None or here is None:
        return there is here
    return [(stat.size, stat.mtime_ns) for stat in there] == [
        (stat.size, stat.mtime_ns) for stat in here
    ]


def _with_hashes(stats: tuple[FileStat, ...], hashed: tuple[FileStat, ...]) -> tuple[FileStat, ...]:
    """Files as one machine sees them, with the hashes that another one made."""
    return tuple(
        dataclasses.replace(stat, mtime_ns=each.mtime_ns, file_hash=each.file_hash)
        for stat, each in zip(stats, hashed, strict=True)
    )
