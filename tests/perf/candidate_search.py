"""How long the search for candidates takes, from rows that are made: no files, no voxels.

    python tests/perf/candidate_search.py [--cases 250 500 1000] [--jobs N]

For each number N, N cases of train and N of test get random rows of as many slices as a small crop
has (72 slices, 324 cropped ones, 12 that ask under every change), kept in a table as beside an
index. Printed: seconds of the first search of all test cases among all train cases, of the search
when one more case comes to test, and to train, and the most memory that the process had.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np

from dvdup.compare.search import Known, Search
from dvdup.compare.variant_rows import ASKING, CELLS, DIMENSIONS, VariantRows
from dvdup.compare.variant_store import network_for
from dvdup.sealed import SealedFiles
from dvdup.store.variants import VariantTable
from dvdup.workers import reader_threads

_PROJECTION = network_for("builtin").projection
_CELLS = 1 / (3 + np.arange(CELLS))
"""How often rows lie in each cell: as unevenly as those of hippocampi do."""


def made_up(seed: int) -> VariantRows:
    """Rows of a case that are strewn about centres of cells, a quarter as far as to the next."""
    rng = np.random.default_rng(seed)
    centres = _PROJECTION.centres.astype(np.float32) / 127

    def rows(*shape: int) -> np.ndarray:
        values = centres[rng.choice(CELLS, shape, p=_CELLS / _CELLS.sum())]
        values += rng.normal(size=values.shape, scale=0.05)
        values /= np.linalg.norm(values, axis=-1, keepdims=True)
        return np.rint(values * 127).astype(np.int8)

    slices, crops, asking = rows(72), rows(324), rows(len(ASKING), 12)
    return VariantRows(
        slices,
        crops,
        asking,
        np.zeros(12, np.uint8),
        _PROJECTION.cell(slices),
        _PROJECTION.cell(crops),
        _PROJECTION.asked_cells(asking.reshape(-1, DIMENSIONS)).reshape(len(ASKING), 12, -1),
    )


def fill(table: VariantTable, names: Sequence[str], first: int) -> None:
    for start in range(0, len(names), 256):
        block = names[start : start + 256]
        payloads = [made_up(first + start + n).to_bytes() for n in range(len(block))]
        table.add(dict(zip(block, payloads, strict=True)))


def measure(n: int, folder: Path, jobs: int) -> None:
    table = VariantTable(SealedFiles(folder, lambda: b"k" * 32))
    train, test = ([f"{split}{i:06}" for i in range(n + 1)] for split in ("train", "test"))
    fill(table, train, 0)
    fill(table, test, n + 1)

    def stream(contents: Collection[str]) -> Iterator[tuple[str, VariantRows]]:
        return table.read(contents, VariantRows.from_bytes, pool)

    with reader_threads(jobs) as pool:
        search = Search(stream, stream, pool)
        known, seconds = Known(), []
        for asking, others in ((test[:n], train[:n]), (test, train[:n]), (test, train)):
            start = time.perf_counter()
            known = search.update(known, asking, others, 1)
            seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    first, more_test, more_train = seconds
    print(
        f"{n:,} x {n:,}: {first:.1f} s ({1e3 * first / n**2:.3f} ms a pair); one more test case "
        f"{more_test:.2f} s, one more train case {more_train:.2f} s; {peak:,.0f} MB",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--cases", type=int, nargs="+", default=[250, 500, 1000])
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    for n in asked.cases:
        with tempfile.TemporaryDirectory() as folder:
            measure(n, Path(folder), asked.jobs)


if __name__ == "__main__":
    main()
