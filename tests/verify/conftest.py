"""Persons made of ellipsoids and texture, and a measure of how well one was placed on another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from dvdup.verify import Scan

Persons = Callable[..., np.ndarray]


def make_person(seed: int, shape: tuple[int, int, int] = (48, 56, 44)) -> np.ndarray:
    """float32 (X, Y, Z): the anatomy that all have, and structures of one's own."""
    rng = np.random.default_rng(seed)
    grid = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    radii = rng.uniform(0.75, 0.85, 3)
    radius = np.sqrt(sum((axis / r) ** 2 for axis, r in zip(grid, radii, strict=True)))
    common = np.exp(-(((radius - 0.5) / 0.2) ** 2)) + 0.3 * grid[0] + 0.2 * grid[1] + 0.25 * grid[2]
    own = sum(
        ndimage.gaussian_filter(rng.standard_normal(shape), sigma) * sigma**1.5
        for sigma in (1.5, 3.0)
    )
    values = np.where(radius < 1, np.clip(500 + 250 * common + 260 * own, 50, None), 0)
    return values.astype(np.float32)


@pytest.fixture(scope="session")
def person() -> Persons:
    """`make_person`, each made once."""
    made: dict[Any, np.ndarray] = {}

    def get(seed: int, shape: tuple[int, int, int] = (48, 56, 44)) -> np.ndarray:
        if (seed, shape) not in made:
            made[seed, shape] = make_person(seed, shape)
        return made[seed, shape]

    return get


@pytest.fixture(scope="session")
def misplaced() -> Callable[..., float]:
    """How far a placement is off, mm, at most, over the middle of the copy."""

    def measure(place: np.ndarray, to_source: Any, copy: Scan, source: Scan) -> float:
        n, m = np.array(copy.values.shape), np.array(source.values.shape)
        corners = np.stack(np.meshgrid(*[[0.3, 0.7]] * 3, indexing="ij"), -1).reshape(-1, 3)
        points = corners * (n - 1)
        truth = np.array(to_source)
        right = (points @ truth[:, :3].T + truth[:, 3] - (m - 1) / 2) * source.spacing
        mm = (points - (n - 1) / 2) * copy.spacing
        found = mm @ place[:3, :3].T + place[:3, 3]
        return float(np.linalg.norm(found - right, axis=1).max())

    return measure
