"""What of the tables nobody needs any more, and how it goes: history, orphan rows, small files.

History goes first and slice rows last: slices go only once no version of `cases` that is left
holds them. Joining files of `cases` copies their rows, with the small copies of scans: that frees
nothing as long as a version is kept that has the old files, so that it is done only where as much
is freed elsewhere. Every step is one commit of Lance, so that a kill between two of them costs
nothing but another run. The caller holds the write lock, or asks only.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from dvdup.records import Key, Waste
from dvdup.store.faults import lance_faults
from dvdup.store.history import tags
from dvdup.store.index import Index, keys_filter, quoted
from dvdup.store.small_files import size_of

if TYPE_CHECKING:
    import lance

Advance = Callable[[int, int], None]
"""Called with (done, in all)."""

_MOST_FILES = 64
"""Files of `cases` that are left as they are while the history keeps them anyway."""
_CASE_ROWS = 1024
"""Rows of a file of `cases` that is large enough: what is joined with the next rows is copied."""
_BATCH = 500  # keys of one condition
_NEVER = timedelta(days=36_500)
_FORCED = {"error_if_tagged_old_versions": False, "delete_unverified": True}
"""Tagged versions are passed over; files of a stopped write go at once, as nobody else writes."""


@dataclass(frozen=True, slots=True)
class Held:
    """What some versions of the index hold."""

    slices: frozenset[tuple[str, str, str]]
    """(split, case_id, content) that slice rows may have."""
    paths: frozenset[str]
    """The files of all cases."""

    @property
    def contents(self) -> frozenset[str]:
        """The contents of all cases."""
        return frozenset(content for _, _, content in self.slices)

    @property
    def keys(self) -> frozenset[Key]:
        """The names of all cases."""
        return frozenset((split, case_id) for split, case_id, _ in self.slices)


@dataclass(frozen=True, slots=True)
class TablePlan:
    """What is to be done with the two tables."""

    gone: tuple[int, ...]
    """Versions of `cases` that are to go; the newest one only once another has been written."""
    held: Held
    """What the versions hold that stay."""
    join_cases: bool
    """Whether small files of `cases` are worth joining."""
    copied: int
    """Bytes that joining them takes, because versions that stay keep the old files too."""
    left_small: int
    """Small files of `cases` that are not joined, as that would take more than it frees."""
    orphans: tuple[tuple[str, str, str], ...]
    """(split, case_id, content) of slice rows that no version holds; sorted."""
    wastes: tuple[Waste, ...]
    """What goes, with the size on disk as far as that can be told before."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to be done."""
        return not any(waste.number for waste in self.wastes)


def plan_tables(
    index: Index, keep_days: int | None, advance: Advance = lambda done, total: None
) -> TablePlan:
    """Look what of the tables nobody needs any more; changes nothing.

    Args:
        index: The newest version.
        keep_days: Untagged versions older than so many days are to go; None keeps the history.
        advance: Called while the versions are read.
    """
    with lance_faults("read the tables of the index"):
        versions = sorted(int(row["version"]) for row in index.dataset.version_refs())
        gone = _outdated(index, versions, keep_days)
        # the newest version stays what it is, under another number if it is not to be kept
        kept = [each for each in versions if each not in gone or each == index.version]
        held, since = _held_by(index.dataset, kept, advance)
        orphans, rows = _orphans(index, held)
        older = tuple(sorted(gone - {index.version}))
        freed = (
            _history_waste(index.dataset, older),
            _orphan_waste(index, rows),
            Waste("slices files to join", _n_joined(index.slices, None), 0),
            _old_files_waste("old files of slices", index.slices, timedelta(0)),
        )
        files = _n_joined(index.dataset, _CASE_ROWS)
        older_too = {each for each, first in since.items() if first not in gone}
        copied = _size_of(index.dataset, older_too)
        is_many = len(index.dataset.get_fragments()) > (_MOST_FILES if copied else 1)
        join_cases = is_many and copied <= sum(waste.bytes for waste in freed)
    return TablePlan(
        gone=tuple(sorted(gone)),
        held=held,
        join_cases=join_cases,
        copied=copied * join_cases,
        left_small=files * (is_many and not join_cases),
        orphans=orphans,
        wastes=(freed[0], Waste("cases files to join", files * join_cases, 0), *freed[1:]),
    )


def tidy_tables(index: Index, todo: TablePlan, mark: Callable[[], int], advance: Advance) -> None:
    """Do what was planned.

    Args:
        index: The index that was planned for.
        todo: The plan.
        mark: Writes an entry of the log, and with it a new version of `cases`.
        advance: Called before every step.
    """

    def cases() -> lance.LanceDataset:
        return Index(index.storage).dataset

    def slices() -> lance.LanceDataset:
        return Index(index.storage).slices

    def joined() -> None:
        if todo.join_cases:
            _join(cases(), _CASE_ROWS)

    def without_history() -> None:
        now = cases()  # what lies between the versions of the plan and the entry is of no command
        between = range(index.version + 1, now.version)
        _clean(now, _choice((*todo.gone, *between)))

    steps: tuple[Callable[[], object], ...] = (
        joined,
        mark,
        without_history,
        lambda: _delete_orphans(slices(), todo.orphans),
        lambda: _join(slices(), None),
        lambda: _clean(slices(), {"older_than": timedelta(0)}),
    )
    for number, step in enumerate(steps):
        advance(number, len(steps))
        with lance_faults("tidy the index"):
            step()
    advance(len(steps), len(steps))


