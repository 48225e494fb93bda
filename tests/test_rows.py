"""Names of rows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
        ("a#b.npz#x", "7", None),
        ("a#b.npz", "x#7", None),
        ("a", "b.npz#x#7", None),
    ]
    for text in ("a.npy", "a.npy#", "#1"):
        assert list(rows.references(text)) == []
    for key in ("x", "-1", "\u0661"):
        assert list(rows.references(f"a.npy#{key}")) == [("a.npy", key, None)]


@given(key=st.text(min_size=1))
def test_an_array_that_is_a_case(key):
    series = rows.array_name(key)
    assert (rows.is_row(series), rows.is_array(series)) == (True, True)
    assert rows.parsed(series) == (key, None)
    assert rows.shown(series) == f"#{key}"


@given(key=st.text(), row=st.none() | st.integers(0, 10**7))
def test_no_row_is_taken_for_an_array(key, row):
    assert not rows.is_array(rows.row_name(key, row))
