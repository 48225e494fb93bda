"""The examples, run as they are on small made-up datasets."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from dvdup.discover import LAYOUTS

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"


def put(dataset, folder: Path, *placed: tuple[str, int]) -> Path:
    """Copy persons to paths below a folder."""
    for target, person in placed:
        path = folder / target
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(dataset.pool / f"p{person:02}.nii.gz", path)
    return folder


@pytest.fixture
def diff_folders(tmp_path, monkeypatch, capsys):
    """Run diff_folders.py on a and b of a folder, as a script; gives exit code and output."""

    def run(where: Path) -> tuple[int, str]:
        monkeypatch.chdir(where)
        monkeypatch.setattr(sys, "argv", ["diff_folders.py", "a", "b"])
        with pytest.raises(SystemExit) as stop:
            runpy.run_path(str(EXAMPLES / "diff_folders.py"), run_name="__main__")
        return int(stop.value.code or 0), capsys.readouterr().out

    return run


@pytest.mark.parametrize(("leak", "code"), [(3, 1), (20, 0)])
def test_two_folders_from_python(dataset, tmp_path, diff_folders, leak, code):
    where = put(
        dataset,
        tmp_path / "work",
        *((f"a/{n}.nii.gz", n) for n in range(9)),
        *((f"b/{n}.nii.gz", n) for n in range(14, 17)),
        ("b/new.nii.gz", leak),
    )
    expected = "b/new.nii.gz is identical to a/3.nii.gz: same voxels\n"
    assert diff_folders(where) == (code, expected if code else "")
    assert sorted(path.name for path in where.iterdir()) == ["a", "b"]


def test_a_scan_that_cannot_be_read_is_told_from_python(dataset, tmp_path, diff_folders):
    where = put(dataset, tmp_path / "work", ("a/1.nii.gz", 1), ("b/2.nii.gz", 2))
    (where / "b/bad.nii.gz").write_bytes(b"")
    code, out = diff_folders(where)
    assert code == 2
    assert out.startswith("b/bad.nii.gz could not be checked: ")


def test_a_decathlon_folder(dataset, dvdup, tmp_path):
    where = put(
        dataset,
        tmp_path / "Task00_Made",
        *((f"imagesTr/made_{n:03}.nii.gz", n) for n in range(10)),
        *((f"imagesTs/made_{n:03}.nii.gz", n) for n in range(14, 17)),
        ("labelsTr/made_000.nii.gz", 0),
        ("imagesTs/made_020.nii.gz", 6),
        ("imagesTr/made_021.nii.gz", 2),
    )
    shutil.copy(EXAMPLES / "msd/dvdup.toml", where)
    ran = dvdup(where, "check", "-f", "json")
    assert ran.code == 1, ran.stderr
    assert {(p["a"]["case"], p["b"]["case"]) for p in ran.json["pairs"]} == {
        ("made_006", "made_020"),
        ("made_002", "made_021"),
    }
    assert ran.json["totals"]["cases"] == {"test": 4, "train": 11}
    assert ran.json["settings"]["fail_on"] == ["identical", "near"]


def test_a_table(dataset, dvdup, tmp_path):
    """P02 has a scan in train and another one in test."""
    files = re.findall(r"^scans\S+?(?=,)", (EXAMPLES / "csv/splits.csv").read_text(), re.MULTILINE)
    assert len(files) == 6
    where = put(dataset, tmp_path / "work", *((file, n) for n, file in enumerate(files)))
    for name in ("dvdup.toml", "splits.csv"):
        shutil.copy(EXAMPLES / "csv" / name, where)
    ran = dvdup(where, "check", "-f", "json")
    assert ran.code == 1, ran.stderr
    (pair,) = ran.json["pairs"]
    assert (pair["verdict"], pair["basis"]) == ("same-subject", "declared")
    assert (pair["a"]["paths"], pair["b"]["paths"]) == ([files[1]], [files[4]])
    assert dvdup(where, "check", "--fail-on", "partial").code == 0


@pytest.mark.parametrize(("leak", "code"), [(3, 1), (20, 0)])
def test_the_hook(dataset, dvdup, leak, code):
    """The hook that is named exists here, and its command stops a leak."""
    config = yaml.safe_load((EXAMPLES / "pre-commit/.pre-commit-config.yaml").read_text())
    (repo,) = config["repos"]
    (hook,) = repo["hooks"]
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    (ours,) = [each for each in hooks if each["id"] == hook["id"]]
    assert ours["pass_filenames"] is False
    assert ours["require_serial"] is True
    name, *args = ours["entry"].split()
    assert name == "dvdup"
    dataset.put("test/new.nii.gz", leak)
    for command in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", *command], cwd=dataset.root, check=True)
    assert dvdup(dataset.root, *args).code == code
    assert f"repo: {repo['repo']}\n" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.skipif(os.name == "nt", reason="a script for a POSIX shell")
def test_the_life_of_a_dataset(tmp_path, monkeypatch):
    """Run as it is; UPDATE_GOLDEN=1 rewrites what is kept of its output, then run cog."""
    monkeypatch.delenv("DVDUP_VERIFY_CANDIDATES")
    scripts = str(Path(sys.executable).parent)
    monkeypatch.setenv("PATH", f"{scripts}{os.pathsep}{os.environ['PATH']}")
    done = subprocess.run(
        ["sh", EXAMPLES / "life.sh", tmp_path / "life"],
        capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    printed = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "2027-01-05T09:30:00Z", done.stdout)
    if os.environ.get("UPDATE_GOLDEN") == "1":
        (EXAMPLES / "life.txt").write_text(printed, encoding="utf-8")
    kept = (EXAMPLES / "life.txt").read_text(encoding="utf-8")

    def words(text: str) -> list[str]:  # other processors round otherwise
        return re.sub(r"\d+\.\d+|\d+ %|[+-]\d+ mm", "#", text).split()

    assert words(printed) == words(kept)
    assert printed.count("(exit code 1)") == 2


def test_every_example_is_listed():
    listed = re.findall(
        r"^\| \[.*?\]\((\S+?)\)|\(\[.*?\]\((\S+?)\)\)",
        (EXAMPLES / "README.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    there = [
        path.relative_to(EXAMPLES).as_posix()
        for path in EXAMPLES.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path != EXAMPLES / "README.md"
    ]
    assert sorted(a or b for a, b in listed) == sorted(there)


def test_every_layout_that_is_recognised_has_an_example():
    """In layouts.md, whose text is held to the script by `cog --check`."""
    shown = runpy.run_path(str(EXAMPLES / "layouts.py"))["markdown"]()
    for layout in LAYOUTS:
        assert (f"\nfound {layout.what}" in shown) == (layout.recognised is not None), layout.name
    assert shown.count("\n$ dvdup init\nfound ") == shown.count("\n## ") + 1
