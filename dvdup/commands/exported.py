"""`dvdup diff` with files that `dvdup export` wrote, in place of one ref or of both."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path

from dvdup import accepted, hashing, store
from dvdup.cache import Cache
from dvdup.commands.stale import stale_cases
from dvdup.compare.calibrated import warn_if_outgrown
from dvdup.compare.cases import CaseSet
from dvdup.compare.engine import compare_sides, open_run
from dvdup.compare.exports import KeyedCases, exported_cases, told_by_hashes
from dvdup.compare.findings import assemble, with_accepted, with_fail_on, with_stale
from dvdup.compare.refs import Ref, find_ref, split_order
from dvdup.compare.rules import rules_of
from dvdup.errors import InputError, StoreMismatchError
from dvdup.readers import limits
from dvdup.records import Hooks, RefInfo, Report, Say, as_unreadable
from dvdup.store import Header, IndexMeta
from dvdup.store.exported import SUFFIX
from dvdup.workspace import Workspace


def is_export(text: str) -> bool:
    """Whether a name stands for an export, there or not."""
    return text.endswith(SUFFIX)


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """One side of a comparison with an export."""

    info: RefInfo
    cases: CaseSet
    meta: IndexMeta
    """What its rows were made with."""
    header: Header | None = None
    """Of an export."""
    ref: Ref | None = None
    """Of the index."""


def diff_exports(
    workspace: Workspace,
    ref_a: str,
    ref_b: str,
    *,
    secret: str | None = None,
    hooks: Hooks | None = None,
) -> Report:
    """Compare a split with an export, or two exports, for which no index is needed.

    Args:
        workspace: Where.
        ref_a: A ref, or a file that `export` wrote.
        ref_b: The same; one of both is such a file.
        secret: The passphrase that the hashes of a file were made with; None: the hashes of a
            split cannot be compared with them.
        hooks: Progress, remarks, the wish to stop.

    Raises:
        InputError: A file is none, or was made with another passphrase.
        StoreMismatchError: Both sides were not made with one embedder and recipe.
        StoreError: There is no index where one is needed.
    """
    hooks = hooks or Hooks()
    entries = accepted.read(workspace.root)
    key = None if secret is None else hashing.shared_key(secret)
    a = _side(workspace, ref_a, _name(ref_a, ref_b), hooks)
    same = is_export(ref_b) and os.path.realpath(ref_a) == os.path.realpath(ref_b)
    b = a if same else _side(workspace, ref_b, _name(ref_b, ref_a), hooks)
    _demand_one_kind(a, b)
    a, b = _with_hashes(a, b, key, hooks.say)
    report = with_fail_on(_compared(workspace, a, b, hooks), workspace.config.report)
    refs = [side.ref for side in (a, b) if side.ref is not None]
    if not refs:
        return report
    report = with_accepted(report, entries, [case for ref in refs for case in ref.cases])
    return with_stale(report, stale_cases(workspace, refs[0].index, refs))


def _name(text: str, other: str) -> str:
    """What a file is called in the report: without its folders unless both are called alike."""
    name = Path(text).name
    return text if name == Path(other).name else name


def _side(workspace: Workspace, text: str, name: str, hooks: Hooks) -> _Side:
    if not is_export(text):
        index = workspace.open_index()
        warn_if_outgrown(workspace.config, index, hooks.say)
        ref = find_ref(index, text)
        return _Side(ref.info, ref, index.meta, ref=ref)
    path = Path(text)
    size = path.stat().st_size if path.is_file() else 0
    found = store.read_export(path, limits.allowed(size))
    cases = exported_cases(name, found.cases)
    info = RefInfo(name, name, len(found.cases))
    return _Side(info, cases, found.header.meta, found.header)


def _demand_one_kind(a: _Side, b: _Side) -> None:
    """Rows of two embedders, or of slices cut otherwise, say nothing about one another.

    Raises:
        StoreMismatchError: They are such rows.
    """
    kinds = [
        (
            *(each.meta.embedder.weights_hash, each.meta.embedder.dimensions),
            *(each.meta.embedder.slice_size, each.meta.recipe_hash),
            each.meta.embedder.name.partition("@")[0],
        )
        for each in (a, b)
    ]
    if kinds[0] != kinds[1]:
        names = [f"{each.info.ref} with {each.meta.embedder.name}" for each in (a, b)]
        differ = "" if a.meta.embedder != b.meta.embedder else ", cut in another way"
        raise StoreMismatchError(
            f"{names[0]} and {names[1]}{differ} were not made alike, so that their rows cannot be "
            "compared; both sides need the same embedder, weights and [slicing]"
        )


def _with_hashes(a: _Side, b: _Side, key: bytes | None, say: Say) -> tuple[_Side, _Side]:
    """Both sides with hashes that can be compared, or with none.

    Raises:
        InputError: A file was made with another passphrase.
    """
    ids = {each.header.key for each in (a, b) if each.header is not None}
    files = " and ".join(each.info.ref for each in (a, b) if each.header is not None)
    if key is not None and hashing.key_id(key) not in ids and ids != {""}:
        raise InputError(
            f"{files}: not made with this passphrase; ask for the right one, or leave it out to "
            "compare rows alone"
        )
    both_files = a.header is not None and b.header is not None
    usable = len(ids) == 1 and ids != {""} and (both_files or key is not None)
    if not usable:
        say(f"note: {_why_not(ids, files)}: equal scans are found by their rows, as copies are")
        key = None
    elif both_files:
        return a, b  # both are keyed already
    if a is b:
        hidden = dataclasses.replace(a, cases=KeyedCases(a.cases, None))
        return hidden, hidden
    return _hidden(a, key), _hidden(b, key)


def _why_not(ids: set[str], files: str) -> str:
    if "" in ids:
        return f"no hashes are compared, as not every side has some ({files})"
    if len(ids) > 1:
        return f"no hashes are compared, as those of {files} were made with two passphrases"
    return f"the hashes of {files} are not compared, as no passphrase is given (--key)"


def _hidden(side: _Side, key: bytes | None) -> _Side:
    """A side of the index with keyed hashes; without a key both kinds of sides lose theirs."""
    if side.header is not None and key is not None:
        return side
    return dataclasses.replace(side, cases=KeyedCases(side.cases, key))


def _compared(workspace: Workspace, a: _Side, b: _Side, hooks: Hooks) -> Report:
    rules = rules_of(workspace.config, a.meta)
    lacking = [each.info.ref for each in (a, b) if each.header and not each.header.proxies]
    if lacking and rules.candidates:
        names = " and ".join(dict.fromkeys(lacking))
        hooks.say(
            f"note: there are no small copies of the scans in {names}: rows alone decide, so that "
            "copies that were mirrored, turned or cut to a part can pass"
        )
    if lacking:
        rules = dataclasses.replace(rules, candidates=0)
    known = {} if rules.candidates else told_by_hashes(a.cases, b.cases)
    first = split_order(a.info.split) > split_order(b.info.split)
    with open_run(workspace, rules, Cache(None, ""), hooks) as run:
        found = compare_sides(a.cases, b.cases, run, asks_first=first, known=known)
    run.missed.tell(hooks.say)
    broken = [
        as_unreadable(case) for each in (a, b) for case in each.cases.cases if case.status != "ok"
    ]
    name = (a.info.ref, b.info.ref)
    alike = {} if found.alike is None else {name: found.alike}
    missed = [*broken, *run.missed.unreadable]
    approximate = [name] if found.approximate else []
    made = assemble([], found.findings, a.meta, rules, missed, alike, approximate=approximate)
    return dataclasses.replace(made, refs=(a.info, b.info))
