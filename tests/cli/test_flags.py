"""Flags that every command has, before the command and behind it."""

from __future__ import annotations

import pytest

from dvdup.cli import app

ANYWHERE = ("config", "index", "outside_index", "show_settings", "color", "no_progress", "quiet")


@pytest.fixture
def leaky(dataset, dvdup):
    dataset.put("test/leak.nii.gz", 3)
    assert dvdup(dataset.root, "sync", "-q").code == 0
    return dataset


BOTH_WAYS = pytest.mark.parametrize("before", [True, False], ids=["before", "behind"])


def placed(before: bool, command: list[str], flags: list[str]) -> list[str]:
    return [*flags, *command] if before else [*command, *flags]


@BOTH_WAYS
def test_quiet(dataset, dvdup, before):
    ran = dvdup(dataset.root, *placed(before, ["sync"], ["-q"]))
    assert (ran.code, ran.stdout, ran.stderr) == (0, "", "")
    assert "unchanged" in dvdup(dataset.root, "sync").stderr


@BOTH_WAYS
@pytest.mark.parametrize(("flag", "colored"), [("always", True), ("never", False)])
def test_colours(leaky, dvdup, monkeypatch, before, flag, colored):
    monkeypatch.setenv("NO_COLOR" if colored else "FORCE_COLOR", "1")
    ran = dvdup(leaky.root, *placed(before, ["diff", "train", "test"], ["--color", flag]))
    assert ran.code == 1
    assert ("\x1b[" in ran.stdout) == colored


@BOTH_WAYS
def test_the_index_and_the_configuration(leaky, dvdup, before, tmp_path):
    flags = ["--config", "data/dvdup.toml", "--index", "elsewhere"]
    assert dvdup(tmp_path, *placed(before, ["sync"], [*flags, "-q"])).code == 0
    assert list(tmp_path.glob("elsewhere/*"))
    assert not (leaky.root / "elsewhere").exists()
    assert dvdup(tmp_path, *placed(before, ["diff", "train", "test"], flags)).code == 1


@BOTH_WAYS
def test_settings(dataset, dvdup, before):
    ran = dvdup(dataset.root, *placed(before, ["check"], ["--show-settings"]))
    assert ran.code == 0
    assert "report.within = false  # default" in ran.stdout
    assert not (dataset.root / ".dvdup").exists()


@BOTH_WAYS
def test_progress(dataset, dvdup, before, monkeypatch):
    monkeypatch.setattr("dvdup.cli.console._LINE_SECONDS", 0.0)
    ran = dvdup(dataset.root, *placed(before, ["sync"], ["--no-progress"]))
    assert " of 20" not in ran.stderr
    assert "20 embedded" in ran.stderr


@pytest.mark.parametrize(
    ("args", "level"),
    [
        (["-v", "sync"], 1),
        (["sync", "-v"], 1),
        (["-vv", "sync"], 2),
        (["-v", "sync", "-v"], 2),
        (["sync"], 0),
    ],
)
def test_verbosity_adds_up_and_no_line_comes_twice(dataset, dvdup, args, level):
    ran = dvdup(dataset.root, *args)
    told = [line for line in ran.stderr.splitlines() if line.startswith("dvdup.")]
    assert len(told) == len(set(told))
    assert bool(told) == (level > 0)
    assert any("p05" in line for line in told) == (level > 1)


def test_behind_the_command_counts(leaky, dvdup):
    ran = dvdup(leaky.root, "--color", "always", "diff", "train", "test", "--color", "never")
    assert "\x1b[" not in ran.stdout
    ran = dvdup(leaky.root, "--index", "nowhere", "diff", "train", "test", "--index", ".dvdup")
    assert ran.code == 1


@pytest.mark.parametrize("flag", [["--index", "x"], ["--config", "x.toml"], ["--show-settings"]])
@pytest.mark.parametrize("command", ["init", "models", "demo"])
def test_a_flag_that_a_command_does_not_have_is_not_dropped(tmp_path, dvdup, command, flag):
    ran = dvdup(tmp_path, *flag, command)
    assert ran.code == 2
    assert f"dvdup {command} has no option {flag[0]}" in ran.stderr
    assert list(tmp_path.iterdir()) == []


def test_every_command_has_what_the_terminal_needs():
    for name, command in app.commands.items():
        known = {param.name for param in command.params}
        assert {"color", "no_progress", "quiet", "verbose"} <= known, name
    assert {param.name for param in app.params} >= {*ANYWHERE, "verbose"}


def test_through_the_console_script(leaky, console):
    ran = console(leaky.root, "-q", "--color", "always", "diff", "train", "test")
    assert (ran.code, ran.stderr) == (1, "")
    assert "\x1b[" in ran.stdout
