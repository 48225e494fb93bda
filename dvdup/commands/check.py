"""Sync the index, then compare every pair of splits: the command for pre-commit and CI."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from functools import partial
from itertools import combinations

from dvdup import accepted, store
from dvdup.accepted import Entry, Side
from dvdup.commands import limits
from dvdup.commands.committed import committed as committed_of
from dvdup.commands.git import GitRange, range_since
from dvdup.commands.names_only import early_note
from dvdup.compare.calibrated import warn_if_outgrown
from dvdup.compare.engine import compare_refs
from dvdup.compare.findings import with_accepted
from dvdup.compare.refs import all_refs, split_order
from dvdup.compare.walk import prune_variants
from dvdup.config import Config
from dvdup.config.uris import is_object_uri
from dvdup.discover import lacking_subject
from dvdup.errors import InputError
from dvdup.forecast import Work, description
from dvdup.readers import share_of_pictures
from dvdup.records import Case, Hooks, Report, Say, SyncSummary
from dvdup.store import Index
from dvdup.sync.update import bring_up_to_date
from dvdup.workspace import LazyEmbedder, Workspace


def _nothing(summary: SyncSummary) -> None:
    """Do nothing."""


def check(
    workspace: Workspace,
    *,
    full: bool = False,
    committed: bool = False,
    since: str | None = None,
    new_since: str | None = None,
    minutes: float | None = None,
    command: str = "dvdup",
    synced: Callable[[SyncSummary], None] = _nothing,
    hooks: Hooks | None = None,
) -> Report:
    """Sync, then compare every pair of splits.

    Args:
        workspace: Where.
        full: Hash every file, whatever its stat.
        committed: Leave out the cases that git does not have, see `commands.committed`.
        since: Look only at what has changed since this commit, and tell findings of that alone;
            what else is indexed is compared with it.
        new_since: Leave out findings of cases that were there at this tag or version.
        minutes: Do not begin if it would take longer than so many; None: however long.
        command: How this program is called by hand, for a message.
        synced: Called with what the sync did and left out.
        hooks: Progress, messages, the wish to stop.

    Raises:
        InputError: It would take longer than `minutes`; nothing was read.
        DvdupError: As `sync` and `diff`.
    """
    hooks = hooks or Hooks()
    entries = accepted.read(workspace.root)
    changed = None if since is None else _range(workspace, since, hooks.say)
    with workspace.writing(hooks.waiting) as workspace:
        summary, index = bring_up_to_date(
            workspace,
            LazyEmbedder(workspace.config),
            hooks,
            full=full,
            asked=lambda case: changed is None or changed.is_unread(case.files),
            expected=partial(_expected, workspace, minutes, command, hooks.say),
        )
    synced(summary)
    index = workspace.open_index() if summary.changed or summary.unreadable else index
    _demand_pair(workspace, index, summary)
    warn_if_outgrown(workspace.config, index, hooks.say)
    refs = all_refs(index)
    if committed:
        refs = committed_of(workspace.root, refs, hooks.say)
    report = compare_refs(workspace, index, refs, _pairs(workspace.config, len(refs)), hooks)
    if summary.changed:
        prune_variants(workspace, index.cases)
    if new_since is not None:
        report = limits.since_version(report, index, new_since, refs)
    if changed is not None:
        report = limits.since_commit(report, changed, summary, index.cases)
    _warn_if_stale(entries, index, hooks.say)
    return with_accepted(report, entries, index.cases)


def _pairs(config: Config, n_refs: int) -> list[tuple[int, int]]:
    """Which splits are compared with which, as positions."""
    within = [(i, i) for i in range(n_refs)] if config.report.within else []
    return [*combinations(range(n_refs), 2), *within]


def _range(workspace: Workspace, since: str, say: Say) -> GitRange:
    """What has changed since a commit, or since the index was brought up to date.

    Raises:
        InputError: Git does not know it, or the scans are where git does not look.
    """
    if is_object_uri(workspace.config.dataset.path):
        raise InputError(
            "--since asks git which scans have changed, and git knows nothing of an object store; "
            "leave it out, for objects that have not changed are not read again anyway"
        )
    indexed_at = None
    if store.exists(workspace.folder):
        entries = store.log(workspace.open_any())
        indexed_at = next((e.commit for e in entries if e.command.startswith("sync")), None)
    changed = range_since(
        workspace.root, since, indexed_at, workspace.root / workspace.config.dataset.path
    )
    if not changed.table:
        return changed
    say(
        f"note: {changed.table} has changed since {since} and may say what is in which split, so "
        "that no finding is left out"
    )
    return dataclasses.replace(changed, is_new=lambda paths: True)


def _demand_pair(workspace: Workspace, index: Index, summary: SyncSummary) -> None:
    """A check that has nothing to compare must not pass for a clean one.

    Raises:
        InputError: There are no cases, or they are of one split and duplicates inside it are not
            asked for.
    """
    splits = {case.split for case in index.cases}
    if len(splits) > 1 or (splits and workspace.config.report.within):
        return
    if summary.unindexed:
        raise InputError(
            f"there is nothing to compare with: {len(summary.unindexed)} cases that have not "
            "changed are not indexed; run `dvdup sync` once, which reads all"
        )
    if not splits:
        raise InputError(
            "there is nothing to compare: no scan is declared, and none was added by hand; correct "
            "the dataset in dvdup.toml, or add some with `dvdup add`"
        )
    _demand_two_splits(workspace.config, splits)


def _demand_two_splits(config: Config, splits: Collection[str]) -> None:
    """A check that has nothing to compare must not pass for a clean one.

    Raises:
        InputError: There is one split only, and duplicates inside it are not asked for.
    """
    if len(splits) == 1 and not config.report.within:
        raise InputError(
            f"only one split, {next(iter(splits))}: there is nothing to compare it with; declare "
            "another one, or add --within, which looks for duplicates inside it"
        )


def _expected(
    workspace: Workspace,
    minutes: float | None,
    command: str,
    say: Say,
    new: int,
    declared: Sequence[Case],
) -> Work:
    """What a check has to do; what names alone tell is told before a scan is read.

    Raises:
        InputError: It would take longer than it may, or there is nothing to compare.
    """
    config = workspace.config
    _demand_two_splits(config, {case.split for case in declared})  # before all of it is read
    notes = (lacking_subject(config.dataset, declared), early_note(declared)) if new else ()
    for note in filter(None, notes):
        say(note)
    work = _work(config, new, declared)
    if minutes is not None and work.seconds(1) > 60 * minutes:
        jobs = workspace.runner.cores()
        if work.seconds(jobs) > 60 * minutes:
            raise InputError(
                f"{description(work, jobs)}. That is more than {minutes:g} minutes: "
                f"run `{command} check` once by hand"
            )
    return work


def _work(config: Config, new: int, declared: Sequence[Case]) -> Work:
    """What a check has to do: of two splits the later one asks, each case for its candidates."""
    counts = Counter(case.split for case in declared)
    later = sum(rank * counts[name] for rank, name in enumerate(sorted(counts, key=split_order)))
    asking = later + (len(declared) if config.report.within else 0)
    candidates = config.verify.candidates
    return Work(
        read=new,
        searched=new if candidates else 0,
        pairs=round(candidates * asking * new / max(1, len(declared))),
        pictures=share_of_pictures(declared),
    )


def _warn_if_stale(entries: Sequence[Entry], index: Index, say: Say) -> None:
    """Tell of accepted pairs of scans that are not there any more."""
    stale = accepted.missing(entries, accepted.holders(index.cases))
    if stale:
        (entry, sides) = next(iter(stale.items()))
        n = "1 accepted pair is" if len(stale) == 1 else f"{len(stale)} accepted pairs are"
        why = f"{sides[0].label} {_why_stale(sides[0], index)}"
        say(
            f"note: {n} stale, such as {entry.labels}: {why}; "
            "`dvdup accept --list` shows them, `--remove` takes one out"
        )


def _why_stale(side: Side, index: Index) -> str:
    if all(case.key != (side.split, side.case) for case in index.cases):
        return "is not in the index any more"
    if side.voxels.startswith(accepted.BYTES):
        return "was accepted before its voxels were here, accept the pair again"
    return "has other voxels than when it was accepted"
