"""What happened between two versions, and reports limited to what is new."""

from __future__ import annotations

import subprocess

import jsonschema
import numpy as np
import pytest

from dvdup.report.json import from_json, schema, to_json


@pytest.fixture
def lived(dataset, dvdup, save, phantom):
    """Tagged v1, then something of each kind, then tagged v2."""
    root = dataset.root
    assert dvdup(root, "sync", "-q").code == 0
    assert dvdup(root, "tag", "v1", "-q").code == 0
    dataset.put("train/added.nii.gz", 20)
    (root / "train/p01.nii.gz").unlink()
    (root / "train/p02.nii.gz").rename(root / "train/renamed.nii.gz")
    (root / "train/p03.nii.gz").rename(root / "test/p03.nii.gz")
    dataset.put("train/p04.nii.gz", 21)
    (root / "train/p05.nii.gz").unlink()
    noisy = phantom(5) + np.random.default_rng(0).normal(size=(40, 44, 36)) * 20
    save(root / "train/again.nii.gz", noisy.astype(np.int16))
    dataset.put("test/leak.nii.gz", 6)
    assert dvdup(root, "sync", "-q").code == 0
    assert dvdup(root, "tag", "v2", "-q").code == 0
    return dataset


def short(report) -> list[str]:
    sides = [(c["change"], c["before"], c["after"]) for c in report["changes"]]
    return [
        " ".join([kind, *(f"{s['split']}/{s['case']}" for s in both if s)]) for kind, *both in sides
    ]


def test_two_versions(lived, dvdup):
    ran = dvdup(lived.root, "diff", "v1", "v2", "-f", "json")
    jsonschema.validate(ran.json, schema())
    assert short(ran.json) == [
        "added test/leak",
        "added train/added",
        "added train/again",
        "removed train/p01",
        "removed train/p05",
        "renamed train/p02 train/renamed",
        "moved train/p03 test/p03",
        "changed train/p04 train/p04",
    ]
    again = ran.json["changes"][2]
    assert (again["copy_of"]["case"], again["verdict"]) == ("p05", "near")
    assert [p["b"]["case"] for p in ran.json["pairs"]] == ["leak"]
    assert ran.code == 1
    assert to_json(from_json(ran.stdout)) == ran.stdout


def test_two_versions_of_a_split(lived, dvdup):
    ran = dvdup(lived.root, "diff", "train@v1", "train@v2", "-f", "json")
    assert ran.code == 0
    assert "added test/leak" not in short(ran.json)
    assert "moved train/p03 test/p03" in short(ran.json)
    assert ran.json["pairs"] == []
    assert ran.json["totals"]["cases"] == {"train@v1": 14, "train@v2": 13}


def test_now_stands_behind_a_version_alone(lived, dvdup):
    now = dvdup(lived.root, "diff", "v1", "-f", "json")
    then = dvdup(lived.root, "diff", "v1", "v2", "-f", "json")
    assert now.json["changes"] == then.json["changes"]
    assert [ref["ref"] for ref in now.json["refs"]] == ["v1", "now"]
    (lived.root / "train/p07.nii.gz").unlink()
    stale = dvdup(lived.root, "diff", "v1")
    assert "1 case is not as it was indexed" in stale.stdout
    assert dvdup(lived.root, "diff", "v2", "v1", "-q").code == 0


def test_backwards_it_is_the_other_way_round(lived, dvdup):
    there = short(dvdup(lived.root, "diff", "v1", "v2", "-f", "json").json)
    back = short(dvdup(lived.root, "diff", "v2", "v1", "-f", "json").json)
    assert len(back) == len(there)
    assert "renamed train/renamed train/p02" in back
    assert "removed test/leak" in back


def test_in_words(lived, dvdup):
    said = " ".join(dvdup(lived.root, "diff", "v1", "v2").stdout.split())
    assert said.startswith(
        "From v1 to v2: 3 added, 2 removed, 1 renamed, 1 moved to another split, 1 changed. "
        "1 of 4 new scans was there before. 1 is a copy of what is gone."
    )
    assert "near copy of train/p05, which is gone: " in said
    assert "other voxels" in said
    table = dvdup(lived.root, "diff", "v1", "v2", "-f", "markdown").stdout
    assert "| renamed | `train/p02 -> train/renamed` |  |" in table
    assert "## dvdup: From v1 to v2: 3 added" in table
    html = dvdup(lived.root, "diff", "v1", "v2", "-f", "html", "--no-pictures").stdout
    assert "3 added, 2 removed" in html


