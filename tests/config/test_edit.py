"""One table goes into a configuration file; everything else in it stays as it was."""

from __future__ import annotations

import os
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvdup.config.edit import put_table, with_table
from dvdup.errors import ConfigError

VALUES = {"threshold": 4.5, "embedder": "builtin", "cases": 50}
REMARK = "Written by a command."
TABLE = (
    '[calibration]\n# Written by a command.\nthreshold = 4.5\nembedder = "builtin"\ncases = 50\n'
)

AROUND = """# my settings
embedder = "thumbnail"   # fast

[report]
fail_on = [
[1, 2], # no header
]
note = '''
[calibration]
not = "a table"
'''
"""
BEHIND = """
# about the store
[store]
commit_rows = 9 # few
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_new_table_comes_last(end):
    text = AROUND.replace("\n", end)
    new = with_table(text, ("calibration",), VALUES, REMARK)
    assert new == text + end + TABLE.replace("\n", end)


@pytest.mark.parametrize("old", ["threshold = 1\n", "# x\nthreshold = 1 # y\ncases = 7\n"])
def test_an_old_table_is_replaced_where_it_is(old):
    text = AROUND + "[ calibration ] # old\n" + old + BEHIND
    assert with_table(text, ("calibration",), VALUES, REMARK) == AROUND + TABLE + BEHIND


def test_again_changes_nothing():
    once = with_table(AROUND + BEHIND, ("calibration",), VALUES, REMARK)
    assert with_table(once, ("calibration",), VALUES, REMARK) == once


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["# c", "", "[a]", "[[b]]", "[a.c]", "x = 1", "y = [\n[1],\n]",
             's = """\n[calibration]"""',
             "[calibration]", "threshold = 3", "[calibration.more]", "calibration = {x = 1}", "\t"]
        ),
        max_size=8,
    ),
    st.sampled_from(["\n", "\r\n"]),
)  # fmt: skip
def test_whatever_stands_in_the_file_the_rest_stays(parts, end):
    text = end.join(part.replace("\n", end) for part in parts)
    try:
        before = tomllib.loads(text.replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError:
        return
    new = with_table(text, ("calibration",), VALUES, REMARK)
    if new is None:
        return
    after = tomllib.loads(new)
    assert after.pop("calibration") == VALUES
    before.pop("calibration", None)
    assert after == before
    assert new.count("# c") == text.count("# c") or "[calibration]" in text


def test_in_a_pyproject_and_through_a_link(tmp_path):
    real = tmp_path / "real.toml"
    real.write_text('[tool.other]\nx = 1\n\n[tool.dvdup]\nembedder = "thumbnail"\n')
    link = tmp_path / "pyproject.toml"
    os.symlink(real, link)
    put_table(link, "calibration", {**VALUES, "budget": None}, REMARK)
    assert link.is_symlink()
    tool = tomllib.loads(real.read_text())["tool"]
    assert tool["dvdup"] == {"embedder": "thumbnail", "calibration": VALUES}
    assert tool["other"] == {"x": 1}


def test_a_file_that_is_not_there_is_made(tmp_path):
    put_table(tmp_path / "dvdup.toml", "calibration", VALUES, REMARK)
    assert (tmp_path / "dvdup.toml").read_text() == TABLE


def test_a_byte_order_mark_stays(tmp_path):
    file = tmp_path / "dvdup.toml"
    file.write_bytes(b"\xef\xbb\xbfjobs = 1\n")
    put_table(file, "calibration", VALUES, REMARK)
    assert file.read_bytes() == b"\xef\xbb\xbfjobs = 1\n\n" + TABLE.encode()


@pytest.mark.parametrize("text", ["calibration = {threshold = 1}\n", "calibration.threshold = 1\n"])
def test_what_cannot_be_replaced_is_refused(tmp_path, text):
    file = tmp_path / "dvdup.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match="take it out of the file"):
        put_table(file, "calibration", VALUES, REMARK)
    assert file.read_text() == text


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ConfigError, match="cannot write"):
        put_table(tmp_path / "no" / "dvdup.toml", "calibration", VALUES, REMARK)
