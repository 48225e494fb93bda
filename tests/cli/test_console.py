"""Messages, progress and signals."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time

import pytest

from dvdup.cli import console


class Clock:
    """Time as a test wants it."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def lines(capsys):
    """Report progress at some moments; gives what was printed."""

    def run(*steps, total=20):
        clock = Clock()
        progress = console._Lines(clock)
        for moment, done in steps:
            clock.now = moment
            progress("reading", done, total)
        return capsys.readouterr().err.splitlines()

    return run


def test_start_up_counts_for_no_estimate(lines):
    """The first item takes a minute because a library is loaded; the others a second each."""
    said = lines((0, 0), (60, 1), (61, 2), (75, 16))
    assert said == ["reading: 1 of 20", "reading: 16 of 20, 1.0/s, 4 s left"]


def test_one_finished_item_is_no_rate(lines):
    assert lines((0, 0), (1145, 1)) == ["reading: 1 of 20"]


def test_slow_items_are_told_by_the_item(lines):
    assert lines((0, 1), (40, 2), (80, 3)) == [
        "reading: 2 of 20, 40 s each, 12 min left",
        "reading: 3 of 20, 40 s each, 11 min left",
    ]


def test_what_was_long_ago_does_not_count(lines):
    said = lines((0, 1), (1000, 2), *[(1000 + n, 2 + n) for n in range(1, 15)])
    assert said[-1].startswith("reading: 12 of 20, 1.0/s")


def test_a_bar_of_one_thing_does_not_stand_still():
    """0 of 1 for the whole run looks like a hang; a bar without an end moves."""
    with console._Bar() as bar:
        bar("comparing", 0, 1)
        bar("reading", 0, 20)
        totals = {task.description: task.total for task in bar._bar.tasks}
    assert totals == {"comparing": None, "reading": 20}


def test_the_bar_tells_the_same_time_left():
    clock = Clock()
    with console._Bar(clock) as bar:
        for moment, done in ((0, 0), (60, 1), (61, 2), (75, 16)):
            clock.now = moment
            bar("reading", done, 20)
        (task,) = bar._bar.tasks
    assert task.fields["pace"] == "1.0/s, 4 s left"


@pytest.mark.parametrize("name", ["::error::x", "  ::warning::x", "##[error]x", "a\x1b[31m"])
def test_messages_are_harmless(capsys, name):
    console.say(f"{name}\n{name}")
    console.out(name)
    said = "".join(capsys.readouterr())
    assert not re.search(r"(?m)^\s*::\w+::|##\[|\x1b", said)


def test_names_in_messages_are_harmless(dataset, dvdup):
    """Errors, what is left out, notes, what was removed: through the whole command."""
    name = "::error title=x::pwn"
    dataset.put(f"train/{name}.nii.gz", 20)
    (dataset.root / f"train/##[error]{name}.txt").write_bytes(b"no scan")
    (dataset.root / f"test/{name}x.nii.gz").write_bytes(b"no scan")
    said = []
    for command in (
        ("sync",),
        ("check",),
        ("status",),
        ("rm", f"train/{name}"),
        ("query", f"{name}.nii"),
        (name,),
    ):
        ran = dvdup(dataset.root, *command)
        said += (ran.stdout + ran.stderr).splitlines()
    assert any("pwn" in line for line in said)
    for line in said:
        assert not re.match(r"::[^:]*::", line.lstrip()), line
        assert not re.search(r"##\[", line), line


HANGING = """
import importlib, sys, threading, time
from dvdup.cli import main
sync = importlib.import_module("dvdup.sync.run")
look = importlib.import_module("dvdup.sync.look")
whole = look.prepare
def prepare(root, case, *rest):
    if case.case_id == "p05":
        print("hanging", flush=True)
        threading.Event().wait()
    return whole(root, case, *rest)
look.prepare = prepare
sync.PATIENCE_SECONDS = 0.5
sys.argv = ["dvdup", "sync", "--jobs", "1", "-q"]
main()
"""


@pytest.fixture
def hanging(dataset):
    """A sync of which one reader never comes back."""
    process = subprocess.Popen(
        [sys.executable, "-c", HANGING],
        cwd=dataset.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "hanging\n"
    yield process
    process.kill()
    process.wait()


@pytest.mark.skipif(sys.platform == "win32", reason="signals are others there")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_reader_that_hangs_does_not_keep_a_command_that_shall_stop(
    hanging, dataset, dvdup, number
):
    time.sleep(0.5)
    hanging.send_signal(number)
    _, said = hanging.communicate(timeout=60)
    assert hanging.returncode == 2
    assert "stopping after the case in hand" in said
    assert "cases, which are kept" in said
    assert "Traceback" not in said
    n = int(re.search(r"stopped after (\d+) of 20", said)[1])
    assert f"{n} unchanged" in dvdup(dataset.root, "sync").stderr
    assert n > 0


@pytest.mark.skipif(sys.platform == "win32", reason="signals are others there")
def test_the_second_signal_ends_it_at_once(dataset):
    script = HANGING.replace("PATIENCE_SECONDS = 0.5", "PATIENCE_SECONDS = 600")
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=dataset.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "hanging\n"
    process.send_signal(signal.SIGINT)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 2
    assert said.endswith(
        "dvdup: stopped at once; what was kept so far stays, run it again to go on\n"
    )


@pytest.mark.skipif(sys.platform == "win32", reason="signals are others there")
def test_a_command_that_does_not_stop_is_ended(tmp_path):
    script = (
        "import os, signal, time\n"
        "from dvdup.cli.console import stop_requests\n"
        "with stop_requests(within=0.5):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    time.sleep(600)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "stopped at once" in done.stderr


def test_a_command_that_stops_in_time_is_not_ended():
    script = (
        "import os, signal, time\n"
        "from dvdup.cli.console import stop_requests\n"
        "with stop_requests(within=0.2) as asked:\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    assert asked()\n"
        "time.sleep(0.5)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_package_runs_as_a_module(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "dvdup", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("dvdup ")
