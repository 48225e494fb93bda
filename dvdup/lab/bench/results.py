"""Finished queries to the result: one row a line of every method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dvdup.edits import LEVELS, SUITES, names_of
from dvdup.lab.bench.aggregations import AGGREGATIONS
from dvdup.lab.bench.plan import Line, Record
from dvdup.lab.evaluate import statistics
from dvdup.lab.evaluate.scans import UNEDITED
from dvdup.lab.evaluate.statistics import Count, Rate, Sample
from dvdup.records import Unreadable

EVERYDAY = ("mild", "medium")
"""The strengths that Youden's threshold is fitted and judged on."""
_THRESHOLD_DRAWS = 200  # bootstrap samples in which a threshold is fitted anew

Rates = Mapping[str, Rate | None]
Counts = Mapping[str, Count | None]


@dataclass(frozen=True, slots=True)
class Youden:
    """At the threshold of the largest J over mild and medium edits."""

    threshold: Rate
    sensitivity: Rate | None
    specificity: Rate | None


@dataclass(frozen=True, slots=True)
class Shipped:
    """At the threshold that dvdup comes with, which was fitted on none of these scans."""

    threshold: float
    sensitivity: Counts
    """By strength, as in `Row`."""
    specificity: Counts
    """`unedited` and `edited` queries without their person that raise no alarm."""
    wrong_case: Count | None
    """Alarms for a wrong case, of all positive queries."""
    by_edit: Mapping[str, Counts] = field(default_factory=dict)
    """The sensitivity by edit and strength."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the result."""

    embedder: str
    line: Line
    youden: Youden
    sensitivity: Rates
    """At specificity 0.99: over `all`, `mild`, `medium`, `mild_medium` and `strong` edits."""
    by_edit: Mapping[str, Rates]
    """The same by edit and strength."""
    specificity: Rate | None
    """What the cross-fitted threshold for 0.99 reached."""
    wrong_case: Rate | None
    """Alarms for a wrong case, of all positive queries, at specificity 0.99."""
    first: Rate | None
    """Share of the positive queries that rank the right case first, whatever the score."""
    first_five: Rate | None
    """Share that ranks it among the first five."""
    n_negatives: int
    n_negatives_edited: int
    n_positives: int
    slices_per_second: float | None
    bytes_per_case: int
    shipped: Shipped | None = None
    """Of a score by which dvdup itself decides."""


@dataclass(frozen=True, slots=True)
class Curve:
    """What the plots show of a row."""

    label: str
    false_alarms: np.ndarray
    sensitivity: np.ndarray


