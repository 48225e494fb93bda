"""Scans to train on: read, mapped to 8 bit at 1 mm or more, kept in memory.

A slice of 64 pixels across a head is 3 mm a pixel, a patch of it 1 mm: finer voxels would only
take memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dvdup import readers, voxels
from dvdup.errors import ReadError
from dvdup.records import Case, Progress, no_progress

TARGET_MM = 1.0
"""Voxels are averaged to about this size."""

_PICTURE = 256  # pixels along the longer side of a picture
_THIN = 3  # layers below which a scan is a picture


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """One scan in memory."""

    name: str
    person: str
    """Scans of one person never meet as negatives."""
    family: str
    """Scans of one family meet as look-alikes: "scan", or of a phantom its kind."""
    voxels: np.ndarray
    """uint8 (X, Y, Z), RAS+ order; the 0.5 to 99.5 percentile range as 0 to 255."""
    spacing: tuple[float, float, float]
    """mm along X, Y, Z."""
    box: tuple[tuple[int, int], ...]
    """Bounds of the content along X, Y, Z, in voxels."""

    @property
    def is_picture(self) -> bool:
        """Whether it is a single picture rather than a volume."""
        return bool(min(self.voxels.shape) < _THIN)


def read_scans(
    root: Path, cases: Sequence[Case], progress: Progress = no_progress
) -> tuple[tuple[Scan, ...], tuple[str, ...]]:
    """Read scans; the first channel of each.

    Args:
        root: Folder that the paths of the cases are relative to.
        cases: What to read; `group` is the person, else every case is a person.
        progress: Called as scans are read.

    Returns:
        The scans, and a line for each one that was left out: unreadable, empty, or the same voxels
        as an earlier one.
    """
    scans: list[Scan] = []
    left_out: list[str] = []
    seen: set[bytes] = set()
    for done, case in enumerate(cases):
        progress("reading", done, len(cases))
        try:
            scan = _read(root, case)
        except ReadError as error:
            left_out.append(str(error))
            continue
        if scan is None or scan.voxels.tobytes() in seen:
            left_out.append(f"{case.files[0]}: {'empty' if scan is None else 'a copy'}")
            continue
        seen.add(scan.voxels.tobytes())
        scans.append(scan)
    return tuple(scans), tuple(left_out)


def shrink(values: np.ndarray, spacing: Sequence[float]) -> tuple[np.ndarray, tuple[float, ...]]:
    """Average whole blocks of voxels to about 1 mm, of pictures to about 256 pixels."""
    target = TARGET_MM
    if min(values.shape) < _THIN:
        target = max(n * mm for n, mm in zip(values.shape, spacing, strict=True)) / _PICTURE
    factors = [
        max(1, round(target / mm)) if n > _THIN else 1
        for n, mm in zip(values.shape, spacing, strict=True)
    ]
    for axis, factor in enumerate(factors):
        whole = values.shape[axis] // factor * factor
        values = values.take(range(whole), axis)
        shape = list(values.shape)
        shape[axis : axis + 1] = [whole // factor, factor]
        values = values.reshape(shape).mean(axis=axis + 1)
    return values, tuple(mm * factor for mm, factor in zip(spacing, factors, strict=True))


def content_box(pixels: np.ndarray) -> tuple[tuple[int, int], ...]:
    """Bounds of what stands out from black: a fiftieth of a layer above a tenth of the range."""
    inside = pixels > 25
    box = []
    for axis, n in enumerate(pixels.shape):
        others = tuple(i for i in range(3) if i != axis)
        used = np.flatnonzero(inside.mean(axis=others) > 0.02)
        box.append((int(used[0]), int(used[-1]) + 1) if used.size else (0, n))
    return tuple(box)


def _trimmed(pixels: np.ndarray) -> np.ndarray:
    """Without the air far from the content, which only takes memory."""
    box = zip(content_box(pixels), pixels.shape, strict=True)
    return np.ascontiguousarray(
        pixels[tuple(slice(max(0, low - 6), min(n, high + 6)) for (low, high), n in box)]
    )


def _read(root: Path, case: Case) -> Scan | None:
    volume = readers.read_volume(root, case)
    values = voxels.channel_values(volume, 0)
    span = voxels.robust_range(values)
    if span is None or span[1] <= span[0]:
        return None
    clean = np.nan_to_num(values, nan=span[0], posinf=span[1], neginf=span[0])
    small, spacing = shrink(clean, volume.spacing)
    unit = np.clip((small - span[0]) / (span[1] - span[0]), 0, 1)
    pixels = _trimmed(np.round(unit * 255).astype(np.uint8))
    size = (float(spacing[0]), float(spacing[1]), float(spacing[2]))
    person = case.group or case.case_id
    return Scan(case.case_id, person, "scan", pixels, size, content_box(pixels))
