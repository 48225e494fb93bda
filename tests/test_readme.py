"""The commands of the README, taken from it in their order and run on a small dataset."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from reader_dicom import write_series

from dvdup.cli import app

TEXT = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$|<!--.*?-->", re.DOTALL | re.MULTILINE)
ELSEWHERE = {
    "dvdup demo demo": "tests/demo/test_demo.py",
    "dvdup bench": "tests/cli/test_bench.py",
    "dvdup bench scans/": "tests/cli/test_bench.py",
    "dvdup calibrate": "tests/cli/test_calibrate.py",
    "dvdup train": "tests/cli/test_train.py",
}
"""Commands that take long or need more data than this; the files that run them."""
NAMES = {"A": "train/p03", "B": "test/leak", "TEXT": "reviewed"}
"""What stands for a name that the user fills in."""


def commands() -> list[str]:
    """Every command of dvdup in the README, once each: those of blocks, then those in sentences."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    lines = [line.partition("#")[0] for block in blocks for line in block.splitlines()]
    found = [part for line in lines for part in line.split("&&")]
    found += re.findall(r"`(dvdup [^`]*)`", BLOCK.sub("", TEXT))
    found += re.findall(r"^- run: (dvdup check .*?) \|\|", TEXT, re.MULTILINE)
    cleaned = [re.sub(r"\s+", " ", each).strip() for each in found]
    ours = [each for each in cleaned if each.startswith("dvdup ")]
    return [each for each in dict.fromkeys(ours) if each != "dvdup diff"]  # the command's name


@pytest.fixture
def place(dataset, tmp_path, monkeypatch, save, phantom):
    """A dataset that has what the README names, and no configuration yet."""
    root = dataset.root
    (root / "dvdup.toml").unlink()
    for target, person in {
        "train/scan-21.nii.gz": 20,
        "test/scan-38.nii.gz": 20,
        "test/leak.nii.gz": 3,
        "bought.nii.gz": 5,
        "a.nii.gz": 6,
    }.items():
        dataset.put(target, person)
    for target, person in {"scans/a/x.nii.gz": 21, "more/y.nii.gz": 22}.items():
        path = root / "by-hand" / target
        path.parent.mkdir(parents=True)
        shutil.copy(dataset.pool / f"p{person:02}.nii.gz", path)
    (root / "b/dicom").mkdir(parents=True)
    write_series(root / "b/dicom", phantom(6).astype("uint16"))
    monkeypatch.setenv("DVDUP_EMBEDDER", "thumbnail")
    monkeypatch.chdir(root)
    return root


def words(command: str) -> list[str]:
    """As a shell gives them to the program."""
    given = [NAMES.get(word, word) for word in shlex.split(command)[1:]]
    return [
        str(path) if "*" in word else word
        for word in given
        for path in (sorted(Path().glob(word)) if "*" in word else [word])
    ]


def test_the_commands_of_the_readme_run(place, monkeypatch):
    ran, held = [], {}
    for command in commands():
        if command in ELSEWHERE:
            held[command] = ELSEWHERE[command]
            continue
        # `add` is for a dataset without any layout
        monkeypatch.chdir(place / "by-hand" if command.startswith("dvdup add ") else place)
        done = CliRunner().invoke(app, words(command))
        assert done.exit_code in (0, 1), f"{command}: {done.output}"
        assert not isinstance(done.exception, SystemError), command
        ran.append(command)
    assert {"dvdup init", "dvdup sync", "dvdup diff train test", "dvdup check"} <= set(ran)
    assert len(ran) >= 15
    for file in held.values():
        assert (Path(__file__).parents[1] / file).is_file()
    assert (place / "report.html").is_file()
    assert (place / "dvdup-accepted.toml").is_file()


def test_files_that_run_the_others_name_them():
    for command, file in ELSEWHERE.items():
        name = command.split()[1]
        text = (Path(__file__).parents[1] / file).read_text(encoding="utf-8")
        assert re.search(rf'"{name}"|write_demo|adhoc.demo', text), command
