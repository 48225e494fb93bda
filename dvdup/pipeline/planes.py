"""Leads of cases whose planes are changed, each in the way that a change of the volume asks for.

A look or a place of `variants` changes each plane in its own way, and many of them share a change
of a plane. So every plane of a case asks for itself, once a change; what the planes say is then
put together for every look or place, and the best one counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dvdup import match, slicing, variants
from dvdup.match import Block, MatchSettings, OneWay, Side
from dvdup.pipeline.kept import Changed, Kept, Key, Kind


@dataclass(frozen=True, slots=True)
class Unit:
    """The slices of one plane of one channel of one case."""

    key: Key
    channel: int
    plane: int
    n_slices: int


@dataclass(frozen=True, slots=True, eq=False)
class Cases:
    """Cases whose changed slices are kept."""

    kept: Kept
    files: Mapping[Key, str]
    """Their names, sorted."""
    kind: Kind

    def units(self) -> list[Unit]:
        """The planes of all cases, those of one case together."""
        found = []
        for key, file in self.files.items():
            case = self.kept.load(file, self.kind)
            labels = np.stack([case.channel.astype(int), case.plane.astype(int)], axis=1)
            runs, counts = np.unique(labels, axis=0, return_counts=True)
            found += [
                Unit(key, channel, plane, n)
                for (channel, plane), n in zip(runs.tolist(), counts.tolist(), strict=True)
            ]
        return found

    def planes(self, units: Sequence[Unit], change: str) -> Side:
        """Every unit as a case of its own, after a change, under the key of its case."""

        def blocks(codes: Sequence[int]) -> Iterator[Block]:
            last: tuple[Key, Changed] | None = None
            for code in codes:
                unit = units[code]
                if last is None or last[0] != unit.key:
                    last = unit.key, self.kept.load(self.files[unit.key], self.kind)
                case = last[1]
                chosen = (case.channel == unit.channel) & (case.plane == unit.plane)
                rows = case.rows[change][chosen]
                yield rows, np.full(len(rows), code, np.int32), case.channel[chosen]

        return Side(
            keys=tuple(unit.key for unit in units),
            n_slices=tuple(unit.n_slices for unit in units),
            blocks=blocks,
        )

    def whole(self, units: Sequence[Unit], change: str) -> Side:
        """Every case, after a change of all its slices."""
        keys = tuple(self.files)
        sizes = dict.fromkeys(keys, 0)
        for unit in units:
            sizes[unit.key] += unit.n_slices

        def blocks(codes: Sequence[int]) -> Iterator[Block]:
            for code in codes:
                case = self.kept.load(self.files[keys[code]], self.kind)
                rows = case.rows[change]
                yield rows, np.full(len(rows), code, np.int32), case.channel

        return Side(keys=keys, n_slices=tuple(sizes.values()), blocks=blocks)


def leads(
    table: Mapping[str, variants.Planes],
    units: Sequence[Unit],
    sides_of: Callable[[str], tuple[Side, Side]],
    settings: MatchSettings | None = None,
) -> Iterator[tuple[Key, Key, float, float]]:
    """Ask under every change, and put the planes together.

    Args:
        table: The changes of the planes that belong together.
        units: The planes that ask, those of one case together.
        sides_of: From a change to `units` as queries and the cases that they may find, one of
            them changed.
        settings: Margins and limits.

    Yields:
        (asking case, other case, lead, similarity) of the pairs worth keeping.
    """
    settings = settings or MatchSettings()
    changes = tuple(dict.fromkeys(change for planes in table.values() for change in planes))
    keys = sides_of(changes[0])[1].keys
    for tile in _tiles(units, len(changes), len(keys), settings.budget):
        found = {change: match.one_way(*sides_of(change), tile, settings) for change in changes}
        cases, best = _together([units[i] for i in tile], found, table)
        for i, k in np.argwhere(best.worth_keeping(settings)).tolist():
            yield cases[i], keys[k], float(best.lead[i, k]), float(best.similarity[i, k])


def _tiles(units: Sequence[Unit], n_changes: int, n_cases: int, budget: int) -> Iterator[range]:
    """Runs of units that fit into memory; those of one case stay together."""
    if not n_cases:
        return
    start = used = 0
    for i, unit in enumerate(units):
        need = (unit.n_slices + 2 * n_changes) * n_cases
        if used and used + need > budget and unit.key != units[i - 1].key:
            yield range(start, i)
            start, used = i, 0
        used += need
    if units:
        yield range(start, len(units))


def _together(
    units: Sequence[Unit], found: Mapping[str, OneWay], table: Mapping[str, variants.Planes]
) -> tuple[list[Key], OneWay]:
    """Of each case its best channel, and of that the best row of the table."""
    keys = list(dict.fromkeys(unit.key for unit in units))
    row_of = {key: row for row, key in enumerate(keys)}
    n = next(iter(found.values())).lead.shape[1]
    best = OneWay(
        np.zeros((len(keys), n), np.float32), np.full((len(keys), n), match.NEVER, np.float32)
    )
    together: dict[tuple[int, int], list[int]] = {}
    for i, unit in enumerate(units):
        together.setdefault((row_of[unit.key], unit.channel), []).append(i)
    for (row, _), own in together.items():
        for name in ("lead", "similarity"):
            values = {change: getattr(each, name) for change, each in found.items()}
            scores = getattr(best, name)
            scores[row] = np.maximum(scores[row], _best(units, own, values, table))
    return keys, best


def _best(
    units: Sequence[Unit],
    own: Sequence[int],
    values: Mapping[str, np.ndarray],
    table: Mapping[str, variants.Planes],
) -> np.ndarray:
    """The mean over the slices of some units of one channel under the best row, (cases,)."""
    total = sum(units[i].n_slices for i in own)
    parts = {}
    for change, of_units in values.items():
        parts[change] = np.zeros((len(slicing.PLANES), of_units.shape[1]))
        for i in own:
            parts[change][units[i].plane] = of_units[i] * (units[i].n_slices / total)
    return variants.best(table, parts)
