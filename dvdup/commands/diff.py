"""Compare two refs of the index as it is: two splits, or one thing at two times."""

from __future__ import annotations

import dataclasses

from dvdup import accepted
from dvdup.commands.exported import diff_exports, is_export
from dvdup.commands.limits import since_version
from dvdup.commands.stale import stale_cases
from dvdup.compare import versions
from dvdup.compare.calibrated import warn_if_outgrown
from dvdup.compare.engine import compare_refs
from dvdup.compare.findings import with_accepted, with_stale
from dvdup.compare.refs import Ref, as_now, at_version, find_ref
from dvdup.errors import InputError
from dvdup.records import EVERY_SPLIT, Hooks, Report
from dvdup.store import Index
from dvdup.workspace import Workspace


def diff(
    workspace: Workspace,
    ref_a: str,
    ref_b: str | None = None,
    *,
    new_since: str | None = None,
    secret: str | None = None,
    hooks: Hooks | None = None,
) -> Report:
    """Compare two refs of the index as it is; what is not as it was indexed is in the report.

    Args:
        workspace: Where.
        ref_a: A split, a split as it was (`train@v1`), a version (`v1`), or a file that
            `dvdup export` wrote.
        ref_b: The other one; of two versions of one thing what happened is told, and what came is
            compared with what was there. None: what the first one is now.
        new_since: Leave out findings of cases that were there at this tag or version.
        secret: The passphrase of the hashes in such a file; None: it is not known.
        hooks: Progress, messages, the wish to stop.

    Raises:
        Interrupted: `hooks.should_stop` said so; pairs whose voxels were compared are remembered.
        InputError: There is no such split, tag or version, or `dvdup-accepted.toml` is malformed.
        StoreError: There is no index, it is damaged, or it was made with other settings.
    """
    hooks = hooks or Hooks()
    if is_export(ref_a) or (ref_b is not None and is_export(ref_b)):
        if ref_b is None or new_since is not None:
            raise InputError(
                "a file of fingerprints has no history: name a split or a second file, and leave "
                "out --new-since"
            )
        return diff_exports(workspace, ref_a, ref_b, secret=secret, hooks=hooks)
    if secret is not None:
        raise InputError("a passphrase is for files that `dvdup export` wrote (FILE.dvdup)")
    entries = accepted.read(workspace.root)
    index = workspace.open_index()
    refs = _refs(index, ref_a, ref_b)
    warn_if_outgrown(workspace.config, index, hooks.say)
    stale = stale_cases(workspace, index, refs)
    if versions.is_history(*refs):
        report = _history(workspace, index, *refs, hooks)
    else:
        report = compare_refs(workspace, index, refs, [(0, 1)], hooks)
    if new_since is not None:
        report = since_version(report, index, new_since, refs)
    report = with_accepted(report, entries, [case for ref in refs for case in ref.cases])
    return with_stale(report, stale)


def _refs(index: Index, text_a: str, text_b: str | None) -> tuple[Ref, Ref]:
    """What two texts name.

    Raises:
        InputError: One names nothing, or one a version and the other one a split.
    """
    a = at_version(index, text_a) or find_ref(index, text_a)
    if text_b is None:
        if a.info.split != EVERY_SPLIT and "@" not in text_a:
            raise InputError(f"{text_a} with what? Name another split, or {text_a}@TAG")
        return a, as_now(index, a)
    b = at_version(index, text_b) or find_ref(index, text_b)
    if (a.info.split == EVERY_SPLIT) != (b.info.split == EVERY_SPLIT):
        version, split = (text_a, text_b) if a.info.split == EVERY_SPLIT else (text_b, text_a)
        raise InputError(
            f"{version} is a version and {split} a split; name two versions, or two splits as in "
            f"{split.partition('@')[0]}@{version.removeprefix('@')}"
        )
    return a, b


def _history(workspace: Workspace, index: Index, before: Ref, after: Ref, hooks: Hooks) -> Report:
    """What happened between two versions, and which of what came was there before."""
    found = versions.changes(before.index.cases, after.index.cases)
    if before.info.split != EVERY_SPLIT:
        found = versions.of_split(found, before.info.split)
    came = versions.new_contents(after, found)
    if not came.cases:  # then nothing had to be compared, and what cannot be read does not matter
        before = dataclasses.replace(before, cases=())
    report = compare_refs(workspace, index, [before, came], [(0, 1)], hooks)
    return versions.with_changes(report, found)
