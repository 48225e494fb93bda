"""Files of trainers: the splits as proposed, and everything else as it was."""

from __future__ import annotations

import csv
import json
from io import StringIO

import pytest

from dvdup.errors import InputError
from dvdup.records import GroupedCase, SplitWish
from dvdup.splits import TRAINERS, DatasetFiles, TableRow, propose, trainer_file

SPLITS = ("train", "val", "test")


@pytest.fixture
def proposal(cases):
    """train/a goes, because test/x stays; train/b moves to val."""
    labels = ["train/a", "train/b", "train/c", "val/d", "val/e", "test/x"]
    made = cases(labels, ("train/a", "test/x"), ("train/b", "val/d", "val/e"))
    found = propose(made, SplitWish(SPLITS, frozenset({"test"})))
    assert {key: split for key, split in found.after.items() if split != key[0]} == {
        ("train", "a"): None, ("train", "b"): "val",
    }  # fmt: skip
    return found


@pytest.mark.parametrize("name", TRAINERS)
def test_every_trainer_gives_text_that_ends_with_a_line(proposal, name):
    assert trainer_file(name, proposal, DatasetFiles()).endswith("\n")


def test_a_new_table(proposal):
    rows = list(csv.DictReader(StringIO(trainer_file("csv", proposal, DatasetFiles()))))
    assert [(row["path"], row["split"]) for row in rows] == [
        ("test/x.nii.gz", "test"), ("train/b.nii.gz", "val"), ("train/c.nii.gz", "train"),
        ("val/d.nii.gz", "val"), ("val/e.nii.gz", "val"),
    ]  # fmt: skip


def table(*rows: TableRow, delimiter=";") -> DatasetFiles:
    return DatasetFiles(header=("age", "Split", "file"), split_column=1, delimiter=delimiter,
                        rows=rows)  # fmt: skip


def test_the_table_of_the_dataset_keeps_all_other_cells(proposal):
    files = table(
        TableRow(2, ("31", "test ", "x"), (("test", "x"),)),
        TableRow(3, ("42", "train", "a"), (("train", "a"),)),
        TableRow(4, ("53", "train", "b"), (("train", "b"),)),
        TableRow(5, ("", "train", "left out"), ()),
    )
    assert trainer_file("csv", proposal, files) == (
        "age;Split;file\n31;test ;x\n53;val;b\n;train;left out\n"
    )


def test_a_row_of_cases_that_part_is_refused(proposal):
    files = table(TableRow(7, ("", "train", "folder"), (("train", "b"), ("train", "c"))))
    with pytest.raises(InputError, match="line 7 of the table stands for 2 cases"):
        trainer_file("csv", proposal, files)


def test_a_new_dataset_json(proposal):
    document = json.loads(trainer_file("msd", proposal, DatasetFiles()))
    assert document == {
        "training": [{"image": "train/c.nii.gz"}],
        "validation": [{"image": "train/b.nii.gz"}, {"image": "val/d.nii.gz"},
                       {"image": "val/e.nii.gz"}],
        "test": [{"image": "test/x.nii.gz"}],
        "numTraining": 1, "numTest": 1,
    }  # fmt: skip


LISTED = {
    "name": "Héart",
    "numTraining": 9,
    "numTest": 9,
    "training": [
        {"image": "./train/a.nii.gz", "label": "./labels/a.nii.gz"},
        {"image": "./train/b.nii.gz", "label": "./labels/b.nii.gz", "weight": 2},
        {"image": "./train/unknown.nii.gz"},
    ],
    "test": ["./test/x.nii.gz"],
}


def test_the_dataset_json_of_the_dataset_keeps_its_entries(proposal):
    document = json.loads(trainer_file("msd", proposal, DatasetFiles(listed=LISTED)))
    assert (document["name"], document["numTraining"], document["numTest"]) == ("Héart", 2, 1)
    assert document["training"] == [LISTED["training"][2], {"image": "train/c.nii.gz"}]
    assert document["validation"][0] == LISTED["training"][1]
    assert document["test"] == LISTED["test"]


def test_a_datalist_has_lists_alone(proposal):
    document = json.loads(trainer_file("monai", proposal, DatasetFiles(listed=LISTED)))
    assert list(document) == ["training", "test", "validation"]
    assert document["validation"][0]["label"] == "./labels/b.nii.gz"


def test_lists_below_a_folder_of_the_dataset():
    case = GroupedCase("train", "a", "0" * 16, None, ("data/imagesTr/a.nii.gz",), True)
    found = propose([case], SplitWish(("train",), frozenset()))
    files = DatasetFiles(top="data", listed={"train": ["imagesTr/a.nii.gz"]})
    document = json.loads(trainer_file("monai", found, files))
    assert document == {"train": [{"image": "imagesTr/a.nii.gz"}]}
    files = DatasetFiles(top="data")
    document = json.loads(trainer_file("monai", found, files))
    assert document == {"training": [{"image": "imagesTr/a.nii.gz"}]}


