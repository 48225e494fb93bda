"""Options that several commands share; every one of them can be set as `DVDUP_...` too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dvdup import log
from dvdup.cli import complete
from dvdup.cli.console import COLOR, NO_BARS, out, say
from dvdup.config import VerifyConfig
from dvdup.report import FORMATS

if TYPE_CHECKING:
    from dvdup.workspace import Workspace

Command = TypeVar("Command", bound=Callable[..., Any])

SHOW = "dvdup.show_settings"
"""Key of the context of click under which stands whether only settings are shown."""
_VERBOSITY = "dvdup.verbosity"


def _show_log(ctx: click.Context, option: click.Parameter, verbosity: int) -> None:
    """Show what is logged until the command ends; -v before the command and after it add up."""
    ctx.meta[_VERBOSITY] = ctx.meta.get(_VERBOSITY, 0) + verbosity
    if not isinstance(ctx.command, click.Group):
        ctx.with_resource(log.shown(ctx.meta[_VERBOSITY], say))


def _noted(key: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    """A callback that notes a flag, given before the command or after it; the latter counts."""

    def note(ctx: click.Context, option: click.Parameter, given: Any) -> None:
        ctx.meta[key] = given or ctx.meta.get(key)

    return note


CONFIG = click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Configuration file [default: dvdup.toml or pyproject.toml here or above].",
)
QUIET = click.option("-q", "--quiet", is_flag=True, help="No progress and no summary on stderr.")
VERBOSE = click.option(
    "-v",
    "--verbose",
    count=True,
    expose_value=False,
    is_eager=True,
    callback=_show_log,
    help="Tell on stderr what is done and how long it takes; -vv: every pair and file too.",
)
NO_PROGRESS = click.option(
    "--no-progress",
    is_flag=True,
    expose_value=False,
    callback=_noted(NO_BARS),
    help="No progress on stderr; messages stay.",
)
SHOW_SETTINGS = click.option(
    "--show-settings",
    is_flag=True,
    expose_value=False,
    callback=_noted(SHOW),
    help="Only print the settings that would be used, and where each comes from.",
)
COLORS = click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    expose_value=False,
    callback=_noted(COLOR),
    help="Whether what is printed has colours; auto: on a terminal, and as NO_COLOR and "
    "FORCE_COLOR say [default: auto].",
)
EMBEDDER = click.option(
    "--embedder",
    metavar="NAME",
    shell_complete=complete.embedders,
    help="Embedder, see `dvdup models`.",
)
DEVICE = click.option("--device", metavar="DEVICE", help="auto, cpu, cuda, cuda:1 or mps.")
BATCH = click.option("--batch", type=click.IntRange(1), help="Slices embedded at a time.")
TABLE_OR_JSON = click.option(
    "-f",
    "--format",
    "format_",
    type=click.Choice(["table", "json"]),
    default="table",
    help="How it is printed.",
)
DRY_RUN = click.option("--dry-run", is_flag=True, help="Only say what would be done.")
OUTPUT = click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Write the report to a file instead of stdout (-).",
)
JOBS = click.option(
    "--jobs", type=click.IntRange(0), help="Scans read or compared at a time; 0: one a core."
)
RUNNER = click.option(
    "--runner",
    metavar="WHO",
    help="Who does the work: local, ray (a Ray cluster that runs here, or is started), or "
    "ray://host:port [default: local].",
)
FULL = click.option(
    "--full",
    is_flag=True,
    help="Hash every file again, also where size and times are the same.",
)
GROUPS = click.option(
    "--groups",
    metavar="RULE",
    help="Which scans are of one person: a CSV with the columns case,group; a sum over the "
    "last number of the case id, '(id + 1) // 2'; or a regular expression whose first group "
    "names the person, 'sub-[0-9]+' [default: as declared, else every scan is a person].",
)
LABELS = click.option(
    "--labels",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A CSV with the columns case and COLUMN [default: the table of the dataset].",
)
WITHIN = click.option(
    "--within", is_flag=True, default=None, help="Look for duplicates inside each split too."
)
NEW_SINCE = click.option(
    "--new-since",
    metavar="TAG",
    help="Only findings with a case that came after this tag or version; others are counted, and "
    "fail nothing.",
)
ALLOW_UNREADABLE = click.option(
    "--allow-unreadable",
    is_flag=True,
    default=None,
    help="Do not fail (exit code 2) because of cases that could not be checked.",
)
FAIL_ON = click.option(
    "--fail-on",
    metavar="VERDICTS",
    shell_complete=complete.verdicts,
    help="What makes the exit code 1: identical, near, partial, same-subject:declared, "
    "same-subject, or none; a verdict names the stronger ones too.",
)
CANDIDATES = click.option(
    "--candidates",
    type=click.IntRange(0),
    help="Candidates of a case that are no copies before it is left; 0: compare no voxels "
    f"[default: {VerifyConfig().candidates}].",
)

_PLACE = (
    CONFIG,
    click.option(
        "--index",
        metavar="FOLDER",
        help="Index folder, or s3://bucket/folder, gs://, az:// "
        "[default: .dvdup beside the configuration].",
    ),
    click.option(
        "--outside-index",
        is_flag=True,
        help="Trust a configuration that puts the index outside of its own folder.",
    ),
    SHOW_SETTINGS,
)
_TERMINAL = (COLORS, NO_PROGRESS, QUIET, VERBOSE)
_EMBED = (
    EMBEDDER,
    DEVICE,
    BATCH,
    JOBS,
)
_OUTPUTS = (
    click.option(
        "-f",
        "--format",
        "format_",
        metavar="FORMAT",
        shell_complete=complete.formats,
        help=f"{', '.join([*FORMATS][:-1])} or {[*FORMATS][-1]} [default: by the suffix of the "
        "output file, else table].",
    ),
    click.option(
        "-o",
        "--output",
        "targets",
        metavar="[FORMAT=]FILE",
        multiple=True,
        help="Write the report to a file instead of stdout (-); repeatable, so that one run gives "
        "several: -o report.html -o sarif=leaks.json -o -.",
    ),
    click.option(
        "--pictures/--no-pictures",
        default=True,
        help="Whether an HTML report shows the pairs; without pictures it holds words and numbers "
        "only.",
    ),
    click.option(
        "--step-summary",
        is_flag=True,
        help="Add the report, as Markdown, to the summary of the step of GitHub Actions that runs "
        "this.",
    ),
)
_KEY = (
    click.option(
        "--key",
        "key_file",
        metavar="FILE",
        help="File with the passphrase that both sides have agreed on, from which hashes in an "
        "export are made.",
    ),
    click.option(
        "--passphrase-env",
        "key_variable",
        metavar="NAME",
        help="The same from the environment variable NAME.",
    ),
)
_REPORT = (
    *_OUTPUTS,
    click.option(
        "--exit-zero",
        is_flag=True,
        help="Exit with 0 although something was found; what could not be checked still gives 2.",
    ),
    FAIL_ON,
    ALLOW_UNREADABLE,
    CANDIDATES,
)


def _add(options: tuple[Callable[[Command], Command], ...], command: Command) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def place_options(command: Command) -> Command:
    """--config, --index, --outside-index, --show-settings, and `terminal_options`."""
    return _add((*_PLACE, *_TERMINAL), command)


def terminal_options(command: Command) -> Command:
    """--color, --no-progress, --quiet, --verbose: what every command has."""
    return _add(_TERMINAL, command)


def embed_options(command: Command) -> Command:
    """--embedder, --device, --batch, --jobs."""
    return _add(_EMBED, command)


def key_options(command: Command) -> Command:
    """--key, --passphrase-env."""
    return _add(_KEY, command)


def passphrase(flags: dict[str, Any]) -> str | None:
    """Take the flags of `key_options` out of those of a command: the passphrase, or None.

    Raises:
        InputError: It cannot be had.
    """
    import os

    from dvdup.commands import export

    file, variable = flags.pop("key_file"), flags.pop("key_variable")
    return export.passphrase(file, variable, os.environ)


def output_options(command: Command) -> Command:
    """--format, --output, --pictures, --step-summary."""
    return _add(_OUTPUTS, command)


def report_options(command: Command) -> Command:
    """What `output_options` adds, --exit-zero, --fail-on, --allow-unreadable, --candidates."""
    return _add(_REPORT, command)


_SETTINGS = {
    "index": "index",
    "embedder": "embedder",
    "device": "device",
    "batch": "batch",
    "jobs": "jobs",
    "runner": "runner",
    "fail_on": "report.fail_on",
    "allow_unreadable": "report.allow_unreadable",
    "within": "report.within",
    "candidates": "verify.candidates",
}


def open_workspace(config: Path | None, *, outside_index: bool = False, **flags: Any) -> Workspace:
    """Combine flags, environment, configuration file and defaults.

    Raises:
        ConfigError: One of them cannot be used.
    """
    import os

    from dvdup import workspace
    from dvdup.cli.words import settings_lines

    overrides = {
        _SETTINGS[name]: value
        for name, value in flags.items()
        if name in _SETTINGS and value is not None
    }
    opened = workspace.open_workspace(
        config, environ=os.environ, overrides=overrides, outside=outside_index, warn=say
    )
    ctx = click.get_current_context()
    if ctx.meta.get(SHOW):
        for line in settings_lines(opened.config, overrides, os.environ):
            out(line)
        ctx.exit(0)
    return opened
