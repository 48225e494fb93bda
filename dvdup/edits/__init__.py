"""Edited copies of a scan: what happens to scans that travel, in three strengths.

In: one channel of values and its spacing. Out: `Edited`, which also says what was done, and from
where in the source every voxel came. `EDITS` is the table; `apply` does one, or `compose`.

"Range" is the span from the 0.5 to the 99.5 percentile. Geometry acts in mm about the centre;
voxels that nothing covers take the 0.5 percentile. Slices lie across the axis of the widest
spacing (z where several are widest; in a single picture the axis of one voxel). Every choice is
drawn from (case id, edit), so the strengths of one edit differ in strength alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from dvdup.edits import geometry, greys
from dvdup.edits.scan import Done, Scan, as_scan, as_size
from dvdup.errors import InputError

LEVELS = ("mild", "medium", "strong")
"""The strengths, weakest first."""
COMPOSE = "compose"
"""The name of three edits of one strength: a geometric, an intensity and one other."""

Kind = Literal["geometric", "intensity", "other"]


@dataclass(frozen=True, slots=True, eq=False)
class Edited:
    """An edited copy."""

    values: np.ndarray
    """float32 (X, Y, Z) in Fortran order, finite."""
    spacing: tuple[float, float, float]
    """mm along X, Y, Z."""
    truth: dict[str, Any]
    """What was done, as JSON values. `to_source`, 3 x 4, takes a voxel of the copy to its place
    in the source (in voxels); `edits` lists (name, strength and choices)."""


Function = Callable[[Scan, Any, np.random.Generator], Done]


@dataclass(frozen=True, slots=True)
class Edit:
    """One row of the table."""

    name: str
    what: str
    kind: Kind
    strengths: Mapping[str, Any]
    """By level; a level that is missing does not exist."""
    function: Function


def apply(
    name: str, level: str, values: np.ndarray, spacing: Sequence[float], case_id: str
) -> Edited:
    """Edit a scan.

    Args:
        name: A name of `EDITS`, or `compose`.
        level: "mild", "medium" or "strong".
        values: float32 (X, Y, Z); not changed. Non-finite voxels become the 0.5 percentile.
        spacing: mm along X, Y, Z.
        case_id: Seeds the choices, together with the name.

    Raises:
        InputError: There is no such edit, or it has no such strength.
    """
    rng = np.random.default_rng(_seed(case_id, name))
    names = [name]
    if name == COMPOSE:
        names = [str(rng.choice(_of_kind(kind, level))) for kind in ("geometric", "intensity")]
        names.append(str(rng.choice(_of_kind("other", level))))
    place = np.eye(4)
    size = as_size(spacing)
    said: list[dict[str, Any]] = []
    for each in names:
        scan = as_scan(values, size)
        done = _row(each).function(scan, _strength(each, level), rng)
        values, size = np.asfortranarray(done.values, np.float32), done.spacing or size
        place = place @ _matrix(done)
        said.append({"name": each, "strength": _strength(each, level)} | done.said)
    truth = {"edit": name, "level": level, "edits": said, "to_source": place[:3].tolist()}
    return Edited(values, size, truth)


def available(level: str) -> tuple[str, ...]:
    """Names of the edits that exist at a level, `compose` included, in the order of the table."""
    return (*(name for name, edit in EDITS.items() if level in edit.strengths), COMPOSE)


def _row(name: str) -> Edit:
    if name not in EDITS:
        raise InputError(f"there is no edit {name!r}; there are {', '.join((*EDITS, COMPOSE))}")
    return EDITS[name]


def _strength(name: str, level: str) -> Any:
    strengths = _row(name).strengths
    if level not in strengths:
        raise InputError(f"the edit {name} has no strength {level!r}, only {', '.join(strengths)}")
    return strengths[level]


def _of_kind(kind: Kind, level: str) -> list[str]:
    names = [n for n, edit in EDITS.items() if edit.kind == kind and level in edit.strengths]
    if not names:
        raise InputError(f"there is no strength {level!r}; there are {', '.join(LEVELS)}")
    return names


def _seed(case_id: str, name: str) -> int:
    digest = hashlib.blake2b(f"{case_id}\0{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def _matrix(done: Done) -> np.ndarray:
    matrix = np.eye(4)
    if done.linear is not None:
        matrix[:3, :3] = done.linear
    if done.offset is not None:
        matrix[:3, 3] = done.offset
    return matrix


def _edit(
    name: str, what: str, kind: Kind, function: Function, mild: Any, medium: Any, strong: Any
) -> tuple[str, Edit]:
    strengths = {
        level: strength
        for level, strength in zip(LEVELS, (mild, medium, strong), strict=True)
        if strength is not None
    }
    return name, Edit(name, what, kind, MappingProxyType(strengths), function)


# fmt: off
EDITS: Mapping[str, Edit] = MappingProxyType(dict((
    _edit("rotation", "in plane, degrees", "geometric", geometry.rotate, 5, 15, 30),
    _edit("tilt", "rotation out of plane, degrees", "geometric", geometry.tilt, 3, 7, 12),
    _edit("translation", "share of the extent", "geometric", geometry.translate, .05, .10, .20),
    _edit("zoom", "central crop, back to size", "geometric", geometry.zoom, .90, .75, .60),
    _edit("crop", "off centre, no rescale", "geometric", geometry.crop, .90, .75, .60),
    _edit("scale", "of one axis", "geometric", geometry.scale, 1.05, 1.15, 1.30),
    _edit("shear", "in plane, share", "geometric", geometry.shear, .05, .10, .20),
    _edit("mirror", "left-right; another axis", "geometric", geometry.mirror, None, (0,), (1, 2)),
    _edit("noise", "gaussian, share of range", "intensity", greys.noise, .05, .10, .20),
    _edit("blur", "in plane, sigma px", "intensity", greys.blur, 1, 2, 3),
    _edit("brightness", "share of range", "intensity", greys.brightness, .1, .2, .3),
    _edit("contrast", "factor", "intensity", greys.contrast, .8, .5, .3),
    _edit("gamma", "exponent", "intensity", greys.gamma, (.8, 1.25), (.6, 1.6), (.4, 2.5)),
    _edit("bias", "field, peak to peak", "intensity", greys.bias_field, .2, .4, .6),
    _edit("jpeg", "8 bit, quality a slice", "other", greys.jpeg, 50, 20, 10),
    _edit("window", "8 bit, percentiles", "other", greys.window, (1, 99), (5, 95), (10, 90)),
    _edit("slab", "share of slices kept", "other", geometry.slab, .75, .50, .25),
    _edit("thick", "through-plane resampling", "other", geometry.thicken, 1.5, 2, 3),
)))
# fmt: on
"""Every edit by name, in the order of the bench's table."""
