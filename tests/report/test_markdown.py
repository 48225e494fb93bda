from __future__ import annotations

import re
from html import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvdup.records import Group, RefInfo, Unreadable
from dvdup.report.markdown import LARGEST, code, plain, render
from dvdup.text import visible


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_every_table_row_has_the_cells_of_its_head(reports, data):
    width = None
    for line in render(data.draw(reports), 80, False).split("\n"):
        if not line.startswith("|"):
            width = None
            continue
        cells = line.count("|")
        assert width in (None, cells)
        width = cells


@given(st.text())
def test_plain_text_holds_no_markup(text):
    shown = plain(text).replace("@<!-- -->", "@")
    assert not set(re.sub(r"&#?\w+;", "", shown)) & set("\\`*_[]<>|~!$")
    assert not re.search(r":\S", shown)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("hippocampus_001", "`hippocampus_001`"),
        ("<i>*x*</i>", "`<i>*x*</i>`"),
        ("a|b", "<code>a&#124;b</code>"),
        ("a`b", "<code>a&#96;b</code>"),
        ("a\\|b", "<code>a&#92;&#124;b</code>"),
        ("a\nb", "<code>a&#92;nb</code>"),
        ("`<b>`", "<code>&#96;&lt;b&gt;&#96;</code>"),
        (" ", "<code> </code>"),
    ],
)
def test_names_are_code(name, shown):
    assert code(name) == shown


@settings(deadline=None)
@given(text=st.text(min_size=1).filter(lambda text: text == " ".join(text.split()) != ""))
def test_a_markdown_reader_gives_the_text_back(text):
    """In a table cell and in a sentence, by another reader of the format."""
    markdown_it = pytest.importorskip("markdown_it")
    reader = markdown_it.MarkdownIt("commonmark", {"html": True}).enable("table")
    cells = f"| a | b |\n| --- | --- |\n| {code(text)} | {plain(text)} |\n\n- x {plain(text)}\n"
    html = reader.render(cells)
    bare = unescape(re.sub(r"<[^>]*>", "", html))
    shown = visible(text)
    assert bare.split() == ["a", "b", *shown.split(), *shown.split(), "x", *shown.split()]


def test_mentions_and_links_are_broken():
    assert plain("ask @someone") == "ask @<!-- -->someone"
    assert plain("train@v1") == "train@v1"
    assert "://" not in plain("https://example.org")


def test_a_summary_too_big_for_github_is_cut_and_says_so(build):
    pairs = [
        build.finding(build.member("train", f"a{i}" * 40), build.member("test", f"x{i}" * 40))
        for i in range(2000)
    ]
    refs = (RefInfo("train", "train", 9000), RefInfo("test", "test", 9000))
    text = render(build.report(refs, pairs), 80, False)
    assert LARGEST / 2 < len(text.encode()) < 2**20
    listed = sum(line.startswith("| identical") for line in text.splitlines())
    assert f"\n{2000 - listed:,} more findings do not fit here" in text
    assert text.startswith("## dvdup: 2,000 of 9,000 test cases are already in train (22.2 %).")
    assert "\n2,000 pairs: 2,000 identical." in text


def test_all_tables_together_fit_into_a_summary(build):
    """GitHub drops what is larger as a whole."""
    pairs = [
        build.finding(
            build.member("train", f"a{i}" * 40),
            build.member("test", f"x{i}" * 40),
            accepted=i % 2 == 0,
        )
        for i in range(8000)
    ]
    broken = [Unreadable(f"b{i}" * 40, "test", (f"test/b{i}" * 20,), "cut") for i in range(4000)]
    refs = (RefInfo("train", "train", 9000), RefInfo("test", "test", 9000))
    text = render(build.report(refs, pairs, unreadable=tuple(broken)), 80, False)
    assert LARGEST * 0.9 < len(text.encode()) < 2**20
    for what in ("findings", "accepted pairs", "cases"):
        assert re.search(f"\n[0-9,]+ more {what} do not fit here", text), what


def test_copies_of_one_scan_do_not_fill_a_row(build):
    copies = [build.member("test", f"x{i:04}") for i in range(600)]
    pairs = [build.finding(build.member("train", "a"), copy) for copy in copies]
    labels = ("train/a", *(copy.label for copy in copies))
    refs = (RefInfo("train", "train", 9000), RefInfo("test", "test", 9000))
    one = build.report(refs, pairs, groups=(Group("g1", labels, "identical"),))
    text = render(one, 80, False)
    assert "`x0499`" in text
    assert "x0500" not in text
    assert "... and 100 more" in text
