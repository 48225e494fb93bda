"""Where the report of a command goes, in which format, and what the exit code is."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dvdup import accepted
from dvdup.config import ReportConfig
from dvdup.config.uris import is_uri
from dvdup.errors import EXIT_FAILED, EXIT_FINDINGS, ConfigError, InputError
from dvdup.records import Report
from dvdup.report import FORMATS, render
from dvdup.report.json import from_json
from dvdup.workspace import Workspace

_SPELLINGS = {".htm": ".html", ".markdown": ".md", ".sarif.json": ".sarif"}
"""Suffixes that people write too, and those that they mean."""


@dataclass(frozen=True, slots=True)
class Output:
    """One place that a report goes to."""

    format: str
    """A name of `report.FORMATS`."""
    path: Path | None
    """None: stdout."""
    guessed: bool = False
    """Whether nobody said the format: the name has a suffix, which is that of no format."""

    @property
    def told(self) -> str:
        """What is said once it was written."""
        why = f" as a {self.format}: no format has its suffix" if self.guessed else ""
        return f"wrote {self.path}{why}"


def outputs_of(name: str | None, targets: Sequence[str]) -> tuple[Output, ...]:
    """Where a report goes and in which formats, found out before any work is done.

    Args:
        name: The format asked for: of `report.FORMATS`, or its suffix without the dot; None: none.
        targets: Each a file, `-` for stdout, or one of them behind `format=`; none: stdout. Without
            a format a file has the one that its suffix says, and stdout the table.

    Raises:
        ConfigError: There is no such format, it is not clear what it is for, or two reports would
            go to the same place.
    """
    if name is not None:
        name = _known(name)
    if not targets:
        return (Output(name or "table", None),)
    split = [_split(target) for target in targets]
    if name is not None and len([own for own, _ in split if own is None]) != 1:
        raise ConfigError(
            f"--format {name} is for one output without a format of its own; write -o {name}=FILE"
        )
    outputs = tuple(_output(own or name, file) for own, file in split)
    places = [each.path and os.path.realpath(each.path) for each in outputs]
    for each, place in zip(outputs, places, strict=True):
        if places.count(place) > 1:
            raise ConfigError(f"two reports for {each.path or 'stdout'}; give each its own place")
    return outputs


def _split(target: str) -> tuple[str | None, str]:
    """The format that stands before a file, if one does, and the file.

    Raises:
        ConfigError: There is no file.
    """
    name, sign, file = target.partition("=")
    own, file = (_known(name), file) if sign and _is_format(name) else (None, target)
    if not file:
        raise ConfigError(f"--output {target!r} names no file; write -o FILE or -o FORMAT=FILE")
    return own, file


def _output(name: str | None, file: str) -> Output:
    """The place that a file is; an address is not taken for a folder of that name.

    Raises:
        InputError: It is an address.
    """
    _refuse_address(file)
    path = None if file == "-" else Path(file)
    known = name or _by_suffix(file)
    return Output(known or "table", path, guessed=not known and Path(file).suffix != "")


def _by_suffix(file: str) -> str | None:
    """The format that the longest known end of a name means."""
    name = Path(file).name.lower()
    ends = sorted(filter(name.endswith, _suffixes()), key=len)
    return _suffixes()[ends[-1]] if ends else None


def _suffixes() -> dict[str, str]:
    """The format that a suffix means: the first of the table that has it."""
    usual = {row.suffix: known for known, row in reversed(FORMATS.items())}
    return usual | {suffix: usual[other] for suffix, other in _SPELLINGS.items()}


def _is_format(name: str) -> bool:
    return name.lower() in FORMATS or f".{name.lower()}" in _suffixes()


def _known(name: str) -> str:
    """A format by its name or suffix.

    Raises:
        ConfigError: There is no such format.
    """
    if not _is_format(name):
        raise ConfigError(f"unknown report format {name!r}: choose one of {', '.join(FORMATS)}")
    name = name.lower()
    return name if name in FORMATS else _suffixes()[f".{name}"]


def add_step_summary(report: Report, environ: Mapping[str, str]) -> str:
    """Add the report as Markdown to the summary of the running step of GitHub Actions.

    Returns:
        A remark for the user, "" if there is none.

    Raises:
        InputError: The file of the summary cannot be written.
    """
    place = environ.get("GITHUB_STEP_SUMMARY")
    if not place:
        return "--step-summary: not in GitHub Actions (GITHUB_STEP_SUMMARY is not set), left out"
    try:
        with open(place, "a", encoding="utf-8", newline="\n") as file:
            file.write(render(report, "markdown") + "\n")
    except OSError as error:
        raise InputError(f"cannot write the summary {place}: {error.strerror or error}") from error
    return ""


def demand_output(workspace: Workspace, path: Path) -> None:
    """Refuse a report in a place where none can lie, before any work is done.

    Raises:
        InputError: The file is the configuration, a table or list of the dataset, or in the index,
            it has the name of a scan, or cannot be written.
    """
    _demand_name(path)
    demand_place(path)
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


def demand_place(path: Path) -> None:
    """Refuse a file that could not be written after hours of work, before any is done.

    Raises:
        InputError: It is a folder or an address, or its folder is missing or may not be written.
    """
    _refuse_address(str(path))
    if path.is_dir():
        raise InputError(f"cannot write {path}: it is a folder; name a file")
    if path.exists() and not path.is_file():  # /dev/stdout is written to, not replaced
        return
    folder = Path(os.path.realpath(path)).parent
    if not folder.is_dir():
        raise InputError(f"cannot write {path}: there is no folder {path.parent}; make it first")
    if not os.access(folder, os.W_OK):
        raise InputError(f"cannot write {path}: the folder {path.parent} may not be written")


def read_report(file: str) -> Report:
    """Read a report that `--format json` wrote.

    Args:
        file: Its path; `-` stands for stdin.

    Raises:
        InputError: There is none, or it is not such a report.
    """
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return from_json(data.decode("utf-8-sig"))
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: not a dvdup report: it is not UTF-8") from error
    except InputError as error:
        raise InputError(f"{file}: {error}") from error


def write_report(path: Path, text: str) -> None:
    """Write a report to a file, whole or not at all.

    Raises:
        InputError: The file cannot be written, or is named as a scan is.
    """
    _demand_name(path)
    write_file(path, text.encode())


def _refuse_address(text: str) -> None:
    if is_uri(text):
        raise InputError(f"cannot write {text}: name a file of this machine, and copy it there")


def _demand_name(path: Path) -> None:
    """Refuse a report that would be taken for a scan.

    Raises:
        InputError: It has the name of one.
    """
    from dvdup.readers import is_readable_name

    if is_readable_name(path.name):
        raise InputError(f"{path} is the name of a scan; give the report another one")


def write_file(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all; what is no file (/dev/stdout) is written to as it is.

    Raises:
        InputError: It cannot be written.
    """
    _refuse_address(str(path))
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
