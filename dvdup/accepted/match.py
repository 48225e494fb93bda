"""Which findings are accepted: pairs of the voxels of an entry, one pair an entry.

Voxels alone would accept too much: with `train/a` and `test/b` accepted, a new file `test/c` of the
voxels of `test/b` would hide behind them. So an entry stands for one scan on each side. It is the
one that has the name of the entry; if none has it any more, it was renamed, and one that no other
entry names takes its place. What came in excess is a copy.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable, Mapping, Sequence

from dvdup.accepted.file import Entry, Side
from dvdup.hashing import text_hash, voxels_key
from dvdup.records import Acceptance, Finding, IndexedCase, Member
from dvdup.rows import part_of

BYTES = "bytes:"
"""How what a scan is known by begins that has no voxels."""
Holders = Mapping[tuple[str, str], frozenset[str]]
"""(split, `known_by`) -> the ids of the cases of a split that are known by it."""
_Place = tuple[str, str, str]
"""(split, case id now, voxels); without a name for a file given by hand."""


def today() -> dt.date:
    """The date by which entries expire: the same one everywhere, that of UTC."""
    return dt.datetime.now(dt.UTC).date()


def known_by(case: IndexedCase) -> str:
    """What tells a scan from others, whatever it is called.

    Args:
        case: As indexed.

    Returns:
        `hashing.voxels_key` of its voxels. Of a scan without, which is not here or cannot be read,
        a hash of its bytes that begins with `BYTES`; "" where neither is known.
    """
    if case.voxel_hashes:
        return voxels_key(case.voxel_hashes)
    hashes = sorted(stat.file_hash for stat in case.files)
    if not hashes or not all(hashes):
        return ""
    return BYTES + text_hash("\n".join((*hashes, part_of(case.series))))


def holders(cases: Iterable[IndexedCase]) -> Holders:
    """Who has which voxels, or bytes where there are no voxels."""
    found: dict[tuple[str, str], set[str]] = {}
    for case in cases:
        if known := known_by(case):
            found.setdefault((case.split, known), set()).add(case.case_id)
    return {place: frozenset(ids) for place, ids in found.items()}


def accept(
    findings: Sequence[Finding], entries: Sequence[Entry], there: Holders, on: dt.date
) -> tuple[Finding, ...]:
    """Write into findings what entries say about them.

    Args:
        findings: Of a report.
        entries: What is accepted.
        there: The cases that were compared.
        on: The day on which entries count or have expired.

    Returns:
        The same findings in the same order. Those of an entry that has expired have its words, and
        count as findings.
    """
    names = _names_now(entries, there)
    said: dict[frozenset[_Place], Acceptance] = {}
    for entry in sorted(entries, key=lambda entry: _said(entry, on).expired, reverse=True):
        if all(side in names for side in entry.sides):
            said[frozenset(map(names.__getitem__, entry.sides))] = _said(entry, on)
    return tuple(_with(finding, said.get(_pair(finding))) for finding in findings)


def missing(entries: Iterable[Entry], there: Holders) -> dict[Entry, tuple[Side, ...]]:
    """The sides of entries whose voxels no case has any more: stale entries, which have no effect.

    Args:
        entries: What is accepted.
        there: All cases of the index.
    """
    listed = list(entries)
    names = _names_now(listed, there)
    found = {entry: tuple(s for s in entry.sides if s not in names) for entry in listed}
    return {entry: sides for entry, sides in found.items() if sides}


def of_pair(entries: Iterable[Entry], sides: tuple[Side, Side], there: Holders) -> list[Entry]:
    """Those of some entries that stand for a pair as it is called now.

    Args:
        entries: What is accepted.
        sides: The pair.
        there: All cases of the index.
    """
    listed = list(entries)
    names = _names_now(listed, there)
    asked = {(s.split, s.case if s.split else "", s.voxels) for s in sides}
    return [entry for entry in listed if {names.get(side) for side in entry.sides} == asked]


def labels_now(entries: Iterable[Entry], there: Holders) -> dict[Side, str]:
    """What the scans of entries are called now, `split/case`; those that are gone are left out.

    Args:
        entries: What is accepted.
        there: All cases of the index.
    """
    places = _names_now(entries, there)
    return {
        side: f"{split}/{case}" if split else side.label
        for side, (split, case, _) in places.items()
    }


def _names_now(entries: Iterable[Entry], there: Holders) -> dict[Side, _Place]:
    """Where the scans of entries are now; those that are not there any more are left out."""
    named: dict[tuple[str, str], dict[str, Side]] = {}
    for entry in entries:
        for side in entry.sides:
            named.setdefault((side.split, side.voxels), {})[side.case] = side
    places: dict[Side, _Place] = {}
    for (split, voxels), sides in named.items():
        if not split:
            places |= dict.fromkeys(sides.values(), ("", "", voxels))
            continue
        ids = there.get((split, voxels), frozenset())
        stayed = {case: case for case in sides if case in ids}
        went, came = sorted(sides.keys() - ids), sorted(ids - sides.keys())
        for old, new in (stayed | dict(zip(went, came, strict=False))).items():
            places[sides[old]] = (split, new, voxels)
    return places


def _said(entry: Entry, on: dt.date) -> Acceptance:
    until = entry.until
    expired = until is not None and on > until
    return Acceptance(entry.reason, None if until is None else until.isoformat(), expired)


def _pair(finding: Finding) -> frozenset[_Place]:
    return frozenset((_place(finding.a), _place(finding.b)))


def _place(member: Member) -> _Place:
    return (member.split, member.case if member.split else "", member.voxels)


def _with(finding: Finding, said: Acceptance | None) -> Finding:
    if said is None:
        return finding
    return dataclasses.replace(finding, accepted=not said.expired, acceptance=said)
