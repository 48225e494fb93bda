"""Outputs that DVC keeps: `.dvc` files, `dvc.lock`, and stages of `dvc.yaml` that have not run.

Formats: https://dvc.org/doc/user-guide/project-structure. The hash of a folder is that of a list of
its files: https://dvc.org/doc/user-guide/project-structure/internal-files#structure-of-the-cache-directory.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dvdup.pointers.places import named, nested, top_of
from dvdup.records import Pointer

TOOL = "DVC"
SUFFIX = ".dvc"
LOCK, STAGES = "dvc.lock", "dvc.yaml"
FOLDER = ".dir"
"""How the recorded hash of a folder ends."""
_MD5 = re.compile(rf"[0-9a-f]{{32}}({re.escape(FOLDER)})?")
_NOT_KEPT = {".dvc", ".git", ".hg"}
"""Folders that DVC leaves out of what it keeps."""
_FEW = 3  # files that a command names
_LARGEST = 64 << 20  # bytes of a file that is read


@dataclass(frozen=True, slots=True)
class Out:
    """One file or folder that DVC keeps."""

    path: str
    """Absolute."""
    recorded: str
    """`md5:...`, of a folder with `.dir` behind it; "" where nothing is recorded."""
    size: int
    stage: str = ""
    """The stage that has to be run to make it, as `dvc repro` takes it; "" if it can be pulled."""


def find(path: Path, root: Path) -> Pointer | None:
    """What DVC knows about a file or folder that is not here; None if it knows nothing.

    Args:
        path: Where it should be.
        root: Folder of the dataset, in which commands are given.
    """
    wanted = os.path.abspath(path)
    for place in (path, *path.parents):
        pointer = place.with_name(place.name + SUFFIX) if place.name else None
        if pointer is not None and pointer.is_file():
            outs = {out.path: out for out in _outs_beside(pointer)}
            return _pointer(outs.get(wanted, Out(wanted, "", 0)), [path], root)
    for folder in _folders(path.parent):
        outs = {out.path: out for out in _outs_in(folder)}
        if wanted in outs:
            return _pointer(outs[wanted], [path], root)
        above = [out for out in outs.values() if _is_below(wanted, out.path)]
        below = [out for out in outs.values() if _is_below(out.path, wanted)]
        if above:
            return _pointer(Out(wanted, "", 0, above[0].stage), [path], root)
        if below:
            targets = [Path(out.path) for out in below]
            return _pointer(Out(wanted, "", 0, below[0].stage), targets, root)
    return None


class AbsentOuts:
    """Which files of pipelines are not here; remembers what it has read, for one search."""

    def __init__(self) -> None:
        """Nothing has been read yet."""
        self._known: dict[str, tuple[Out, ...]] = {}

    def names(self, folder: str) -> tuple[str, ...]:
        """Names that should be in a folder by `dvc.lock` or `dvc.yaml`, and are not here; sorted.

        Args:
            folder: Absolute.
        """
        names = {
            out.path[len(folder) :].lstrip(os.sep).split(os.sep)[0]
            for out in self._outs(folder)
            if _is_below(out.path, folder)
        }
        return tuple(sorted(name for name in names if not os.path.lexists(f"{folder}/{name}")))

    def _outs(self, folder: str) -> tuple[Out, ...]:
        """Those of a folder and of all above it, up to the top of the repository."""
        if folder not in self._known:
            above, own = os.path.dirname(folder), _outs_in(Path(folder))
            is_top = above == folder or os.path.lexists(os.path.join(folder, ".git"))
            self._known[folder] = own if is_top else (*own, *self._outs(above))
        return self._known[folder]


def absent_outs(folder: Path) -> tuple[str, ...]:
    """As `AbsentOuts.names`, of one folder."""
    return AbsentOuts().names(os.path.abspath(folder))


def is_absent(path: Path) -> bool:
    """Whether DVC keeps a file or folder of just this name that is not here."""
    if os.path.lexists(path) or not path.name:
        return False
    return path.with_name(path.name + SUFFIX).is_file() or path.name in absent_outs(path.parent)


def files_of(folder: Path, most: int) -> dict[str, Path] | None:
    """The files of a folder that is here, as DVC counts them.

    Args:
        folder: Where it is.
        most: Bytes; of a folder that holds more nothing more is looked at.

    Returns:
        Path relative to the folder, POSIX -> path; None if they are not just so many bytes.
    """
    found, size = {}, 0
    for top, folders, names in os.walk(folder):
        folders[:] = sorted(set(folders) - _NOT_KEPT)
        for name in names:
            path = Path(top, name)
            size += path.stat().st_size
            if size > most:
                return None
            found[path.relative_to(folder).as_posix()] = path
    return found if size == most else None


def folder_hash(files: Mapping[str, Path]) -> str:
    """What DVC records of a folder with some files, `md5:....dir`.

    Args:
        files: As `files_of` gives them.
    """
    rows = []
    for name in sorted(files):
        with files[name].open("rb") as stream:
            digest = hashlib.file_digest(stream, "md5").hexdigest()
        rows.append({"md5": digest, "relpath": name})
    return f"md5:{hashlib.md5(json.dumps(rows, sort_keys=True).encode()).hexdigest()}{FOLDER}"


def _pointer(out: Out, targets: list[Path], root: Path) -> Pointer:
    inner = nested(top_of(targets[0], SUFFIX), root)
    dvc = "dvc" if inner is None else f"dvc --cd {shlex.quote(named(inner, root))}"
    if out.stage:
        file, _, stage = out.stage.rpartition(":")
        where = named(Path(file), inner or root)
        return Pointer(TOOL, f"{dvc} repro {'' if where == STAGES else f'{where}:'}{stage}")
    few = targets if len(targets) <= _FEW else []  # without a name everything is pulled
    names = [shlex.quote(named(target, inner or root)) for target in few]
    return Pointer(TOOL, " ".join([dvc, "pull", *names]), recorded=out.recorded, size=out.size)


def _folders(start: Path) -> Iterator[Path]:
    """A folder and those above it, up to the top of the repository."""
    for folder in (start, *start.parents):
        yield folder
        if (folder / ".git").exists():
            return


def _is_below(path: str, top: str) -> bool:
    return path.startswith(top.rstrip(os.sep) + os.sep)


def _outs_beside(pointer: Path) -> tuple[Out, ...]:
    content = _content(pointer)
    folder = os.path.join(pointer.parent, str(content.get("wdir", ".")))
    return tuple(_out(entry, folder) for entry in _entries(content.get("outs")))


def _outs_in(folder: Path) -> tuple[Out, ...]:
    """What the pipelines of a folder make, whether they have run or not."""
    stamps = tuple(_stamp(os.path.join(folder, name)) for name in (LOCK, STAGES))
    return _of_pipelines(folder, stamps) if any(stamps) else ()


@functools.lru_cache(maxsize=64)
def _of_pipelines(folder: Path, stamps: tuple[tuple[int, int] | None, ...]) -> tuple[Out, ...]:
    """As `_outs_in`; a file that changes has another stamp."""
    locked, stages = _content(folder / LOCK), _stages(_content(folder / STAGES))
    runs = _stages(locked) if "stages" in locked else locked
    outs: dict[str, Out] = {}
    for name, run in runs.items():
        where = _where(folder, stages.get(name.partition("@")[0], {}))
        made = [_out(entry, where) for entry in _entries(run.get("outs"))]
        outs |= {out.path: out for out in made}
    for name, stage in stages.items():
        for text in _plain_outs(stage):
            path = os.path.normpath(os.path.join(_where(folder, stage), text))
            outs.setdefault(path, Out(path, "", 0, f"{folder / STAGES}:{name}"))
    return tuple(outs.values())


def _stamp(file: str) -> tuple[int, int] | None:
    try:
        status = os.stat(file)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def _where(folder: Path, stage: dict[str, Any]) -> str:
    """The folder that the paths of a stage are relative to."""
    wdir = str(stage.get("wdir", "."))
    return str(folder) if "${" in wdir else os.path.join(folder, wdir)


def _plain_outs(stage: dict[str, Any]) -> list[str]:
    """The outs of a stage that are no templates."""
    outs = stage.get("outs")
    texts = [next(iter(out), "") if isinstance(out, dict) else out for out in _list(outs)]
    return [text for text in texts if isinstance(text, str) and text and "${" not in text]


def _out(entry: dict[str, Any], folder: str) -> Out:
    digest, size = str(entry.get("md5", "")), entry.get("size")
    return Out(
        os.path.normpath(os.path.join(folder, str(entry["path"]))),
        f"md5:{digest}" if _MD5.fullmatch(digest) else "",
        size if isinstance(size, int) and 0 < size < 1 << 62 else 0,
    )


def _entries(outs: Any) -> list[dict[str, Any]]:
    return [
        out for out in _list(outs) if isinstance(out, dict) and isinstance(out.get("path"), str)
    ]


def _stages(content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = content.get("stages")
    stages = found.items() if isinstance(found, dict) else ()
    return {str(name): stage for name, stage in stages if isinstance(stage, dict)}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _content(file: Path) -> dict[str, Any]:
    """What a file of DVC holds; nothing if it is not there or cannot be read as such."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        if not file.is_file() or file.stat().st_size > _LARGEST:
            return {}
        content = yaml.load(file.read_bytes(), Loader=loader)
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return {}
    return content if isinstance(content, dict) else {}
