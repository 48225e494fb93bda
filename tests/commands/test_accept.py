"""`dvdup accept` through the command line: what is accepted fails nothing, and hides nothing."""

from __future__ import annotations

import gzip
import json
import shutil
import tomllib

import jsonschema
import nibabel as nib
import numpy as np
import pytest

from dvdup.report.json import schema

WHY = ("--reason", "calibration phantom")
FILE = "dvdup-accepted.toml"


@pytest.fixture
def leaking(dataset, dvdup):
    """test/leak is a noisy copy of train/p03."""
    noisy(dataset.root / "train/p03.nii.gz", dataset.root / "test/leak.nii.gz", 0)
    assert dvdup(dataset.root, "check", "-q").code == 1
    return dataset


def noisy(source, target, seed):
    image = nib.load(source)
    values = image.get_fdata() + np.random.default_rng(seed).normal(0, 30, image.shape)
    nib.save(nib.Nifti1Image(values.astype(np.float32), image.affine), target)


def accept(dvdup, dataset, *args):
    done = dvdup(dataset.root, "accept", *args)
    assert done.code == 0, done.stderr
    return done


def entries(dataset):
    return tomllib.loads((dataset.root / FILE).read_text(encoding="utf-8"))["accepted"]


def test_an_accepted_pair_stays_in_the_report_and_fails_nothing(leaking, dvdup):
    done = accept(dvdup, leaking, "train/p03", "test/leak", *WHY, "--until", "2999-12-31")
    assert done.stderr == "accepted until 2999-12-31: test/leak and train/p03\n"
    for command in (("check",), ("diff", "train", "test")):
        report = dvdup(leaking.root, *command, "-f", "json")
        assert report.code == 0
        jsonschema.validate(report.json, schema())
        (pair,) = report.json["pairs"]
        assert pair["accepted"] is True
        assert pair["acceptance"] == {
            "reason": "calibration phantom", "until": "2999-12-31", "expired": False,
        }  # fmt: skip
        assert report.json["totals"]["pairs"] == report.json["totals"]["near"] == 0
        assert report.json["totals"]["accepted"] == 1
        assert report.json["groups"] == []
    table = dvdup(leaking.root, "check").stdout
    assert "Accepted\n  test/leak, train/p03 (near)\n    calibration phantom (until" in table
    assert "calibration phantom" in dvdup(leaking.root, "check", "-f", "markdown").stdout
    assert (
        dvdup(leaking.root, "check", "-f", "csv")
        .stdout.splitlines()[1]
        .endswith("calibration phantom,2999-12-31")
    )


def test_a_reason_may_be_the_address_of_a_page(leaking, dvdup):
    page = "https://tracker.example/show?id=7"
    accept(dvdup, leaking, "train/p03", "test/leak", "--reason", page)
    assert [entry["reason"] for entry in entries(leaking)] == [page]


def test_either_order_gives_the_same_bytes(leaking, dvdup):
    accept(dvdup, leaking, "train/p03", "test/leak", *WHY)
    first = (leaking.root / FILE).read_bytes()
    (leaking.root / FILE).unlink()
    accept(dvdup, leaking, "test/leak", "train/p03", *WHY)
    assert (leaking.root / FILE).read_bytes() == first


def test_a_rename_keeps_it(leaking, dvdup):
    accept(dvdup, leaking, "train/p03", "test/leak", *WHY)
    (leaking.root / "test/leak.nii.gz").rename(leaking.root / "test/renamed.nii.gz")
    (leaking.root / "train/p03.nii.gz").rename(leaking.root / "train/other.nii.gz")
    done = dvdup(leaking.root, "check", "-f", "json")
    assert (done.code, done.json["totals"]["accepted"]) == (0, 1)
    assert "stale" not in done.stderr
    accept(dvdup, leaking, "train/other", "test/renamed", "--reason", "renamed")
    assert [entry["b"] for entry in entries(leaking)] == ["train/other"]


