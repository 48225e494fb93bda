"""The report as one HTML page that needs nothing else, to be looked at and passed on.

Comes in: a `Report`, and the pictures of its pairs where they were drawn. Goes out: a page that
opens from disk in any browser. Style, script and pictures lie in it; its content security policy
names their hashes and forbids everything else, so that no request leaves the page and no name of a
file can run as a script. Without scripts all is shown, and neither sorted nor filtered.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dvdup import __version__
from dvdup.records import (
    VERDICTS,
    Directed,
    Finding,
    Member,
    PairPictures,
    Picture,
    Pictures,
    RefInfo,
    Report,
    Unreadable,
)
from dvdup.report.headline import INCOMPLETE, headline, next_steps, ref_name, summary
from dvdup.report.json import A_TO_B, open_content
from dvdup.report.meanings import MEANINGS
from dvdup.report.names import case_label, files_text, listed, percent, public_path, public_reason
from dvdup.report.pages import part, template
from dvdup.report.sentences import review
from dvdup.report.totals import Comparison, comparisons, distinct_refs, totals
from dvdup.text import visible

OPEN_UP_TO = 20
"""Pairs up to which all of them are unfolded when the page opens."""

_STRONGEST = 10.0  # what is beyond was not written by dvdup
_NOT_DRAWN = PairPictures(notes=("The pictures were left out of this report.",))


def render(report: Report, width: int, color: bool, pictures: Pictures | None = None) -> str:
    """Return the page; the layout of a terminal does not matter.

    Args:
        report: What was found.
        width: Ignored.
        color: Ignored.
        pictures: Of its pairs, in its order; None: they were not asked for.
    """
    style, script = part("report.css"), part("report.js")
    return template("report.html.jinja").render(
        style=style,
        script=script,
        policy=_policy(style, script),
        version=__version__,
        incomplete=bool(report.unreadable),
        tone=_tone(report),
        sentences=headline(report),
        INCOMPLETE=INCOMPLETE,
        steps=next_steps(report),
        summary=summary(report),
        matrix=_matrix(report),
        rows=list(_rows(report, pictures)),
        open_up_to=OPEN_UP_TO,
        verdicts=[(name, MEANINGS[name]) for name in VERDICTS],
        groups=[(g.verdict, [visible(each) for each in g.members]) for g in _groups(report)],
        unchecked=[_unchecked(case) for case in report.unreadable],
        settings=list(_flat(open_content(report.settings))),
    )


def _policy(style: str, script: str) -> str:
    """What a browser may do: show what lies in the page, and nothing else."""
    return (
        f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _tone(report: Report) -> str:
    sums = totals(report)
    if sums.copies:
        return "bad"
    return "doubtful" if sums.pairs or sums.unreadable else "good"


def _groups(report: Report) -> list[Any]:
    """The groups that say more than their pairs do."""
    return [group for group in report.groups if len(group.members) > 2]


# Who was compared with whom


@dataclass(frozen=True, slots=True)
class Cell:
    """What was found between two refs."""

    text: str
    more: str
    """The second line; "" without one."""
    level: int
    """How much was copied, 0 (nothing) to 4."""
    splits: str
    """What rows of its pairs have as `Row.splits`; "" where there are none."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Every ref against every ref."""

    titles: tuple[str, ...]
    """Of the columns: the refs asked about."""
    rows: tuple[tuple[str, tuple[Cell | None, ...]], ...]
    """The ref looked into, and its cells; None where two were not compared."""


def _matrix(report: Report) -> Grid:
    compared = {(one.first.ref, one.second.ref): one for one in comparisons(report)}
    refs = distinct_refs(report)
    columns = [ref for ref in refs if any(second == ref.ref for _, second in compared)]
    rows = [ref for ref in refs if any(first == ref.ref for first, _ in compared)]
    found = tuple(
        (
            _ref_title(row),
            tuple(
                _cell(one) if (one := compared.get((row.ref, column.ref))) else None
                for column in columns
            ),
        )
        for row in rows
    )
    return Grid(tuple(map(_ref_title, columns)), found)


def _ref_title(ref: RefInfo) -> str:
    return f"{ref_name(ref)} ({ref.cases:,})" if ref.split else ref_name(ref)


def _cell(one: Comparison) -> Cell:
    share = one.copied / max(one.copied, one.second.cases, 1)
    level = 0 if not one.copied else 1 + sum(share > limit for limit in (0.01, 0.1, 0.5))
    text = "no copy"
    if one.copied:
        text = f"{one.copied:,} of {max(one.copied, one.second.cases):,} ({percent(share, 1)})"
    more = f"{one.same_subject:,} of the same subject" if one.same_subject else ""
    splits = _splits(one.first.split, one.second.split) if one.copied or more else ""
    return Cell(text, more, level, splits)


def _splits(first: str, second: str) -> str:
    """Two splits as one text, in whatever order they come."""
    return " and ".join(visible(split) or "files" for split in sorted((first, second)))


