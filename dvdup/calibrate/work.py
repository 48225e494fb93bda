"""What runs in worker processes: the strength of a pair of strangers, and of edited copies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from dvdup import verify, voxels
from dvdup.bench.scans import Scan as Read
from dvdup.bench.scans import read_scan
from dvdup.errors import ReadError
from dvdup.pipeline.evidence import Order, measure_pair
from dvdup.pipeline.processes import spread, worker_processes
from dvdup.records import Case
from dvdup.verify import Limits, Scan

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Copies:
    """A case and how it is edited."""

    root: Path
    case: Case
    edits: tuple[tuple[str, str], ...]
    """(name, level) each."""
    limits: Limits


def strangers(order: Order) -> float:
    """The strength of a pair."""
    return measure_pair(order)


def copies(order: Copies) -> tuple[float, ...] | None:
    """The strength of each edited copy against its source; None if that cannot be read."""
    try:
        source = read_scan(order.root, order.case)
        return tuple(
            _of_copy(source, source.edited(name, level), order.limits)
            for name, level in order.edits
        )
    except (ReadError, MemoryError):
        return None


def _of_copy(source: Read, copy: Read, limits: Limits) -> float:
    """Through proxies first, as with any other pair."""
    return verify.measure(
        _proxy(source), _proxy(copy), lambda: (_full(source), _full(copy)), limits
    )


def _full(scan: Read) -> Scan:
    return Scan(scan.channels[0], scan.spacing)


def _proxy(scan: Read) -> Scan:
    values = scan.channels[0]
    factors = [voxels.proxy_factor(n) for n in values.shape]
    x, y, z = (size * k for size, k in zip(scan.spacing, factors, strict=True))
    grey: np.ndarray = voxels.proxy(values)
    return Scan(grey, (x, y, z), full=max(factors) == 1, exact=False)


def done(
    jobs: int, function: Callable[[T], R], items: Iterable[T], should_stop: Callable[[], bool]
) -> Iterator[tuple[T, R]]:
    """Do some work, in processes if more than one is asked for; ends early to stop."""
    if jobs < 2:
        for item in items:
            if should_stop():
                return
            yield item, function(item)
        return
    with worker_processes(jobs) as pool:
        yield from spread(pool, function, items, 2 * jobs, should_stop)
