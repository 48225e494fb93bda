"""What a report adds up to: the totals of the JSON contract, and who was compared with whom.

Comes in: a `Report`. Goes out: `Totals` and `Comparison` records that every format reads, so that
no two formats count differently.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

from dvdup.records import COPIES, EVERY_SPLIT, VERDICTS, Finding, RefInfo, Report, Verdict


@dataclass(frozen=True, slots=True)
class Totals:
    """The counts of a report. Accepted pairs count in `accepted` and nowhere else."""

    cases: dict[str, int]
    """Cases by split; by ref if two refs name one split (`train@v1`) or a ref has none (a file)."""
    verdicts: dict[Verdict, int]
    """Pairs by verdict, strongest first, zeros included."""
    accepted: int
    unreadable: int

    @property
    def pairs(self) -> int:
        """Reported pairs that nobody has accepted."""
        return sum(self.verdicts.values())

    @property
    def copies(self) -> int:
        """Pairs whose verdict is one of `COPIES`."""
        return sum(self.verdicts[verdict] for verdict in COPIES)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two refs that were compared, or one with itself, and what was found between them."""

    first: RefInfo
    second: RefInfo
    """The side asked about: its cases are the ones that are "already in" the first."""
    within: bool
    copied: int
    """Cases of the second ref with a copy in the first, each once however many copies it has.
    Within one ref: cases that have a copy, on either side."""
    same_subject: int
    """Cases counted the same way that have no copy, only a pair of the same subject."""


def totals(report: Report) -> Totals:
    """Add up a report as DESIGN 6 asks."""
    verdicts: dict[Verdict, int] = dict.fromkeys(VERDICTS, 0)
    for finding in report.pairs:
        if not finding.accepted:
            verdicts[finding.verdict] += 1
    return Totals(
        cases={_cases_key(ref, report.refs): ref.cases for ref in report.refs},
        verdicts=verdicts,
        accepted=sum(finding.accepted for finding in report.pairs),
        unreadable=len(report.unreadable),
    )


def _cases_key(ref: RefInfo, refs: Iterable[RefInfo]) -> str:
    same_split = {other.ref for other in refs if other.split == ref.split}
    return ref.split if ref.split and len(same_split) == 1 else ref.ref


def distinct_refs(report: Report) -> tuple[RefInfo, ...]:
    """Return the refs without repetition: `diff train train` names one ref twice."""
    return tuple({ref.ref: ref for ref in report.refs}.values())


def two_by_hand(report: Report) -> bool:
    """Return whether two files given by hand were compared, as `dvdup compare` does."""
    return sum(not ref.split for ref in distinct_refs(report)) > 1


def comparisons(report: Report) -> tuple[Comparison, ...]:
    """Return every pair of refs in the order of the refs, then the refs looked at within.

    Pairs of refs are listed whether or not anything was found between them; beside a ref without
    a split (a file given by hand) only the pairs that hold one. A ref beside others is listed
    within itself if that was asked for, or has a finding.
    """
    refs = distinct_refs(report)
    findings: dict[tuple[int, int], list[Finding]] = {}
    for finding in report.pairs:
        if not finding.accepted:
            findings.setdefault(_between(finding, refs), []).append(finding)
    by_hand = [not ref.split for ref in refs]
    asked = [
        (i, j)
        for i, j in combinations(range(len(refs)), 2)
        if by_hand[i] or by_hand[j] or not any(by_hand)
    ] or [(i, i) for i in range(len(refs))]
    inside = bool(report.settings.get("within"))
    within = [(i, i) for i in range(len(refs)) if inside or (i, i) in findings]
    asked += [pair for pair in within if pair not in asked]
    return tuple(_compared(refs[i], refs[j], findings.get((i, j), [])) for i, j in asked)


def _between(finding: Finding, refs: tuple[RefInfo, ...]) -> tuple[int, int]:
    """Return which two refs a finding lies between, as positions in `refs`, smaller first."""
    if len(refs) == 2 and refs[0].split == refs[1].split:
        return (0, 1)  # `diff train@v1 train`: the splits cannot tell, side a is the first ref
    position = {ref.split: i for i, ref in enumerate(refs)}
    first, second = sorted((position.get(finding.a.split, 0), position.get(finding.b.split, 0)))
    return (first, second)


def _compared(first: RefInfo, second: RefInfo, findings: list[Finding]) -> Comparison:
    within = first.ref == second.ref
    copied: set[tuple[str, str]] = set()
    related: set[tuple[str, str]] = set()
    for finding in findings:
        members = [finding.b, finding.a] if within else [finding.b]
        if not within and second.split not in (finding.b.split, EVERY_SPLIT):
            members = [finding.a]
        target = copied if finding.verdict in COPIES else related
        target.update((member.split, member.case) for member in members)
    return Comparison(first, second, within, len(copied), len(related - copied))
