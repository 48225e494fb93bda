"""Cases are followed by what is in them: a new name is no copy, a copy beside it is one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvdup.compare import versions
from dvdup.records import FileStat, IndexedCase


def case(name: str, content: str, **values) -> IndexedCase:
    """A case of a name such as train/a."""
    split, _, case_id = name.partition("/")
    made = IndexedCase(
        split,
        case_id,
        (FileStat(f"{name}.nii", 1, 1, f"bytes-{content}"),),
        content=content,
        voxel_hashes=(f"voxels-{content}",),
    )
    return replace(made, **values)


def told(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """What happened, in short: `renamed a b`."""
    found = versions.changes(*([case(*item) for item in side.items()] for side in (before, after)))
    return {
        " ".join([change.kind, *(side.label for side in (change.before, change.after) if side)])
        for change in found
    }


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ({"train/a": "1"}, {"train/a": "1"}, set()),
        ({}, {"train/a": "1"}, {"added train/a"}),
        ({"train/a": "1"}, {}, {"removed train/a"}),
        ({"train/a": "1"}, {"train/b": "1"}, {"renamed train/a train/b"}),
        ({"train/a": "1"}, {"train/a": "2"}, {"changed train/a train/a"}),
        ({"train/a": "1"}, {"test/a": "1"}, {"moved train/a test/a"}),
        ({"train/a": "1"}, {"test/b": "1"}, {"moved train/a test/b"}),
        ({"train/a": "1"}, {"train/a": "1", "train/b": "1"}, {"added train/b"}),
        ({"train/a": "1"}, {"train/a": "1", "test/a": "1"}, {"added test/a"}),
        (
            {"train/a": "1"},
            {"train/b": "1", "train/c": "1"},
            {"renamed train/a train/b", "added train/c"},
        ),
        (
            {"train/a": "1", "train/b": "1"},
            {"train/c": "1"},
            {"renamed train/a train/c", "removed train/b"},
        ),
        (
            {"train/a": "1", "train/b": "2"},
            {"train/a": "2", "train/b": "1"},
            {"renamed train/a train/b", "renamed train/b train/a"},
        ),
        (
            {"train/a": "1", "test/b": "1"},
            {"val/b": "1", "val/c": "1"},
            {"moved test/b val/b", "moved train/a val/c"},
        ),
        (
            {"train/a": "1"},
            {"train/a": "2", "train/b": "1"},
            {"renamed train/a train/b", "added train/a"},
        ),
    ],
)
def test_what_happened(before, after, found):
    assert told(before, after) == found


names = st.sampled_from([f"{split}/{n}" for split in ("train", "test") for n in range(5)])
version = st.dictionaries(names, st.sampled_from("123456"))


@given(version, version)
def test_every_case_is_told_once_or_has_stayed(before, after):
    found = versions.changes(*([case(*item) for item in side.items()] for side in (before, after)))
    for side, cases, other in (("before", before, after), ("after", after, before)):
        labels = [getattr(c, side).label for c in found if getattr(c, side) is not None]
        assert len(labels) == len(set(labels))
        assert {name for name in cases if other.get(name) != cases[name]} == set(labels)
    assert list(found) == sorted(found, key=lambda change: change.order)


@given(version, version)
def test_as_few_as_can_be_were_added_and_removed(before, after):
    """A content that both versions hold is never told as removed and added."""
    kinds = {text.split()[0] for text in told(before, after)}
    if sorted(before.values()) == sorted(after.values()):
        assert kinds <= {"renamed", "moved"}


@pytest.mark.parametrize(
    ("values", "differences"),
    [
        ({"content": "2", "voxel_hashes": ("other",)}, ("voxels",)),
        ({"content": "2"}, ("header",)),
        ({"group": "p1"}, ("subject",)),
        ({"files": (FileStat("train/sub/a.nii.gz", 1, 1, "x"),)}, ("files",)),
        ({"content": "", "status": "unreadable"}, ("unreadable",)),
        ({"files": (FileStat("train/a.nii", 9, 9, "bytes-1"),)}, None),
    ],
)
def test_in_what_a_case_is_different(values, differences):
    old = case("train/a", "1")
    found = versions.changes([old], [replace(old, **values)])
    assert [change.differences for change in found] == ([differences] if differences else [])


def pointer(name: str, recorded: str) -> IndexedCase:
    files = (FileStat(f"{name}.nii", 9, 0, recorded),)
    return case(name, "", files=files, status="unreadable", voxel_hashes=())


def test_cases_that_are_not_here_are_followed_by_what_their_pointers_record():
    before = [
        pointer("train/a", "sha256:1"),
        pointer("train/b", "sha256:2"),
        pointer("train/c", ""),
    ]
    after = [pointer("train/x", "sha256:1"), pointer("train/b", "sha256:3"), pointer("train/c", "")]
    found = versions.changes(before, after)
    assert [(c.kind, c.after.case, c.differences) for c in found] == [
        ("renamed", "x", ()),
        ("changed", "b", ("voxels",)),
    ]
    read = versions.changes([pointer("train/a", "sha256:1")], [case("train/a", "1")])
    assert [(c.kind, c.differences) for c in read] == [("changed", ("readable",))]


def test_what_is_newer_came_into_its_split():
    before = [case("train/a", "1"), case("train/b", "2"), case("test/c", "3"), case("test/e", "5")]
    after = [
        *(case("train/r", "1"), case("train/b", "9"), case("train/c", "3"), case("train/d", "4")),
        replace(before[3], group="p"),
    ]
    assert {"/".join(key) for key in versions.newer(before, after)} == {
        "train/b",
        "train/c",
        "train/d",
    }


@pytest.fixture
def tagged(dataset, dvdup):
    assert dvdup(dataset.root, "sync", "-q").code == 0
    assert dvdup(dataset.root, "tag", "v1", "-q").code == 0
    return dataset


def test_a_rename_after_a_tag_is_told_and_no_finding(tagged, dvdup):
    (tagged.root / "train/p03.nii.gz").rename(tagged.root / "train/new_name.nii.gz")
    assert dvdup(tagged.root, "sync", "-q").code == 0
    for refs in (("train@v1", "train"), ("train@v1",), ("v1",), ("train@v1", "train")):
        ran = dvdup(tagged.root, "diff", *refs)
        assert ran.code == 0, ran.stdout
        assert "1 renamed" in ran.stdout
        assert "train/p03 -> train/new_name" in ran.stdout
        assert "remove" not in ran.stdout


def test_a_copy_beside_its_source_is_a_finding(tagged, dvdup):
    (tagged.root / "train/p03.nii.gz").rename(tagged.root / "train/new_name.nii.gz")
    tagged.put("train/other.nii.gz", 3)
    tagged.put("train/again.nii.gz", 4)
    assert dvdup(tagged.root, "sync", "-q").code == 0
    ran = dvdup(tagged.root, "diff", "train@v1", "train", "-f", "json")
    assert ran.code == 1
    found = {(pair["a"]["case"], pair["b"]["case"]) for pair in ran.json["pairs"]}
    assert found == {("p03", "other"), ("p04", "again")}
    table = dvdup(tagged.root, "diff", "train@v1", "train").stdout
    assert "leave out what came as a copy of what was there" in " ".join(table.split())
