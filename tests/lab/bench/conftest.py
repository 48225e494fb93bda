"""A few small made-up scans, measured once for all tests that only look at the result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dvdup.config import load_config
from dvdup.lab.bench import Options, measure
from dvdup.lab.bench.results import Result
from dvdup.records import Hooks
from dvdup.workspace import Workspace

EDITS = ("mirror", "noise", "gamma", "slab")


@pytest.fixture(scope="session")
def scans(tmp_path_factory: pytest.TempPathFactory, phantom: Any, save: Any) -> Path:
    """Scans 1 to 12; 11 and 12 are byte-equal, and 2 is person 1 with other noise."""
    folder = tmp_path_factory.mktemp("scans")
    rng = np.random.default_rng(0)
    for number in range(1, 13):
        values = phantom({2: 1, 12: 11}.get(number, number), (24, 26, 20))
        if number == 2:
            values = np.where(values > 0, values + rng.normal(0, 60, values.shape), 0)
        save(folder / f"scan_{number:03}.nii.gz", values.astype(np.int16))
    return folder


@pytest.fixture(scope="session")
def run_bench(scans: Path) -> Callable[..., Result]:
    """Measure the made-up scans: run_bench(work folder, hooks=..., **options)."""

    def run(work: Path, hooks: Hooks | None = None, jobs: int = 1, **options: Any) -> Result:
        config = load_config(config=None, cwd=work, environ={}, overrides={"jobs": jobs})
        asked = {"embedders": ("thumbnail", "correlation"), "edits": EDITS, "bootstrap": 50}
        chosen = Options(**{**asked, "timing": False, "work": work, **options})
        return measure(Workspace(config), [str(scans)], chosen, hooks)

    return run


@pytest.fixture(scope="session")
def result(run_bench: Callable[..., Result], tmp_path_factory: pytest.TempPathFactory) -> Result:
    """One full result."""
    return run_bench(tmp_path_factory.mktemp("work"), groups="(id + 1) // 2", variants=True)
