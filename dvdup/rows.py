"""Names of the cases of an array of many: `X_train.npy#000017`, `chest.npz#test_images#000017`.

They are the file, the key of the array where it has one, and the number of the row, which begins at
0 and has six digits so that names sort; `scans.h5#case_3` is an array that is one case. What
follows the file is the `series` of such a case; that of a file that holds one scan, whatever it
looks like, is the mark alone.
"""

from __future__ import annotations

from collections.abc import Iterator

MARK = "#"
ONE_SCAN = MARK
"""The series of a file that is declared to be one scan."""


_WHOLE = MARK + "!"


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


def array_name(key: str) -> str:
    """What follows the name of the file where an array is one case."""
    return f"{MARK}{key}{_WHOLE}"


def is_array(series: str) -> bool:
    """Whether a series is what `array_name` made."""
    return series.endswith(_WHOLE) and series != _WHOLE


def shown(series: str) -> str:
    """What ids end with: a series without the marks that only tell what it is."""
    return series.removesuffix(_WHOLE) if is_array(series) else series.rstrip(MARK)


def parsed(series: str) -> tuple[str, int | None]:
    """Key and row of what `row_name` or `array_name` made."""
    if is_array(series):
        return series.removeprefix(MARK).removesuffix(_WHOLE), None
    key, _, number = series.removeprefix(MARK).rpartition(MARK)
    return key, int(number) if number else None


def references(text: str) -> Iterator[tuple[str, str, int | None]]:
    """What `X_train.npy#17` may mean: file, key and row, the longest name of a file first.

    Names of files and keys may hold the mark too, so that only a look at the disk can tell. Without
    a row it is an array: `scans.h5#case_3`.
    """
    head, _, number = text.rpartition(MARK)
    if number.isascii() and number.isdecimal():
        for file, key in ((head, ""), *_cut(head)):
            if file:
                yield file, key, int(number)
    yield from ((file, key, None) for file, key in _cut(text) if file and key)


def _cut(text: str) -> Iterator[tuple[str, str]]:
    """A text before and behind each of its marks, the last mark first."""
    places = (i for i in range(len(text) - 1, 0, -1) if text[i] == MARK)
    return ((text[:i], text[i + 1 :]) for i in places)
