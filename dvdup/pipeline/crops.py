"""Candidates that slices show only where one side is cropped first.

A scan of which the other shows a part is cropped at each of `variants.PLACES`, and asks, or is
asked, as that part. Of each case a few slices take part: they choose candidates only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dvdup import match, slicing, variants
from dvdup.match import Block, MatchSettings, OneWay, Side
from dvdup.pipeline.kept import CROPS, Changed, Key, load


@dataclass(frozen=True, slots=True)
class _Unit:
    """The slices of one plane of one channel of one case: what a crop changes in one way."""

    key: Key
    channel: int
    plane: int
    n_slices: int


def leads(
    asking: Mapping[Key, Path],
    others: Mapping[Key, Path],
    whole: Side,
    settings: MatchSettings | None = None,
) -> Iterator[tuple[Key, Key, float, float]]:
    """Ask as a part of others, and as others that are a part.

    Args:
        asking: `CROPS` of the cases that ask.
        others: `CROPS` of the cases they may find.
        whole: The cases they may find, as they are.
        settings: Margins and limits.

    Yields:
        (asking case, other case, lead, similarity) of the pairs worth keeping.
    """
    settings = settings or MatchSettings()
    asking_units = _units(asking)
    parts = _sides(others)
    as_it_is = _unit_side(asking, asking_units, variants.SAME)
    yield from _best(asking_units, lambda crop: (as_it_is, parts(crop)), settings)
    yield from _best(
        asking_units, lambda crop: (_unit_side(asking, asking_units, crop), whole), settings
    )


def _best(
    units: Sequence[_Unit],
    sides_of: Callable[[str], tuple[Side, Side]],
    settings: MatchSettings,
) -> Iterator[tuple[Key, Key, float, float]]:
    """Every asking case at its best place."""
    keys = sides_of(variants.CROPS[0])[1].keys
    if not keys:
        return
    for tile in _tiles(units, len(keys), settings.budget):
        by_crop = [
            match.one_way(*sides_of(crop), tile, settings) for crop in variants.CROPS
        ]  # of each (units of the tile, cases)
        cases, found = _placed([units[i] for i in tile], by_crop)
        for i, k in np.argwhere(found.worth_keeping(settings)).tolist():
            yield cases[i], keys[k], float(found.lead[i, k]), float(found.similarity[i, k])


def _tiles(units: Sequence[_Unit], n_cases: int, budget: int) -> Iterator[range]:
    """Runs of units that fit into memory; those of one case stay together."""
    start = used = 0
    for i, unit in enumerate(units):
        need = (unit.n_slices + 2 * len(variants.CROPS)) * n_cases
        if used and used + need > budget and unit.key != units[i - 1].key:
            yield range(start, i)
            start, used = i, 0
        used += need
    if units:
        yield range(start, len(units))


def _placed(units: Sequence[_Unit], by_crop: Sequence[OneWay]) -> tuple[list[Key], OneWay]:
    """Put the planes of each case together at every place, and keep the best of its channels."""
    keys = list(dict.fromkeys(unit.key for unit in units))
    n = by_crop[0].lead.shape[1]
    lead = np.zeros((len(keys), n), np.float32)
    similarity = np.full((len(keys), n), match.NEVER, np.float32)
    row_of = {key: row for row, key in enumerate(keys)}
    together: dict[tuple[int, int], list[int]] = {}
    for i, unit in enumerate(units):
        together.setdefault((row_of[unit.key], unit.channel), []).append(i)
    for (row, _), own in together.items():
        ahead, alike = (
            _at_best_place(units, own, [getattr(found, name) for found in by_crop])
            for name in ("lead", "similarity")
        )
        lead[row] = np.maximum(lead[row], ahead)
        similarity[row] = np.maximum(similarity[row], alike)
    return keys, OneWay(lead, similarity)


def _at_best_place(
    units: Sequence[_Unit], rows: Sequence[int], by_crop: Sequence[np.ndarray]
) -> np.ndarray:
    """The mean over the slices of some units of one channel, (cases,)."""
    total = sum(units[i].n_slices for i in rows)
    parts = np.zeros((len(slicing.PLANES), len(by_crop), by_crop[0].shape[1]))
    for i in rows:
        for crop, values in enumerate(by_crop):
            parts[units[i].plane, crop] = values[i] * (units[i].n_slices / total)
    return variants.best_place(parts)


def _units(files: Mapping[Key, Path]) -> list[_Unit]:
    found = []
    for key, file in files.items():
        case = load(file, CROPS)
        labels = np.stack([case.channel.astype(int), case.plane.astype(int)], axis=1)
        for (channel, plane), n in zip(*np.unique(labels, axis=0, return_counts=True), strict=True):
            found.append(_Unit(key, int(channel), int(plane), int(n)))
    return found


def _unit_side(files: Mapping[Key, Path], units: Sequence[_Unit], change: str) -> Side:
    """Every unit as a query of its own, under the key of its case."""

    def blocks(codes: Sequence[int]) -> Iterator[Block]:
        last: tuple[Key, Changed] | None = None
        for code in codes:
            unit = units[code]
            if last is None or last[0] != unit.key:
                last = unit.key, load(files[unit.key], CROPS)
            case = last[1]
            chosen = (case.channel == unit.channel) & (case.plane == unit.plane)
            rows = case.rows[change][chosen]
            yield rows, np.full(len(rows), code, np.int32), case.channel[chosen]

    return Side(
        keys=tuple(unit.key for unit in units),
        n_slices=tuple(unit.n_slices for unit in units),
        blocks=blocks,
    )


def _sides(files: Mapping[Key, Path]) -> Callable[[str], Side]:
    """From a change to the cases that show it."""
    keys = tuple(files)
    sizes = tuple(len(load(file, CROPS).plane) for file in files.values())

    def side(change: str) -> Side:
        def blocks(codes: Sequence[int]) -> Iterator[Block]:
            for code in codes:
                case = load(files[keys[code]], CROPS)
                rows = case.rows[change]
                yield rows, np.full(len(rows), code, np.int32), case.channel

        return Side(keys=keys, n_slices=sizes, blocks=blocks)

    return side
