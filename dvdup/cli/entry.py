"""The `dvdup` group: its commands, and the one funnel that turns errors into exit code 2."""

from __future__ import annotations

import io
import os
import sys
import threading
import traceback
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import click

from dvdup import __version__
from dvdup.cli.console import say
from dvdup.cli.options import SHOW, place_options
from dvdup.config.uris import refuse_secrets
from dvdup.errors import EXIT_FAILED, DvdupError
from dvdup.records import READER_THREADS

_FREE_TEXT = ("--reason",)  # options whose value may be the address of a page


class _ReaderGone(Exception):  # noqa: N818 - said to nobody
    """Whoever read our stdout has closed it; click would end with 1, which means findings."""


class Commands(click.Group):
    """A group with dvdup's exit codes: 0 clean, 1 findings, 2 could not check."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which one needs them, not by name."""
        return list(self.commands)

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Parse, and print the help if that is asked for."""
        try:
            return super().make_context(*args, **extra)
        except BrokenPipeError as error:
            raise _ReaderGone from error

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, but for addresses that may hold a credential: every message shows its address."""
        for before, text in pairwise(("", *args)):
            if before not in _FREE_TEXT:
                refuse_secrets(text)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise _ReaderGone from error

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> None:
        """Run a command and exit; whatever goes wrong is one message and exit code 2."""
        extra.pop("standalone_mode", None)
        try:
            code = super().main(
                args, prog_name=prog_name or "dvdup", standalone_mode=False, **extra
            )
        except click.ClickException as error:
            with io.StringIO() as shown:
                error.show(file=shown)
                say(shown.getvalue().rstrip())
            code = EXIT_FAILED
        except DvdupError as error:
            _complain(str(error))
            code = EXIT_FAILED
        except (click.Abort, KeyboardInterrupt):
            _complain("stopped; what was finished is kept, run it again to go on")
            code = EXIT_FAILED
        except _ReaderGone:
            # Nothing more can be written, not even at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = EXIT_FAILED
        except Exception:  # a bug must never look like findings (Python's own exit code is 1)
            say(traceback.format_exc().rstrip())
            _complain("this is a bug in dvdup; please report it with the lines above")
            code = EXIT_FAILED
        sys.exit(code if isinstance(code, int) else 0)


def _complain(message: str) -> None:
    say(f"dvdup: {message}")


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 clean, 1 findings, 2 could not check.",
)
@click.version_option(__version__, "-V", "--version", message="dvdup %(version)s")
@place_options
@click.pass_context
def app(ctx: click.Context, /, **given: Any) -> None:
    """Find medical scans that lie in more than one split of a dataset.

    \b
    dvdup init                 write dvdup.toml from what it detects
    dvdup sync                 index the dataset, only what is new or changed
    dvdup diff train test      which test cases are already in train
    dvdup check                sync, then every pair of splits (for hooks and CI)

    The options below may stand before a command or behind it.
    """
    _hand_on(ctx, given)


def _hand_on(ctx: click.Context, given: dict[str, Any]) -> None:
    """What stands before a command counts as if it stood behind it, unless that says otherwise.

    Raises:
        click.UsageError: The command has no such option.
    """
    name = ctx.invoked_subcommand or ""
    asked = {option: value for option, value in given.items() if value}
    known = {param.name for param in app.commands[name].params}
    for option in (*asked, *(["show_settings"] if ctx.meta.get(SHOW) else [])):
        if option not in known:
            raise click.UsageError(f"dvdup {name} has no option --{option.replace('_', '-')}")
    ctx.default_map = {name: asked}


def _register() -> None:
    from dvdup.cli import (
        accept,
        audit,
        bench,
        calibrate,
        export,
        groups,
        inspect,
        report,
        show,
        train,
        write,
    )

    everyday = (write, report, export, accept, groups, audit, show, inspect)
    for module in (*everyday, calibrate, bench, train):
        for command in module.COMMANDS:
            app.add_command(command)


_register()


def main() -> None:
    """Entry point of the console script."""
    try:
        app.main()
    except SystemExit as stop:
        _leave_readers_behind(stop.code)
        raise


def _leave_readers_behind(code: object) -> None:
    """Python waits for its threads; one that hangs in a file must not keep the process."""
    for thread in threading.enumerate():
        if thread.name.startswith(READER_THREADS):
            thread.join(timeout=1.0)
            if thread.is_alive():
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code if isinstance(code, int) else EXIT_FAILED)
