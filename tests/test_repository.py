"""The git commit around a folder."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from dvdup import repository
from dvdup.repository import commit_of

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git(folder, *words) -> str:
    name = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(
        ["git", "-C", str(folder), *name, *words], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def committed(tmp_path):
    """A repository with one commit; gives its folder and the commit."""
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "first")
    return tmp_path, git(tmp_path, "rev-parse", "HEAD")


@needs_git
def test_anywhere_in_the_working_tree(committed):
    folder, commit = committed
    inner = folder / "data/deep"
    inner.mkdir(parents=True)
    assert len(commit) == 40
    assert commit_of(folder) == commit_of(inner) == commit


@needs_git
def test_of_a_branch_that_is_packed_and_of_another_working_tree(committed, tmp_path_factory):
    folder, commit = committed
    other = tmp_path_factory.mktemp("other") / "tree"
    git(folder, "pack-refs", "--all")
    git(folder, "worktree", "add", "-q", "--detach", str(other))
    assert commit_of(folder) == commit_of(other) == commit


@needs_git
def test_there_is_none(tmp_path):
    assert commit_of(tmp_path) == ""
    git(tmp_path, "init", "-q")
    assert commit_of(tmp_path) == ""  # no commit yet
    assert commit_of(tmp_path / "missing") == ""


def test_without_git(tmp_path, monkeypatch):
    monkeypatch.setattr(repository.shutil, "which", lambda name: None)
    assert commit_of(tmp_path) == ""


@pytest.mark.parametrize("error", [OSError("x"), subprocess.TimeoutExpired("git", 1)])
def test_git_that_fails(tmp_path, monkeypatch, error):
    def run(*args, **kwargs):
        raise error

    monkeypatch.setattr(repository.shutil, "which", lambda name: name)
    monkeypatch.setattr(repository.subprocess, "run", run)
    assert commit_of(tmp_path) == ""


@needs_git
def test_the_log_has_it(dataset, dvdup):
    dvdup(dataset.root, "sync", "-q")
    before = dvdup(dataset.root, "log").stdout
    assert "commit" not in before
    git(dataset.root, "init", "-q")
    git(dataset.root, "commit", "-q", "--allow-empty", "-m", "first")
    commit = git(dataset.root, "rev-parse", "HEAD")
    dvdup(dataset.root, "tag", "v1", "-q")
    header, tagged, synced = dvdup(dataset.root, "log").stdout.splitlines()
    assert header.split() == ["version", "time", "(UTC)", "commit", "command", "what"]
    assert tagged.split()[2:] == [commit[:10], "tag", "v1", "[v1]"]
    assert synced.split()[2:] == ["sync", "20", "embedded"]
    entries = dvdup(dataset.root, "log", "-f", "json").json["entries"]
    assert [entry["commit"] for entry in entries] == [commit, ""]
