"""The history of the index: what `dvdup log` shows, tags, and the meaning of `split@version`."""

from __future__ import annotations

import json
import re
from typing import Any

from dvdup.errors import InputError, StoreError
from dvdup.records import LogEntry
from dvdup.store.faults import lance_faults
from dvdup.store.index import METADATA_KEY, Index
from dvdup.store.writer import Writer

# Lance refuses a dot at either end, two in a row, and ".lock"; a tag becomes a file of its name.
_TAG = re.compile(r"(?!.*\.\.)(?!.*\.lock$)\w([\w.-]{0,98}[\w-])?", re.ASCII)


def log(index: Index) -> tuple[LogEntry, ...]:
    """Every writing command, newest first; the commits of one command are one entry."""
    dataset = index.dataset
    names: dict[int, list[str]] = {}
    for name, version in tags(index).items():
        names.setdefault(version, []).append(name)
    runs: dict[str, list[tuple[int, dict[str, Any]]]] = {}
    with lance_faults("read the history of the index"):
        for version in sorted(row["version"] for row in dataset.version_refs()):
            entry = _entry(dataset, version)
            if entry is not None:
                runs.setdefault(entry["run"], []).append((version, entry))
    entries = [_merged(commits, names) for commits in runs.values()]
    return tuple(sorted(entries, key=lambda entry: -entry.version))


def tags(index: Index) -> dict[str, int]:
    """Tag names and the version each stands for, sorted by name."""
    with lance_faults("read the tags of the index"):
        found = index.dataset.tags.list()
    return {name: int(found[name]["version"]) for name in sorted(found)}


def add_tag(index: Index, name: str, writer: Writer | None = None) -> int:
    """Give the newest version a name that stays. The caller holds the write lock.

    Args:
        index: The index at its newest version.
        name: The name.
        writer: What writes the entry in the log.

    Returns:
        The version the name stands for.

    Raises:
        InputError: The name is not allowed or taken.
    """
    if not _TAG.fullmatch(name):
        raise InputError(
            f"tag {name!r} is not possible: at most 100 letters, digits, '.', '_' and '-', no '-' "
            "in front, no '.' at an end or twice in a row, no '.lock' at the end"
        )
    if name.isdecimal():
        raise InputError(f"tag {name!r} is not possible: it would read as a version number")
    taken = tags(index)
    if name in taken:
        raise InputError(f"tag {name!r} is taken (version {taken[name]}); choose another name")
    version = (writer or Writer(index, f"tag {name}")).mark()
    with lance_faults("write the tag"):
        dataset = index.at(version).dataset
        dataset.tags.create(name, version)
    return version


def remove_tag(index: Index, name: str) -> int:
    """Forget a name; the version stays in the history. The caller holds the write lock.

    Returns:
        The version the name stood for.

    Raises:
        InputError: There is no such tag; the message lists those there are.
    """
    known = tags(index)
    if name not in known:
        listed = ", ".join(known) if known else "none"
        raise InputError(f"the index has no tag {name!r} (tags: {listed})")
    with lance_faults("delete the tag"):
        index.dataset.tags.delete(name)
    return known[name]


def resolve(index: Index, name: str) -> int:
    """The version that `split@name` means.

    Args:
        index: The index.
        name: A tag or a version number.

    Raises:
        InputError: There is no such tag or version; the message lists the tags.
    """
    known = tags(index)
    if name in known:
        return known[name]
    if name.isdecimal():
        versions = {int(row["version"]) for row in index.dataset.version_refs()}
        if int(name) in versions:
            return int(name)
        raise InputError(
            f"the index has no version {name} (newest: {max(versions)}); see `dvdup log`"
        )
    listed = ", ".join(known) if known else "none yet; `dvdup tag NAME` makes one"
    raise InputError(f"the index has no tag {name!r} (tags: {listed})")


def _entry(dataset: Any, version: int) -> dict[str, Any] | None:
    transaction = dataset.read_transaction(version)
    properties = transaction.transaction_properties if transaction is not None else {}
    text = (properties or {}).get(METADATA_KEY)
    if text is None:
        return None
    try:
        entry: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise StoreError(f"version {version} of the index has a damaged log entry") from error
    return entry


def _merged(commits: list[tuple[int, dict[str, Any]]], names: dict[int, list[str]]) -> LogEntry:
    counts: dict[str, int] = {}
    for _, entry in commits:
        for what, n in entry["counts"].items():
            counts[what] = counts.get(what, 0) + n
    first, (last, entry) = commits[0][0], commits[-1]
    return LogEntry(
        run=entry["run"],
        command=entry["command"],
        first_version=first,
        version=last,
        time=entry["time"],
        counts=dict(sorted(counts.items())),
        tags=tuple(name for version, _ in commits for name in names.get(version, ())),
        commit=entry.get("commit", ""),
    )
