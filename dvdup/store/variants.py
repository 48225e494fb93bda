"""The table of variant rows: what candidates are found by, one row a content.

```
<folder>/cache/variants.lance   key, payload, seal
```

A cache beside the index, append-only, made anew where it is damaged: the payload of a case is
sealed under its key with the key of the index, and one that was damaged or edited counts as
missing. Appends make fragments; where they are many, or most rows are of nobody, the table is
written anew.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Executor, Future
from contextlib import suppress
from datetime import timedelta
from functools import partial
from hmac import compare_digest
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dvdup.hashing import seal
from dvdup.sealed import SealedFiles
from dvdup.store.index import STORAGE_VERSION, quoted
from dvdup.store.place import remove_table
from dvdup.store.small_files import size_of

if TYPE_CHECKING:
    import lance

T = TypeVar("T")
R = TypeVar("R")

NAME = "cache/variants.lance"
_TYPES = {"key": "string", "payload": "large_binary", "seal": "string"}
_BATCH = 64  # rows that are read at once
_AHEAD = 4  # batches that are read before they are asked for
_MOST_SCANNED = 4  # times as many rows as are wanted are read rather than looked up
_MOST_FRAGMENTS = 64
_MOST_GONE = 3  # rows of nobody are dropped once they are more than one in so many


class VariantTable:
    """The variant rows beside one index; where they cannot be kept, those of this run alone."""

    def __init__(self, sealed: SealedFiles) -> None:
        """Open nothing yet.

        Args:
            sealed: The caches of the index.
        """
        self._sealed = sealed
        self._folder = sealed.path(NAME)
        self._beside: dict[str, bytes] = {}
        self._bad: set[str] = set()  # damaged rows that could not be dropped
        self._is_lost = False  # damaged, and could not be taken away
        self.losses = 0
        """How often rows turned out to be damaged: what was read until then may lack some."""

    def keys(self) -> set[str]:
        """The keys of all rows, whether their payloads are whole or not."""
        found: set[str] = set()
        table = self._opened()
        if table is not None:
            try:
                found.update(table.to_table(columns=["key"]).column("key").to_pylist())
            except _faults():
                self.clear()
        return (found - self._bad) | set(self._beside)

    def read(
        self, keys: Collection[str], parse: Callable[[bytes], T], pool: Executor
    ) -> Iterator[tuple[str, T]]:
        """Stream the payloads of some keys, in stored order; what is not there is left out.

        A payload that is not believed is dropped, so that it is missing from then on, and counts as
        one of `losses`.

        Args:
            keys: The rows that are wanted.
            parse: Makes something of a payload that is believed.
            pool: Threads that check seals and parse.
        """
        wanted, table = frozenset(keys) - set(self._beside) - self._bad, self._opened()
        for key in sorted(set(keys) & set(self._beside)):
            yield key, parse(self._beside[key])
        if table is None or not wanted:
            return
        secret, damaged, left = self._sealed.key(), list[str](), set(wanted)
        try:
            batches = _batches(table, wanted)
            for found, lost in _ahead(pool, partial(_believed, wanted, secret, parse), batches):
                damaged += lost
                for key, each in found:
                    if key in left:
                        left.discard(key)
                        yield key, each
        except _faults():
            self.clear()
        if damaged:
            self.losses += 1
            self._sealed.damaged.add(NAME)
            try:
                self._drop(table, damaged)
            except _faults():
                self._bad.update(damaged)

    def add(self, rows: Mapping[str, bytes]) -> None:
        """Append rows; where the table cannot be written they last for this run."""
        if not rows:
            return
        import lance
        import pyarrow as pa

        self._beside.update((key, rows[key]) for key in self._bad & set(rows))
        secret = self._sealed.key()
        keys = sorted(set(rows) - self._bad)
        if not keys:
            return
        table = pa.table(
            {
                "key": pa.array(keys, pa.string()),
                "payload": pa.array([rows[key] for key in keys], pa.large_binary()),
                "seal": pa.array([seal(secret, key, rows[key]) for key in keys], pa.string()),
            }
        )
        folder = self._writable()
        if folder is None:
            self._beside.update(rows)
            return
        mode = "create" if self._opened() is None else "append"
        try:
            lance.write_dataset(table, str(folder), mode=mode, data_storage_version=STORAGE_VERSION)
        except _faults():
            self._beside.update(rows)

    def add_for_now(self, rows: Mapping[str, bytes]) -> None:
        """Take rows that are not to be kept."""
        self._beside.update(rows)

    def prune(self, keys: Collection[str]) -> None:
        """Drop rows of nobody where they are many, and join fragments where these are.

        Args:
            keys: The rows that are still wanted.
        """
        table = self._opened()
        if table is None:
            return
        with suppress(*_faults()):
            there = self.keys()
            gone = there - set(keys)
            if _MOST_GONE * len(gone) > len(there) or len(table.get_fragments()) > _MOST_FRAGMENTS:
                self._drop(table, gone)

    def wasted(self, keys: Collection[str]) -> tuple[int, int]:
        """How many rows and older versions are of nobody, and about how many bytes they take.

        Args:
            keys: The rows that are still wanted.
        """
        table = self._opened()
        if table is None:
            return 0, 0
        with suppress(*_faults()):
            there = self.keys()
            gone = len(there - set(keys))
            size = sum(map(size_of, table.get_fragments()))
            old = table.explain_cleanup_old_versions(timedelta(0), delete_unverified=True).stats
            share = size * gone // max(1, len(there))
            return gone + int(old.old_versions), share + int(old.bytes_removed)
        return 0, 0

    def tidy(self, keys: Collection[str]) -> None:
        """Drop the rows of nobody and older files.

        Args:
            keys: The rows that are still wanted.
        """
        table = self._opened()
        if table is not None:
            with suppress(*_faults()):
                self._drop(table, self.keys() - set(keys))

    def _drop(self, table: lance.LanceDataset, keys: Collection[str]) -> None:
        if keys:
            table.delete(f"key IN ({', '.join(quoted(key) for key in sorted(keys))})")
        table.optimize.compact_files(materialize_deletions_threshold=0.0)
        table.cleanup_old_versions(timedelta(0))

    def clear(self) -> None:
        """Take a damaged table away; its rows are made anew."""
        self.losses += 1
        self._sealed.damaged.add(NAME)
        if self._folder is not None:
            try:
                remove_table(self._folder)
            except OSError:
                self._is_lost = True

    def _writable(self) -> Path | None:
        """The folder of the table; None where nothing can be kept."""
        if self._folder is None or self._folder.is_symlink() or self._is_lost:
            return None
        try:
            self._folder.parent.mkdir(parents=True, exist_ok=True)
        except OSError:
            return None
        return self._folder

    def _opened(self) -> lance.LanceDataset | None:
        """The table, or None; one that cannot be opened is taken away."""
        import lance

        if self._folder is None or self._folder.is_symlink() or not self._folder.is_dir():
            return None
        if self._is_lost:
            return None
        try:
            table = lance.dataset(str(self._folder))
        except _faults():
            self.clear()
            return None
        if {field.name: str(field.type) for field in table.schema} == _TYPES:
            return table
        self.clear()
        return None


def _batches(table: lance.LanceDataset, wanted: Collection[str]) -> Iterator[Any]:
    """Record batches that hold all wanted rows; where these are few, no others."""
    keys = table.to_table(columns=["key"]).column("key").to_pylist()
    places = [place for place, key in enumerate(keys) if key in wanted]
    if _MOST_SCANNED * len(places) > len(keys):
        yield from table.to_batches(batch_size=_BATCH)
        return
    for start in range(0, len(places), _BATCH):
        yield from table.take(places[start : start + _BATCH]).to_batches()


def _ahead(pool: Executor, function: Callable[[Any], R], items: Iterable[Any]) -> Iterator[R]:
    """Results in the order of the items, a few of which are worked on before they are asked for."""
    waiting = deque[Future[R]]()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) > _AHEAD:
            yield waiting.popleft().result()
    yield from (each.result() for each in waiting)


def _believed(
    wanted: Collection[str], secret: bytes, parse: Callable[[bytes], T], batch: Any
) -> tuple[list[tuple[str, T]], list[str]]:
    """What was made of the wanted rows of a batch, and the keys of those that are damaged."""
    found, damaged = [], []
    payloads, seals = batch.column("payload"), batch.column("seal")
    for number, key in enumerate(batch.column("key").to_pylist()):
        if key in wanted:
            buffer = payloads[number].as_buffer()
            payload = b"" if buffer is None else buffer.to_pybytes()
            if compare_digest(seals[number].as_py() or "", seal(secret, key, payload)):
                found.append((key, parse(payload)))
            else:
                damaged.append(key)
    return found, damaged


def _faults() -> tuple[type[BaseException], ...]:
    """What Lance raises where files are damaged, gone, or cannot be written."""
    return (OSError, ValueError, RuntimeError)