def test_another_encoding_keeps_it(leaking, dvdup):
    accept(dvdup, leaking, "train/p03", "test/leak", *WHY)
    file = leaking.root / "train/p03.nii.gz"
    turned = nib.load(file).as_reoriented(np.array([[2, -1.0], [0, 1], [1, -1]]))
    file.unlink()
    nib.save(turned, leaking.root / "train/p03.nii")
    packed = leaking.root / "test/leak.nii.gz"
    packed.write_bytes(gzip.compress(gzip.decompress(packed.read_bytes()), 1))
    done = dvdup(leaking.root, "check", "-f", "json")
    assert (done.code, done.json["totals"]["accepted"]) == (0, 1)


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("how", [shutil.copy, lambda a, b: noisy(a, b, 1)], ids=["same", "other"])
def test_a_third_copy_does_not_hide_behind_it(leaking, dvdup, split, how):
    accept(dvdup, leaking, "train/p03", "test/leak", *WHY)
    source = "train/p03" if split == "train" else "test/leak"
    how(leaking.root / f"{source}.nii.gz", leaking.root / f"{split}/third.nii.gz")
    done = dvdup(leaking.root, "check", "-f", "json")
    assert done.code == 1
    failing = [pair for pair in done.json["pairs"] if not pair["accepted"]]
    assert all("third" in (pair["a"]["case"], pair["b"]["case"]) for pair in failing)
    assert done.json["totals"]["accepted"] == 1
    (group,) = done.json["groups"]
    assert f"{split}/third" in group["members"]


def test_other_voxels_under_the_same_name_are_not_accepted(leaking, dvdup):
    accept(dvdup, leaking, "train/p03", "test/leak", *WHY)
    noisy(leaking.root / "train/p03.nii.gz", leaking.root / "test/leak.nii.gz", 7)
    done = dvdup(leaking.root, "check", "-f", "json")
    assert (done.code, done.json["totals"]["accepted"]) == (1, 0)
    assert "1 accepted pair is stale, such as test/leak and train/p03" in done.stderr
    listed = dvdup(leaking.root, "accept", "--list", "-f", "json").json["accepted"]
    assert [(row["state"], row["missing"]) for row in listed] == [("stale", ["test/leak"])]
    assert "not in the index any more: test/leak" in dvdup(leaking.root, "accept", "--list").stdout


def test_after_its_last_day_it_counts_again(leaking, dvdup):
    accept(dvdup, leaking, "train/p03", "test/leak", *WHY, "--until", "2999-12-31")
    file = leaking.root / FILE
    file.write_text(file.read_text(encoding="utf-8").replace("2999", "2020"), encoding="utf-8")
    done = dvdup(leaking.root, "check", "-f", "json")
    assert (done.code, done.json["totals"]["near"], done.json["totals"]["accepted"]) == (1, 1, 0)
    (pair,) = done.json["pairs"]
    assert (pair["accepted"], pair["acceptance"]["expired"]) == (False, True)
    jsonschema.validate(done.json, schema())
    table = dvdup(leaking.root, "check").stdout
    assert "1 pair is no longer accepted: the last day has passed." in table
    assert "no longer accepted: calibration phantom (until 2020-12-31)" in table
    assert "expired" in dvdup(leaking.root, "accept", "--list").stdout
    refused = dvdup(leaking.root, "accept", "train/p03", "test/leak", *WHY, "--until", "2020-12-31")
    assert refused.code == 2
    assert "has passed already" in refused.stderr


def test_a_baseline_accepts_what_was_found_and_not_what_comes(leaking, dvdup):
    dvdup(leaking.root, "check", "-f", "json", "-o", "before.json")
    done = accept(dvdup, leaking, "--baseline", "before.json", *WHY)
    assert done.stderr == "accepted: test/leak and train/p03\n"
    assert dvdup(leaking.root, "check").code == 0
    leaking.put("test/new.nii.gz", 5)
    report = dvdup(leaking.root, "check", "-f", "json")
    assert (report.code, report.json["totals"]["accepted"]) == (1, 1)
    assert accept(dvdup, leaking, "--baseline", "before.json", "--reason", "again").stderr == (
        "nothing new to accept\n"
    )
    assert [entry["reason"] for entry in entries(leaking)] == ["calibration phantom"]


def test_a_baseline_names_the_pairs_that_it_cannot_take(leaking, dvdup):
    report = dvdup(leaking.root, "check", "-f", "json").json
    del report["pairs"][0]["a"]["voxels"]
    (leaking.root / "old.json").write_text(json.dumps(report), encoding="utf-8")
    done = accept(dvdup, leaking, "--baseline", "old.json", *WHY)
    assert "not accepted, because the report has no hash" in done.stderr
    assert dvdup(leaking.root, "check").code == 1


def test_what_is_removed_counts_again(leaking, dvdup):
    accept(dvdup, leaking, "train/p03", "test/leak", *WHY)
    accept(dvdup, leaking, "--remove", "test/leak", "train/p03")
    assert dvdup(leaking.root, "check").code == 1
    again = dvdup(leaking.root, "accept", "--remove", "test/leak", "train/p03")
    assert (again.code, again.stdout) == (2, "")
    assert "no accepted pair" in again.stderr
    assert dvdup(leaking.root, "accept", "--list").stdout == "no pair is accepted\n"


