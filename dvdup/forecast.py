"""How long a command will take, guessed before it starts from how much there is to do; pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dvdup.records import Hooks

LONG_SECONDS = 60.0
"""Seconds from which a user is told before the work begins."""

# Seconds of one core, between those of whole heads at 2 mm (0.2, 0.65, 1.1) and at 1 mm. Fewer
# pairs are compared than there may be candidates.
READ = 0.4
"""A scan read, cut and embedded."""
VARIANTS = 0.65
"""The views of a scan by which candidates are found."""
PAIR = 0.8
"""A pair that may have to be compared."""
PICTURE = 0.06
"""Of all that, what a picture takes: measured with 2,472 and 392 slices of heads."""
_MINUTE, _HOUR = 60.0, 3600.0


@dataclass(frozen=True, slots=True)
class Work:
    """What a command has to do; all of it is shared between the cores."""

    read: int = 0
    """Scans that are read and embedded."""
    searched: int = 0
    """Scans whose views are embedded, so that candidates can be found."""
    pairs: int = 0
    """Pairs whose voxels may have to be compared."""
    pictures: float = 0.0
    """Share of the scans that are single pictures."""

    def seconds(self, jobs: int) -> float:
        """How long it may take.

        Args:
            jobs: Cores that share it.
        """
        spent = READ * self.read + VARIANTS * self.searched + PAIR * self.pairs
        return spent * (1 - (1 - PICTURE) * self.pictures) / max(1, jobs)


def warn(hooks: Hooks, work: Work, jobs: Callable[[], int]) -> None:
    """Tell the user, once in a command, that it will take long.

    Args:
        hooks: The hooks of the command.
        work: What there is to do.
        jobs: Gives the cores that share it; not asked where one of them would do.
    """
    if work.seconds(1) >= LONG_SECONDS:
        hooks.say_once("duration", warning(work, jobs()))


def warning(work: Work, jobs: int) -> str:
    """What `description` says, "" where it is short.

    Args:
        work: What there is to do.
        jobs: Cores that share it.
    """
    return description(work, jobs) if work.seconds(jobs) >= LONG_SECONDS else ""


def description(work: Work, jobs: int) -> str:
    """One line that says what is to be done and about how long it takes.

    Args:
        work: What there is to do.
        jobs: Cores that share it.
    """
    parts = [
        f"{before}{n:,} {noun if n == 1 else noun + 's'} to {verb}"
        for n, before, noun, verb in (
            (work.read, "", "scan", "read"),
            (work.searched, "", "scan", "find candidates for"),
            (work.pairs, "up to ", "pair", "compare"),
        )
        if n
    ]
    span = _about(work.seconds(jobs))
    return (
        f"this takes about {span}: {', '.join(parts)}; what is finished is kept, and the next run "
        "is short"
    )


def _about(seconds: float) -> str:
    """A rough length of time, in seconds, minutes or hours."""
    if seconds < 1.5 * _HOUR:
        minutes = round(seconds / _MINUTE)
        if not minutes:
            return f"{max(1, seconds):.0f} seconds"
        return "a minute" if minutes == 1 else f"{minutes} minutes"
    return f"{round(seconds / _HOUR)} hours"
