"""Errors of whole numbers: a sign that is lost or invented, values that wrap around."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from dvdup.edits.scan import Done, Scan, unit

_GREYS = 4095  # whole numbers that a range is stored in, as 12 bits
_PADDING = -2000  # of stored values outside the field of view


def signs(scan: Scan, share: float, rng: np.random.Generator) -> Done:
    """Make one of the errors of `FAULTS`; it befalls about `share` of the range.

    Whole numbers in which a part of the range is negative, or above the middle of their type, are
    what these errors need; so zero, or the middle, is put `share` of the range from its end.
    """
    fault = str(rng.choice(tuple(FAULTS)))
    return Done(FAULTS[fault](scan, share).astype(np.float32), {"fault": fault})


def _signed(scan: Scan, share: float) -> np.ndarray:
    """Whole numbers of which the lowest `share` of the range is negative."""
    numbers: np.ndarray = np.round((unit(scan, scan.low, scan.high) - share) * _GREYS)
    return numbers


def _unsigned(scan: Scan, share: float) -> np.ndarray:
    """Signed numbers of 16 bit read as unsigned ones."""
    return _as_uint16(_signed(scan, share))


def _absolute(scan: Scan, share: float) -> np.ndarray:
    numbers: np.ndarray = np.abs(_signed(scan, share))
    return numbers


def _read_signed(scan: Scan, share: float, bits: int) -> np.ndarray:
    """Unsigned numbers, of which the highest `share` of the range is too high for signed ones."""
    half = 2 ** (bits - 1)
    numbers = np.round(unit(scan, scan.low, scan.high) * (half - 1) / (1 - share))
    wrapped: np.ndarray = np.where(numbers >= half, numbers - 2 * half, numbers)
    return wrapped


def _padded(scan: Scan, share: float) -> np.ndarray:
    """Padding outside the round field of view of each slice, far below zero, read as unsigned."""
    distance = np.zeros((1, 1, 1))
    for axis in scan.in_plane:
        n = scan.values.shape[axis]
        places = (2 * np.arange(n) + 1) / n - 1
        distance = distance + np.expand_dims(places**2, [i for i in range(3) if i != axis])
    numbers = np.where(distance <= (1 - share / 2) ** 2, _signed(scan, 0), _PADDING)
    return _as_uint16(numbers)


def _as_uint16(numbers: np.ndarray) -> np.ndarray:
    """What is below zero comes out at the top: -1 is 65535."""
    wrapped: np.ndarray = np.mod(numbers, 2**16)
    return wrapped


FAULTS: Mapping[str, Callable[[Scan, float], np.ndarray]] = MappingProxyType(
    {
        "int16 read as uint16": _unsigned,
        "uint16 read as int16": lambda scan, share: _read_signed(scan, share, 16),
        "uint8 read as int8": lambda scan, share: _read_signed(scan, share, 8),
        "padding wrapped": _padded,
        "absolute values": _absolute,
    }
)
"""By name: what happens to the numbers."""
