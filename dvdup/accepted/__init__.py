"""Pairs that somebody has reviewed and accepted, in a committed file beside the configuration.

In: `dvdup-accepted.toml`, the findings of a report, and which scans there are. Out: the findings,
with what was said about each. A pair is known by its voxels: a scan that is renamed or stored
otherwise stays accepted. One without voxels, because it is not here, is known by its bytes. Names
only tell apart several scans of the same voxels, so that a new copy of an accepted scan is a
finding like any other.
"""

from dvdup.accepted.file import NAME, Entry, Side, parsed, read, to_toml
from dvdup.accepted.match import (
    BYTES,
    Holders,
    accept,
    holders,
    known_by,
    labels_now,
    missing,
    of_pair,
    today,
)

__all__ = [
    "BYTES",
    "NAME",
    "Entry",
    "Holders",
    "Side",
    "accept",
    "holders",
    "known_by",
    "labels_now",
    "missing",
    "of_pair",
    "parsed",
    "read",
    "to_toml",
    "today",
]
