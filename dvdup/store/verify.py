"""Read everything back and compare checksums: what `dvdup status --verify` does."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from dvdup.errors import StoreError
from dvdup.store import schema
from dvdup.store.faults import lance_faults
from dvdup.store.index import ROW_COLUMNS, Index

if TYPE_CHECKING:
    import pyarrow as pa


def find_damage(
    index: Index, progress: Callable[[int, int], None] = lambda done, total: None
) -> tuple[str, ...]:
    """Compare every row of the newest version with its checksum.

    Lance notices a file that is missing or cut off, not bytes that were overwritten.

    Args:
        index: The index.
        progress: Called with (slices read, slices in all).

    Returns:
        One line for each fault, empty if all is well.
    """
    faults: list[str] = []
    checks = (
        _invalid_files(index),
        _closed_to_lancedb(index),
        _damaged_case_rows(index),
        _damaged_slices(index, progress),
    )
    for check in checks:
        try:
            faults.extend(check)
        except StoreError as error:
            faults.append(str(error))
    return tuple(dict.fromkeys(faults))


def _invalid_files(index: Index) -> Iterator[str]:
    for name, dataset in (("cases", index.dataset), ("slices", index.slices)):
        with lance_faults(f"read the table {name}"):
            dataset.validate()
    yield from ()


def _closed_to_lancedb(index: Index) -> Iterator[str]:
    """Whether lancedb, with which others work on the index, sees the same rows as Lance."""
    import lancedb

    with lance_faults("open the index with lancedb"):
        storage = index.storage
        options = {"storage_options": storage.options} if storage.options else {}
        tables = lancedb.connect(storage.database, **options)
        for name, dataset in (("cases", index.dataset), ("slices", index.slices)):
            table = tables.open_table(name)
            if table.version == dataset.version and table.count_rows() != dataset.count_rows():
                yield (
                    f"lancedb and Lance do not find the same rows in the table {name}; "
                    "`dvdup sync --rebuild` makes the index anew"
                )


def _damaged_case_rows(index: Index) -> Iterator[str]:
    with lance_faults("read the table cases"):
        for batch in index.dataset.to_batches(batch_size=64):
            for row in batch.to_pylist():
                if schema.row_hash(schema.case_from(row)) != row["row_hash"]:
                    yield (
                        f"the row of {row['split']}/{row['case_id']} does not match its "
                        "checksum; `dvdup sync --rebuild` makes the index anew"
                    )


def _damaged_slices(index: Index, progress: Callable[[int, int], None]) -> Iterator[str]:
    cases = index.cases
    streams = [schema.checksum_stream() for _ in cases]
    seen = np.zeros(len(cases), dtype=np.int64)
    total = sum(case.n_slices for case in cases)
    for codes, batch in index.batches(cases, ROW_COLUMNS):
        for start, stop in _runs(codes):
            rows = schema.rows_from(_part(batch, start, stop))
            streams[codes[start]].update(schema.packed(rows))
        seen += np.bincount(codes, minlength=len(cases))
        progress(int(seen.sum()), total)
    for case, n, stream in zip(cases, seen.tolist(), streams, strict=True):
        if n != case.n_slices or (n and stream.hexdigest() != case.checksum):
            yield (
                f"the slices of {case.split}/{case.case_id} do not match their checksum "
                f"({n} of {case.n_slices} there); `dvdup sync --rebuild` makes the index anew"
            )


def _runs(codes: np.ndarray) -> Iterator[tuple[int, int]]:
    """(start, stop) of each stretch of equal codes."""
    borders = np.flatnonzero(np.diff(codes)) + 1
    edges = [0, *borders.tolist(), len(codes)]
    yield from itertools.pairwise(edges)


def _part(batch: pa.RecordBatch, start: int, stop: int) -> pa.RecordBatch:
    return batch.slice(start, stop - start)
