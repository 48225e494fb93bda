"""Refs to reports: match the voting cases, decide, and put one result object together."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Protocol

from dvdup import match, verdicts
from dvdup.config import Config, ReportConfig
from dvdup.match import MatchSettings
from dvdup.pipeline import calibrated, evidence, renamed, results
from dvdup.pipeline.looks import Led, Looking
from dvdup.pipeline.missed import Missed
from dvdup.pipeline.pairs import PairCache, pair_cache
from dvdup.pipeline.refs import Ref, all_refs, find_ref
from dvdup.pipeline.stale import stale_cases
from dvdup.pipeline.sync import as_unreadable
from dvdup.pipeline.workspace import Workspace, n_jobs
from dvdup.records import (
    Finding,
    IndexedCase,
    PairScore,
    Progress,
    Report,
    Unreadable,
    Verified,
    no_progress,
)
from dvdup.sealed import SealedFiles
from dvdup.store import Index, IndexMeta
from dvdup.verdicts import Thresholds
from dvdup.verify import Limits

Say = Callable[[str], None]
ShouldStop = Callable[[], bool]


def diff(
    workspace: Workspace,
    ref_a: str,
    ref_b: str,
    *,
    progress: Progress = no_progress,
    should_stop: ShouldStop = lambda: False,
    say: Say = lambda line: None,
) -> Report:
    """Compare two refs of the index as it is; what is not as it was indexed is in the report.

    Raises:
        Interrupted: `should_stop` said so; pairs whose voxels were compared are remembered.
        InputError: There is no such split, tag or version.
        StoreError: There is no index, it is damaged, or it was made with other settings.
    """
    index = workspace.open_index()
    refs = [find_ref(index, ref_a), find_ref(index, ref_b)]
    warn_if_outgrown(workspace.config, index, say)
    remark = renamed.remark(*refs)
    if remark is not None:
        say(remark)
    stale = stale_cases(workspace, index, refs)
    report = compare_refs(workspace, index, refs, [(0, 1)], progress, should_stop, say)
    return with_stale(report, stale)


def warn_if_outgrown(config: Config, index: Index, say: Say) -> None:
    """Say that a calibration was made for a smaller index."""
    remark = calibrated.remark(config, index)
    if remark is not None:
        say(remark)


def tell_damaged(sealed: SealedFiles, say: Say) -> None:
    """Say once what was found damaged, or edited by somebody, and made anew."""
    names = sorted(sealed.damaged)
    sealed.damaged.clear()
    if names:
        what = names[0] if len(names) == 1 else f"{len(names)} files such as {names[0]}"
        say(f"note: {what} beside the index were damaged or edited; what they held is made anew")


def compare_all(
    workspace: Workspace,
    index: Index,
    *,
    within: bool,
    progress: Progress = no_progress,
    should_stop: ShouldStop = lambda: False,
    say: Say = lambda line: None,
) -> Report:
    """Compare every pair of splits; with `within` also every split with itself.

    Raises:
        Interrupted: `should_stop` said so; pairs whose voxels were compared are remembered.
    """
    refs = all_refs(index)
    pairs = list(combinations(range(len(refs)), 2))
    if within:
        pairs += [(i, i) for i in range(len(refs))]
    return compare_refs(workspace, index, refs, pairs, progress, should_stop, say)


def compare_refs(
    workspace: Workspace,
    index: Index,
    refs: Sequence[Ref],
    pairs: Sequence[tuple[int, int]],
    progress: Progress,
    should_stop: ShouldStop = lambda: False,
    say: Say = lambda line: None,
) -> Report:
    """Compare some pairs of refs, or read the stored result; `fail_on` is filled in afterwards."""
    rules = rules_of(workspace.config, index.meta)
    key = results.key_of(refs, pairs, index.meta, rules.describe())

    def make() -> tuple[Report, bool]:
        missed = Missed()
        with pair_cache(workspace.sealed, results.salt_of(index.meta, rules.describe())) as cache:
            looking = Looking(workspace, index.meta, progress, should_stop, missed)
            look = Look(workspace, rules, cache, looking, progress, should_stop)
            if rules.candidates and not looking.possible:
                name = index.meta.embedder.name
                say(f"note: {name} is too slow to look again for turned and cropped copies")
            found = _find_all(refs, pairs, look)
        if missed.remark is not None:
            say(missed.remark)
        return assemble(refs, found, index.meta, rules, missed.unreadable), missed.nothing

    report = results.stored_or_made(workspace.sealed, key, make)
    tell_damaged(workspace.sealed, say)
    return with_fail_on(report, workspace.config.report)


def _find_all(
    refs: Sequence[Ref], pairs: Sequence[tuple[int, int]], look: Look
) -> tuple[Finding, ...]:
    """The findings of all pairs of refs, each once."""
    found: dict[tuple[object, ...], Finding] = {}
    for done, (i, j) in enumerate(pairs):
        look.progress("comparing", done, len(pairs))
        for finding in find_leaks(refs[i], refs[j], look):
            found.setdefault(_identity(finding), finding)
    look.progress("comparing", len(pairs), len(pairs))
    return tuple(found.values())


def _identity(finding: Finding) -> tuple[object, ...]:
    """Equal for a pair and its mirror image, which `train@v1 train` would report both."""
    sides = sorted([(finding.a.label, finding.a.paths), (finding.b.label, finding.b.paths)])
    return (*sides, finding.verdict, finding.fingerprint)


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything a verdict depends on besides the scans."""

    limits: Thresholds
    """Of the scores."""
    candidates: int
    """Look-alikes of a case whose voxels are compared with it; 0: none."""
    voxels: Limits = field(default_factory=Limits)
    """Of the voxel evidence."""

    def describe(self) -> dict[str, Any]:
        """For the settings of a report."""
        voxels = {"candidates": self.candidates, **self.voxels.describe()}
        return {**self.limits.describe(), "voxels": voxels if self.candidates else None}

    @property
    def match(self) -> MatchSettings:
        """How pairs are scored."""
        return MatchSettings(
            margin=self.limits.margin,
            floor=self.limits.floor,
            keep_nearest=max(5, self.candidates),
        )


