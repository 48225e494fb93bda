"""The same voxels as trainers and viewers keep them: arrays, slices, pictures."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def _with_voxels(monkeypatch):
    monkeypatch.delenv("DVDUP_VERIFY_CANDIDATES")


def values_of(dataset, person: int) -> np.ndarray:
    return np.asarray(nib.load(dataset.pool / f"p{person:02}.nii.gz").dataobj, np.float32)


def grey(flat: np.ndarray) -> np.ndarray:
    low, high = np.percentile(flat, (0.5, 99.5))
    return np.clip((flat - low) / (high - low) * 255, 0, 255).astype(np.uint8)


def test_a_trainers_arrays_and_a_viewers_pictures_are_found(dataset, dvdup):
    """Failed before: all but the exact array that keeps the order of axes passed as clean."""
    test = dataset.root / "test"
    np.save(test / "reversed.npy", np.ascontiguousarray(values_of(dataset, 0).transpose(2, 1, 0)))
    scaled = values_of(dataset, 1).transpose(2, 1, 0) / 4000
    np.save(test / "scaled.npy", np.ascontiguousarray(scaled, np.float32))
    stripped = nib.Nifti1Image(values_of(dataset, 2) * 0.5 + 7, np.eye(4))
    nib.save(stripped, test / "stripped.nii.gz")
    picture = grey(values_of(dataset, 3)[:, :, 20])
    Image.fromarray(np.rot90(picture)).resize((180, 200)).save(test / "picture.png")
    ran = dvdup(dataset.root, "check", "-f", "json", "--jobs", "1")
    assert ran.code == 1
    found = {pair["b"]["case"]: (pair["a"]["case"], pair["verdict"]) for pair in ran.json["pairs"]}
    assert found["reversed"] == ("p00", "identical")
    assert found["scaled"] == ("p01", "near")
    assert found["stripped"][0] == "p02"
    assert found["picture"] == ("p03", "partial")
    told = next(pair["reason"] for pair in ran.json["pairs"] if pair["b"]["case"] == "picture")
    assert "axial slice 20 is the picture" in told


def test_shuffled_slices_hold_the_same_values(dataset, dvdup):
    """No comparison of structures could see it; the values are the same, each as often."""
    values = values_of(dataset, 4)
    order = np.random.default_rng(0).permutation(values.shape[2])
    np.save(dataset.root / "test/shuffled.npy", values[:, :, order])
    ran = dvdup(dataset.root, "check", "-f", "json", "--jobs", "1")
    (pair,) = [each for each in ran.json["pairs"] if each["b"]["case"] == "shuffled"]
    assert (pair["a"]["case"], pair["verdict"]) == ("p04", "near")
    assert "in another arrangement" in pair["reason"]


def test_show_says_of_a_pair_what_a_check_says(dataset, dvdup):
    """Failed before: it did not know of value hashes, nor which slice a picture is."""
    values = values_of(dataset, 5)
    order = np.random.default_rng(0).permutation(values.shape[2])
    np.save(dataset.root / "shuffled.npy", values[:, :, order])
    Image.fromarray(grey(values[:, 22])).save(dataset.root / "picture.png")
    shuffled = dvdup(dataset.root, "show", "train/p05.nii.gz", "shuffled.npy")
    assert "near" in shuffled.stdout
    assert "in another arrangement" in shuffled.stdout
    picture = dvdup(dataset.root, "show", "train/p05.nii.gz", "picture.png")
    assert "slices: coronal slice 22 is the picture" in picture.stdout
