"""The only one that writes rows: gather a window, then one commit that nothing can tear.

A window is written in two steps: its slice rows are appended to `slices`, then one commit of
`cases` deletes the old rows and adds the new ones. Killed between the two, the slice rows are
orphans that no case refers to; the next run finds them by their content key and takes them up.

Locks keep writers apart. Should one of them fail, as where a machine slept longer than its lock on
an object store lasts, then of two commits that do not know of each other Lance lets one pass, and
the other is made again on top of it: no row is lost or doubled (`_commit`).
"""

from __future__ import annotations

import dataclasses
import functools
import json
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from dvdup.errors import StoreError
from dvdup.records import Embedded, IndexedCase, Key
from dvdup.store import schema, small_files
from dvdup.store.faults import lance_faults
from dvdup.store.index import METADATA_KEY, STORAGE_VERSION, Index, keys_filter, open_table
from dvdup.store.storage import Storage

if TYPE_CHECKING:
    import lance
    import pyarrow as pa
    from lance.fragment import FragmentMetadata, LanceFragment

_NO_FRAGMENT = 2**63 - 1
"""Every commit says that it removes this fragment, which no table has: Lance takes two that do not
know of each other for a conflict then, whatever else they do."""
_MOST_TRIES = 20
"""Commits that others may put in front of one before it is given up."""


