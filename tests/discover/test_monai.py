"""Datalists of MONAI."""

from __future__ import annotations

import json

import pytest

from dvdup.errors import ConfigError, InputError


@pytest.fixture
def datalist(touch, tmp_path):
    """Write one: datalist(training=[...])."""
    touch(*(f"images/{name}.nii.gz" for name in "abcdef"), "labels/a.nii.gz")

    def write(name="datalist.json", **lists):
        (tmp_path / name).write_text(json.dumps(lists))

    return write


def image(name, **more):
    return {"image": f"images/{name}.nii.gz", "label": f"labels/{name}.nii.gz", **more}


def test_lists_are_splits(datalist, found):
    datalist(
        description="of nothing",
        training=[image("a"), image("b")],
        validation=[image("c")],
        testing=["images/d.nii.gz", image("e")],
        test_b=[image("f")],
    )
    assert list(found()[0]) == [
        ("test", "d"), ("test", "e"), ("test_b", "f"), ("train", "a"), ("train", "b"), ("val", "c"),
    ]  # fmt: skip


def test_folds(datalist, found, detect):
    datalist(
        training=[image("a", fold=0), image("b", fold=1), image("c", fold=1), image("d")],
        testing=[image("e", fold=0)],
    )
    assert list(found()[0]) == [
        ("fold_0", "a"), ("fold_1", "b"), ("fold_1", "c"), ("test", "e"), ("train", "d"),
    ]  # fmt: skip
    assert detect().notes[:2] == (
        "found a datalist, datalist.json: 5 scans "
        "(1 in fold_0, 2 in fold_1, 1 in test, 1 in train)",
        "keys: image for a scan, fold for the split; not used: label",
    )


def test_one_fold_is_no_split(datalist, found):
    datalist(training=[image("a", fold=0), image("b", fold=0)], testing=[image("e")])
    assert {split for split, _ in found()[0]} == {"train", "test"}


def test_channels_and_further_images(touch, datalist, found):
    touch("p/p1_t1.nii.gz", "p/p1_t2.nii.gz", "p/p2_ct.nii.gz", "p/p2_pt.nii.gz")
    datalist(
        training=[{"image": ["p/p1_t1.nii.gz", "p/p1_t2.nii.gz"], "label": "p/p1_x.nii.gz"}],
        testing=[{"image": "p/p2_ct.nii.gz", "image2": "p/p2_pt.nii.gz", "pred": "p/p.nii.gz"}],
    )
    assert found()[0] == {
        ("train", "p1"): ("p/p1_t1.nii.gz", "p/p1_t2.nii.gz"),
        ("test", "p2_ct"): ("p/p2_ct.nii.gz",),
        ("test", "p2_pt"): ("p/p2_pt.nii.gz",),
    }


def test_subjects_and_ids(datalist, declared, detect):
    datalist(training=[image("a", patient_id="P1", id="first")], test=[image("b", patient_id="P1")])
    assert [(case.key, case.group) for case in declared().cases] == [
        (("test", "b"), "P1"), (("train", "first"), "P1"),
    ]  # fmt: skip
    assert "patient_id for the group, id for the case" in detect().notes[1]


def test_what_is_not_there_is_a_case(datalist, found):
    datalist(training=[image("a")], testing=[image("gone")])
    assert found()[0][("test", "gone")] == ("images/gone.nii.gz",)


def test_paths_below_the_dataset(datalist, touch, found, tmp_path):
    (tmp_path / "lists").mkdir()
    datalist("lists/d.json", training=[image("a")], testing=[{"image": "b.nii.gz"}])
    cases, _ = found(layout="monai", json="../lists/d.json", path="images")
    assert ("test", "b") in cases
    assert found(json="lists/d.json")[0] == {
        ("train", "a"): ("images/a.nii.gz",), ("test", "images/b"): ("images/b.nii.gz",),
    }  # fmt: skip


def test_files_that_are_missing_are_missed_where_the_others_are(datalist, found, tmp_path):
    (tmp_path / "lists").mkdir()
    datalist("lists/d.json", training=[image("a"), image("b")], testing=[image("c"), image("x")])
    assert found(json="lists/d.json")[0][("test", "x")] == ("images/x.nii.gz",)


def test_names_alone(datalist, found):
    datalist(train=["a", "b"], val=["c"], test=["d"])
    assert len(found()[0]) == 4
    datalist(train=["x", "y"], val=["z"])
    with pytest.raises(ConfigError, match="laid out in no way"):
        found()


def test_several_lists(datalist, found):
    datalist("data_0.json", training=[image("a")], validation=[image("b")])
    datalist("data_1.json", training=[image("b")], validation=[image("a")])
    with pytest.raises(ConfigError, match=r'name one, as json = "data_0\.json"'):
        found()
    assert list(found(json="data_1.json")[0]) == [("train", "b"), ("val", "a")]


def test_entries_that_cannot_be_used(datalist, found):
    datalist(training=[image("a"), {"label": "labels/b.nii.gz"}])
    with pytest.raises(InputError, match=r"datalist\.json: training\[1\] has no image"):
        found(json="datalist.json")
    datalist(anything=["images/a.nii.gz"])
    with pytest.raises(ConfigError, match=r"has no list such as training.*\(it has anything\)"):
        found(json="datalist.json")
    with pytest.raises(ConfigError, match=r"no such file"):
        found(json="gone.json")


def test_excluded_entries_are_left_out(datalist, found):
    datalist(training=[image("a"), image("b")], testing=[image("c")])
    cases, left = found(exclude=("images/b*",))
    assert ("train", "b") not in cases
    assert left["images/b.nii.gz"] == "excluded by images/b*"