@pytest.mark.parametrize("refs", [("v1", "1"), ("train@v1", "train@1"), ("v2", "v2")])
def test_nothing_new_is_clean(dataset, dvdup, refs):
    assert dvdup(dataset.root, "sync", "-q").code == 0
    versions = [line.split()[0] for line in dvdup(dataset.root, "log").stdout.splitlines()[1:]]
    for name in ("v1", "v2"):
        assert dvdup(dataset.root, "tag", name, "-q").code == 0
    refs = tuple(f"{ref[:-1]}{versions[0]}" if ref.endswith("1") and "v" not in ref[-2:] else ref
                 for ref in refs)  # fmt: skip
    ran = dvdup(dataset.root, "diff", *refs)
    assert ran.code == 0, ran.stderr
    if refs[0] != refs[1]:
        assert ran.stdout.startswith("Nothing changed between ")


@pytest.mark.parametrize(
    ("refs", "said"),
    [
        (("v1", "train"), "v1 is a version and train a split"),
        (("train", "v1"), "or two splits as in train@v1"),
        (("train",), "Name another split"),
        (("v9", "v1"), "no split 'v9'"),
        (("@v9",), "no tag 'v9'"),
    ],
)
def test_what_cannot_be_compared(lived, dvdup, refs, said):
    ran = dvdup(lived.root, "diff", *refs)
    assert ran.code == 2
    assert said in ran.stderr


def test_a_split_called_as_a_tag_is_the_split(dataset, dvdup):
    assert dvdup(dataset.root, "sync", "-q").code == 0
    assert dvdup(dataset.root, "tag", "test", "-q").code == 0
    dataset.put("test/leak.nii.gz", 2)
    assert dvdup(dataset.root, "sync", "-q").code == 0
    assert dvdup(dataset.root, "diff", "train", "test").code == 1
    assert short(dvdup(dataset.root, "diff", "@test", "-f", "json").json) == ["added test/leak"]


def test_cases_that_cannot_be_read_make_it_incomplete_only_if_something_came(dataset, dvdup):
    (dataset.root / "train/bad.nii.gz").write_bytes(b"no scan")
    assert dvdup(dataset.root, "sync", "-q").code == 2
    assert dvdup(dataset.root, "tag", "v1", "-q").code == 0
    assert dvdup(dataset.root, "diff", "v1").code == 0
    dataset.put("train/more.nii.gz", 20)
    assert dvdup(dataset.root, "sync", "-q").code == 2
    ran = dvdup(dataset.root, "diff", "v1")
    assert ran.code == 2
    assert ran.stdout.startswith("Incomplete: could not check 1 case.")


# Only what is new since a tag


@pytest.fixture
def leaking(dataset, dvdup):
    """A leak that was there at v1."""
    dataset.put("test/old.nii.gz", 1)
    assert dvdup(dataset.root, "sync", "-q").code == 0
    assert dvdup(dataset.root, "tag", "v1", "-q").code == 0
    return dataset


@pytest.mark.parametrize("command", [("check",), ("diff", "train", "test")])
def test_new_since_a_tag(leaking, dvdup, command):
    root = leaking.root
    assert dvdup(root, *command, "-q").code == 1
    ran = dvdup(root, *command, "--new-since", "v1")
    assert ran.code == 0
    said = " ".join(ran.stdout.split())
    assert "among what is new. No case came after v1; 1 other pair is left out." in said
    (root / "test/old.nii.gz").rename(root / "test/other_name.nii.gz")
    leaking.put("test/new.nii.gz", 2)
    assert dvdup(root, "sync", "-q").code == 0
    ran = dvdup(root, *command, "--new-since", "v1", "-f", "json")
    assert ran.code == 1
    jsonschema.validate(ran.json, schema())
    assert [pair["b"]["case"] for pair in ran.json["pairs"]] == ["new"]
    assert ran.json["settings"]["limited_to"] == [
        {"how": "came after", "since": "v1", "cases": 1, "left_out": 1}
    ]
    assert len(ran.json["groups"]) == 1


def test_a_scan_that_moved_into_another_split_is_new_there(leaking, dvdup):
    leaking.put("train/twice.nii.gz", 2)
    assert dvdup(leaking.root, "sync", "-q").code == 0
    assert dvdup(leaking.root, "tag", "v2", "-q").code == 0
    (leaking.root / "train/twice.nii.gz").rename(leaking.root / "test/moved.nii.gz")
    ran = dvdup(leaking.root, "check", "--new-since", "v2", "-f", "json")
    assert ran.code == 1
    assert {pair["b"]["case"] for pair in ran.json["pairs"]} == {"moved"}


def test_new_since_something_that_is_not_there(leaking, dvdup):
    ran = dvdup(leaking.root, "check", "--new-since", "v9")
    assert (ran.code, "no tag 'v9'" in ran.stderr) == (2, True)


# Only what a git range changed


def git(root, *command):
    subprocess.run(["git", "-C", root, *command], check=True, capture_output=True)


