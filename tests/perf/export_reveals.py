"""Measure how much of a scan can be guessed from what `dvdup export` writes.

    python tests/perf/export_reveals.py DATASET SPLIT [--side 32]

DATASET is a folder with an index that keeps proxies. Whoever has an export and scans of the same
kind of his own can learn to turn rows into pictures: here a ridge regression, and the picture of
the nearest row, learn on the first two thirds of the cases by name, and are tried on the rest.
Printed for each plane: the correlation of the guessed picture (side x side pixels) with the true
one, beside that of the mean picture, and the correlation of what is left once the mean picture of
this place in the body is taken off both, which is what tells one person from another. Then how
often the guessed pictures of a scan fit this scan best among all that were tried, by chance 1 / N.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from dvdup import voxels
from dvdup.records import PLANES, Embedded, IndexedCase
from dvdup.store import Index

_RIDGE = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
_PLACES = 12  # of a plane, each with a mean picture of its own
_TRAIN = 2 / 3


@dataclass(frozen=True)
class Slices:
    """The slices of some cases across one plane."""

    rows: np.ndarray
    """float32 (S, D)."""
    pictures: np.ndarray
    """float32 (S, side * side)."""
    place: np.ndarray
    """int (S,), where in the scan, 0 to `_PLACES` - 1."""
    case: np.ndarray
    """int (S,)."""


def slices_of(cases: list[tuple[IndexedCase, Embedded]], plane: int, side: int) -> Slices:
    """Rows with the pictures that they were made of, out of the proxies."""
    rows, pictures, place, owner = [], [], [], []
    axis = 2 - plane
    for number, (case, embedded) in enumerate(cases):
        proxy = voxels.unpacked(case.proxy, case.proxy_shape)[0].astype(np.float32)
        factor = voxels.proxy_factor(case.shape[axis])
        for i in np.flatnonzero((embedded.plane == plane) & (embedded.channel == 0)).tolist():
            index = int(embedded.index[i])
            picture = np.take(proxy, index // factor, axis=axis)
            zoom = (side / picture.shape[0], side / picture.shape[1])
            pictures.append(ndimage.zoom(picture, zoom, order=1)[:side, :side].ravel())
            rows.append(embedded.embedding[i].astype(np.float32))
            place.append(min(_PLACES - 1, index * _PLACES // case.shape[axis]))
            owner.append(number)
    return Slices(np.array(rows), np.array(pictures), np.array(place), np.array(owner))


def mean_pictures(known: Slices) -> np.ndarray:
    """The mean picture of every place; that of all where there is none."""
    means = [known.pictures.mean(0)] * _PLACES
    for place in set(known.place.tolist()):
        means[place] = known.pictures[known.place == place].mean(0)
    return np.array(means)


def ridge(known: Slices, asked: Slices) -> np.ndarray:
    """Pictures guessed by regression, its strength chosen on a fifth of the cases it learns on."""
    kept = known.case % 5 == 0
    tried = []
    for strength in _RIDGE:
        model = _fit(known.rows[~kept], known.pictures[~kept], strength)
        wrong = _apply(model, known.rows[kept]) - known.pictures[kept]
        tried.append((float((wrong**2).mean()), strength))
    return _apply(_fit(known.rows, known.pictures, min(tried)[1]), asked.rows)


def _fit(rows: np.ndarray, pictures: np.ndarray, strength: float) -> tuple[np.ndarray, ...]:
    rows_mean, mean = rows.mean(0), pictures.mean(0)
    x, y = rows - rows_mean, pictures - mean
    weights = np.linalg.solve(x.T @ x + strength * np.eye(x.shape[1]), x.T @ y)
    return rows_mean, mean, weights


def _apply(model: tuple[np.ndarray, ...], rows: np.ndarray) -> np.ndarray:
    rows_mean, mean, weights = model
    return (rows - rows_mean) @ weights + mean


def nearest(known: Slices, asked: Slices) -> np.ndarray:
    """The picture of the most similar row."""
    return known.pictures[(asked.rows @ known.rows.T).argmax(axis=1)]


def correlations(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pearson correlation of each row of a with the same row of b."""
    a, b = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
    norm = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return (a * b).sum(1) / np.maximum(norm, 1e-9)


def recognised(guess: np.ndarray, asked: Slices, means: np.ndarray) -> tuple[int, int]:
    """How many scans fit their own guessed pictures best, and how many were tried."""
    numbers = sorted(set(asked.case.tolist()))
    hits = 0
    for one in numbers:
        scores = []
        for other in numbers:
            # slices at one place of both, the guess of the one with the truth of the other
            pairs = [
                (guess[asked.case == one][asked.place[asked.case == one] == place].mean(0),
                 asked.pictures[asked.case == other][asked.place[asked.case == other] == place]
                 .mean(0), means[place])
                for place in range(_PLACES)
                if (asked.place[asked.case == one] == place).any()
                and (asked.place[asked.case == other] == place).any()
            ]  # fmt: skip
            left = np.array([a - m for a, _, m in pairs]), np.array([b - m for _, b, m in pairs])
            scores.append(float(correlations(*left).mean()) if pairs else -1.0)
        hits += numbers[int(np.argmax(scores))] == one
    return hits, len(numbers)


def main() -> None:
    """Print a line for each plane and way of guessing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("split")
    parser.add_argument("--side", type=int, default=32)
    asked = parser.parse_args()
    index = Index(asked.dataset / ".dvdup")
    chosen = [case for case in index.cases if case.split == asked.split and case.n_slices]
    rows = index.rows_of_many(chosen)
    proxied = index.with_proxies([case.key for case in chosen])
    cases = list(zip(proxied, rows, strict=True))
    cut = round(_TRAIN * len(cases))
    print(f"{asked.split}: learnt on {cut} scans, tried on {len(cases) - cut}, {asked.side} x "
          f"{asked.side} pixels, rows of {rows[0].embedding.shape[1]} numbers")  # fmt: skip
    heads = ("plane", "guess", "correlation", "beyond the mean", "recognised")
    print("{:<10} {:<14} {:>12} {:>16} {:>11}".format(*heads))
    for plane, name in enumerate(PLANES):
        known = slices_of(cases[:cut], plane, asked.side)
        tried = slices_of(cases[cut:], plane, asked.side)
        if not len(known.rows) or not len(tried.rows):
            continue
        means = mean_pictures(known)
        mean = means[tried.place]
        for what, guess in (
            ("mean picture", mean),
            ("nearest row", nearest(known, tried)),
            ("regression", ridge(known, tried)),
        ):
            whole = np.median(correlations(guess, tried.pictures))
            left = np.median(correlations(guess - mean, tried.pictures - mean))
            hits, n = recognised(guess, tried, means) if what != "mean picture" else (0, 0)
            told = f"{hits} of {n}" if n else "-"
            beyond = f"{left:.2f}" if n else "-"
            print(f"{name:<10} {what:<14} {whole:12.2f} {beyond:>16} {told:>11}")


if __name__ == "__main__":
    main()
