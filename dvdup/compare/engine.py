"""Refs to reports: match the voting cases, decide, and put one result object together."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import combinations

from dvdup.cache import Cache, open_cache
from dvdup.compare import match, pair, renamed, results, verdicts
from dvdup.compare.cases import CaseSet, Sides
from dvdup.compare.findings import assemble, decide, with_fail_on
from dvdup.compare.missed import Missed
from dvdup.compare.pair import as_record, judge_job, orders
from dvdup.compare.refs import Ref, all_refs, split_order
from dvdup.compare.rules import Rules, rules_of
from dvdup.compare.walk import Candidates, open_candidates, verify_candidates
from dvdup.errors import Interrupted
from dvdup.records import (
    Finding,
    IndexedCase,
    Pair,
    Progress,
    Report,
    Say,
    ShouldStop,
    Verified,
    no_progress,
)
from dvdup.sealed import tell_damaged
from dvdup.store import Index
from dvdup.workers import do_all
from dvdup.workspace import Workspace, n_jobs

_FEW = 8  # pairs that are not worth starting processes for


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
        salt = results.salt_of(index.meta, rules.describe(), pair.CODE)
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
        return verify_pairs(
            pairs,
            Sides(self.workspace.root, *sides, self.rules.voxels),
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


def verify_pairs(
    pairs: Sequence[Pair],
    sides: Sides,
    jobs: int,
    *,
    cache: Cache | None = None,
    missed: Missed | None = None,
    progress: Progress = no_progress,
    should_stop: Callable[[], bool] = lambda: False,
) -> dict[Pair, Verified]:
    """Compare the voxels of some pairs.

    Args:
        pairs: (case of a, case of b).
        sides: Where they are.
        jobs: Processes; few pairs are done in this one.
        cache: What has been compared before.
        missed: Is told which files could not be had.
        progress: Called as pairs are done.
        should_stop: Asked before a pair is begun.

    Raises:
        Interrupted: `should_stop` said so; what was compared is in the cache.
    """
    cache, missed = cache or Cache(None, ""), missed or Missed()
    known = {pair: kept_pair(cache, sides.a.case(pair[0]), sides.b.case(pair[1])) for pair in pairs}
    found = {pair: seen for pair, seen in known.items() if seen is not None}
    todo = [pair for pair in pairs if pair not in found]
    n = jobs if len(todo) >= _FEW else 1
    done, stopped = 0, False

    def stop() -> bool:
        nonlocal stopped
        stopped = stopped or should_stop()
        return stopped

    for order, seen in do_all(judge_job, orders(todo, sides, missed), n, stop):
        progress("comparing voxels", done, len(todo))
        found[order.pair] = as_record(order.pair, seen.found, sides)
        if seen.with_files:
            keep_pair(cache, order.a.case, order.b.case, found[order.pair])
        else:
            seen.tell(missed, order.a.case, order.b.case)
        done += 1
    if stopped and done < len(todo):
        raise Interrupted(
            f"stopped after {done} of {len(todo)} pairs, which are kept; run it again to go on"
        )
    if todo:
        progress("comparing voxels", len(todo), len(todo))
    return {pair: found[pair] for pair in sorted(found)}


def kept_pair(cache: Cache, a: IndexedCase, b: IndexedCase) -> Verified | None:
    """What was said about (a, b) before, or None."""
    with suppress(ValueError, TypeError):
        text = cache.get("pair", a.content, b.content)
        return None if text is None else Verified(**json.loads(text))
    return None


def keep_pair(cache: Cache, a: IndexedCase, b: IndexedCase, found: Verified) -> None:
    """Keep it, unless other voxels could still decide."""
    if found.decided:
        text = json.dumps(dataclasses.asdict(found), sort_keys=True)
        cache.put(text, "pair", a.content, b.content)
