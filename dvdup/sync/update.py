"""The index made equal to what is declared, while its lock is held."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from dvdup import forecast
from dvdup.forecast import Work
from dvdup.readers import share_of_pictures
from dvdup.records import Case, Declaration, Hooks, SyncSummary
from dvdup.store import Index
from dvdup.sync import lost
from dvdup.sync.declared import by_hand, declaration
from dvdup.sync.plan import Plan, plan
from dvdup.sync.run import Run
from dvdup.workspace import LazyEmbedder, Workspace, recipe_of

_logger = logging.getLogger(__name__)


def _reading(new: int, declared: Sequence[Case]) -> Work:
    """A sync reads what is new."""
    return Work(read=new, pictures=share_of_pictures(declared))


def bring_up_to_date(
    workspace: Workspace,
    embedder: LazyEmbedder,
    hooks: Hooks,
    added: Sequence[Case] | None = None,
    *,
    full: bool = False,
    asked: Callable[[Case], bool] = lambda case: True,
    expected: Callable[[int, Sequence[Case]], Work] = _reading,
) -> tuple[SyncSummary, Index]:
    """Sync the index of a workspace; the caller holds the lock.

    Args:
        workspace: Where.
        embedder: The embedder, not yet loaded.
        hooks: Progress, messages, the wish to stop.
        added: Cases added by hand that have to be kept; None: those of the index itself.
        full: Hash every file, whatever its stat.
        asked: Whether a case is to be looked at; others are taken as they were indexed.
        expected: What the command has to do, from the number of cases that are new and from all
            that are declared.
    """
    index = workspace.open_or_create(embedder) if workspace.storage.exists() else None
    old = index.cases if index is not None else ()
    kept = by_hand(old) if added is None else list(added)
    declared = declaration(workspace, old, kept, hooks.should_stop, full=full)
    if index is None:  # what cannot be declared leaves nothing behind
        index = workspace.open_or_create(embedder)
    indexed = {case.key: case for case in old}
    todo = plan(workspace.root, declared.cases, indexed, workspace.verified, full=full, asked=asked)
    _logger.info("%d cases declared, %d to look at", len(declared.cases), len(todo.pending))
    new = sum(case.key not in indexed for case in todo.pending)  # others may just be hashed again
    lost.tell(workspace.root, todo, declared.cases, indexed, hooks.say)
    work = expected(new, declared.cases)
    forecast.warn(hooks, work, workspace.runner.cores)
    return carry_out(workspace, index, embedder, todo, declared, "sync", hooks), index


def carry_out(
    workspace: Workspace,
    index: Index,
    embedder: LazyEmbedder,
    todo: Plan,
    declaration: Declaration,
    command: str,
    hooks: Hooks,
) -> SyncSummary:
    """Do what was planned.

    Args:
        workspace: Where.
        index: The index, whose lock is held.
        embedder: The embedder, not yet loaded.
        todo: What has to be done.
        declaration: What it was planned from.
        command: Named in the history of the index.
        hooks: Progress, and the wish to stop.
    """
    run = Run(
        workspace.root,
        index,
        workspace.writer(index, command),
        recipe_of(workspace.config, index.meta.embedder),
        embedder.embed,
        workspace.verified,
        runner=workspace.runner,
        hooks=hooks,
    )
    return run.carry_out(todo, declaration)
