"""`dvdup groups` through the command line: groups, proposals, the files of trainers."""

from __future__ import annotations

import csv
import json
import shutil
from importlib.resources import files
from io import StringIO
from pathlib import Path

import jsonschema
import pytest


def schema(name):
    return json.loads(files("dvdup.report").joinpath(f"{name}.schema.json").read_text("utf-8"))


def rows(text):
    return list(csv.DictReader(StringIO(text)))


@pytest.fixture
def leaking(dataset):
    """p03 is in train twice and in val and test; p04 in train and val; p05 in train twice."""
    for target, person in (
        ("train/p03_again", 3), ("val/x03", 3), ("test/y03", 3),
        ("val/x04", 4), ("train/p05_again", 5), ("val/own", 20),
    ):  # fmt: skip
        dataset.put(f"{target}.nii.gz", person)
    return dataset


def before(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".dvdup" not in path.parts
    }


def test_every_case_has_a_group(leaking, dvdup):
    done = dvdup(leaking.root, "groups")
    assert done.code == 0, done.stderr
    found = rows(done.stdout)
    assert len(found) == 26
    groups = {}
    for row in found:
        groups.setdefault(row["group"], []).append(f"{row['split']}/{row['case']}")
        assert row["checked"] == "true"
    assert sorted(members for members in groups.values() if len(members) > 1) == [
        ["test/y03", "train/p03", "train/p03_again", "val/x03"],
        ["train/p04", "val/x04"],
        ["train/p05", "train/p05_again"],
    ]
    assert {row["size"] for row in found if row["case"].endswith("03")} == {"4"}
    assert "26 cases, 3 groups of several" in done.stderr
    document = dvdup(leaking.root, "groups", "-f", "json").json
    jsonschema.validate(document, schema("groups"))
    assert {case["group"] for case in document["cases"]} == set(groups)
    report = dvdup(leaking.root, "check", "--within", "-f", "json").json
    assert [(group["id"], group["members"]) for group in report["groups"]] == [
        (group["id"], group["members"])
        for group in sorted(document["groups"], key=lambda group: group["members"])
    ]
    assert sorted(group["members"] for group in document["groups"]) == sorted(
        members for members in groups.values() if len(members) > 1
    )


def test_same_input_same_bytes(leaking, dvdup, tmp_path):
    shutil.copytree(leaking.root, tmp_path / "copy")
    for args in ((), ("--resplit",), ("--resplit", "-f", "json"), ("--resplit", "-f", "msd")):
        assert (
            dvdup(leaking.root, "groups", *args).stdout
            == dvdup(tmp_path / "copy", "groups", *args).stdout
        )


def test_the_proposal_leaves_test_and_all_files_as_they_are(leaking, dvdup):
    kept = before(leaking.root)
    done = dvdup(leaking.root, "groups", "--resplit")
    assert done.code == 0, done.stderr
    assert done.stdout == (
        "1 case to move and 3 cases to drop; then no group lies in more than one split.\n"
        "Cases: train 16 -> 13; val 3 -> 3; test 7, kept.\n\n"
        "drop    train/p03        as test/y03 is of its group\n"
        "drop    train/p03_again  as test/y03 is of its group\n"
        "to val  train/p04        as val/x04 is of its group\n"
        "drop    val/x03          as test/y03 is of its group\n"
    )
    assert "train/p03.nii.gz, stay where they are" in done.stderr
    document = dvdup(leaking.root, "groups", "--resplit", "-f", "json").json
    jsonschema.validate(document, schema("resplit"))
    assert document["totals"] == {"moved": 1, "dropped": 3}
    listed = rows(dvdup(leaking.root, "groups", "--resplit", "-f", "list").stdout)
    assert [row["case"] for row in listed] == ["p03", "p03_again", "p04", "x03"]
    assert before(leaking.root) == kept


def test_another_split_may_be_kept(leaking, dvdup):
    done = dvdup(leaking.root, "groups", "--resplit", "--keep", "train", "-f", "json").json
    assert {(c["split"], c["case"], c["action"]) for c in done["changes"]} == {
        ("test", "y03", "drop"), ("val", "x03", "drop"), ("val", "x04", "drop"),
    }  # fmt: skip
    done = dvdup(leaking.root, "groups", "--resplit", "--keep", "none", "-f", "json").json
    assert done["settings"]["keep"] == []
    assert done["totals"] == {"moved": 3, "dropped": 0}
    done = dvdup(leaking.root, "groups", "--resplit", "--how", "drop", "-f", "json").json
    assert done["totals"] == {"moved": 0, "dropped": 4}
    both = dvdup(leaking.root, "groups", "--resplit", "--keep", "train", "--keep", "test")
    assert both.code == 2
    assert "are to be kept both" in both.stderr


