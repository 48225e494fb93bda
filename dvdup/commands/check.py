"""Sync the index, then compare every pair of splits: the command for pre-commit and CI."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from itertools import combinations

from dvdup import accepted
from dvdup.accepted import Entry
from dvdup.commands.committed import committed as committed_of
from dvdup.compare.calibrated import warn_if_outgrown
from dvdup.compare.engine import compare_refs
from dvdup.compare.findings import with_accepted
from dvdup.compare.refs import all_refs, split_order
from dvdup.compare.walk import prune_variants
from dvdup.config import Config
from dvdup.errors import InputError
from dvdup.forecast import Work, description
from dvdup.readers import share_of_pictures
from dvdup.records import Case, Hooks, Report, Say, SyncSummary
from dvdup.store import Index
from dvdup.sync.update import bring_up_to_date
from dvdup.workspace import LazyEmbedder, Workspace, n_jobs


def _nothing(summary: SyncSummary) -> None:
    """Do nothing."""


def check(
    workspace: Workspace,
    *,
    full: bool = False,
    committed: bool = False,
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
    with workspace.writing(hooks.waiting) as workspace:
        summary, index = bring_up_to_date(
            workspace,
            LazyEmbedder(workspace.config),
            hooks,
            full=full,
            expected=partial(_expected, workspace.config, minutes, command),
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
    if committed:
        refs = committed_of(workspace.root, refs, hooks.say)
    pairs = list(combinations(range(len(refs)), 2))
    if workspace.config.report.within:
        pairs += [(i, i) for i in range(len(refs))]
    report = compare_refs(workspace, index, refs, pairs, hooks)
    if summary.changed:
        prune_variants(workspace, index.cases)
    _warn_if_stale(entries, index, hooks.say)
    return with_accepted(report, entries, index.cases)


def _expected(
    config: Config, minutes: float | None, command: str, new: int, declared: Sequence[Case]
) -> Work:
    """What a check has to do.

    Raises:
        InputError: It would take longer than it may.
    """
    work = _work(config, new, declared)
    if minutes is not None and work.seconds(n_jobs(config)) > 60 * minutes:
        raise InputError(
            f"{description(work, n_jobs(config))}. That is more than {minutes:g} minutes: "
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
        say(
            f"note: {n} stale, such as {entry.labels}: {sides[0].label} is not in the index any "
            "more; `dvdup accept --list` shows them, `--remove` takes one out"
        )


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