def rules_of(config: Config, meta: IndexMeta) -> Rules:
    """The rules for an index.

    Raises:
        ConfigError: A calibration is configured that was made with other settings.
    """
    return Rules(
        verdicts.thresholds_for(meta.embedder.name),
        config.verify.candidates,
        calibrated.limits_of(config, meta),
    )


class Held(evidence.Holder, Protocol):
    """One side of a comparison."""

    @property
    def cases(self) -> Sequence[IndexedCase]:
        """All its cases."""

    @property
    def copies(self) -> Mapping[evidence.Key, Sequence[evidence.Key]]:
        """For each case that votes, the keys of all cases of its content."""


@dataclass(frozen=True, slots=True)
class Look:
    """How pairs of cases are looked at."""

    workspace: Workspace
    """Where the files are, and how many processes may compare them."""
    rules: Rules
    cache: PairCache
    looking: Looking
    progress: Progress = no_progress
    should_stop: ShouldStop = lambda: False


def find_leaks(a: Ref, b: Ref, look: Look) -> tuple[Finding, ...]:
    """Every pair of cases of two refs that is a finding.

    Args:
        a: First ref.
        b: Second ref; the first one again looks for duplicates inside it.
        look: What makes a finding, and how to look.
    """
    same = a.info.ref == b.info.ref
    b = a if same else b
    side = a.side()
    scores = match.match(side, side if same else b.side(), look.rules.match)
    again = _look_again(scores, (a, b), look)
    verified = verify_candidates(scores, again, (a, b), look, within=same)
    found = decide(scores, verified, (a, b), look.rules.limits, within=same)
    return renamed.without_renamed(found, a, b)


def decide(
    scores: Sequence[PairScore],
    verified: Mapping[evidence.Pair, Verified],
    sides: tuple[Held, Held],
    limits: Thresholds,
    *,
    within: bool = False,
) -> tuple[Finding, ...]:
    """The findings among all cases of two sides, from what is known about those that vote.

    Args:
        scores: Of the pairs that `match` kept.
        verified: What the voxels of some of them say.
        sides: The side that is asked, and the side that asks.
        limits: What makes a copy by slices.
        within: Whether both sides are one.
    """
    known = list(_for_copies(scores, verified, sides, within))
    return verdicts.find(
        sides[0].cases,
        sides[1].cases,
        [score for _, score, _ in known if score is not None],
        limits,
        {pair: seen for pair, _, seen in known if seen is not None},
    )


def verify_candidates(
    scores: Sequence[PairScore],
    again: Mapping[evidence.Pair, Led],
    sides: tuple[Held, Held],
    look: Look,
    *,
    within: bool = False,
) -> dict[evidence.Pair, Verified]:
    """Compare the voxels of candidate pairs, and of more of them for cases that have a copy.

    Args:
        scores: Of the pairs that `match` kept.
        again: What other looks found.
        sides: The side that is asked, and the side that asks.
        look: What makes a finding, and how to look.
        within: Whether both sides are one.
    """
    cases = sides[0].cases, sides[1].cases
    most = look.rules.candidates
    todo = evidence.candidates(scores, most, cases, again)
    verified: dict[evidence.Pair, Verified] = {}
    while todo:
        found = evidence.verify_pairs(
            todo,
            evidence.Sides(look.workspace.root, *sides, look.rules.voxels),
            n_jobs(look.workspace.config),
            cache=look.cache,
            missed=look.looking.missed,
            progress=look.progress,
            should_stop=look.should_stop,
        )
        verified |= found
        copies = [pair for pair, seen in found.items() if seen.verdict is not None]
        todo = evidence.more_copies(copies, scores, most, cases, again, verified, within=within)
    return verified


