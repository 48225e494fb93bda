"""Scans that are not here: the command that brings them, and copies found without their data.

The pointers are written by hand, so that no tool of theirs is needed.
"""

from __future__ import annotations

import hashlib
import json
import os

import pytest

SHA = "4d7a" * 16
links = pytest.mark.skipif(os.name == "nt", reason="symbolic links need rights on Windows")


def lfs(root, name, data=b"", size=99):
    digest = hashlib.sha256(data).hexdigest() if data else SHA
    (root / name).write_text(
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\n"
        f"size {len(data) or size}\n"
    )


def unlocked(root, name, data=b"", size=99):
    digest = hashlib.md5(data).hexdigest() if data else SHA[:32]
    (root / name).write_text(f"/annex/objects/MD5E-s{len(data) or size}--{digest}.nii.gz\n")


def locked(root, name, data=b"", size=99):
    digest = hashlib.sha256(data).hexdigest() if data else SHA
    key = f"SHA256E-s{len(data) or size}--{digest}.nii.gz"
    (root / name).symlink_to(f"../.git/annex/objects/a/b/{key}/{key}")


def dvc(root, name, data=b"", size=99):
    digest = hashlib.md5(data).hexdigest() if data else SHA[:32]
    path = (root / name).name
    (root / f"{name}.dvc").write_text(
        f"outs:\n- md5: {digest}\n  size: {len(data) or size}\n  hash: md5\n  path: {path}\n"
    )


def stage(root, name, data=b"", size=99):
    digest = hashlib.md5(data).hexdigest() if data else SHA[:32]
    with (root / "dvc.lock").open("a") as stream:
        if not stream.tell():
            stream.write("schema: '2.0'\nstages:\n")
        stream.write(
            f"  s{stream.tell()}:\n    outs:\n    - path: {name}\n      md5: {digest}\n"
            f"      size: {len(data) or size}\n"
        )


TOOLS = {
    "git-lfs": (lfs, "git lfs pull -I test/x.nii.gz"),
    "git-annex unlocked": (unlocked, "git annex get test/x.nii.gz"),
    "git-annex locked": (locked, "git annex get test/x.nii.gz"),
    "dvc": (dvc, "dvc pull test/x.nii.gz"),
    "dvc.lock": (stage, "dvc pull test/x.nii.gz"),
}
every_tool = pytest.mark.parametrize(
    ("write", "command"),
    [
        pytest.param(*row, id=name, marks=links if "locked" in name else ())
        for name, row in TOOLS.items()
    ],
)


@pytest.fixture
def small(tmp_path, save, phantom, monkeypatch):
    """One scan in train, another one in test: clean."""
    monkeypatch.setenv("DVDUP_EMBEDDER", "thumbnail")
    monkeypatch.setenv("DVDUP_JOBS", "1")
    for name, seed in (("train/a", 1), ("test/b", 2)):
        save(tmp_path / f"{name}.nii.gz", phantom(seed, (16, 16, 16)))
    return tmp_path


@every_tool
def test_a_copy_of_a_scan_that_is_here(small, dvdup, write, command):
    """By the hash of the file that is here, which has the size that the pointer records."""
    write(small, "test/x.nii.gz", (small / "train/a.nii.gz").read_bytes())
    ran = dvdup(small, "check", "-f", "json")
    assert ran.code == 1
    (pair,) = ran.json["pairs"]
    assert (pair["verdict"], pair["basis"]) == ("identical", "recorded-hash")
    assert (pair["a"]["case"], pair["b"]["case"]) == ("a", "x")
    (unread,) = ran.json["unreadable"]
    assert f"bring it with `{command}`" in unread["reason"]
    assert dvdup(small, "diff", "train", "test", "-f", "json").json == ran.json
    assert dvdup(small, "check", "--exit-zero").code == 2


@every_tool
def test_two_scans_that_are_not_here(small, dvdup, write, command):
    write(small, "test/x.nii.gz")
    write(small, "train/y.nii.gz")
    ran = dvdup(small, "check", "-f", "json")
    assert ran.code == 1
    assert [(p["a"]["case"], p["b"]["case"]) for p in ran.json["pairs"]] == [("y", "x")]
    assert "same bytes, by the hash that the pointer" in ran.json["pairs"][0]["reason"]
    assert len(ran.json["unreadable"]) == 2


