"""Refs to reports: match the voting cases, decide, and put one result object together."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import MappingProxyType

from dvdup import forecast
from dvdup.cache import Cache, open_cache
from dvdup.compare import match, results, verdicts
from dvdup.compare.alike import Alike, own_threshold, without_alike
from dvdup.compare.cases import CaseSet, Sides
from dvdup.compare.findings import assemble, decide, with_fail_on, with_notes
from dvdup.compare.missed import Missed
from dvdup.compare.pair import CODE, demand_same_files, jobs_of, judge_pair, result_of
from dvdup.compare.recorded import same_bytes
from dvdup.compare.refs import Ref, split_order
from dvdup.compare.rules import Rules, rules_of
from dvdup.compare.walk import Candidates, Walk, open_candidates
from dvdup.errors import Interrupted
from dvdup.forecast import Work
from dvdup.plain import from_plain, to_plain
from dvdup.records import Finding, Hooks, IndexedCase, Pair, PairResult, Report
from dvdup.sealed import tell_damaged
from dvdup.store import Index
from dvdup.voxels import is_flat
from dvdup.workers import Runner
from dvdup.workspace import Workspace

_logger = logging.getLogger(__name__)


def compare_refs(
    workspace: Workspace,
    index: Index,
    refs: Sequence[Ref],
    pairs: Sequence[tuple[int, int]],
    hooks: Hooks,
) -> Report:
    """Compare some pairs of refs, or read the stored result; `fail_on` is filled in afterwards.

    Args:
        workspace: Where.
        index: The newest version.
        refs: What is compared.
        pairs: Which of them with which, as positions; a ref with itself finds its duplicates.
        hooks: Progress, messages, the wish to stop.

    Raises:
        Interrupted: The user wishes to stop; pairs whose voxels were compared are remembered.
    """
    rules = rules_of(workspace.config, index.meta)
    limits = {**rules.describe(), "exact_pairs": workspace.config.verify.exact_pairs}
    key = results.key_of(refs, pairs, index.meta, limits)
    report = results.read(workspace.sealed, key)
    _logger.info("%s", "computed anew" if report is None else "read from the stored results")
    if report is None:
        salt = results.salt_of(index.meta, rules.describe(), CODE)
        found: dict[tuple[object, ...], Finding] = {}
        alike: dict[tuple[str, str], Alike] = {}
        approximate: list[tuple[str, str]] = []
        with (
            open_cache(workspace.sealed, salt) as cache,
            open_run(workspace, rules, cache, hooks) as run,
        ):
            _warn_if_long(refs, pairs, run)
            for a, b in _chosen(refs, pairs, hooks):
                # test asks train, whichever is named first
                asks_first = _asks_last(a) > _asks_last(b)
                name = (a.info.ref, b.info.ref)
                compared = compare_sides(a, b, run, asks_first=asks_first, name=name)
                for leak in compared.findings:
                    found.setdefault(_identity(leak), leak)
                if compared.alike is not None:
                    alike[name] = compared.alike
                if compared.approximate:
                    approximate.append(name)
        run.missed.tell(hooks.say)
        findings = tuple(found.values())
        within = any(i == j for i, j in pairs)
        made = assemble(
            refs,
            findings,
            index.meta,
            rules,
            run.missed.unreadable,
            alike,
            approximate=approximate,
            within=within,
        )
        report = results.keep(workspace.sealed, key, made, lasting=run.missed.nothing)
    tell_damaged(workspace.sealed, hooks.say)
    return with_fail_on(with_notes(report, refs), workspace.config.report)


def _warn_if_long(refs: Sequence[Ref], pairs: Sequence[tuple[int, int]], run: Run) -> None:
    """Tell the user before candidates are found for many cases for the first time."""
    if not run.rules.candidates:
        return
    used = {refs[each].info.ref: refs[each] for pair in pairs for each in pair}
    contents = {case.content: case for ref in used.values() for case in ref.voting}
    missing = len(contents) - len(run.candidates.variants.there(list(contents.values())))
    asking = sum(len(max((refs[i], refs[j]), key=_asks_last).voting) for i, j in pairs)
    work = Work(
        searched=missing,
        pairs=round(run.rules.candidates * asking * missing / max(1, len(contents))),
        pictures=sum(is_flat(case.shape) for case in contents.values()) / max(1, len(contents)),
    )
    forecast.warn(run.hooks, work, run.workspace.runner.cores)


def _asks_last(ref: Ref) -> tuple[int, str]:
    return split_order(ref.info.split)


def _chosen(
    refs: Sequence[Ref], pairs: Sequence[tuple[int, int]], hooks: Hooks
) -> Iterator[tuple[Ref, Ref]]:
    """The pairs of refs; one ref under two positions is one object, compared with itself."""
    for done, (i, j) in enumerate(pairs):
        hooks.progress("comparing", done, len(pairs))
        yield refs[i], refs[i] if refs[i].info.ref == refs[j].info.ref else refs[j]
    hooks.progress("comparing", len(pairs), len(pairs))


def _identity(finding: Finding) -> tuple[object, ...]:
    """Equal for a pair and its mirror image, which `train@v1 train` would report both."""
    sides = sorted([(finding.a.label, finding.a.paths), (finding.b.label, finding.b.paths)])
    return (*sides, finding.verdict, finding.fingerprint)


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
    hooks: Hooks


@dataclass(frozen=True, slots=True)
class Compared:
    """What comparing two sides found."""

    findings: tuple[Finding, ...]
    alike: Alike | None = None
    """The threshold of their own that look-alikes have; None where the shipped one serves."""
    approximate: bool = False
    """Whether candidates were searched approximately, as there are so many cases."""


@contextmanager
def open_run(workspace: Workspace, rules: Rules, cache: Cache, hooks: Hooks) -> Iterator[Run]:
    """Open all that a comparison needs.

    Args:
        workspace: Where.
        rules: What makes a finding.
        cache: What is remembered.
        hooks: Progress, and the wish to stop.
    """
    missed = Missed()
    with open_candidates(workspace, cache, rules.candidates, missed, hooks) as candidates:
        yield Run(workspace, rules, cache, candidates, missed, hooks)


def compare_sides(
    a: CaseSet,
    b: CaseSet,
    run: Run,
    *,
    asks_first: bool = False,
    name: tuple[str, str] | None = None,
    without: Collection[Pair] = frozenset(),
    known: Mapping[Pair, PairResult] = MappingProxyType({}),
) -> Compared:
    """Every pair of cases of two sides that is a finding: the one way in which pairs are judged.

    Args:
        a: First side.
        b: Second side, whose cases ask; the same object compares a side with itself.
        run: What makes a finding, and how to compare.
        asks_first: Whether the cases of a ask instead.
        name: What the sides are called, where what is found is to be kept.
        without: Pairs that are one scan under two names; they are no finding.
        known: What else says something about pairs, where no voxels are compared.
    """
    _logger.info("%d cases with %d", len(a.voting), len(b.voting))
    approximate = bool(run.rules.candidates) and run.candidates.are_approximate(a, b)
    if run.rules.candidates:
        walk = Walk(run.candidates, (a, b), asks_first=asks_first, name=name, without=without)
        sides = Sides(run.workspace.root, a, b, run.rules.voxels)
        runner = run.workspace.runner
        while pairs := walk.wanted():
            found = verify_pairs(
                pairs, sides, runner, cache=run.cache, missed=run.missed, hooks=run.hooks
            )
            walk.learn(pairs, found)
        alike = own_threshold(walk.verified, run.rules.voxels)
        verified = without_alike(walk.verified, alike)
        wanted = _reported(a, b, verified) - set(without)
        scores = match.score_pairs(wanted, a.side(), b.side(), run.rules.match)
    else:
        verified, alike, side = {**known}, None, a.side()
        scores = match.match(side, side if a is b else b.side(), run.rules.match)
    same = same_bytes(a, b, run.workspace.root, run.missed)
    findings = decide(scores, verified, (a, b), run.rules.limits, within=a is b, same_bytes=same)
    kept = tuple(each for each in findings if (each.a.key, each.b.key) not in without)
    return Compared(kept, alike, approximate)


def _reported(a: CaseSet, b: CaseSet, verified: Mapping[Pair, PairResult]) -> set[Pair]:
    """The pairs of voting cases whose scores may be wanted: findings, and what is undecided."""
    found = {
        pair for pair, seen in verified.items() if seen.verdict is not None or not seen.decided
    }
    return found | verdicts.sharing_hashes(a.voting, b.voting)


def verify_pairs(
    pairs: Sequence[Pair],
    sides: Sides,
    runner: Runner,
    *,
    cache: Cache,
    missed: Missed,
    hooks: Hooks,
) -> dict[Pair, PairResult]:
    """Compare the voxels of some pairs.

    Args:
        pairs: (case of a, case of b).
        sides: Where they are.
        runner: Where that is done.
        cache: What has been compared before.
        missed: Is told which files could not be had.
        hooks: Progress, and the wish to stop.

    Raises:
        Interrupted: The user wishes to stop; what was compared is in the cache.
        InputError: It was done on a machine that sees other files.
    """
    cases = {(a, b): (sides.a.case(a), sides.b.case(b)) for a, b in pairs}
    known = {pair: kept_pair(cache, *cases[pair]) for pair in pairs}
    found = {pair: seen for pair, seen in known.items() if seen is not None}
    todo = [pair for pair in pairs if pair not in found]
    _logger.info("%d pairs wanted: %d compared before, %d now", len(pairs), len(found), len(todo))
    done = 0
    hooks.expect("comparing voxels", [_weight(*cases[pair]) for pair in todo])
    with runner.comparers(len(todo)) as crew:
        jobs = jobs_of(todo, sides, missed)
        for job, seen in crew.finished(judge_pair, jobs, hooks.should_stop):
            hooks.progress("comparing voxels", done, len(todo))
            if crew.elsewhere:
                demand_same_files(seen, sides.root, *cases[job.pair])
            found[job.pair] = result_of(job.pair, seen.found, sides)
            if seen.with_files:
                keep_pair(cache, *cases[job.pair], found[job.pair])
            else:
                seen.tell(missed, *cases[job.pair])
            done += 1
    if done < len(todo) and hooks.should_stop():
        raise Interrupted(
            f"stopped after {done} of {len(todo)} pairs, which are kept; run it again to go on"
        )
    if todo:
        hooks.progress("comparing voxels", len(todo), len(todo))
    return {pair: found[pair] for pair in sorted(found)}


def _weight(a: IndexedCase, b: IndexedCase) -> float:
    """How long a pair may take beside another one."""
    return forecast.PICTURE if is_flat(a.shape) or is_flat(b.shape) else 1.0


def kept_pair(cache: Cache, a: IndexedCase, b: IndexedCase) -> PairResult | None:
    """What was said about (a, b) before, or None."""
    with suppress(ValueError, TypeError):
        text = cache.get("pair", a.content, b.content)
        return None if text is None else from_plain(PairResult, json.loads(text))
    return None


def keep_pair(cache: Cache, a: IndexedCase, b: IndexedCase, found: PairResult) -> None:
    """Keep it, unless other voxels could still decide."""
    if found.decided:
        text = json.dumps(to_plain(found), sort_keys=True)
        cache.put(text, "pair", a.content, b.content)
