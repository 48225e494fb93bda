"""The bench from start to end: find scans, read, describe, ask, judge."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from dvdup import discover
from dvdup.errors import InputError, Interrupted
from dvdup.lab.bench import workers
from dvdup.lab.bench.database import Database
from dvdup.lab.bench.describers import find_method
from dvdup.lab.bench.nearest import INDEXES, demand_index
from dvdup.lab.bench.plan import (
    NO_VOXELS,
    QUICK_SCANS,
    Plan,
    Subjects,
    Task,
    Voxels,
    key_of,
    lines_for,
    plan_edits,
    plan_scans,
)
from dvdup.lab.bench.results import Answers, Curve, Result, Row, Settings, curve_of, make_row
from dvdup.lab.bench.work import Work
from dvdup.lab.bench.workers import Crew, Job, Setup, Worker
from dvdup.lab.evaluate.persons import persons as find_persons
from dvdup.lab.evaluate.sampling import choose_scans
from dvdup.lab.evaluate.scans import copies
from dvdup.records import Case, EmbedderSpec, Hooks, Unreadable
from dvdup.slicing import Recipe
from dvdup.workspace import Workspace, load_options, n_jobs, recipe_of

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for."""

    embedders: tuple[str, ...]
    groups: str | None = None
    """Rule of `groups.persons`."""
    edits: tuple[str, ...] = ()
    """Empty: all, or those of `quick`."""
    scans: int | None = None
    """At most so many scans; None: all, or as many as `quick` takes."""
    ask: str | None = None
    """Which of them are asked about, see `plan.plan_scans`."""
    quick: bool = False
    indexes: tuple[str, ...] = ("exact",)
    variants: bool = False
    """Of the first embedder that works on slices, as `voxels`."""
    voxels: Voxels = NO_VOXELS
    seed: int = 0
    bootstrap: int = 1000
    timing: bool = True
    work: Path | None = None
    """Folder for finished queries; None: `bench` in the index folder."""


def measure(
    workspace: Workspace, paths: Sequence[str], options: Options, hooks: Hooks | None = None
) -> Result:
    """Measure how well copies are found among the scans of some paths.

    Args:
        workspace: Settings: slicing, device, jobs; its index is not touched.
        paths: Files and folders of scans.
        options: What to measure.
        hooks: Progress, messages, the wish to stop.

    Raises:
        InputError: No scans there, fewer than two persons, or an option that cannot be used.
        EmbedderError: An embedder cannot be loaded.
        ConfigError: An index is unknown.
        InstallError: What an index or embedder needs is not installed.
        Interrupted: The user asked to stop; finished queries are kept.
    """
    hooks = hooks or Hooks()
    for index in options.indexes:
        demand_index(index)
    edits = plan_edits(options.edits, options.quick)
    jobs = _jobs(workspace, options)
    chosen = _choose(workspace, paths, options)
    with Crew(n_jobs(workspace.config), hooks.should_stop) as crew:
        run = _Run(workspace, crew, hooks)
        subjects, unreadable = run.survey(chosen)
        plan = Plan(edits, plan_scans(subjects.cases, options.ask))
        works = _works(workspace, options, jobs, subjects)
        setup = Setup(
            workspace.root, subjects.cases, jobs, subjects.persons, copies(subjects.contents)
        )
        setup = run.with_databases(setup, works)
        run.ask(setup, plan, works)
    data = _data(chosen, subjects, plan, options)
    rows, curves = _judged(workspace, setup, works, plan, options)
    return Result(data, rows, curves, unreadable)


