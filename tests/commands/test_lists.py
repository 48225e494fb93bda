"""What `status`, `log`, `models` and `tag --list` say in JSON is what they say in words."""

from __future__ import annotations

import pytest


@pytest.fixture
def synced(dataset, dvdup):
    """Indexed, tagged, and changed since."""
    dvdup(dataset.root, "sync", "-q")
    dvdup(dataset.root, "tag", "v1", "-q")
    dvdup(dataset.root, "rm", "train/p00", "train/p01", "-q")
    (dataset.root / "train/p02.nii.gz").unlink()
    return dataset


def test_log(synced, dvdup):
    document = dvdup(synced.root, "log", "-f", "json").json
    assert document["schema"] == "dvdup/log@1"
    entries = document["entries"]
    assert [(each["command"], each["counts"], each["tags"]) for each in entries] == [
        ("rm train/p00 train/p01", {"removed": 2}, []),
        ("tag v1", {}, ["v1"]),
        ("sync", {"embedded": 20}, []),
    ]
    words = dvdup(synced.root, "log").stdout.splitlines()[1:]
    assert [line.split()[:2] for line in words] == [
        [str(each["version"]), each["time"]] for each in entries
    ]
    assert len(dvdup(synced.root, "log", "-n", "1", "-f", "json").json["entries"]) == 1


def test_tags(synced, dvdup):
    dvdup(synced.root, "tag", "a2", "-q")
    document = dvdup(synced.root, "tag", "--list", "-f", "json").json
    words = dvdup(synced.root, "tag", "--list").stdout.splitlines()
    assert document["schema"] == "dvdup/tags@1"
    assert [f"{tag['name']}\t{tag['version']}" for tag in document["tags"]] == words
    assert [tag["name"] for tag in document["tags"]] == ["a2", "v1"]
    dvdup(synced.root, "tag", "--delete", "a2", "-q")
    assert len(dvdup(synced.root, "tag", "--list", "-f", "json").json["tags"]) == 1


@pytest.mark.parametrize("damaged", [False, True])
def test_status(synced, dvdup, damaged):
    options = ("--verify",) if damaged else ()
    if damaged:
        synced.put("train/p05.nii.gz", 22)
    ran = dvdup(synced.root, "status", "-q", "-f", "json", *options)
    assert ran.code == (2 if damaged else 0)
    found = ran.json
    assert (found["schema"], found["tags"], found["folder"]) == ("dvdup/status@1", ["v1"], ".dvdup")
    splits = {split.pop("split"): split for split in found["splits"]}
    assert splits["test"] == {
        "cases": 6, "slices": splits["test"]["slices"], "not_checked": 0, "changed": 0,
        "missing": 0, "new": 0,
    }  # fmt: skip
    train = splits["train"]
    assert (train["cases"], train["missing"], train["new"]) == (12, 1, 2)
    assert train["changed"] == damaged
    assert found["damage"] == ([] if damaged else None)
    assert len(found["differing"]) == 2 * damaged


def test_models(dvdup, tmp_path):
    document = dvdup(tmp_path, "models", "-f", "json").json
    assert document["schema"] == "dvdup/models@1"
    rows = {row["name"]: row for row in document["models"]}
    words = dvdup(tmp_path, "models").stdout.splitlines()
    assert [line.split()[0] for line in words[1:] if not line.startswith(" ")] == list(rows)
    assert (rows["thumbnail"]["present"], rows["thumbnail"]["installed"]) == (True, True)
