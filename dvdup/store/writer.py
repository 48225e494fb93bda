"""The only one that writes rows: gather a window, then one commit that nothing can tear.

A window is written in two steps: its slice rows are appended to `slices`, then one commit of
`cases` deletes the old rows and adds the new ones. Killed between the two, the slice rows are
orphans that no case refers to; the next run finds them by their content key and takes them up.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from dvdup.errors import StoreError
from dvdup.records import Embedded, IndexedCase, Key
from dvdup.store import schema
from dvdup.store.faults import lance_faults
from dvdup.store.index import (
    METADATA_KEY,
    STORAGE_VERSION,
    Index,
    cases_uri,
    keys_filter,
    slices_uri,
)

if TYPE_CHECKING:
    from lance.fragment import FragmentMetadata


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
            rows = _stored_precision(rows, case)
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
        gathered = {key: rows for waiting in self._rows.values() for key, rows in waiting.items()}
        items = [(self._puts[key], rows) for key, rows in sorted(gathered.items())]
        if not items:
            return
        import lance

        with lance_faults("write slices to the index"):
            # Through Lance alone: importing lancedb takes longer than all the rest of a small
            # run. That no vector is NaN, which lancedb would refuse, `put` has made sure of.
            batch = schema.slices_batch(items, self._index.slices.schema)
            lance.write_dataset(
                [batch], slices_uri(self._index.folder), batch.schema, mode="append"
            )
            self._index.slices.checkout_latest()
        for content, waiting in self._rows.items():
            self._written().setdefault(content, set()).update(waiting)
        self._rows, self._gathered = {}, 0

    def _commit_cases(self) -> int:
        import lance
        from lance.dataset import Transaction

        with lance_faults("commit to the index"):
            uri = cases_uri(self._index.folder)
            head = lance.dataset(uri)
            removed, updated = _delete(head, self._gone | (self._held & set(self._puts)))
            operation = lance.LanceOperation.Update(
                removed_fragment_ids=removed,
                updated_fragments=updated,
                new_fragments=_new_fragments(self._puts.values(), head, uri),
            )
            properties = {METADATA_KEY: self._entry()}
            transaction = Transaction(
                read_version=head.version,
                operation=operation,
                transaction_properties=properties,
            )
            return int(lance.LanceDataset.commit(uri, transaction).version)

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


def _delete(
    head: object, keys: Iterable[Key], batch: int = 500
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
    for fragment in head.get_fragments():  # type: ignore[attr-defined]
        left = fragment.delete(condition)
        if left is None:
            removed.append(fragment.fragment_id)
        elif left.to_json() != fragment.metadata.to_json():
            updated.append(left)
    return removed, updated


def _new_fragments(cases: Iterable[IndexedCase], head: object, uri: str) -> list[FragmentMetadata]:
    import lance

    table = schema.cases_table(cases, head.schema)  # type: ignore[attr-defined]
    if not table.num_rows:
        return []
    fragments: list[FragmentMetadata] = lance.fragment.write_fragments(
        table, uri, schema=table.schema, data_storage_version=STORAGE_VERSION
    )
    return fragments


def _stored_precision(rows: Embedded, case: IndexedCase) -> Embedded:
    """Check the embeddings and round them as the table will, so that checksums agree."""
    norms = np.linalg.norm(rows.embedding.astype(np.float32), axis=1)
    if not (np.isfinite(norms).all() and np.abs(norms - 1).max() < 0.01):
        raise StoreError(
            f"the embedder returned rows that are not finite unit vectors for "
            f"{case.split}/{case.case_id}; this is a fault of the embedder, report it"
        )
    return dataclasses.replace(rows, embedding=schema.as_stored(rows.embedding))
