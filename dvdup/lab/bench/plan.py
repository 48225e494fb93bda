"""What a bench asks: scans, persons, edits; and the records that its queries leave."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dvdup import __version__, edits
from dvdup.edits import LEVELS
from dvdup.embedders import packaged_weights, projection_file
from dvdup.errors import InputError
from dvdup.fingerprint import code_fingerprint
from dvdup.hashing import file_hash, text_hash
from dvdup.lab.bench.aggregations import ABLATIONS, AGGREGATIONS
from dvdup.lab.bench.describers import Method
from dvdup.lab.evaluate.scans import UNEDITED, Content
from dvdup.records import Case

QUICK_SCANS = 24
QUICK_EDITS = ("rotation", "crop", "mirror", "noise", "gamma", "slab", edits.COMPOSE)

CODE = ("compare", "slicing", "variants", "verify", "voxels")
"""The modules whose source is part of what candidates and their voxels say."""

_VERSION = 1  # of the protocol: grows whenever the same scans get other queries


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the result: an aggregation over an index, with or without this and that."""

    aggregation: str
    index: str = "exact"
    variants: bool = False
    """Whether query variants are on."""
    without: str = ""
    """What is left out, a name in `ABLATIONS`."""

    @property
    def key(self) -> str:
        """Name in the records; changes with the version of the aggregation."""
        version = AGGREGATIONS[self.aggregation].version
        changed = self.variants or AGGREGATIONS[self.aggregation].costly
        changes = f"+variants.{variants_key()}" if changed else ""
        less = f"-{self.without}" if self.without else ""
        return f"{self.aggregation}.{version}/{self.index}{changes}{less}"


@functools.cache
def variants_key() -> str:
    """Changes with the code that makes variant rows and candidates."""
    code = code_fingerprint(*CODE)
    return text_hash(code + file_hash(projection_file(packaged_weights())))[:12]


@dataclass(frozen=True, slots=True)
class Task:
    """The edits of one strength of one scan, done by one worker in one go."""

    scan: int
    """Code of the scan."""
    level: str
    edits: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Subjects:
    """The scans of a bench, N in all, sorted by id."""

    cases: tuple[Case, ...]
    contents: tuple[Content, ...]
    persons: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.cases)


@dataclass(frozen=True, slots=True)
class Plan:
    """Which queries are asked."""

    edits: tuple[str, ...]
    scans: tuple[int, ...]
    """Codes of the scans that are asked about."""
    levels: tuple[str, ...] = LEVELS

    def tasks(self) -> Iterator[Task]:
        """All tasks, scan by scan."""
        for scan in self.scans:
            yield Task(scan, UNEDITED, (UNEDITED,))
            for level in self.levels:
                there = edits.available(level, *edits.SUITES)
                names = tuple(each for each in there if each in self.edits)
                if names:
                    yield Task(scan, level, names)

    def describe(self) -> dict[str, Any]:
        """As JSON values."""
        return {"edits": list(self.edits), "levels": list(self.levels)}


def plan_edits(names: Sequence[str], quick: bool) -> tuple[str, ...]:
    """The edits asked for, in the order of the table; the standard ones if none is named.

    Args:
        names: Of edits and of suites.
        quick: Whether few of them do where none is named.

    Raises:
        InputError: One of them does not exist.
    """
    known = edits.names_of(*edits.SUITES)
    unknown = sorted(set(names) - {*known, *edits.SUITES})
    if unknown:
        raise InputError(
            f"there is no edit {unknown[0]!r}; there are {', '.join(known)}, and the suites "
            f"{' and '.join(edits.SUITES)}"
        )
    standard = edits.names_of("standard")
    suites = [suite for suite in edits.SUITES if suite in names]
    wanted = {*names, *edits.names_of(*suites)} or (QUICK_EDITS if quick else standard)
    return tuple(name for name in known if name in wanted)


