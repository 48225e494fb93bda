"""How well and how fast very many cases are searched: exactly, by shortlists, by an index of Lance.

    python tests/perf/approximate.py FOLDER [FOLDER...] [--slices 1000000] [--rows FILE]
        [--scans N] [--table FOLDER] [--indexes IVF_PQ ...] [--jobs 2] [--seed 0]

Every FOLDER holds NIfTI scans of one kind. They are read and their variant rows are made as dvdup
makes them; of one scan in seven two edited copies are embedded as well (`compose` and another edit,
all strong). These copies are the queries; their true sources lie among all scans.

So many strangers are added that there are --slices slices. Each is made from the rows of three
scans of one kind, A + w (B - C) with w from 0.6 to 0.9: every slice, crop and asking slice of A is
moved by the difference of the rows at the same place of B and C, and brought back to its length.
The second line tells how far they are like real ones: the median score of the nearest of some real
strangers, and of as many made ones.

Each search runs in a process of its own, whose seconds, seconds of the processor and most memory
are told, after what the scores of a pair cost in memory; all rows lie in one table on disk, as
beside an index. Recall: the share of queries whose source is the first of one of the two lists (so
that its voxels are compared), or on the shortlist. Ratios are to the exact search of the same run.
Then one more query comes, and one per cent of the cases are new: the seconds of these updates, and
whether their lists are those of a new search.

--rows keeps the rows of the real scans in a file, and --table all rows in a folder, for another
run. --indexes also builds vector indexes of Lance over all slices, asks them for the 64 nearest
slices of every asking row of a query, and ranks cases by what these count.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dvdup import voxels
from dvdup.compare.candidates import Nearest
from dvdup.compare.coarse import coarse_scores_of
from dvdup.compare.scores import Block, rank_scores_of, weights
from dvdup.compare.search import Known, Search
from dvdup.compare.shortlist import FIRST, Shortlists, from_json, to_json
from dvdup.compare.variant_rows import DIMENSIONS, VariantRows
from dvdup.compare.variant_store import network_for, rows_of_proxies
from dvdup.lab.evaluate.scans import UNEDITED, Scan, read_scan
from dvdup.records import Case
from dvdup.sealed import SealedFiles
from dvdup.store.variants import VariantTable
from dvdup.workers import reader_threads

_NETWORK = network_for("builtin")
_EVERY = 7  # one scan in so many is edited
_EDITS = ("crop", "rotation", "noise", "slab")
_NEAREST = 64  # slices that an index of Lance is asked for
_BLOCK = 250  # made cases that are written at once
_COMPARED = 150  # strangers by which made cases are compared with real ones
Name = tuple[str, str]
"""A scan, and the edit."""


def read(folders: Sequence[Path], most: int) -> dict[Name, VariantRows]:
    """The rows of the scans of all folders, and of edited copies of some."""
    embed, found = _NETWORK.load().embed, {}

    def rows(scan: Scan) -> VariantRows:
        proxies = np.stack([voxels.proxy(values) for values in scan.channels])
        shape = scan.channels[0].shape
        return rows_of_proxies(proxies, shape, scan.spacing, embed, _NETWORK.projection)

    for folder in folders:
        for number, file in enumerate(sorted(folder.glob("*.nii*"))[:most]):
            scan = read_scan(folder, Case("all", file.name, (file.name,)))
            name = f"{folder.name}/{file.name}"
            found[name, UNEDITED] = rows(scan)
            if number % _EVERY == 0:
                other = _EDITS[number // _EVERY % len(_EDITS)]
                for edit in ("compose", other):
                    found[name, edit] = rows(scan.edited(edit, "strong"))
    return found


def kept(file: Path, make: Callable[[], dict[Name, VariantRows]]) -> dict[Name, VariantRows]:
    """Rows from a file, which is written if it is not there."""
    if not file.exists():
        parts = {"|".join(name): each.to_bytes() for name, each in make().items()}
        np.savez(file, **{name: np.frombuffer(each, np.uint8) for name, each in parts.items()})
    with np.load(file) as stored:
        return {
            (name.split("|")[0], name.split("|")[1]): VariantRows.from_bytes(stored[name].tobytes())
            for name in stored.files
        }


def moved(scans: Sequence[VariantRows], rng: np.random.Generator) -> VariantRows:
    """A stranger, made from three scans of one kind."""
    weight = rng.uniform(0.6, 0.9)
    slices, crops, asking = (
        _moved([getattr(scan, name) for scan in scans], weight)
        for name in ("slices", "crops", "asking")
    )
    projection = _NETWORK.projection
    asked = projection.asked_cells(asking.reshape(-1, DIMENSIONS))
    return VariantRows(
        slices,
        crops,
        asking,
        scans[0].channel,
        projection.cell(slices),
        projection.cell(crops),
        asked.reshape(*asking.shape[:2], -1),
    )


def _moved(rows: Sequence[np.ndarray], weight: float) -> np.ndarray:
    """A + weight * (B - C), int8, where rows lie at the same share of the way."""
    axis = rows[0].ndim - 2
    n = rows[0].shape[axis]
    first, plus, minus = (
        each.take(np.arange(n) * each.shape[axis] // n, axis=axis).astype(np.float32)
        for each in rows
    )
    made = first + np.float32(weight) * (plus - minus)
    made /= np.maximum(np.linalg.norm(made, axis=-1, keepdims=True), 1e-6)
    return np.rint(made * 127).astype(np.int8)


def _stranger(real: Mapping[str, VariantRows], seed: int, number: int) -> tuple[str, VariantRows]:
    rng = np.random.default_rng([seed, number])
    names = sorted(real)
    one = names[rng.integers(len(names))]
    alike = [each for each in names if each.split("/")[0] == one.split("/")[0] and each != one]
    others = [alike[i] for i in rng.choice(len(alike), 2, replace=False)]
    return f"made{number:06}", moved([real[each] for each in (one, *others)], rng)


def _add_strangers(folder: Path, rows: Path, numbers: range, seed: int) -> int:
    """Make some cases and keep them; the number of their slices."""
    real = _scans(kept(rows, dict))
    table, n_slices = table_in(folder), 0
    for start in range(0, len(numbers), _BLOCK):
        made = dict(_stranger(real, seed, n) for n in numbers[start : start + _BLOCK])
        table.add({name: each.to_bytes() for name, each in made.items()})
        n_slices += sum(len(each.slices) for each in made.values())
    return n_slices


def table_in(folder: Path) -> VariantTable:
    """The table of all rows."""
    return VariantTable(SealedFiles(folder, lambda: b"k" * 32))


@dataclass(frozen=True)
class Task:
    """What a search process does."""

    folder: Path
    queries: tuple[str, ...]
    others: tuple[str, ...]
    jobs: int

    def search(self, pool: Executor) -> Search:
        """A search in the table."""
        table = table_in(self.folder)

        def stream(contents: Collection[str]) -> Iterator[tuple[str, VariantRows]]:
            return table.read(contents, VariantRows.from_bytes, pool)

        return Search(stream, stream, pool)


@dataclass(frozen=True)
class Cost:
    """What a step took."""

    seconds: float
    cpu: float

    def said(self, other: Cost | None = None) -> str:
        """In words, beside another one."""
        ratio = "" if other is None else f", {self.cpu / other.cpu:.3f} of exact"
        return f"{self.seconds:.1f} s ({self.cpu:.1f} s of the processor{ratio})"


def timed(step: Callable[[], Any]) -> tuple[Any, Cost]:
    """What a step gives, and what it took."""
    start, cpu = time.perf_counter(), time.process_time()
    found = step()
    return found, Cost(time.perf_counter() - start, time.process_time() - cpu)


def in_process(function: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    """What a function gives in a process of its own, and the most memory in MB."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measured, (function, arguments))


