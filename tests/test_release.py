"""What is released: the workflow, and a wheel and a source archive built without the network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from dvdup import __version__

ROOT = Path(__file__).parents[1]
NEEDED = ("build", "hatchling", "hatch_fancy_pypi_readme")
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))

needs_build = pytest.mark.skipif(
    not all(map(find_spec, NEEDED)), reason="needs build, hatchling and hatch-fancy-pypi-readme"
)


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    """A folder with both, built from a copy of what belongs to the project."""
    work = tmp_path_factory.mktemp("build")
    for name in ("dvdup", "tests", "examples", ".ci", ".github"):
        shutil.copytree(ROOT / name, work / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("README.md", "LICENSE", "CHANGELOG.md", "constraints.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, work)
    shutil.copy(ROOT / ".pre-commit-hooks.yaml", work)
    command = [sys.executable, "-m", "build", "--no-isolation", "."]
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return work / "dist"


@needs_build
def test_the_wheel_holds_the_package_and_nothing_else(dist):
    (file,) = dist.glob("*.whl")
    assert file.name == f"dvdup-{__version__}-py3-none-any.whl"
    with zipfile.ZipFile(file) as wheel:
        names = {name for name in wheel.namelist() if not name.startswith("dvdup-")}
        info = wheel.read(f"dvdup-{__version__}.dist-info/METADATA").decode()
    here = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "dvdup").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert names == here
    assert "dvdup/embedders/weights/builtin.onnx" in names
    assert "Requires-Dist: torch" not in info.replace(" ;", ";").split("Provides-Extra")[0]
    assert f"blob/v{__version__}/examples/commands.md" in info


@needs_build
def test_the_source_archive_holds_what_tests_read(dist):
    (file,) = dist.glob("*.tar.gz")
    with tarfile.open(file) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for name in (
        "tests/test_release.py",
        "tests/report/golden/small.html",
        ".github/actions/check/index_cache.py",
        ".github/workflows/release.yml",
        ".ci/check_release.py",
        ".ci/run",
        ".pre-commit-hooks.yaml",
        "constraints.txt",
        "examples/gitlab/.gitlab-ci.yml",
    ):
        assert name in names, name


@needs_build
def test_what_is_built_runs(dist, tmp_path, save, phantom):
    """The wheel in a folder of its own, with the packages that are here."""
    (file,) = dist.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target"]
    subprocess.run([*pip, tmp_path / "site", file], check=True)
    environ = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}

    def run(*args: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "dvdup", *args]
        return subprocess.run(
            command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
        )

    where = "import dvdup; print(dvdup.__file__)"
    found = subprocess.run(
        [sys.executable, "-c", where], cwd=tmp_path, env=environ, capture_output=True, check=True
    )
    assert str(tmp_path / "site").encode() in found.stdout
    assert run("--version").stdout == f"dvdup {__version__}\n"
    for name in ("a", "b"):
        save(tmp_path / f"{name}.nii.gz", phantom(3))
    report = run("compare", "a.nii.gz", "b.nii.gz", "-q", "-o", "a.html", "-o", "json=-")
    assert report.returncode == 1, report.stderr
    assert json.loads(report.stdout)["settings"]["embedder"].startswith("builtin")
    assert "<img " in (tmp_path / "a.html").read_text(encoding="utf-8")


def test_nothing_is_published_that_was_not_checked_and_no_password_is_there():
    jobs = WORKFLOW["jobs"]
    assert jobs["publish"]["needs"] == "check"
    assert jobs["check"]["needs"] == "build"
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert jobs["publish"]["environment"] == "pypi"
    assert "ref_type == 'tag'" in jobs["publish"]["if"]
    assert "event_name == 'push'" in jobs["publish"]["if"]
    assert WORKFLOW["permissions"] == {}
    for job in jobs.values():
        for step in job["steps"]:
            assert "password" not in step.get("with", {})
            assert "cache" not in step.get("with", {})  # a cache could be somebody else's
    (publishing,) = [step for step in jobs["publish"]["steps"] if "publish" in step["uses"]]
    assert publishing["uses"].startswith("pypa/gh-action-pypi-publish@")
    names = [s["with"]["name"] for j in jobs.values() for s in j["steps"] if "artifact" in str(s)]
    assert set(names) == {"dist"}


def test_both_are_checked_on_three_systems():
    check = WORKFLOW["jobs"]["check"]
    matrix = check["strategy"]["matrix"]
    assert {name.partition("-")[0] for name in matrix["os"]} == {"ubuntu", "windows", "macos"}
    assert matrix["what"] == ["wheel", "sdist"]
    (run,) = [step["run"] for step in check["steps"] if "run" in step]
    assert run == 'python .ci/check_release.py "$WHAT" dist'


@pytest.mark.skipif(os.name == "nt", reason="the step is for bash")
@pytest.mark.parametrize(("tag", "code"), [(f"v{__version__}", 0), ("v9.9.9", 1), (__version__, 1)])
def test_a_tag_that_is_not_the_version_stops_it(tag, code):
    (run,) = [
        step["run"]
        for step in WORKFLOW["jobs"]["build"]["steps"]
        if step.get("name") == "The tag is the version"
    ]
    scripts = str(Path(sys.executable).parent)
    environ = {"GITHUB_REF_NAME": tag, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", run]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **environ}, check=False)
    assert done.returncode == code


@pytest.mark.skipif("NETWORK_TESTS" not in os.environ, reason="installs packages: NETWORK_TESTS=1")
@needs_build
@pytest.mark.parametrize(("what", "args"), [("wheel", []), ("sdist", ["tests/report", "-n2"])])
def test_both_serve_in_an_environment_that_has_nothing_else(dist, what, args):
    """As the workflow does it; of the tests only those of the reports."""
    script = ROOT / ".ci/check_release.py"
    subprocess.run([sys.executable, script, what, dist, *args], check=True)
