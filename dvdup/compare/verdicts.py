"""Scores and hashes to verdicts.

In: the cases of two refs, their `PairScore`, and what voxels said. Out: decisions and groups.

- `identical`: the cases share a voxel hash, or their voxels are equal but for rounding, or pointers
  of what is not here record the same bytes, or one file is declared in both splits.
- `near`, `partial`: the voxels say so; see `verify`. Where they were not compared or could not
  decide, the slices do, for `near` alone: in one of the two directions they agree
  (`shared_score`), and the whole scan is far more similar than strangers are (`standout`). With
  fewer than 5 voting slices agreement of the slices proves nothing, and without a cohort there
  are no strangers to compare with: then only a very high similarity counts.
- `same-subject`, basis "declared": equal group ids, in two splits; basis "inferred": the voxels say
  that it is one anatomy in two acquisitions.

Standout is how far the similarity lies on the way from that of the median case to 1. It is what
makes one threshold serve both brains brought to one frame (strangers reach 0.94) and small crops
(strangers reach 0.7): a form of score normalisation against a cohort.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from dvdup.accepted import known_by
from dvdup.compare.nominated import sharing_images
from dvdup.hashing import group_id
from dvdup.records import (
    EQUAL_SLICES,
    EQUAL_VALUES,
    MIN_COHORT,
    VERDICTS,
    Finding,
    Group,
    IndexedCase,
    Key,
    Member,
    Pair,
    PairDecision,
    PairResult,
    PairScore,
    Verdict,
)

_OF_VOXELS = ("voxels", "value-hash", "inferred")  # what a `PairResult` is the reason for
_BY_HASHES = (EQUAL_VALUES, EQUAL_SLICES)

MIN_SLICES = 5
"""Voting slices below which the slices alone never decide."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The constants of one embedder; fitted, see the table."""

    margin: float
    """Of `shared_score`, see `match`."""
    floor: float
    """Of `shared_score`, see `match`."""
    shared: float
    """`shared_score` from which a pair is near ..."""
    standout: float
    """... if its standout reaches this too."""
    alone: float
    """Similarity that decides without a cohort, together with `shared`."""
    few_slices: float
    """Similarity that decides where fewer than 5 slices vote."""

    def describe(self) -> dict[str, Any]:
        """For the settings of a report."""
        return asdict(self)


# Fitted on whole-head T1 scans (OpenNeuro ds002748) by `tests/perf/fit_thresholds.py`: no pair of
# different persons passes; noise of 3 %, gamma 1.5, a crop by 10 % and a rotation by 3 degrees as
# positives, 50 persons; the builtin's training has seen most of them. `builtin`: about halfway
# between the highest stranger (shared 0.26, standout 0.31) and the lowest copy (0.87, 0.75).
THRESHOLDS: dict[str, Thresholds] = {
    "builtin": Thresholds(
        margin=0.01, floor=0.35, shared=0.60, standout=0.55, alone=0.90, few_slices=0.96
    ),
    "thumbnail": Thresholds(
        margin=0.01, floor=0.35, shared=0.70, standout=0.45, alone=0.96, few_slices=0.985
    ),
}
DEFAULT = Thresholds(
    margin=0.01, floor=0.35, shared=0.70, standout=0.50, alone=0.96, few_slices=0.985
)


def thresholds_for(embedder: str) -> Thresholds:
    """The constants for an embedder: its own row, that of its family, or the default.

    Args:
        embedder: Name as in `EmbedderSpec.name`; checkpoint and options do not matter.
    """
    model = embedder.split("@", 1)[0].split("?", 1)[0]
    return THRESHOLDS.get(model, DEFAULT)


@dataclass(frozen=True, slots=True)
class _Evidence:
    """The better of the two directions."""

    shared: float
    standout: float
    similarity: float
    enough_slices: bool
    enough_cohort: bool

    def margin(self, limits: Thresholds) -> float:
        """How far above the thresholds, 0 to 1; negative if below."""
        if not self.enough_slices:
            return _above(self.similarity, limits.few_slices)
        if not self.enough_cohort:
            return min(_above(self.shared, limits.shared), _above(self.similarity, limits.alone))
        return min(_above(self.shared, limits.shared), _above(self.standout, limits.standout))


