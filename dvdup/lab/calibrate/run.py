"""A calibration from start to end: choose, measure, fit."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from dvdup import verify
from dvdup.cache import Cache, open_cache
from dvdup.compare import calibrated, verdicts
from dvdup.compare import pair as judging
from dvdup.compare.cases import Sides
from dvdup.compare.missed import Missed
from dvdup.compare.pair import jobs_of, measure_pair
from dvdup.compare.refs import Ref, whole
from dvdup.compare.rules import Rules
from dvdup.compare.walk import open_candidates
from dvdup.config import Config, put_table
from dvdup.config.load import CONFIG_NAME
from dvdup.errors import InputError, Interrupted
from dvdup.fingerprint import code_fingerprint
from dvdup.lab.calibrate import work
from dvdup.lab.calibrate.pairs import Chosen, choose, demand_groups, edits_of, stranger_pairs
from dvdup.lab.calibrate.threshold import LEVELS, Fitted, Strengths, fit
from dvdup.records import Hooks, Key, Pair, case_of
from dvdup.store import Index, IndexMeta
from dvdup.verify import Limits
from dvdup.workers import do_all
from dvdup.workspace import Workspace, n_jobs

T = TypeVar("T")
R = TypeVar("R")

BUDGET = 0.001
"""False alarms a query case."""

CODE = (*judging.CODE, "edits", "lab.calibrate.work", "lab.evaluate.scans")
"""The modules whose source is part of what a strength depends on."""

_LEAST = 10  # cases with a stranger from which a tail is fitted


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for."""

    budget: float | None = BUDGET
    """False alarms a query case; None: by Youden."""
    groups: str | None = None
    """Rule of `bench.groups.persons`."""
    cases: int | None = None
    """At most so many; None: all."""
    all_strangers: bool = False
    """Whether pairs of two groups that are called copies are strangers all the same."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A pair of two groups that is called a copy as things are."""

    a: Key
    b: Key
    strength: float

    @property
    def labels(self) -> tuple[str, str]:
        """`split/case` of both."""
        return "/".join(self.a), "/".join(self.b)


@dataclass(frozen=True, slots=True)
class Result:
    """What a calibration found out."""

    meta: IndexMeta
    n_cases: int
    """Of the index."""
    candidates: int
    before: float
    """The threshold in force."""
    strengths: Strengths
    fitted: Fitted
    left_out: tuple[LeftOut, ...] = ()
    """Strongest first."""
    unreadable: tuple[str, ...] = field(default=())
    """Cases whose files could not be read, so that they were not edited."""

    @property
    def threshold(self) -> float:
        """As it is stored."""
        return round(self.fitted.threshold.value, 3)

    def table(self) -> dict[str, Any]:
        """The `[calibration]` of a configuration file."""
        return {
            "threshold": self.threshold,
            "budget": self.fitted.budget,
            "embedder": self.meta.embedder.name,
            "weights": self.meta.embedder.weights_hash or None,
            "recipe": self.meta.recipe_hash,
            "strength": verify.STRENGTH,
            "candidates": self.candidates,
            "cases": self.n_cases,
            "null_cases": len(self.strengths.stranger),
        }


def calibrate(workspace: Workspace, options: Options, hooks: Hooks | None = None) -> Result:
    """Fit the threshold of the voxel evidence on the cases of an index; stores nothing.

    Args:
        workspace: Settings; the index is not changed.
        options: What to fit.
        hooks: Progress, the wish to stop.

    Raises:
        InputError: Too few groups, a rule that finds nobody, or comparisons without voxels.
        StoreError: There is no index, or it was made with other settings.
        Interrupted: The user asked to stop; what was compared is remembered.
    """
    hooks = hooks or Hooks()
    index = workspace.open_index()
    rules = _rules(workspace.config, index)
    ref = whole(index)
    chosen = choose(ref, options.groups, options.cases)
    with open_cache(workspace.sealed, _salt(rules, index.meta)) as cache:
        run = _Run(workspace, ref, chosen, rules.voxels, cache, hooks)
        with open_candidates(workspace, cache, rules.candidates, Missed(), hooks) as candidates:
            wanted = stranger_pairs(ref, chosen, candidates)
        pairs = run.strangers(wanted)
        copies, unreadable = run.copies(options.seed)
    before = _in_force(workspace.config, index.meta)
    left_out = () if options.all_strangers else _called_copies(pairs, before)
    dropped = {(each.a, each.b) for each in left_out}
    strengths = gathered(
        chosen, {pair: value for pair, value in pairs.items() if pair not in dropped}, copies
    )
    return Result(
        meta=index.meta,
        n_cases=calibrated.n_cases(index),
        candidates=rules.candidates,
        before=before,
        strengths=strengths,
        fitted=fit(strengths, options.budget, before, options.seed),
        left_out=left_out,
        unreadable=unreadable,
    )


def store(config: Config, result: Result) -> str:
    """Write a calibration into the configuration file, or a new one.

    Returns:
        Name of the file.

    Raises:
        ConfigError: It cannot be written.
    """
    file = config.file or config.root / CONFIG_NAME
    put_table(file, "calibration", result.table(), "Written by `dvdup calibrate`; made anew by it.")
    return file.name


def _rules(config: Config, index: Index) -> Rules:
    """As shipped, whatever calibration there is."""
    if config.verify.candidates == 0:
        raise InputError(
            "verify.candidates is 0, so that no voxels are compared and there is nothing to "
            "calibrate; set it to 1 or more"
        )
    limits = verdicts.thresholds_for(index.meta.embedder.name)
    return Rules(limits, config.verify.candidates)