def apply(root: Path, document, tmp: Path) -> None:
    """Do what a proposal says, in a copy of the dataset."""
    shutil.copytree(root, tmp, ignore=shutil.ignore_patterns(".dvdup"))
    for change in document["changes"]:
        file = tmp / change["paths"][0]
        if change["action"] == "drop":
            file.unlink()
        else:
            file.rename(tmp / change["to"] / file.name)


@pytest.mark.parametrize(
    "args", [(), ("--how", "drop"), ("--keep", "none"), ("--keep", "none", "--sizes"),
             ("--keep", "val")]
)  # fmt: skip
def test_after_the_change_a_check_is_clean(leaking, dvdup, tmp_path, args):
    document = dvdup(leaking.root, "groups", "--resplit", *args, "-f", "json").json
    assert dvdup(leaking.root, "check", "-q").code == 1
    apply(leaking.root, document, tmp_path / "changed")
    done = dvdup(tmp_path / "changed", "check", "-f", "json")
    assert done.code == 0, done.stdout
    sizes = {split: size["after"] for split, size in document["splits"].items()}
    assert done.json["totals"]["cases"] == sizes
    again = dvdup(tmp_path / "changed", "groups", "--resplit", *args, "-f", "json").json
    assert again["changes"] == []


def test_a_table_of_splits_declares_the_dataset_without_leaks(leaking, dvdup):
    done = dvdup(leaking.root, "groups", "--resplit", "-f", "csv", "-o", "splits.csv")
    assert done.code == 0, done.stderr
    assert done.stderr.startswith("1 case to move and 3 cases to drop")
    (leaking.root / "dvdup.toml").write_text(
        'embedder = "thumbnail"\n[dataset]\ncsv = "splits.csv"\n', encoding="utf-8"
    )
    report = dvdup(leaking.root, "check", "-f", "json")
    assert report.code == 0, report.stderr
    assert report.json["totals"]["cases"] == {"train": 13, "val": 3, "test": 7}


TABLE = "sex\tpath\tset\tsubject\n"


@pytest.fixture
def tabled(leaking):
    """The same by a table with other columns; subjects s1 in train and val."""
    lines = [
        f"{'fm'[n % 2]}\t{split}/{path.name}\t{split}\t"
        f"{'s1' if path.name in ('p06.nii.gz', 'own.nii.gz') else ''}\n"
        for n, (split, path) in enumerate(
            (split, path)
            for split in ("train", "val", "test")
            for path in sorted((leaking.root / split).iterdir())
        )
    ]
    (leaking.root / "all.tsv").write_text(TABLE + "".join(lines), encoding="utf-8")
    (leaking.root / "dvdup.toml").write_text(
        'embedder = "thumbnail"\n[dataset]\ncsv = "all.tsv"\n', encoding="utf-8"
    )
    return leaking


def test_the_table_of_the_dataset_is_written_anew(tabled, dvdup):
    done = dvdup(tabled.root, "groups", "--resplit", "-f", "csv")
    assert done.code == 0, done.stderr
    was = (tabled.root / "all.tsv").read_text(encoding="utf-8").splitlines()
    changed = {"train/p04.nii.gz": "val", "train/p06.nii.gz": "val"}
    dropped = {"train/p03.nii.gz", "train/p03_again.nii.gz", "val/x03.nii.gz"}
    expected = []
    for line in was:
        sex, path, split, subject = line.split("\t")
        if path not in dropped:
            expected.append("\t".join((sex, path, changed.get(path, split), subject)))
    assert done.stdout.splitlines() == expected
    (tabled.root / "all.tsv").write_text(done.stdout, encoding="utf-8")
    assert dvdup(tabled.root, "check").code == 0


def test_subjects_join_unless_they_fail_nothing(tabled, dvdup):
    def members(*args):
        groups = dvdup(tabled.root, "groups", "-f", "json", *args).json["groups"]
        return [group["members"] for group in groups]

    assert ["train/p06", "val/own"] in members()
    assert ["train/p06", "val/own"] not in members("--fail-on", "near")
    assert members("--fail-on", "none") == []


@pytest.mark.parametrize("labels", [(), ("--labels", "sex.csv")])
def test_classes_are_balanced(tabled, dvdup, labels):
    found = rows((tabled.root / "all.tsv").read_text(encoding="utf-8").replace("\t", ","))
    sex = {row["path"].removesuffix(".nii.gz"): row["sex"] for row in found}
    (tabled.root / "sex.csv").write_text(
        "case,sex\n" + "".join(f"{case},{each}\n" for case, each in sex.items()), encoding="utf-8"
    )
    args = ("groups", "--resplit", "--keep", "none", "--sizes", "--balance", "sex", *labels)
    document = dvdup(tabled.root, *args, "-f", "json").json
    assert document["settings"]["balance"] == "sex"
    after = {case: case.split("/")[0] for case in sex}
    after |= {f"{c['split']}/{c['case']}": c["to"] for c in document["changes"]}
    for split in ("train", "val", "test"):
        had = [case for case in sex if case.startswith(f"{split}/")]
        has = [case for case in sex if after[case] == split]
        share = sum(sex[case] == "f" for case in had) / len(had)
        assert abs(sum(sex[case] == "f" for case in has) - share * len(has)) <= 1.001


