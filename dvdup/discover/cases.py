"""From scans to cases: subjects, and the checks that every layout shares."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from dvdup.config import DatasetConfig, group_of
from dvdup.discover.names import clean, nfc, shown
from dvdup.discover.search import Scan
from dvdup.errors import ConfigError, InputError
from dvdup.records import Case, Origin

_PATIENT = "patient-"
"""How groups begin that are hashes of a PatientID."""
_PATIENT_GROUP = re.compile(rf"{_PATIENT}[0-9a-f]{{16}}")


ALL = "all"
"""The split of a dataset whose layout says of no split."""


@dataclass(frozen=True, slots=True)
class Split:
    """What a layout found of a split; several with one name add up."""

    name: str
    where: str
    """For messages: `folder val`."""
    cases: list[Case] = field(default_factory=list)


def make_case(
    dataset: DatasetConfig,
    split: str,
    scan: Scan,
    *,
    case_id: str | None = None,
    group: str | None = None,
    origin: Origin = "declared",
) -> Case:
    """Make a scan a case.

    Args:
        dataset: Says how subjects are named.
        split: Its split.
        scan: The scan.
        case_id: Its id; None: the stem of the scan.
        group: Its subject, where something names it; it comes before `dataset.group`.
        origin: How it came to be declared.

    Raises:
        InputError: The id or the subject has characters that cannot be stored or printed.
    """
    case_id = clean(nfc(scan.stem if case_id is None else case_id))
    group = group or _subject(dataset.group, case_id, scan.files[0])
    if group is None and scan.person:
        group = f"{_PATIENT}{scan.person}"
    return Case(
        split=split,
        case_id=case_id,
        files=scan.files,
        group=None if group is None else clean(nfc(group)),
        origin=origin,
        series=scan.series,
        instances=scan.instances,
    )


def _subject(pattern: str | None, case_id: str, path: str) -> str | None:
    if pattern is None:
        return None
    return group_of(pattern, case_id) or group_of(pattern, nfc(path))


def without_only_patient(cases: Sequence[Case]) -> tuple[Case, ...]:
    """Forget the PatientID where all DICOM files have the same: it tells nobody apart."""
    patients = {case.group for case in cases if _PATIENT_GROUP.fullmatch(case.group or "")}
    if len(patients) != 1:
        return tuple(cases)
    return tuple(replace(case, group=None) if case.group in patients else case for case in cases)


def demand_subjects(dataset: DatasetConfig, cases: Sequence[Case]) -> None:
    """Check that `dataset.group`, if it is set, finds the subject of at least one case.

    Raises:
        ConfigError: It finds none, so that a subject in two splits would never be seen.
    """
    if dataset.group is None or any(case.group for case in cases):
        return
    raise ConfigError(
        f"dataset.group {dataset.group!a} finds no subject in the id or path of any of the "
        f"{len(cases):,} cases, such as {shown(cases[0].case_id)} ({shown(cases[0].files[0])}); "
        "correct it, or take it out"
    )


def lacking_subject(dataset: DatasetConfig, cases: Sequence[Case]) -> str:
    """One line on cases in which `dataset.group` finds no subject; "" if there are none."""
    lacking = [case for case in cases if not case.group and case.origin == "declared"]
    if dataset.group is None or not lacking:
        return ""
    which = "1 case" if len(lacking) == 1 else f"{len(lacking):,} cases"
    return (
        f"note: dataset.group finds no subject in {which} of {len(cases):,}, such as "
        f"{shown(lacking[0].split)}/{shown(lacking[0].case_id)}; subjects are compared without"
    )


def demand_cases(splits: Sequence[Split]) -> None:
    """Check that every split has a case.

    Raises:
        InputError: One has none.
    """
    filled = {split.name for split in splits if split.cases}
    for split in splits:
        if split.name not in filled:
            raise InputError(
                f"split {shown(split.name)} has no scan that dvdup reads ({split.where}); put "
                "scans there, or leave it out with dataset.exclude"
            )


def in_order(cases: Iterable[Case], advice: str) -> tuple[Case, ...]:
    """Sort cases by (split, id); the same files under the same id count once, with their subject.

    Args:
        cases: In any order.
        advice: What to do about an id that two scans have.

    Raises:
        InputError: Two scans of one split have the same id, or one scan two subjects.
    """
    found: dict[tuple[str, str], Case] = {}
    for case in cases:
        other = found.setdefault(case.key, case)
        if (other.files, other.series) != (case.files, case.series):
            where = f" of split {shown(case.split)}" if case.split else ""
            raise InputError(
                f"{shown(other.files[0])} and {shown(case.files[0])} both are case "
                f"{shown(case.case_id)}{where}; {advice}"
            )
        if case.group and other.group and case.group != other.group:
            raise InputError(
                f"{shown(case.files[0])} is declared as of subject {shown(other.group)} and of "
                f"{shown(case.group)}; keep the one that is right"
            )
        found[case.key] = case if case.group else other
    return tuple(found[key] for key in sorted(found))
