"""The chain of pages of a TIFF, walked before a library does: libraries stop where it is broken.

Format: https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf, section 2, and BigTIFF.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import IO

_MOST_PAGES = 100_000
_DESCRIPTION = 270  # where OME and ImageJ say what the pages are


def count_pages(path: Path) -> int:
    """Count the pages of a TIFF.

    Args:
        path: A file that starts as a TIFF.

    Raises:
        ValueError: The chain leads out of the file, ends in the middle of a page, or never ends;
            or the description of the first page lies outside the file.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(16)
        order = "<" if head[:2] == b"II" else ">"
        big = struct.unpack(f"{order}H", head[2:4])[0] == 43
        count_format, entry, link_format = ("Q", 20, "Q") if big else ("H", 12, "I")
        place = struct.unpack_from(f"{order}{link_format}", head, 8 if big else 4)[0]
        seen: set[int] = set()
        while place:
            if place in seen or len(seen) >= _MOST_PAGES:
                raise ValueError(f"its chain of pages goes round after page {len(seen)}")
            seen.add(place)
            entries = _number(stream, place, f"{order}{count_format}")
            link = place + struct.calcsize(f"={count_format}") + entry * (entries or 0)
            after = _number(stream, link, f"{order}{link_format}") if link < size else None
            if not entries or after is None:
                raise ValueError(f"its chain of pages is broken after page {len(seen) - 1}")
            if len(seen) == 1 and _described_until(stream, place, entries, order, big) > size:
                raise ValueError("the description of its first page is cut off")
            place = after
    return len(seen)


def _described_until(stream: IO[bytes], place: int, entries: int, order: str, big: bool) -> int:
    """The byte behind the description of a page; 0 if it has none, or a short one."""
    start, layout = (8, f"{order}HHQQ") if big else (2, f"{order}HHII")
    stream.seek(place + start)
    table = stream.read(struct.calcsize(layout) * min(entries, 1 << 16))
    whole = len(table) - len(table) % struct.calcsize(layout)
    for tag, _, count, at in struct.iter_unpack(layout, table[:whole]):
        if tag == _DESCRIPTION and count > (8 if big else 4):
            return int(at) + int(count)
    return 0


def _number(stream: IO[bytes], place: int, layout: str) -> int | None:
    stream.seek(min(place, 1 << 62))
    data = stream.read(struct.calcsize(layout))
    return int(struct.unpack(layout, data)[0]) if len(data) == struct.calcsize(layout) else None
