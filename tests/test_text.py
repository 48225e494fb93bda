"""What is printed is one line, and no log takes it for a command."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvdup.text import visible, visible_lines


def runs_a_command(text: str) -> bool:
    """As the runner of GitHub Actions reads output, line by line, and its likes do."""
    for line in re.split(r"\r\n|\r|\n", text):
        if re.match(r"::[^:]*::", line.lstrip()):
            return True
        if re.search(r"##(?:vso|teamcity)?\[[^\]]*\]", line):
            return True
    return False


HOSTILE = [
    "::error title=x::pwn",
    "  ::set-output name=a::b",
    "##[error]x",
    "a ##[add-mask]x",
    "###[group]x",
    "##vso[task.setvariable variable=a]b",
    "a\n::error::x",
    "a\r::error::x",
    "\u2003::error::x",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_starts_no_command(name):
    assert runs_a_command(name)
    assert not runs_a_command(visible(name))
    assert "\n" not in visible(name)
    assert not runs_a_command(visible_lines(name))


@given(st.text(":# [a]\n\re", max_size=30))
def test_no_name_starts_a_command(name):
    assert not runs_a_command(visible(name))
    assert not runs_a_command(visible_lines(name))


@pytest.mark.parametrize("name", ["a:b", "#1", "train/p03", "ß 頭", "a : : b"])
def test_other_names_stay_as_they_are(name):
    assert visible(name) == name


@pytest.mark.parametrize(
    ("name", "shown"), [("::a", r"\x3a:a"), ("##[a]", r"\x23#[a]"), ("a\nb", r"a\nb")]
)
def test_the_escape_says_what_was_there(name, shown):
    assert visible(name) == shown
