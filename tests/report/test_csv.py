from __future__ import annotations

import csv
from io import StringIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvdup.report.csv import HEADER, render, safe_cell


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(text)))


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_one_line_a_row_and_every_row_complete(reports, data):
    report = data.draw(reports)
    text = render(report, 80, False)
    assert text.count("\n") == 1 + len(report.pairs) + len(report.unreadable)
    read = rows(text)
    assert all(None not in row and set(row) == set(HEADER) for row in read)
    assert [row["verdict"] for row in read[: len(report.pairs)]] == [
        finding.verdict for finding in report.pairs
    ]


@given(st.text())
def test_no_cell_is_a_formula(text):
    cell = safe_cell(text)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=SUM(A1)", "'=SUM(A1)"),
        ("-001", "'-001"),
        ("@cmd", "'@cmd"),
        ("\t=1", r"'\t=1"),
        ("\uff1d1", "'\uff1d1"),
        ("a=1", "a=1"),
        ("hippocampus_001", "hippocampus_001"),
        ("", ""),
    ],
)
def test_guarded_cells(text, cell):
    assert safe_cell(text) == cell


def test_columns_carry_the_values(samples):
    row = rows(render(samples["small"], 80, False))[2]
    assert row["verdict"] == "partial"
    assert (row["a_split"], row["a_case"]) == ("train", "hippocampus_003")
    assert (row["b_path"], row["b_files"]) == ("test/slab/IM0000.dcm", "60")
    assert (row["shared_score_a_to_b"], row["shared_score_b_to_a"]) == ("0.4100", "0.4300")


def test_accepted_and_unreadable_rows(samples):
    assert [row["accepted"] for row in rows(render(samples["small"], 80, False))][-1] == "true"
    row = rows(render(samples["unreadable"], 80, False))[0]
    assert (row["verdict"], row["a_split"], row["a_case"]) == ("unreadable", "test", "cut_off")
    assert row["reason"] == "cut off after 1,024 bytes"
    assert row["b_case"] == row["accepted"] == ""
