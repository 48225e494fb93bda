"""Remember pairs that were reviewed, in `dvdup-accepted.toml`; list them, take them out again."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dvdup import accepted
from dvdup.accepted import Entry, Side
from dvdup.commands import adhoc
from dvdup.commands.output import write_file
from dvdup.errors import InputError
from dvdup.files import stat_files
from dvdup.records import Case, Finding, IndexedCase, Member
from dvdup.report.json import from_json
from dvdup.rows import part_of
from dvdup.store import Index
from dvdup.sync.prepare import prepare
from dvdup.workspace import Workspace, recipe_of

SCHEMA = "dvdup/accepted@1"
"""Value of the `schema` key of the list as JSON."""

State = Literal["holds", "expired", "stale", "unknown"]
Waiting = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms pairs are accepted."""

    reason: str
    until: dt.date | None = None
    """The last day; None: for ever."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What was written."""

    added: tuple[Entry, ...]
    """New pairs."""
    changed: tuple[Entry, ...]
    """Pairs that were accepted on other terms before."""
    impossible: tuple[str, ...] = ()
    """Pairs of a report of whose scans neither voxels nor bytes are known."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An accepted pair and whether it has an effect."""

    entry: Entry
    state: State
    """"stale": scans of its voxels are not in the index any more; "unknown": there is no index."""
    missing: tuple[Side, ...] = ()
    """Which of its scans these are."""
    now: tuple[str, ...] = ()
    """What the two are called now, `split/case`; as before where that is not known."""

    @property
    def is_renamed(self) -> bool:
        """Whether one of them is not called as it was when the pair was accepted."""
        return self.now != tuple(side.label for side in self.entry.sides)


def accept(
    workspace: Workspace, a: str, b: str, terms: Terms, waiting: Waiting = lambda: None
) -> Accepted:
    """Accept one pair.

    Args:
        workspace: Where; its index is read, and not changed.
        a: A case of the index (`train/p03`, `train@v1/p03`), or a file or DICOM folder.
        b: The other one.
        terms: Why, and until when.
        waiting: Called once if another command is writing.

    Raises:
        InputError: One of them is not there or has nothing to know it by, both are one case, or
            the terms are none.
        StoreError: There is no index.
    """
    _demand_terms(terms)
    index = workspace.open_any()
    one, other = sorted(_side(workspace, index, text) for text in (a, b))
    if one == other:
        raise InputError(f"{a} and {b} are one case; name the two of a pair")
    entry = Entry((one, other), terms.reason.strip(), terms.until)
    with _locked(workspace, waiting):
        entries = accepted.read(workspace.root)
        same = accepted.of_pair(entries, entry.sides, accepted.holders(index.cases))
        _write(workspace.root, [entry, *(each for each in entries if each not in same)])
    return Accepted((), (entry,)) if same else Accepted((entry,), ())


def accept_report(
    workspace: Workspace, report: Path, terms: Terms, waiting: Waiting = lambda: None
) -> Accepted:
    """Accept every pair that an earlier report holds; what is accepted already keeps its terms.

    Args:
        workspace: Where; needs no index.
        report: What `-f json` wrote.
        terms: Why, and until when.
        waiting: Called once if another command is writing.

    Raises:
        InputError: The report cannot be read, or the terms are none.
    """
    _demand_terms(terms)
    try:
        found = from_json(report.read_text(encoding="utf-8")).pairs
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {report}: {error}") from error
    except InputError as error:
        raise InputError(f"{report}: {error}") from error
    pairs = [pair for pair in found if not pair.accepted]
    known = [pair for pair in pairs if pair.a.voxels and pair.b.voxels]
    entries = {entry.sides: entry for entry in (_of_finding(pair, terms) for pair in known)}
    with _locked(workspace, waiting):
        before = {entry.sides: entry for entry in accepted.read(workspace.root)}
        hold = {sides for sides, entry in before.items() if _state(entry) == "holds"}
        new = {sides: entry for sides, entry in sorted(entries.items()) if sides not in hold}
        _write(workspace.root, [*(before | new).values()])
    return Accepted(
        added=tuple(entry for sides, entry in new.items() if sides not in before),
        changed=tuple(entry for sides, entry in new.items() if sides in before),
        impossible=tuple(f"{p.a.label} and {p.b.label}" for p in pairs if p not in known),
    )


def _of_finding(pair: Finding, terms: Terms) -> Entry:
    one, other = sorted((_of_member(pair.a), _of_member(pair.b)))
    return Entry((one, other), terms.reason.strip(), terms.until)


def _of_member(member: Member) -> Side:
    name = member.case if member.split else Path(member.case).name
    return Side(member.split, name, member.voxels)


