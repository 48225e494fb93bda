"""Time left: by phase, without start-up, within a factor of two from a tenth of the way on."""

from __future__ import annotations

import heapq

import numpy as np
import pytest

from dvdup.cli import console
from dvdup.cli.pace import Pace, span
from dvdup.log import Phases


def moments(n: int, workers: int, start_up: float, seed: int) -> list[float]:
    """When n items are finished that take 1 to 5 s each."""
    rng = np.random.default_rng(seed)
    free = [start_up] * workers
    finished = []
    for seconds in rng.uniform(1, 5, n):
        end = heapq.heappop(free) + float(seconds)
        heapq.heappush(free, end)
        finished.append(end)
    return sorted(finished)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("start_up", [0.0, 8.0, 93.0])
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_it_is_right_within_a_factor_of_two(workers, start_up, seed):
    n, pace = 87, Pace()
    finished = moments(n, workers, start_up, seed)
    pace.add(0.0, 0, n)
    for done, now in enumerate(finished, start=1):
        pace.add(now, done, n)
        left = finished[-1] - now
        if done >= n / 10:
            said = pace.seconds_left
            assert said is not None
            close = left / 2 <= said <= 2 * left
            assert close or abs(said - left) < 10, (done, said, left)


KINDS = {
    "large ones first": lambda rng: np.r_[rng.uniform(3, 5, 50), rng.uniform(0.2, 0.4, 50)],
    "large ones last": lambda rng: np.r_[rng.uniform(0.2, 0.4, 50), rng.uniform(3, 5, 50)],
    "growing": lambda rng: np.sort(rng.uniform(0.5, 10, 100)),
    "a few large ones": lambda rng: np.where(rng.random(100) < 0.1, 20.0, 1.0),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(5))
def test_items_that_differ_are_right_too_where_that_is_known(kind, seed):
    """What is known is right within a third; it is done one after the other."""
    rng = np.random.default_rng(seed)
    seconds = KINDS[kind](rng)
    finished = 8.0 + np.cumsum(seconds)
    pace, blind = Pace(), Pace()
    pace.expect([float(s) for s in 1e6 * seconds * rng.uniform(0.75, 1.33, 100)])
    wrong = 0
    for done, now in enumerate(finished, start=1):
        for each in (pace, blind):
            each.add(float(now), done, 100)
        left = float(finished[-1] - now)
        if 10 <= done < 100:
            assert pace.seconds_left is not None
            assert left / 2 <= pace.seconds_left <= 2 * left, (done, pace.seconds_left, left)
            assert blind.seconds_left is not None
            wrong += not left / 2 <= blind.seconds_left <= 2 * left
    assert wrong > 0  # without it one could not tell


def test_what_is_known_of_another_round_does_not_count():
    pace = Pace()
    pace.expect([1.0, 100.0, 1.0])
    for moment, done in enumerate((1, 2, 3)):
        pace.add(float(moment), done, 10)
    assert pace.seconds_left == pytest.approx(7)


@pytest.mark.parametrize("shown", ["lines", "bar"])
def test_a_command_shows_it(shown, capsys):
    """With a clock of its own: 10 large scans, then 90 small ones."""
    now = [0.0]
    seconds = [30.0] * 10 + [1.0] * 90
    told = console._Lines(lambda: now[0]) if shown == "lines" else console._Bar(lambda: now[0])
    progress = Phases(told)
    progress.expect("reading", seconds)
    said = []
    for done, each in enumerate(seconds, start=1):
        now[0] += each
        progress("reading", done, 100)
        if shown == "bar":
            (task,) = told._bar.tasks
            said.append((done, task.fields["pace"]))
    if shown == "bar":
        told.__exit__()
        assert dict(said)[10].endswith("90 s left")
        assert dict(said)[50].endswith("50 s left")
    else:
        lines = capsys.readouterr().err.splitlines()
        assert lines[9] == "reading: 10 of 100, 30 s each, 90 s left"


def test_another_round_of_a_phase_starts_afresh():
    pace = Pace()
    for moment, done in enumerate(range(0, 101, 10)):
        pace.add(float(moment), done, 100)
    assert pace.rate == pytest.approx(10)
    pace.add(500.0, 0, 87)
    pace.add(593.0, 1, 87)
    assert pace.describe() == ""
    pace.add(595.0, 2, 87)
    assert pace.describe() == "0.5/s, 3 min left"


def test_a_round_of_equal_length_starts_afresh():
    pace = Pace()
    for moment, done in ((0.0, 1), (1.0, 10), (1000.0, 0), (1001.0, 1)):
        pace.add(moment, done, 10)
    assert pace.seconds_left is None


def test_nothing_is_remembered_that_is_not_needed():
    pace = Pace()
    for done in range(10_000):
        pace.add(float(done), done, 10_000)
    assert len(pace._finished) <= 7_501
    assert pace.rate == pytest.approx(1)


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.4, "0 s"), (119, "119 s"), (680, "11 min"), (12_600, "3.5 h")]
)
def test_lengths_of_time(seconds, said):
    assert span(seconds) == said
