"""Refs to reports: match the voting cases, decide, and put one result object together."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from dvdup import match, verdicts
from dvdup.config import Config, ReportConfig
from dvdup.match import MatchSettings
from dvdup.pipeline import calibrated, evidence, renamed, results
from dvdup.pipeline.cache import Cache, open_cache
from dvdup.pipeline.candidates import Candidates, open_candidates, verify_candidates
from dvdup.pipeline.evidence import CaseSet, Pair
from dvdup.pipeline.missed import Missed
from dvdup.pipeline.refs import Ref, all_refs, find_ref, split_order
from dvdup.pipeline.stale import stale_cases
from dvdup.pipeline.sync import as_unreadable
from dvdup.pipeline.workspace import Workspace, n_jobs
from dvdup.records import (
    Finding,
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
        salt = results.salt_of(index.meta, rules.describe(), evidence.CODE)
        with (
            open_cache(workspace.sealed, salt) as cache,
            open_run(workspace, rules, cache, progress, should_stop) as run,
        ):
            found = _find_all(refs, pairs, run)
        missed = run.missed
        if missed.remark is not None:
            say(missed.remark)
        return assemble(refs, found, index.meta, rules, missed.unreadable), missed.nothing

    report = results.stored_or_made(workspace.sealed, key, make)
    tell_damaged(workspace.sealed, say)
    return with_fail_on(report, workspace.config.report)


def _find_all(
    refs: Sequence[Ref], pairs: Sequence[tuple[int, int]], run: Run
) -> tuple[Finding, ...]:
    """The findings of all pairs of refs, each once."""
    found: dict[tuple[object, ...], Finding] = {}
    for done, (i, j) in enumerate(pairs):
        run.progress("comparing", done, len(pairs))
        for finding in find_leaks(refs[i], refs[j], run):
            found.setdefault(_identity(finding), finding)
    run.progress("comparing", len(pairs), len(pairs))
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
    """Candidates of a case that are no copies, after which no more are compared; 0: none at all."""
    voxels: Limits = field(default_factory=Limits)
    """Of the voxel evidence."""

    def describe(self) -> dict[str, Any]:
        """For the settings of a report."""
        voxels = {"candidates": self.candidates, **self.voxels.describe()}
        return {**self.limits.describe(), "voxels": voxels if self.candidates else None}

    @property
    def match(self) -> MatchSettings:
        """How pairs are scored."""
        return MatchSettings(margin=self.limits.margin, floor=self.limits.floor)


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


@dataclass(frozen=True, slots=True)
class Run:
    """How the cases of one command are compared."""

    workspace: Workspace
    """Where the files are, and how many processes may compare them."""
    rules: Rules
    cache: Cache
    candidates: Candidates
    missed: Missed
    """Is told which files could not be had."""
    progress: Progress = no_progress
    should_stop: ShouldStop = lambda: False

    def verify(self, pairs: Sequence[Pair], sides: tuple[CaseSet, CaseSet]) -> dict[Pair, Verified]:
        """Compare the voxels of some pairs of two sides."""
        return evidence.verify_pairs(
            pairs,
            evidence.Sides(self.workspace.root, *sides, self.rules.voxels),
            n_jobs(self.workspace.config),
            cache=self.cache,
            missed=self.missed,
            progress=self.progress,
            should_stop=self.should_stop,
        )


@contextmanager
def open_run(
    workspace: Workspace,
    rules: Rules,
    cache: Cache,
    progress: Progress = no_progress,
    should_stop: ShouldStop = lambda: False,
) -> Iterator[Run]:
    """Open all that a comparison needs.

    Args:
        workspace: Where.
        rules: What makes a finding.
        cache: What is remembered.
        progress: Called as work is done.
        should_stop: Whether the user wants to stop.
    """
    missed = Missed()
    with open_candidates(
        workspace, cache, rules.candidates, missed, progress, should_stop
    ) as candidates:
        yield Run(workspace, rules, cache, candidates, missed, progress, should_stop)


def find_leaks(a: Ref, b: Ref, run: Run) -> tuple[Finding, ...]:
    """Every pair of cases of two refs that is a finding.

    Args:
        a: First ref.
        b: Second ref; the first one again looks for duplicates inside it.
        run: What makes a finding, and how to compare.
    """
    name = (a.info.ref, b.info.ref)
    if a.info.ref == b.info.ref:
        return compare_sides(a, a, run, name=name)
    # test asks train, whichever is named first
    asks_first = split_order(a.info.split) > split_order(b.info.split)
    found = compare_sides(a, b, run, asks_first=asks_first, name=name)
    return renamed.without_renamed(found, a, b)


def compare_sides(
    a: CaseSet,
    b: CaseSet,
    run: Run,
    *,
    asks_first: bool = False,
    name: tuple[str, str] | None = None,
    without: Collection[Pair] = frozenset(),
) -> tuple[Finding, ...]:
    """Every pair of cases of two sides that is a finding: the one way in which pairs are judged.

    Args:
        a: First side.
        b: Second side, whose cases ask; the same object compares a side with itself.
        run: What makes a finding, and how to compare.
        asks_first: Whether the cases of a ask instead.
        name: What the sides are called, where what is found is to be kept.
        without: Pairs that are one scan under two names; they are no finding.
    """
    verified: dict[Pair, Verified] = {}
    if run.rules.candidates:
        verified = verify_candidates(
            run.candidates,
            (a, b),
            lambda pairs: run.verify(pairs, (a, b)),
            asks_first=asks_first,
            name=name,
            without=without,
        )
        pairs = _reported(a, b, verified) - set(without)
        scores = match.score_pairs(pairs, a.side(), b.side(), run.rules.match)
    else:
        side = a.side()
        scores = match.match(side, side if a is b else b.side(), run.rules.match)
    found = decide(scores, verified, (a, b), run.rules.limits, within=a is b)
    return tuple(each for each in found if (each.a.key, each.b.key) not in without)


def _reported(a: CaseSet, b: CaseSet, verified: Mapping[Pair, Verified]) -> set[Pair]:
    """The pairs of voting cases whose scores may be wanted: findings, and what is undecided."""
    found = {
        pair for pair, seen in verified.items() if seen.verdict is not None or not seen.decided
    }
    return found | verdicts.sharing_hashes(a.voting, b.voting)


def decide(
    scores: Sequence[PairScore],
    verified: Mapping[Pair, Verified],
    sides: tuple[CaseSet, CaseSet],
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


def _for_copies(
    scores: Sequence[PairScore],
    verified: Mapping[Pair, Verified],
    sides: tuple[CaseSet, CaseSet],
    same: bool,
) -> Iterator[tuple[Pair, PairScore | None, Verified | None]]:
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
