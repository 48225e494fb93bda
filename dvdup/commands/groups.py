"""Groups of cases that belong into one split, and the smallest change that puts each into one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dvdup import splits
from dvdup.commands import labels
from dvdup.commands.check import check
from dvdup.compare.refs import split_order
from dvdup.config import ReportConfig
from dvdup.errors import EXIT_FAILED, ConfigError, InputError
from dvdup.records import (
    GroupedCase,
    Hooks,
    IndexedCase,
    Key,
    Pair,
    Proposal,
    Report,
    SplitWish,
    Unreadable,
)
from dvdup.report import groups as groups_text
from dvdup.report import resplit as resplit_text
from dvdup.splits import TRAINERS, DatasetFiles
from dvdup.workspace import Workspace

SUBJECT = "same-subject:declared"
"""Name of declared subjects in `report.fail_on`."""
NONE = "none"
"""What `--keep` takes for no split at all."""


@dataclass(frozen=True, slots=True)
class Found:
    """The groups of a dataset."""

    cases: tuple[GroupedCase, ...]
    """Sorted by (split, case_id)."""
    fail_on: tuple[str, ...]
    """Which findings join cases, spelled out."""
    unchecked: tuple[Unreadable, ...]
    """What could not be compared, so that groups may lack members."""

    @property
    def shared(self) -> int:
        """How many groups have two cases or more."""
        return sum(len(members) > 1 for members in splits.groups_of(self.cases).values())

    def exit_code(self, config: ReportConfig) -> int:
        """0, or 2 if something could not be compared."""
        return EXIT_FAILED if self.unchecked and not config.allow_unreadable else 0


@dataclass(frozen=True, slots=True)
class Asked:
    """What a proposal is asked to heed, as a user says it."""

    keep: tuple[str, ...] = ()
    """Splits; empty: test, or what there is of that kind."""
    how: str = "move"
    sizes: bool = False
    balance: str | None = None
    """A column of classes."""
    labels: Path | None = None
    """A CSV with the columns `case` and `balance`; None: the table that declares the dataset."""


def groups(workspace: Workspace, *, hooks: Hooks | None = None) -> Found:
    """Sync, compare every split with every split and with itself, and group the cases.

    Cases are joined by findings that `report.fail_on` names and nobody has accepted, and by the
    subjects that the dataset declares, where `fail_on` names these.

    Raises:
        DvdupError: As `check`.
    """
    hooks = hooks or Hooks()
    config = workspace.config
    within = dataclasses.replace(config, report=dataclasses.replace(config.report, within=True))
    report = check(dataclasses.replace(workspace, config=within), hooks=hooks)
    cases = workspace.open_index().cases
    pairs = _pairs(report, cases, config.report)
    return Found(splits.grouped(cases, pairs), config.report.fail_on, report.unreadable)


def _pairs(report: Report, cases: Sequence[IndexedCase], config: ReportConfig) -> Iterator[Pair]:
    for pair in report.pairs:
        if not pair.accepted and config.fails(pair.verdict, pair.basis):
            yield pair.a.key, pair.b.key
    if SUBJECT in config.fail_on:
        accepted = [frozenset((p.a.key, p.b.key)) for p in report.pairs if p.accepted]
        yield from splits.pairs_of_subjects(cases, accepted)


def resplit(workspace: Workspace, found: Found, asked: Asked) -> Proposal:
    """Propose the smallest change after which no group lies in two splits.

    Args:
        workspace: Where.
        found: The groups.
        asked: What to heed.

    Raises:
        InputError: There is no such split, column or table, or a group lies in two splits that are
            both to be kept.
    """
    names = tuple(sorted({case.split for case in found.cases}, key=split_order))
    wish = SplitWish(
        splits=names,
        keep=_kept(asked.keep, names),
        move=asked.how == "move",
        sizes=asked.sizes,
        labels=_classes(workspace, found.cases, asked) if asked.balance is not None else None,
        column=asked.balance,
    )
    proposal = splits.propose(found.cases, wish)
    parted = splits.parted(proposal)
    assert not parted, f"groups {', '.join(parted)} would still lie in two splits"
    return proposal


def _kept(asked: Sequence[str], names: Sequence[str]) -> frozenset[str]:
    """The splits to keep: those asked for, else test, else the last of several."""
    unknown = sorted({*asked} - {*names, NONE})
    if unknown:
        raise InputError(f"--keep: no split {unknown[0]!r}; there are {', '.join(names)}")
    if asked:
        return frozenset(name for name in asked if name in names)
    last = names[-1:] if len(names) > 1 else ()
    return frozenset(["test"] if "test" in names else last)


def _classes(workspace: Workspace, cases: Sequence[GroupedCase], asked: Asked) -> dict[Key, str]:
    """The class of every case.

    Raises:
        InputError: The column or the table is not there, or a case has no class.
    """
    column = asked.balance or ""
    found = labels.labels_of(workspace, cases, column, asked.labels)
    lacking = [case for case in cases if not found.get(case.key)]
    if lacking:
        raise InputError(
            f"{len(lacking)} cases have no {column}, such as {lacking[0].label}; fill it in"
        )
    return found


def demand_format(name: str, *, resplit: bool) -> None:
    """Refuse a format that there is not.

    Raises:
        ConfigError: The name is none of `formats`.
    """
    known = formats(resplit=resplit)
    if name not in known:
        more = "" if resplit else "; with --resplit there are more"
        raise ConfigError(f"unknown format {name!r}: choose one of {', '.join(known)}{more}")


def formats(*, resplit: bool) -> tuple[str, ...]:
    """Names of formats, the default first."""
    return ("table", "list", "json", *TRAINERS) if resplit else ("csv", "json")


def render_groups(found: Found, format_: str) -> str:
    """The groups as text."""
    if format_ == "json":
        return groups_text.to_json(found.cases, found.fail_on)
    return groups_text.to_csv(found.cases)


def render_proposal(
    workspace: Workspace, found: Found, proposal: Proposal, format_: str, folds: int
) -> str:
    """A proposal as text, or as the file of a trainer.

    Raises:
        InputError: The splits cannot be written so.
    """
    if format_ in TRAINERS:
        files = _files(workspace, found.cases, folds)
        return splits.trainer_file(format_, proposal, files)
    if format_ == "json":
        return resplit_text.to_json(proposal, found.fail_on)
    return resplit_text.to_csv(proposal) if format_ == "list" else resplit_text.to_text(proposal)


def _files(workspace: Workspace, cases: Sequence[GroupedCase], folds: int) -> DatasetFiles:
    table, listed = labels.declaring(workspace)
    files = DatasetFiles(workspace.config.dataset.path, listed, folds=folds)
    if table is None:
        return files
    return dataclasses.replace(
        files,
        header=table.header,
        split_column=table.split_column,
        delimiter=table.delimiter,
        rows=labels.rows_of(table, cases),
    )
