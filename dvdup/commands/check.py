"""Sync the index, then compare every pair of splits: the command for pre-commit and CI."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

from dvdup.compare.calibrated import warn_if_outgrown
from dvdup.compare.engine import compare_refs
from dvdup.compare.refs import all_refs
from dvdup.compare.walk import prune_variants
from dvdup.errors import InputError
from dvdup.records import Hooks, Report, SyncSummary
from dvdup.store import Index
from dvdup.sync.update import bring_up_to_date
from dvdup.workspace import LazyEmbedder, Workspace


def _nothing(summary: SyncSummary) -> None:
    """Do nothing."""


def check(
    workspace: Workspace,
    *,
    full: bool = False,
    synced: Callable[[SyncSummary], None] = _nothing,
    hooks: Hooks | None = None,
) -> Report:
    """Sync, then compare every pair of splits.

    Args:
        workspace: Where.
        full: Hash every file, whatever its stat.
        synced: Called with what the sync did and left out.
        hooks: Progress, messages, the wish to stop.

    Raises:
        DvdupError: As `sync` and `diff`.
    """
    hooks = hooks or Hooks()
    with workspace.writing(hooks.waiting) as workspace:
        summary, index = bring_up_to_date(
            workspace, LazyEmbedder(workspace.config), hooks, full=full
        )
    synced(summary)
    index = workspace.open_index() if summary.changed or summary.unreadable else index
    if not index.cases:
        raise InputError(
            "there is nothing to compare: no scan is declared, and none was added by hand; correct "
            "the dataset in dvdup.toml, or add some with `dvdup add`"
        )
    _demand_two_splits(workspace, index)
    warn_if_outgrown(workspace.config, index, hooks.say)
    refs = all_refs(index)
    pairs = list(combinations(range(len(refs)), 2))
    if workspace.config.report.within:
        pairs += [(i, i) for i in range(len(refs))]
    report = compare_refs(workspace, index, refs, pairs, hooks)
    if summary.changed:
        prune_variants(workspace, index.cases)
    return report


def _demand_two_splits(workspace: Workspace, index: Index) -> None:
    """A check that has nothing to compare must not pass for a clean one.

    Raises:
        InputError: There is one split only, and duplicates inside it are not asked for.
    """
    splits = {case.split for case in index.cases}
    if len(splits) == 1 and not workspace.config.report.within:
        raise InputError(
            f"only one split, {splits.pop()}: there is nothing to compare it with; declare another "
            "one, or add --within, which looks for duplicates inside it"
        )
