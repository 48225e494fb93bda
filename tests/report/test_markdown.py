from __future__ import annotations

import re
from html import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvdup.records import RefInfo
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
