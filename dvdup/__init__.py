"""dvdup finds medical scans that lie in more than one split of a dataset.

From Python, `open_dataset` gives a `Dataset` whose methods are the commands that compare. The names
of `__all__` are all that is promised. They load when they are first used, so that `import dvdup`
costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dvdup.api import Dataset, open_dataset
    from dvdup.errors import DvdupError
    from dvdup.records import Finding, Hooks, Member, Report, SyncSummary, Unreadable
    from dvdup.report import render

__version__ = "0.1.0"

__all__ = [
    "Dataset",
    "DvdupError",
    "Finding",
    "Hooks",
    "Member",
    "Report",
    "SyncSummary",
    "Unreadable",
    "__version__",
    "open_dataset",
    "render",
]

_HOMES = {
    "dvdup.api": ("Dataset", "open_dataset"),
    "dvdup.errors": ("DvdupError",),
    "dvdup.records": ("Finding", "Hooks", "Member", "Report", "SyncSummary", "Unreadable"),
    "dvdup.report": ("render",),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
