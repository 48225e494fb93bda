"""What reaches the terminal: progress and messages on stderr, reports and lists on stdout."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import click

from dvdup.errors import InputError
from dvdup.records import Progress, no_progress
from dvdup.text import visible_lines

_LINE_SECONDS = 10.0
_WINDOW_SECONDS = 120.0
STOP_SECONDS = 20.0
"""After so long a command that was asked to stop is ended as it is."""


def say(message: str, *, quiet: bool = False) -> None:
    """A line for the user on stderr; names in it are made harmless."""
    if not quiet:
        click.echo(visible_lines(message), err=True)


def out(line: str) -> None:
    """A line of what was asked for on stdout; names in it are made harmless."""
    click.echo(visible_lines(line))


def confirmed(question: str) -> bool:
    """Ask on a terminal; where there is none nobody can say yes."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    return click.confirm(question, default=False, err=True)


def put(text: str) -> None:
    """Write the report to stdout.

    Raises:
        InputError: It cannot be written, because the disk is full for example.
    """
    try:
        click.echo(text, nl=False, color=True)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        # what is left in the buffer would fail once more at exit
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        raise InputError(f"cannot write the report to stdout: {error.strerror or error}") from error


def screen() -> dict[str, Any]:
    """Width and colour of stdout; NO_COLOR and FORCE_COLOR behave as everywhere else."""
    color = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    if os.environ.get("FORCE_COLOR"):
        color = True
    if os.environ.get("NO_COLOR"):
        color = False
    return {"width": shutil.get_terminal_size((80, 24)).columns, "color": color}


@contextmanager
def progress_bar(*, quiet: bool = False) -> Iterator[Progress]:
    """A bar with rate and time left on a terminal, a plain line now and then elsewhere."""
    if quiet:
        yield no_progress
    elif sys.stderr.isatty():
        with _Bar() as bar:
            yield bar
    else:
        yield _Lines()


class _Bar:
    """A rich bar that appears with the first step, so that a run without news shows none."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *details: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, what: str, done: int, total: int) -> None:
        if not total:
            return
        if self._bar is None:
            self._bar = _rich_bar()
            self._bar.start()
        known = total if total > 1 else None  # 0 of 1 would stand still; it only shows life
        if what not in self._tasks:
            self._tasks[what] = self._bar.add_task(what, total=known)
        self._bar.update(self._tasks[what], completed=done, total=total if done else known)


def _rich_bar() -> Any:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Any) -> Text:
            return Text(f"{task.speed or 0:.1f}/s")

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


class _Lines:
    """Plain lines, at most one in ten seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = clock()
        self._seen: dict[str, deque[tuple[float, int]]] = {}

    def __call__(self, what: str, done: int, total: int) -> None:
        now = self._clock()
        if not done:
            return
        seen = self._seen.setdefault(what, deque())
        seen.append((now, done))
        while len(seen) > 2 and now - seen[0][0] > _WINDOW_SECONDS:
            seen.popleft()
        if now - self._last >= _LINE_SECONDS:
            self._last = now
            say(f"{what}: {done} of {total}{_pace(seen, total - done)}")


def _pace(seen: deque[tuple[float, int]], left: int) -> str:
    """Speed and time left by what was finished lately; the first item starts the clock."""
    (start, first), (now, done) = seen[0], seen[-1]
    if done <= first or now <= start:
        return ""
    rate = (done - first) / (now - start)
    return (
        f", {rate:.1f}/s, {left / rate:.0f} s left"
        if rate >= 0.1
        else (f", {1 / rate:.0f} s each, {left / rate:.0f} s left")
    )


@contextmanager
def stop_requests(*, within: float | None = STOP_SECONDS) -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C (or SIGTERM) ask for a stop; the second one ends it at once.

    Args:
        within: Seconds after which what was asked to stop is ended as by a second request; None
            if it is worth waiting for.
    """
    asked = threading.Event()
    over = threading.Event()

    def ask(number: int, frame: object) -> None:
        if asked.is_set():
            end_now()
        asked.set()
        say("stopping after the case in hand ... (once more: at once)")
        if within is not None:
            threading.Thread(target=_end_later, args=(over, within), daemon=True).start()

    signals = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, ask) for number in signals}
    try:
        yield asked.is_set
    finally:
        over.set()
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_later(over: threading.Event, seconds: float) -> None:
    if not over.wait(seconds):
        end_now()


def end_now(code: int = 2) -> None:
    """End this process and those it started, whatever they are doing; nothing more is written.

    What was committed stays; what was not is read again by the next run.
    """
    for child in multiprocessing.active_children():
        child.kill()
    with suppress(OSError):
        os.write(2, b"dvdup: stopped at once; what was kept so far stays, run it again to go on\n")
    os._exit(code)
