"""Where the report of a command goes, in which format, and what the exit code is."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from dvdup import accepted
from dvdup.config import ReportConfig
from dvdup.errors import EXIT_FAILED, EXIT_FINDINGS, ConfigError, InputError
from dvdup.records import Report
from dvdup.report import FORMATS
from dvdup.workspace import Workspace


def format_of(name: str | None, output: Path | None) -> str:
    """The report format asked for, found out before any work is done.

    Args:
        name: A name from `report.FORMATS`, or its suffix without the dot; None: none is asked for.
        output: The file it goes to, whose suffix then says it; None: stdout, a table.

    Raises:
        ConfigError: There is no such format.
    """
    suffixes = {row.suffix: known for known, row in FORMATS.items()}
    if name is None:
        return suffixes.get(output.suffix.lower() if output is not None else "", "table")
    name = suffixes.get(f".{name}", name)
    if name not in FORMATS:
        raise ConfigError(f"unknown report format {name!r}: choose one of {', '.join(FORMATS)}")
    return name


def demand_output(workspace: Workspace, path: Path) -> None:
    """Refuse a report in the place of what the command itself reads, before any work is done.

    Raises:
        InputError: The file is the configuration, a table or list of the dataset, or in the index.
    """
    dataset = workspace.config.dataset
    top = workspace.root / dataset.path
    read = [workspace.config.file, top / "dataset.json"]
    read += [workspace.root / accepted.NAME]
    read += [top / dataset.csv] if dataset.csv is not None else []
    real = Path(os.path.realpath(path))
    taken = any(file is not None and real == Path(os.path.realpath(file)) for file in read)
    if taken or real.is_relative_to(os.path.realpath(workspace.folder)):
        raise InputError(
            f"{path} is a file that dvdup itself reads; give the report another name or place"
        )


def write_report(path: Path, text: str) -> None:
    """Write a report to a file, whole or not at all.

    Raises:
        InputError: The file cannot be written, or is named as a scan is.
    """
    from dvdup.readers import is_readable_name

    if is_readable_name(path.name):
        raise InputError(f"{path} is the name of a scan; give the report another one")
    write_file(path, text.encode())


def write_file(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all; what is no file (/dev/stdout) is written to as it is.

    Raises:
        InputError: It cannot be written.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)
        else:
            _replace(Path(os.path.realpath(path)), data)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error


def _replace(path: Path, data: bytes) -> None:
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as stream:
            stream.write(data)
        os.replace(part, path)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def exit_code(report: Report, config: ReportConfig) -> int:
    """0 clean; 1 findings that `fail_on` names; 2 something could not be checked.

    What is not as it was indexed counts as not checked even where unreadable cases are allowed.
    """
    failing = [
        pair
        for pair in report.pairs
        if not pair.accepted and config.fails(pair.verdict, pair.basis)
    ]
    return EXIT_FINDINGS if failing else incomplete(report, config)


def incomplete(report: Report, config: ReportConfig) -> int:
    """0, or 2 if something could not be checked."""
    unchecked = [
        case for case in report.unreadable if case.kind == "stale" or not config.allow_unreadable
    ]
    return EXIT_FAILED if unchecked else 0
