"""The Python interface: one dataset, with the commands that compare as its methods.

`dvdup.__all__` names what scripts may rely on; every other name of the package is private.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dvdup.commands import adhoc, check, diff, output
from dvdup.records import Hooks, Report, SyncSummary
from dvdup.sync import build
from dvdup.workspace import Workspace, open_workspace


class Dataset:
    """The scans of one configuration, and their index.

    Every method raises a `DvdupError` where it cannot do what it is asked.
    """

    def __init__(self, workspace: Workspace) -> None:
        """Take the settings; `open_dataset` finds them."""
        self._workspace = workspace

    def add(
        self,
        paths: Sequence[str],
        *,
        split: str,
        case_id: str | None = None,
        group: str | None = None,
        hooks: Hooks | None = None,
    ) -> SyncSummary:
        """Add files or folders to the index by hand, as `dvdup add`.

        Args:
            paths: Files and folders of scans, relative to the folder of the configuration.
            split: The split that they belong to.
            case_id: The name of the case, for a single scan; None: the name of its file.
            group: The subject that they come from.
            hooks: Progress, messages, the wish to stop.
        """
        return build.add(
            self._workspace, paths, split=split, case_id=case_id, group=group, hooks=hooks
        )

    def sync(self, *, hooks: Hooks | None = None) -> SyncSummary:
        """Make the index equal what the configuration declares, as `dvdup sync`."""
        return build.sync(self._workspace, hooks=hooks)

    def check(self, *, hooks: Hooks | None = None) -> Report:
        """Sync, then compare every pair of splits, as `dvdup check`."""
        return check.check(self._workspace, hooks=hooks)

    def diff(self, ref_a: str, ref_b: str, *, hooks: Hooks | None = None) -> Report:
        """Compare two refs of the index as it is, as `dvdup diff`.

        Args:
            ref_a: A split, or a split as it was (`train@v1`).
            ref_b: The other one; the same once more finds the duplicates within it.
            hooks: Progress, messages, the wish to stop.
        """
        return diff.diff(self._workspace, ref_a, ref_b, hooks=hooks)

    def query(self, file: str, *, split: str | None = None, hooks: Hooks | None = None) -> Report:
        """Look a scan up in the index, which is not changed, as `dvdup query`.

        Args:
            file: A file or a DICOM folder.
            split: Search this split only.
            hooks: Progress and messages.
        """
        return adhoc.query(self._workspace, file, split=split, hooks=hooks)

    def compare(self, file_a: str, file_b: str, *, hooks: Hooks | None = None) -> Report:
        """Compare two scans, files or DICOM folders, without an index, as `dvdup compare`."""
        return adhoc.compare(self._workspace, file_a, file_b, hooks=hooks)

    def exit_code(self, report: Report) -> int:
        """What the command line would return: 0 clean, 1 findings, 2 not all was checked."""
        return output.exit_code(report, self._workspace.config.report)


def open_dataset(
    config: str | os.PathLike[str] | None = None, settings: Mapping[str, Any] | None = None
) -> Dataset:
    """Open the dataset that a configuration declares.

    Variables of the environment (`DVDUP_*`) count as they do for the command line.

    Args:
        config: The `dvdup.toml`; None: the one of the working folder or of the nearest folder
            above it, or the defaults where there is none.
        settings: Settings that go before those of the file, under the names that they have in it,
            such as `{"embedder": "thumbnail", "report.within": True}`.

    Raises:
        ConfigError: The file or one of the settings cannot be used.
    """
    file = None if config is None else Path(config)
    return Dataset(open_workspace(file, environ=os.environ, overrides=settings or {}))
