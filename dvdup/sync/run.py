"""Bring the index in line with the files: find what changed, read only that, commit in windows."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dvdup import files
from dvdup.errors import InputError, Interrupted, StoreError
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
from dvdup.sync.look import Embed, Look, Looked, Pending
from dvdup.sync.plan import Plan, notes_of
from dvdup.sync.prepare import row_of
from dvdup.workers import Crew, Runner

PATIENCE_SECONDS = 8.0
"""How long a case in hand is waited for when the user wishes to stop."""
_POLL_SECONDS = 0.2
_OVERHEAD = 300_000  # bytes that take as long to be read as all else that a case costs


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What one pending case turned out to be."""

    what: Literal["same", "touched", "moved", "read", "unreadable"]
    case: IndexedCase
    stack: SliceStack | None = None
    rows: Embedded | None = None
    """Those of the stack, if they have been made."""
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
        runner: Runner,
        hooks: Hooks,
    ) -> None:
        """Gather what every step needs; the caller holds the write lock."""
        self._root, self._index, self._writer, self._recipe = root, index, writer, recipe
        self._embed, self._verified, self._runner = embed, verified, runner
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
        with self._keeping():
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

    @contextmanager
    def _keeping(self) -> Iterator[None]:
        """Commit what is finished if something ends the work, as workers that die."""
        try:
            yield
        except StoreError:
            raise
        except Exception:
            with suppress(StoreError):  # what ended the work is told
                self._writer.flush()
            raise

    def _outcomes(self, pending: Sequence[Case]) -> Iterator[Outcome]:
        """Have the cases looked at, a few ahead, and hand them on in order.

        Ends before all are done if it is wished to stop and a case does not get finished.
        """
        with self._runner.readers(len(pending)) as crew:
            yield from map(self._outcome, self._looks(crew, pending))

    def _looks(self, crew: Crew, pending: Sequence[Case]) -> Iterator[Looked]:
        look = Look(self._root, self._recipe, frozenset(self._by_bytes))
        if not crew.elsewhere:
            look = dataclasses.replace(look, recent=self._verified.recent)
            return crew.in_order(look.here, pending, self._is_done)
        look = dataclasses.replace(look, embed=self._embed)
        return crew.in_order(look, self._seen_from_here(pending), self._is_done)

    def _seen_from_here(self, pending: Iterable[Case]) -> Iterator[Pending]:
        for case in pending:
            yield Pending(case, files.stat_files(self._root, case.files))

    def _is_done(self, future: Future[list[Looked]]) -> bool:
        """Wait for a case; once it is wished to stop, only as long as a user has patience."""
        patience: float | None = None
        while not wait([future], timeout=_POLL_SECONDS).done:
            if patience is None and self._hooks.should_stop():
                patience = time.monotonic() + PATIENCE_SECONDS
            if patience is not None and time.monotonic() > patience:
                return False
        return True

    def _outcome(self, looked: Looked) -> Outcome:
        """What a look means, beside what is indexed.

        Raises:
            InputError: It was taken on another machine, which sees other files.
        """
        if looked.astray:
            raise InputError(files.not_shared(looked.case.files[0], looked.astray))
        if looked.prepared is None:
            return self._known(looked)
        prepared = looked.prepared
        what: Literal["unreadable", "read"] = (
            "unreadable" if prepared.case.status == "unreadable" else "read"
        )
        return Outcome(what, prepared.case, prepared.stack, looked.rows)

    def _known(self, looked: Looked) -> Outcome:
        """A case whose bytes are those of an indexed one."""
        case, hashed = looked.case, looked.hashed
        old, same = self._old.get(case.key), files.fingerprint(hashed, case.series)
        if old is not None and _has_rows(old) and same == files.fingerprint(old.files, old.series):
            if same_declaration(case, old) and files.same_times(old.files, hashed):
                self._verified.add(hashed)
                return Outcome("same", old)
            return Outcome("touched", _renewed(old, case, hashed))
        assert same is not None  # or it would not be known
        source = self._by_bytes[same]
        return Outcome("moved", _renewed(source, case, hashed), source=source)

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
        if outcome.stack is None and outcome.rows is None:
            return self._put(outcome.case, None, "embedded")
        known = self._writer.stored_rows(outcome.case.content)
        if known is not None:
            return self._put(outcome.case, known, "reused")
        rows = self._embed(outcome.stack) if outcome.stack is not None else outcome.rows
        return self._put(outcome.case, rows, "embedded")

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