def test_channels_of_a_case_are_listed_under_its_name():
    paths = tuple(f"imagesTr/a_{n:04}.nii.gz" for n in range(2))
    case = GroupedCase("train", "a", "0" * 16, None, paths, True)
    found = propose([case], SplitWish(("train",), frozenset()))
    files = DatasetFiles(listed={"training": [{"image": "imagesTr/a.nii.gz", "label": "l"}]})
    assert json.loads(trainer_file("monai", found, files)) == files.listed
    (entry,) = json.loads(trainer_file("monai", found, DatasetFiles()))["training"]
    assert entry["image"] == list(paths)


def test_train_and_val_are_the_fold_of_nnunet(proposal):
    (fold,) = json.loads(trainer_file("nnunet", proposal, DatasetFiles()))
    assert fold == {"train": ["c"], "val": ["b", "d", "e"]}


def test_folds_part_no_group(cases):
    made = cases(
        [f"train/{n:02}" for n in range(20)] + ["test/x"],
        *((f"train/{n:02}", f"train/{n + 1:02}") for n in range(0, 12, 2)),
        ("train/19", "test/x"),
    )
    found = propose(made, SplitWish(("train", "test"), frozenset({"test"})))
    folds = json.loads(trainer_file("nnunet", found, DatasetFiles(folds=4)))
    everything = {f"{n:02}" for n in range(19)}
    assert sorted(name for fold in folds for name in fold["val"]) == sorted(everything)
    group = {case.case: case.group for case in made}
    for fold in folds:
        assert {*fold["train"], *fold["val"]} == everything
        assert not {group[name] for name in fold["train"]} & {group[name] for name in fold["val"]}
        assert 4 <= len(fold["val"]) <= 6
    with pytest.raises(InputError, match="13 groups of cases cannot be dealt into 14 folds"):
        trainer_file("nnunet", found, DatasetFiles(folds=14))


@pytest.mark.parametrize(
    ("labels", "said"),
    [(["test/x"], "called train"), (["train/s1/a", "train/s2/a"], "knows cases by a alone")],
)
def test_what_nnunet_cannot_read_is_refused(cases, labels, said):
    found = propose(cases(labels), SplitWish(SPLITS, frozenset()))
    with pytest.raises(InputError, match=said):
        trainer_file("nnunet", found, DatasetFiles(folds=2))


@pytest.fixture
def of_folds(cases):
    """A copy in two folds: fold_1/c moves to fold_0, as test stays and moves are few."""
    labels = ["fold_0/a", "fold_0/b", "fold_1/c", "fold_1/d", "train/e", "test/x"]
    made = cases(labels, ("fold_0/a", "fold_0/b", "fold_1/c"))
    found = propose(made, SplitWish(("fold_0", "fold_1", "train", "test"), frozenset({"test"})))
    assert found.after[("fold_1", "c")] == "fold_0"
    return found


def test_folds_of_nnunet_as_proposed(of_folds):
    assert json.loads(trainer_file("nnunet", of_folds, DatasetFiles())) == [
        {"train": ["d", "e"], "val": ["a", "b", "c"]},
        {"train": ["a", "b", "c", "e"], "val": ["d"]},
    ]


def test_a_case_that_two_folds_validate(cases):
    found = propose(cases(["fold_0+1/a", "fold_0/b", "fold_1/c"]), SplitWish(
        ("fold_0", "fold_0+1", "fold_1"), frozenset()))  # fmt: skip
    assert json.loads(trainer_file("nnunet", found, DatasetFiles())) == [
        {"train": ["c"], "val": ["a", "b"]}, {"train": ["b"], "val": ["a", "c"]},
    ]  # fmt: skip


def test_folds_of_a_datalist_as_proposed(of_folds):
    listed = {
        "training": [
            {"image": f"{path}.nii.gz", "label": path, "fold": fold}
            for path, fold in (("fold_0/a", 0), ("fold_0/b", 0), ("fold_1/c", 1), ("fold_1/d", 1))
        ],
        "testing": [{"image": "test/x.nii.gz"}],
    }
    written = json.loads(trainer_file("monai", of_folds, DatasetFiles(listed=listed)))
    assert [(each["label"], each["fold"]) for each in written["training"][:4]] == [
        ("fold_0/a", 0), ("fold_0/b", 0), ("fold_1/c", 0), ("fold_1/d", 1),
    ]  # fmt: skip
    assert written["training"][4:] == [{"image": "train/e.nii.gz"}]
    assert written["testing"] == [{"image": "test/x.nii.gz"}]
