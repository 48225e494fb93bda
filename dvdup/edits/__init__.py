"""Edited copies of a scan: what happens to scans that travel, in three strengths.

The edits of the suite "standard" are those of the published figures, and `compose` draws from them
alone. Those of "extended" are disguises and faults: parts taken away or drawn over, greys inverted
or wrapped around, soft deformations, other samplings, another scan mixed in.

In: one channel of values and its spacing. Out: `Edited`, which also says what was done, and from
where in the source every voxel came. `EDITS` is the table; `apply` does one, or `compose`.

"Range" is the span from the 0.5 to the 99.5 percentile. Geometry acts in mm about the centre;
voxels that nothing covers take the 0.5 percentile. Slices lie across the axis of the widest
spacing (z where several are widest; in a single picture the axis of one voxel). An edit that has
nothing to act on says so, as `unchanged`. Every choice is drawn from (case id, edit), so the
strengths of one edit differ in strength alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from dvdup.edits import elastic, geometry, greys, integers, joined, kspace, masks
from dvdup.edits.scan import Done, Scan, as_scan, as_size
from dvdup.errors import InputError

LEVELS = ("mild", "medium", "strong")
"""The strengths, weakest first."""
COMPOSE = "compose"
"""The name of three edits of one strength: a geometric, an intensity and one other."""

Kind = Literal["geometric", "intensity", "other"]
Suite = Literal["standard", "extended"]
SUITES: tuple[Suite, ...] = ("standard", "extended")
"""The suites of edits, those of the published figures first."""


@dataclass(frozen=True, slots=True, eq=False)
class Edited:
    """An edited copy."""

    values: np.ndarray
    """float32 (X, Y, Z) in Fortran order, finite."""
    spacing: tuple[float, float, float]
    """mm along X, Y, Z."""
    truth: dict[str, Any]
    """What was done, as JSON values. `to_source`, 3 x 4, takes a voxel of the copy to its place
    in the source (in voxels), of `elastic` before its own displacement; `edits` lists (name,
    strength and choices)."""


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
    suite: Suite = "standard"


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


def names_of(*suites: Suite) -> tuple[str, ...]:
    """Names of the edits of some suites, `compose` last of the standard ones, else as tabled."""
    found = {suite: [n for n, edit in EDITS.items() if edit.suite == suite] for suite in SUITES}
    found["standard"].append(COMPOSE)
    return tuple(name for suite in SUITES if suite in suites for name in found[suite])


def available(level: str, *suites: Suite) -> tuple[str, ...]:
    """Names of the edits that exist at a level, in the order of `names_of`.

    Args:
        level: A strength.
        suites: Of these; the standard edits if none is named.
    """
    names = names_of(*(suites or ("standard",)))
    return tuple(name for name in names if name == COMPOSE or level in EDITS[name].strengths)


def _row(name: str) -> Edit:
    if name not in EDITS:
        known = ", ".join(names_of(*SUITES))
        raise InputError(f"there is no edit {name!r}; there are {known}")
    return EDITS[name]


def _strength(name: str, level: str) -> Any:
    strengths = _row(name).strengths
    if level not in strengths:
        raise InputError(f"the edit {name} has no strength {level!r}, only {', '.join(strengths)}")
    return strengths[level]


def _of_kind(kind: Kind, level: str) -> list[str]:
    names = [
        name
        for name, edit in EDITS.items()
        if edit.suite == "standard" and edit.kind == kind and level in edit.strengths
    ]
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
    name: str,
    what: str,
    kind: Kind,
    function: Function,
    mild: Any,
    medium: Any,
    strong: Any,
    suite: Suite = "standard",
) -> tuple[str, Edit]:
    strengths = {
        level: strength
        for level, strength in zip(LEVELS, (mild, medium, strong), strict=True)
        if strength is not None
    }
    return name, Edit(name, what, kind, MappingProxyType(strengths), function, suite)


def _more(
    name: str, what: str, kind: Kind, function: Function, mild: Any, medium: Any, strong: Any
) -> tuple[str, Edit]:
    return _edit(name, what, kind, function, mild, medium, strong, "extended")


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
    _more("ellipse", "filled outside, axes of content", "other", masks.ellipse, .95, .85, .70),
    _more("box", "filled outside, sides of content", "other", masks.box, .95, .85, .70),
    _more("erase", "one block, share of content", "other", masks.erase, .05, .15, .30),
    _more("deface", "by a plane, share of the body", "other", masks.deface, .10, .20, .30),
    _more("text", "height of letters, of the slice", "other", masks.text, .04, .08, .14),
    _more("invert", "and exponent", "intensity", greys.invert, (1, 1), (.8, 1.25), (.6, 1.6)),
    _more("signs", "wrong, share of the range", "intensity", integers.signs, .1, .25, .5),
    _more("elastic", "at most, share of extent", "other", elastic.elastic, .01, .02, .04),
    _more("lowres", "voxels longer by", "other", geometry.lower_resolution, 2, 3, 4),
    _more("kspace", "undersampled by", "other", kspace.undersample, 2, 3, 4),
    _more("frame", "shrunk to, in a dark frame", "geometric", geometry.frame, .90, .80, .70),
    _more("concat", "another scan, share as long", "other", joined.concat, .25, .50, 1.0),
    _more("mixup", "share of another scan", "other", joined.mixup, .20, .35, .50),
)))
# fmt: on
"""Every edit by name, in the order of the bench's tables."""
