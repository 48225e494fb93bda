"""No report runs a command of a CI service, whatever the scans are called."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvdup.records import Group, RefInfo, Unreadable
from dvdup.report import FORMATS, render
from dvdup.report.json import from_json

NAMES = (
    "::error title=x::pwn",
    "a/::warning::b",
    "##[error]x",
    "some-long-name-that-is-folded-at-its-end-::set-output name=a::b-and-goes-on-for-a-while",
)


QUIET = [format for format in FORMATS if format != "github"]  # it writes commands of its own


def commands(text: str) -> list[str]:
    """The lines that the runner of GitHub Actions would run."""
    return [
        line
        for line in re.split(r"\r\n|\r|\n", text)
        if re.match(r"::[^:]*::", line.lstrip()) or re.search(r"##(?:vso)?\[[^\]]*\]", line)
    ]


@pytest.mark.parametrize("format", QUIET)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [40, 80, 200])
def test_names_run_nothing(build, format, name, width):
    split = name.replace("/", "_")
    one, other = build.member(split, name), build.member("test", name, group=name)
    found = build.finding(one, other, "near", reason=f"{name} match {name}")
    hidden = Unreadable(name, "test", (name,), f"{name}: is cut off")
    report = build.report(
        (RefInfo(split, split, 3), RefInfo("test", "test", 3)),
        [found],
        unreadable=(hidden,),
        groups=(Group("g", (one.label, other.label), "near"),),
    )
    for color in (False, True):
        assert commands(render(report, format, width=width, color=color)) == []


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_nothing_runs_in_any_report(reports, data):
    report = data.draw(reports)
    for format in QUIET:
        assert commands(render(report, format, width=40)) == []


def test_json_keeps_the_name(build):
    member = build.member("train", "##[error]::x")
    text = render(build.report((build.TRAIN,), [build.finding(member, member)]), "json")
    assert json.loads(text)["pairs"][0]["a"]["case"] == "##[error]::x"
    assert from_json(text).pairs[0].a.case == "##[error]::x"