def _measured(function: Callable[..., Any], arguments: Sequence[Any]) -> tuple[Any, float]:
    found = function(*arguments)
    return found, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def exact(task: Task) -> dict[str, Any]:
    """The exact search, and its updates."""
    with reader_threads(task.jobs) as pool:
        search, (*old, last) = task.search(pool), task.queries
        new = len(task.others) // 100
        known, first = timed(lambda: search.update(Known(), old, task.others[new:], 1))
        known, query = timed(lambda: search.update(known, task.queries, task.others[new:], 1))
        known, cases = timed(lambda: search.update(known, task.queries, task.others, 1))
    return {"nearest": known.nearest, "first": first, "query": query, "cases": cases, "last": last}


def by_shortlists(task: Task) -> dict[str, Any]:
    """The search by shortlists, its updates, and whether they are those of a new search."""
    with reader_threads(task.jobs) as pool:
        search, old = task.search(pool), task.queries[:-1]
        new = len(task.others) // 100
        none = Shortlists()
        known, first = timed(lambda: none.update(search, old, task.others[new:]))
        known, query = timed(lambda: known.update(search, task.queries, task.others[new:]))
        known, cases = timed(lambda: known.update(search, task.queries, task.others))
        fresh = none.update(search, task.queries, task.others)
    text = to_json(known)
    _, lists = timed(lambda: from_json(to_json(known)))
    return {
        "nearest": known.nearest(),
        "scores": known.scores,
        "first": first,
        "query": query,
        "cases": cases,
        "equal": known.nearest() == fresh.nearest(),
        "lists": f"{len(text) / len(task.queries):,.0f} bytes and "
        f"{1e6 * lists.cpu / len(task.queries):,.0f} us to write and read",
    }


