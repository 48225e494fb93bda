"""dvdup finds medical scans that lie in more than one split of a dataset.

From Python, `check`, `diff`, `query` and `compare` are the commands of these names, and
`open_dataset` gives a `Dataset` that has them as methods. The names of `__all__` are all that is
promised. They load when they are first used, so that `import dvdup` costs nothing.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dvdup.api import (
        Dataset,
        check,
        compare,
        diff,
        open_dataset,
        query,
        read_report,
    )
    from dvdup.errors import DvdupError, IncompleteError, LeakError
    from dvdup.records import Finding, Hooks, Member, SyncSummary, Unreadable
    from dvdup.report import render
    from dvdup.result import Report

__version__ = "0.1.0"

__all__ = [
    "Dataset",
    "DvdupError",
    "Finding",
    "Hooks",
    "IncompleteError",
    "LeakError",
    "Member",
    "Report",
    "SyncSummary",
    "Unreadable",
    "__version__",
    "check",
    "compare",
    "diff",
    "open_dataset",
    "query",
    "read_report",
    "render",
]

_HOMES = {
    "dvdup.api": ("Dataset", "check", "diff", "open_dataset", "query", "read_report"),
    "dvdup.errors": ("DvdupError", "IncompleteError", "LeakError"),
    "dvdup.records": ("Finding", "Hooks", "Member", "SyncSummary", "Unreadable"),
    "dvdup.report": ("render",),
    "dvdup.result": ("Report",),
}


def __getattr__(name: str) -> Any:
    if name == "compare":  # the part of the package, which can be called: see below
        return import_module("dvdup.compare")
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class _Compare(ModuleType):
    """The part `dvdup.compare`, which can be called as the function of the same name of `api`.

    Its documentation and signature are those of the function, which is what is promised.
    """

    def __call__(self, *args: Any, **settings: Any) -> Any:
        return self._function(*args, **settings)

    @property
    def _function(self) -> Any:
        return import_module("dvdup.api").compare

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        return str(self._function.__doc__)

    @property
    def __signature__(self) -> Any:
        return import_module("inspect").signature(self._function)


class _Package(ModuleType):
    """This module: Python sets a part as its attribute once something imports it."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "compare" and isinstance(value, ModuleType):
            value.__class__ = _Compare
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
