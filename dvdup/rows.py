"""Names of the cases of an array of many: `X_train.npy#000017`, `chest.npz#test_images#000017`.

They are the file, in an archive the key of the array, and the number of the row, which begins at 0
and has six digits so that names sort. What follows the file is the `series` of such a case; that of
a file that holds one scan, whatever it looks like, is the mark alone.
"""

from __future__ import annotations

from collections.abc import Iterator

MARK = "#"
ONE_SCAN = MARK
"""The series of a file that is declared to be one scan."""


def is_row(series: str | None) -> bool:
    """Whether the series of a case says which part of an array it is; no series of DICOM does."""
    return series is not None and series.startswith(MARK)


def part_of(series: str | None) -> str:
    """The part of a file that a case is; "" if it is all of it, or a DICOM series."""
    return series if series is not None and is_row(series) else ""


def row_name(key: str, row: int | None) -> str:
    """What follows the name of the file.

    Args:
        key: The array in an archive; "" for a file of one array.
        row: Its row; None for an array that cannot be taken apart, so that reading it tells why.
    """
    number = "" if row is None else f"{row:06d}"
    return f"{MARK}{key}{MARK}{number}" if key or row is None else f"{MARK}{number}"


def parsed(series: str) -> tuple[str, int | None]:
    """Key and row of what `row_name` made."""
    key, _, number = series.removeprefix(MARK).rpartition(MARK)
    return key, int(number) if number else None


def references(text: str) -> Iterator[tuple[str, str, int]]:
    """What `X_train.npy#17` may mean: file, key and row, the longest name of a file first.

    Names of files and keys may hold the mark too, so that only a look at the disk can tell.
    """
    head, _, number = text.rpartition(MARK)
    if not number.isascii() or not number.isdecimal():
        return
    for place in (len(head), *(i for i in range(len(head) - 1, 0, -1) if head[i] == MARK)):
        if head[:place]:
            yield head[:place], head[place + 1 :], int(number)