class Writer:
    """Collects the changes of one command and commits them window by window.

    The caller holds the write lock from before it opened the index until after `close`.
    """

    def __init__(
        self,
        index: Index,
        command: str,
        *,
        commit_rows: int = 20_000,
        commit_seconds: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
        still_mine: Callable[[], None] = lambda: None,
        proxies: bool = True,
        revision: Callable[[], str] = str,
    ) -> None:
        """Start a run.

        Args:
            index: The index at its newest version.
            command: What `dvdup log` shows, such as "sync" or "rm train/case_7".
            commit_rows: Slice rows that fill a window.
            commit_seconds: Age at which a window is committed.
            clock: Seconds, for tests.
            still_mine: Called before anything is written; raises if the folder that was locked is
                not there any more.
            proxies: Whether rows keep their proxies.
            revision: Gives the git commit for the log, "" for none; asked when something is
                written.
        """
        self.run = uuid.uuid4().hex
        self._index = index
        self._command = command
        self._limits = (commit_rows, commit_seconds)
        self._clock = clock
        self._still_mine = still_mine
        self._proxies = proxies
        self._revision = functools.cache(revision)
        self._held = {case.key for case in index.cases}
        self._puts: dict[Key, IndexedCase] = {}
        self._rows: dict[str, dict[Key, Embedded]] = {}  # by content key, not yet written
        self._gathered = 0  # slice rows in there
        self._gone: set[Key] = set()
        self._holders: dict[str, set[Key]] | None = None
        # the versions that what is known of the two tables is of
        self._known = {"cases": index.version, "slices": int(index.slices.version)}
        self._alone = True  # whether nobody else has committed cases since
        self._opened = clock()
        self._counts: dict[str, int] = {}
        self.commits = 0

    def put(self, case: IndexedCase, rows: Embedded | None, what: str) -> IndexedCase:
        """Add or replace a case.

        Args:
            case: The row; `checksum` and `n_slices` are filled in from `rows`.
            rows: Its slices, or None if the case has none or its rows are already stored.
            what: What happened, counted in the log: "embedded", "renamed", ...

        Returns:
            The case as it will be stored.

        Raises:
            StoreError: The embeddings are not finite unit rows.
        """
        if not self._proxies:
            case = dataclasses.replace(case, proxy=b"", proxy_shape=())
        before = self._puts.get(case.key)
        if before is not None and before.content != case.content:
            self._forget_rows(before)
        if rows is not None and len(rows.channel):
            rows = self._own_rows(case) or _stored_precision(rows, case)
            case = dataclasses.replace(
                case, n_slices=len(rows.channel), checksum=schema.checksum(rows)
            )
            self._gather(case, rows)
        self._gone.discard(case.key)
        self._puts[case.key] = case
        self._count(what)
        self._commit_if_due()
        return case

    def delete(self, key: Key, what: str | None = "removed") -> None:
        """Take a case out of the index; its slice rows stay until `gc`.

        Args:
            key: Which case.
            what: How the log counts it; None if another entry stands for it (a rename).
        """
        before = self._puts.pop(key, None)
        if before is not None:
            self._forget_rows(before)
        if key in self._held:
            self._gone.add(key)
        if what is not None:
            self._count(what)
        self._commit_if_due()

    def stored_rows(self, content: str) -> Embedded | None:
        """Slice rows with this content key, whoever has or had them; None if there are none."""
        waiting = self._rows.get(content)
        if waiting:
            return waiting[min(waiting)]
        holders = self._written().get(content)
        return self._index.rows_of(*min(holders), content) if holders else None

    def flush(self) -> None:
        """Commit what has gathered."""
        if self._puts or self._gone:
            self._commit()

    def mark(self, counts: Mapping[str, int] | None = None) -> int:
        """Commit what has gathered, or an empty entry; returns the version it got.

        Args:
            counts: What else the entry counts.
        """
        self._counts |= counts or {}
        return self._commit()

    def _written(self) -> dict[str, set[Key]]:
        """Who has slice rows in the table, dead or alive."""
        if self._holders is None:
            self._holders = self._index.holders()
        return self._holders

    def _gather(self, case: IndexedCase, rows: Embedded) -> None:
        waiting = self._rows.setdefault(case.content, {})
        if case.key not in waiting and case.key not in self._written().get(case.content, ()):
            waiting[case.key] = rows
            self._gathered += len(rows.channel)

    def _forget_rows(self, case: IndexedCase) -> None:
        rows = self._rows.get(case.content, {}).pop(case.key, None)
        if rows is not None:
            self._gathered -= len(rows.channel)

    def _count(self, what: str) -> None:
        self._counts[what] = self._counts.get(what, 0) + 1

    def _commit_if_due(self) -> None:
        rows, seconds = self._limits
        if self._gathered >= rows or self._clock() - self._opened >= seconds:
            self.flush()

    def _own_rows(self, case: IndexedCase) -> Embedded | None:
        """Rows that a case has already: those of another machine may differ in their last bits."""
        if case.key not in self._written().get(case.content, ()):
            return None
        return self._index.rows_of(*case.key, case.content)

    def _commit(self) -> int:
        self._still_mine()
        self._append_slices()
        self._still_mine()
        version = self._commit_cases()
        self._held = (self._held - self._gone) | set(self._puts)
        self._puts, self._gone, self._counts = {}, set(), {}
        self._opened = self._clock()
        self.commits += 1
        return version

    def _append_slices(self) -> None:
        """Append what no other writer has appended meanwhile."""
        import pyarrow as pa

        for _ in range(_MOST_TRIES):
            items = self._unwritten()
            if not items:
                return
            with lance_faults("write slices to the index"), _unless_preempted() as passed:
                # Through Lance alone: importing lancedb takes longer than all the rest of a small
                # run. That no vector is NaN, which lancedb would refuse, `put` has made sure of.
                storage, table = self._index.storage, self._index.slices
                rows = pa.Table.from_batches([schema.slices_batch(items, table.schema)])
                joined = small_files.to_join(table)
                if joined:
                    rows = pa.concat_tables([small_files.rows_of(table, joined), rows])
                fragments = _write_fragments(rows, storage, "slices")
                self._known["slices"] = _commit_to(
                    storage, "slices", self._known["slices"], fragments, (_ids(joined), [])
                )
                passed.append(True)
            self._index.slices.checkout_latest()
            if passed and joined:
                small_files.drop_old(self._index.slices)
            if passed:
                for content, waiting in self._rows.items():
                    self._written().setdefault(content, set()).update(waiting)
                self._rows, self._gathered = {}, 0
            else:
                self._take_up()
        raise _too_busy(self._index.storage)

    def _unwritten(self) -> list[tuple[IndexedCase, Embedded]]:
        gathered = {key: rows for waiting in self._rows.values() for key, rows in waiting.items()}
        return [(self._puts[key], rows) for key, rows in sorted(gathered.items())]

    def _take_up(self) -> None:
        """Leave out rows that another writer has appended, and refer to its own."""
        self._known["slices"] = int(self._index.slices.version)
        self._holders = self._index.holders()
        for case, _ in self._unwritten():
            stored = self._own_rows(case)
            if stored is not None:
                self._forget_rows(case)
                self._puts[case.key] = dataclasses.replace(
                    case, n_slices=len(stored.channel), checksum=schema.checksum(stored)
                )

    def _commit_cases(self) -> int:
        storage = self._index.storage
        for _ in range(_MOST_TRIES):
            with lance_faults("commit to the index"), _unless_preempted() as passed:
                head = open_table(storage, "cases")
                # what others have written may be rows of the same cases
                self._alone = self._alone and int(head.version) == self._known["cases"]
                puts = set(self._puts)
                replaced = puts & self._held if self._alone else puts
                joined, gone = small_files.to_join(head), self._gone | replaced
                removed, updated = _delete(head, gone, _ids(joined))
                kept = _without(small_files.rows_of(head, joined), gone) if joined else None
                fragments = _new_fragments(self._puts.values(), head, storage, kept)
                version = _commit_to(
                    storage, "cases", int(head.version), fragments,
                    ([*removed, *_ids(joined)], updated), {METADATA_KEY: self._entry()},
                )  # fmt: skip
                passed.append(True)
            if passed:
                self._known["cases"] = version
                return version
        raise _too_busy(storage)

    def _entry(self) -> str:
        entry = {
            "run": self.run,
            "command": self._command,
            "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "counts": self._counts,
            "commit": self._revision(),
            "slices_version": int(self._index.slices.latest_version),
        }
        return json.dumps(entry, sort_keys=True)


