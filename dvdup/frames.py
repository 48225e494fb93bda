"""What a report holds as tables of Arrow, for programs that go on with it.

Comes in: a `Report`. Goes out: a table whose columns and types are the same for every report, in
the order of the report; names and paths as they are in the JSON contract.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dvdup.records import Directed, Finding, Member, Report, Unreadable
from dvdup.report.names import public_path, public_reason

if TYPE_CHECKING:
    import pyarrow as pa

_SCORES = ("count_score", "shared_score", "similarity")
_DIRECTIONS = ("a_to_b", "b_to_a")


def pairs(report: Report) -> pa.Table:
    """Return a row for every reported pair, those that were accepted included."""
    return _table([_pair(finding) for finding in report.pairs], _pair_types())


def unreadable(report: Report) -> pa.Table:
    """Return a row for every case that could not be checked."""
    types = {"split": "string", "case": "string", "paths": "texts", "reason": "string"}
    return _table([_case(case) for case in report.unreadable], {"kind": "string", **types})


def _table(rows: list[dict[str, Any]], types: Mapping[str, str]) -> pa.Table:
    import pyarrow as pa

    known: dict[str, Callable[[], Any]] = {
        "string": pa.string,
        "float": pa.float64,
        "bool": pa.bool_,
        "texts": lambda: pa.list_(pa.string()),
    }
    return pa.Table.from_pylist(rows, pa.schema([(name, known[t]()) for name, t in types.items()]))


def _pair_types() -> dict[str, str]:
    types = {"verdict": "string"}
    for side in "ab":
        names = {"split": "string", "case": "string", "group": "string", "paths": "texts"}
        types |= {f"{side}_{name}": kind for name, kind in names.items()}
    types |= {"basis": "string", "reason": "string", "confidence": "float", "strength": "float"}
    types |= {f"{score}_{way}": "float" for score in _SCORES for way in _DIRECTIONS}
    accepted = {"accepted": "bool", "accepted_reason": "string", "accepted_until": "string"}
    return {**types, **accepted, "fingerprint": "string"}


def _pair(finding: Finding) -> dict[str, Any]:
    said = finding.acceptance
    return {
        "verdict": finding.verdict,
        **_member(finding.a, "a"),
        **_member(finding.b, "b"),
        "basis": _text(finding.basis),
        "reason": _text(finding.reason),
        "confidence": finding.confidence,
        "strength": _strength(finding),
        **{
            f"{name}_{way}": value
            for name in _SCORES
            for way, value in _directed(getattr(finding, name)).items()
        },
        "accepted": finding.accepted,
        "accepted_reason": None if said is None else _text(said.reason),
        "accepted_until": None if said is None else said.until,
        "fingerprint": _text(finding.fingerprint),
    }


def _strength(finding: Finding) -> float | None:
    strength = (finding.voxel or {}).get("strength")
    return float(strength) if isinstance(strength, int | float) else None


def _member(member: Member, side: str) -> dict[str, Any]:
    return {
        f"{side}_split": _text(member.split),
        f"{side}_case": _text(member.case),
        f"{side}_group": None if member.group is None else _text(member.group),
        f"{side}_paths": [_text(public_path(path)) for path in member.paths],
    }


def _case(case: Unreadable) -> dict[str, Any]:
    return {
        "kind": case.kind,
        "split": _text(case.split),
        "case": _text(case.case),
        "paths": [_text(public_path(path)) for path in case.paths],
        "reason": _text(public_reason(case)),
    }


def _directed(score: Directed | None) -> dict[str, float | None]:
    return {way: None if score is None else getattr(score, way) for way in _DIRECTIONS}


def _text(text: str) -> str:
    """Text that Arrow can hold: bytes of a name that are no UTF-8 become escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
