"""dvdup-accepted.toml: what is written is read again; what is malformed is told, with its place."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvdup.accepted import NAME, Entry, Side, parsed, read, to_toml
from dvdup.errors import InputError

A, B = "a" * 32, "b" * 32
GOOD = f"""[[accepted]]
a = "train/x"
b = "test/y"
voxels = ["{A}", "{B}"]
reason = "known"
until = 2027-01-31
"""

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
splits = st.sampled_from(["", "train", "test", "véal"])
sides = st.builds(Side, splits, names, st.text("0123456789abcdef", min_size=32, max_size=32))
reasons = names.map(str.strip).filter(bool)
entries = st.builds(
    lambda pair, reason, until: Entry(tuple(sorted(pair)), reason, until),
    st.lists(sides, min_size=2, max_size=2, unique=True),
    reasons,
    st.none() | st.dates(),
)
files = st.lists(entries, max_size=4, unique_by=lambda entry: entry.sides)


@given(files)
def test_what_is_written_is_read_again(listed):
    assert parsed(to_toml(listed)) == tuple(sorted(listed, key=lambda entry: entry.sides))


@given(files)
def test_order_does_not_matter(listed):
    assert to_toml(listed) == to_toml(listed[::-1])


def test_it_may_be_written_by_hand():
    (entry,) = parsed(GOOD)
    assert entry == Entry(
        (Side("test", "y", B), Side("train", "x", A)), "known", dt.date(2027, 1, 31)
    )
    text = GOOD.replace("2027-01-31", '"2027-01-31"')
    assert parsed(text) == (entry,)
    turned = GOOD.replace("train/x", "-").replace("test/y", "train/x").replace('"-"', '"test/y"')
    assert parsed(turned.replace(A, "-").replace(B, A).replace('"-"', f'"{B}"')) == (entry,)


FAULTS = {
    "no TOML": (GOOD + "<<<<<<< HEAD\n", "not valid TOML"),
    "other key": ("[accept]\n", "unknown key accept"),
    "a table": ('[accepted]\na = "train/x"\n', r"write \[\[accepted\]\]"),
    "texts": ('accepted = ["train/x"]\n', "entry 1 is no table"),
    "key of an entry": (GOOD + "sure = true\n", "entry 1 has an unknown key sure"),
    "no reason": (GOOD.replace('reason = "known"\n', ""), "has no reason"),
    "empty reason": (GOOD.replace("known", " "), "reason must be a text"),
    "no split": (GOOD.replace("train/x", "x"), "a must be split/case"),
    "no case": (GOOD.replace("train/x", "train/"), "a must be split/case"),
    "number": (GOOD.replace('"train/x"', "3"), "a must be split/case"),
    "short hash": (GOOD.replace(A, "abc"), "32 hex digits"),
    "one hash": (GOOD.replace(f', "{B}"', ""), "32 hex digits"),
    "no date": (GOOD.replace("2027-01-31", '"soon"'), "until must be a date"),
    "a time": (GOOD.replace("2027-01-31", "2027-01-31T10:00:00"), "until must be a date"),
    "twice": (GOOD + GOOD, "test/y and train/x twice"),
    "one case": (GOOD.replace("test/y", "train/x").replace(B, A), "are the same case"),
}


@pytest.mark.parametrize(("text", "said"), FAULTS.values(), ids=FAULTS)
def test_what_is_malformed_is_told(tmp_path, text, said):
    (tmp_path / NAME).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=said) as caught:
        read(tmp_path)
    assert NAME in str(caught.value)


def test_no_file_accepts_nothing(tmp_path):
    assert read(tmp_path) == ()


@pytest.mark.parametrize("make", [lambda p: p.mkdir(), lambda p: p.write_bytes(b"\xff\xfe\x00")])
def test_what_cannot_be_read_is_told(tmp_path, make):
    make(tmp_path / NAME)
    with pytest.raises(InputError, match=NAME):
        read(tmp_path)
