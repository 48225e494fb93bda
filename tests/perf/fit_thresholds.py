"""What the thresholds of an embedder rest on: scores of strangers and of processed copies.

    python tests/perf/fit_thresholds.py FOLDER... [--embedder builtin] [--edits mild] [--limit 50]

FOLDERs hold one scan a person. Every scan is compared with all others (strangers), and edited
copies of every scan (noise of 3 %, gamma 1.5, a crop by 10 %, a rotation by 3 degrees, and every
edit of `dvdup.edits` at the levels asked for) with all scans. Printed: for the best stranger of
each scan and for the source of each copy the quantiles of `shared_score`, standout and similarity,
how many strangers and copies pass the constants in `verdicts.THRESHOLDS`, and those of a sweep.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy import ndimage

from dvdup import edits, readers, slicing, voxels
from dvdup.compare import match, verdicts
from dvdup.compare.match import MatchSettings, Side
from dvdup.embedders import LoadOptions, load_embedder
from dvdup.records import Case

Scan = tuple[np.ndarray, tuple[float, ...], str]
"""Values, spacing, modality."""


def own_edits(scan: Scan, seed: int) -> Iterator[tuple[str, Scan]]:
    """The four processed copies that every release must find."""
    values, spacing, modality = scan
    low, high = (float(v) for v in np.percentile(values, (0.5, 99.5)))
    noise = np.random.default_rng(seed).normal(0, 0.03 * (high - low), values.shape)
    yield "noise 3 %", ((values + noise).astype(np.float32), spacing, modality)
    unit = np.clip((values - low) / (high - low), 0, 1) ** 1.5
    yield "gamma 1.5", ((unit * (high - low) + low).astype(np.float32), spacing, modality)
    cut = tuple(slice(round(n * 0.05), n - round(n * 0.05)) for n in values.shape)
    yield "crop 10 %", (values[cut], spacing, modality)
    turned = ndimage.rotate(values, 3, axes=(0, 1), reshape=False, order=1, cval=low)
    yield "rotation 3", (turned, spacing, modality)


def level_edits(scan: Scan, name: str, levels: list[str]) -> Iterator[tuple[str, Scan]]:
    values, spacing, modality = scan
    for level in levels:
        for edit in edits.available(level):
            done = edits.apply(edit, level, values, spacing, name)
            yield f"{edit} {level}", (done.values, done.spacing, modality)


def read(path: Path) -> Scan:
    volume = readers.read_volume(path.parent, Case("", path.name, (path.name,)))
    return voxels.channel_values(volume, 0), volume.spacing, volume.modality


def rows_of(scan: Scan, embedder, recipe) -> np.ndarray:
    values, spacing, modality = scan
    values = np.asfortranarray(values, np.float32)
    stack = slicing.slice_channel(values, voxels.proxy(values), spacing, modality, 0, recipe)
    return embedder.embed(stack.pixels).astype(np.float16)


def side(rows: list[np.ndarray], split: str) -> Side:
    def blocks(codes):
        for code in codes:
            n = len(rows[code])
            yield rows[code], np.full(n, code, np.int32), np.zeros(n, np.int16)

    keys = tuple((split, f"{number:05}") for number in range(len(rows)))
    return Side(keys=keys, n_slices=tuple(map(len, rows)), blocks=blocks)


def evidence(score, limits):
    return max(verdicts._evidence(score), key=lambda each: each.margin(limits))


def main() -> None:
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--embedder", default="builtin")
    parser.add_argument("--edits", nargs="*", default=[])
    parser.add_argument("--limit", type=int, default=50)
    parser.add_argument("--margin", type=float)
    parser.add_argument("--floor", type=float)
    asked = parser.parse_args()
    embedder = load_embedder(asked.embedder, LoadOptions(folder=Path.cwd()))
    recipe = slicing.make_recipe(size=embedder.spec.slice_size)
    limits = verdicts.thresholds_for(embedder.spec.name)
    changes = {n: v for n in ("margin", "floor") if (v := getattr(asked, n)) is not None}
    limits = dataclasses.replace(limits, **changes)
    settings = MatchSettings(margin=limits.margin, floor=limits.floor, keep_above=0.0)
    paths = [p for f in asked.folders for p in sorted(f.rglob("*")) if p.is_file()]
    paths = [p for p in paths if readers.is_readable_name(p.name)][: asked.limit]
    base, copies, labels = [], [], []
    for number, path in enumerate(paths):
        scan = read(path)
        base.append(rows_of(scan, embedder, recipe))
        for what, copy in (*own_edits(scan, number), *level_edits(scan, path.name, asked.edits)):
            rows = rows_of(copy, embedder, recipe)
            if len(rows):
                copies.append(rows)
                labels.append((number, what))
        print(f"\r{number + 1} of {len(paths)}", end="", file=sys.stderr)
    database = side(base, "a")
    strangers = [
        evidence(score, limits)
        for score in match.match(database, database, settings)
        if score.a != score.b
    ]
    true, wrong = [], []
    for score in match.match(database, side(copies, "b"), settings):
        number, what = labels[int(score.b[1])]
        found = evidence(score, limits)
        (true if int(score.a[1]) == number else wrong).append((what, found))
    report("strangers", strangers, limits)
    report("copies with strangers", [each for _, each in wrong], limits)
    for what in dict.fromkeys(what for _, what in labels):
        report(what, [each for name, each in true if name == what], limits, low=True)


def report(name, found, limits, *, low=False) -> None:
    """Quantiles where they meet: the highest of strangers, the lowest of copies."""
    if not found:
        return
    cells = []
    for what in ("shared", "standout", "similarity"):
        values = np.sort([getattr(each, what) for each in found])
        chosen = np.quantile(values, (0, 0.01, 0.1) if low else (0.9, 0.999, 1))
        cells.append(f"{what} " + " ".join(f"{value:.3f}" for value in chosen))
    passed = sum(each.margin(limits) >= 0 for each in found)
    print(f"{name:24} {passed:5} of {len(found):6} pass | {' | '.join(cells)}")


if __name__ == "__main__":
    main()
