"""Made-up strengths, and an index of tiny scans."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dvdup.lab.calibrate.run import Result
from dvdup.lab.calibrate.threshold import Strengths, fit
from dvdup.records import EmbedderSpec
from dvdup.store import IndexMeta


def make_strengths(n: int = 60, seed: int = 0, groups: int | None = None) -> Strengths:
    """n strangers around 2, and two mild and two medium copies of each around 7."""
    rng = np.random.default_rng(seed)
    group = np.arange(n) % (groups or n)
    return Strengths(
        stranger=rng.gumbel(2.0, 0.4, n),
        stranger_group=group,
        copy=rng.normal(7.0, 0.7, 4 * n),
        copy_group=np.repeat(group, 4),
        copy_level=np.tile([0, 0, 1, 1], n),
    )


@pytest.fixture(scope="session")
def strengths() -> Callable[..., Strengths]:
    """`make_strengths`."""
    return make_strengths


@pytest.fixture
def result() -> Callable[..., Result]:
    """A result of made-up strengths: result(n, budget, left_out=...)."""

    def make(n: int = 60, budget: float | None = 0.001, **more: Any) -> Result:
        found = make_strengths(n)
        spec = EmbedderSpec("thumbnail", "", 256, 16)
        return Result(
            meta=IndexMeta(spec, {}, "recipe"),
            n_cases=n,
            candidates=5,
            before=5.0,
            strengths=found,
            fitted=fit(found, budget, 5.0, 0),
            **more,
        )

    return make


@pytest.fixture(scope="session")
def indexed(tmp_path_factory: pytest.TempPathFactory, phantom: Any, save: Any) -> Path:
    """A folder with an index of 33 tiny scans of 32 persons; s32 is a noisy copy of s00."""
    from dvdup.config import load_config
    from dvdup.sync import build
    from dvdup.workspace import Workspace

    root = tmp_path_factory.mktemp("calibrate")
    rng = np.random.default_rng(0)
    for number in range(33):
        values = phantom(number % 32, (20, 22, 18))
        if number == 32:
            values = np.where(values > 0, values + rng.normal(0, 15, values.shape), 0)
        save(root / f"scans/s{number:02}.nii.gz", values.astype(np.int16))
    config = load_config(
        config=None, cwd=root, environ={}, overrides={"embedder": "thumbnail", "jobs": 1}
    )
    build.add(Workspace(config), [str(root / "scans")], split="train")
    return root
