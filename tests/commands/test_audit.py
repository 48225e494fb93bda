"""`dvdup audit`: the same data give the same digests, and nothing that matters is left out."""

from __future__ import annotations

import gzip
import json
from importlib.resources import files

import jsonschema
import pytest

from dvdup.report.json import schema as report_schema


@pytest.fixture
def leaking(dataset):
    dataset.put("test/leak.nii.gz", 3)
    return dataset


def audited(dvdup, dataset, *args, code=0):
    done = dvdup(dataset.root, "audit", "-f", "json", *args)
    assert done.code == code, done.stderr
    schema = json.loads(files("dvdup.report").joinpath("audit.schema.json").read_text("utf-8"))
    jsonschema.validate(done.json, schema)
    jsonschema.validate(done.json["report"], report_schema())
    return done.json


def digests(document):
    return {split["split"]: split["digest"] for split in document["splits"]}


def test_it_holds_the_report_and_what_was_checked(leaking, dvdup):
    found = audited(dvdup, leaking)
    assert found["report"] == dvdup(leaking.root, "check", "-f", "json").json
    assert [(s["split"], s["cases"], s["checked"]) for s in found["splits"]] == [
        ("train", 14, 14), ("test", 7, 7),
    ]  # fmt: skip
    assert found["coverage"]["compared"] == [["train", "test"]]
    assert audited(dvdup, leaking, "--within")["coverage"]["compared"][1:] == [
        ["train", "train"], ["test", "test"],
    ]  # fmt: skip


def test_names_order_and_encoding_do_not_change_a_digest(leaking, dvdup):
    before = digests(audited(dvdup, leaking))
    (leaking.root / "test/leak.nii.gz").rename(leaking.root / "test/a.nii.gz")
    packed = leaking.root / "train/p05.nii.gz"
    (leaking.root / "train/z.nii").write_bytes(gzip.decompress(packed.read_bytes()))
    packed.unlink()
    assert digests(audited(dvdup, leaking)) == before


@pytest.mark.parametrize("person", [3, 20])
def test_another_scan_and_one_more_copy_change_it(leaking, dvdup, person):
    before = digests(audited(dvdup, leaking))
    leaking.put("test/more.nii.gz", person)
    after = digests(audited(dvdup, leaking))
    assert after["train"] == before["train"]
    assert after["test"] != before["test"]


def test_what_could_not_be_checked_is_told(leaking, dvdup):
    (leaking.root / "train/broken.nii.gz").write_bytes(b"no scan")
    (leaking.root / "train/notes.txt").write_text("x")
    found = audited(dvdup, leaking, code=2)
    assert found["coverage"]["not_checked"] == 1
    assert sum(found["coverage"]["left_out"].values()) == 1
    assert found["splits"][0]["checked"] == found["splits"][0]["cases"] - 1
    assert audited(dvdup, leaking, "--allow-unreadable") == found


def test_copies_of_different_labels_are_named(leaking, dvdup):
    labels = leaking.root / "labels.csv"
    labels.write_text("case,sick\ntrain/p03,yes\nleak,no\np04,yes\n", encoding="utf-8")
    found = audited(dvdup, leaking, "--label", "sick", "--labels", "labels.csv")["labels"]
    assert found == {
        "column": "sick",
        "conflicts": [
            {"a": "train/p03", "b": "test/leak", "verdict": "identical", "label_a": "yes",
             "label_b": "no"}
        ],
    }  # fmt: skip
    labels.write_text("case,sick\ntrain/p03,yes\nleak,yes\n", encoding="utf-8")
    found = audited(dvdup, leaking, "--label", "sick", "--labels", "labels.csv")["labels"]
    assert found["conflicts"] == []


def test_as_markdown_in_a_file(leaking, dvdup):
    dvdup(leaking.root, "sync", "-q")
    dvdup(leaking.root, "accept", "train/p03", "test/leak", "--reason", "a phantom")
    done = dvdup(leaking.root, "audit", "-o", "audit.md", "--label", "x", "--labels", "x.csv")
    assert done.code == 2
    (leaking.root / "x.csv").write_text("case,x\np03,1\nleak,2\n", encoding="utf-8")
    done = dvdup(leaking.root, "audit", "-o", "audit.md", "--label", "x", "--labels", "x.csv")
    assert (done.code, done.stdout) == (0, "")
    text = (leaking.root / "audit.md").read_text(encoding="utf-8")
    assert "| identical | `train/p03` | 1 | `test/leak` | 2 |" in text
    assert "a phantom" in text
    assert digests(audited(dvdup, leaking))["test"] in text


def test_through_the_console_script(leaking, console):
    done = console(leaking.root, "audit", "-o", "audit.json")
    assert (done.code, done.stdout) == (0, ""), done.stderr
    assert json.loads((leaking.root / "audit.json").read_bytes())["schema"] == "dvdup/audit@1"
