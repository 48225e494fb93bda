"""The only place that knows the order of the rooms; what the command line and scripts call.

```
discover -> readers -> slicing -> embedders -> store -> match -> verify -> verdicts -> report
```
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from dvdup.embedders import ModelRow, available, fetch
from dvdup.errors import ConfigError, InputError, Interrupted
from dvdup.pipeline.adhoc import compare, demo, query
from dvdup.pipeline.build import Hooks, add, check, init, sync
from dvdup.pipeline.history import Status, delete_tag, log, remove, status, tag, tags
from dvdup.pipeline.leaks import diff, exit_code
from dvdup.pipeline.show import Shown, free_name, show
from dvdup.pipeline.workspace import Workspace
from dvdup.report import FORMATS, render

__all__ = [
    "Hooks",
    "Interrupted",
    "ModelRow",
    "Shown",
    "Status",
    "Workspace",
    "add",
    "check",
    "compare",
    "delete_tag",
    "demand_format",
    "demo",
    "diff",
    "exit_code",
    "fetch",
    "free_name",
    "init",
    "log",
    "models",
    "query",
    "remove",
    "render",
    "show",
    "status",
    "sync",
    "tag",
    "tags",
    "write_file",
    "write_report",
]

models = available


def demand_format(name: str) -> None:
    """Refuse an unknown report format before any work is done.

    Raises:
        ConfigError: There is no such format.
    """
    if name not in FORMATS:
        raise ConfigError(f"unknown report format {name!r}: choose one of {', '.join(FORMATS)}")


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
