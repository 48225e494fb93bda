"""OME-Zarr: which array of an image is the full one, and what its axes are.

Versions 0.1 to 0.5; of the levels of a pyramid the first is the image, the others are smaller
copies of it. Format: https://ngff.openmicroscopy.org/specifications/0.5/index.html
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dvdup.readers.axes import colour_channels, picture_axes

_DEFAULT = "tczyx"  # of version 0.1 and 0.2
_MM = {
    "meter": 1e3, "centimeter": 10.0, "millimeter": 1.0, "micrometer": 1e-3, "nanometer": 1e-6,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Level:
    """The full array of an image."""

    path: str
    """Below the group of the image."""
    axes: str
    """A letter each; z, y and x are space, all others are channels."""
    spacing: tuple[float, ...]
    """mm along each axis; 1 where nothing says it in a unit of length."""


def first_level(attributes: Mapping[str, Any]) -> Level | None:
    """What the attributes of a group say of an image; None if it is none."""
    ome = attributes.get("ome")
    scales = (ome if isinstance(ome, Mapping) else attributes).get("multiscales")
    try:
        image = scales[0]  # type: ignore[index]
        dataset = image["datasets"][0]
        axes = _axes(image.get("axes"))
        return Level(str(dataset["path"]), axes, _spacing(image, dataset, axes))
    except (TypeError, KeyError, IndexError, ValueError, AttributeError):
        return None


def _axes(axes: Any) -> str:
    if axes is None:
        return _DEFAULT
    names = [str(axis["name"] if isinstance(axis, Mapping) else axis).lower() for axis in axes]
    letters = "".join(name if name in ("t", "c", "z", "y", "x") else "?" for name in names)
    if letters.count("y") != 1 or letters.count("x") != 1 or letters.count("z") > 1:
        raise ValueError("no two axes of a picture")
    return letters


def _spacing(image: Mapping[str, Any], dataset: Mapping[str, Any], axes: str) -> tuple[float, ...]:
    """The product of the scales that a level and its image have, in mm."""
    steps = [1.0] * len(axes)
    found = [
        one["scale"]
        for part in (dataset, image)
        for one in part.get("coordinateTransformations") or ()
        if one.get("type") == "scale"
    ]
    for scale in found:
        steps = [a * float(b) for a, b in zip(steps, scale, strict=True)]
    units = [
        axis.get("unit") if isinstance(axis, Mapping) else None for axis in image.get("axes") or ()
    ]
    space = [_MM.get(str(unit)) for unit, axis in zip(units, axes, strict=False) if axis in "zyx"]
    if not found or not space or None in space:  # steps without a length are no millimetres
        return (1.0,) * len(axes)
    return tuple(step * _MM.get(str(unit), 1.0) for step, unit in zip(steps, units, strict=True))


def channels(array: np.ndarray, axes: str) -> list[np.ndarray]:
    """The channels of an image, each (X, Y, Z), or (X, Y) of a picture.

    Args:
        array: With as many axes as `axes` has letters.
        axes: As in `Level`.
    """
    order = sorted(range(len(axes)), key=lambda i: ("zyx".find(axes[i]), i))
    turned = array.transpose(order)
    sides = turned.shape[len(axes) - (3 if "z" in axes else 2) :]
    volumes = list(turned.reshape(-1, *sides))
    if math.prod(sides[:-2]) > 1:
        return [volume.transpose(2, 1, 0) for volume in volumes]
    planes = [volume.reshape(sides[-2:]) for volume in volumes]
    colours = colour_channels(planes) if len(planes) == 3 else planes
    return [picture_axes(plane) for plane in colours]


def spacing(axes: str, steps: Sequence[float]) -> tuple[float, float, float]:
    """Steps along X, Y and Z in mm."""
    known = dict(zip(axes, steps, strict=True))
    return known.get("x", 1.0), known.get("y", 1.0), known.get("z", 1.0)
