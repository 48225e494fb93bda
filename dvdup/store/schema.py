"""How records become Arrow rows and back; the two schemas of the index.

`cases` is the commit point. `slices` only grows: a slice row counts if its (split, case_id,
content) stands in `cases` at the version one looks at.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dvdup.records import Embedded, FileStat, IndexedCase

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 4
"""Raised whenever an index written by an older dvdup can no longer be read."""

_LIGHT = (
    "split", "case_id", "group", "origin", "series", "instances", "status", "reason", "notes",
    "files",
    "content", "voxel_hashes", "value_hashes", "slice_hashes", "n_channels", "n_slices", "shape",
    "spacing", "modality", "checksum", "row_hash",
)  # fmt: skip
_HEAVY = ("proxy", "proxy_shape")


def cases_schema(metadata: dict[str, str]) -> pa.Schema:
    """Schema of `cases`; `metadata` pins what the index was made with."""
    import pyarrow as pa

    text = pa.string()
    file = pa.struct(
        [
            ("path", text),
            ("size", pa.int64()),
            ("mtime_ns", pa.int64()),
            ("file_hash", text),
            ("ctime_ns", pa.int64()),
            ("inode", pa.int64()),
        ]
    )
    types = {
        "notes": pa.list_(text),
        "files": pa.list_(file),
        "voxel_hashes": pa.list_(text),
        "value_hashes": pa.list_(text),
        "instances": pa.large_binary(),
        "slice_hashes": pa.large_binary(),
        "n_channels": pa.int32(),
        "n_slices": pa.int32(),
        "shape": pa.list_(pa.int32()),
        "spacing": pa.list_(pa.float64()),
        "proxy": pa.large_binary(),
        "proxy_shape": pa.list_(pa.int32()),
    }
    fields = [pa.field(name, types.get(name, text)) for name in (*_LIGHT, *_HEAVY)]
    return pa.schema(fields, metadata=metadata)


def slices_schema(dimensions: int) -> pa.Schema:
    """Schema of `slices`: one row a slice, embeddings as float16 unit rows."""
    import pyarrow as pa

    return pa.schema(
        [
            ("split", pa.string()),
            ("case_id", pa.string()),
            ("content", pa.string()),
            ("channel", pa.int16()),
            ("plane", pa.uint8()),
            ("index", pa.int32()),
            ("position_mm", pa.float32()),
            ("embedding", pa.list_(pa.float16(), dimensions)),
        ]
    )


def cases_table(cases: Iterable[IndexedCase], schema: pa.Schema) -> pa.Table:
    """Turn cases into rows of `cases`, sorted by (split, case_id)."""
    import pyarrow as pa

    rows = []
    for case in sorted(cases, key=lambda case: case.key):
        row = {field.name: getattr(case, field.name) for field in dataclasses.fields(case)}
        row["files"] = [dataclasses.asdict(stat) for stat in case.files]
        row["row_hash"] = row_hash(case)
        rows.append(row)
    return pa.Table.from_pylist(rows, schema=schema)


def light_columns() -> list[str]:
    """Every column of `cases` but the proxies, which only verification reads."""
    return list(_LIGHT)


def cases_from(table: pa.Table) -> tuple[IndexedCase, ...]:
    """Read rows of `cases` (with or without proxies), sorted by (split, case_id)."""
    return tuple(sorted(map(case_from, table.to_pylist()), key=lambda case: case.key))


def case_from(row: dict[str, Any]) -> IndexedCase:
    """One row of `cases`, as Arrow gives it."""
    row = dict(row)
    del row["row_hash"]
    row["files"] = tuple(FileStat(**stat) for stat in row["files"])
    for name in ("notes", "voxel_hashes", "value_hashes", "shape", "spacing"):
        row[name] = tuple(row[name])
    row["proxy_shape"] = tuple(row.get("proxy_shape") or ())
    return IndexedCase(**row)


def row_hash(case: IndexedCase) -> str:
    """blake2b-128 hex over every field of the row: Lance itself keeps no checksums."""
    digest = hashlib.blake2b(digest_size=16)
    row = dataclasses.asdict(case)
    for name in ("proxy", "slice_hashes", "instances"):
        payload = row.pop(name)
        digest.update(len(payload).to_bytes(8, "little") + payload)
    digest.update(json.dumps(row, sort_keys=True, ensure_ascii=False).encode())
    return digest.hexdigest()


def as_stored(embedding: np.ndarray) -> np.ndarray:
    """float32 (S, D) unit rows as they are stored: float16, C order."""
    return np.ascontiguousarray(embedding, dtype=np.float16)


def packed(rows: Embedded) -> bytes:
    """Slice rows as bytes, row by row, as checksums see them."""
    embedding = as_stored(rows.embedding)
    dtype = [("channel", "<i2"), ("plane", "u1"), ("index", "<i4"), ("position_mm", "<f4"),
             ("embedding", "<f2", (embedding.shape[1],))]  # fmt: skip
    table = np.empty(len(embedding), dtype=dtype)
    table["embedding"] = embedding
    for name in ("channel", "plane", "index", "position_mm"):
        table[name] = getattr(rows, name)
    return table.tobytes()


def checksum(rows: Embedded) -> str:
    """blake2b-128 hex of the slice rows of one case, as stored and in stored order."""
    return checksum_stream(packed(rows)).hexdigest()


def checksum_stream(start: bytes = b"") -> hashlib.blake2b:
    """A checksum to be fed block by block."""
    return hashlib.blake2b(start, digest_size=16)


def slices_batch(
    items: Sequence[tuple[IndexedCase, Embedded]], schema: pa.Schema
) -> pa.RecordBatch:
    """One record batch with the slice rows of several cases, case by case."""
    import pyarrow as pa

    counts = [len(rows.channel) for _, rows in items]
    embedding = np.concatenate([as_stored(rows.embedding) for _, rows in items])
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(embedding.ravel()), embedding.shape[1])
    columns = [_repeat([getattr(case, name) for case, _ in items], counts)
               for name in ("split", "case_id", "content")]  # fmt: skip
    for name in ("channel", "plane", "index", "position_mm"):
        joined = np.concatenate([getattr(rows, name) for _, rows in items])
        columns.append(pa.array(joined, type=schema.field(name).type))
    return pa.RecordBatch.from_arrays([*columns, vectors], schema=schema)


def _repeat(values: list[str], counts: list[int]) -> pa.Array:
    import pyarrow as pa

    codes = np.repeat(np.arange(len(values), dtype=np.int32), counts)
    return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(values)).cast(pa.string())


def embedding_of(batch: pa.RecordBatch) -> np.ndarray:
    """The embeddings of a batch as stored, float16 (B, D), without a copy."""
    column = batch.column(batch.schema.get_field_index("embedding"))
    flat: np.ndarray = column.flatten().to_numpy(zero_copy_only=True)
    return flat.reshape(len(batch), column.type.list_size)


def rows_from(batch: pa.RecordBatch) -> Embedded:
    """Slice rows in stored order; the embedding stays float16 (S, D)."""
    return Embedded(
        embedding=embedding_of(batch),
        channel=batch.column("channel").to_numpy(),
        plane=batch.column("plane").to_numpy(),
        index=batch.column("index").to_numpy(),
        position_mm=batch.column("position_mm").to_numpy(),
    )


def chosen_rows(rows: Embedded, chosen: np.ndarray) -> Embedded:
    """Some of some rows, copied.

    Args:
        rows: N rows.
        chosen: bool (N,).
    """
    return Embedded(*(getattr(rows, each.name)[chosen] for each in dataclasses.fields(rows)))


def joined_rows(parts: Sequence[Embedded]) -> Embedded:
    """Rows one behind the other; none for no parts."""
    if not parts:
        empty = np.zeros(0, np.int32)
        return Embedded(np.zeros((0, 0), np.float16), empty, empty, empty, empty)
    names = [each.name for each in dataclasses.fields(Embedded)]
    return Embedded(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def single_batch(table: pa.Table) -> pa.RecordBatch:
    """A table as one batch, also if it is empty."""
    import pyarrow as pa

    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)
