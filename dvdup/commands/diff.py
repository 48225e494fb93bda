"""Compare two refs of the index as it is."""

from __future__ import annotations

from dvdup import accepted
from dvdup.commands.exported import diff_exports, is_export
from dvdup.commands.stale import stale_cases
from dvdup.compare import renamed
from dvdup.compare.calibrated import warn_if_outgrown
from dvdup.compare.engine import compare_refs
from dvdup.compare.findings import with_accepted, with_stale
from dvdup.compare.refs import find_ref
from dvdup.errors import InputError
from dvdup.records import Hooks, Report
from dvdup.workspace import Workspace


def diff(
    workspace: Workspace,
    ref_a: str,
    ref_b: str,
    *,
    secret: str | None = None,
    hooks: Hooks | None = None,
) -> Report:
    """Compare two refs of the index as it is; what is not as it was indexed is in the report.

    Args:
        workspace: Where.
        ref_a: A split, a version of it, or a file that `dvdup export` wrote.
        ref_b: The same.
        secret: The passphrase of the hashes in such a file; None: it is not known.
        hooks: Progress, remarks, the wish to stop.

    Raises:
        Interrupted: `hooks.should_stop` said so; pairs whose voxels were compared are remembered.
        InputError: There is no such split, tag or version, or `dvdup-accepted.toml` is malformed.
        StoreError: There is no index, it is damaged, or it was made with other settings.
    """
    hooks = hooks or Hooks()
    if is_export(ref_a) or is_export(ref_b):
        return diff_exports(workspace, ref_a, ref_b, secret=secret, hooks=hooks)
    if secret is not None:
        raise InputError("a passphrase is for files that `dvdup export` wrote (FILE.dvdup)")
    entries = accepted.read(workspace.root)
    index = workspace.open_index()
    refs = [find_ref(index, ref_a), find_ref(index, ref_b)]
    warn_if_outgrown(workspace.config, index, hooks.say)
    remark = renamed.remark(*refs)
    if remark is not None:
        hooks.say(remark)
    stale = stale_cases(workspace, index, refs)
    report = compare_refs(workspace, index, refs, [(0, 1)], hooks)
    report = with_accepted(report, entries, [case for ref in refs for case in ref.cases])
    return with_stale(report, stale)
