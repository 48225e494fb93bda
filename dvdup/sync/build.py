"""Commands that fill the index: init, add and sync."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from dvdup import discover, files
from dvdup.config import CONFIG_NAME, to_toml
from dvdup.config.uris import checked_uri, is_uri, path_of
from dvdup.errors import InputError
from dvdup.records import Case, Hooks, IndexedCase, Key, SyncSummary
from dvdup.sealed import nowhere, tell_damaged
from dvdup.sync.plan import plan
from dvdup.sync.rebuild import Confirm, rebuild_index
from dvdup.sync.update import bring_up_to_date, carry_out
from dvdup.workspace import LazyEmbedder, Workspace, readers_as_formats


def _refuse(loss: str) -> bool:
    return False


def init(place: str, *, force: bool = False) -> tuple[Path, tuple[str, ...]]:
    """Write `dvdup.toml` from what a folder looks like.

    Args:
        place: The folder; or its address on an object store, the file is then written here.
        force: Overwrite a file that is there.

    Returns:
        The file, and what was found, in words.

    Raises:
        InputError: There is one already, or the folder has no layout that dvdup knows.
    """
    path = checked_uri(place) if is_uri(place) and not place.startswith("file:") else "."
    folder = Path() if path != "." else path_of(place) if is_uri(place) else Path(place)
    file = folder / CONFIG_NAME
    if file.exists() and not force:
        raise InputError(f"{file} is there already; --force overwrites it")
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; name the folder of the dataset")
    root = Path(os.path.abspath(folder))
    found = discover.detect(root, readers_as_formats(nowhere(), root), path=path)
    try:
        file.write_text(to_toml(found.dataset, found.notes), encoding="utf-8", newline="\n")
    except OSError as error:
        raise InputError(f"cannot write {file}: {error.strerror or error}") from error
    return file, found.notes


def add(
    workspace: Workspace,
    paths: Sequence[str],
    *,
    split: str,
    case_id: str | None = None,
    group: str | None = None,
    hooks: Hooks | None = None,
) -> SyncSummary:
    """Add files or folders by hand; what is unchanged costs nothing.

    Raises:
        InputError: A path is missing, holds no scan, or names a case that another file has.
        StoreError: The index is damaged or was made with other settings.
        Interrupted: The user asked to stop; what was finished is kept.
    """
    hooks = hooks or Hooks()
    with workspace.writing(hooks.waiting) as workspace:
        declaration = discover.by_hand(
            workspace.root,
            paths,
            split=split,
            case=case_id,
            group=group,
            dataset=workspace.config.dataset,
            formats=workspace.formats,
            should_stop=hooks.should_stop,
        )
        embedder = LazyEmbedder(workspace.config)
        index = workspace.open_or_create(embedder)
        indexed = {case.key: case for case in index.cases}
        _refuse_other_files(workspace, declaration.cases, indexed)
        touched = {case.key: indexed[case.key] for case in declaration.cases if case.key in indexed}
        todo = plan(workspace.root, declaration.cases, touched, workspace.verified)
        return carry_out(
            workspace, index, embedder, todo, declaration, f"add --split {split}", hooks
        )


def _refuse_other_files(
    workspace: Workspace, cases: Sequence[Case], indexed: Mapping[Key, IndexedCase]
) -> None:
    """Adding again is fine; another file under the same id would push the first one out."""
    for case in cases:
        old = indexed.get(case.key)
        if old is None or set(old.paths) & set(case.files):
            continue
        if not files.all_missing(workspace.root, old.paths):
            raise InputError(
                f"case {case.case_id} of {case.split} is {old.paths[0]} already, not "
                f"{case.files[0]}; give another id with --case, or `dvdup rm "
                f"{case.split}/{case.case_id}` first"
            )


def sync(
    workspace: Workspace,
    *,
    rebuild: bool = False,
    full: bool = False,
    adopt: bool = False,
    confirm: Confirm = _refuse,
    hooks: Hooks | None = None,
) -> SyncSummary:
    """Make the index equal what is declared; cases added by hand stay while their files do.

    Args:
        workspace: Where.
        rebuild: Make the index anew beside the old one, then swap: for other settings, or after
            damage. Tags and history start afresh, so that `confirm` is asked where there are some.
        full: Hash every file, whatever its stat.
        adopt: Take over an index elsewhere, as the dataset has moved.
        confirm: Asked before something goes that cannot be made again.
        hooks: Progress, messages, the wish to stop.

    Raises:
        ConfigError, InputError: The declaration cannot be used.
        StoreError: The index is damaged or was made with other settings.
        Interrupted: The user asked to stop; what was finished is kept.
    """
    hooks = hooks or Hooks()
    with workspace.writing(hooks.waiting, moved=adopt) as workspace:
        if rebuild:
            summary = rebuild_index(workspace, confirm, hooks, full=full)
        else:
            embedder = LazyEmbedder(workspace.config)
            summary, _ = bring_up_to_date(workspace, embedder, hooks, full=full)
        tell_damaged(workspace.sealed, hooks.say)
    return summary
