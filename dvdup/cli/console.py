"""What reaches the terminal: progress and messages on stderr, reports and lists on stdout."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TextIO

import click

from dvdup.cli.pace import Pace
from dvdup.errors import InputError
from dvdup.log import Phases
from dvdup.records import Hooks, no_progress
from dvdup.text import visible_lines

_LINE_SECONDS = 10.0
NO_BARS = "dvdup.no_progress"
"""Key of the context of click under which stands whether no progress is wanted."""
COLOR = "dvdup.color"
"""Key of the context of click under which stands whether there are colours: always, never, auto."""
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
    """Width and colour of stdout, see `colored`."""
    return {"width": shutil.get_terminal_size((80, 24)).columns, "color": colored(sys.stdout)}


def colored(stream: TextIO) -> bool:
    """Whether what is written has colours: as --color says, else as NO_COLOR and FORCE_COLOR do."""
    wanted = _of_context(COLOR)
    if wanted in ("always", "never"):
        return bool(wanted == "always")
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def _of_context(key: str) -> Any:
    """What a flag said that stands under this key; None outside of a command."""
    ctx = click.get_current_context(silent=True)
    return None if ctx is None else ctx.meta.get(key)


@contextmanager
def progress_bar(*, quiet: bool = False) -> Iterator[Phases]:
    """A bar with rate and time left on a terminal, a plain line now and then elsewhere."""
    if quiet or _of_context(NO_BARS):
        yield Phases(no_progress)
    elif sys.stderr.isatty():
        with _Bar() as bar:
            yield Phases(bar)
    else:
        yield Phases(_Lines())


class _Bar:
    """A rich bar that appears with the first step, so that a run without news shows none."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._bar: Any = None
        self._tasks: dict[str, Any] = {}
        self._paces: defaultdict[str, Pace] = defaultdict(Pace)

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *details: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def expect(self, what: str, weights: Sequence[float]) -> None:
        self._paces[what].expect(weights)

    def __call__(self, what: str, done: int, total: int) -> None:
        if not total:
            return
        if self._bar is None:
            self._bar = _rich_bar()
            self._bar.start()
        pace = self._paces[what]
        pace.add(self._clock(), done, total)
        known = total if total > 1 else None  # 0 of 1 would stand still; it only shows life
        if what not in self._tasks:
            self._tasks[what] = self._bar.add_task(what, total=known, pace="")
        shown = total if done else known
        self._bar.update(self._tasks[what], completed=done, total=shown, pace=pace.describe())


def _rich_bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[pace]}"),
        console=Console(stderr=True, no_color=not colored(sys.stderr)),
        transient=True,
    )


class _Lines:
    """Plain lines, at most one in ten seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = clock()
        self._paces: defaultdict[str, Pace] = defaultdict(Pace)

    def expect(self, what: str, weights: Sequence[float]) -> None:
        self._paces[what].expect(weights)

    def __call__(self, what: str, done: int, total: int) -> None:
        now = self._clock()
        pace = self._paces[what]
        pace.add(now, done, total)
        if done and now - self._last >= _LINE_SECONDS:
            self._last = now
            said = pace.describe()
            say(f"{what}: {done} of {total}{', ' if said else ''}{said}")


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


def with_stdin(paths: Sequence[str]) -> tuple[str, ...]:
    """Paths with the list on standard input in the place of `-`.

    Raises:
        click.UsageError: It names no path.
    """
    if "-" not in paths:
        return tuple(paths)
    text = sys.stdin.read()
    lines = text.split("\0") if "\0" in text else text.splitlines()
    listed = [line.strip("\r\n") for line in lines if line.strip()]
    if not listed:
        raise click.UsageError("- stands for a list of paths on standard input, and none came")
    place = paths.index("-")
    return (*paths[:place], *listed, *paths[place + 1 :])


@contextmanager
def hooks_for(
    *, quiet: bool = False, stoppable: bool = True, within: float | None = STOP_SECONDS
) -> Iterator[Hooks]:
    """What a command needs to talk to the user: progress, the wish to stop, messages.

    Args:
        quiet: Whether no progress is shown; messages are, as they tell what is not as it should be.
        stoppable: Whether the first Ctrl-C only asks for a stop.
        within: As for `stop_requests`.
    """
    with progress_bar(quiet=quiet) as progress:
        if not stoppable:
            yield Hooks(progress, say=say, expect=progress.expect)
            return
        with stop_requests(within=within) as should_stop:
            yield Hooks(progress, should_stop, say, progress.expect)


def _end_later(over: threading.Event, seconds: float) -> None:
    if not over.wait(seconds):
        end_now()


def end_now(code: int = 2) -> None:
    """End this process and those it started, whatever they are doing; nothing more is written.

    What was committed stays; what was not is read again by the next run.
    """
    loaded = sys.modules.get("multiprocessing")  # is loaded where there are children
    for child in loaded.active_children() if loaded is not None else ():
        child.kill()
    with suppress(OSError):
        os.write(2, b"dvdup: stopped at once; what was kept so far stays, run it again to go on\n")
    os._exit(code)
