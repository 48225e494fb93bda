from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from dvdup.lab.train.batches import Mix
    from dvdup.lab.train.scans import Scan


@pytest.fixture(autouse=True)
def _one_thread():
    """Tiny batches are faster so, and sums are in one order."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def scan(phantom) -> Callable[..., Scan]:
    """A scan of person `seed` in memory."""

    from dvdup.lab.train.scans import Scan, content_box

    def make(seed: int, person: str = "", shape: tuple[int, int, int] = (40, 44, 36)) -> Scan:
        values = phantom(seed, shape).astype(np.float32)
        pixels = np.clip(values / values.max() * 255, 0, 255).astype(np.uint8)
        name = f"p{seed}"
        return Scan(name, person or name, "scan", pixels, (3.0, 3.0, 3.0), content_box(pixels))

    return make


@pytest.fixture
def small_mix() -> Mix:
    from dvdup.lab.train.batches import Mix

    return Mix(chunks=4, views=4, phantoms=0.0)


@pytest.fixture
def persons(tmp_path: Path, phantom, save, monkeypatch) -> Path:
    """A folder with six scans, which is the working folder."""
    for seed in range(6):
        save(tmp_path / "scans" / f"p{seed}.nii.gz", phantom(seed))
    monkeypatch.chdir(tmp_path)
    return tmp_path
