"""A small made-up dataset with planted copies, for `dvdup demo`.

The persons are phantoms: ellipsoids for body, organs and bones, with a texture of their own; one
half looks like MR heads, the other like CT trunks. Same files, byte for byte, on every run.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dvdup import edits
from dvdup.errors import InputError

_CONFIG = """\
# Written by `dvdup demo`: made-up scans with planted copies.
[dataset]
layout = "folders"
"""
_MARK = _CONFIG.partition("\n")[0]
_SPLITS = {"train": range(1, 25), "val": range(25, 31), "test": range(31, 41)}
_SEED = 5


@dataclass(frozen=True, slots=True, eq=False)
class _Scan:
    """One scan as it will be written."""

    stored: np.ndarray
    """int16 (I, J, K)."""
    affine: np.ndarray
    """float64 (4, 4), voxels to mm in RAS+."""


@dataclass(frozen=True, slots=True)
class _Plant:
    """One copy: scan `number` of test is scan `source`, changed."""

    number: int
    source: int
    change: Callable[[_Scan], _Scan]
    what: str
    suffix: str = ".nii.gz"
    level: int = 6
    """Of compression."""


def write_demo(folder: Path) -> tuple[str, ...]:
    """Write the demo dataset: `dvdup.toml`, 24 scans in train, 6 in val, 10 in test.

    Args:
        folder: Where to; made if it is missing. An earlier demo is written again.

    Returns:
        What was planted and what dvdup should find, a line each.

    Raises:
        InputError: The folder holds something else, or cannot be written.
    """
    try:
        _require_free(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "dvdup.toml").write_text(_CONFIG, encoding="utf-8", newline="\n")
        _write_scans(folder)
    except OSError as error:
        raise InputError(f"{folder}: the demo cannot be written: {error.strerror}") from error
    return _told()


def _require_free(folder: Path) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError(f"{folder} is a file; name a folder that is empty or new")
    config = folder / "dvdup.toml"
    if config.is_file() and config.read_text(encoding="utf-8", errors="replace").startswith(_MARK):
        return
    if any(folder.iterdir()):
        raise InputError(f"{folder} is not empty; name a folder that is empty or new")


def _write_scans(folder: Path) -> None:
    plants = {plant.number: plant for plant in _PLANTS}
    for split, numbers in _SPLITS.items():
        (folder / split).mkdir(exist_ok=True)
        for number in numbers:
            plant = plants.get(number)
            if plant is None:
                data = _nifti(_person(number), ".nii.gz", 6)
                suffix = ".nii.gz"
            else:
                data = _nifti(plant.change(_person(plant.source)), plant.suffix, plant.level)
                suffix = plant.suffix
            (folder / f"{_name(number)}{suffix}").write_bytes(data)


def _name(number: int) -> str:
    split = next(split for split, numbers in _SPLITS.items() if number in numbers)
    return f"{split}/scan-{number:02d}"


def _told() -> tuple[str, ...]:
    n = sum(len(numbers) for numbers in _SPLITS.values())
    head = f"{n} scans of {n - len(_PLANTS)} made-up persons, {len(_PLANTS)} copies among them:"
    return (
        head,
        *(f"  {_name(plant.number)} is {_name(plant.source)}, {plant.what}" for plant in _PLANTS),
    )


def _nifti(scan: _Scan, suffix: str, level: int) -> bytes:
    """The bytes of a file; compressed without a time, so that they never change."""
    import nibabel as nib

    kind: Any = nib.MGHImage if suffix == ".mgz" else nib.Nifti1Image
    data: bytes = kind(scan.stored, scan.affine).to_bytes()
    return data if suffix == ".nii" else gzip.compress(data, level, mtime=0)


# Copies


def _same(scan: _Scan) -> _Scan:
    return scan


def _reoriented(scan: _Scan) -> _Scan:
    """Stored as (posterior, superior, left); the affine says so."""
    stored = scan.stored.transpose(1, 2, 0)[::-1, :, ::-1]
    step = np.eye(4)[:, [1, 2, 0, 3]]
    step[:, 0] *= -1
    step[:, 2] *= -1
    step[1, 3], step[0, 3] = scan.stored.shape[1] - 1, scan.stored.shape[0] - 1
    return _Scan(np.ascontiguousarray(stored), scan.affine @ step)


def _edited(name: str, level: str) -> Callable[[_Scan], _Scan]:
    """A change that the header says nothing about, but for the size of the voxels."""

    def change(scan: _Scan) -> _Scan:
        spacing = np.abs(np.diag(scan.affine)[:3])
        done = edits.apply(name, level, scan.stored.astype(np.float32), spacing.tolist(), "demo")
        values = np.clip(np.round(done.values), -32768, 32767).astype(np.int16)
        return _Scan(values, np.diag([*done.spacing, 1.0]))

    return change


_PLANTS = (
    _Plant(31, 3, _same, "compressed again", level=9),
    _Plant(33, 8, _reoriented, "its axes stored in another order, which the header explains"),
    _Plant(34, 13, _same, "in another format", ".mgz"),
    _Plant(35, 15, _edited("noise", "mild"), "with noise"),
    _Plant(37, 18, _edited("crop", "mild"), "cropped"),
    _Plant(38, 21, _edited("rotation", "medium"), "turned by 15 degrees"),
    _Plant(39, 27, _edited("gamma", "medium"), "its grey values changed"),
)


# Persons


def _person(number: int) -> _Scan:
    """One person; odd numbers are MR-like heads, even ones CT-like trunks."""
    rng = np.random.default_rng((_SEED, number))
    return _head(rng) if number % 2 else _trunk(rng)


class _Canvas:
    """Values on a grid that ellipsoids are drawn into; coordinates from -1 to 1 on each axis."""

    def __init__(self, shape: tuple[int, int, int], background: float) -> None:
        self.values = np.full(shape, background, np.float32)
        self.axes = np.meshgrid(
            *(np.linspace(-1, 1, n, dtype=np.float32) for n in shape), indexing="ij", sparse=True
        )

    def inside(self, centre: np.ndarray, radii: np.ndarray, turn: float = 0.0) -> np.ndarray:
        """Where an ellipsoid is, turned about z by `turn` radians."""
        x, y, z = (axis - c for axis, c in zip(self.axes, centre.tolist(), strict=True))
        u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
        a, b, c = radii.tolist()
        found: np.ndarray = (u / a) ** 2 + (v / b) ** 2 + (z / c) ** 2 <= 1
        return found

    def draw(self, where: np.ndarray, value: float) -> None:
        """Paint."""
        self.values[where] = value


def _texture(shape: tuple[int, int, int], rng: np.random.Generator, sigma: float) -> np.ndarray:
    """Smooth noise of deviation 1."""
    from scipy import ndimage

    noise = ndimage.gaussian_filter(rng.standard_normal(shape, dtype=np.float32), sigma)
    smooth: np.ndarray = noise / noise.std()
    return smooth


def _finished(
    canvas: _Canvas, spacing: tuple[float, float, float], noise: float, rng: np.random.Generator
) -> _Scan:
    """Blur the edges a little, add noise, make it int16."""
    from scipy import ndimage

    values = ndimage.gaussian_filter(canvas.values, 0.6)
    values += noise * rng.standard_normal(values.shape, dtype=np.float32)
    return _Scan(np.round(values).astype(np.int16), np.diag([*spacing, 1.0]))


def _head(rng: np.random.Generator) -> _Scan:
    """Scalp, skull, brain with ventricles and a few dark and bright places."""
    shape = (60 + int(rng.integers(8)), 68 + int(rng.integers(8)), 36 + int(rng.integers(8)))
    canvas = _Canvas(shape, 0)
    centre = rng.uniform(-0.08, 0.08, 3)
    radii = rng.uniform(0.68, 0.88, 3)
    canvas.draw(canvas.inside(centre, radii), rng.uniform(500, 900))
    canvas.draw(canvas.inside(centre, radii * 0.92), 60)
    brain = canvas.inside(centre, radii * 0.84)
    tissue = 380 + 200 * _texture(shape, rng, 4.0) + 60 * _texture(shape, rng, 1.5)
    canvas.values[brain] = tissue[brain]
    for side in (-1, 1):
        at = centre + radii * (side * rng.uniform(0.12, 0.25), rng.uniform(-0.15, 0.2), 0.1)
        size = radii * rng.uniform((0.06, 0.2, 0.15), (0.16, 0.45, 0.4))
        canvas.draw(canvas.inside(at, size, side * rng.uniform(0, 0.4)), 120)
    for _ in range(6):
        at = centre + radii * rng.uniform(-0.5, 0.5, 3)
        canvas.draw(
            canvas.inside(at, rng.uniform(0.06, 0.2, 3), rng.uniform(0, 3)), rng.uniform(150, 800)
        )
    return _finished(canvas, (2.8, 2.8, 4.0), 12, rng)


def _trunk(rng: np.random.Generator) -> _Scan:
    """Fat, muscle, spine, organs, gas and contrast agent, in HU."""
    shape = (66 + int(rng.integers(8)), 54 + int(rng.integers(8)), 36 + int(rng.integers(8)))
    canvas = _Canvas(shape, -1000)
    centre = np.append(rng.uniform(-0.06, 0.06, 2), 0)
    body = np.array([rng.uniform(0.75, 0.93), rng.uniform(0.7, 0.9), 4.0])
    canvas.draw(canvas.inside(centre, body), -100)
    canvas.draw(canvas.inside(centre, body * rng.uniform(0.82, 0.93)), 50)
    inner = canvas.inside(centre, body * 0.75)
    for _ in range(10):
        at = centre + rng.uniform(-0.5, 0.5, 3) * (body[0], body[1], 2)
        organ = canvas.inside(at, rng.uniform(0.15, 0.45, 3), rng.uniform(0, 3)) & inner
        canvas.draw(organ, rng.choice((-850, -60, 80, 180, 300)))
    filling = _texture(shape, rng, 4.0)
    canvas.draw(inner & (filling > 0.7), -850)
    canvas.draw(inner & (filling < -0.7), 400)
    spine = centre + np.array([0, -0.62 * body[1], 0])
    canvas.draw(canvas.inside(spine, np.array([0.14, 0.16, 4.0]) * rng.uniform(0.8, 1.2)), 600)
    return _finished(canvas, (4.5, 4.5, 6.0), 15, rng)
