"""Files of many volumes: what is found of them, and what is said about the rest."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest


@pytest.fixture
def stacked(dataset, monkeypatch, save):
    """All persons of train in one file of 14 volumes; a noisy copy of volume 4 in test."""
    monkeypatch.delenv("DVDUP_VERIFY_CANDIDATES")
    train = sorted((dataset.root / "train").iterdir())
    volumes = [np.asarray(nib.load(file).dataobj, np.float32) for file in train]
    for file in train:
        file.unlink()
    save(dataset.root / "train" / "all.nii.gz", np.stack(volumes, axis=-1))
    noise = np.random.default_rng(0).normal(0, 40, volumes[4].shape).astype(np.float32)
    save(dataset.root / "test" / "noisy.nii.gz", volumes[4] + noise)
    return dataset


@pytest.mark.parametrize("proxies", ["true", "false"])
def test_a_copy_of_one_volume_of_many_is_found(stacked, dvdup, proxies):
    with (stacked.root / "dvdup.toml").open("a", encoding="utf-8") as file:
        file.write(f"[store]\nproxies = {proxies}\n")
    ran = dvdup(stacked.root, "check", "-f", "json", "--jobs", "1")
    assert ran.code == 1
    assert [(p["a"]["case"], p["b"]["case"], p["verdict"]) for p in ran.json["pairs"]] == [
        ("all", "noisy", "near")
    ]


@pytest.mark.parametrize("command", ["sync", "check"])
def test_how_many_are_found_by_their_hash_only_is_said_every_time(stacked, dvdup, command):
    said = "train/all: 14 volumes that differ: 12 of them are compared, the other 2 by their voxel"
    for _ in range(2):
        assert said in dvdup(stacked.root, command, "--jobs", "1").stderr