def _outdated(index: Index, versions: Sequence[int], keep_days: int | None) -> set[int]:
    """Untagged versions that are old enough to go."""
    if keep_days is None:
        return set()
    candidates = set(versions) - set(tags(index).values())
    if not keep_days:
        return candidates
    latest = datetime.now(UTC) - timedelta(days=keep_days)
    times = {int(row["version"]): row["timestamp"] for row in index.dataset.versions()}
    return {each for each in candidates if times[each].astimezone(UTC) < latest}


def _held_by(
    dataset: lance.LanceDataset, versions: Sequence[int], advance: Advance
) -> tuple[Held, dict[int, int]]:
    """What some versions of `cases` hold, and the first of them that has each file, by its number.

    Every file is read once: it loses rows from version to version and never gains any, so that the
    first version that has it holds all that a later one does.
    """
    slices: set[tuple[str, str, str]] = set()
    paths: set[str] = set()
    since: dict[int, int] = {}
    for done, version in enumerate(versions):
        advance(done, len(versions))
        for fragment in dataset.checkout_version(version).get_fragments():
            if fragment.fragment_id in since:
                continue
            since[fragment.fragment_id] = version
            table = fragment.to_table(columns=["split", "case_id", "content", "files"])
            for row in table.to_pylist():
                slices.add((row["split"], row["case_id"], row["content"]))
                paths.update(stat["path"] for stat in row["files"])
    return Held(frozenset(slices), frozenset(paths)), since


def _orphans(index: Index, held: Held) -> tuple[tuple[tuple[str, str, str], ...], int]:
    """Keys of slice rows that are not held, and how many rows that is."""
    found: set[tuple[str, str, str]] = set()
    rows = 0
    for batch in index.slices.to_batches(columns=["split", "case_id", "content"]):
        columns = (batch.column(name).to_pylist() for name in ("split", "case_id", "content"))
        lost = [key for key in zip(*columns, strict=True) if key not in held.slices]
        found.update(lost)
        rows += len(lost)
    return tuple(sorted(found)), rows


def _history_waste(dataset: lance.LanceDataset, gone: tuple[int, ...]) -> Waste:
    """Versions that are to go; else files that no version has, as a kill leaves them."""
    if not gone:
        return _old_files_waste("files of stopped writes", dataset, _NEVER)
    stats = dataset.explain_cleanup_old_versions(**_choice(gone), **_FORCED).stats
    return Waste("untagged versions", int(stats.old_versions), int(stats.bytes_removed))


def _old_files_waste(what: str, dataset: lance.LanceDataset, age: timedelta) -> Waste:
    """Files that no version younger than an age has, apart from the newest one."""
    stats = dataset.explain_cleanup_old_versions(older_than=age, **_FORCED).stats
    kinds = ("old_versions", "data_files_removed", "deletion_files_removed")
    number = sum(int(getattr(stats, kind)) for kind in (*kinds, "transaction_files_removed"))
    return Waste(what, number, int(stats.bytes_removed))


def _orphan_waste(index: Index, rows: int) -> Waste:
    total = index.slices.count_rows()
    size = _size_of(index.slices) * rows // total if total else 0
    return Waste("slice rows of no case", rows, size)


def _size_of(dataset: lance.LanceDataset, only: Collection[int] | None = None) -> int:
    """Bytes of the files of the newest version, or of those with some numbers."""
    fragments = (
        each for each in dataset.get_fragments() if only is None or each.fragment_id in only
    )
    return sum(map(size_of, fragments))


def _options(rows: int | None) -> dict[str, Any]:
    sizes = {} if rows is None else {"target_rows_per_fragment": rows}
    return {"materialize_deletions_threshold": 0.0, **sizes}


def _n_joined(dataset: lance.LanceDataset, rows: int | None) -> int:
    """How many files joining would replace."""
    from lance.optimize import Compaction

    plan = Compaction.plan(dataset, _options(rows))
    return sum(len(task.fragments) for task in plan.tasks)


def _join(dataset: lance.LanceDataset, rows: int | None) -> None:
    dataset.optimize.compact_files(**_options(rows))


def _choice(versions: Sequence[int]) -> dict[str, Any]:
    return {"versions": list(versions)} if versions else {"older_than": _NEVER}


def _clean(dataset: lance.LanceDataset, choice: dict[str, Any]) -> None:
    """Drop versions, and files of none; tagged ones and the newest one stay whatever is asked."""
    dataset.cleanup_old_versions(**choice, **_FORCED)


def _delete_orphans(dataset: lance.LanceDataset, orphans: Sequence[tuple[str, str, str]]) -> None:
    for start in range(0, len(orphans), _BATCH):
        dataset.delete(" OR ".join(_conditions(orphans[start : start + _BATCH])))


def _conditions(orphans: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    for split, case_id, content in orphans:
        yield f"(content = {quoted(content)} AND {keys_filter([(split, case_id)])})"