def by_lance(task: Task, kind: str) -> dict[str, Any]:
    """Build an index of Lance over all slices, and rank cases by the nearest slices."""
    import lance
    import pyarrow as pa

    place = str(task.folder / f"{kind}.lance")
    with reader_threads(task.jobs) as pool:
        rows = task.search(pool).asking

        def batches() -> Iterator[pa.RecordBatch]:
            for name, each in rows(task.others):
                unit = (each.slices.astype(np.float32) / 127).astype(np.float16)
                vectors = pa.FixedSizeListArray.from_arrays(pa.array(unit.ravel()), DIMENSIONS)
                names = pa.array([name] * len(unit))
                yield pa.record_batch({"vector": vectors, "case": names})

        schema = pa.schema(
            {"vector": pa.list_(pa.field("item", pa.float16()), DIMENSIONS), "case": pa.string()}
        )
        reader = pa.RecordBatchReader.from_batches(schema, batches())
        table = lance.write_dataset(reader, place, mode="overwrite", data_storage_version="2.2")
        cells = math.isqrt(table.count_rows())
        options = {"num_sub_vectors": 16} if "PQ" in kind else {}
        _, build = timed(
            lambda: table.create_index(
                "vector", kind, metric="cosine", num_partitions=cells, replace=True, **options
            )
        )
        table = lance.dataset(place)
        asking = dict(rows(task.queries))
        ranked, search = timed(lambda: {name: _votes(table, each) for name, each in asking.items()})
    size = sum(file.stat().st_size for file in Path(place).rglob("*") if file.is_file())
    return {"ranked": ranked, "build": build, "search": search, "megabytes": size / 1e6}


def _votes(table: Any, case: VariantRows) -> list[str]:
    """Cases, best first, by what their slices count among the nearest of each asking row."""
    asking = (case.asking.reshape(-1, DIMENSIONS).astype(np.float32) / 127).astype(np.float16)
    wanted = {"column": "vector", "q": asking, "k": _NEAREST, "metric": "cosine", "nprobes": 8}
    found = table.scanner(columns=["case", "_distance"], nearest=wanted).to_table()
    counts = weights(1 - found.column("_distance").to_numpy())
    best: dict[tuple[int, str], float] = {}
    for query, name, count in zip(
        found.column("query_index").to_pylist(), found.column("case").to_pylist(), counts.tolist(),
        strict=True,
    ):  # fmt: skip
        best[query, name] = max(count, best.get((query, name), 0.0))
    sums: dict[str, float] = {}
    for (_, name), count in best.items():
        sums[name] = sums.get(name, 0.0) + count
    return sorted(sums, key=lambda name: (-sums[name], name))


def likeness(real: Mapping[Name, VariantRows], made: Sequence[VariantRows]) -> str:
    """How far made strangers are like real ones, in scores of the nearest."""
    scans = _scans(real)
    kind = next(iter(scans)).split("/")[0]
    asking = [each for each in scans if each.startswith(kind)][:10]
    others = [each for each in scans if each.startswith(kind)][10 : 10 + _COMPARED]
    ask = Block([scans[each] for each in asking])
    best = [
        np.median(rank_scores_of(ask, Block(group)).change.max(axis=1)) / (1 << 20)
        for group in ([scans[each] for each in others], list(made)[: len(others)])
    ]
    return (
        f"nearest of {len(others)} strangers, median score by change: real {best[0]:.4f}, made "
        f"{best[1]:.4f}"
    )


def kernels(real: Mapping[Name, VariantRows]) -> str:
    """What the scores of a pair cost, and what is kept of a case, on real rows in memory."""
    scans = [each for name, each in _scans(real).items() if len(each.channel) == 12]
    ask, known = (scans * 3)[:128], (scans * 4)[:512]
    parts = []
    for name, score, asking in (
        ("rank", rank_scores_of, ask),
        ("coarse", coarse_scores_of, ask),
        ("rank, on a shortlist", rank_scores_of, ask[:1]),
    ):
        x, y = Block(asking), Block(known)
        score(Block(ask[:1]), Block(known[:1]))
        _, cost = timed(lambda score=score, x=x, y=y: score(x, y))
        parts.append(f"{name} {1e6 * cost.cpu / len(asking) / len(known):.1f}")
    size = np.mean([len(each.to_bytes()) for each in scans])
    return f"us a pair: {', '.join(parts)}; {size:,.0f} bytes of rows a case"


