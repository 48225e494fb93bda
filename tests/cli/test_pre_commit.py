"""The hooks in a git repository: what is committed counts, and nothing runs without data."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))


def git(folder: Path, *args: str, **environ: str) -> subprocess.CompletedProcess[str]:
    who = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "protocol.file.allow=always")
    return subprocess.run(
        ["git", *who, *args],
        cwd=folder,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def repository(dataset):
    """A dataset whose scans are committed."""
    if shutil.which("git") is None:
        pytest.skip("there is no git")
    git(dataset.root, "init", "-q")
    git(dataset.root, "add", ".")
    assert git(dataset.root, "commit", "-qm", "data").returncode == 0
    return dataset


def test_what_is_not_committed_does_not_count(repository, dvdup):
    repository.put("test/leak.nii.gz", 3)
    root = repository.root
    assert dvdup(root, "check").code == 1
    assert dvdup(root, "check", "--committed").code == 0
    (root / ".gitignore").write_text("test/leak*\n")
    assert dvdup(root, "check", "--committed").code == 0
    git(root, "add", "-f", "test/leak.nii.gz")  # to be committed: this is what a hook sees
    assert dvdup(root, "check", "--committed").code == 1


@pytest.mark.parametrize("below", [False, True])
def test_data_elsewhere_in_the_repository(repository, dvdup, below):
    """Git tells paths as seen from the configuration; a linked folder is one file for git."""
    top = repository.root
    place = top / "check"
    place.mkdir()
    if below:
        (place / "data").symlink_to(top, target_is_directory=True)
        git(top, "add", "check")
    path = "data" if below else ".."
    (place / "dvdup.toml").write_text(f'[dataset]\npath = "{path}"\nlayout = "folders"\n')
    repository.put("test/leak.nii.gz", 3)
    assert dvdup(place, "check").code == 1
    assert dvdup(place, "check", "--committed").code == (1 if below else 0)


@pytest.mark.parametrize("pointer", ["test.dvc", "test/leak.nii.gz.dvc"])
def test_pointers_of_dvc_stand_for_their_files(repository, dvdup, pointer):
    repository.put("test/leak.nii.gz", 3)
    root = repository.root
    (root / pointer).write_text("outs: []\n")
    assert dvdup(root, "check", "--committed").code == 0
    git(root, "add", pointer)
    assert dvdup(root, "check", "--committed").code == 1


def test_a_split_that_git_does_not_have_is_looked_at(repository, dvdup):
    root = repository.root
    repository.put("test/leak.nii.gz", 3)
    git(root, "rm", "-rq", "--cached", "test")
    done = dvdup(root, "check", "--committed")
    assert done.code == 1
    assert "git has no scan of test; it is looked at as it lies on disk" in done.stderr


def test_without_a_repository_it_says_so(dataset, dvdup):
    done = dvdup(dataset.root, "check", "--committed")
    assert done.code == 2
    assert "--committed" in done.stderr
    assert "git" in done.stderr


def test_what_takes_long_is_not_begun(repository, dvdup):
    root = repository.root
    done = dvdup(root, "check", "--give-up", "0.001")
    assert done.code == 2
    assert "run `dvdup check` once by hand" in done.stderr
    assert re.search(r"in +0 +0 +0 +0 +0 +14\n", dvdup(root, "status").stdout)  # nothing was read
    assert dvdup(root, "check").code == 0
    assert dvdup(root, "check", "--give-up", "0.001").code == 0  # what is new decides


DATA = ("train/a.nii.gz", "IM0001", "a.dcm", "train.csv", "dataset.json", "dvdup.toml", "a.dvc")
DATA += ("lists/train.txt", "pyproject.toml", "dvdup-accepted.toml", "1.2.840.113619", "x.png")
OTHER = ("README.md", "docs/a.rst", "train.py", "LICENSE", ".gitignore", ".github/workflows/x.yml")


@pytest.mark.parametrize("hook", HOOKS, ids=[hook["id"] for hook in HOOKS])
def test_only_data_and_splits_make_it_run(hook):
    assert all(re.search(hook["exclude"], name) is None for name in DATA)
    assert all(re.search(hook["exclude"], name) for name in OTHER)


def test_with_pre_commit_itself(repository, tmp_path):
    pytest.importorskip("pre_commit")
    shared = tmp_path / "hooks"
    shared.mkdir()
    shutil.copy(ROOT / ".pre-commit-hooks.yaml", shared)
    git(shared, "init", "-q")
    git(shared, "add", ".")
    git(shared, "commit", "-qm", "hooks")
    rev = git(shared, "rev-parse", "HEAD").stdout.strip()
    root = repository.root
    hooks = [{"id": "dvdup-check-system"}]
    config = {"repos": [{"repo": str(shared), "rev": rev, "hooks": hooks}]}
    (root / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config))
    scripts = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environ = {"PATH": scripts, "PRE_COMMIT_HOME": str(tmp_path / "home")}

    def run(*args: str) -> subprocess.CompletedProcess[str]:
        return git(root, *args, **environ)

    command = [sys.executable, "-m", "pre_commit", "install"]
    subprocess.run(command, cwd=root, env={**os.environ, **environ}, check=True)
    repository.put("test/leak.nii.gz", 3)  # not part of the next commit
    (root / "README.md").write_text("words\n")
    run("add", "README.md")
    done = run("commit", "-m", "words")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no files to check" in done.stderr + done.stdout
    repository.put("test/new.nii.gz", 20)
    run("add", "test/new.nii.gz")
    done = run("commit", "-m", "a clean scan")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Passed" in done.stderr + done.stdout
    run("add", "test/leak.nii.gz")
    done = run("commit", "-m", "a leak")
    said = done.stderr + done.stdout
    assert done.returncode == 1
    assert "test/leak.nii.gz" in said
    assert "train/p03.nii.gz" in said
    command[-1:] = ["run", "--all-files"]
    everything = subprocess.run(
        command, cwd=root, env={**os.environ, **environ}, capture_output=True, check=False
    )
    assert everything.returncode == 1
