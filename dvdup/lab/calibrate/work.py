"""What runs in worker processes: the strength of edited copies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dvdup import verify, voxels
from dvdup.errors import ReadError
from dvdup.lab.evaluate.scans import Scan as Read
from dvdup.lab.evaluate.scans import read_scan
from dvdup.records import Case
from dvdup.verify import Limits, Scan


@dataclass(frozen=True, slots=True)
class Copies:
    """A case and how it is edited."""

    root: Path
    case: Case
    edits: tuple[tuple[str, str], ...]
    """(name, level) each."""
    limits: Limits


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
    return verify.of_proxy(voxels.proxy(values), values.shape, scan.spacing)