def recall(nearest: Mapping[str, Nearest], source: Mapping[str, str]) -> float:
    """The share of queries whose source is the first of a list."""
    return float(
        np.mean(
            [
                source[name] in {ranking.entries[0][1] for ranking in nearest[name].rankings}
                for name in source
            ]
        )
    )


def tell(task: Task, source: Mapping[str, str], indexes: Sequence[str]) -> None:
    """Run all searches and print what they found and took."""
    one, peak = in_process(exact, task)
    print(
        f"exact: recall {recall(one['nearest'], source):.3f}, {one['first'].said()}; {peak:,.0f} MB"
    )
    print(
        f"  one more query {one['query'].said()}, one per cent new cases {one['cases'].said()}",
        flush=True,
    )
    two, peak = in_process(by_shortlists, task)
    listed = np.mean([source[name] in two["scores"][name] for name in source])
    equal = "equal" if two["equal"] else "NOT EQUAL"
    print(
        f"shortlists of {FIRST} + {FIRST}: recall {recall(two['nearest'], source):.3f} "
        f"({listed:.3f} on the shortlist), {two['first'].said(one['first'])}; {peak:,.0f} MB"
    )
    print(
        f"  one more query {two['query'].said(one['query'])}, one per cent new cases "
        f"{two['cases'].said(one['cases'])}; lists are {equal} to those of a new search, "
        f"{two['lists']} a query",
        flush=True,
    )
    for kind in indexes:
        found, peak = in_process(by_lance, task, kind)
        first, some = (
            np.mean([source[name] in found["ranked"][name][:n] for name in source])
            for n in (1, FIRST)
        )
        print(
            f"{kind}: recall {first:.3f} ({some:.3f} among {FIRST}), build "
            f"{found['build'].said()}, search {found['search'].said(one['first'])}; "
            f"{found['megabytes']:,.0f} MB on disk, {peak:,.0f} MB of memory",
            flush=True,
        )


def fill(folder: Path, rows: Path, n_slices: int, jobs: int, seed: int) -> None:
    """Keep the rows of all cases, real and made, in several processes."""
    real = kept(rows, dict)
    table_in(folder).add({"|".join(name): each.to_bytes() for name, each in real.items()})
    scans = _scans(real)
    mean = np.mean([len(each.slices) for each in scans.values()])
    n = max(_COMPARED, round((n_slices - mean * len(scans)) / mean))
    parts = [range(start, min(n, start + _BLOCK)) for start in range(0, n, _BLOCK)]
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        pool.starmap(_add_strangers, [(folder, rows, part, seed) for part in parts], chunksize=1)


def measure(folder: Path, rows: Path, asked: argparse.Namespace) -> None:
    """Fill the table, unless it is filled, and run all searches."""
    if not any(folder.iterdir()):
        fill(folder, rows, asked.slices, asked.jobs, asked.seed)
    real = kept(rows, dict)
    copies = {"|".join(name): name[0] for name in real if name[1] != UNEDITED}
    names = sorted(table_in(folder).keys() - copies.keys())
    made = dict(_stranger(_scans(real), asked.seed, n) for n in range(_COMPARED))
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(f"{len(names):,} cases, {size / 1e6:,.0f} MB; {len(copies)} queries", flush=True)
    print(likeness(real, list(made.values())), flush=True)
    print(kernels(real), flush=True)
    sources = {name: f"{source}|{UNEDITED}" for name, source in copies.items()}
    tell(Task(folder, tuple(copies), tuple(names), asked.jobs), sources, asked.indexes)


def _scans(real: Mapping[Name, VariantRows]) -> dict[str, VariantRows]:
    return {name: each for (name, edit), each in real.items() if edit == UNEDITED}


def main() -> None:
    """Make the rows and search them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--slices", type=int, default=1_000_000)
    parser.add_argument("--scans", type=int, default=1_000, help="of each folder, at most")
    parser.add_argument("--rows", type=Path)
    parser.add_argument("--table", type=Path)
    parser.add_argument("--indexes", nargs="*", default=[])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    folders = [folder.resolve() for folder in asked.folders]
    with tempfile.TemporaryDirectory() as place:
        rows, table = asked.rows or Path(place) / "rows.npz", asked.table or Path(place) / "table"
        table.mkdir(exist_ok=True)
        kept(rows, lambda: read(folders, asked.scans))
        measure(table, rows, asked)


if __name__ == "__main__":
    main()
