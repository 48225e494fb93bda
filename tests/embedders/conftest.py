from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def _empty_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No weights in any cache, and none of the user's settings."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def slices() -> np.ndarray:
    """uint8 (5, 60, 48): noise and smooth ramps, all different."""
    rng = np.random.default_rng(7)
    noise = rng.integers(0, 256, (5, 60, 48))
    ramp = np.linspace(0, 255, 60)[None, :, None] * rng.uniform(0.2, 1, (5, 1, 1))
    return (0.5 * noise + 0.5 * ramp).astype(np.uint8)