def _ids(fragments: Iterable[LanceFragment]) -> list[int]:
    return [fragment.fragment_id for fragment in fragments]


def _without(table: pa.Table, keys: Collection[Key]) -> pa.Table:
    """The rows of `cases` that are of other cases."""
    names = zip(*(table.column(name).to_pylist() for name in ("split", "case_id")), strict=True)
    return table.filter([name not in keys for name in names])


def _delete(
    head: lance.LanceDataset, keys: Iterable[Key], passed_over: Collection[int], batch: int = 500
) -> tuple[list[int], list[FragmentMetadata]]:
    """Mark rows as deleted in every fragment that has some; nothing is visible until a commit."""
    removed: list[int] = []
    updated: list[FragmentMetadata] = []
    ordered = sorted(keys)
    if not ordered:
        return removed, updated
    condition = " OR ".join(
        keys_filter(ordered[start : start + batch]) for start in range(0, len(ordered), batch)
    )
    for fragment in head.get_fragments():
        if fragment.fragment_id in passed_over:
            continue
        left = fragment.delete(condition)
        if left is None:
            removed.append(fragment.fragment_id)
        elif left.to_json() != fragment.metadata.to_json():
            updated.append(left)
    return removed, updated


def _new_fragments(
    cases: Iterable[IndexedCase], head: lance.LanceDataset, storage: Storage, kept: pa.Table | None
) -> list[FragmentMetadata]:
    import pyarrow as pa

    table = schema.cases_table(cases, head.schema)
    if kept is not None:
        table = pa.concat_tables([kept, table])
    return _write_fragments(table, storage, "cases") if table.num_rows else []


def _write_fragments(table: pa.Table, storage: Storage, name: str) -> list[FragmentMetadata]:
    """Write rows beside a table; nothing is visible until a commit."""
    import lance

    fragments: list[FragmentMetadata] = lance.fragment.write_fragments(
        table,
        storage.table(name),
        schema=table.schema,
        data_storage_version=STORAGE_VERSION,
        storage_options=storage.options,
    )
    return fragments


def _commit_to(
    storage: Storage,
    name: str,
    read_version: int,
    fragments: list[FragmentMetadata],
    gone: tuple[list[int], list[FragmentMetadata]] = ([], []),
    properties: Mapping[str, str] | None = None,
) -> int:
    """Commit to a table unless another writer has since a version; gives the new version."""
    import lance
    from lance.dataset import Transaction

    operation = lance.LanceOperation.Update(
        removed_fragment_ids=[*gone[0], _NO_FRAGMENT],
        updated_fragments=gone[1],
        new_fragments=fragments,
    )
    transaction = Transaction(
        read_version=read_version,
        operation=operation,
        transaction_properties=dict(properties or {}),
    )
    committed = lance.LanceDataset.commit(
        storage.table(name), transaction, storage_options=storage.options
    )
    return int(committed.version)


@contextmanager
def _unless_preempted() -> Iterator[list[bool]]:
    """Go on behind a commit that another writer was faster than; gives a list to tell that by."""
    passed = list[bool]()
    try:
        yield passed
    except OSError as error:
        if passed or "commit conflict" not in str(error).lower():
            raise


def _too_busy(storage: Storage) -> StoreError:
    return StoreError(
        f"other commands write to the index in {storage.name} all the time; run it again later"
    )


def _stored_precision(rows: Embedded, case: IndexedCase) -> Embedded:
    """Check the embeddings and round them as the table will, so that checksums agree."""
    norms = np.linalg.norm(rows.embedding.astype(np.float32), axis=1)
    if not (np.isfinite(norms).all() and np.abs(norms - 1).max() < 0.01):
        raise StoreError(
            f"the embedder returned rows that are not finite unit vectors for "
            f"{case.split}/{case.case_id}; this is a fault of the embedder, report it"
        )
    return dataclasses.replace(rows, embedding=schema.as_stored(rows.embedding))
