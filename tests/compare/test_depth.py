"""How far it is from a command to the comparison of voxels: so few steps that one can read them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import dvdup as package
from dvdup import verify

PACKAGE = Path(package.__file__).parent
DEEPEST = 10


def frames_of_dvdup() -> list[str]:
    """The functions of the package that are being run, the command first."""
    found = []
    frame = sys._getframe(1)
    while frame is not None:
        if Path(frame.f_code.co_filename).is_relative_to(PACKAGE):
            found.append(frame.f_code.co_name)
        frame = frame.f_back
    return found[::-1]


@pytest.fixture
def near_copy(tmp_path, phantom, save):
    """Two scans in train, and a noisy copy of one of them in test."""
    for person in range(2):
        save(tmp_path / f"train/p{person}.nii.gz", phantom(person))
    noise = np.random.default_rng(0).normal(0, 60, phantom(0).shape)
    save(tmp_path / "test/copy.nii.gz", (phantom(0) + noise).astype(np.int16))
    (tmp_path / "dvdup.toml").write_text(
        'embedder = "thumbnail"\n[dataset]\nlayout = "folders"\n', encoding="utf-8"
    )
    return tmp_path


def test_a_diff_reaches_the_voxels_in_few_steps(near_copy, dvdup, monkeypatch):
    monkeypatch.delenv("DVDUP_VERIFY_CANDIDATES")
    dvdup(near_copy, "sync", "-q")
    chains, judge = [], verify.judge

    def noted(*args, **more):
        chains.append([*frames_of_dvdup(), "judge"])
        return judge(*args, **more)

    monkeypatch.setattr(verify, "judge", noted)
    ran = dvdup(near_copy, "diff", "train", "test", "--jobs", "1", "-f", "json")
    assert [pair["verdict"] for pair in ran.json["pairs"]] == ["near"]
    longest = max(chains, key=len)
    assert longest[0] == "main"
    assert len(longest) <= DEEPEST, longest
