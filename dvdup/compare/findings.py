"""What is known about pairs becomes findings, and findings become a report."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from dvdup import accepted
from dvdup.accepted import Entry
from dvdup.compare import verdicts
from dvdup.compare.alike import Alike
from dvdup.compare.cases import CaseSet
from dvdup.compare.refs import Ref
from dvdup.compare.rules import Rules
from dvdup.compare.verdicts import Thresholds
from dvdup.config import ReportConfig
from dvdup.records import (
    CaseNote,
    Finding,
    IndexedCase,
    Pair,
    PairResult,
    PairScore,
    Report,
    Unreadable,
    as_unreadable,
)
from dvdup.report.findings import finding_of
from dvdup.report.names import public_text
from dvdup.store import IndexMeta


def decide(
    scores: Sequence[PairScore],
    verified: Mapping[Pair, PairResult],
    sides: tuple[CaseSet, CaseSet],
    limits: Thresholds,
    *,
    within: bool = False,
    same_bytes: Collection[Pair] = frozenset(),
) -> tuple[Finding, ...]:
    """The findings among all cases of two sides, from what is known about those that vote.

    Args:
        scores: Of the pairs that `match` kept.
        verified: What the voxels of some of them say.
        sides: The side that is asked, and the side that asks.
        limits: What makes a copy by slices.
        within: Whether both sides are one.
        same_bytes: Pairs whose bytes are the same by what pointers record.
    """
    known = list(_for_copies(scores, verified, sides, within))
    found = verdicts.find(
        sides[0].cases,
        sides[1].cases,
        [score for _, score, _ in known if score is not None],
        limits,
        {pair: seen for pair, _, seen in known if seen is not None},
        same_bytes,
    )
    return tuple(map(finding_of, found))


def _for_copies(
    scores: Sequence[PairScore],
    verified: Mapping[Pair, PairResult],
    sides: tuple[CaseSet, CaseSet],
    same: bool,
) -> Iterator[tuple[Pair, PairScore | None, PairResult | None]]:
    """Give what is known about one scan to all its byte-equal contents, on both sides."""
    ours, theirs = (side.copies for side in sides)
    scored = {(score.a, score.b): score for score in scores}
    for first, second in sorted({*scored, *verified}):
        score, seen = scored.get((first, second)), verified.get((first, second))
        for one in ours[first]:
            for other in theirs[second]:
                if one == other:
                    continue
                pair = (one, other)
                here = score and dataclasses.replace(score, a=one, b=other)
                if same and one > other:
                    yield (other, one), here and here.flipped(), seen and seen.flipped()
                else:
                    yield pair, here, seen


def assemble(
    refs: Sequence[Ref],
    findings: Sequence[Finding],
    meta: IndexMeta,
    rules: Rules,
    unreadable: Sequence[Unreadable] = (),
    alike: Mapping[tuple[str, str], Alike] = MappingProxyType({}),
    *,
    approximate: Iterable[tuple[str, str]] = (),
    within: bool = False,
) -> Report:
    """Put the result object together; `fail_on` is left empty.

    Args:
        refs: What was compared.
        findings: In any order.
        meta: Of the index.
        rules: What made a finding.
        unreadable: Cases that are readable by the index, and were not when they were wanted.
        alike: Thresholds of their own, by the names of two sides.
        approximate: The names of two sides whose candidates were searched approximately.
        within: Whether every ref was compared with itself beside the others.
    """
    ordered = tuple(sorted(findings, key=verdicts.order))
    named = sorted(map(list, approximate))
    settings = {
        "embedder": meta.embedder.name,
        "weights": meta.embedder.weights_hash,
        "recipe": meta.recipe_hash,
        "thresholds": rules.describe(),
        **({"look_alikes": _told(alike)} if alike else {}),
        **({"approximate": named} if named else {}),
        **({"within": True} if within else {}),
        "fail_on": [],
    }
    return Report(
        settings=settings,
        refs=tuple(ref.info for ref in refs),
        pairs=ordered,
        groups=verdicts.groups(ordered),
        unreadable=_unreadable(refs, unreadable),
    )


def _told(alike: Mapping[tuple[str, str], Alike]) -> list[dict[str, Any]]:
    return [
        {"refs": list(names), **dataclasses.asdict(each)} for names, each in sorted(alike.items())
    ]


def _unreadable(refs: Sequence[Ref], more: Sequence[Unreadable]) -> tuple[Unreadable, ...]:
    found = {(case.split, case.case, case.paths): case for case in more}
    for ref in refs:
        for case in ref.cases:
            if case.status != "ok":
                found[(*case.key, case.paths)] = as_unreadable(case)
    return tuple(found[name] for name in sorted(found))


def with_notes(report: Report, refs: Sequence[Ref]) -> Report:
    """Add what is odd about the cases that were compared, of every case once.

    Args:
        report: Of these refs.
        refs: What was compared.
    """
    notes = {
        CaseNote(case.case_id, case.split, public_text(note, case.paths))
        for ref in refs
        for case in ref.cases
        for note in case.notes
    }
    ordered = sorted(notes, key=lambda each: (each.split, each.case, each.note))
    return dataclasses.replace(report, notes=tuple(ordered))


def with_stale(report: Report, stale: Sequence[Unreadable]) -> Report:
    """Add what is not as it was indexed, which no stored result may hide."""
    found = {(case.split, case.case, case.paths): case for case in (*report.unreadable, *stale)}
    return dataclasses.replace(report, unreadable=tuple(found[name] for name in sorted(found)))


def with_accepted(report: Report, entries: Sequence[Entry], cases: Iterable[IndexedCase]) -> Report:
    """Write into the findings which of them were reviewed; these join no group.

    Args:
        report: What was found.
        entries: What is accepted.
        cases: All that was compared.
    """
    if not entries:
        return report
    pairs = accepted.accept(report.pairs, entries, accepted.holders(cases), accepted.today())
    groups = verdicts.groups(finding for finding in pairs if not finding.accepted)
    return dataclasses.replace(report, pairs=pairs, groups=groups)


def with_fail_on(report: Report, config: ReportConfig) -> Report:
    """Write into the settings what makes the exit code 1."""
    return dataclasses.replace(
        report, settings={**report.settings, "fail_on": list(config.fail_on)}
    )
