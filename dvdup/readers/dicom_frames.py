"""The geometry of a DICOM series: frames, their order, repeats, doubles and gaps.

In: headers. Out: stacks of frames sorted along the normal, each one channel of the volume.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dvdup.errors import ReadError
from dvdup.readers.sources import Source, reason

_SAME_PLACE_MM = 0.01
_SAME_DIRECTION = 1e-3
_GAP = 1.5  # a step this much longer than the usual one lacks slices
_UNEVEN = 0.1
_MARKS = (
    *("EchoTime", "TemporalPositionIdentifier", "TriggerTime", "AcquisitionNumber", "ImageType"),
    *("DiffusionBValue", "DiffusionGradientOrientation", "AcquisitionTime", "ContentTime"),
)
_MOST_DIMENSIONS = 6  # of DimensionIndexValues that are looked at


@dataclass(frozen=True, slots=True)
class Frame:
    """One slice: where its pixels are, and where it lies in the patient (LPS, mm)."""

    source: Source
    index: int
    """Frame number in the file, 0-based."""
    number: int
    """InstanceNumber, the order where there is no position."""
    position: tuple[float, ...] | None
    """Centre of the first pixel."""
    orientation: tuple[float, ...] | None
    """Direction along a row (of increasing column), then along a column."""
    pixel_mm: tuple[float, float]
    """Distance between columns, between rows."""
    thickness_mm: float
    scaling: tuple[float, float]
    has_lut: bool
    repeat: tuple[str, ...]
    """What may tell repeats of one place apart: echo, b-value, time point, ..."""


@dataclass(frozen=True, slots=True)
class Stack:
    """Frames that make one volume, in order of their position."""

    frames: tuple[Frame | None, ...]
    """None where other stacks of the series have a slice and this one has not."""
    directions: np.ndarray | None
    """float (3, 3): LPS direction of columns, rows, slices; None without orientation."""
    spacing: tuple[float, float, float]
    """mm between columns, rows, slices."""


def value(source: Source, header: Any, name: str) -> Any:
    """A value of a header, None if it is not there.

    Raises:
        ReadError: pydicom cannot make sense of it; it converts when it is asked.
    """
    try:
        return header.get(name)
    except Exception as error:
        raise ReadError(
            f"{source.name}: its {name} is damaged ({reason(error)}); replace or exclude it"
        ) from error


def whole(source: Source, header: Any, name: str, default: int | None = None) -> int:
    """A whole number of a header.

    Args:
        source: The file, for messages.
        header: A pydicom dataset.
        name: Keyword of the tag.
        default: Where it is absent or empty; None: it must be there.

    Raises:
        ReadError: It is no whole number.
    """
    found = value(source, header, name)
    if found is None or found == "":
        found = default
    try:
        return int(found)
    except (TypeError, ValueError, OverflowError) as error:
        raise ReadError(
            f"{source.name}: its {name} is {str(found)[:40]!r}, no whole number; replace or "
            "exclude it"
        ) from error


def _real(source: Source, found: Any, name: str, default: float) -> float:
    if found is None or found == "":
        return default
    try:
        return float(found)
    except (TypeError, ValueError, OverflowError) as error:
        raise ReadError(
            f"{source.name}: its {name} is {str(found)[:40]!r}, no number; replace or exclude it"
        ) from error


def frames_of(source: Source, header: Any) -> list[Frame]:
    """The frames of one file: one, or all of a multi-frame object.

    Args:
        source: The file.
        header: Its pydicom dataset.

    Returns:
        Frames in file order.

    Raises:
        ReadError: If the numbers in the header make no sense.
    """
    count = whole(source, header, "NumberOfFrames", 1)
    shared = _first(header, "SharedFunctionalGroupsSequence")
    per_frame = header.get("PerFrameFunctionalGroupsSequence") or []
    if count < 1 or (per_frame and len(per_frame) < count):
        raise ReadError(
            f"{source.name}: its header says {count} frames but describes "
            f"{len(per_frame)}; replace it"
        )
    if count > 1 and not per_frame and shared is None:
        return [_frame(source, header, (), index, plain=True) for index in range(count)]
    groups = [group for group in (shared,) if group is not None]
    if not per_frame:
        return [_frame(source, header, groups, index) for index in range(count)]
    return [_frame(source, header, [per_frame[i], *groups], i) for i in range(count)]


def _frame(
    source: Source, header: Any, groups: Sequence[Any], index: int, *, plain: bool = False
) -> Frame:
    """One frame; `plain` multi-frame objects have one position for all, which says nothing."""

    def look(sequence: str, name: str) -> Any:
        for group in groups:
            item = _first(group, sequence)
            if item is not None and name in item:
                return value(source, item, name)
        return value(source, header, name)

    spacing = look("PixelMeasuresSequence", "PixelSpacing") or value(
        source, header, "ImagerPixelSpacing"
    )
    rows_mm, columns_mm = _numbers(spacing, 2) or (1.0, 1.0)
    thickness = look("PixelMeasuresSequence", "SpacingBetweenSlices") or look(
        "PixelMeasuresSequence", "SliceThickness"
    )
    slope = look("PixelValueTransformationSequence", "RescaleSlope")
    intercept = look("PixelValueTransformationSequence", "RescaleIntercept")
    position = look("PlanePositionSequence", "ImagePositionPatient")
    orientation = look("PlaneOrientationSequence", "ImageOrientationPatient")
    dimensions = look("FrameContentSequence", "DimensionIndexValues")
    dimensions = list(dimensions) if isinstance(dimensions, Sequence) else [dimensions]
    marks = [
        look("MREchoSequence", "EffectiveEchoTime"),
        look("MRDiffusionSequence", "DiffusionBValue"),
        look("FrameContentSequence", "TemporalPositionIndex"),
        look("FrameContentSequence", "StackID"),
        look("MRImageFrameTypeSequence", "FrameType"),
        *(dimensions + [None] * _MOST_DIMENSIONS)[:_MOST_DIMENSIONS],
        *(value(source, header, name) for name in _MARKS),
    ]
    return Frame(
        source=source,
        index=index,
        number=whole(source, header, "InstanceNumber", 0),
        position=None if plain else _numbers(position, 3),
        orientation=None if plain else _numbers(orientation, 6),
        pixel_mm=(columns_mm, rows_mm),
        thickness_mm=(_numbers([thickness], 1) or (1.0,))[0],
        scaling=(
            _real(source, slope, "RescaleSlope", 1.0),
            _real(source, intercept, "RescaleIntercept", 0.0),
        ),
        has_lut=bool(header.get("ModalityLUTSequence")),
        repeat=tuple("" if mark is None else str(mark) for mark in marks),
    )


def stacks_of(frames: Sequence[Frame]) -> tuple[list[Stack], list[str]]:
    """Order the frames of one series, one stack for each repeat of the whole volume.

    Args:
        frames: All frames of the series.

    Returns:
        Stacks of equal length, and notes on missing slices or a missing orientation.

    Raises:
        ReadError: If slices differ in orientation.
    """
    if any(frame.position is None or frame.orientation is None for frame in frames):
        ordered = sorted(frames, key=lambda f: (f.number, f.source.name, f.index))
        notes = ["no slice positions: slices are in the order of their numbers"]
        return [_unplaced(ordered)], notes if len(ordered) > 1 else []
    check_orientation(frames)
    rows, columns = _vector(frames[0].orientation).reshape(2, 3)
    normal = np.cross(rows, columns)
    places = _places(frames, normal)
    heights = [height for height, _ in places]
    stacks = _split_repeats([place for _, place in places])
    one_each = [place[0] for _, place in places]
    step = _usual_step(heights) or frames[0].thickness_mm
    spacing = (*frames[0].pixel_mm, step)
    through = normal
    if len(places) > 1:  # with a tilted gantry the slices do not lie straight above one another
        through = _vector(one_each[-1].position) - _vector(one_each[0].position)
    directions = np.column_stack([rows, columns, through])
    notes = _gap_notes(one_each, heights)
    lacking = sum(frame is None for stack in stacks for frame in stack)
    if lacking:
        notes.append(
            f"{len(stacks)} volumes of unequal coverage: {lacking} slices are empty in some of them"
        )
    return [Stack(tuple(stack), directions, spacing) for stack in stacks], notes


def _unplaced(frames: Sequence[Frame]) -> Stack:
    first = frames[0]
    return Stack(tuple(frames), None, (*first.pixel_mm, first.thickness_mm))


def check_orientation(frames: Sequence[Frame]) -> None:
    """Make sure that all frames lie in parallel planes.

    Args:
        frames: Frames with an orientation.

    Raises:
        ReadError: One lies in another plane than the first one.
    """
    first = frames[0]
    for frame in frames[1:]:
        difference = _vector(frame.orientation) - _vector(first.orientation)
        if np.abs(difference).max() > _SAME_DIRECTION:
            raise ReadError(
                f"{frame.source.name}: its slice lies in another plane than {first.source.name} of "
                "the same DICOM series (a localizer?); exclude the series"
            )


def _places(frames: Sequence[Frame], normal: np.ndarray) -> list[tuple[float, list[Frame]]]:
    """(height, frames) of each place along the normal, lowest first."""
    heights = {id(frame): float(normal @ _vector(frame.position)) for frame in frames}
    ordered = sorted(
        frames, key=lambda f: (heights[id(f)], f.repeat, f.number, f.source.name, f.index)
    )
    places: list[tuple[float, list[Frame]]] = []
    for frame in ordered:
        height = heights[id(frame)]
        if not places or height - places[-1][0] > _SAME_PLACE_MM:
            places.append((height, []))
        places[-1][1].append(frame)
    return places


def _split_repeats(places: Sequence[Sequence[Frame]]) -> list[list[Frame | None]]:
    """One stack for each repeat of the volume: an echo, a direction, a time point, a phase.

    Where all places have as many frames, those are ordered by whatever takes the same values
    everywhere, then by InstanceNumber. Where some have fewer, the repeats are the values of a mark
    that tells the frames of every place apart, else the frames in the order of their numbers.
    """
    most = max(len(place) for place in places)
    if all(len(place) == most for place in places):
        common = _common_marks(places)
        stacks = _in_order(places, most, common)
    else:
        mark = _telling_mark(places, most)
        stacks = _in_order(places, most, []) if mark is None else _by_mark(places, mark)
    return sorted(stacks, key=_rank)


def _rank(stack: Sequence[Frame | None]) -> tuple[Any, ...]:
    first = next(frame for frame in stack if frame is not None)
    return stack.count(None), first.number, first.index, first.repeat, first.source.name


def _common_marks(places: Sequence[Sequence[Frame]]) -> list[int]:
    """The marks whose values, and how often each is there, are the same at every place."""
    found = []
    for mark in range(len(places[0][0].repeat)):
        values = [sorted(frame.repeat[mark] for frame in place) for place in places]
        if all(each == values[0] for each in values):
            found.append(mark)
    return found


def _telling_mark(places: Sequence[Sequence[Frame]], most: int) -> int | None:
    """The mark with the fewest values that never has one twice at a place."""
    counts: dict[int, int] = {}
    for mark in range(len(places[0][0].repeat)):
        values = [[frame.repeat[mark] for frame in place] for place in places]
        if all(len(set(each)) == len(each) for each in values):
            counts[mark] = len({one for each in values for one in each})
    usable = [mark for mark, count in counts.items() if count <= 2 * most]
    return min(usable, key=lambda mark: (counts[mark], mark), default=None)


def _in_order(
    places: Sequence[Sequence[Frame]], most: int, marks: Sequence[int]
) -> list[list[Frame | None]]:
    """The first frame of every place, the second of every place, and so on."""

    def key(frame: Frame) -> tuple[Any, ...]:
        return [frame.repeat[m] for m in marks], frame.number, frame.source.name, frame.index

    ordered = [[*sorted(place, key=key), *[None] * (most - len(place))] for place in places]
    return [list(stack) for stack in zip(*ordered, strict=True)]


def _by_mark(places: Sequence[Sequence[Frame]], mark: int) -> list[list[Frame | None]]:
    by_value = [{frame.repeat[mark]: frame for frame in place} for place in places]
    return [[place.get(one) for place in by_value] for one in sorted(set().union(*by_value))]


def _usual_step(places: Sequence[float]) -> float | None:
    """The step between neighbouring slices where none is missing."""
    if len(places) < 2:
        return None
    steps = np.sort(np.diff(places))
    return float(steps[(len(steps) - 1) // 4])


def _gap_notes(frames: Sequence[Frame], places: Sequence[float]) -> list[str]:
    usual = _usual_step(places)
    if usual is None:
        return []
    steps = np.diff(places)
    notes = []
    for i in (int(gap) for gap in np.flatnonzero(steps > _GAP * usual)):
        missing = max(1, round(steps[i] / usual) - 1)
        below, above = frames[i].source.name, frames[i + 1].source.name
        between = f"between {below} and {above}" if below != above else f"in {below}"
        notes.append(f"missing slices: {missing} {between} (a gap of {steps[i]:.4g} mm)")
    if not notes and steps.max() - steps.min() > _UNEVEN * usual:
        notes.append(f"uneven slices: {steps.min():.4g} to {steps.max():.4g} mm apart")
    return notes


def _vector(numbers: tuple[float, ...] | None) -> np.ndarray:
    return np.asarray(numbers, dtype=np.float64)


def _first(dataset: Any, name: str) -> Any:
    sequence = dataset.get(name)
    return sequence[0] if sequence else None


def _numbers(values: Any, count: int) -> tuple[float, ...] | None:
    """`count` finite numbers, else None."""
    try:
        numbers = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) == count and np.isfinite(numbers).all() else None