def _jobs(workspace: Workspace, options: Options) -> tuple[Job, ...]:
    def recipe_for(size: int) -> Recipe:
        return recipe_of(workspace.config, EmbedderSpec("", "", 0, size))

    jobs = []
    variants, voxels = options.variants, options.voxels
    for name in dict.fromkeys(options.embedders):
        loading = load_options(dataclasses.replace(workspace.config, embedder=name))
        method = find_method(name, recipe_for, loading)
        jobs.append(
            Job(
                name,
                method,
                lines_for(method, options.indexes, variants, voxels),
                dataclasses.replace(loading, threads=1),
            )
        )
        if method.sliced:  # what dvdup adds to the slices costs many times what the counts do
            variants, voxels = False, NO_VOXELS
    return tuple(jobs)


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The scans that take part, before they are read."""

    cases: tuple[Case, ...]
    persons: tuple[str, ...]
    found: int
    """How many scans there are."""


def _choose(workspace: Workspace, paths: Sequence[str], options: Options) -> _Chosen:
    cases = discover.by_hand(
        workspace.root,
        paths,
        split="",
        case=None,
        group=None,
        dataset=workspace.config.dataset,
        formats=workspace.formats,
    ).cases
    persons = find_persons(cases, options.groups)
    most = options.scans or (QUICK_SCANS if options.quick else None)
    codes = choose_scans(persons, most)
    return _Chosen(
        tuple(cases[code] for code in codes), tuple(persons[code] for code in codes), len(cases)
    )


def _works(
    workspace: Workspace, options: Options, jobs: Sequence[Job], subjects: Subjects
) -> dict[str, Work]:
    """The work of each method, by name."""
    folder = options.work or workspace.folder / "bench"
    return {job.name: Work(folder, key_of(job.method, subjects)) for job in jobs}


@dataclass(frozen=True, slots=True)
class _Run:
    """The steps that workers do."""

    workspace: Workspace
    crew: Crew
    hooks: Hooks

    def survey(self, chosen: _Chosen) -> tuple[Subjects, tuple[Unreadable, ...]]:
        """Read every scan once: what can be read takes part."""
        setup = Setup(self.workspace.root, chosen.cases)
        codes = range(len(chosen.cases))
        found = dict(self._all(setup, workers.survey, codes, "reading"))
        good = [code for code in codes if found[code].content is not None]
        subjects = Subjects(
            tuple(chosen.cases[code] for code in good),
            tuple(content for code in good if (content := found[code].content) is not None),
            tuple(chosen.persons[code] for code in good),
        )
        bad = tuple(
            Unreadable(case.case_id, "", case.files, found[code].reason)
            for code, case in enumerate(chosen.cases)
            if found[code].content is None
        )
        for case in bad:
            self.hooks.say(f"left out: {case.case}: {case.reason}")
        _demand_persons(subjects)
        return subjects, bad

    def with_databases(self, setup: Setup, works: Mapping[str, Work]) -> Setup:
        """Describe every unedited scan, for the methods that have no database yet."""
        missing = tuple(job for job in setup.jobs if not works[job.name].is_described(job.variants))
        if missing:
            short = dataclasses.replace(setup, jobs=missing)
            codes = range(len(setup.cases))
            found = dict(self._all(short, workers.describe, codes, "embedding"))
            for i, job in enumerate(missing):
                works[job.name].keep([found[code][i] for code in codes])
        jobs = tuple(
            dataclasses.replace(
                job,
                database_file=works[job.name].database_file,
                variants_file=works[job.name].variants_file if job.variants else None,
            )
            for job in setup.jobs
        )
        return dataclasses.replace(setup, jobs=jobs)

    def ask(self, setup: Setup, plan: Plan, works: Mapping[str, Work]) -> None:
        """Do the queries that no earlier run has done."""
        orders = _orders(setup, plan, works)
        total = sum(len(task.edits) for task, _ in orders)
        done = 0
        self.hooks.progress("querying", 0, total)
        if not orders:
            return
        for (task, _), records in self.crew.run(setup, workers.ask, orders):
            for name, work in works.items():
                work.add(record for method, record in records if method == name)
            done += len(task.edits)
            self.hooks.progress("querying", done, total)
        if done < total:
            raise Interrupted(
                f"stopped after {done} of {total} queries; what was finished is kept, run it "
                "again to go on"
            )

    def _all(
        self, setup: Setup, function: Callable[[Worker, T], R], items: Sequence[T], what: str
    ) -> Iterator[tuple[T, R]]:
        """Do all items, or raise if the user wants to stop."""
        done = 0
        for result in self.crew.run(setup, function, items):
            yield result
            done += 1
            self.hooks.progress(what, done, len(items))
        if done < len(items):
            raise Interrupted(f"stopped while {what}; run it again to go on")


def _demand_persons(subjects: Subjects) -> None:
    persons = len(set(subjects.persons))
    if persons < 2:
        raise InputError(
            f"bench needs scans of at least two persons; found {len(subjects)} readable scans of "
            f"{persons}; see --groups"
        )


def _orders(
    setup: Setup, plan: Plan, works: Mapping[str, Work]
) -> list[tuple[Task, tuple[str, ...]]]:
    """Tasks, each with the methods that have to do it; edits done by all methods are left out."""
    orders = []
    for task in plan.tasks():
        by_edits: dict[tuple[str, ...], list[str]] = {}
        for job in setup.jobs:
            left = works[job.name].missing(task, job.lines)
            if left is not None:
                by_edits.setdefault(left.edits, []).append(job.name)
        orders += [
            (Task(task.scan, task.level, edits), tuple(names)) for edits, names in by_edits.items()
        ]
    return orders


def _data(chosen: _Chosen, subjects: Subjects, plan: Plan, options: Options) -> dict[str, Any]:
    """What was measured on, without a path."""
    return {
        "scans": len(subjects),
        "scans_found": chosen.found,
        "persons": len(set(subjects.persons)),
        "groups": options.groups or "as declared",
        **({"asked": len(plan.scans), "ask": options.ask} if options.ask is not None else {}),
        "quick": options.quick,
        "edits": list(plan.edits),
        "levels": list(plan.levels),
        "seed": options.seed,
        "bootstrap": options.bootstrap,
    }


def _judged(
    workspace: Workspace, setup: Setup, works: Mapping[str, Work], plan: Plan, options: Options
) -> tuple[tuple[Row, ...], tuple[Curve, ...]]:
    rows: list[Row] = []
    curves: list[Curve] = []
    settings = Settings(options.seed, options.bootstrap)
    asked = {(t.scan, edit, t.level) for t in plan.tasks() for edit in t.edits}
    for job in setup.jobs:
        records = [r for r in works[job.name].reload() if (r.scan, r.edit, r.level) in asked]
        answers = Answers.of(records, setup.persons)
        database = Database.load(works[job.name].database_file)
        speed = _speed(answers, n_jobs(workspace.config)) if options.timing else None
        for line in job.lines:
            n_bytes = INDEXES[line.index](database).n_bytes
            size = round(n_bytes / database.n_cases)
            rows.append(make_row(job.method.name, line, answers, settings, speed, size))
            curves.append(curve_of(rows[-1], answers))
    return tuple(rows), tuple(curves)


def _speed(answers: Answers, jobs: int) -> float | None:
    """Slices a second through `embed`, all workers together."""
    seconds = float(np.sum([record.seconds for record in answers.records]))
    slices = sum(record.n_slices for record in answers.records)
    return jobs * slices / seconds if seconds > 0 else None


__all__ = ["Options", "measure"]
