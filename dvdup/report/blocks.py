"""Findings as people read them: one block a pair, and one block for all copies of one scan.

Comes in: a `Report`. Goes out: `Block` records in report order, accepted pairs left out. Three
copies in train and two in test are six pairs; people see one block with five cases. JSON and CSV
keep every pair.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass

from dvdup.records import EVERY_SPLIT, VERDICTS, Directed, Finding, Member, RefInfo, Report, Verdict
from dvdup.report.headline import ref_name
from dvdup.report.names import case_label, counted, files_text, percent
from dvdup.report.sentences import review, terms
from dvdup.report.totals import distinct_refs, two_by_hand
from dvdup.text import visible


@dataclass(frozen=True, slots=True)
class Entry:
    """One case as shown: its name and its main file."""

    name: str
    files: str


@dataclass(frozen=True, slots=True)
class Block:
    """One thing to look at: the cases on the left are (in) the cases on the right."""

    verdict: Verdict
    """The strongest verdict among its pairs."""
    left: tuple[Entry, ...]
    right: tuple[Entry, ...]
    why: tuple[str, ...]
    """Short lines: how many pairs, the reason."""
    scores: str
    """The scores of the strongest pair on one line; "" where it has none."""


@dataclass(frozen=True, slots=True)
class Columns:
    """How the two case columns are named."""

    left: str
    right: str
    labels: bool
    """Whether cases are shown as `split/case`, because the column title names no split."""


def columns(report: Report) -> Columns:
    """Return the titles of the case columns: the refs where there are two, else general words."""
    refs = distinct_refs(report)
    if two_by_hand(report):
        return Columns("scan", "matches", labels=False)
    every = any(ref.split == EVERY_SPLIT for ref in refs)
    crossing = all(finding.a.split != finding.b.split for finding in report.pairs)
    if len(refs) == 2 and (crossing or _sides_are_refs(report)):
        return Columns(_title(refs[1]), _title(refs[0]), labels=every)
    if len(refs) == 1:
        return Columns(_title(refs[0]), "matches", labels=every)
    return Columns("case", "matches", labels=True)


def _title(ref: RefInfo) -> str:
    return f"{ref_name(ref)} case" if ref.split else ref_name(ref)


def blocks(report: Report) -> tuple[Block, ...]:
    """Return the blocks of a report, each where its first pair stands."""
    labels = columns(report).labels
    group_of = {
        member: group
        for group in report.groups
        if len(group.members) > 2
        for member in group.members
    }
    gathered: dict[str | int, list[Finding]] = {}
    pairs = map(_turned, report.pairs) if two_by_hand(report) else report.pairs
    for i, finding in enumerate(pairs):
        if finding.accepted:
            continue
        group = group_of.get(finding.a.label)
        if group is None or group_of.get(finding.b.label) is not group:
            gathered[i] = [finding]
        else:
            gathered.setdefault(group.id, []).append(finding)
    one_side = _sides_are_refs(report)
    return tuple(_block(findings, labels, one_side) for findings in gathered.values())


def _turned(finding: Finding) -> Finding:
    """Of two scans given by hand the first one stands on the left."""
    scores = (finding.count_score, finding.shared_score, finding.similarity)
    count, shared, similarity = (score and score.flipped() for score in scores)
    return dataclasses.replace(
        finding,
        a=finding.b,
        b=finding.a,
        count_score=count,
        shared_score=shared,
        similarity=similarity,
    )


def _sides_are_refs(report: Report) -> bool:
    refs = distinct_refs(report)
    return len(refs) == 2 and refs[0].split == refs[1].split


def _block(findings: list[Finding], labels: bool, sides_are_refs: bool) -> Block:
    left = {finding.b.label: finding.b for finding in findings}
    right = {finding.a.label: finding.a for finding in findings}
    if not sides_are_refs:
        # A case found in an earlier split and found again in a later one stands on the left only.
        sources = {label: member for label, member in right.items() if label not in left}
        right = sources or right
    strongest = min(findings, key=lambda finding: VERDICTS.index(finding.verdict))
    reason, scores = _reason(strongest), _scores(strongest)
    why: tuple[str, ...] = (reason, *_expired(strongest))
    if len(findings) > 1:
        expired = sorted({each for finding in findings for each in _expired(finding)})
        why = (_composition(findings, len(left | right)), f"strongest: {reason}", *expired)
    return Block(
        strongest.verdict,
        tuple(_entry(left[label], labels) for label in sorted(left)),
        tuple(_entry(right[label], labels) for label in sorted(right)),
        why,
        scores,
    )


def _composition(findings: list[Finding], cases: int) -> str:
    counts = Counter(finding.verdict for finding in findings)
    verdicts = ", ".join(
        f"{counts[verdict]:,} {verdict}" for verdict in VERDICTS if counts[verdict]
    )
    return f"{counted(cases, 'case')} of one group, {counted(len(findings), 'pair')}: {verdicts}"


def _entry(member: Member, labels: bool) -> Entry:
    name = case_label(member.split, member.case) if labels else member.case
    shown, files = visible(name), files_text(member)
    return Entry(shown, "" if files == shown else files)


def _reason(finding: Finding) -> str:
    reason = visible(finding.reason) or visible(finding.basis)
    if finding.confidence < 1:
        reason += f" (confidence {min(finding.confidence, 0.99):.2f})"
    return reason


def _scores(finding: Finding) -> str:
    """The scores of a pair, seen from side b: there / and back."""
    scores = []
    if finding.shared_score is not None:
        scores.append(f"shared {_shares(finding.shared_score)}")
    if finding.count_score is not None:
        scores.append(f"count {_shares(finding.count_score)}")
    if finding.similarity is not None:
        there, back = finding.similarity.b_to_a, finding.similarity.a_to_b
        scores.append(f"similarity {there:.2f} / {back:.2f}")
    return ", ".join(scores)


def _expired(finding: Finding) -> tuple[str, ...]:
    """What is told of a pair that was accepted, and is so no longer."""
    return (review(finding),) if review(finding) and not finding.accepted else ()


@dataclass(frozen=True, slots=True)
class Reviewed:
    """An accepted pair as shown."""

    verdict: Verdict
    left: str
    right: str
    why: str
    """What `dvdup accept` was told."""


def reviewed(report: Report) -> tuple[Reviewed, ...]:
    """Return the accepted pairs, in report order."""
    return tuple(
        Reviewed(
            finding.verdict,
            visible(case_label(finding.b.split, finding.b.case)),
            visible(case_label(finding.a.split, finding.a.case)),
            "" if finding.acceptance is None else terms(finding.acceptance),
        )
        for finding in report.pairs
        if finding.accepted
    )


def _shares(score: Directed) -> str:
    return f"{percent(score.b_to_a)} / {percent(score.a_to_b)}"


LEGEND = "Pairs of scores: the left case in the right one / the right in the left."
"""Explains `Block.scores`; shown once where a score is shown."""


def shows_scores(report: Report) -> bool:
    """Return whether any block carries a score, so that `LEGEND` is worth its line."""
    return any(
        not finding.accepted
        and not (finding.shared_score is finding.count_score is finding.similarity is None)
        for finding in report.pairs
    )
