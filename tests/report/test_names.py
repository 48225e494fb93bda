from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvdup.records import Unreadable
from dvdup.report.names import counted, listed, percent, public_path, public_reason
from dvdup.text import visible


@given(st.text())
def test_visible_text_is_one_printable_line(text):
    assert visible(text).isprintable()
    assert visible(visible(text)) == visible(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Müller_頭", "Müller_頭"),
        ("a\n\r\t\x07", r"a\n\r\t\x07"),
        ("\u202e\udc80\U000e0001", r"\u202e\udc80\U000e0001"),
        ("a b", "a b"),
    ],
)
def test_visible(text, shown):
    assert visible(text) == shown


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("train/a.nii.gz", "train/a.nii.gz"),
        ("../other/a.nii.gz", "../other/a.nii.gz"),
        ("/home/me/a.nii.gz", "a.nii.gz"),
        ("/home/me/series/", "series"),
        ("C:/data/a.nii", "a.nii"),
        (r"C:\data\a.nii", "a.nii"),
        (r"\\server\share\a.nii", "a.nii"),
        ("/", "."),
    ],
)
def test_public_path(path, shown):
    assert public_path(path) == shown


@given(st.text())
def test_public_path_is_settled_after_one_pass(path):
    once = public_path(path)
    assert public_path(once) == once


@pytest.mark.parametrize(
    ("share", "digits", "shown"),
    [
        (3 / 41, 1, "7.3 %"),
        (1.0, 0, "100 %"),
        (0.999, 0, "99 %"),
        (0.9999, 1, "99.9 %"),
        (0.0001, 0, "1 %"),
        (0.0, 1, "0.0 %"),
    ],
)
def test_percent_never_rounds_to_all_or_nothing(share, digits, shown):
    assert percent(share, digits) == shown


def test_counted_and_listed():
    assert [counted(n, "case") for n in (0, 1, 1000)] == ["0 cases", "1 case", "1,000 cases"]
    assert [listed("abc"[:n]) for n in range(4)] == ["", "a", "a and b", "a, b and c"]


def test_a_reason_holds_no_absolute_path():
    case = Unreadable("a", "", ("/home/me/a.mhd", "/home/me/a.raw"), "/home/me/a.raw: truncated")
    assert public_reason(case) == "a.raw: truncated"
    inside = Unreadable("a", "test", ("test/a.nii",), "test/a.nii: truncated")
    assert public_reason(inside) == "test/a.nii: truncated"
