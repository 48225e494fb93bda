"""Names of rows."""

from __future__ import annotations

import pytest

from dvdup import rows


@pytest.mark.parametrize(
    ("key", "row", "name"),
    [
        ("", 17, "#000017"),
        ("images", 0, "#images#000000"),
        ("a#b", 1234567, "#a#b#1234567"),
        ("images", None, "#images#"),
        ("", None, "##"),
    ],
)
def test_names_come_back(key, row, name):
    assert rows.row_name(key, row) == name
    assert rows.parsed(name) == (key, row)
    assert rows.is_row(name)


def test_names_sort_as_rows_do():
    names = [rows.row_name("x", row) for row in (0, 9, 10, 99_999, 100_000)]
    assert sorted(names) == names


@pytest.mark.parametrize("series", [None, "", "9f86d081884c7d65"])
def test_a_dicom_series_is_no_row(series):
    assert not rows.is_row(series)
    assert rows.part_of(series) == ""


def test_what_a_text_may_mean():
    assert list(rows.references("a#b.npz#x#7")) == [
        ("a#b.npz#x", "", 7),
        ("a#b.npz", "x", 7),
        ("a", "b.npz#x", 7),
    ]
    for text in ("a.npy", "a.npy#", "a.npy#x", "a.npy#-1", "#1", "a.npy#\u0661"):
        assert list(rows.references(text)) == []
