"""Validation: are edited copies of scans of kept-out persons found, and is nobody else?

The database holds every scan, those trained on included, cut as dvdup cuts them. Every kept-out
scan is asked for under every edit (`dvdup.edits`): as a copy, and as a stranger, with its person
out of the database. The bench does this thoroughly; this is its quick sibling for the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dvdup import edits, readers, slicing, voxels
from dvdup.records import Case, Progress, SliceStack, no_progress
from dvdup.slicing import Recipe

Embed = Callable[[np.ndarray], np.ndarray]
"""uint8 (S, H, W) to float32 (S, D), unit rows."""

UNEDITED = "none"
_LOOK = 0.99  # specificity of the middle column


@dataclass(frozen=True, slots=True, eq=False)
class Copy:
    """An edited copy of a kept-out scan, cut."""

    case: int
    """Which case of the database it is of."""
    edit: str
    level: str
    pixels: np.ndarray
    """uint8 (S, size, size)."""
    plane: np.ndarray
    """uint8 (S,), index into `slicing.PLANES`."""


@dataclass(frozen=True, slots=True)
class Found:
    """What one query found."""

    edit: str
    level: str
    right: bool
    """Whether the case with most votes is the source."""
    rank: int
    """Of the source, by similarity; 0 is first."""
    count: float
    """Count score of the source if it has most votes, else 0."""
    lead: float
    """Similarity of the source less that of the median case if it is first, else 0."""
    stranger_count: float
    """Highest count score with the person out of the database."""
    stranger_lead: float
    """Highest similarity less that of the median case, with the person out."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: shares of the queries of one edit and level."""

    edit: str
    level: str
    queries: int
    count_top1: float
    """Source has most votes."""
    similar_top1: float
    """Source is first by similarity."""
    similar_top5: float
    count_found: float
    """Source has more votes than any stranger ever has."""
    similar_found: float
    """Source leads by more than 0.99 of the strangers do."""
    similar_clear: float
    """Source leads by more than any stranger ever does."""


def cut(root: Path, case: Case, recipe: Recipe) -> SliceStack:
    """Read and slice the first channel of a case.

    Raises:
        ReadError: It cannot be read.
    """
    volume = readers.read_volume(root, case)
    return _slices(voxels.channel_values(volume, 0), volume.spacing, volume.modality, recipe)


def edited_copies(
    root: Path,
    case: Case,
    number: int,
    recipe: Recipe,
    wanted: Sequence[tuple[str, str]] | None = None,
) -> Iterator[Copy]:
    """Cut a case and its edited copies; copies without a voting slice are left out.

    Args:
        root: Folder that the paths of the case are relative to.
        case: What to read.
        number: Its place in the database.
        recipe: How to cut.
        wanted: (edit, level) of the copies; None: all there are.

    Raises:
        ReadError: It cannot be read.
    """
    volume = readers.read_volume(root, case)
    values = voxels.channel_values(volume, 0)
    for edit, level in wanted if wanted is not None else every_edit():
        copy, spacing = values, volume.spacing
        if edit != UNEDITED:
            done = edits.apply(edit, level, values, spacing, case.case_id)
            copy, spacing = done.values, done.spacing
        stack = _slices(copy, spacing, volume.modality, recipe)
        if len(stack):
            yield Copy(number, edit, level, stack.pixels, stack.plane)


def every_edit() -> tuple[tuple[str, str], ...]:
    """The scan itself, and every edit at every level."""
    each = ((name, level) for level in edits.LEVELS for name in edits.available(level))
    return ((UNEDITED, ""), *each)


def validate(
    embed: Embed,
    database: Sequence[np.ndarray],
    persons: Sequence[str],
    copies: Sequence[Copy],
    *,
    progress: Progress = no_progress,
) -> tuple[Row, ...]:
    """Ask for every copy.

    Args:
        embed: The network.
        database: Slices of every case, uint8 (S, size, size).
        persons: Who each case is of.
        copies: The queries.
        progress: Called as queries are done.

    Returns:
        One row for each edit and level, in order, then one for each level and one for all.
    """
    rows = np.concatenate([embed(pixels) for pixels in database])
    starts = np.cumsum([0, *(len(pixels) for pixels in database)])[:-1]
    found = []
    for done, copy in enumerate(copies):
        progress("validating", done, len(copies))
        best = np.maximum.reduceat(embed(copy.pixels) @ rows.T, starts, axis=1)
        found.append(_find(best, copy, persons))
    return _table(found)


def _slices(
    values: np.ndarray, spacing: Sequence[float], modality: str, recipe: Recipe
) -> SliceStack:
    return slicing.slice_channel(values, voxels.proxy(values), spacing, modality, 0, recipe)


def _find(best: np.ndarray, copy: Copy, persons: Sequence[str]) -> Found:
    """Score one query; `best` holds s[i, k], its slice i with the nearest of case k."""
    others = np.array([person != persons[copy.case] for person in persons])
    competing = others.copy()
    competing[copy.case] = True
    counts, strangers = _counts(best, competing), _counts(best, others)
    similar = best.mean(axis=0)
    rank = int((similar[others] > similar[copy.case]).sum())
    right = bool(counts.argmax() == copy.case)
    median = float(np.median(similar[others]))
    return Found(
        edit=copy.edit,
        level=copy.level,
        right=right,
        rank=rank,
        count=float(counts[copy.case]) if right else 0.0,
        lead=float(similar[copy.case]) - median if rank == 0 else 0.0,
        stranger_count=float(strangers.max()),
        stranger_lead=float(similar[others].max()) - median,
    )


def _counts(best: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Share of the slices that are nearest to each case, among some of the cases."""
    nearest = np.where(among, best, -2.0).argmax(axis=1)
    shares: np.ndarray = np.bincount(nearest, minlength=best.shape[1]) / len(best)
    return shares


def _table(found: Sequence[Found]) -> tuple[Row, ...]:
    most_votes = max(each.stranger_count for each in found)
    leads = [each.stranger_lead for each in found]
    limits = (most_votes, float(np.quantile(leads, _LOOK)), max(leads))
    groups: dict[tuple[str, str], list[Found]] = {}
    for each in found:
        groups.setdefault((each.edit, each.level), []).append(each)
    for level in edits.LEVELS:
        of_level = [each for each in found if each.level == level]
        if of_level:
            groups["all", level] = of_level
    groups["all", ""] = list(found)
    return tuple(_row(*key, of_key, limits) for key, of_key in groups.items())


def _row(edit: str, level: str, found: Sequence[Found], limits: tuple[float, float, float]) -> Row:
    def share(is_so: Callable[[Found], bool]) -> float:
        return round(sum(is_so(each) for each in found) / len(found), 4)

    return Row(
        edit=edit,
        level=level,
        queries=len(found),
        count_top1=share(lambda each: each.right),
        similar_top1=share(lambda each: each.rank == 0),
        similar_top5=share(lambda each: each.rank < 5),
        count_found=share(lambda each: each.count > limits[0]),
        similar_found=share(lambda each: each.lead > limits[1]),
        similar_clear=share(lambda each: each.lead > limits[2]),
    )
