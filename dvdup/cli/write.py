"""Commands that write: init, add, sync, rm, tag, gc, demo."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dvdup.cli import complete
from dvdup.cli.console import (
    confirmed,
    hooks_for,
    out,
    progress_bar,
    put,
    say,
    screen,
    with_stdin,
)
from dvdup.cli.options import (
    DRY_RUN,
    FULL,
    RUNNER,
    TABLE_OR_JSON,
    embed_options,
    open_workspace,
    place_options,
    terminal_options,
)
from dvdup.errors import EXIT_FAILED
from dvdup.plain import document

if TYPE_CHECKING:
    from dvdup.records import SyncSummary


@click.command()
@click.option("--force", is_flag=True, help="Overwrite a dvdup.toml that is there.")
@click.argument("folder", default=".")
@terminal_options
def init(folder: str, force: bool, quiet: bool) -> None:
    """Write dvdup.toml from what FOLDER looks like.

    Recognises split folders (train/ val/ test/), MSD and nnU-Net (imagesTr, dataset.json,
    splits_final.json), BIDS, datalists of MONAI, Croissant, tables (CSV, TSV, Parquet, JSON lines)
    for all splits or one each, and DICOM trees; says which, what it uses and what it leaves out.
    Of a folder on an object store, s3://bucket/folder, the file is written here.
    """
    from dvdup.sync import build

    path, lines = build.init(folder, force=force)
    for line in (*lines, f"wrote {path}; next: dvdup sync"):
        say(line, quiet=quiet)


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--split", required=True, help="The split they belong to, such as train.")
@click.option("--case", "case_id", help="Case id, for a single scan [default: the file name].")
@click.option("--group", help="The subject they come from.")
@embed_options
@place_options
def add(
    paths: tuple[str, ...],
    split: str,
    case_id: str | None,
    group: str | None,
    config: Path | None,
    quiet: bool,
    **flags: Any,
) -> int:
    """Add files or folders to the index by hand.

    A folder stands for every scan below it, X_test.npy#17 for one row of an array, - for a list
    of paths on standard input, one a line or as `find -print0` writes them. Adding again what is
    unchanged costs nothing.
    """
    from dvdup.sync import build

    paths = with_stdin(paths)

    if not split:
        raise click.UsageError("--split is empty; name one, such as train")
    workspace = open_workspace(config, **flags)
    with hooks_for(quiet=quiet) as hooks:
        summary = build.add(
            workspace,
            paths,
            split=split,
            case_id=case_id,
            group=group,
            hooks=hooks,
        )
    return _finish(summary, quiet)


@click.command()
@click.option(
    "--rebuild",
    is_flag=True,
    help="Make the index anew, for other settings or after damage. Its tags and history end, so "
    "that where there are some it asks.",
)
@click.option("--yes", is_flag=True, help="Do not ask before tags and history end.")
@click.option("--adopt", is_flag=True, help="Take over an index whose dataset has moved here.")
@FULL
@embed_options
@RUNNER
@place_options
def sync(
    config: Path | None,
    quiet: bool,
    rebuild: bool,
    yes: bool,
    adopt: bool,
    full: bool,
    **flags: Any,
) -> int:
    """Make the index equal what dvdup.toml declares.

    Reads and embeds only what is new or changed; moved and copied files are recognised by their
    bytes, vanished ones leave the index. Ctrl-C keeps what is finished.
    """
    from dvdup.sync import build

    workspace = open_workspace(config, **flags)
    with hooks_for(quiet=quiet) as hooks:
        summary = build.sync(
            workspace,
            rebuild=rebuild,
            full=full,
            adopt=adopt,
            confirm=lambda loss: yes or confirmed(f"{loss}. Go on?"),
            hooks=hooks,
        )
    return _finish(summary, quiet)


def _finish(summary: SyncSummary, quiet: bool) -> int:
    """Tell what was done; unreadable cases make the exit code 2."""
    from dvdup.cli.words import summary_lines

    for line in summary_lines(summary, verbose=not quiet):
        say(line)
    return EXIT_FAILED if summary.unreadable else 0


@click.command()
@click.argument("cases", nargs=-1, required=True, metavar="CASE...", shell_complete=complete.cases)
@place_options
def rm(cases: tuple[str, ...], config: Path | None, quiet: bool, **flags: Any) -> None:
    """Take cases out of the index; the files stay.

    CASE is split/case, with * and ? as in file names: train/case_7, 'val/*'. A case that
    dvdup.toml declares comes back with the next sync.
    """
    from dvdup.commands import history
    from dvdup.records import Hooks

    waiting = Hooks(say=say).waiting
    removed = history.remove(open_workspace(config, **flags), cases, waiting)
    for label in removed:
        say(f"removed {label}", quiet=quiet)


@click.command()
@click.argument("name", required=False)
@click.option(
    "--list", "listing", is_flag=True, help="Print the tags and their versions, as without NAME."
)
@click.option("--delete", is_flag=True, help="Forget the tag NAME; its version stays.")
@TABLE_OR_JSON
@place_options
def tag(
    name: str | None,
    listing: bool,
    delete: bool,
    format_: str,
    config: Path | None,
    quiet: bool,
    **flags: Any,
) -> None:
    """Give the index as it is now the name NAME, or list the tags.

    A tag stays: `dvdup diff NAME` tells what has happened since, `dvdup diff train@NAME test`
    compares with the split as it was.
    """
    from dvdup.commands import history
    from dvdup.records import Hooks

    if (name is not None and listing) or (name is None and delete):
        raise click.UsageError("give one of NAME, --delete NAME, or --list")
    workspace = open_workspace(config, **flags)
    if name is None:
        _put_tags(history.tags(workspace), format_)
    elif delete:
        version = history.delete_tag(workspace, name, Hooks(say=say).waiting)
        say(f"{name} is forgotten; it was version {version}", quiet=quiet)
    else:
        version = history.tag(workspace, name, Hooks(say=say).waiting)
        say(f"{name} is version {version}", quiet=quiet)


def _put_tags(tags: dict[str, int], format_: str) -> None:
    if format_ == "json":
        rows = [{"name": name, "version": version} for name, version in tags.items()]
        put(document("tags", tags=rows))
    else:
        put("".join(f"{name}\t{version}\n" for name, version in tags.items()))


@click.command()
@DRY_RUN
@click.option("--history", is_flag=True, help="Drop versions without a tag too.")
@click.option(
    "--keep-days",
    type=click.IntRange(0),
    metavar="N",
    help="With --history: keep versions that are not older than N days [default: 0].",
)
@place_options
def gc(
    config: Path | None,
    quiet: bool,
    dry_run: bool,
    history: bool,
    keep_days: int | None,
    **flags: Any,
) -> None:
    """Tidy the index: join small files, drop what no version of it needs.

    Goes: rows and cached answers of cases that no version holds, files of killed commands and of
    earlier versions of dvdup. History stays unless --history is given, and tags stay always.
    """
    from dvdup.cli.words import tidied_lines
    from dvdup.commands import gc as command

    if keep_days is not None and not history:
        raise click.UsageError("--keep-days goes with --history")
    workspace = open_workspace(config, **flags)
    with hooks_for(quiet=quiet, stoppable=False) as hooks:
        found = command.gc(
            workspace, keep_days=(keep_days or 0) if history else None, dry_run=dry_run, hooks=hooks
        )
    if dry_run or not quiet:
        for line in tidied_lines(found):
            out(line)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default="dvdup-demo")
@terminal_options
def demo(folder: Path, quiet: bool) -> int:
    """Write a small synthetic dataset with planted copies to FOLDER and check it.

    The exit code is 0 although copies are found: finding them is what the demo is for.
    """
    from dvdup.commands import adhoc

    with progress_bar(quiet=quiet) as progress:
        text, planted = adhoc.demo(folder, **screen(), progress=progress)
    for line in planted:
        say(line, quiet=quiet)
    click.echo(text, nl=False)
    say(f"\nThe scans lie in {folder}; try: cd {folder} && dvdup check", quiet=quiet)
    return 0


COMMANDS = (init, add, sync, rm, tag, gc, demo)