# Pairs


@dataclass(frozen=True, slots=True)
class Side:
    """One case of a pair as shown."""

    name: str
    files: str
    """Its main file; "" where the name says it."""
    group: str


@dataclass(frozen=True, slots=True)
class Shown:
    """One picture as shown."""

    source: str
    """A data URI."""
    width: int
    height: int
    text: str
    """What it shows, for whoever does not see it."""
    caption: str


@dataclass(frozen=True, slots=True)
class Row:
    """One pair as shown."""

    number: int
    verdict: str
    rank: int
    """0 for the strongest verdict."""
    left: Side
    """Side b, which is already in side a."""
    right: Side
    splits: str
    reason: str
    confidence: str
    similarity: str
    accepted: bool
    review: str
    """What `dvdup accept` was told about it; "" if it was never accepted."""
    strength: str
    """How strongly the voxels speak for a copy; "" where they were not compared."""
    numbers: tuple[tuple[str, str], ...]
    pictures: tuple[tuple[Shown, ...], ...]
    matrix: Shown | None
    notes: tuple[str, ...]


def _rows(report: Report, pictures: Pictures | None) -> Iterator[Row]:
    for number, finding in enumerate(report.pairs):
        drawn = _NOT_DRAWN if pictures is None else pictures[number]
        left, right = _side(finding.b), _side(finding.a)
        yield Row(
            number=number + 1,
            verdict=finding.verdict,
            rank=VERDICTS.index(finding.verdict),
            left=left,
            right=right,
            splits=_splits(finding.a.split, finding.b.split),
            reason=visible(finding.reason) or visible(finding.basis),
            confidence=_confidence(finding),
            similarity=f"{finding.similarity.best:.2f}" if finding.similarity else "",
            accepted=finding.accepted,
            review=review(finding),
            strength=_strength(finding),
            numbers=tuple(_numbers(finding)),
            pictures=tuple(_pictures(drawn, left, right)),
            matrix=_shown(drawn.matrix, "similarities of all slices") if drawn.matrix else None,
            notes=tuple(map(visible, drawn.notes)),
        )


def _confidence(finding: Finding) -> str:
    """Two places; only what is certain is 1."""
    return "1.00" if finding.confidence == 1 else f"{min(finding.confidence, 0.99):.2f}"


def _strength(finding: Finding) -> str:
    strength = (finding.voxel or {}).get("strength")
    known = isinstance(strength, int | float) and abs(strength) <= _STRONGEST
    return f"{strength:.2f}" if known else ""


def _side(member: Member) -> Side:
    name, text = visible(case_label(member.split, member.case)), files_text(member)
    return Side(name, "" if text == name else text, visible(member.group or ""))


def _numbers(finding: Finding) -> Iterator[tuple[str, str]]:
    """What is known about a pair in numbers, for whoever wants to check it."""
    scores = {
        "shared slices": finding.shared_score,
        "count score": finding.count_score,
        "similarity": finding.similarity,
    }
    yield from ((name, _directed(score)) for name, score in scores.items() if score is not None)
    for title, content in (("voxels", finding.voxel), ("alignment", finding.alignment)):
        if content:
            shown = {key: value for key, value in content.items() if key != A_TO_B}
            yield from _flat(open_content(shown), title)
    yield "basis", visible(finding.basis)
    yield "fingerprint", visible(finding.fingerprint)


def _directed(score: Directed) -> str:
    return f"{score.b_to_a:.2f} there, {score.a_to_b:.2f} back"


def _pictures(drawn: PairPictures, left: Side, right: Side) -> Iterator[tuple[Shown, ...]]:
    """The rows of pictures of a pair."""
    for row in drawn.rows:
        names = (left.name, right.name, "difference")
        yield tuple(_shown(picture, name) for picture, name in zip(row, names, strict=True))


def _shown(picture: Picture, name: str) -> Shown:
    caption = visible(picture.caption)
    source = f"data:image/webp;base64,{base64.b64encode(picture.data).decode()}"
    return Shown(source, *picture.size, f"{name}, {caption}", caption)


# What else there is


@dataclass(frozen=True, slots=True)
class Unchecked:
    """A case that could not be checked, as shown."""

    name: str
    files: str
    kind: str
    reason: str


def _unchecked(case: Unreadable) -> Unchecked:
    name = visible(case_label(case.split, case.case))
    return Unchecked(name, files_text(case), case.kind, visible(public_reason(case)))


def _flat(content: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Open content as JSON values to names and values: `thresholds near shared`, `0.4`."""
    if isinstance(content, dict) and content:
        for key in sorted(content, key=str):
            yield from _flat(content[key], f"{name} {visible(str(key))}".strip())
    elif isinstance(content, list | tuple) and all(isinstance(each, str) for each in content):
        yield name, listed(visible(each) for each in content) or "none"
    elif isinstance(content, str):
        yield name, visible(public_path(content)) or "none"
    else:
        yield name, visible(json.dumps(content))
