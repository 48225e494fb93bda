"""The page as text: what is in it, what is not, and what its security policy allows."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import pictures

from dvdup.records import RefInfo
from dvdup.report import render

VOID = {"meta", "img", "input", "br"}
ALLOWED_SOURCE = re.compile(r"data:image/webp;base64,[A-Za-z0-9+/=]+")


class Page(HTMLParser):
    """The elements of a page, their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == [], "not closed"

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), "an attribute stands twice"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.setdefault(self.open[-1] if self.open else "", []).append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def words(page: Page) -> str:
    texts = (text for tag, text in page.text.items() if tag not in ("style", "script"))
    return " ".join(" ".join(" ".join(text) for text in texts).split())


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_any_report_is_a_page_that_asks_for_nothing(reports, data):
    report = data.draw(reports)
    page = Page(render(report, "html"))
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"link", "iframe", "object", "embed", "base"}
    assert len(page.all("script")) == len(page.all("style")) == 1
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], tag
        assert (attributes.get("href") or "#").startswith("#")
        assert "src" not in attributes or ALLOWED_SOURCE.fullmatch(attributes["src"] or "")
    assert [tag for tag, _ in page.elements].count("tbody") >= len(report.pairs)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)


def test_the_policy_names_the_style_and_the_script_by_their_hashes(samples):
    page = Page(render(samples["small"], "html"))
    (policy,) = (m["content"] for m in page.all("meta") if m.get("http-equiv"))
    for tag, rule in (("style", "style-src"), ("script", "script-src")):
        digest = hashlib.sha256("".join(page.text[tag]).encode()).digest()
        assert f"{rule} 'sha256-{base64.b64encode(digest).decode()}'" in policy
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy


def test_odd_names_are_text(build):
    text = render(build.odd(), "html", pictures=pictures(len(build.ODD)))
    page = Page(text)
    assert len(page.all("script")) == 1
    said = words(page)
    for name in ("two words", "頭部 é", "a|b", "a`b`", "=cmd()", "<script>alert(1)</script>"):
        assert f"train/{name}" in said
    names = {body["data-right"] for body in page.all("tbody") if "data-right" in body}
    assert r"train/a\nb" in names
    assert "train/<script>alert(1)</script>" in names
    assert "no picture: its file has <gone>" in said


def test_the_page_says_all_that_there_is(samples):
    page = Page(render(samples["small"], "html"))
    said = words(page)
    for text in (
        "3 of 41 test cases are already in train (7.3 %).",
        "1 accepted pair does not count.",
        "accepted: a phantom, in both on purpose (until 2027-01-31)",
        "(strength 6.12)",
        "voxels cells",
        "3 of 41 (7.3 %)",
        "1 of the same subject",
        "test/exported_7",
        "slices agree throughout",
        "voxels correlation",
        "0.9877",
        "subject sub-04",
        "thresholds near shared",
        "The pictures were left out of this report.",
    ):
        assert text in said
    states = [body["data-state"] for body in page.all("tbody") if "data-state" in body]
    assert states == ["open"] * 4 + ["accepted"]


def test_groups_and_unchecked_cases_are_listed(samples):
    said = words(Page(render(samples["within"], "html")))
    assert "3 cases:" in said
    assert "Groups of copies" in said
    said = words(Page(render(samples["unreadable"], "html")))
    assert "Nothing was found in what was checked." in said
    assert "git-lfs pointer, the content is not here: run `git lfs pull`" in said


def test_pictures_are_told_and_wait_until_they_are_seen(build):
    pairs = [
        build.finding(build.member("train", f"a{i}"), build.member("test", f"x{i}"))
        for i in range(3)
    ]
    page = Page(
        render(build.report((build.TRAIN, build.TEST), pairs), "html", pictures=pictures(3))
    )
    images = page.all("img")
    assert len(images) == 2 * 10
    for image in images:
        assert (image["loading"], image["decoding"]) == ("lazy", "async")
        assert image["alt"]
        assert int(image["width"] or 0) * int(image["height"] or 0) > 0
    assert images[0]["alt"] == "test/x0, plane 0, slice 0 of 0-9"
    assert images[1]["alt"] == "train/a0, plane 0, slice 1 of 0-9"
    assert images[2]["alt"] == "difference, plane 0, slice 2 of 0-9"
    assert images[9]["alt"] == "similarities of all slices, right: axial 0-9, up: axial 0-9"
    assert page.text["span"].count("test/x0") == 2  # in its row and once above its pictures
    assert page.text["figcaption"][1].strip() == "plane 0, slice 1 of 0-9"


@pytest.mark.parametrize("name", ["small", "empty", "unreadable", "within"])
def test_the_tone_is_that_of_the_table(samples, name):
    tones = {"small": "bad", "empty": "good", "unreadable": "doubtful", "within": "bad"}
    (header,) = Page(render(samples[name], "html")).all("header")
    assert header["class"] == tones[name]


def test_two_versions_of_a_split_are_two_refs(build):
    refs = (RefInfo("train@v1", "train", 3), RefInfo("train", "train", 4))
    pair = build.finding(build.member("train", "a"), build.member("train", "b"))
    page = Page(render(build.report(refs, [pair]), "html"))
    assert "train@v1 (3)" in words(page)
    (link,) = (a for a in page.all("a") if "data-splits" in a)
    assert link["data-splits"] == "train and train"
