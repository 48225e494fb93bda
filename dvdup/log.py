"""What dvdup does, told by `logging` on stderr to whoever asks for it.

Modules log under their own names below "dvdup": what was done and how long it took as INFO, single
pairs and files as DEBUG. Nothing is shown unless somebody asks, by `-v` or `-vv` or with the
handlers of a script.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from dvdup.records import Progress
from dvdup.text import visible

NAME = "dvdup"
"""The logger that all modules log below."""

_LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)
_logger = logging.getLogger(__name__)


class _Lines(logging.Handler):
    """Writes every record as one line that neither a terminal nor a CI service takes for another.

    Names of files in it come from strangers.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        super().__init__()
        self._write = write
        self.setFormatter(logging.Formatter("%(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._write(visible(self.format(record)))
        except Exception:  # as every handler: a log that cannot be written stops nothing
            self.handleError(record)


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextmanager
def shown(verbosity: int, write: Callable[[str], None] = _to_stderr) -> Iterator[None]:
    """Show what is logged for as long as the context lasts.

    Args:
        verbosity: 0 shows nothing, 1 what was done, 2 and more every pair and file too.
        write: Takes a line.
    """
    logger, before = logging.getLogger(NAME), logging.getLogger(NAME).level
    handler = _Lines(write)
    if verbosity:
        logger.setLevel(_LEVELS[min(verbosity, len(_LEVELS) - 1)])
        logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


def show_in_worker(level: int) -> None:
    """Show in a worker process what its parent shows.

    Args:
        level: The level of the parent, of `level_shown`.
    """
    if level:
        logger = logging.getLogger(NAME)
        logger.setLevel(level)
        logger.addHandler(_Lines(_to_stderr))


def level_shown() -> int:
    """The level that somebody has asked for, 0 if nobody has."""
    logger = logging.getLogger(NAME)
    return logger.level if any(isinstance(each, _Lines) for each in logger.handlers) else 0


class Phases:
    """Passes progress on, and logs how long each phase of a command took."""

    def __init__(self, progress: Progress, clock: Callable[[], float] = time.monotonic) -> None:
        """Start the clock.

        Args:
            progress: Whom to pass it on to.
            clock: Gives seconds.
        """
        self._progress, self._clock = progress, clock
        self._starts: dict[str, float] = {}
        self._idle = clock()  # when the last phase ended

    def expect(self, what: str, weights: Sequence[float]) -> None:
        """Pass on how long each item of a phase may take, see `records.Expect`."""
        told = getattr(self._progress, "expect", None)
        if told is not None:
            told(what, weights)

    def __call__(self, what: str, done: int, total: int) -> None:
        """Take one step of progress, see `records.Progress`."""
        self._progress(what, done, total)
        now = self._clock()
        # whoever tells nothing before the first item is finished has begun when the others ended
        start = self._starts.setdefault(what, self._idle if done else now)
        if total and done >= total:
            del self._starts[what]
            self._idle = now
            _logger.info("%s: all %d done in %.1f s", what, total, now - start)
