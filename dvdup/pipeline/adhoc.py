"""Scans that are not in the index: `query` looks one up, `compare` takes two, `demo` makes some."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dvdup import discover, match, verdicts
from dvdup.config import Config, load_config
from dvdup.demo import write_demo
from dvdup.errors import InputError
from dvdup.match import Block, Side
from dvdup.pipeline import build, evidence
from dvdup.pipeline.files import stat_files
from dvdup.pipeline.leaks import (
    Rules,
    Say,
    assemble,
    rules_of,
    unsettled,
    warn_if_outgrown,
    with_fail_on,
)
from dvdup.pipeline.looks import Looking
from dvdup.pipeline.prepare import prepare
from dvdup.pipeline.refs import Ref, find_ref, split_order, whole
from dvdup.pipeline.sync import as_unreadable
from dvdup.pipeline.workspace import LazyEmbedder, Workspace, n_jobs, recipe_of
from dvdup.records import (
    Case,
    Embedded,
    Finding,
    IndexedCase,
    Progress,
    RefInfo,
    Report,
    Unreadable,
    no_progress,
)
from dvdup.report import render
from dvdup.slicing import Recipe
from dvdup.store import IndexMeta


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """A scan read for one question only."""

    case: IndexedCase
    rows: Embedded | None
    """None if nothing in it has a vote."""


def query(
    workspace: Workspace,
    file: str,
    *,
    split: str | None = None,
    progress: Progress = no_progress,
    say: Say = lambda line: None,
) -> Report:
    """Look up the scan of a file (or every scan of a folder) in the index, which is not changed.

    Args:
        workspace: Where.
        file: A file or a DICOM folder, relative to the working folder.
        split: Search this split only.
        progress: Called as scans are read.
        say: Called with remarks.

    Raises:
        InputError: No such file or split.
        StoreError: There is no index, or it was made with other settings.
    """
    index = workspace.open_index()
    target = find_ref(index, split) if split is not None else whole(index)
    embedder = LazyEmbedder(workspace.config)
    embedder.expect(index.meta.embedder)
    declared = _declared(workspace, file)
    recipe = recipe_of(workspace.config, index.meta.embedder)
    scans = []
    for done, case in enumerate(declared):
        progress("reading", done, len(declared))
        scans.append(read_scan(workspace, case, recipe, embedder))
    target = _without_itself(target, declared, say)
    rules = rules_of(workspace.config, index.meta)
    warn_if_outgrown(workspace.config, index, say)
    looking = Looking(workspace, index.meta, progress)
    known = (target, target.side(), target.cases)
    findings = _find(looking, known, scans, rules)
    report = assemble([target], findings, index.meta, rules)
    report = dataclasses.replace(
        report,
        refs=(*_splits(target), RefInfo(file, "", len(scans))),
        unreadable=(*report.unreadable, *_unreadable(scans)),
    )
    return with_fail_on(report, workspace.config.report)


def _find(
    looking: Looking,
    known: tuple[evidence.Holder, Side, Sequence[IndexedCase]],
    scans: Sequence[Scan],
    rules: Rules,
) -> tuple[Finding, ...]:
    """Findings between cases that are held somewhere and some scans."""
    holder, side, cases = known
    asked = [scan.case for scan in scans]
    scores = match.match(side, _side(scans), rules.match)
    again = {}
    if rules.candidates and len(cases) > 1:
        voting = [scan.case for scan in scans if scan.rows is not None]
        asking = unsettled(voting, scores, rules.limits)
        found = looking.leads(asking, [holder.case(key) for key in side.keys], side)
        again = {(other, case): led for (case, other), led in found.items()}
    pairs = evidence.candidates(scores, rules.candidates, (cases, asked), again)
    workspace = looking.workspace
    sides = evidence.Sides(workspace.root, holder, Given(scans), rules.voxels)
    verified = evidence.verify_pairs(
        pairs, sides, n_jobs(workspace.config), progress=looking.progress
    )
    return verdicts.find(cases, asked, scores, rules.limits, verified)


class Given:
    """Scans in memory, as a holder of cases."""

    def __init__(self, scans: Sequence[Scan]) -> None:
        self._scans = {scan.case.key: scan for scan in scans}

    def case(self, key: tuple[str, str]) -> IndexedCase:
        """One of them."""
        return self._scans[key].case

    def proxied(self, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], IndexedCase]:
        """Some of them, with their proxies."""
        return {key: self._scans[key].case for key in keys}

    def rows(self, key: tuple[str, str]) -> Embedded:
        """The slice rows of one that has a vote."""
        rows = self._scans[key].rows
        assert rows is not None
        return rows


def _splits(target: Ref) -> list[RefInfo]:
    counts = Counter(case.split for case in target.cases)
    return [RefInfo(name, name, counts[name]) for name in sorted(counts, key=split_order)]


def _without_itself(target: Ref, asked: Sequence[Case], say: Say) -> Ref:
    """Leave out the indexed case that is the very file asked about."""
    paths = {path for case in asked for path in case.files}
    own = [case for case in target.cases if set(case.paths) & paths]
    for case in own:
        say(f"note: {case.paths[0]} is {case.split}/{case.case_id} of the index, which is left out")
    kept = tuple(case for case in target.cases if not set(case.paths) & paths)
    return Ref(target.info, kept, target.index)


def compare(
    workspace: Workspace, file_a: str, file_b: str, *, progress: Progress = no_progress
) -> Report:
    """Compare two scans; needs no index.

    Raises:
        InputError: A path is missing or stands for more than one scan.
    """
    if os.path.normpath(file_a) == os.path.normpath(file_b):
        raise InputError(f"{file_a} is named twice; compare takes two scans")
    embedder = LazyEmbedder(workspace.config)
    recipe = recipe_of(workspace.config, embedder.spec)
    scans = []
    for done, file in enumerate((file_a, file_b)):
        progress("reading", done, 2)
        scans.append(read_scan(workspace, one_scan(workspace, file), recipe, embedder))
    one, other = scans
    meta = IndexMeta(embedder.spec, recipe.describe(), recipe.hash())
    rules = rules_of(workspace.config, meta)
    known = (Given([one]), _side([one]), [one.case])
    looking = Looking(workspace, meta, progress)
    findings = _find(looking, known, [other], rules)
    report = dataclasses.replace(
        assemble([], findings, meta, rules),
        refs=(RefInfo(file_a, "", 1), RefInfo(file_b, "", 1)),
        unreadable=_unreadable(scans),
    )
    return with_fail_on(report, workspace.config.report)


def one_scan(workspace: Workspace, file: str) -> Case:
    """The only scan of a path, under the path as its name: both sides may be called alike.

    Raises:
        InputError: The path is missing or stands for more than one scan.
    """
    declared = _declared(workspace, file)
    if len(declared) != 1:
        raise InputError(f"{file} holds {len(declared)} scans; name one of them")
    return dataclasses.replace(declared[0], case_id=file)


def _declared(workspace: Workspace, file: str) -> tuple[Case, ...]:
    """The scans of a path."""
    return discover.by_hand(
        workspace.root,
        [file],
        split="",
        case=None,
        group=None,
        dataset=workspace.config.dataset,
        formats=workspace.formats,
    ).cases


def read_scan(workspace: Workspace, case: Case, recipe: Recipe, embedder: LazyEmbedder) -> Scan:
    """Read and embed a scan; what goes wrong with it becomes its status."""
    stats = stat_files(workspace.root, case.files) or ()
    prepared = prepare(workspace.root, case, stats, recipe)
    if prepared.stack is None:
        return Scan(prepared.case, None)
    rows = embedder.embed(prepared.stack)
    return Scan(dataclasses.replace(prepared.case, n_slices=len(prepared.stack)), rows)


def _side(scans: Sequence[Scan]) -> Side:
    voting = [scan for scan in scans if scan.rows is not None]

    def blocks(codes: Sequence[int]) -> Iterator[Block]:
        for code in codes:
            rows = voting[code].rows
            assert rows is not None
            # as the index keeps them, so that a scan and its indexed copy agree to the last bit
            embedding = rows.embedding.astype(np.float16)
            yield embedding, np.full(len(embedding), code, np.int32), rows.channel

    return Side(
        keys=tuple(scan.case.key for scan in voting),
        n_slices=tuple(scan.case.n_slices for scan in voting),
        blocks=blocks,
    )


def _unreadable(scans: Sequence[Scan]) -> tuple[Unreadable, ...]:
    return tuple(as_unreadable(scan.case) for scan in scans if scan.case.status != "ok")


def demo(
    folder: Path, *, width: int, color: bool, progress: Progress = no_progress
) -> tuple[str, tuple[str, ...]]:
    """Write the demo dataset and check it.

    Returns:
        The report as text, and what was planted, in words.
    """
    planted = write_demo(folder)
    config: Config = load_config(
        config=folder / "dvdup.toml", cwd=Path.cwd(), environ={}, overrides={}
    )
    workspace = Workspace(config)
    report = build.check(workspace, hooks=build.Hooks(progress=progress))
    return render(report, "table", width=width, color=color), planted
