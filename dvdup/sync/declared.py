"""What is declared now, beside what is indexed: cases of the configuration and cases by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dvdup import discover, files
from dvdup.discover import Formats
from dvdup.records import Case, Declaration, IndexedCase, case_of
from dvdup.sealed import SealedFiles
from dvdup.workspace import Workspace, readers_as_formats


def by_hand(cases: Sequence[IndexedCase]) -> list[Case]:
    """Those cases of an index that were added by hand, as a declaration of them."""
    return [case_of(case) for case in cases if case.origin == "added"]


def declaration(
    workspace: Workspace,
    old: Sequence[IndexedCase],
    added: Sequence[Case],
    should_stop: Callable[[], bool] = lambda: False,
    *,
    full: bool = False,
    formats: Formats | None = None,
) -> Declaration:
    """What the configuration declares, and what was added by hand and is still there.

    Args:
        workspace: Where.
        old: The cases of the index.
        added: Those that were added by hand.
        should_stop: Whether the user wants to stop.
        full: Whether headers are read again that seem unchanged.
        formats: What reads headers; None: as the index remembers them.

    Raises:
        ConfigError, InputError: The declaration cannot be used.
        Interrupted: `should_stop` said so.
    """
    config = workspace.config
    only_by_hand = not config.declares and added and len(added) == len(old)
    declared = Declaration(())
    if not only_by_hand:
        formats = formats or workspace.formats
        if full:
            afresh = SealedFiles(None, workspace.sealed.key)
            formats = readers_as_formats(afresh, workspace.root)
        declared = discover.discover(workspace.root, config.dataset, formats, should_stop)
    keys = {case.key for case in declared.cases}
    kept = [
        case
        for case in added
        if case.key not in keys and not files.all_missing(workspace.root, case.files)
    ]
    cases = sorted((*declared.cases, *kept), key=lambda case: case.key)
    return Declaration(tuple(cases), declared.ignored)


def same_declaration(case: Case, old: IndexedCase) -> bool:
    """Whether a case is declared as it was when it was indexed."""
    now = (case.files, case.group, case.origin, case.series, case.instances)
    return now == (old.paths, old.group, old.origin, old.series, old.instances)
