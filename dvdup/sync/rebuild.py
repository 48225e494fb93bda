"""A new index beside the old one, put in its place once it is whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dvdup import store
from dvdup.errors import DvdupError, InputError, StoreError
from dvdup.records import Case, Hooks, Say, SyncSummary
from dvdup.store import Index
from dvdup.sync.declared import by_hand
from dvdup.sync.update import bring_up_to_date
from dvdup.workspace import LazyEmbedder, Workspace

Confirm = Callable[[str], bool]
"""From what would be lost to whether that is meant."""


def rebuild_index(
    workspace: Workspace, confirm: Confirm, hooks: Hooks, *, full: bool
) -> SyncSummary:
    """Fill a new index beside the old one and put it in its place."""
    added, loss = _worth_keeping(workspace, hooks.say)
    if loss and not confirm(loss):
        raise InputError(f"{loss}; nothing was done, --yes goes on")
    aside = workspace.beside(store.REBUILD)
    aside.storage.claim(workspace.root)
    embedder = LazyEmbedder(workspace.config)
    if aside.storage.exists():
        try:  # go on where an interrupted rebuild stopped, if it was one with these settings
            aside.open_index()
        except DvdupError:
            aside.storage.clear()
    summary, _ = bring_up_to_date(aside, embedder, hooks, added, full=full)
    workspace.storage.swap_in()
    return summary


def _worth_keeping(workspace: Workspace, say: Say) -> tuple[list[Case], str]:
    """Cases added by hand in an index that is about to go, and what is lost with it, in words."""
    if not workspace.storage.exists():
        return [], ""
    try:
        index = Index(workspace.storage)
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
