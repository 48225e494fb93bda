"""`dvdup diff` on synthetic slices against faiss IndexFlatIP in the same run.

    python tests/perf/diff_against_faiss.py [--a 100000] [--b 20000] [--dimensions 128]

Two splits of random unit rows, 100 slices a case, go straight into an index. faiss searches
the nearest slice of a for every slice of b, with the float32 rows in memory already; dvdup reads
its float16 rows from disk and computes every score in both directions. Both nearest cases must
agree. Printed: seconds, ratio, agreement, peak memory.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import faiss
import numpy as np

from dvdup import store
from dvdup.compare.match import MatchSettings, Side, match
from dvdup.compare.refs import find_ref
from dvdup.records import Embedded, EmbedderSpec, IndexedCase
from dvdup.store import Index, IndexMeta, Writer

PER_CASE = 100


def fill(folder: Path, sizes: dict[str, int], dimensions: int) -> Index:
    spec = EmbedderSpec("synthetic", "", dimensions, 32)
    index = store.create(folder, IndexMeta(spec, {}, "none"))
    writer = Writer(index, "synthetic")
    rng = np.random.default_rng(0)
    for split, n in sizes.items():
        for number in range(n // PER_CASE):
            rows = rng.normal(size=(PER_CASE, dimensions)).astype(np.float32)
            rows /= np.linalg.norm(rows, axis=1, keepdims=True)
            order = np.arange(PER_CASE)
            embedded = Embedded(
                rows,
                order.astype(np.int16) * 0,
                order.astype(np.uint8) * 0,
                order.astype(np.int32),
                order.astype(np.float32),
            )
            case = IndexedCase(split, f"{number:05}", (), content=f"{split}{number}", n_channels=1)
            writer.put(case, embedded, "embedded")
    writer.flush()
    return Index(folder)


def rows_of(side: Side) -> tuple[np.ndarray, np.ndarray]:
    blocks = list(side.blocks(range(len(side.keys))))
    return (
        np.concatenate([block[0] for block in blocks]).astype(np.float32),
        np.concatenate([block[1] for block in blocks]),
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--a", type=int, default=100_000)
    parser.add_argument("--b", type=int, default=20_000)
    parser.add_argument("--dimensions", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    faiss.omp_set_num_threads(asked.threads)
    with tempfile.TemporaryDirectory() as place:
        index = fill(Path(place), {"train": asked.a, "test": asked.b}, asked.dimensions)
        train, test = find_ref(index, "train"), find_ref(index, "test")
        for _ in range(asked.rounds):
            start = time.perf_counter()
            pairs = match(train.side(), test.side(), MatchSettings())
            ours = time.perf_counter() - start
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            a, a_codes = rows_of(train.side())
            b, b_codes = rows_of(test.side())
            start = time.perf_counter()
            flat = faiss.IndexFlatIP(asked.dimensions)
            flat.add(a)
            _, nearest = flat.search(b, 1)
            theirs = time.perf_counter() - start
            votes = np.zeros((len(test.voting), len(train.voting)))
            np.add.at(votes, (b_codes, a_codes[nearest[:, 0]]), 1 / PER_CASE)
            known = {(pair.a, pair.b): pair.count_score.b_to_a for pair in pairs}
            differing = sum(
                abs(votes[j, i] - known[(a_case.key, b_case.key)]) > 1e-6
                for j, b_case in enumerate(test.voting)
                for i, a_case in enumerate(train.voting)
                if (a_case.key, b_case.key) in known
            )
            print(
                f"{asked.b} x {asked.a}: dvdup {ours:.2f} s (both directions, from disk), faiss "
                f"{theirs:.2f} s, ratio {ours / theirs:.2f}; {len(known)} pairs kept, "
                f"{differing} counts differ; peak {peak} MB"
            )


if __name__ == "__main__":
    main()
