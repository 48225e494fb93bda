"""Real repositories of git-lfs, git-annex and DVC, cloned without their data.

Each test is skipped where its tool is not installed.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess

import pytest

GIT = {
    "GIT_AUTHOR_NAME": "n",
    "GIT_AUTHOR_EMAIL": "a@b.c",
    "GIT_COMMITTER_NAME": "n",
    "GIT_COMMITTER_EMAIL": "a@b.c",
    "GIT_CONFIG_NOSYSTEM": "1",
    "DVC_NO_ANALYTICS": "1",
}


def run(folder, *commands):
    """Run some commands in a folder; they must succeed."""
    for command in commands:
        done = subprocess.run(
            shlex.split(command),
            cwd=folder,
            env=os.environ | GIT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


def needs(tool):
    return pytest.mark.skipif(shutil.which(tool) is None, reason=f"{tool} is not installed")


TOOLS = {
    "git-lfs": (
        ("git lfs install --local", "git lfs track '*.nii.gz'", "git add -A", "git commit -qm all"),
        ("git lfs install --local --skip-smudge",),
    ),
    "git-annex": (
        (
            *("git annex init", "git annex add train test", "git add -A", "git commit -qm all"),
            *("git annex unlock test/leak.nii.gz", "git add -A", "git commit -qm unlocked"),
        ),
        ("git annex init",),
    ),
    "dvc": (
        (
            *("dvc init -q", "dvc remote add -d here {folder}/remote"),
            *("dvc add -q --glob train/*.nii.gz test/*.nii.gz", "dvc push -q"),
            *("git add -A", "git commit -qm all"),
        ),
        (),
    ),
}


@pytest.mark.parametrize(
    ("make", "after"), [pytest.param(*TOOLS[tool], id=tool, marks=needs(tool)) for tool in TOOLS]
)
def test_a_clone_without_data(tmp_path, save, phantom, dvdup, monkeypatch, make, after):
    """The leak is found, each scan is named with the command that brings it, and that works."""
    monkeypatch.setenv("DVDUP_EMBEDDER", "thumbnail")
    for name, seed in (("train/a", 1), ("train/b", 2), ("test/c", 3)):
        save(tmp_path / "full" / f"{name}.nii.gz", phantom(seed, (16, 16, 16)))
    shutil.copy(tmp_path / "full/train/b.nii.gz", tmp_path / "full/test/leak.nii.gz")
    (tmp_path / "full/dvdup.toml").write_text('[dataset]\nlayout = "folders"\n')
    run(tmp_path / "full", "git init -q", *(each.format(folder=tmp_path) for each in make))
    run(tmp_path, "env GIT_LFS_SKIP_SMUDGE=1 git clone -q full clone")
    clone = tmp_path / "clone"
    run(clone, *after)

    ran = dvdup(clone, "check", "-f", "json")
    assert ran.code == 1
    pairs = [(p["a"]["case"], p["b"]["case"], p["basis"]) for p in ran.json["pairs"]]
    assert pairs == [("b", "leak", "recorded-hash")]
    assert [entry["case"] for entry in ran.json["unreadable"]] == ["c", "leak", "a", "b"]

    for entry in ran.json["unreadable"]:
        run(clone, entry["reason"].split("`")[1])
    ran = dvdup(clone, "check", "-f", "json")
    assert ran.code == 1
    assert ran.json["unreadable"] == []
    assert [p["basis"] for p in ran.json["pairs"]] == ["voxel-hash"]


@needs("dvc")
def test_folders_that_dvc_keeps(tmp_path, save, phantom, dvdup, monkeypatch):
    """A folder is a case, found by its recorded hash whether the other one is here or not."""
    monkeypatch.setenv("DVDUP_EMBEDDER", "thumbnail")
    full, clone = tmp_path / "full", tmp_path / "clone"
    for number, name in enumerate(("train/a", "train/b", "test/c")):
        save(full / name / "scans/x.nii.gz", phantom(number, (16, 16, 16)))
        (full / name / "\u00fcber.txt").write_text(name[-1])
    shutil.copytree(full / "train/b", full / "test/leak")
    add = "dvc add -q train/a train/b test/c test/leak"
    run(full, "git init -q", "dvc init -q", add, "git add -A", "git commit -qm all")
    run(tmp_path, "git clone -q full clone")

    def found():
        ran = dvdup(clone, "check", "-f", "json")
        assert ran.code == 1
        pairs = {(p["a"]["case"], p["b"]["case"], p["basis"]) for p in ran.json["pairs"]}
        return pairs, {entry["case"] for entry in ran.json["unreadable"]}

    assert found() == ({("b", "leak", "recorded-hash")}, {"a", "b", "c", "leak"})
    shutil.copytree(full / "train/b", clone / "train/b")
    assert found() == ({("b/scans/x", "leak", "recorded-hash")}, {"a", "c", "leak"})