def _salt(rules: Rules, meta: IndexMeta) -> str:
    """What a strength depends on besides the scans; slices choose which channels are compared."""
    what = [
        *("strength", code_fingerprint(*CODE), rules.voxels.describe()),
        *(meta.embedder.name, meta.embedder.weights_hash, meta.recipe_hash),
    ]
    return json.dumps(what, sort_keys=True)


def _in_force(config: Config, meta: IndexMeta) -> float:
    """The threshold that comparisons go by, or would without a calibration that does not fit."""
    found = config.calibration
    if found.threshold is None or calibrated.misfit(found, meta) is not None:
        return Limits().copy
    return found.threshold


def _called_copies(pairs: Mapping[Pair, float], threshold: float) -> tuple[LeftOut, ...]:
    found = [
        LeftOut(a, b, round(value, 4)) for (a, b), value in pairs.items() if value >= threshold
    ]
    return tuple(sorted(found, key=lambda each: (-each.strength, each.a, each.b)))


def gathered(
    chosen: Chosen, pairs: Mapping[Pair, float], copies: Mapping[Key, Sequence[float]]
) -> Strengths:
    """Put what was measured in the order of the chosen cases.

    Args:
        chosen: The cases.
        pairs: The strength of each pair of strangers.
        copies: The strength of each edited copy, by its case; as many of each level.

    Raises:
        InputError: Too few cases have a stranger, or a copy.
    """
    best = dict.fromkeys(chosen.keys, -np.inf)
    for pair, value in pairs.items():
        for key in pair:
            if key in best:
                best[key] = max(best[key], value)
    if len({chosen.groups[key] for key, value in best.items() if np.isfinite(value)}) < _LEAST:
        raise InputError(
            f"cases of fewer than {_LEAST} groups look enough like a case of another group to be "
            "compared with it; there is nothing to calibrate on"
        )
    codes = chosen.codes
    rows = [
        (value, codes[chosen.groups[key]], i * len(LEVELS) // len(values))
        for key in chosen.keys
        for values in [copies.get(key, ())]
        for i, value in enumerate(values)
    ]
    return Strengths(
        stranger=np.array([best[key] for key in chosen.keys]),
        stranger_group=np.array([codes[chosen.groups[key]] for key in chosen.keys]),
        copy=np.array([row[0] for row in rows], float),
        copy_group=np.array([row[1] for row in rows], int),
        copy_level=np.array([row[2] for row in rows], int),
    )


@dataclass(frozen=True, slots=True)
class _Run:
    """The two measurements; what was measured before is remembered."""

    workspace: Workspace
    ref: Ref
    chosen: Chosen
    limits: Limits
    cache: Cache
    hooks: Hooks

    def strangers(self, pairs: Sequence[Pair]) -> dict[Pair, float]:
        """The strength of every pair, sorted."""
        names = {
            pair: ("strangers", *(self.ref.case(key).content for key in pair)) for pair in pairs
        }
        found = {
            pair: value[0] for pair in pairs for value in [self._recalled(*names[pair])] if value
        }
        todo = [pair for pair in pairs if pair not in found]
        sides = Sides(self.workspace.root, self.ref, self.ref, self.limits)
        jobs = jobs_of(todo, sides)
        for job, seen in self._all(measure_pair, jobs, len(todo), "comparing strangers"):
            found[job.pair] = seen.found
            if seen.with_files:
                self._remember((seen.found,), *names[job.pair])
        return {pair: found[pair] for pair in pairs}

    def copies(self, seed: int) -> tuple[dict[Key, tuple[float, ...]], tuple[str, ...]]:
        """The strengths of the edited copies of every case, and the cases without files.

        Raises:
            InputError: Too few groups have a case that can be read.
        """
        keys = self.chosen.keys
        orders = {
            key: work.Copies(self.workspace.root, case_of(self.ref.case(key)), edits, self.limits)
            for key, edits in zip(keys, edits_of(len(keys), seed), strict=True)
        }
        names = {
            key: ("edited", self.ref.case(key).content, *key, str(orders[key].edits))
            for key in keys
        }
        found = {key: value for key in keys for value in [self._recalled(*names[key])] if value}
        todo = [orders[key] for key in keys if key not in found]
        for order, values in self._all(work.copies, todo, len(todo), "comparing edited copies"):
            if values is not None:
                found[order.case.key] = values
                self._remember(values, *names[order.case.key])
        demand_groups(len({self.chosen.groups[key] for key in found}))
        return found, tuple("/".join(key) for key in keys if key not in found)

    def _recalled(self, *name: str) -> tuple[float, ...]:
        text = self.cache.get(*name)
        return tuple(map(float, json.loads(text))) if text is not None else ()

    def _remember(self, values: Sequence[float], *name: str) -> None:
        self.cache.put(json.dumps(list(values)), *name)

    def _all(
        self, function: Callable[[T], R], items: Iterable[T], total: int, what: str
    ) -> Iterator[tuple[T, R]]:
        """Do all items, or raise if the user wants to stop."""
        jobs, done = n_jobs(self.workspace.config), 0
        self.hooks.progress(what, 0, total)
        for result in do_all(function, items, min(jobs, total), self.hooks.should_stop):
            yield result
            done += 1
            self.hooks.progress(what, done, total)
        if done < total:
            raise Interrupted(
                f"stopped while {what}, after {done} of {total}, which are kept; run it again to "
                "go on"
            )
