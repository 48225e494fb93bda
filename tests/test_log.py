"""What `-v` and `-vv` tell, on stderr alone."""

from __future__ import annotations

import logging
import re

import pytest

from dvdup import log


@pytest.fixture
def lines():
    """Gathers what is shown."""
    return []


def test_nothing_is_shown_unless_asked_for(lines):
    with log.shown(0, lines.append):
        logging.getLogger("dvdup.store").info("opened")
        assert log.level_shown() == 0
    assert lines == []


def test_once_tells_what_is_done_twice_the_details(lines):
    for verbosity in (1, 2, 3):
        with log.shown(verbosity, lines.append):
            logging.getLogger("dvdup.store").info("opened")
            logging.getLogger("dvdup.store").debug("a row")
            logging.getLogger("elsewhere").warning("no business of ours")
    assert lines == ["dvdup.store: opened", *["dvdup.store: opened", "dvdup.store: a row"] * 2]


def test_it_ends_with_the_command(lines):
    with log.shown(2, lines.append):
        assert log.level_shown() == logging.DEBUG
    logging.getLogger("dvdup.store").info("opened")
    assert (lines, log.level_shown()) == ([], 0)
    assert logging.getLogger("dvdup").handlers == []


@pytest.mark.parametrize("name", ["::error::x", "##[error]x", "a\x1b[31m", "a\n::warning::b"])
def test_names_break_no_line_and_start_no_command(lines, name):
    with log.shown(1, lines.append):
        logging.getLogger("dvdup.readers").info("read %s", name)
    (line,) = lines
    assert line.isprintable()
    assert not re.search(r"(?m)^\s*::\w+::|##\[", line)


def test_a_phase_is_told_when_it_ends(lines):
    now, passed = [0.0], []
    phases = log.Phases(lambda *step: passed.append(step), lambda: now[0])
    steps = [(1, "reading", 0), (5, "reading", 2), (9, "searching", 1), (11, "searching", 2)]
    with log.shown(1, lines.append):
        for moment, what, done in [*steps, (12, "reading", 0), (13, "reading", 2)]:
            now[0] = float(moment)
            phases(what, done, 2)
    assert lines == [
        "dvdup.log: reading: all 2 done in 4.0 s",
        "dvdup.log: searching: all 2 done in 6.0 s",
        "dvdup.log: reading: all 2 done in 1.0 s",
    ]
    assert len(passed) == 6


def test_the_report_is_the_same_whatever_is_told(dataset, dvdup, monkeypatch):
    monkeypatch.setenv("DVDUP_VERIFY_CANDIDATES", "1")
    assert dvdup(dataset.root, "sync", "-q").code == 0
    told = dvdup(dataset.root, "diff", "train", "test", "-vv", "-q", "--jobs", "1")
    plain = dvdup(dataset.root, "diff", "train", "test", "-q")
    assert told.stdout == plain.stdout
    assert plain.stderr == ""
    assert re.search(r"pairs wanted: 0 compared before, \d+ now", told.stderr)
    assert re.search(r"embedding variants: all \d+ done in [\d.]+ s", told.stderr)
    assert re.search(r"train/p\d+ and test/p\d+: \S+.* by \S+, strength [\d.]+, in", told.stderr)
    again = dvdup(dataset.root, "diff", "train", "test", "-v")
    assert "read from the stored results" in again.stderr


def test_reading_is_told(dataset, dvdup):
    once, twice = dvdup(dataset.root, "sync", "-v"), dvdup(dataset.root, "sync", "--full", "-vv")
    assert "20 cases declared, 20 to look at" in once.stderr
    assert "read train/p00" not in once.stderr
    assert "20 cases declared, 20 to look at" in twice.stderr
    dataset.put("train/new.nii.gz", 21)
    assert "read train/new.nii.gz in" in dvdup(dataset.root, "sync", "-vv").stderr


def test_workers_show_what_their_parent_shows(capfd):
    from dvdup.workers import do_all

    with log.shown(2, lambda line: None):
        assert len(list(do_all(_tell, ["::error::x", "b"], 2))) == 2
    said = capfd.readouterr().err
    assert "told b" in said
    assert not re.search(r"(?m)^\s*::\w+::", said)


def _tell(name: str) -> None:
    logging.getLogger("dvdup.readers").debug("told %s", name)
