"""Why a pair is a finding, in words: every sentence about a pair is written here.

Comes in: a `PairDecision`, the `PairResult` of its voxels, or what was said when the pair was
accepted. Goes out: one line of text.
"""

from __future__ import annotations

import math

from dvdup.records import (
    EQUAL_SLICES,
    EQUAL_VALUES,
    MIN_COHORT,
    PLANES,
    Acceptance,
    AxisOrder,
    Change,
    Finding,
    GreyChange,
    PairDecision,
    PairResult,
    PairScore,
    SliceLine,
    VoxelAgreement,
)
from dvdup.text import visible

AXES = ("left-right", "front-back", "top-bottom")
"""What the axes of a RAS+ volume run along."""

_DEGREES, _STRETCH, _SHEAR = 1.0, 0.02, 0.02  # below which nothing is said
_WHOLE = 0.96  # of the extent; less is a crop
_RESAMPLED = 1.12  # ratio of voxel sizes
_GREY: dict[GreyChange, str] = {
    "curve": "gamma or window changed",
    "blur": "blurred",
    "noise": "noise added",
    "blank": "parts blanked",
}

_BY_HASHES = {
    EQUAL_VALUES: "hashes of the values are equal: the same values, each as often, in any order",
    EQUAL_SLICES: "hashes of many slices are equal: the same values in each, in any order",
}


def reason(decision: PairDecision) -> str:
    """Why a pair is a finding."""
    if decision.result is not None:
        return result_reason(decision.result)
    if decision.basis == "recorded-hash":
        return "same bytes, by the hash that the pointer of what is not here records"
    if decision.basis == "same-file":
        return "the same file is declared in both"
    if decision.basis == "dicom-uid":
        return _images(decision)
    if decision.verdict == "identical":
        common, most = decision.shared_hashes
        return "same voxels" if common == most else f"same voxels in {common} of {most} channels"
    if decision.verdict == "same-subject":
        if decision.a.group is None or decision.a.group != decision.b.group:
            return f"{_images(decision)}, but their voxels differ"
        return f"same subject {decision.a.group} declared in both"
    assert decision.score is not None
    return _votes(decision, decision.score)


def _images(decision: PairDecision) -> str:
    """How many images are the same by their UIDs."""
    shared, most = decision.shared_images
    which = f"{shared} of {most} images have" if most > 1 else "the image has"
    return f"{which} the same SOPInstanceUID"


def review(finding: Finding) -> str:
    """What somebody who has reviewed a pair says about it, and whether that still holds; or ""."""
    said = finding.acceptance
    if said is None:
        return "accepted" if finding.accepted else ""
    return f"{'no longer accepted' if said.expired else 'accepted'}: {terms(said)}"


def terms(said: Acceptance) -> str:
    """Why a pair is accepted, and until when."""
    until = f" (until {said.until})" if said.until else ""
    return visible(said.reason) + until


def _votes(decision: PairDecision, score: PairScore) -> str:
    """How many slices agree, in the direction in which more do."""
    shares, similarity, background = score.shared_score, score.similarity, score.background
    if shares.a_to_b > shares.b_to_a:
        of, to, side = decision.a, decision.b, 0
        share, alike, others = shares.a_to_b, similarity.a_to_b, background.a_to_b
    else:
        of, to, side = decision.b, decision.a, 1
        share, alike, others = shares.b_to_a, similarity.b_to_a, background.b_to_a
    n = score.slices[side]
    compared = f", others {others:.3f}" if score.cohort[side] >= MIN_COHORT else ""
    return (
        f"{round(share * n)} of {n} slices of {of.label} match {to.label} "
        f"(similarity {alike:.3f}{compared})"
    )


def result_reason(result: PairResult) -> str:
    """What the voxels of a pair say: what was done to the copy, how well they agree, the slices."""
    parts = [", ".join(changes(result.change))] if result.change is not None else []
    parts.append(_evidence(result))
    if result.slices is not None:
        parts.append(slices(result.slices))
    said = "; ".join(part for part in parts if part)
    placed = result.change is not None or result.slices is not None
    return f"seen from the other side: {said}" if result.other_side and placed else said


