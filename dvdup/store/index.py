"""The index on disk: two Lance tables in one folder, read here.

```
<folder>/index/cases.lance    one row a case; its versions are the history of the index
<folder>/index/slices.lance   one row a slice; append only
```

`Index` reads; `writer.Writer` is the only one that writes rows. Both tables open with plain
`lancedb` too.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dvdup.errors import StoreDamagedError, StoreError, StoreMismatchError
from dvdup.records import Embedded, EmbedderSpec, IndexedCase
from dvdup.store import schema
from dvdup.store.faults import lance_faults
from dvdup.store.storage import Storage, storage_of

if TYPE_CHECKING:
    import lance
    import pyarrow as pa

METADATA_KEY = "dvdup"
ROW_COLUMNS = ("channel", "plane", "index", "position_mm", "embedding")
_KEY = ("split", "case_id", "content")
STORAGE_VERSION = "2.2"
"""The newest Lance file format that the Lance core inside lancedb reads as well."""


@dataclass(frozen=True, slots=True)
class IndexMeta:
    """What an index was made with; rows of different metas never mix."""

    embedder: EmbedderSpec
    recipe: dict[str, Any] = field(hash=False)
    recipe_hash: str
    format: int = schema.FORMAT

    def to_json(self) -> str:
        """Serialise for the schema metadata of `cases`."""
        return json.dumps(asdict(self), sort_keys=True)

    @staticmethod
    def from_json(text: str) -> IndexMeta:
        """Read it back.

        Raises:
            StoreMismatchError: A newer dvdup wrote it.
        """
        values = json.loads(text)
        if values["format"] != schema.FORMAT:
            raise StoreMismatchError(
                f"the index has format {values['format']}, this dvdup reads {schema.FORMAT}; "
                "update dvdup, or make it anew with `dvdup sync --rebuild`, which ends its tags "
                "and history"
            )
        values["embedder"] = EmbedderSpec(**values["embedder"])
        return IndexMeta(**values)


@dataclass(frozen=True, slots=True, eq=False)
class SliceBlock:
    """Slice rows as they stream out of Lance."""

    embedding: np.ndarray
    """float16 (B, D), unit rows, read-only."""
    case: np.ndarray
    """int32 (B,), position in the sequence of cases asked for."""
    channel: np.ndarray
    """int16 (B,)."""


class Index:
    """An open index at its newest version, or at an older one (`at`)."""

    def __init__(self, where: Path | Storage, version: int | str | None = None) -> None:
        """Open it.

        Args:
            where: The index folder (`.dvdup`), or where else it lies.
            version: A version number of `cases`; None for the newest.

        Raises:
            StoreError: There is no index.
            StoreDamagedError: Lance cannot open it.
        """
        self.storage = storage = storage_of(where)
        if not storage.exists():
            raise StoreError(
                f"no index in {storage.name}; make one with `dvdup sync` or `dvdup add`"
            )
        with lance_faults("open the index"):
            self._cases = open_table(storage, "cases", version)
            self._slices = open_table(storage, "slices")
        metadata = (self._cases.schema.metadata or {}).get(METADATA_KEY.encode())
        if metadata is None:
            raise StoreDamagedError(
                f"the table in {storage.table('cases')} is not one that dvdup made; move it "
                "elsewhere, or name another index with --index"
            )
        self.meta = IndexMeta.from_json(metadata.decode())

    @property
    def version(self) -> int:
        """Version of `cases` that is looked at."""
        return int(self._cases.version)

    @property
    def dataset(self) -> lance.LanceDataset:
        """The `cases` table, for the other modules of this room."""
        return self._cases

    @property
    def slices(self) -> lance.LanceDataset:
        """The `slices` table, for the other modules of this room."""
        return self._slices

    def at(self, version: int) -> Index:
        """The same index at an older version, on handles of its own."""
        return Index(self.storage, version)

    @functools.cached_property
    def cases(self) -> tuple[IndexedCase, ...]:
        """Every case, sorted by (split, case_id), without proxies."""
        with lance_faults("read the cases of the index"):
            return schema.cases_from(self._cases.to_table(columns=schema.light_columns()))

    def with_proxies(self, keys: Sequence[tuple[str, str]]) -> tuple[IndexedCase, ...]:
        """Some cases including their proxies."""
        with lance_faults("read the cases of the index"):
            found = [
                case
                for start in range(0, len(keys), 200)
                for case in schema.cases_from(
                    self._cases.to_table(filter=keys_filter(keys[start : start + 200]))
                )
            ]
        return tuple(sorted(found, key=lambda case: case.key))

    def blocks(self, cases: Sequence[IndexedCase], rows: int = 8192) -> Iterator[SliceBlock]:
        """Stream the slices of some cases, in stored order, in constant memory.

        Args:
            cases: Which ones; the codes in the blocks are positions in this sequence.
            rows: Rows a block, at most.

        Raises:
            StoreDamagedError: Lance cannot read them, or rows are missing.
        """
        seen = np.zeros(len(cases), dtype=np.int64)
        for case, batch in self.batches(cases, ["channel", "embedding"], rows):
            seen += np.bincount(case, minlength=len(cases))
            yield SliceBlock(schema.embedding_of(batch), case, batch.column("channel").to_numpy())
        self._demand_all(cases, seen)

    def batches(
        self, cases: Sequence[IndexedCase], columns: Sequence[str], rows: int = 8192
    ) -> Iterator[tuple[np.ndarray, pa.RecordBatch]]:
        """Stream live slice rows: int32 (B,) positions in `cases`, and the columns asked for."""
        import pyarrow as pa

        splits = sorted({case.split for case in cases})
        if not splits:
            return
        live = pa.array([_row_key(case) for case in cases], pa.string())
        with lance_faults("read the slices of the index"):
            for batch in self._slices.to_batches(
                columns=[*_KEY, *columns],
                filter=f"split IN ({', '.join(map(quoted, splits))})",
                batch_size=rows,
            ):
                case, kept = _live_rows(batch, live)
                if len(case):
                    yield case, kept

    def _demand_all(self, cases: Sequence[IndexedCase], seen: np.ndarray) -> None:
        for case, n in zip(cases, seen.tolist(), strict=True):
            if n != case.n_slices:
                raise StoreDamagedError(
                    f"the index holds {n} of {case.n_slices} slices of "
                    f"{case.split}/{case.case_id}; make it anew with `dvdup sync --rebuild`"
                )

    def rows_of(self, split: str, case_id: str, content: str) -> Embedded:
        """The slice rows of one case (or of an orphan that nothing refers to any more)."""
        with lance_faults("read the slices of the index"):
            table = self._slices.to_table(
                columns=list(ROW_COLUMNS),
                filter=f"content = {quoted(content)} AND {keys_filter([(split, case_id)])}",
            )
        return schema.rows_from(schema.single_batch(table))

    def rows_of_many(self, cases: Sequence[IndexedCase]) -> list[Embedded]:
        """The slice rows of some cases that have any, in memory, in one pass over the table.

        Raises:
            StoreDamagedError: Lance cannot read them, or rows are missing.
        """
        parts: list[list[Embedded]] = [[] for _ in cases]
        for codes, batch in self.batches(cases, ROW_COLUMNS):
            rows = schema.rows_from(batch)
            for code in np.unique(codes).tolist():
                parts[code].append(schema.chosen_rows(rows, codes == code))
        found = [schema.joined_rows(each) for each in parts]
        self._demand_all(cases, np.array([len(rows.channel) for rows in found]))
        return found

    def holders(self) -> dict[str, set[tuple[str, str]]]:
        """Who has slice rows, dead or alive: content key -> set of (split, case_id)."""
        found: dict[str, set[tuple[str, str]]] = {}
        with lance_faults("read the slices of the index"):
            for batch in self._slices.to_batches(columns=list(_KEY), batch_size=65536):
                table = _distinct(batch, list(_KEY))
                for row in table.to_pylist():
                    found.setdefault(row["content"], set()).add((row["split"], row["case_id"]))
        return found


def create(where: Path | Storage, meta: IndexMeta) -> Index:
    """Make an empty index. The caller holds the write lock.

    Left-overs of a creation that was killed are replaced: without `cases` nothing counts.
    """
    storage = storage_of(where)
    if not storage.exists():
        storage.clear()
        with lance_faults("create the index"):
            empty = schema.slices_schema(meta.embedder.dimensions).empty_table()
            _write_empty(storage, "slices", empty)
            cases = schema.cases_schema({METADATA_KEY: meta.to_json()}).empty_table()
            _write_empty(storage, "cases", cases)
    return Index(storage)


def exists(where: Path | Storage) -> bool:
    """Whether there is an index, perhaps damaged; see `tables.exists`."""
    return storage_of(where).exists()


def _write_empty(storage: Storage, name: str, table: pa.Table) -> None:
    import lance

    lance.write_dataset(
        table,
        storage.table(name),
        mode="create",
        data_storage_version=STORAGE_VERSION,
        storage_options=storage.options,
    )


def open_table(storage: Storage, name: str, version: int | str | None = None) -> lance.LanceDataset:
    """Open a table of an index, at its newest version or at another one."""
    import lance

    return lance.dataset(storage.table(name), version=version, storage_options=storage.options)


def quoted(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def keys_filter(keys: Sequence[tuple[str, str]]) -> str:
    """SQL condition that holds for exactly these (split, case_id)."""
    by_split: dict[str, list[str]] = {}
    for split, case_id in keys:
        by_split.setdefault(split, []).append(case_id)
    return " OR ".join(
        f"(split = {quoted(split)} AND case_id IN ({', '.join(map(quoted, ids))}))"
        for split, ids in sorted(by_split.items())
    )


def _row_key(case: IndexedCase) -> str:
    # Unit separator: control characters are refused in case ids, so no two keys run together.
    return "\x1f".join((case.split, case.case_id, case.content))


def _live_rows(batch: pa.RecordBatch, live: pa.Array) -> tuple[np.ndarray, pa.RecordBatch]:
    import pyarrow as pa
    import pyarrow.compute as pc

    codes = pc.index_in(
        pc.binary_join_element_wise(*(batch.column(name) for name in _KEY), "\x1f"), live
    )
    if not codes.null_count:
        return codes.to_numpy(), batch
    case: np.ndarray = pc.fill_null(codes, pa.scalar(-1, pa.int32())).to_numpy()
    keep = case >= 0
    return case[keep], batch.filter(pa.array(keep))


def _distinct(batch: pa.RecordBatch, names: list[str]) -> pa.Table:
    import pyarrow as pa

    return pa.Table.from_batches([batch]).group_by(names).aggregate([])