@every_tool
def test_another_scan_of_the_same_size_is_no_copy(small, dvdup, write, command):
    size = (small / "train/a.nii.gz").stat().st_size
    write(small, "test/x.nii.gz", size=size)
    ran = dvdup(small, "check", "-f", "json")
    assert (ran.code, ran.json["pairs"]) == (2, [])
    assert dvdup(small, "check", "--allow-unreadable").code == 0


@every_tool
def test_status_and_diff_do_not_take_them_for_lost(small, dvdup, write, command):
    write(small, "test/x.nii.gz")
    assert dvdup(small, "sync", "-q").code == 2
    version = dvdup(small, "status").stdout.split(",")[1]
    said = dvdup(small, "status").stdout
    assert "dvdup sync" not in said
    assert command in said
    assert dvdup(small, "status", "--verify").code == 0
    ran = dvdup(small, "diff", "train", "test", "-f", "json")
    assert [entry["kind"] for entry in ran.json["unreadable"]] == ["unreadable"]
    assert dvdup(small, "diff", "train", "test", "--allow-unreadable").code == 0
    assert dvdup(small, "sync", "-q").code == 2
    assert dvdup(small, "status").stdout.split(",")[1] == version  # nothing was written


def test_one_that_has_come_and_one_that_is_another_now_are_stale(small, dvdup, save, phantom):
    lfs(small, "test/x.nii.gz")
    lfs(small, "test/y.nii.gz", b"y")
    assert dvdup(small, "sync", "-q").code == 2
    save(small / "test/x.nii.gz", phantom(3, (16, 16, 16)))
    lfs(small, "test/y.nii.gz", b"another")
    ran = dvdup(small, "diff", "train", "test", "-f", "json")
    assert [entry["kind"] for entry in ran.json["unreadable"]] == ["stale", "stale"]
    lfs(small, "train/z.nii.gz", b"another")
    ran = dvdup(small, "check", "-f", "json")
    assert [(p["a"]["case"], p["b"]["case"]) for p in ran.json["pairs"]] == [("z", "y")]
    assert [entry["case"] for entry in ran.json["unreadable"]] == ["y", "z"]


def test_folders_of_dvc(small, dvdup):
    for folder in ("train/one", "test/two"):
        dvc(small, folder)
        pointer = small / f"{folder}.dvc"
        pointer.write_text(pointer.read_text().replace("\n  size", ".dir\n  size"))
    ran = dvdup(small, "check", "-f", "json")
    assert ran.code == 1
    assert [(p["a"]["case"], p["b"]["case"]) for p in ran.json["pairs"]] == [("one", "two")]


