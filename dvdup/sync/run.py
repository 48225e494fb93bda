"""Bring the index in line with the files: find what changed, read only that, commit in windows."""

from __future__ import annotations

import dataclasses
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from dvdup import files, remote
from dvdup.errors import Interrupted, ReadError
from dvdup.readers import limits, reads
from dvdup.records import (
    Case,
    Declaration,
    Embedded,
    FileStat,
    Hooks,
    IndexedCase,
    Key,
    SliceStack,
    SyncSummary,
    as_unreadable,
)
from dvdup.rows import is_row
from dvdup.slicing import Recipe
from dvdup.store import Index, Writer
from dvdup.sync.declared import same_declaration
from dvdup.sync.plan import Plan, notes_of
from dvdup.sync.prepare import prepare, row_of, unreadable
from dvdup.workers import reader_threads

PATIENCE_SECONDS = 8.0
"""How long a case in hand is waited for when the user wishes to stop."""
_POLL_SECONDS = 0.2
_OVERHEAD = 300_000  # bytes that take as long to be read as all else that a case costs

Embed = Callable[[SliceStack], Embedded]


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What one pending case turned out to be."""

    what: Literal["same", "touched", "moved", "read", "unreadable"]
    case: IndexedCase
    stack: SliceStack | None = None
    source: IndexedCase | None = None
    """For "moved": the indexed case with the same bytes."""


class Run:
    """One `sync` or `add`: the steps share the index, the writer and the settings."""

    def __init__(
        self,
        root: Path,
        index: Index,
        writer: Writer,
        recipe: Recipe,
        embed: Embed,
        verified: files.Verified,
        *,
        jobs: int,
        hooks: Hooks,
    ) -> None:
        """Gather what every step needs; the caller holds the write lock."""
        self._root, self._index, self._writer, self._recipe = root, index, writer, recipe
        self._embed, self._verified, self._jobs = embed, verified, jobs
        self._hooks = hooks
        self._old = {case.key: case for case in index.cases}
        self._by_bytes = _by_bytes(index.cases)
        self._counts = dict.fromkeys(
            ("embedded", "reused", "renamed", "removed", "touched", "unchanged"), 0
        )

    def carry_out(self, todo: Plan, declaration: Declaration) -> SyncSummary:
        """Do what was planned.

        Raises:
            Interrupted: `hooks.should_stop` said so; what was finished is committed.
        """
        missing, notes = [as_unreadable(case) for case in todo.unchecked], [*todo.notes]
        self._counts["unchanged"] = todo.unchanged
        left, done = set(todo.vanished), 0
        self._hooks.expect("reading", [_weight(self._root, case) for case in todo.pending])
        for outcome in self._outcomes(todo.pending):
            self._hooks.progress("reading", done, len(todo.pending))
            if self._hooks.should_stop():
                break
            stored = self._store(outcome, left)
            done += 1
            notes += notes_of(stored)
            if stored.status != "ok":
                missing.append(as_unreadable(stored))
        if done < len(todo.pending):
            self._writer.flush()
            raise Interrupted(
                f"stopped after {done} of {len(todo.pending)} cases, which are kept; "
                "run it again to go on"
            )
        self._hooks.progress("reading", len(todo.pending), len(todo.pending))
        for key in sorted(left):
            self._delete(key)
        self._writer.flush()
        self._verified.save()
        return SyncSummary(
            **self._counts,
            unreadable=tuple(sorted(missing, key=lambda case: (case.split, case.case))),
            ignored=declaration.ignored,
            notes=tuple(notes),
            unindexed=todo.unindexed,
        )

    def _outcomes(self, pending: Sequence[Case]) -> Iterator[Outcome]:
        """Look at the cases in worker threads, a few ahead, and hand them on in order.

        Ends before all are done if it is wished to stop and a case does not get finished.
        """
        ahead, coming = self._jobs + 1, iter(pending)
        with reader_threads(self._jobs) as pool:
            waiting = deque(pool.submit(self._look_at, case) for case in islice(coming, ahead))
            while waiting:
                future = waiting.popleft()
                if not self._is_done(future):
                    return
                waiting.extend(pool.submit(self._look_at, case) for case in islice(coming, 1))
                yield future.result()

    def _is_done(self, future: Future[Outcome]) -> bool:
        """Wait for a case; once it is wished to stop, only as long as a user has patience."""
        patience: float | None = None
        while not wait([future], timeout=_POLL_SECONDS).done:
            if patience is None and self._hooks.should_stop():
                patience = time.monotonic() + PATIENCE_SECONDS
            if patience is not None and time.monotonic() > patience:
                return False
        return True

    def _look_at(self, case: Case) -> Outcome:
        stats = files.stat_files(self._root, case.files)
        if stats is None:  # the reader has the better words for what is wrong with it
            return self._read(case, tuple(FileStat(path, 0, 0) for path in case.files))
        if not reads(
            self._root, case
        ):  # the hash of a huge archive that nobody reads is worth nothing
            return self._read(case, stats)
        try:
            if not is_row(case.series):  # of which more may be read than one case may take
                for stat in stats:  # before it is read from end to end for nothing
                    limits.check(stat.path, stat.size, stat.size)
            with remote.at_hand(self._root, case.files):  # once, to be hashed and to be read
                hashed = files.hash_files(self._root, stats, self._verified.recent)
                return self._hashed(case, stats, hashed)
        except ReadError as error:
            return _failed(case, stats, str(error))

    def _hashed(
        self, case: Case, stats: tuple[FileStat, ...], hashed: tuple[FileStat, ...]
    ) -> Outcome:
        old = self._old.get(case.key)
        same = files.fingerprint(hashed, case.series)
        if old is not None and _has_rows(old) and same == files.fingerprint(old.files, old.series):
            if same_declaration(case, old) and files.same_times(old.files, stats):
                self._verified.add(hashed)
                return Outcome("same", old)
            return Outcome("touched", _renewed(old, case, hashed))
        source = self._by_bytes.get(same) if same is not None else None
        if source is not None:
            return Outcome("moved", _renewed(source, case, hashed), source=source)
        return self._read(case, hashed)

    def _read(self, case: Case, stats: tuple[FileStat, ...]) -> Outcome:
        prepared = prepare(self._root, case, stats, self._recipe)
        what: Literal["unreadable", "read"] = (
            "unreadable" if prepared.case.status == "unreadable" else "read"
        )
        return Outcome(what, prepared.case, prepared.stack)

    def _store(self, outcome: Outcome, left: set[Key]) -> IndexedCase:
        if outcome.what == "same":
            self._counts["unchanged"] += 1
            return outcome.case
        if outcome.what == "unreadable":
            return self._store_unreadable(outcome.case)
        if outcome.what == "touched":
            return self._put(self._with_proxy(outcome.case, outcome.case.key), None, "touched")
        if outcome.source is not None:
            return self._store_moved(outcome.case, outcome.source, left)
        if outcome.stack is None:
            return self._put(outcome.case, None, "embedded")
        known = self._writer.stored_rows(outcome.case.content)
        rows = self._embed(outcome.stack) if known is None else known
        return self._put(outcome.case, rows, "embedded" if known is None else "reused")

    def _store_moved(self, case: IndexedCase, source: IndexedCase, left: set[Key]) -> IndexedCase:
        rows = self._index.rows_of(source.split, source.case_id, source.content)
        case = self._with_proxy(case, source.key)
        if source.key not in left:
            return self._put(case, rows, "reused")
        left.discard(source.key)
        stored = self._put(case, rows, "renamed")
        self._writer.delete(source.key, what=None)
        return stored

    def _store_unreadable(self, case: IndexedCase) -> IndexedCase:
        old = self._old.get(case.key)
        if old is None or not _says_the_same(old, case):
            self._writer.put(case, None, "unreadable")
        return case

    def _with_proxy(self, case: IndexedCase, source: Key) -> IndexedCase:
        """`cases` is read without proxies; a row that is written again needs its own back."""
        (stored,) = self._index.with_proxies([source])
        return dataclasses.replace(case, proxy=stored.proxy, proxy_shape=stored.proxy_shape)

    def _put(self, case: IndexedCase, rows: Embedded | None, what: str) -> IndexedCase:
        self._counts[what] += 1
        return self._writer.put(case, rows, what)

    def _delete(self, key: Key) -> None:
        self._counts["removed"] += 1
        self._writer.delete(key)


def _says_the_same(old: IndexedCase, new: IndexedCase) -> bool:
    """Whether two rows of a case that cannot be read differ in the times of its files at most."""
    here = dataclasses.replace(old, files=new.files)
    return old.recorded == new.recorded and dataclasses.asdict(here) == dataclasses.asdict(new)


def _weight(root: Path, case: Case) -> float:
    """How long a case may take, as bytes; parts of a file are taken to be alike."""
    if case.series is not None and is_row(case.series):
        return float(_OVERHEAD)
    stats = files.stat_files(root, case.files[:1])  # where there is nothing the reader will tell
    return float(_OVERHEAD + (stats[0].size if stats else 0) * len(case.files))


def _has_rows(case: IndexedCase) -> bool:
    return case.status != "unreadable"


def _by_bytes(cases: Sequence[IndexedCase]) -> dict[tuple[str, ...], IndexedCase]:
    found: dict[tuple[str, ...], IndexedCase] = {}
    for case in cases:
        key = files.fingerprint(case.files, case.series) if _has_rows(case) else None
        if key is not None:
            found.setdefault(key, case)
    return found


def _renewed(known: IndexedCase, case: Case, stats: tuple[FileStat, ...]) -> IndexedCase:
    """What is known about these bytes, under the identity of another case."""
    identity = row_of(case, stats)
    names = ("split", "case_id", "files", "group", "origin", "series", "instances")
    return dataclasses.replace(known, **{name: getattr(identity, name) for name in names})


def _failed(case: Case, stats: tuple[FileStat, ...], reason: str) -> Outcome:
    return Outcome("unreadable", unreadable(row_of(case, stats), reason).case)
