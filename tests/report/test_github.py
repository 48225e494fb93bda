"""Annotations as the runner of GitHub Actions reads them."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvdup.report import render
from dvdup.report.github import MOST, data, parameter

COMMAND = re.compile(r"::(\w+) ([^:]*)::(.*)")


def read(text: str) -> list[tuple[str, dict[str, str], str]]:
    """Kind, parameters and message of every command, decoded as the runner does it."""
    found = []
    for line in re.split(r"\r\n|\r|\n", text):
        if not line.lstrip().startswith("::"):
            continue
        match = COMMAND.fullmatch(line)
        assert match, line
        pairs = (pair.split("=", 1) for pair in match[2].split(",") if pair)
        values = {name: decoded(value, {"%3A": ":", "%2C": ","}) for name, value in pairs}
        found.append((match[1], values, decoded(match[3], {})))
    return found


def decoded(text: str, more: dict[str, str]) -> str:
    for code, character in {"%0D": "\r", "%0A": "\n", **more, "%25": "%"}.items():
        text = text.replace(code, character)
    return text


def test_an_annotation_names_both_files_and_the_reason(samples):
    kind, values, message = read(render(samples["small"], "github"))[1]
    assert (kind, values["file"]) == ("error", "test/exported_7.nrrd")
    assert values["title"] == "dvdup: The same scan, processed"
    assert "train/hippocampus_002.nii.gz" in message
    assert message.endswith("slices agree throughout (confidence 0.99)")


def test_odd_names_are_found_again(build):
    report = build.odd()
    found = read(render(report, "github"))
    assert len(found) == MOST  # the names come first, unchecked cases last
    for (_, values, _), name in zip(found, build.ODD, strict=False):
        file = f"test/{name} copy.nii.gz"
        if name.isprintable() or name == "a\nb":
            assert values["file"] == file.replace("##", "\\x23#")
        assert values["title"] == "dvdup: The same scan, processed"


@pytest.mark.parametrize("escape", [data, parameter])
@given(text=st.text())
def test_escaped_text_is_one_line_and_ends_no_parameter(escape, text):
    escaped = escape(text)
    assert escaped.isprintable()
    assert escape is not parameter or not set(escaped) & {":", ","}


def test_ten_of_a_kind_then_what_is_missing(build):
    text = render(build.sixty(), "github")
    kinds = Counter(kind for kind, _, _ in read(text))
    assert kinds == {"error": MOST, "warning": MOST}
    closing = text.splitlines()[-1]
    assert closing.startswith("dvdup: 36 of 41 test cases are already in train")
    assert closing.endswith("34 more are not annotated: GitHub shows 10 of a kind.")


def test_what_is_accepted_is_no_annotation_and_what_was_not_checked_is_an_error(samples):
    assert "phantom" not in render(samples["small"], "github")
    assert [kind for kind, _, _ in read(render(samples["unreadable"], "github"))] == ["error"] * 3


def test_a_clean_report_is_one_line(samples):
    (line,) = render(samples["empty"], "github").splitlines()
    assert line.startswith("dvdup: No copy of the 41 test cases found in train.")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_command_is_ours_in_any_report(reports, data):
    report = data.draw(reports)
    text = render(report, "github")
    found = read(text)
    assert {kind for kind, _, _ in found} <= {"error", "warning"}
    assert len(found) == min(MOST, text.count("::error ")) + min(MOST, text.count("::warning "))
    assert not re.search(r"##\[", text)