def of_dvc(folder):
    """The hash that DVC records of a folder, by its documentation."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    rows = [
        {
            "md5": hashlib.md5(file.read_bytes()).hexdigest(),
            "relpath": file.relative_to(folder).as_posix(),
        }
        for file in files
    ]
    size = sum(file.stat().st_size for file in files)
    return hashlib.md5(json.dumps(rows).encode()).hexdigest(), size


def track(root, name, digest, size):
    (root / f"{name}.dvc").write_text(
        f"outs:\n- md5: {digest}.dir\n  size: {size}\n  hash: md5\n  path: {name[-1]}\n"
    )


def test_each_folder_of_dvc_is_a_case(small, dvdup):
    for name, digit in (("train/p", "1"), ("train/q", "2"), ("test/r", "2"), ("test/s", "3")):
        track(small, name, digit * 32, 99)
    ran = dvdup(small, "check", "-f", "json")
    assert ran.code == 1
    assert [(p["a"]["case"], p["b"]["case"]) for p in ran.json["pairs"]] == [("q", "r")]
    assert [entry["case"] for entry in ran.json["unreadable"]] == ["r", "s", "p", "q"]


@pytest.mark.parametrize(("more", "code"), [("", 1), ("other", 2)])
def test_a_folder_of_dvc_and_one_that_is_here(small, dvdup, save, phantom, more, code):
    """The hash of a folder is that of its files and their names."""
    save(small / "train/d/deep/b.nii.gz", phantom(4, (16, 16, 16)))
    (small / "train/d/a.txt").write_text("notes")
    digest, size = of_dvc(small / "train/d")
    track(small, "test/e", digest, size)
    (small / "train/d/a.txt").write_text(more or "notes")
    ran = dvdup(small, "check", "-f", "json")
    assert ran.code == code
    pairs = [(p["a"]["case"], p["b"]["case"], p["basis"]) for p in ran.json["pairs"]]
    assert pairs == ([("d/deep/b", "e", "recorded-hash")] if not more else [])


def test_a_split_that_a_pipeline_makes(small, dvdup):
    stage(small, "val")
    ran = dvdup(small, "check", "-f", "json")
    assert ran.code == 2
    assert [(e["split"], e["case"]) for e in ran.json["unreadable"]] == [("val", "val")]
    (small / "dvc.lock").unlink()
    (small / "dvc.yaml").write_text("stages: {make: {cmd: x, outs: [val]}}\n")
    assert "`dvc repro make`" in dvdup(small, "check", "-f", "concise").stdout


def test_pairs_of_files_are_the_same_only_as_a_whole(small, dvdup):
    """A header that two scans share proves nothing."""
    for name, voxels in (("train/h", b"1"), ("test/h", b"2"), ("test/k", b"1")):
        lfs(small, f"{name}.hdr", b"header")
        lfs(small, f"{name}.img", voxels)
    ran = dvdup(small, "check", "-f", "json")
    assert [(p["a"]["case"], p["b"]["case"]) for p in ran.json["pairs"]] == [("h", "k")]


def test_a_lookup_of_a_scan_that_is_not_here(small, dvdup):
    assert dvdup(small, "sync", "-q").code == 0
    lfs(small, "asked.nii.gz", (small / "train/a.nii.gz").read_bytes())
    ran = dvdup(small, "query", "asked.nii.gz", "-f", "json")
    assert ran.code == 1
    assert [p["a"]["case"] for p in ran.json["pairs"]] == ["a"]


def test_a_renamed_pointer_is_a_rename(small, dvdup):
    lfs(small, "test/x.nii.gz")
    assert dvdup(small, "sync", "-q").code == 2
    assert dvdup(small, "tag", "v1", "-q").code == 0
    (small / "test/x.nii.gz").rename(small / "test/y.nii.gz")
    assert dvdup(small, "sync", "-q").code == 2
    ran = dvdup(small, "diff", "v1", "-f", "json")
    assert ran.code == 0
    assert [(c["change"], c["after"]["case"]) for c in ran.json["changes"]] == [("renamed", "y")]


@every_tool
def test_a_pair_that_is_not_here_can_be_accepted(small, dvdup, write, command):
    """It is known by what the pointers record: renamed it stays, other bytes are another pair."""
    write(small, "test/x.nii.gz", b"a scan")
    write(small, "train/y.nii.gz", b"a scan")
    assert dvdup(small, "check", "-q").code == 1
    ran = dvdup(small, "accept", "train/y", "test/x", "--reason", "known")
    assert ran.code == 0, ran.stderr
    assert small.joinpath("dvdup-accepted.toml").read_text().count("bytes:") == 2
    ran = dvdup(small, "check", "-f", "json", "--allow-unreadable")
    assert (ran.code, ran.json["totals"]["accepted"]) == (0, 1)
    assert dvdup(small, "accept", "--list").stdout.startswith("holds")


def test_a_report_of_pairs_that_are_not_here_is_a_baseline(small, dvdup):
    lfs(small, "test/x.nii.gz")
    lfs(small, "train/y.nii.gz")
    assert dvdup(small, "check", "-o", "before.json", "-q").code == 1
    ran = dvdup(small, "accept", "--baseline", "before.json", "--reason", "known")
    assert ran.code == 0
    assert "not accepted" not in ran.stderr
    (small / "test/x.nii.gz").rename(small / "test/z.nii.gz")
    assert dvdup(small, "check", "--allow-unreadable").code == 0
    lfs(small, "test/third.nii.gz")
    assert dvdup(small, "check", "--allow-unreadable").code == 1


def test_an_accepted_pair_whose_data_has_come_is_accepted_anew(small, dvdup):
    scan = (small / "train/a.nii.gz").read_bytes()
    lfs(small, "test/x.nii.gz", scan)
    assert dvdup(small, "check", "-q").code == 1
    known = ("accept", "train/a", "test/x", "--reason", "known")
    assert dvdup(small, *known).code == 0
    assert dvdup(small, "check", "-q", "--allow-unreadable").code == 0
    (small / "test/x.nii.gz").write_bytes(scan)
    ran = dvdup(small, "check", "-q")
    assert ran.code == 1
    assert "test/x was accepted before its voxels were here, accept the pair again;" in ran.stderr
    assert dvdup(small, *known).code == 0
    assert dvdup(small, "check", "-q").code == 0
