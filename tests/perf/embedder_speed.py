"""Slices a second of embedders, in one run.

    python tests/perf/embedder_speed.py NAME... [--slices 512] [--rounds 3]

A name as `dvdup models` lists them; `dinov2@random` times the network with random weights.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from dvdup.embedders import LoadOptions, load_embedder


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("names", nargs="+")
    parser.add_argument("--slices", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15, help="at most, for each round")
    asked = parser.parse_args()
    for name in asked.names:
        embedder = load_embedder(name, LoadOptions())
        size = embedder.spec.slice_size
        pixels = np.random.default_rng(0).integers(0, 256, (asked.slices, size, size), np.uint8)
        start = time.perf_counter()
        embedder.embed(pixels[:8])
        per_slice = (time.perf_counter() - start) / 8
        n = int(max(8, min(asked.slices, asked.seconds / per_slice)))
        rates = []
        for _ in range(asked.rounds):
            start = time.perf_counter()
            embedder.embed(pixels[:n])
            rates.append(n / (time.perf_counter() - start))
        best = f"{n} slices, best of {asked.rounds}"
        print(f"{name}: {max(rates):.1f} slices/s at {size} px ({best})")


if __name__ == "__main__":
    main()