@pytest.fixture
def committed(dataset):
    """In git, tagged base; one leak is there."""
    root = dataset.root
    dataset.put("test/old.nii.gz", 1)
    git(root, "init", "-q")
    for key, value in (("user.name", "n"), ("user.email", "a@b.c"), ("commit.gpgsign", "false")):
        git(root, "config", key, value)
    git(root, "add", "-A")
    git(root, "commit", "-qm", "one")
    git(root, "tag", "base")
    return dataset


def test_since_a_commit(committed, dvdup, monkeypatch):
    root = committed.root
    assert dvdup(root, "sync", "-q").code == 0
    assert dvdup(root, "check", "--since", "base").code == 0
    committed.put("test/new.nii.gz", 2)
    for _ in range(2):  # not committed, and committed
        ran = dvdup(root, "check", "--since", "base", "-f", "json")
        assert ran.code == 1, ran.stderr
        assert [pair["b"]["case"] for pair in ran.json["pairs"]] == ["new"]
        git(root, "add", "-A")
        git(root, "commit", "--allow-empty", "-qm", "two")
    assert ran.json["settings"]["limited_to"] == [
        {"how": "changed since", "since": "base", "cases": 1, "left_out": 1}
    ]
    said = " ".join(dvdup(root, "check", "--since", "base").stdout.split())
    assert "Only pairs with the case that changed since base count; 1 other pair is left" in said
    assert dvdup(root, "check", "-q").code == 1


def test_what_has_not_changed_is_not_even_hashed(committed, dvdup, monkeypatch):
    """As in a fresh checkout beside a restored index: all times are other ones."""
    import os

    from dvdup import files

    root = committed.root
    assert dvdup(root, "sync", "-q").code == 0
    for file in root.rglob("*.nii.gz"):
        os.utime(file, ns=(10**18, 10**18))
    committed.put("test/new.nii.gz", 20)
    hashed, whole = [], files.file_hash
    monkeypatch.setattr(files, "file_hash", lambda path: hashed.append(path.name) or whole(path))
    assert dvdup(root, "check", "-q", "--since", "base").code == 0
    assert hashed == ["new.nii.gz"]


def test_what_is_not_indexed_and_not_asked_for_makes_it_incomplete(committed, dvdup):
    root = committed.root
    committed.put("test/new.nii.gz", 2)
    ran = dvdup(root, "check", "--since", "base")
    assert (ran.code, "there is nothing to compare with" in ran.stderr) == (2, True)
    committed.put("train/new.nii.gz", 20)
    ran = dvdup(root, "check", "--since", "base", "-f", "json", "--allow-unreadable")
    assert ran.code == 2
    reasons = {entry["split"]: entry["reason"] for entry in ran.json["unreadable"]}
    assert reasons["train"].startswith("14 cases without a change since base are not indexed")
    assert dvdup(root, "check", "--since", "base").stdout.startswith(
        "Incomplete: not all cases of "
    )


def test_what_changed_after_the_index_was_made_is_read_too(committed, dvdup):
    """The range begins later than the index ends."""
    root = committed.root
    assert dvdup(root, "sync", "-q").code == 0
    committed.put("test/p14.nii.gz", 3)
    git(root, "add", "-A")
    git(root, "commit", "-qm", "two")
    committed.put("test/new.nii.gz", 20)
    ran = dvdup(root, "check", "--since", "HEAD", "-f", "json")
    assert ran.code == 0
    assert ran.json["settings"]["limited_to"][0]["left_out"] == 2


def test_what_git_does_not_know_counts_as_changed(committed, dvdup):
    root = committed.root
    assert dvdup(root, "sync", "-q").code == 0
    (root / ".gitignore").write_text("ignored*\n")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "two")
    committed.put("test/ignored.nii.gz", 4)
    ran = dvdup(root, "check", "--since", "HEAD", "-f", "json")
    assert [pair["b"]["case"] for pair in ran.json["pairs"]] == ["ignored"]


def test_a_table_that_changed_leaves_nothing_out(committed, dvdup):
    root = committed.root
    assert dvdup(root, "sync", "-q").code == 0
    with (root / "dvdup.toml").open("a", encoding="utf-8") as stream:
        stream.write("group = '(p14)'\n")
    ran = dvdup(root, "check", "--since", "base")
    assert ran.code == 1
    assert "note: dvdup.toml has changed since base" in ran.stderr


@pytest.mark.parametrize("commit", ["nope", "--all", "base:train"])
def test_since_what_is_no_commit(committed, dvdup, commit):
    ran = dvdup(committed.root, "check", f"--since={commit}")
    assert (ran.code, "git knows no commit" in ran.stderr) == (2, True)


def test_since_without_a_repository(dataset, dvdup):
    ran = dvdup(dataset.root, "check", "--since", "HEAD")
    assert (ran.code, "--since: git does not answer" in ran.stderr) == (2, True)
