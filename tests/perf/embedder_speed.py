"""Slices a second of embedders, in one run.

    python tests/perf/embedder_speed.py NAME... [--slices 512] [--rounds 3] [--threads 1 2]
    python tests/perf/embedder_speed.py builtin builtin-by-torch --threads 1 2

A name as `dvdup models` lists them; `dinov2@random` times the network with random weights, and
`builtin-by-torch` the network of `builtin` in torch: how far its rows are from those of `builtin`
is printed as well. Rounds of all names alternate, so that a busy machine is busy for all.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from dvdup.embedders import LoadOptions, builtin, load_embedder

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from torch_builtin import torch_embedder

BY_TORCH = "builtin-by-torch"


def load(name: str, threads: int | None):
    options = LoadOptions(device="cpu" if threads else "auto", threads=threads)
    if name == BY_TORCH:
        return torch_embedder(builtin.packaged_weights(), options)
    return load_embedder(name, options)


def some_slices(n: int, size: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, size, size), np.uint8)


def seconds(embedder, pixels: np.ndarray) -> float:
    start = time.perf_counter()
    embedder.embed(pixels)
    return time.perf_counter() - start


def enough(embedder, most: int, limit: float) -> int:
    """How many slices a round takes without going over its time."""
    embedder.embed(some_slices(8, embedder.spec.slice_size))
    each = seconds(embedder, some_slices(8, embedder.spec.slice_size)) / 8
    return int(max(8, min(most, limit / each)))


def compare(names: list[str], threads: int | None, asked: argparse.Namespace) -> None:
    embedders = {name: load(name, threads) for name in names}
    counts = {name: enough(each, asked.slices, asked.seconds) for name, each in embedders.items()}
    best = dict.fromkeys(names, 0.0)
    for _ in range(asked.rounds):
        for name, embedder in embedders.items():
            pixels = some_slices(counts[name], embedder.spec.slice_size)
            best[name] = max(best[name], len(pixels) / seconds(embedder, pixels))
    for name, embedder in embedders.items():
        what = f"{counts[name]} slices, best of {asked.rounds}, threads: {threads or 'its choice'}"
        print(f"{name}: {best[name]:.1f} slices/s at {embedder.spec.slice_size} px ({what})")
    if {"builtin", BY_TORCH} <= set(names):
        pixels = some_slices(asked.slices, builtin.BUILTIN_SIDE)
        rows = [embedders[name].embed(pixels) for name in ("builtin", BY_TORCH)]
        apart = np.linalg.norm(rows[0] - rows[1], axis=1).max()
        print(
            f"builtin / {BY_TORCH}: {best['builtin'] / best[BY_TORCH]:.2f} times the speed, ",
            end="",
        )
        print(f"rows at most {apart:.1e} of their length apart")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("names", nargs="+")
    parser.add_argument("--slices", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15, help="at most, for each round")
    parser.add_argument("--threads", type=int, nargs="*", default=[None])
    asked = parser.parse_args()
    for threads in asked.threads:
        compare(asked.names, threads, asked)


if __name__ == "__main__":
    main()