def _look_again(
    scores: Sequence[PairScore], refs: tuple[Ref, Ref], look: Look
) -> dict[evidence.Pair, Led]:
    """Find candidates in other looks, for cases of the second ref that have found nobody yet."""
    if look.rules.candidates == 0:
        return {}
    others, mine = refs
    same = mine.info.ref == others.info.ref
    asking = unsettled(mine.voting, scores, look.rules.limits, either=same)
    if not same:
        there = {digest for case in others.cases for digest in case.voxel_hashes}
        asking = [case for case in asking if not there & set(case.voxel_hashes)]
    found: dict[evidence.Pair, Led] = {}
    led = look.looking.leads(asking, others.voting, others.side())
    for (case, other), each in sorted(led.items()):
        pair = (min(case, other), max(case, other)) if same else (other, case)
        found[pair] = max(each, found.get(pair, each), key=lambda one: one.lead)
    return found


def unsettled(
    cases: Sequence[IndexedCase],
    scores: Sequence[PairScore],
    limits: Thresholds,
    *,
    either: bool = False,
) -> list[IndexedCase]:
    """The cases of the second side for which the slices alone have found nobody.

    Args:
        cases: Voting cases of the second side.
        scores: Of pairs (a, b).
        limits: What makes a copy by slices.
        either: Whether both sides are one.
    """
    settled = {
        key
        for score in scores
        if verdicts.near_by_slices(score, limits)
        for key in ((score.a, score.b) if either else (score.b,))
    }
    return [case for case in cases if case.key not in settled]


def _for_copies(
    scores: Sequence[PairScore],
    verified: Mapping[evidence.Pair, Verified],
    sides: tuple[Held, Held],
    same: bool,
) -> Iterator[tuple[evidence.Pair, PairScore | None, Verified | None]]:
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
                    yield (other, one), here and here.flipped(), seen and evidence.flipped(seen)
                else:
                    yield pair, here, seen


def assemble(
    refs: Sequence[Ref],
    findings: Sequence[Finding],
    meta: IndexMeta,
    rules: Rules,
    unreadable: Sequence[Unreadable] = (),
) -> Report:
    """Put the result object together; `fail_on` is left empty.

    Args:
        refs: What was compared.
        findings: In any order.
        meta: Of the index.
        rules: What made a finding.
        unreadable: Cases that are readable by the index, and were not when they were wanted.
    """
    ordered = tuple(sorted(findings, key=verdicts.order))
    settings = {
        "embedder": meta.embedder.name,
        "weights": meta.embedder.weights_hash,
        "recipe": meta.recipe_hash,
        "thresholds": rules.describe(),
        "fail_on": [],
    }
    return Report(
        settings=settings,
        refs=tuple(ref.info for ref in refs),
        pairs=ordered,
        groups=verdicts.groups(ordered),
        unreadable=_unreadable(refs, unreadable),
        n_pairs=0,
    )


def _unreadable(refs: Sequence[Ref], more: Sequence[Unreadable]) -> tuple[Unreadable, ...]:
    found = {(case.split, case.case, case.paths): case for case in more}
    for ref in refs:
        for case in ref.cases:
            if case.status != "ok":
                found[(*case.key, case.paths)] = as_unreadable(case)
    return tuple(found[name] for name in sorted(found))


def with_stale(report: Report, stale: Sequence[Unreadable]) -> Report:
    """Add what is not as it was indexed, which no stored result may hide."""
    found = {(case.split, case.case, case.paths): case for case in (*report.unreadable, *stale)}
    return dataclasses.replace(report, unreadable=tuple(found[name] for name in sorted(found)))


def with_fail_on(report: Report, config: ReportConfig) -> Report:
    """Write into the settings what makes the exit code 1."""
    return dataclasses.replace(
        report, settings={**report.settings, "fail_on": list(config.fail_on)}
    )


def exit_code(report: Report, config: ReportConfig) -> int:
    """0 clean; 1 findings that `fail_on` names; 2 something could not be checked.

    What is not as it was indexed counts as not checked even where unreadable cases are allowed.
    """
    failing = [
        pair
        for pair in report.pairs
        if not pair.accepted and config.fails(pair.verdict, pair.basis)
    ]
    if failing:
        return 1
    unchecked = [
        case for case in report.unreadable if case.kind == "stale" or not config.allow_unreadable
    ]
    return 2 if unchecked else 0
