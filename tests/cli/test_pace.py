"""Time left: by phase, without start-up, within a factor of two from a tenth of the way on."""

from __future__ import annotations

import heapq

import numpy as np
import pytest

from dvdup.cli.pace import Pace, span


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