def test_accepted_pairs_join_nobody(leaking, dvdup):
    dvdup(leaking.root, "sync", "-q")
    dvdup(leaking.root, "accept", "train/p04", "val/x04", "--reason", "known")
    document = dvdup(leaking.root, "groups", "--resplit", "-f", "json").json
    assert [change["case"] for change in document["changes"]] == ["p03", "p03_again", "x03"]


def test_what_was_not_checked_is_told(leaking, dvdup):
    (leaking.root / "train/broken.nii.gz").write_bytes(b"no scan")
    done = dvdup(leaking.root, "groups", "-f", "json")
    assert done.code == 2
    assert "not checked: train/broken" in done.stderr
    unchecked = [case["case"] for case in done.json["cases"] if not case["checked"]]
    assert unchecked == ["broken"]
    assert dvdup(leaking.root, "groups", "--resplit", "--allow-unreadable").code == 0


@pytest.mark.parametrize("trainer", ["msd", "nnunet"])
def test_a_folder_of_nnunet(dataset, dvdup, trainer):
    top = dataset.root / "Task"
    for person in range(8):
        dataset.put(f"Task/imagesTr/c{person}_0000.nii.gz", person)
    dataset.put("Task/imagesTr/again_0000.nii.gz", 2)
    dataset.put("Task/imagesTs/t9_0000.nii.gz", 9)
    dataset.put("Task/imagesTs/leak_0000.nii.gz", 5)
    (top / "dataset.json").write_text(
        json.dumps({"channel_names": {"0": "MR"}, "numTraining": 9, "file_ending": ".nii.gz"}),
        encoding="utf-8",
    )
    (top / "dvdup.toml").write_text('embedder = "thumbnail"\n', encoding="utf-8")
    done = dvdup(top, "groups", "--resplit", "-f", trainer, "--folds", "3")
    assert done.code == 0, done.stderr
    if trainer == "msd":
        assert done.json["numTraining"] == 8
        assert done.json["channel_names"] == {"0": "MR"}
        assert "imagesTr/c5_0000.nii.gz" not in done.stdout
        return
    assert [len(fold["val"]) for fold in done.json] == [3, 3, 2]
    for fold in done.json:
        assert len({"again", "c2"} & set(fold["val"])) != 1
        assert "c5" not in fold["train"] + fold["val"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("-f", "msd"), "choose one of csv, json; with --resplit there are more"),
        (("--resplit", "-f", "yaml"), "choose one of table, list, json, csv, msd, monai, nnunet"),
        (("--resplit", "--keep", "tset"), "no split 'tset'; there are train, val, test"),
        (("--resplit", "--balance", "sex"), "no table declares this dataset"),
        (("--resplit", "--balance", "sex", "--labels", "dvdup.toml"), "has no column 'case'"),
        (("--resplit", "--balance", "sex", "--labels", "nowhere.csv"), "cannot read nowhere.csv"),
        (("--resplit", "-o", "dvdup.toml"), "is a file that dvdup itself reads"),
        (("--resplit", "-f", "csv", "-o", "x.nii.gz"), "is the name of a scan"),
    ],
)
def test_what_cannot_be_done_is_told(leaking, dvdup, args, said):
    kept = before(leaking.root)
    done = dvdup(leaking.root, "groups", *args)
    assert (done.code, done.stdout) == (2, "")
    assert said in done.stderr
    assert before(leaking.root) == kept


def test_one_split_alone_has_groups(dataset, dvdup):
    shutil.rmtree(dataset.root / "test")
    dataset.put("train/again.nii.gz", 3)
    document = dvdup(dataset.root, "groups", "-f", "json").json
    assert [group["members"] for group in document["groups"]] == [["train/again", "train/p03"]]
    assert "Nothing to change" in dvdup(dataset.root, "groups", "--resplit").stdout


def test_through_the_console_script(leaking, console):
    done = console(leaking.root, "groups", "--resplit", "-f", "nnunet", "-o", "splits_final.json")
    assert (done.code, done.stdout) == (0, ""), done.stderr
    (fold,) = json.loads((leaking.root / "splits_final.json").read_text(encoding="utf-8"))
    assert fold["val"] == ["own", "p04", "x04"]
    assert len(fold["train"]) == 13
