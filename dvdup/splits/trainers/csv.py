"""A table of splits: the one that declares the dataset with its splits as proposed, or a new one.

Rows of dropped cases are left out; every other cell of a table that is there stays as it is. A new
table has the columns that dvdup itself reads: path (relative to the configuration), split, case,
subject.
"""

from __future__ import annotations

import csv
import posixpath
from collections.abc import Iterator, Sequence
from io import StringIO

from dvdup.errors import InputError
from dvdup.records import GroupedCase, Proposal
from dvdup.splits.trainers.files import DatasetFiles, TableRow

_NEW = ("path", "split", "case", "subject")


def render(proposal: Proposal, files: DatasetFiles) -> str:
    """Return the table.

    Raises:
        InputError: A row stands for several cases that do not stay together.
    """
    out = StringIO()
    writer = csv.writer(out, delimiter=files.delimiter, lineterminator="\n")
    writer.writerow(files.header or _NEW)
    writer.writerows(_changed(proposal, files) if files.header else _new(proposal))
    return out.getvalue()


def _changed(proposal: Proposal, files: DatasetFiles) -> Iterator[Sequence[str]]:
    for row in files.rows:
        targets = {proposal.after[key] for key in row.cases}
        if len(targets) > 1:
            raise InputError(_torn(row))
        if not targets:
            yield row.cells
            continue
        target = targets.pop()
        if target is not None:
            cells = list(row.cells)
            if cells[files.split_column].strip() != target:
                cells[files.split_column] = target
            yield cells


def _torn(row: TableRow) -> str:
    return (
        f"line {row.line} of the table stands for {len(row.cases)} cases, which do not stay "
        "together; write a line for each of them, or take another format"
    )


def _new(proposal: Proposal) -> Iterator[Sequence[str]]:
    for case in proposal.cases:
        target = proposal.after[case.key]
        if target is not None:
            yield (_path(case), target, case.case, case.subject or "")


def _path(case: GroupedCase) -> str:
    """The file, or the folder of a scan of many files."""
    if len(case.paths) == 1:
        return case.paths[0]
    folders = {posixpath.dirname(path) for path in case.paths}
    return folders.pop() if len(folders) == 1 else case.paths[0]
