"""Which scans take part: whole persons, evenly spread."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def choose_scans(persons: Sequence[str], most: int | None) -> tuple[int, ...]:
    """Codes of the scans that take part: whole persons, evenly spread over the sorted names.

    Args:
        persons: Of each scan.
        most: How many scans at most; None: all. One person is taken whatever it has.
    """
    if most is None or len(persons) <= most:
        return tuple(range(len(persons)))
    names = sorted(set(persons))
    spread = [names[i] for i in _evenly(len(names))]
    counts = {name: persons.count(name) for name in names}
    taken: set[str] = set()
    n = 0
    for name in spread:
        if not taken or n + counts[name] <= most:
            taken.add(name)
            n += counts[name]
    return tuple(code for code, person in enumerate(persons) if person in taken)


def _evenly(n: int) -> list[int]:
    """Numbers below n so that every beginning of the list is spread evenly."""
    golden = (np.sqrt(5) - 1) / 2
    order: list[int] = np.argsort((np.arange(n) * golden) % 1, kind="stable").tolist()
    return order