def remove(workspace: Workspace, a: str, b: str, waiting: Waiting = lambda: None) -> Entry:
    """Take a pair out of the file, so that it counts again; returns it.

    Args:
        workspace: Where.
        a: A case, as it is called now or was when the pair was accepted.
        b: The other one.
        waiting: Called once if another command is writing.

    Raises:
        InputError: There is no such pair.
    """
    with _locked(workspace, waiting):
        rows = listed(workspace)
        entries = [row.entry for row in rows]
        asked = {a.removeprefix("/"), b.removeprefix("/")}
        fitting = [row.entry for row in rows if asked in _called(row)]
        if not fitting:
            raise InputError(
                f"{a} and {b} are no accepted pair; `dvdup accept --list` shows those there are"
            )
        if len(fitting) > 1:
            raise InputError(
                f"{a} and {b} are {len(fitting)} entries of {accepted.NAME}, for other voxels "
                "each; take out by hand which you mean"
            )
        _write(workspace.root, [entry for entry in entries if entry is not fitting[0]])
    return fitting[0]


def _called(row: Listed) -> list[set[str]]:
    """What a pair is and was called."""
    then = [side.label for side in row.entry.sides]
    return [{label.removeprefix("/") for label in labels} for labels in (row.now, then)]


def listed(workspace: Workspace) -> tuple[Listed, ...]:
    """Every accepted pair, sorted, and whether it has an effect.

    Raises:
        InputError: The file is malformed.
    """
    entries = accepted.read(workspace.root)
    there = _there(workspace)
    stale = {} if there is None else accepted.missing(entries, there)
    names = {} if there is None else accepted.labels_now(entries, there)
    return tuple(
        Listed(
            entry,
            "stale" if entry in stale else _state(entry, unknown=there is None),
            stale.get(entry, ()),
            tuple(names.get(side, side.label) for side in entry.sides),
        )
        for entry in entries
    )


def _there(workspace: Workspace) -> accepted.Holders | None:
    """Who is in the index; None where there is none."""
    if not workspace.storage.exists():
        return None
    return accepted.holders(workspace.open_any().cases)


def _state(entry: Entry, *, unknown: bool = False) -> State:
    if entry.until is not None and accepted.today() > entry.until:
        return "expired"
    return "unknown" if unknown else "holds"


def to_json(rows: Iterable[Listed]) -> str:
    """The list as JSON, ending with a newline."""
    pairs = [
        {
            **{
                name: {**dataclasses.asdict(side), "now": now}
                for name, side, now in zip("ab", row.entry.sides, row.now, strict=True)
            },
            "reason": row.entry.reason,
            "until": None if row.entry.until is None else row.entry.until.isoformat(),
            "state": row.state,
            "missing": [side.label for side in row.missing],
        }
        for row in rows
    ]
    return json.dumps({"schema": SCHEMA, "accepted": pairs}, indent=2) + "\n"


def _demand_terms(terms: Terms) -> None:
    if not terms.reason.strip():
        raise InputError("say why the pair is accepted, with --reason TEXT")
    if terms.until is not None and terms.until < accepted.today():
        raise InputError(f"--until {terms.until} has passed already; name a day to come")


def _side(workspace: Workspace, index: Index, text: str) -> Side:
    """What a name of a user stands for.

    Raises:
        InputError: Nothing, or a scan without voxels or bytes to know it by.
    """
    known = adhoc.known_case(index, text)
    case = known[1] if known is not None else _of_file(workspace, index, text)
    known_by = accepted.known_by(case)
    if not known_by:
        why = case.reason or "all its voxels are equal"
        raise InputError(
            f"{text} has neither voxels nor bytes to know it by, so it cannot be accepted: {why}"
        )
    name = case.case_id if case.split else Path(case.case_id).name
    return Side(case.split, name, known_by)


def _of_file(workspace: Workspace, index: Index, text: str) -> IndexedCase:
    """The case of the index that a file is; else what is in the file."""
    case = adhoc.one_scan(workspace, text)
    owners = [each for each in index.cases if _is_of(each, case)]
    if len(owners) > 1:
        labels = " and ".join("/".join(owner.key) for owner in owners)
        raise InputError(f"{text} is {labels}; name one of these cases instead of the file")
    if owners:
        return owners[0]
    recipe = recipe_of(workspace.config, index.meta.embedder)
    return prepare(workspace.root, case, stat_files(workspace.root, case.files) or (), recipe).case


def _is_of(indexed: IndexedCase, case: Case) -> bool:
    return indexed.paths == case.files and part_of(indexed.series) == part_of(case.series)


@contextmanager
def _locked(workspace: Workspace, waiting: Waiting) -> Iterator[None]:
    """One command at a time changes the file; the lock is that of the index, where there is one."""
    if not workspace.storage.exists():
        yield
        return
    with workspace.writing(waiting):
        yield


def _write(root: Path, entries: Sequence[Entry]) -> None:
    write_file(root / accepted.NAME, accepted.to_toml(entries).encode())
