"""What a terminal shows: colours, progress, settings, and codes that hooks do not want."""

from __future__ import annotations

import tomllib

import pytest

from dvdup.config import settings_table


@pytest.fixture
def leaky(dataset, dvdup):
    dataset.put("test/leak.nii.gz", 3)
    assert dvdup(dataset.root, "sync", "-q").code == 0
    return dataset


@pytest.mark.parametrize(
    ("flags", "environ", "colored"),
    [
        ([], {}, False),
        (["--color", "always"], {}, True),
        (["--color", "always"], {"NO_COLOR": "1"}, True),
        ([], {"FORCE_COLOR": "1"}, True),
        ([], {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        (["--color", "never"], {"FORCE_COLOR": "1"}, False),
    ],
)
def test_colours(leaky, dvdup, monkeypatch, flags, environ, colored):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    ran = dvdup(leaky.root, "diff", "train", "test", *flags)
    assert ran.code == 1
    assert ("\x1b[" in ran.stdout) == colored


def test_findings_can_be_forgiven_and_what_was_not_checked_cannot(leaky, dvdup):
    ran = dvdup(leaky.root, "diff", "train", "test", "--exit-zero")
    assert ran.code == 0
    assert "already in train" in ran.stdout
    (leaky.root / "test/broken.nii.gz").write_bytes(b"no scan")
    (leaky.root / "test/leak.nii.gz").unlink()
    assert dvdup(leaky.root, "check", "-q", "--exit-zero").code == 2


def test_findings_hide_nothing_that_was_not_checked(leaky, dvdup):
    """With findings and unchecked cases the code is 1; forgiven, the check is still incomplete."""
    (leaky.root / "test/broken.nii.gz").write_bytes(b"no scan")
    assert dvdup(leaky.root, "check", "-q").code == 1
    assert dvdup(leaky.root, "check", "-q", "--exit-zero").code == 2
    assert dvdup(leaky.root, "check", "-q", "--exit-zero", "--allow-unreadable").code == 0


def test_a_clean_check_is_one_line(dataset, dvdup):
    ran = dvdup(dataset.root, "check", "-q")
    assert ran.code == 0
    assert len(ran.stdout.splitlines()) == 1
    assert ran.stderr == ""


def test_no_progress_keeps_messages(dataset, dvdup, monkeypatch):
    monkeypatch.setattr("dvdup.cli.console._LINE_SECONDS", 0.0)
    (dataset.root / "notes.xyz").write_text("x", encoding="utf-8")
    with_progress = dvdup(dataset.root, "sync")
    assert "embedded" in with_progress.stderr
    assert " of 20" in with_progress.stderr
    dataset.put("test/new.nii.gz", 20)
    ran = dvdup(dataset.root, "sync", "--no-progress")
    assert "1 embedded" in ran.stderr
    assert " of 1" not in ran.stderr


def test_settings_are_shown_with_their_origin_and_nothing_is_done(dataset, dvdup, monkeypatch):
    monkeypatch.setenv("DVDUP_JOBS", "3")
    ran = dvdup(dataset.root, "check", "--show-settings", "--fail-on", "near")
    assert ran.code == 0
    assert not (dataset.root / ".dvdup").exists()
    lines = ran.stdout.splitlines()
    assert lines[0] == f"# {dataset.root / 'dvdup.toml'}"
    assert len(lines) == 1 + len(settings_table())
    assert "jobs = 3  # DVDUP_JOBS" in lines
    assert 'embedder = "thumbnail"  # file' in lines
    assert 'report.fail_on = ["identical", "near"]  # flag' in lines
    assert "report.within = false  # default" in lines
    assert tomllib.loads(ran.stdout)["dataset"]["layout"] == "folders"
