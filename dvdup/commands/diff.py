"""Compare two refs of the index as it is."""

from __future__ import annotations

from dvdup import accepted
from dvdup.commands.stale import stale_cases
from dvdup.compare import renamed
from dvdup.compare.calibrated import warn_if_outgrown
from dvdup.compare.engine import compare_refs
from dvdup.compare.findings import with_accepted, with_stale
from dvdup.compare.refs import find_ref
from dvdup.records import Hooks, Report
from dvdup.workspace import Workspace


def diff(
    workspace: Workspace,
    ref_a: str,
    ref_b: str,
    *,
    hooks: Hooks | None = None,
) -> Report:
    """Compare two refs of the index as it is; what is not as it was indexed is in the report.

    Raises:
        Interrupted: `hooks.should_stop` said so; pairs whose voxels were compared are remembered.
        InputError: There is no such split, tag or version, or `dvdup-accepted.toml` is malformed.
        StoreError: There is no index, it is damaged, or it was made with other settings.
    """
    hooks = hooks or Hooks()
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
