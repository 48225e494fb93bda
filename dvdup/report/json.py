"""The report as JSON, contract `dvdup/report@1`, and back.

Comes in: a `Report`. Goes out: one document described by `report.schema.json`: same report, same
bytes. It holds no time, no table version, no absolute path; floats have 4 places. `from_json` reads
it again, so that a stored result can be rendered in any format.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import math
from collections.abc import Sequence
from importlib.resources import files
from numbers import Integral, Real
from typing import Any, get_args

from dvdup import __version__
from dvdup.errors import InputError
from dvdup.records import (
    VERDICTS,
    Acceptance,
    CaseDifference,
    CaseNote,
    Change,
    ChangeKind,
    Directed,
    Finding,
    Group,
    Member,
    PairResult,
    RefInfo,
    Report,
    SliceLine,
    Unreadable,
    VersionChange,
)
from dvdup.report.names import public_path, public_reason
from dvdup.report.sentences import changes, mirrored
from dvdup.report.totals import totals

SCHEMA = "dvdup/report@1"
"""Value of the `schema` key; the number grows with any change that breaks a reader."""
_ANY_VERSION = SCHEMA.rstrip("0123456789")
PLACES = 4
"""Decimal places of every float."""
_DEEPEST = 32
"""Levels that open content is nested in; dvdup needs five."""
A_TO_B = "a_to_b"
"""The key of `alignment` that says where the voxels of a lie in b."""


def render(report: Report, width: int, color: bool) -> str:
    """Return the report as JSON; the layout of a terminal does not matter."""
    return to_json(report)


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the document, as packaged."""
    text = files("dvdup.report").joinpath("report.schema.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    return document


def to_json(report: Report) -> str:
    """Return the document as ASCII text ending with a newline.

    Names are escaped where needed, so even undecodable bytes of file names survive.

    Raises:
        ValueError: If a score is NaN or infinite, which no room may hand over.
    """
    return guarded(json.dumps(to_document(report), indent=2, allow_nan=False) + "\n")


def guarded(text: str) -> str:
    """Return JSON of equal meaning that no CI service takes for a command (`##[command]`)."""
    return text.replace("##", r"\u0023\u0023")  # two hashes can stand in texts only


def to_document(report: Report) -> dict[str, Any]:
    """Return the document of the contract as JSON values."""
    sums = totals(report)
    return {
        "schema": SCHEMA,
        "dvdup": __version__,
        "settings": open_content(report.settings),
        "refs": [
            {"ref": public_path(ref.ref), "split": ref.split, "cases": ref.cases}
            for ref in report.refs
        ],
        "totals": {
            "cases": {public_path(split): n for split, n in sums.cases.items()},
            "pairs": sums.pairs,
            **{str(verdict): n for verdict, n in sums.verdicts.items()},
            "accepted": sums.accepted,
            "unreadable": sums.unreadable,
        },
        **_changes(report.changes),
        "pairs": [_finding(finding) for finding in report.pairs],
        "groups": [
            {"id": group.id, "members": list(group.members), "verdict": group.verdict}
            for group in report.groups
        ],
        "unreadable": [
            {
                "case": case.case,
                "split": case.split,
                "paths": _paths(case.paths),
                "reason": public_reason(case),
                "kind": case.kind,
            }
            for case in report.unreadable
        ],
        **({"notes": list(map(dataclasses.asdict, report.notes))} if report.notes else {}),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "a": _member(finding.a),
        "b": _member(finding.b),
        "verdict": finding.verdict,
        "basis": finding.basis,
        "reason": finding.reason,
        "confidence": _rounded(finding.confidence),
        "count_score": _directed(finding.count_score),
        "shared_score": _directed(finding.shared_score),
        "similarity": _directed(finding.similarity),
        "alignment": open_content(finding.alignment),
        "voxel": open_content(finding.voxel),
        "accepted": finding.accepted,
        **_acceptance(finding.acceptance),
        "fingerprint": finding.fingerprint,
    }


def _changes(changes: Sequence[VersionChange] | None) -> dict[str, Any]:
    """The optional key `changes`."""
    if changes is None:
        return {}
    told = [
        {
            "change": change.kind,
            **{
                name: None if side is None else _member(side)
                for name, side in (("before", change.before), ("after", change.after))
            },
            "differences": list(change.differences),
            "copy_of": None if change.copy_of is None else _member(change.copy_of),
            "verdict": change.verdict,
            "reason": change.reason,
        }
        for change in changes
    ]
    return {"changes": told}


def _acceptance(said: Acceptance | None) -> dict[str, Any]:
    """The optional key `acceptance`."""
    return {} if said is None else {"acceptance": dataclasses.asdict(said)}


def _member(member: Member) -> dict[str, Any]:
    return {
        "case": member.case,
        "split": member.split,
        "group": member.group,
        "paths": _paths(member.paths),
        **({"voxels": member.voxels} if member.voxels else {}),
    }


def _paths(paths: tuple[str, ...]) -> list[str]:
    return [public_path(path) for path in paths]


def _directed(score: Directed | None) -> dict[str, float] | None:
    if score is None:
        return None
    return {"a_to_b": _rounded(score.a_to_b), "b_to_a": _rounded(score.b_to_a)}


def _rounded(value: float) -> float:
    return round(float(value), PLACES) + 0.0  # + 0.0: minus zero is zero


def open_content(value: Any) -> Any:
    """Return open content (settings, alignment, voxel) as JSON values with sorted keys.

    A number that is not finite becomes null: a fit that did not converge is no reason to lose the
    report.
    """
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, dict):
        return {str(key): open_content(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, (list, tuple)):
        return [open_content(item) for item in value]
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return _rounded(float(value)) if math.isfinite(value) else None
    raise TypeError(f"{type(value).__name__} has no place in a report")


def alignment_of(result: PairResult) -> dict[str, Any] | None:
    """How b lies on a, as the contract has it; None where that is not known."""
    found: dict[str, Any] = {}
    if result.change is not None:
        found |= _change(result.change)
    if result.slices is not None:
        found["slices"] = _slices(result.slices)
    if result.a_to_b is not None:
        found[A_TO_B] = [[_rounded(number) for number in row] for row in result.a_to_b]
    return None if result.other_side or not found else found


def _change(change: Change) -> dict[str, Any]:
    return {
        "mirrored": list(mirrored(change)),
        "turned": change.turned,
        "angle": round(change.degrees, 2),
        "scale": [round(each, 4) for each in change.scale],
        "shear": round(change.shear, 4),
        "offset_mm": [round(each, 2) for each in change.shift_mm],
        "shown": [round(each, 4) for each in change.shown],
        "done": list(changes(change)),
    }


def _slices(line: SliceLine) -> dict[str, Any]:
    return {
        "planes": [line.plane_a, line.plane_b],
        "offset_mm": round(line.offset_mm, 2),
        "scale": round(line.slope, 4),
        "mirrored": line.mirrored,
        "slices_a": list(line.slices_a),
        "slices_b": list(line.slices_b),
        "inliers": round(line.inliers, 4),
        "score": round(line.score, 4),
    }


def voxel_of(result: PairResult) -> dict[str, Any] | None:
    """How much the voxels agree, as the contract has it; None if there was nothing to compare."""
    found = result.agreement
    if found is None:
        return None
    return {
        "correlation": round(found.correlation, 4),
        "middle": round(found.middle, 4),
        "fine": round(found.fine, 4),
        "residual": round(found.residual, 4),
        "overlap": [round(each, 4) for each in found.overlap],
        "voxels": found.voxels,
        "cells": round(found.cells, 1),
        "grid_mm": round(found.grid_mm, 3),
        "strength": round(result.strength, 2),
    }


def from_json(text: str) -> Report:
    """Read a document written by `to_json`; the totals are computed again, not read.

    Raises:
        InputError: If the text is not such a document.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"not a dvdup report: it is not JSON ({error})") from error
    found = document.get("schema") if isinstance(document, dict) else None
    if isinstance(found, str) and found.startswith(_ANY_VERSION) and found != SCHEMA:
        raise InputError(
            f"a report of another version of dvdup: its schema is {found!r}, this version reads "
            f"{SCHEMA!r}; make it again, or render it with the dvdup that wrote it"
        )
    if found != SCHEMA:
        raise InputError(f"not a dvdup report: its schema is {found!r}, expected {SCHEMA!r}")
    try:
        return _report(document)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise InputError(
            f"damaged dvdup report ({type(error).__name__}: {error}): make it again with dvdup diff"
        ) from error


def _report(document: dict[str, Any]) -> Report:
    return Report(
        settings=_object(document["settings"]),
        refs=tuple(
            RefInfo(_string(ref["ref"]), _string(ref["split"]), _count(ref["cases"]))
            for ref in document["refs"]
        ),
        pairs=tuple(map(_read_finding, document["pairs"])),
        groups=tuple(
            Group(_string(group["id"]), _strings(group["members"]), _verdict(group["verdict"]))
            for group in document["groups"]
        ),
        unreadable=tuple(
            Unreadable(
                _string(case["case"]),
                _string(case["split"]),
                _strings(case["paths"]),
                _string(case["reason"]),
                _kind(case.get("kind", "unreadable")),
            )
            for case in document["unreadable"]
        ),
        changes=_read_changes(document.get("changes")),
        notes=tuple(
            CaseNote(_string(said["case"]), _string(said["split"]), _string(said["note"]))
            for said in document.get("notes", [])
        ),
    )


def _read_changes(told: Any) -> tuple[VersionChange, ...] | None:
    return None if told is None else tuple(map(_read_change, told))


def _read_change(told: dict[str, Any]) -> VersionChange:
    before, after, copy = (
        None if told[name] is None else _read_member(told[name])
        for name in ("before", "after", "copy_of")
    )
    if before is None and after is None:
        raise ValueError("a change of no case")
    return VersionChange(
        _one_of(get_args(ChangeKind), told["change"]),
        before,
        after,
        tuple(_one_of(get_args(CaseDifference), each) for each in told["differences"]),
        copy,
        None if told["verdict"] is None else _verdict(told["verdict"]),
        _string(told["reason"]),
    )


def _one_of(known: tuple[Any, ...], value: Any) -> Any:
    if value not in known:
        raise ValueError(f"{value!r} is none of {', '.join(known)}")
    return value


def _read_finding(pair: dict[str, Any]) -> Finding:
    return Finding(
        a=_read_member(pair["a"]),
        b=_read_member(pair["b"]),
        verdict=_verdict(pair["verdict"]),
        basis=_string(pair["basis"]),
        reason=_string(pair["reason"]),
        confidence=_number(pair["confidence"]),
        count_score=_read_directed(pair["count_score"]),
        shared_score=_read_directed(pair["shared_score"]),
        similarity=_read_directed(pair["similarity"]),
        fingerprint=_string(pair["fingerprint"]),
        alignment=_read_open(pair["alignment"]),
        voxel=_read_open(pair["voxel"]),
        accepted=_flag(pair["accepted"]),
        acceptance=_read_acceptance(pair.get("acceptance")),
    )


def _read_acceptance(said: dict[str, Any] | None) -> Acceptance | None:
    if said is None:
        return None
    return Acceptance(
        reason=_string(said["reason"]),
        until=None if said["until"] is None else _date(said["until"]),
        expired=_flag(said["expired"]),
    )


def _read_member(member: dict[str, Any]) -> Member:
    group = member["group"]
    return Member(
        case=_string(member["case"]),
        split=_string(member["split"]),
        group=None if group is None else _string(group),
        paths=_strings(member["paths"]),
        voxels=_string(member.get("voxels", "")),
    )


def _read_directed(score: dict[str, Any] | None) -> Directed | None:
    if score is None:
        return None
    return Directed(_number(score["a_to_b"]), _number(score["b_to_a"]))


def _read_open(content: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if content is None else _object(content)


def _verdict(value: str) -> Any:
    if value not in VERDICTS:
        raise ValueError(f"verdict {value!r}")
    return value


def _kind(value: str) -> Any:
    if value not in ("unreadable", "stale"):
        raise ValueError(f"kind {value!r}")
    return value


def _object(value: Any) -> dict[str, Any]:
    """Open content; what could not be written again is refused here."""
    if not isinstance(value, dict):
        raise TypeError(f"{value!r} is not an object")
    json.dumps(value, allow_nan=False)
    if not _is_flat(value, _DEEPEST):
        raise ValueError(f"nested more than {_DEEPEST} levels deep")
    return value


def _is_flat(value: Any, levels: int) -> bool:
    """Whether a JSON value is nested in at most so many levels."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels >= 0 and all(_is_flat(each, levels - 1) for each in inner)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is not a number")
    if not -1 <= value <= 1:
        raise ValueError(f"{value!r} is no score")
    return float(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is not true or false")
    return value


def _date(value: Any) -> str:
    """A day as 2027-01-31."""
    return dt.date.fromisoformat(_string(value)).isoformat()


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise TypeError(f"{value!r} is not a count")
    return value


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value


def _strings(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list):
        raise TypeError(f"{values!r} is not a list")
    return tuple(map(_string, values))
