"""The Python interface: one dataset, with the commands that compare as its methods.

The functions `check`, `diff`, `query` and `compare` do in one call what a command does; a `Dataset`
does several things with the same settings.

`dvdup.__all__` names what scripts may rely on; every other name of the package is private.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dvdup.commands import adhoc, output
from dvdup.commands.check import check as check_dataset
from dvdup.commands.diff import diff as diff_refs
from dvdup.records import Hooks, SyncSummary
from dvdup.result import Report
from dvdup.sync import build
from dvdup.workspace import Workspace, open_workspace, working_folder


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
        return Report.of(check_dataset(self._workspace, hooks=hooks))

    def diff(self, ref_a: str, ref_b: str, *, hooks: Hooks | None = None) -> Report:
        """Compare two refs of the index as it is, as `dvdup diff`.

        Args:
            ref_a: A split, or a split as it was (`train@v1`).
            ref_b: The other one; the same once more finds the duplicates within it.
            hooks: Progress, messages, the wish to stop.
        """
        return Report.of(diff_refs(self._workspace, ref_a, ref_b, hooks=hooks))

    def query(self, file: str, *, split: str | None = None, hooks: Hooks | None = None) -> Report:
        """Look a scan up in the index, which is not changed, as `dvdup query`.

        Args:
            file: A file or a DICOM folder.
            split: Search this split only.
            hooks: Progress and messages.
        """
        return Report.of(adhoc.query(self._workspace, file, split=split, hooks=hooks))

    def compare(self, file_a: str, file_b: str, *, hooks: Hooks | None = None) -> Report:
        """Compare two scans, files or DICOM folders, without an index, as `dvdup compare`."""
        return Report.of(adhoc.compare(self._workspace, file_a, file_b, hooks=hooks))

    def exit_code(self, report: Report) -> int:
        """What the command line would return: 0 clean, 1 findings, 2 not all was checked."""
        return output.exit_code(report, self._workspace.config.report)


Place = str | os.PathLike[str]
"""A file or a folder."""
Settings = Mapping[str, Any]
"""Settings under the names that they have in `dvdup.toml`, such as `{"report.within": True}`."""


def open_dataset(config: Place | None = None, settings: Settings | None = None) -> Dataset:
    """Open the dataset that a configuration declares.

    Variables of the environment (`DVDUP_*`) count as they do for the command line.

    Args:
        config: The `dvdup.toml`, or a folder: that one's, or that of the nearest folder above it,
            or the defaults where there is none. None: the working folder.
        settings: Settings that go before those of the file, under the names that they have in it,
            such as `{"embedder": "thumbnail", "report.within": True}`.

    Raises:
        ConfigError: The file or one of the settings cannot be used.
    """
    place = working_folder() if config is None else Path(config)
    folder = place.is_dir()
    opened = open_workspace(
        None if folder else place,
        environ=os.environ,
        overrides=settings or {},
        cwd=place if folder else None,
    )
    return Dataset(opened)


def check(
    path: Place = ".", *, settings: Settings | None = None, hooks: Hooks | None = None
) -> Report:
    """Bring the index of a dataset up to date, then compare every pair of its splits.

    Does what `dvdup check` does in that folder.

    Args:
        path: The folder of the dataset, or its `dvdup.toml`.
        settings: As for `open_dataset`.
        hooks: Progress, messages, the wish to stop.

    Raises:
        DvdupError: It cannot be done. What cannot be read is in the report, see
            `Report.raise_for_leaks`.
    """
    return open_dataset(path, settings).check(hooks=hooks)


def diff(
    ref_a: str,
    ref_b: str,
    *,
    path: Place = ".",
    settings: Settings | None = None,
    hooks: Hooks | None = None,
) -> Report:
    """Compare two splits of the index of a dataset as it is, as `dvdup diff`.

    Args:
        ref_a: A split, or a split as it was (`train@v1`).
        ref_b: The other one; the same once more finds the duplicates within it.
        path: The folder of the dataset, or its `dvdup.toml`.
        settings: As for `open_dataset`.
        hooks: Progress, messages, the wish to stop.

    Raises:
        DvdupError: It cannot be done, for lack of such a split or of an index.
    """
    return open_dataset(path, settings).diff(ref_a, ref_b, hooks=hooks)


def query(
    file: Place,
    *,
    path: Place = ".",
    split: str | None = None,
    settings: Settings | None = None,
    hooks: Hooks | None = None,
) -> Report:
    """Look a scan up in the index of a dataset, which is not changed, as `dvdup query`.

    Args:
        file: A file or a DICOM folder, relative to the working folder.
        path: The folder of the dataset, or its `dvdup.toml`.
        split: Search this split only.
        settings: As for `open_dataset`.
        hooks: Progress and messages.

    Raises:
        DvdupError: It cannot be done, for lack of such a file or of an index.
    """
    return open_dataset(path, settings).query(os.fspath(file), split=split, hooks=hooks)


def compare(
    file_a: Place, file_b: Place, *, settings: Settings | None = None, hooks: Hooks | None = None
) -> Report:
    """Compare two scans, files or DICOM folders, without an index, as `dvdup compare`.

    Args:
        file_a: A scan.
        file_b: The other one.
        settings: As for `open_dataset`.
        hooks: Progress and messages.

    Raises:
        DvdupError: It cannot be done, for lack of such a file.
    """
    return open_dataset(None, settings).compare(os.fspath(file_a), os.fspath(file_b), hooks=hooks)


def read_report(file: Place) -> Report:
    """Read a report that `--format json` or `render(report, "json")` wrote.

    Raises:
        InputError: There is no such file, or it is no such report.
    """
    return Report.of(output.read_report(os.fspath(file)))
