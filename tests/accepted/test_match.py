"""An entry accepts one pair: renames keep it, and nothing hides behind it."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvdup.accepted import Entry, Side, accept, holders, missing, of_pair
from dvdup.hashing import voxels_key
from dvdup.records import Finding, IndexedCase, Member

TODAY = dt.date(2026, 6, 15)


def case(label: str, voxels: str) -> IndexedCase:
    split, _, name = label.partition("/")
    return IndexedCase(split, name, (), voxel_hashes=(voxels,))


def member(label: str, voxels: str) -> Member:
    split, _, name = label.partition("/")
    return Member(name, split, None, (), voxels_key((voxels,)))


def entry(a: tuple[str, str], b: tuple[str, str], until: dt.date | None = None) -> Entry:
    one, other = sorted(
        Side(*label.split("/", 1), voxels_key((voxels,))) for label, voxels in (a, b)
    )
    return Entry((one, other), "known", until)


def between(cases: dict[str, str], entries: list[Entry]) -> list[str]:
    """Which of all pairs across splits are accepted."""
    labels = sorted(cases)
    pairs = [
        Finding(member(a, cases[a]), member(b, cases[b]), "near", "voxels", "", 1.0, None, None,
                None, "f")
        for a in labels for b in labels
        if a < b and a.split("/")[0] != b.split("/")[0]
    ]  # fmt: skip
    there = holders(case(*item) for item in cases.items())
    found = accept(pairs, entries, there, TODAY)
    return [f"{pair.a.label} {pair.b.label}" for pair in found if pair.accepted]


KNOWN = entry(("train/a", "v"), ("test/b", "w"))
SAME = entry(("train/a", "v"), ("test/b", "v"))


@pytest.mark.parametrize(
    ("known", "cases", "accepted"),
    [
        (KNOWN, {"train/a": "v", "test/b": "w"}, ["test/b train/a"]),
        # renamed, on one side or on both
        (KNOWN, {"train/z": "v", "test/b": "w"}, ["test/b train/z"]),
        (KNOWN, {"train/z": "v", "test/z": "w"}, ["test/z train/z"]),
        # the same names with other voxels are another pair
        (KNOWN, {"train/a": "v", "test/b": "u"}, []),
        # a third copy, with other voxels or with the same ones
        (KNOWN, {"train/a": "v", "test/b": "w", "test/c": "u"}, ["test/b train/a"]),
        (KNOWN, {"train/a": "v", "test/b": "w", "test/c": "w"}, ["test/b train/a"]),
        (KNOWN, {"train/a": "v", "test/b": "w", "train/0": "v"}, ["test/b train/a"]),
        (SAME, {"train/a": "v", "test/b": "v", "test/c": "v"}, ["test/b train/a"]),
        # renamed while a copy came: one of them is accepted, not both
        (KNOWN, {"train/a": "v", "test/y": "w", "test/z": "w"}, ["test/y train/a"]),
        # in another split
        (KNOWN, {"train/a": "v", "val/b": "w"}, []),
        (KNOWN, {"train/a": "v", "test/b": "w", "val/b": "w"}, ["test/b train/a"]),
    ],
)
def test_which_pairs_an_entry_accepts(known, cases, accepted):
    assert between(cases, [known]) == accepted


LABELS = [f"{split}/{name}" for split in ("train", "test") for name in "abcdef"]
NAMES = st.sampled_from("abcxyz")


@given(
    st.dictionaries(st.sampled_from(LABELS), st.sampled_from("vw")),
    st.lists(st.tuples(NAMES, NAMES), unique=True),
)
def test_an_entry_never_accepts_more_than_one_pair(cases, named):
    entries = [entry((f"train/{a}", "v"), (f"test/{b}", "w")) for a, b in named]
    assert len(between(cases, entries)) <= len(entries)


@pytest.mark.parametrize(("days", "expired"), [(0, False), (1, False), (-1, True)])
def test_until_is_the_last_day(days, expired):
    cases = {"train/a": "v", "test/b": "w"}
    known = entry(("train/a", "v"), ("test/b", "w"), TODAY + dt.timedelta(days))
    pair = Finding(member("train/a", "v"), member("test/b", "w"), "near", "voxels", "", 1.0, None,
                   None, None, "f")  # fmt: skip
    (found,) = accept([pair], [known], holders(case(*item) for item in cases.items()), TODAY)
    assert found.accepted is not expired
    assert found.acceptance is not None
    assert found.acceptance.expired is expired
    assert found.acceptance.until == known.until.isoformat()


def test_a_file_by_hand_is_accepted_by_an_entry_for_one():
    by_hand = Finding(member("train/a", "v"), member("/bought", "w"), "near", "voxels", "", 1.0,
                      None, None, None, "f")  # fmt: skip
    there = holders([case("train/a", "v"), case("test/b", "w")])
    for known, accepted in ((entry(("train/a", "v"), ("/other", "w")), True), (KNOWN, False)):
        assert [f.accepted for f in accept([by_hand], [known], there, TODAY)] == [accepted]


def test_entries_without_scans_are_stale():
    there = holders([case("train/a", "v"), case("test/c", "u")])
    gone = missing([KNOWN, entry(("train/a", "v"), ("test/x", "u"))], there)
    assert {k.labels: [side.label for side in v] for k, v in gone.items()} == {
        KNOWN.labels: ["test/b"]
    }


def test_an_entry_is_found_by_the_names_of_today():
    there = holders([case("train/z", "v"), case("test/b", "w")])
    now = entry(("train/z", "v"), ("test/b", "w"))
    assert of_pair([KNOWN], now.sides, there) == [KNOWN]
    assert of_pair([SAME], now.sides, there) == []
