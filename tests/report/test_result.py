"""What scripts and notebooks make of a report."""

from __future__ import annotations

import math
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvdup import IncompleteError, LeakError, Report
from dvdup.errors import InstallError
from dvdup.records import Directed, Group
from dvdup.report import table
from dvdup.report.html import render as page


def test_leaks_are_raised_by_name(samples, build):
    report = Report.of(samples["small"])
    assert len(report.leaks) == 4  # of five pairs one is accepted
    with pytest.raises(LeakError) as caught:
        report.raise_for_leaks()
    first, *rest = str(caught.value).split("\n")
    assert first == "4 findings:"
    assert rest[0].startswith("test/hippocampus_301 (test/hippocampus_301.nii.gz) is identical to")
    assert len(rest) == 4
    with pytest.raises(LeakError, match=r"36 findings:(\n.*){10}\n\.\.\. and 26 more findings$"):
        Report.of(build.sixty()).raise_for_leaks()


@pytest.mark.parametrize(
    ("name", "allowed", "said"),
    [
        ("empty", False, None),
        ("unreadable", False, "3 unchecked cases:\ntest/cut_off"),
        ("unreadable", True, None),
        ("stale", True, "2 unchecked cases:\ntest/changed"),
    ],
)
def test_what_was_not_checked_is_raised_too(samples, name, allowed, said):
    report = Report.of(samples[name])
    if said is None:
        report.raise_for_leaks(allow_unreadable=allowed)
        return
    with pytest.raises(IncompleteError) as caught:
        report.raise_for_leaks(allow_unreadable=allowed)
    assert str(caught.value).startswith(said)


def test_findings_that_fail_nothing_raise_nothing(samples):
    report = samples["small"]
    allowed = replace(report, settings={**report.settings, "fail_on": []})
    Report.of(allowed).raise_for_leaks()


def test_pairs_as_a_table(samples):
    table = Report.of(samples["small"]).to_arrow()
    rows = table.to_pylist()
    assert [row["verdict"] for row in rows] == [pair.verdict for pair in samples["small"].pairs]
    slab = rows[2]
    assert (slab["b_split"], slab["b_case"], len(slab["b_paths"])) == ("test", "slab", 60)
    assert (slab["strength"], rows[0]["strength"]) == (6.12, None)
    assert slab["similarity_a_to_b"] == pytest.approx(0.42)
    assert rows[3]["a_group"] == "sub-04"
    assert rows[4]["accepted"]
    assert rows[4]["accepted_until"] == "2027-01-31"
    assert table.schema == Report.of(samples["empty"]).to_arrow().schema


def test_unchecked_cases_as_a_table(samples):
    rows = Report.of(samples["stale"]).unreadable_to_arrow().to_pylist()
    assert [(row["kind"], row["case"]) for row in rows] == [
        ("stale", "changed"),
        ("unreadable", "empty"),
        ("stale", "new"),
    ]


def test_a_data_frame(samples):
    pytest.importorskip("pandas")
    frame = Report.of(samples["many"]).to_pandas()
    assert len(frame) == len(samples["many"].pairs)
    assert set(frame.loc[frame["verdict"] == "identical", "b_case"]) >= {"twin_a", "twin_b"}


def test_without_pandas_it_says_what_to_install(samples, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(InstallError, match="pip install pandas"):
        Report.of(samples["small"]).to_pandas()


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_report_becomes_a_table(reports, data):
    report = data.draw(reports)
    table = Report.of(report).to_arrow()
    assert table.num_rows == len(report.pairs)
    for row, pair in zip(table.to_pylist(), report.pairs, strict=True):
        score = pair.shared_score or Directed(math.nan, math.nan)
        assert row["shared_score_a_to_b"] in (None, score.a_to_b)


class _Tags(HTMLParser):
    """Tags that are open, and the words of a text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words += data


@pytest.mark.parametrize("name", ["small", "empty", "within", "unreadable", "stale", "many"])
def test_a_notebook_shows_a_piece_of_html(samples, name):
    tags = _Tags(Report.of(samples[name])._repr_html_())
    assert not tags.open
    assert not tags.seen & {"script", "style", "html", "body", "a", "img"}


def test_a_notebook_shows_odd_names_as_they_are_and_leaves_some_out(build):
    tags = _Tags(Report.of(build.odd())._repr_html_())
    assert "<script>alert(1)</script> copy" in tags.words
    assert "test/two words (test/two words.nii) could not be checked" in tags.words
    long = _Tags(Report.of(build.sixty())._repr_html_())
    assert "... and 34 more findings." in long.words
    assert len(page(build.sixty(), 80, False)) > 5 * len(Report.of(build.sixty())._repr_html_())


def test_a_notebook_does_not_name_a_thousand_copies(build):
    copies = [build.member("test", f"x{i:04}") for i in range(1021)]
    pairs = [build.finding(build.member("train", "a"), copy) for copy in copies]
    group = Group("g1", ("train/a", *(copy.label for copy in copies)), "identical")
    shown = Report.of(build.report((build.TRAIN, build.TEST), pairs, groups=(group,)))._repr_html_()
    assert "x0019" in shown
    assert "x0020" not in shown
    assert "... and 1,001 more<" in shown
    _Tags(shown)


@pytest.mark.parametrize("name", ["small", "empty", "unreadable"])
def test_print_shows_the_table(samples, name):
    assert str(Report.of(samples[name])) == table.render(samples[name], 80, color=False)