def find(
    a: Sequence[IndexedCase],
    b: Sequence[IndexedCase],
    scores: Iterable[PairScore],
    limits: Thresholds,
    verified: Mapping[Pair, PairResult] = MappingProxyType({}),
    same_bytes: Collection[Pair] = frozenset(),
    same_files: Collection[Pair] = frozenset(),
) -> tuple[PairDecision, ...]:
    """Decide about every pair of cases of two refs.

    Args:
        a: Cases of the first ref.
        b: Cases of the second ref; for one split against itself the same sequence.
        scores: Their scores, from `match`.
        limits: The constants of the embedder.
        verified: What their voxels say, of those pairs that were looked at; (a, b) as in scores.
        same_bytes: Pairs whose bytes are the same by what pointers record, whose data is not here.
        same_files: Pairs that have a file in common, by the names that are declared.

    Returns:
        Decisions, strongest first, then by name; each pair once, a case never with itself.
    """
    left, right = {case.key: case for case in a}, {case.key: case for case in b}
    within = a is b
    scored = {(score.a, score.b): score for score in scores}
    same = [*_sharing(a, b, _hashes), *same_bytes, *same_files]
    pairs: dict[Pair, Verdict] = dict.fromkeys(same, "identical")
    for pair, score in scored.items():
        verdict = _of_voxels_or_slices(score, verified.get(pair), limits)
        if verdict is not None:
            pairs.setdefault(pair, verdict)
    for pair, seen in verified.items():
        if pair not in scored and seen.decided and seen.verdict is not None:
            pairs.setdefault(pair, seen.verdict)
    images = sharing_images(a, a if within else b)
    for pair in images:
        told = _by_images(left[pair[0]], right[pair[1]], images[pair], verified.get(pair))
        if told is not None:
            pairs.setdefault(pair, told)
    for pair in _sharing(a, b, _groups):
        if pair[0][0] != pair[1][0]:
            pairs.setdefault(pair, "same-subject")
    decisions = [
        _decision(
            _Pair(
                *(left[one], right[other], scored.get((one, other)), verified.get((one, other))),
                images.get((one, other), (0, 0)),
                recorded=(one, other) in same_bytes,
                one_file=(one, other) in same_files,
            ),
            verdict,
            limits,
        )
        for (one, other), verdict in pairs.items()
        if one != other and not (within and one > other)
    ]
    return tuple(sorted(decisions, key=order))


def order(finding: Finding | PairDecision) -> tuple[int, str, str, str, str]:
    """Sort key of findings: strongest verdict first, then by name of b and a."""
    rank = VERDICTS.index(finding.verdict)
    return (rank, finding.b.split, finding.b.case, finding.a.split, finding.a.case)


def groups(findings: Iterable[Finding]) -> tuple[Group, ...]:
    """Cases that are copies of one another, directly or through others.

    Same-subject pairs join nobody: they are two scans.

    Returns:
        Groups of two or more, sorted by their smallest member. The verdict is the weakest link
        of the strongest chain that holds the group together.
    """
    parent: dict[str, str] = {}
    weakest: dict[str, int] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for finding in sorted(findings, key=order):
        rank = VERDICTS.index(finding.verdict)
        if finding.verdict == "same-subject":
            continue
        one, other = sorted((root(finding.a.label), root(finding.b.label)))
        if one != other:
            parent[other] = one
            weakest[one] = max(rank, weakest.get(one, 0), weakest.get(other, 0))
    members: dict[str, list[str]] = {}
    for name in sorted(parent):
        members.setdefault(root(name), []).append(name)
    return tuple(
        Group(group_id(names), tuple(names), VERDICTS[weakest[top]])
        for top, names in sorted(members.items(), key=lambda item: item[1])
    )


def _by_images(
    a: IndexedCase, b: IndexedCase, images: tuple[int, int], verified: PairResult | None
) -> Verdict | None:
    """What equal SOPInstanceUIDs say, which voxels may contradict.

    Where all images of both are the same by their UIDs and voxels are known to differ, or voxels
    say that it is no copy, one of the two was processed without getting UIDs of its own, as it
    should have: scans of one person, if the UIDs are to be believed at all.
    """
    shared, most = images
    known = bool(a.voxel_hashes and b.voxel_hashes)
    denied = verified is not None and verified.decided and verified.verdict is None
    if denied or (known and shared == most):
        return "same-subject" if a.split != b.split else None
    return "identical" if shared == most else "partial"


def sharing_hashes(a: Sequence[IndexedCase], b: Sequence[IndexedCase]) -> set[tuple[Key, Key]]:
    """Pairs of cases with a voxel hash in common."""
    return set(_sharing(a, b, _hashes))


def sharing_records(a: Sequence[IndexedCase], b: Sequence[IndexedCase]) -> set[Pair]:
    """Pairs of cases that are not here whose pointers record the same."""
    return set(_sharing(a, b, _records))


def sharing_files(a: Sequence[IndexedCase], b: Sequence[IndexedCase]) -> set[Pair]:
    """Pairs of cases for which the same file, or the same part of one, is declared."""
    return set(_sharing(a, b, _files))


def _files(case: IndexedCase) -> tuple[tuple[str, str | None], ...]:
    return tuple((path, case.series) for path in case.paths)


def _records(case: IndexedCase) -> tuple[tuple[str, ...], ...]:
    return (case.recorded,) if case.recorded else ()


def _hashes(case: IndexedCase) -> tuple[str, ...]:
    return case.voxel_hashes


def _groups(case: IndexedCase) -> tuple[str, ...]:
    return (case.group,) if case.group else ()


