"""How fast a phase of a command goes and how long it will take yet; pure, with no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import accumulate

_MINUTE, _HOUR = 60.0, 3600.0


class Pace:
    """The speed of one phase, from when its items were finished.

    The clock starts when the first item is finished, so that libraries that are loaded and
    processes that are started count for nothing. The first quarter of what is finished is
    forgotten: it may have been easier, or slower, than what follows. Where it is known how long
    items take beside one another, the time left goes by that and not by their number.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self._finished: deque[tuple[float, int]] = deque()
        self._total = 0
        self._work: list[float] = []

    def expect(self, weights: Sequence[float]) -> None:
        """Take note of how long the items of the next round may take, in any unit, in their order.

        Args:
            weights: One positive number an item.
        """
        self._work = [0.0, *accumulate(weights)]

    def add(self, now: float, done: int, total: int) -> None:
        """Take note of what is finished.

        Args:
            now: Seconds of any clock.
            done: Items that are finished; fewer than before is another round of the phase.
            total: Items of this round.
        """
        if total != self._total or (self._finished and done < self._finished[-1][1]):
            self._finished.clear()
            self._total = total
        if not done or (self._finished and done == self._finished[-1][1]):
            return
        self._finished.append((now, done))
        while len(self._finished) > 2 and self._finished[1][1] <= max(1, done // 4):
            self._finished.popleft()

    @property
    def rate(self) -> float:
        """Items in a second; 0 where that cannot be told."""
        if len(self._finished) < 2:
            return 0.0
        (start, first), (now, done) = self._finished[0], self._finished[-1]
        return (done - first) / (now - start) if now > start else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Seconds that the phase takes yet; None where that cannot be told."""
        if not self.rate:
            return None
        (start, first), (now, done) = self._finished[0], self._finished[-1]
        if len(self._work) != self._total + 1:  # another round than the one that was told of
            return (self._total - done) / self.rate
        finished = self._work[done] - self._work[first]
        return (self._work[-1] - self._work[done]) * (now - start) / finished

    def describe(self) -> str:
        """Speed and time left in words; "" where they cannot be told."""
        rate, left = self.rate, self.seconds_left
        if left is None:
            return ""
        speed = f"{rate:.1f}/s" if rate >= 0.1 else f"{1 / rate:.0f} s each"
        return f"{speed}, {span(left)} left"


def span(seconds: float) -> str:
    """A length of time as people say it: `40 s`, `12 min`, `3.5 h`."""
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 2 * _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    return f"{seconds / _HOUR:.1f} h"
