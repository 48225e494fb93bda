"""Workers: results come back, and a signal to the group does not take them along."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from pathlib import Path

import pytest

from dvdup.errors import InputError
from dvdup.lab.bench.workers import Crew, Setup, Worker

SETUP = Setup(Path(), ())


def double(worker: Worker, number: int) -> int:
    return 2 * number


def survive(worker: Worker, number: int) -> int:
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGINT)
    return number


def die(worker: Worker, number: int) -> int:
    os._exit(1)


def test_all_items_are_done_by_one_and_by_none_after_a_stop():
    with Crew(1, lambda: False) as crew:
        assert list(crew.run(SETUP, double, range(3))) == [(0, 0), (1, 2), (2, 4)]
    with Crew(1, lambda: True) as crew:
        assert list(crew.run(SETUP, double, range(3))) == []


@pytest.fixture
def importable(monkeypatch):
    """Workers import this file by its name."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.setitem(sys.modules, "test_workers", sys.modules[__name__])
    for function in (double, survive, die):
        monkeypatch.setattr(function, "__module__", "test_workers")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_workers_outlive_signals_to_the_group(importable):
    with Crew(2, lambda: False) as crew:
        assert sorted(crew.run(SETUP, survive, range(4))) == [(i, i) for i in range(4)]
    assert multiprocessing.active_children() == []


def test_a_dead_worker_is_told_in_one_line(importable):
    with Crew(2, lambda: False) as crew, pytest.raises(InputError, match="fewer --jobs"):
        list(crew.run(SETUP, die, range(4)))


def interrupted() -> None:
    with Crew(2, lambda: False) as crew:
        next(iter(crew.run(SETUP, double, range(100))))
        raise KeyboardInterrupt


def test_asked_twice_it_stops_at_once(importable):
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert multiprocessing.active_children() == []
