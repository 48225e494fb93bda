"""What a shell completes beside options: formats, verdicts, embedders, and names of the index.

Nothing here may fail or print: whoever presses a key has not asked for a message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import click

from dvdup.records import VERDICTS
from dvdup.report import FORMATS

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from dvdup.store import Index
    from dvdup.workspace import Workspace

Complete = Callable[[click.Context, click.Parameter, str], list[str]]


def _fitting(names: Iterable[str], typed: str) -> list[str]:
    return [name for name in names if name.startswith(typed)]


def formats(ctx: click.Context, param: click.Parameter, typed: str) -> list[str]:
    """Formats of a report."""
    return _fitting(FORMATS, typed)


def verdicts(ctx: click.Context, param: click.Parameter, typed: str) -> list[str]:
    """Verdicts of --fail-on; several stand behind one another with commas between."""
    before, comma, last = typed.rpartition(",")
    names = (*VERDICTS, "same-subject:declared", *(() if comma else ("none",)))
    return [f"{before}{comma}{name}" for name in _fitting(names, last)]


def embedders(ctx: click.Context, param: click.Parameter, typed: str) -> list[str]:
    """Embedders that have a name of their own."""
    from dvdup.embedders import available

    return _fitting((model.name for model in available()), typed)


def _of_index(names: Callable[[Workspace, Index, str], Iterator[str]]) -> Complete:
    """Complete names of the index of the folder one is in, or of the one that --index names."""

    def complete(ctx: click.Context, param: click.Parameter, typed: str) -> list[str]:
        import os

        from dvdup import workspace

        overrides = {"index": ctx.params["index"]} if ctx.params.get("index") else {}
        try:
            place = workspace.open_workspace(
                ctx.params.get("config"), environ=os.environ, overrides=overrides
            )
            return _fitting(names(place, place.open_index(), typed), typed)
        except Exception:  # no index, no configuration: there is nothing to complete
            return []

    return complete


def _refs(place: Workspace, index: Index, typed: str) -> Iterator[str]:
    from dvdup.commands import history
    from dvdup.compare.refs import all_refs

    splits = [ref.info.split for ref in all_refs(index)]
    yield from splits
    if "@" in typed:
        yield from (f"{split}@{tag}" for split in splits for tag in history.tags(place))


def _cases(place: Workspace, index: Index, typed: str) -> Iterator[str]:
    yield from sorted(f"{case.split}/{case.case_id}" for case in index.cases)


refs = _of_index(_refs)
"""Splits, and behind an @ their tags."""
cases = _of_index(_cases)
"""Cases as `split/case`."""


def cases_or_files(ctx: click.Context, param: click.Parameter, typed: str) -> list[CompletionItem]:
    """Cases as `split/case`, and where none fits whatever file there is."""
    from click.shell_completion import CompletionItem

    found = [CompletionItem(name) for name in cases(ctx, param, typed)]
    return found or [CompletionItem(typed, type="file")]
