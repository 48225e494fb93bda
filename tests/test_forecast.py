"""A long first run says so before it starts."""

from __future__ import annotations

import pytest

from dvdup.forecast import Work, warn, warning
from dvdup.records import Hooks


def test_a_long_run_is_told_in_one_line():
    line = warning(Work(read=1000, searched=1000, pairs=1500), jobs=2)
    assert line == (
        "this takes about 19 minutes: 1,000 scans to read, 1,000 scans to find candidates for, up "
        "to 1,500 pairs to compare; what is finished is kept, and the next run is short"
    )


def test_pictures_take_a_fraction_of_it():
    """2,864 pictures took 9 s to read and 113 s to compare on two cores."""
    work = Work(read=2864, searched=2864, pairs=392, pictures=1.0)
    assert 60 < work.seconds(jobs=2) < 240
    assert Work(read=10, pictures=0.5).seconds(1) < Work(read=10).seconds(1)


def test_more_cores_need_less_time():
    assert "2 minutes" in warning(Work(read=1000), jobs=4)
    assert "40 minutes" in warning(Work(read=6000), jobs=1)
    assert "11 hours" in warning(Work(read=100_000), jobs=1)


@pytest.mark.parametrize("work", [Work(), Work(read=20), Work(pairs=74)])
def test_a_short_run_says_nothing(work):
    assert warning(work, jobs=1) == ""


def test_it_is_told_once_in_a_command():
    said: list[str] = []
    hooks = Hooks(say=said.append)
    warn(hooks, Work(read=1), pytest.fail)  # nobody is asked how many share so little
    warn(hooks, Work(read=1000), lambda: 1)
    warn(hooks, Work(pairs=1000), lambda: 1)
    assert len(said) == 1
    assert "1,000 scans to read" in said[0]
    warn(Hooks(say=said.append), Work(pairs=1), lambda: 1)
    assert len(said) == 1


@pytest.fixture
def impatient(monkeypatch):
    """Whatever takes any time at all is long."""
    monkeypatch.setattr("dvdup.forecast.LONG_SECONDS", 0.1)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("command", ["sync", "check"])
def test_a_first_run_is_told_under_quiet_too(dataset, dvdup, command):
    ran = dvdup(dataset.root, command, "-q", "--jobs", "1")
    told = [line for line in ran.stderr.splitlines() if "this takes about" in line]
    assert len(told) == 1
    assert "20 scans to read" in told[0]
    assert "this takes about" not in ran.stdout
    assert "this takes about" not in dvdup(dataset.root, command, "-q").stderr


@pytest.mark.usefixtures("impatient")
def test_a_check_counts_what_it_compares(dataset, dvdup, monkeypatch):
    monkeypatch.setenv("DVDUP_VERIFY_CANDIDATES", "2")
    ran = dvdup(dataset.root, "check", "-q", "--jobs", "1")
    (line,) = (line for line in ran.stderr.splitlines() if "this takes about" in line)
    assert "20 scans to find candidates for, up to 12 pairs to compare" in line


@pytest.mark.usefixtures("impatient")
def test_a_first_diff_is_told_the_second_is_not(dataset, dvdup, monkeypatch):
    assert dvdup(dataset.root, "sync", "-q").code == 0
    monkeypatch.setenv("DVDUP_VERIFY_CANDIDATES", "1")
    ran = dvdup(dataset.root, "diff", "train", "test", "-q", "--jobs", "1")
    assert "20 scans to find candidates for, up to 6 pairs to compare" in ran.stderr
    monkeypatch.setenv("DVDUP_VERIFY_CANDIDATES", "2")
    assert "this takes about" not in dvdup(dataset.root, "diff", "train", "test", "-q").stderr