def test_a_file_looked_up_by_hand(leaking, dvdup):
    bought = leaking.root.parent / "bought.nii.gz"
    noisy(leaking.root / "train/p05.nii.gz", bought, 0)
    assert dvdup(leaking.root, "query", bought).code == 1
    accept(dvdup, leaking, "train/p05", bought, *WHY)
    done = dvdup(leaking.root, "query", bought, "-f", "json")
    assert (done.code, done.json["totals"]["accepted"]) == (0, 1)
    assert str(leaking.root.parent) not in (leaking.root / FILE).read_text(encoding="utf-8")
    shutil.copy(bought, leaking.root / "test/bought.nii.gz")  # now it is in the dataset
    report = dvdup(leaking.root, "check", "-f", "json").json
    assert "bought" in [pair["b"]["case"] for pair in report["pairs"] if not pair["accepted"]]


def test_a_file_of_the_dataset_is_its_case(leaking, dvdup):
    accept(dvdup, leaking, "train/p03.nii.gz", "test/leak", *WHY)
    assert [(entry["a"], entry["b"]) for entry in entries(leaking)] == [("test/leak", "train/p03")]


def test_a_subject_in_two_splits(dataset, dvdup):
    config = dataset.root / "dvdup.toml"
    text = config.read_text(encoding="utf-8")
    config.write_text(f"{text}group = 'p[01]([34])'\n", encoding="utf-8")
    first = dvdup(dataset.root, "check", "-f", "json")
    assert first.code == 1, first.stderr
    assert {pair["verdict"] for pair in first.json["pairs"]} == {"same-subject"}
    for pair in first.json["pairs"]:
        accept(dvdup, dataset, *(f"{m['split']}/{m['case']}" for m in (pair["a"], pair["b"])), *WHY)
    assert dvdup(dataset.root, "check").code == 0


@pytest.mark.parametrize(
    "command",
    [
        ("check",),
        ("diff", "train", "test"),
        ("query", "x.nii.gz"),
        ("accept", "--list"),
        ("accept", "train/p03", "test/leak", *WHY),
    ],
)
def test_a_malformed_file_ends_everything(leaking, dvdup, command):
    shutil.copy(leaking.root / "train/p03.nii.gz", leaking.root / "x.nii.gz")
    (leaking.root / FILE).write_text("[[accepted]]\na = 1\n", encoding="utf-8")
    done = dvdup(leaking.root, *command)
    assert (done.code, done.stdout) == (2, "")
    assert FILE in done.stderr
    assert (leaking.root / FILE).read_text(encoding="utf-8") == "[[accepted]]\na = 1\n"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "give one of"),
        (("train/p03", *WHY), "give one of"),
        (("train/p03", "test/leak"), "--reason"),
        (("train/p03", "test/leak", "--reason", " "), "say why"),
        (("train/p03", "test/leak", "--list"), "give one of"),
        (("--remove",), "give one of"),
        (("train/p03", "train/p03", *WHY), "are one case"),
        (("train/p03", "test/nobody", *WHY), "no case 'nobody'"),
        (("train/p03", "test/leak", *WHY, "--until", "soon"), "--until"),
        (("--baseline", "dvdup.toml", *WHY), "not a dvdup report"),
        (("--baseline", "nowhere.json", *WHY), "cannot read nowhere.json"),
    ],
)
def test_what_cannot_be_accepted(leaking, dvdup, args, said):
    done = dvdup(leaking.root, "accept", *args)
    assert done.code == 2
    assert said in done.stderr
    assert not (leaking.root / FILE).exists()


def test_no_report_overwrites_it(leaking, dvdup):
    accept(dvdup, leaking, "train/p03", "test/leak", *WHY)
    done = dvdup(leaking.root, "check", "-o", FILE)
    assert done.code == 2
    assert len(entries(leaking)) == 1


def test_through_the_console_script(leaking, console):
    done = console(leaking.root, "accept", "train/p03", "test/leak", *WHY)
    assert (done.code, done.stdout) == (0, ""), done.stderr
    done = console(leaking.root, "accept", "--list")
    assert done.stdout == "holds  test/leak  train/p03\n       calibration phantom\n"
    assert console(leaking.root, "check", "-q").code == 0
