"""Commands that fill the index: init, add and sync."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from dvdup import discover, files, store
from dvdup.config import CONFIG_NAME, to_toml
from dvdup.errors import DvdupError, InputError, StoreError
from dvdup.records import (
    Case,
    Declaration,
    Hooks,
    IndexedCase,
    Key,
    Say,
    SyncSummary,
)
from dvdup.sealed import nowhere, tell_damaged
from dvdup.store import Index
from dvdup.sync import lost
from dvdup.sync.declared import by_hand, declaration
from dvdup.sync.plan import Plan, plan
from dvdup.sync.run import Run
from dvdup.workspace import LazyEmbedder, Workspace, n_jobs, readers_as_formats, recipe_of

Confirm = Callable[[str], bool]
"""From what would be lost to whether that is meant."""


def _refuse(loss: str) -> bool:
    return False


def init(folder: Path, *, force: bool = False) -> tuple[Path, tuple[str, ...]]:
    """Write `dvdup.toml` from what a folder looks like.

    Returns:
        The file, and what was found, in words.

    Raises:
        InputError: There is one already, or the folder has no layout that dvdup knows.
    """
    file = folder / CONFIG_NAME
    if file.exists() and not force:
        raise InputError(f"{file} is there already; --force overwrites it")
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; name the folder of the dataset")
    root = Path(os.path.abspath(folder))
    found = discover.detect(root, readers_as_formats(nowhere(), root))
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
        return _carry_out(
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
            summary = _rebuild(workspace, confirm, hooks, full=full)
        else:
            embedder = LazyEmbedder(workspace.config)
            summary, _ = bring_up_to_date(workspace, embedder, hooks, full=full)
        tell_damaged(workspace.sealed, hooks.say)
    return summary


def bring_up_to_date(
    workspace: Workspace,
    embedder: LazyEmbedder,
    hooks: Hooks,
    added: Sequence[Case] | None = None,
    *,
    full: bool = False,
) -> tuple[SyncSummary, Index]:
    """Sync the index of a workspace; the caller holds the lock.

    Args:
        workspace: Where.
        embedder: The embedder, not yet loaded.
        hooks: Progress, messages, the wish to stop.
        added: Cases added by hand that have to be kept; None: those of the index itself.
        full: Hash every file, whatever its stat.
    """
    index = workspace.open_or_create(embedder) if store.exists(workspace.folder) else None
    old = index.cases if index is not None else ()
    kept = by_hand(old) if added is None else list(added)
    declared = declaration(workspace, old, kept, hooks.should_stop, full=full)
    if index is None:  # what cannot be declared leaves nothing behind
        index = workspace.open_or_create(embedder)
    indexed = {case.key: case for case in old}
    todo = plan(workspace.root, declared.cases, indexed, workspace.verified, full=full)
    lost.tell(workspace.root, todo, declared.cases, indexed, hooks.say)
    return _carry_out(workspace, index, embedder, todo, declared, "sync", hooks), index


def _carry_out(
    workspace: Workspace,
    index: Index,
    embedder: LazyEmbedder,
    todo: Plan,
    declaration: Declaration,
    command: str,
    hooks: Hooks,
) -> SyncSummary:
    run = Run(
        workspace.root,
        index,
        workspace.writer(index, command),
        recipe_of(workspace.config, index.meta.embedder),
        embedder.embed,
        workspace.verified,
        jobs=n_jobs(workspace.config),
        progress=hooks.progress,
        should_stop=hooks.should_stop,
    )
    return run.carry_out(todo, declaration)


def _rebuild(workspace: Workspace, confirm: Confirm, hooks: Hooks, *, full: bool) -> SyncSummary:
    """Fill a new index beside the old one and put it in its place."""
    added, loss = _worth_keeping(workspace, hooks.say)
    if loss and not confirm(loss):
        raise InputError(f"{loss}; nothing was done, --yes goes on")
    aside = workspace.beside(store.REBUILD)
    store.claim(aside.folder, workspace.root)
    embedder = LazyEmbedder(workspace.config)
    if store.exists(aside.folder):
        try:  # go on where an interrupted rebuild stopped, if it was one with these settings
            aside.open_index()
        except DvdupError:
            store.discard(aside.folder)
    summary, _ = bring_up_to_date(aside, embedder, hooks, added, full=full)
    store.swap_in(workspace.folder)
    return summary


def _worth_keeping(workspace: Workspace, say: Say) -> tuple[list[Case], str]:
    """Cases added by hand in an index that is about to go, and what is lost with it, in words."""
    if not store.exists(workspace.folder):
        return [], ""
    try:
        index = Index(workspace.folder)
        return by_hand(index.cases), _loss(sorted(store.tags(index)), len(store.log(index)))
    except StoreError as error:
        say(f"the old index cannot be read: {error}")
        return [], (
            "the old index cannot be read: its tags, its history and what was added by hand are "
            "lost with it"
        )


def _loss(tags: Sequence[str], entries: int) -> str:
    """What a rebuild ends; one entry of the log is the index as it will be again."""
    parts = [f"the tags {', '.join(tags)}"] if tags else []
    parts += [f"the history ({entries} entries of `dvdup log`)"] if entries > 1 else []
    return f"--rebuild ends {' and '.join(parts)} of the index" if parts else ""
