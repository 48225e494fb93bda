"""What shells complete: commands, options, formats, names of the index."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from dvdup.cli import app

SHELLS = ("bash", "zsh", "fish")


@pytest.fixture
def synced(dataset, dvdup):
    assert dvdup(dataset.root, "sync", "-q").code == 0
    assert dvdup(dataset.root, "tag", "v1").code == 0
    return dataset


@pytest.fixture
def completed(monkeypatch):
    """The words that a shell is offered for the last one of a line, each with its kind."""

    def complete(where: Path, line: str) -> list[str]:
        monkeypatch.chdir(where)
        _, *words, last = line.split(" ")
        found = ShellComplete(app, {}, "dvdup", "_DVDUP_COMPLETE").get_completions(words, last)
        return [each.type + each.value for each in found]

    return complete


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("dvdup che", ["plaincheck"]),
        ("dvdup -q dif", ["plaindiff"]),
        ("dvdup check --exit", ["plain--exit-zero"]),
        ("dvdup check --color al", ["plainalways"]),
        ("dvdup check -f j", ["plainjson", "plainjunit", "plainjsonl"]),
        ("dvdup check --fail-on near,par", ["plainnear,partial"]),
        ("dvdup check --embedder thu", ["plainthumbnail"]),
        ("dvdup diff t", ["plaintrain", "plaintest"]),
        ("dvdup diff train@", ["plaintrain@v1"]),
        ("dvdup show test/p1", [f"plaintest/p{n}" for n in range(14, 20)]),
        ("dvdup show tes", ["plaintest/p14"]),
        ("dvdup rm train/p00", ["plaintrain/p00"]),
        ("dvdup show dvdup.t", ["filedvdup.t"]),
    ],
)
def test_words_are_completed(synced, completed, line, offered):
    found = completed(synced.root, line)
    assert set(offered) <= set(found)
    if line.split(" ")[-1] != "tes":
        assert found == offered


@pytest.mark.parametrize("line", ["dvdup diff t", "dvdup rm t"])
def test_without_an_index_nothing_is_offered_and_nothing_is_made(tmp_path, completed, line):
    assert completed(tmp_path, line) == []
    (tmp_path / "dvdup.toml").write_text("no toml", encoding="utf-8")
    assert completed(tmp_path, line) == []
    assert [path.name for path in tmp_path.iterdir()] == ["dvdup.toml"]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_of_a_shell_is_one(tmp_path, console, shell):
    ran = console(tmp_path, _DVDUP_COMPLETE=f"{shell}_source")
    assert ran.code == 0
    assert f"_DVDUP_COMPLETE={shell}_complete" in ran.stdout
    if shutil.which(shell):
        (tmp_path / "script").write_text(ran.stdout, encoding="utf-8")
        subprocess.run([shell, "-n", tmp_path / "script"], check=True)


ASK = {
    "bash": 'eval "$(_DVDUP_COMPLETE=bash_source dvdup)"; COMP_WORDS=(dvdup diff tr); '
    'COMP_CWORD=2; _dvdup_completion dvdup; echo "${COMPREPLY[@]}"',
    "fish": "_DVDUP_COMPLETE=fish_source dvdup | source; complete -C 'dvdup diff tr'",
    "zsh": "compdef() { :; }; compadd() { print -r -- ${(P)@[-1]} }; "
    'eval "$(_DVDUP_COMPLETE=zsh_source dvdup)"; words=(dvdup diff tr); CURRENT=3; '
    "_dvdup_completion",
}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_real_shell_completes(synced, shell):
    """As it is written in the documents, in each shell that is there."""
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [shell, "-c", ASK[shell]],
        cwd=synced.root,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["train"], done.stderr
