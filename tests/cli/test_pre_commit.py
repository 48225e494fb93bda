"""The hooks in a git repository: what is committed counts, and nothing runs without data."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
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
    assert not (root / ".dvdup").exists()  # nothing was read, and nothing is left behind
    assert dvdup(root, "check").code == 0
    assert dvdup(root, "check", "--give-up", "0.001").code == 0  # what is new decides


DATA = ("train/a.nii.gz", "IM0001", "a.dcm", "train.csv", "dataset.json", "dvdup.toml", "a.dvc")
DATA += ("lists/train.txt", "pyproject.toml", "dvdup-accepted.toml", "1.2.840.113619", "x.png")
OTHER = ("README.md", "docs/a.rst", "train.py", "LICENSE", ".gitignore", ".github/workflows/x.yml")


@pytest.mark.parametrize("hook", HOOKS, ids=[hook["id"] for hook in HOOKS])
def test_only_data_and_splits_make_it_run(hook):
    assert all(re.search(hook["exclude"], name) is None for name in DATA)
    assert all(re.search(hook["exclude"], name) for name in OTHER)


@dataclass
class Hooked:
    """A repository whose commits run a hook."""

    root: Path
    environ: dict[str, str]

    def git(self, *args: str) -> subprocess.CompletedProcess[str]:
        return git(self.root, *args, **self.environ)

    def pre_commit(self, *args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pre_commit", *args],
            cwd=self.root,
            env={**os.environ, **self.environ},
            capture_output=True,
            text=True,
            check=False,
        )

    def commit(self, *files: str) -> tuple[int, str]:
        """Commit some files; gives the exit code and what was said."""
        assert self.git("add", "-f", *files).returncode == 0
        done = self.git("commit", "-m", "more")
        return done.returncode, done.stderr + done.stdout


@pytest.fixture
def hooked(repository, tmp_path):
    """Install a hook of a repository of hooks with the real pre-commit."""
    pytest.importorskip("pre_commit")

    def install(hook: dict[str, object], hooks: Path, **environ: str) -> Hooked:
        rev = git(hooks, "rev-parse", "HEAD").stdout.strip()
        config = {"repos": [{"repo": str(hooks), "rev": rev, "hooks": [hook]}]}
        (repository.root / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config))
        scripts = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        home = {"PATH": scripts, "PRE_COMMIT_HOME": str(tmp_path / "home")}
        made = Hooked(repository.root, {**home, **environ})
        done = made.pre_commit("install", "--install-hooks")
        assert done.returncode == 0, done.stdout + done.stderr
        return made

    return install


@pytest.fixture
def hooks_alone(tmp_path):
    """A repository that has nothing but the hooks, for those that take the dvdup that is here."""
    shared = tmp_path / "hooks"
    shared.mkdir()
    shutil.copy(ROOT / ".pre-commit-hooks.yaml", shared)
    git(shared, "init", "-q")
    git(shared, "add", ".")
    git(shared, "commit", "-qm", "hooks")
    return shared


def demand_a_guard(place: Hooked, repository) -> None:
    """The life of a repository with the hook: words, a clean scan, a leak, all files."""
    repository.put("test/leak.nii.gz", 3)  # not part of the next commits
    (place.root / "README.md").write_text("words\n")
    code, said = place.commit("README.md")
    assert code == 0, said
    assert "no files to check" in said  # dvdup was not started
    repository.put("test/new.nii.gz", 20)
    code, said = place.commit("test/new.nii.gz")
    assert code == 0, said
    assert "Passed" in said
    everything = place.pre_commit("run", "--all-files")
    assert everything.returncode == 0, everything.stdout
    code, said = place.commit("test/leak.nii.gz")
    assert code == 1
    assert "test/leak.nii.gz" in said
    assert "train/p03.nii.gz" in said
    everything = place.pre_commit("run", "--all-files")
    assert everything.returncode == 1
    assert "test/leak.nii.gz" in everything.stdout


def test_with_pre_commit_itself(repository, hooked, hooks_alone):
    demand_a_guard(hooked({"id": "dvdup-check-system"}, hooks_alone), repository)


def test_a_first_run_that_would_take_long_says_what_to_do(repository, hooked, hooks_alone):
    """And once that is done the hook passes."""
    hook = {"id": "dvdup-check-system", "args": ["--give-up", "0.001"]}
    place = hooked(hook, hooks_alone)
    repository.put("test/new.nii.gz", 20)
    code, said = place.commit("test/new.nii.gz")
    assert code == 1
    assert "21 scans to read" in said
    assert "run `dvdup check` once by hand" in said
    command = [Path(sys.executable).parent / "dvdup", "check", "-q"]
    assert subprocess.run(command, cwd=place.root, check=False).returncode == 0
    code, said = place.commit("test/new.nii.gz")
    assert code == 0, said


@pytest.mark.skipif("NETWORK_TESTS" not in os.environ, reason="installs packages: NETWORK_TESTS=1")
def test_installed_by_pre_commit_from_a_clone(repository, hooked, tmp_path):
    """`language: python`: the light install, in an environment that pre-commit makes."""
    clone = tmp_path / "clone"
    assert git(tmp_path, "clone", "-q", str(ROOT), str(clone)).returncode == 0
    constraints = str(ROOT / "constraints.txt")
    place = hooked({"id": "dvdup-check"}, clone, PIP_CONSTRAINT=constraints)
    (python,) = tmp_path.glob("home/repo*/py_env-*/bin/python")
    without = subprocess.run([python, "-c", "import torch"], capture_output=True, check=False)
    assert without.returncode == 1
    demand_a_guard(place, repository)