@dataclass(frozen=True, slots=True)
class Result:
    """What `dvdup bench` found."""

    data: dict[str, Any]
    rows: tuple[Row, ...]
    curves: tuple[Curve, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """All queries of one method as arrays; Q queries."""

    records: tuple[Record, ...]
    person: np.ndarray
    """int (Q,)."""
    edit: np.ndarray
    level: np.ndarray

    @staticmethod
    def of(records: Sequence[Record], persons: Sequence[str]) -> Answers:
        """From the records, and the person of each scan."""
        asked = {persons[record.scan] for record in records}
        names = {name: i for i, name in enumerate(sorted(asked))}
        return Answers(
            tuple(records),
            np.array([names[persons[record.scan]] for record in records], int),
            np.array([record.edit for record in records]),
            np.array([record.level for record in records]),
        )

    def sample(self, line: Line) -> Sample:
        """The scores of one line."""
        outcomes = [record.outcomes[line.key] for record in self.records]
        return Sample(
            self.person,
            self.edit != UNEDITED,
            np.array([outcome.best for outcome in outcomes]),
            np.array([outcome.right for outcome in outcomes], bool),
            np.array([outcome.stranger for outcome in outcomes]),
        )

    def ranks(self, line: Line) -> np.ndarray:
        """Int (Q,): wrong cases that score as high as the source; many where nothing votes."""
        return np.array([record.outcomes[line.key].rank for record in self.records], int)


@dataclass(frozen=True, slots=True)
class Settings:
    """Of the statistics."""

    seed: int = 0
    bootstrap: int = 1000


def make_row(
    embedder: str,
    line: Line,
    answers: Answers,
    settings: Settings,
    slices_per_second: float | None,
    bytes_per_case: int,
) -> Row:
    """Judge one line.

    Args:
        embedder: The method, as printed.
        line: Which line.
        answers: All queries of the method.
        settings: Seed and size of the bootstrap.
        slices_per_second: As measured.
        bytes_per_case: As measured.
    """
    sample = answers.sample(line)
    n_persons = int(sample.person.max()) + 1
    parts = statistics.folds(n_persons, settings.seed)
    draws = statistics.resampled(n_persons, settings.bootstrap, settings.seed)
    limits = statistics.cross_fitted(sample, statistics.at_specificity, parts)
    hit = (sample.best >= limits) & sample.right
    wrong = (sample.best >= limits) & ~sample.right
    ranks = answers.ranks(line)

    def over(found: np.ndarray, mask: np.ndarray) -> Rate | None:
        return statistics.rate(found, mask & sample.edited, sample.person, draws)

    edited = sample.edited
    return Row(
        embedder=embedder,
        line=line,
        youden=_youden(sample, answers.level, parts, draws),
        sensitivity={name: over(hit, mask) for name, mask in _strengths(answers.level).items()},
        by_edit={
            name: {level: over(hit, mask) for level, mask in masks.items()}
            for name, masks in _edits(answers).items()
        },
        specificity=_specificity(sample, limits, draws),
        wrong_case=over(wrong, edited),
        first=over(sample.right & (ranks == 0), edited),
        first_five=over(ranks < 5, edited),
        n_negatives=int((~edited).sum()),
        n_negatives_edited=int(edited.sum()),
        n_positives=int(edited.sum()),
        slices_per_second=slices_per_second,
        bytes_per_case=bytes_per_case,
        shipped=_shipped(line, sample, answers, draws),
    )


def _edits(answers: Answers) -> dict[str, dict[str, np.ndarray]]:
    """Which queries are of which edit and strength, bool (Q,) each, as far as there are any."""
    found = {
        name: {level: (answers.edit == name) & (answers.level == level) for level in LEVELS}
        for name in names_of(*SUITES)
    }
    there = {
        name: {level: mask for level, mask in masks.items() if mask.any()}
        for name, masks in found.items()
    }
    return {name: masks for name, masks in there.items() if masks}


def _shipped(line: Line, sample: Sample, answers: Answers, draws: np.ndarray) -> Shipped | None:
    limit = AGGREGATIONS[line.aggregation].shipped
    if limit is None:
        return None
    alarm, silent = sample.best >= limit, sample.stranger < limit

    def over(found: np.ndarray, mask: np.ndarray) -> Count | None:
        return statistics.count(found, mask, sample.person, draws)

    return Shipped(
        threshold=limit,
        sensitivity={
            name: over(alarm & sample.right, mask & sample.edited)
            for name, mask in _strengths(answers.level).items()
        },
        specificity={
            "unedited": over(silent, ~sample.edited),
            "edited": over(silent, sample.edited),
        },
        wrong_case=over(alarm & ~sample.right, sample.edited),
        by_edit={
            name: {level: over(alarm & sample.right, mask) for level, mask in masks.items()}
            for name, masks in _edits(answers).items()
        },
    )


def _youden(sample: Sample, level: np.ndarray, parts: np.ndarray, draws: np.ndarray) -> Youden:
    everyday = np.isin(level, EVERYDAY) | ~sample.edited
    part = sample.take(everyday)
    limits = statistics.cross_fitted(part, statistics.youden, parts)
    hit = (part.best >= limits) & part.right
    return Youden(
        statistics.threshold_interval(part, statistics.youden, draws[:_THRESHOLD_DRAWS]),
        statistics.rate(hit, part.edited, part.person, draws),
        _specificity(part, limits, draws),
    )


def _specificity(sample: Sample, limits: np.ndarray, draws: np.ndarray) -> Rate | None:
    silent = sample.stranger < limits
    pools = [(silent, ~sample.edited), (silent, sample.edited)]
    return statistics.worst(pools, sample.person, draws)


def _strengths(level: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "all": np.ones(len(level), bool),
        **{each: level == each for each in LEVELS},
        "mild_medium": np.isin(level, EVERYDAY),
    }


def curve_of(row: Row, answers: Answers) -> Curve:
    """The ROC of a row over all edits."""
    curve = statistics.roc(answers.sample(row.line))
    return Curve(label(row), 1 - curve.specificity, curve.sensitivity)


def label(row: Row) -> str:
    """A row in words: embedder, aggregation, and what is unusual about it."""
    parts = [row.embedder, row.line.aggregation]
    parts += [row.line.index] if row.line.index != "exact" else []
    parts += ["variants"] if row.line.variants else []
    parts += [f"without {row.line.without}"] if row.line.without else []
    return " ".join(parts)