def _evidence(result: PairResult) -> str:
    if result.order is not None:
        return _reordered(result.order)
    if result.rule == "rearranged-values":
        return "the same values, each as often, in another arrangement"
    if result.rule in _BY_HASHES:
        return _BY_HASHES[result.rule]
    if result.agreement is None:
        return "nothing to compare"
    if result.rule == "other-acquisition":
        return _acquired_twice(result, result.agreement)
    return _agreement(result.agreement, part=result.verdict == "partial")


def _acquired_twice(result: PairResult, found: VoxelAgreement) -> str:
    shared = "" if result.noise_shared is None else f" (correlation {result.noise_shared:.2f})"
    return (
        f"one anatomy, acquired twice: {_agreement(found, part=False)}, but each has noise of its "
        f"own{shared}"
    )


def _reordered(order: AxisOrder) -> str:
    if order == AxisOrder((0, 1, 2), (1, 1, 1)):
        return "same values"
    if order.axes != (0, 1, 2):
        return "equal voxels in another order of axes, which the headers do not explain"
    flipped = [name for name, sign in zip(AXES, order.signs, strict=True) if sign < 0]
    return f"equal voxels, flipped {' and '.join(flipped)}, which the headers do not explain"


def _agreement(found: VoxelAgreement, *, part: bool) -> str:
    numbers = f"local correlation {found.correlation:.3f}, of fine structures {found.fine:.3f}"
    if part:
        return f"{numbers} where they overlap ({100 * min(found.overlap):.0f} % of one)"
    return numbers


def slices(line: SliceLine, *, of_strangers: bool = False) -> str:
    """Which slices match which, or merely resemble one another."""
    planes = [PLANES[line.plane_a]]
    if line.plane_b != line.plane_a:
        planes.append(PLANES[line.plane_b])
    (first, last), (start, stop) = line.slices_a, line.slices_b
    if (first, start) == (last, stop):
        plane, number = (
            (planes[0], first) if (line.plane_b, start) == (0, 0) else (planes[-1], start)
        )
        return f"{plane} slice {number} is the picture"
    run = "resemble" if of_strangers else "match"
    return (
        f"{' / '.join(planes)} slices {first}-{last} {run} {start}-{stop}, "
        f"offset {round(line.offset_mm):+d} mm, scale {line.slope:.2f}"
    )


def mirrored(change: Change) -> tuple[str, ...]:
    """Names of the flipped axes; of a mirror image whose axes are turned as well only that."""
    names = tuple(AXES[axis] for axis in change.mirrored_axes)
    return ("and turned",) if change.mirrored and change.turned else names


def changes(change: Change) -> tuple[str, ...]:
    """What was done to a copy, a phrase each; empty if nothing was."""
    said = [f"mirrored {axis}" for axis in mirrored(change)]
    if change.turned:
        said.append("axes turned")
    if change.degrees >= _DEGREES:
        said.append(f"rotated {change.degrees:.0f} degrees")
    said += [*_size(change), *_field(change), *_voxels(change)]
    return (*said, *(_GREY[each] for each in change.grey))


def _size(change: Change) -> list[str]:
    scale = change.scale
    mean = sum(scale) / len(scale)
    if max(scale) - min(scale) < _STRETCH and abs(mean - 1) >= _STRETCH:
        return [f"scaled by {mean:.2f}"]
    if change.shear >= _SHEAR:
        return ["sheared"]
    return [
        f"stretched by {size:.2f} {axis}"
        for size, axis in zip(scale, AXES, strict=True)
        if abs(size - 1) >= _STRETCH
    ]


def _field(change: Change) -> list[str]:
    less = [share for share in change.shown if share < _WHOLE]
    if len(less) == 1:
        axis = AXES[change.shown.index(min(change.shown))]
        return [f"slab of {100 * less[0]:.0f} % {axis}"]
    if less:
        return [f"cropped to {100 * math.prod(less) ** (1 / len(less)):.0f} %"]
    return []


def _voxels(change: Change) -> list[str]:
    if not change.in_mm:
        sizes = [
            100 * ours / theirs
            for ours, theirs in change.spacing
            if abs(ours / theirs - 1) >= 0.005
        ]
        if not sizes:
            return []
        least, most = (f"{size:.0f}" for size in (min(sizes), max(sizes)))
        return [f"resized to {least if least == most else f'{least}-{most}'} %"]
    resampled = {
        f"resampled {ours:.2g} -> {theirs:.2g} mm"
        for ours, theirs in change.spacing
        if not 1 / _RESAMPLED < theirs / ours < _RESAMPLED
    }
    return sorted(resampled)
