"""Scans that are not in the index: `query` looks one up, `compare` takes two, `demo` makes some."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from dvdup import accepted, discover
from dvdup.cache import Cache
from dvdup.commands import check
from dvdup.commands.stale import stale_cases
from dvdup.compare.calibrated import warn_if_outgrown
from dvdup.compare.engine import compare_sides, open_run
from dvdup.compare.findings import assemble, with_accepted, with_fail_on, with_stale
from dvdup.compare.memory import EmbeddedScan, MemoryCases
from dvdup.compare.refs import Ref, find_case, find_ref, split_order, whole
from dvdup.compare.rules import rules_of
from dvdup.config import Config, load_config
from dvdup.config.uris import is_object_uri
from dvdup.demo import write_demo
from dvdup.errors import InputError
from dvdup.files import stat_files
from dvdup.records import (
    Case,
    Hooks,
    IndexedCase,
    Pair,
    Progress,
    RefInfo,
    Report,
    Say,
    Unreadable,
    as_unreadable,
    no_progress,
)
from dvdup.report import render
from dvdup.rows import part_of
from dvdup.slicing import Recipe
from dvdup.store import Index, IndexMeta
from dvdup.sync.prepare import prepare
from dvdup.workspace import LazyEmbedder, Workspace, recipe_of

_NAMED = 3  # remarks of one kind


def query(
    workspace: Workspace,
    file: str,
    *,
    split: str | None = None,
    hooks: Hooks | None = None,
) -> Report:
    """Look up the scan of a file (or every scan of a folder) in the index, which is not changed.

    Args:
        workspace: Where.
        file: A file or a DICOM folder, relative to the working folder.
        split: Search this split only.
        hooks: Progress, remarks, the wish to stop.

    Raises:
        InputError: No such file or split.
        StoreError: There is no index, or it was made with other settings.
    """
    hooks = hooks or Hooks()
    entries = accepted.read(workspace.root)
    index = workspace.open_index()
    target = find_ref(index, split) if split is not None else whole(index)
    stale = stale_cases(workspace, index, [target])
    embedder = LazyEmbedder(workspace.config)
    embedder.expect(index.meta.embedder)
    declared = _declared(workspace, file)
    recipe = recipe_of(workspace.config, index.meta.embedder)
    scans = []
    for done, case in enumerate(declared):
        hooks.progress("reading", done, len(declared))
        scans.append(read_scan(workspace, case, recipe, embedder))
    own = _themselves(target, scans, hooks.say)
    rules = rules_of(workspace.config, index.meta)
    warn_if_outgrown(workspace.config, index, hooks.say)
    with open_run(workspace, rules, Cache(None, ""), hooks) as run:
        found = compare_sides(target, MemoryCases(scans), run, without=own)
    run.missed.tell(hooks.say)
    approximate = [(target.info.ref, file)] if found.approximate else []
    missed = run.missed.unreadable
    report = assemble([target], found.findings, index.meta, rules, missed, approximate=approximate)
    report = dataclasses.replace(
        report,
        refs=(*_splits(target), RefInfo(file, "", len(scans))),
        unreadable=(*report.unreadable, *_unreadable(scans)),
    )
    report = with_accepted(report, entries, target.cases)
    return with_fail_on(with_stale(report, stale), workspace.config.report)


def _splits(target: Ref) -> list[RefInfo]:
    counts = Counter(case.split for case in target.cases)
    return [RefInfo(name, name, counts[name]) for name in sorted(counts, key=split_order)]


def _themselves(target: Ref, scans: Sequence[EmbeddedScan], say: Say) -> frozenset[Pair]:
    """Pairs of an indexed case and a scan that are one file; they are not compared."""
    owners: dict[tuple[str, str], list[IndexedCase]] = {}
    for case in target.cases:
        for path in case.paths:
            owners.setdefault((path, part_of(case.series)), []).append(case)
    own = {
        (case.key, scan.case.key): case
        for scan in scans
        for path in scan.case.paths
        for case in owners.get((path, part_of(scan.case.series)), [])
    }
    for case in list(own.values())[:_NAMED]:
        file = case.paths[0] + part_of(case.series)
        say(f"note: {file} is {case.split}/{case.case_id} of the index itself")
    if len(own) > _NAMED:
        say(f"note: {len(own) - _NAMED} more are cases of the index themselves")
    return frozenset(own)


def compare(
    workspace: Workspace, file_a: str, file_b: str, *, hooks: Hooks | None = None
) -> Report:
    """Compare two scans; needs no index.

    Raises:
        InputError: A path is missing or stands for more than one scan.
    """
    if os.path.normpath(file_a) == os.path.normpath(file_b):
        raise InputError(f"{file_a} is named twice; compare takes two scans")
    hooks = hooks or Hooks()
    embedder = LazyEmbedder(workspace.config)
    recipe = recipe_of(workspace.config, embedder.spec)
    names = names_of(file_a, file_b)
    scans = []
    for done, (file, name) in enumerate(zip((file_a, file_b), names, strict=True)):
        hooks.progress("reading", done, 2)
        scans.append(read_scan(workspace, one_scan(workspace, file, name), recipe, embedder))
    one, other = scans
    meta = IndexMeta(embedder.spec, recipe.describe(), recipe.hash())
    rules = rules_of(workspace.config, meta)
    with open_run(workspace, rules, Cache(None, ""), hooks) as run:
        findings = compare_sides(MemoryCases([one]), MemoryCases([other]), run).findings
    report = dataclasses.replace(
        assemble([], findings, meta, rules),
        refs=tuple(RefInfo(name, "", 1) for name in names),
        unreadable=(*_unreadable(scans), *run.missed.unreadable),
    )
    return with_fail_on(report, workspace.config.report)


def names_of(file_a: str, file_b: str) -> tuple[str, str]:
    """What two files are called in a report: as given or, of absolute paths, the distinct end."""
    for n in range(1, max(file_a.count(os.sep), file_b.count(os.sep)) + 2):
        one, other = (_end(file, n) for file in (file_a, file_b))
        if one != other:
            return one, other
    return file_a, file_b


def _end(file: str, n: int) -> str:
    if not os.path.isabs(file):
        return file
    return "/".join(Path(os.path.normpath(file)).parts[1:][-n:])


def one_scan(workspace: Workspace, file: str, name: str | None = None) -> Case:
    """The only scan of a path.

    Args:
        workspace: Where.
        file: The path.
        name: What it is called; the path itself if not given, since two may be called alike.

    Raises:
        InputError: The path is missing or stands for more than one scan.
    """
    declared = _declared(workspace, file)
    if len(declared) != 1:
        raise InputError(f"{file} holds {len(declared)} scans; name one of them")
    return dataclasses.replace(declared[0], case_id=file if name is None else name)


def is_file(text: str) -> bool:
    """Whether a name is a file, or a row of one, or an address."""
    return is_object_uri(text) or os.path.isfile(text) or discover.names_row(text)


def known_case(index: Index | None, text: str) -> tuple[Index, IndexedCase] | None:
    """A case of the index, or None if the name is a path.

    Raises:
        InputError: It is neither.
    """
    if is_file(text):
        return None
    folder = os.path.isdir(text)
    if index is None:
        if folder:
            return None
        raise InputError(f"there is no file {text!r}, and no index whose case it could be")
    try:
        return find_case(index, text)
    except InputError as error:
        if folder:
            return None
        same = [f"{case.split}/{case.case_id}" for case in index.cases if case.case_id == text]
        more = f"; did you mean {' or '.join(same[:3])}?" if same else ""
        raise InputError(f"there is no file {text!r}, and {error}{more}") from error


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


def read_scan(
    workspace: Workspace, case: Case, recipe: Recipe, embedder: LazyEmbedder
) -> EmbeddedScan:
    """Read and embed a scan; what goes wrong with it becomes its status."""
    stats = stat_files(workspace.root, case.files) or ()
    prepared = prepare(workspace.root, case, stats, recipe)
    if prepared.stack is None:
        return EmbeddedScan(prepared.case, None)
    rows = embedder.embed(prepared.stack)
    return EmbeddedScan(dataclasses.replace(prepared.case, n_slices=len(prepared.stack)), rows)


def _unreadable(scans: Sequence[EmbeddedScan]) -> tuple[Unreadable, ...]:
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
    report = check.check(workspace, hooks=Hooks(progress))
    return render(report, "table", width=width, color=color), planted
