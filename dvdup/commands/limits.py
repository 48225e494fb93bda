"""Reports that speak of some cases alone: those that came after a version, or with a git range.

What is left out is counted in the settings of the report, and every format says so.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence

from dvdup import store
from dvdup.commands.git import GitRange
from dvdup.commands.stale import EVERY
from dvdup.compare import verdicts
from dvdup.compare.findings import with_stale
from dvdup.compare.refs import Ref
from dvdup.compare.versions import newer
from dvdup.records import (
    EVERY_SPLIT,
    IndexedCase,
    Key,
    Member,
    Report,
    SyncSummary,
    Unreadable,
)
from dvdup.store import Index

SETTING = "limited_to"
"""The key of the settings of a report."""


def since_version(report: Report, index: Index, name: str, refs: Sequence[Ref]) -> Report:
    """Leave out the findings between cases that were there at a version.

    Args:
        report: What was found.
        index: The newest version.
        name: A tag or a version number.
        refs: What was compared.

    Raises:
        InputError: There is no such version.
    """
    before = index.at(store.resolve(index, name)).cases
    fresh: dict[int, frozenset[Key]] = {}
    for ref in refs:
        fresh.setdefault(ref.index.version, newer(before, ref.index.cases))
    splits = {ref.info.split for ref in refs}
    keys = frozenset().union(*fresh.values())
    n_cases = sum(split in splits or EVERY_SPLIT in splits for split, _ in keys)
    return _limited(report, lambda side: side.key in keys, "came after", name, n_cases)


def since_commit(
    report: Report, changed: GitRange, summary: SyncSummary, cases: Sequence[IndexedCase]
) -> Report:
    """Leave out the findings between cases that a git range has not changed.

    Args:
        report: What was found.
        changed: The range.
        summary: What the sync has left out; it was not compared, and the report says so.
        cases: All that were compared.
    """
    n_cases = sum(changed.is_new(case.paths) for case in cases)
    report = _limited(
        report, lambda side: changed.is_new(side.paths), "changed since", changed.since, n_cases
    )
    left = Counter(case.split for case in summary.unindexed)
    return with_stale(report, [_not_indexed(split, left[split], changed) for split in left])


def _not_indexed(split: str, number: int, changed: GitRange) -> Unreadable:
    n, verb = ("1 case", "is") if number == 1 else (f"{number:,} cases", "are")
    reason = f"{n} without a change since {changed.since} {verb} not indexed"
    return Unreadable(EVERY, split, (), f"{reason}; `dvdup sync` reads all", "stale")


def _limited(
    report: Report, is_asked: Callable[[Member], bool], how: str, since: str, n_cases: int
) -> Report:
    """Leave out findings of which neither case is asked for.

    Args:
        report: What was found.
        is_asked: Whether a case is.
        how: In words, how these came.
        since: The version or commit.
        n_cases: How many these are.
    """
    pairs = tuple(pair for pair in report.pairs if is_asked(pair.a) or is_asked(pair.b))
    left_out = len(report.pairs) - len(pairs)
    note = {"how": how, "since": since, "cases": n_cases, "left_out": left_out}
    return dataclasses.replace(
        report,
        pairs=pairs,
        groups=verdicts.groups(pair for pair in pairs if not pair.accepted),
        settings={**report.settings, SETTING: [*report.settings.get(SETTING, []), note]},
    )