def plan_scans(cases: Sequence[Case], pattern: str | None) -> tuple[int, ...]:
    """Codes of the scans that are asked about.

    Args:
        cases: Those that take part.
        pattern: A regular expression that is searched for in their ids; None: all.

    Raises:
        InputError: It is none, or finds nobody.
    """
    if pattern is None:
        return tuple(range(len(cases)))
    try:
        found = re.compile(pattern)
    except re.error as error:
        raise InputError(f"--ask {pattern!r} is no regular expression: {error}") from error
    codes = tuple(code for code, case in enumerate(cases) if found.search(case.case_id))
    if not codes:
        raise InputError(
            f"--ask {pattern!r} finds none of {len(cases)} scans, such as {cases[0].case_id!r}"
        )
    return codes


@dataclass(frozen=True, slots=True)
class Voxels:
    """Which comparisons of voxels are measured."""

    verified: bool = False
    """All steps."""
    ablate: bool = False
    """And with each left out."""

    @property
    def without(self) -> tuple[str, ...]:
        """What is left out of one line each."""
        return tuple(ABLATIONS) if self.ablate else ("",) if self.verified else ()


NO_VOXELS = Voxels()
"""None."""


def lines_for(
    method: Method, indexes: Sequence[str], variants: bool, voxels: Voxels
) -> tuple[Line, ...]:
    """The lines that a method is measured in, in the order of the output."""
    found = []
    for row in AGGREGATIONS.values():
        if row.whole == method.sliced:
            continue
        if row.costly:
            found += [Line(row.name, without=name) for name in voxels.without]
            continue
        found += [Line(row.name, index) for index in (indexes if row.approximate else ("exact",))]
        if variants and row.variants is not None:
            found.append(Line(row.name, variants=True))
    return tuple(found)


def key_of(method: Method, subjects: Subjects) -> str:
    """Name of the work of one method: changes with everything that changes its queries' answers.

    Edits and lines are not in it, because records say which they are of.
    """
    what = {
        "dvdup": __version__,
        "protocol": _VERSION,
        "method": method.key,
        "scans": [
            [case.case_id, content.key, content.voxel_hashes, person]
            for case, content, person in zip(
                subjects.cases, subjects.contents, subjects.persons, strict=True
            )
        ],
    }
    text = json.dumps(what, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one line says about one query, with and without its person in the database."""

    best: float
    """Score of the best case of the whole database; -inf if nothing in the query has a vote."""
    right: bool
    """Whether that case is the source or a known identical copy."""
    rank: int
    """How many wrong cases score at least as high as the source; 0 is first."""
    stranger: float
    """Score of the best case when the person is not in the database."""

    def to_json(self) -> list[Any]:
        """As a short list."""
        return [_finite(self.best), int(self.right), self.rank, _finite(self.stranger)]

    @staticmethod
    def from_json(values: Sequence[Any]) -> Outcome:
        """Read it back."""
        best, right, rank, stranger = values
        return Outcome(_number(best), bool(right), int(rank), _number(stranger))


def _finite(value: float) -> float | None:
    return round(float(value), 7) if np.isfinite(value) else None


def _number(value: float | None) -> float:
    return -np.inf if value is None else float(value)


@dataclass(frozen=True, slots=True)
class Record:
    """One query by one method: an edited scan and what every line says about it."""

    scan: int
    edit: str
    level: str
    n_slices: int
    seconds: float
    """Spent in `embed`."""
    outcomes: dict[str, Outcome]
    """By `Line.key`."""

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "scan": self.scan,
            "edit": self.edit,
            "level": self.level,
            "slices": self.n_slices,
            "seconds": round(self.seconds, 6),
            "outcomes": {key: self.outcomes[key].to_json() for key in sorted(self.outcomes)},
        }

    @staticmethod
    def from_json(values: dict[str, Any]) -> Record:
        """Read it back."""
        outcomes = {key: Outcome.from_json(each) for key, each in values["outcomes"].items()}
        return Record(
            int(values["scan"]),
            str(values["edit"]),
            str(values["level"]),
            int(values["slices"]),
            float(values["seconds"]),
            outcomes,
        )
