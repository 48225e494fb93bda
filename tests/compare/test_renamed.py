"""A case under a new name is no copy of itself; a copy beside it is one."""

from __future__ import annotations

import pytest

from dvdup.compare.refs import find_ref
from dvdup.compare.renamed import renamed


@pytest.mark.parametrize(
    ("before", "after", "names"),
    [
        ({"a": 1}, {"a": 1}, {}),
        ({"a": 1}, {"b": 1}, {"b": "a"}),
        ({"a": 1}, {"a": 1, "b": 1}, {}),
        ({"a": 1}, {"b": 2}, {}),
        ({"a": 1}, {"b": 1, "c": 1}, {"b": "a"}),
        ({"a": 1, "b": 1}, {"c": 1}, {"c": "a"}),
        ({"a": 1, "b": 1}, {"b": 1, "c": 1}, {"c": "a"}),
        ({"a": 1, "b": 2}, {"a": 2, "b": 1}, {}),
    ],
)
def test_which_cases_were_renamed(write, case, before, after, names):
    from dvdup import store

    for cases in (before, after):
        index = write(*(case("train", name, content=f"c{n}") for name, n in cases.items()))
        if cases is before:
            store.add_tag(index, "v1")
    old, new = find_ref(index, "train@v1"), find_ref(index, "train")
    found = renamed(old, new)
    assert {key[1]: value[1] for key, value in found.items()} == names
    assert renamed(new, new) == {}


@pytest.fixture
def tagged(dataset, dvdup):
    assert dvdup(dataset.root, "sync", "-q").code == 0
    assert dvdup(dataset.root, "tag", "v1", "-q").code == 0
    return dataset


def test_a_rename_after_a_tag_is_told_and_no_finding(tagged, dvdup):
    (tagged.root / "train/p03.nii.gz").rename(tagged.root / "train/new_name.nii.gz")
    assert dvdup(tagged.root, "sync", "-q").code == 0
    for _ in range(2):  # made, and read from the store
        ran = dvdup(tagged.root, "diff", "train@v1", "train")
        assert ran.code == 0, ran.stdout
        assert "1 case was renamed between train@v1 and train, such as p03, which is new_name" in (
            ran.stderr
        )
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