def _sharing(
    a: Sequence[IndexedCase], b: Sequence[IndexedCase], what: Any
) -> list[tuple[Key, Key]]:
    """Pairs that have one of some labels in common."""
    holders: dict[Any, list[Key]] = {}
    for case in b:
        for label in what(case):
            holders.setdefault(label, []).append(case.key)
    return sorted(
        {
            (case.key, other)
            for case in a
            for label in what(case)
            for other in holders.get(label, ())
        }
    )


def _of_voxels_or_slices(
    score: PairScore, verified: PairResult | None, limits: Thresholds
) -> Verdict | None:
    """Voxels decide where they can."""
    if verified is not None and verified.decided:
        return verified.verdict
    return "near" if near_by_slices(score, limits) else None


def near_by_slices(score: PairScore, limits: Thresholds) -> bool:
    """Whether the scores alone make a pair near."""
    return _best(score, limits).margin(limits) >= 0


def _best(score: PairScore, limits: Thresholds) -> _Evidence:
    """The direction that speaks louder: a slab agrees with its source, not the reverse."""
    return max(_evidence(score), key=lambda evidence: evidence.margin(limits))


def _evidence(score: PairScore) -> tuple[_Evidence, _Evidence]:
    found = []
    for side, way in enumerate(("a_to_b", "b_to_a")):
        similarity = getattr(score.similarity, way)
        background = getattr(score.background, way)
        found.append(
            _Evidence(
                shared=getattr(score.shared_score, way),
                standout=(similarity - background) / max(1e-6, 1 - background),
                similarity=similarity,
                enough_slices=score.slices[side] >= MIN_SLICES,
                enough_cohort=score.cohort[side] >= MIN_COHORT,
            )
        )
    return (found[0], found[1])


def _above(value: float, limit: float) -> float:
    return (value - limit) / max(1e-6, 1 - limit)


@dataclass(frozen=True, slots=True)
class _Pair:
    """All that is known about a pair."""

    a: IndexedCase
    b: IndexedCase
    score: PairScore | None
    verified: PairResult | None
    images: tuple[int, int]
    recorded: bool = False
    """Whether the bytes are the same by what pointers record."""
    one_file: bool = False
    """Whether a file is declared in both."""

    @property
    def shares_hash(self) -> bool:
        return bool(set(self.a.voxel_hashes) & set(self.b.voxel_hashes))

    @property
    def is_declared(self) -> bool:
        same = set(_groups(self.a)) & set(_groups(self.b)) or self.images[0]
        return bool(same) and self.a.key[0] != self.b.key[0]

    def basis(self, verdict: Verdict) -> str:
        """What a verdict about it rests on."""
        if verdict == "same-subject":
            return "declared" if self.is_declared else "inferred"
        if verdict == "identical" and self.one_file:
            return "same-file"
        if verdict == "identical" and self.shares_hash:
            return "voxel-hash"
        if verdict == "identical" and self.recorded:
            return "recorded-hash"
        seen = self.verified is not None and self.verified.verdict == verdict
        if self.verified is not None and seen:
            return "value-hash" if self.verified.rule in _BY_HASHES else "voxels"
        if self.images[0] and (self.verified is None or not self.verified.decided):
            told = _by_images(self.a, self.b, self.images, self.verified)
            return "dicom-uid" if told == verdict else "slices"
        return "slices"


def _decision(pair: _Pair, verdict: Verdict, limits: Thresholds) -> PairDecision:
    basis = pair.basis(verdict)
    seen = pair.verified if basis in _OF_VOXELS else None
    return PairDecision(
        a=member_of(pair.a),
        b=member_of(pair.b),
        verdict=verdict,
        basis=basis,
        confidence=seen.confidence if seen else _confidence(verdict, pair.score, limits),
        fingerprint=fingerprint_of(pair.a, pair.b),
        shared_hashes=_shared_hashes(pair.a, pair.b),
        shared_images=pair.images,
        score=pair.score,
        result=seen,
    )


def _shared_hashes(a: IndexedCase, b: IndexedCase) -> tuple[int, int]:
    """How many voxel hashes both have, and how many the one with more has."""
    ours, theirs = set(a.voxel_hashes), set(b.voxel_hashes)
    return len(ours & theirs), max(len(ours), len(theirs))


def member_of(case: IndexedCase) -> Member:
    """A case as reports have it."""
    return Member(case.case_id, case.split, case.group, case.paths, known_by(case))


def _confidence(verdict: Verdict, score: PairScore | None, limits: Thresholds) -> float:
    """1 where it is certain; else from 0.5 at the threshold up to 0.99 for a perfect match."""
    if verdict != "near" or score is None:
        return 1.0
    return 0.5 + 0.49 * min(1.0, max(0.0, _best(score, limits).margin(limits)))


def fingerprint_of(a: IndexedCase, b: IndexedCase) -> str:
    """As `Finding.fingerprint`."""
    text = "\n".join(sorted(case.content or " ".join(case.recorded) for case in (a, b)))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
