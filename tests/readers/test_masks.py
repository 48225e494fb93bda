"""A mask beside a scan is no part of what proves that two scans are one."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from dvdup.readers.masks import is_mask


def disc(shape, dtype=np.uint8):
    grid = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    return (sum(axis**2 for axis in grid) < 0.7).astype(dtype)


def labels(shape):
    grid = np.meshgrid(*(np.arange(n) // 7 for n in shape), indexing="ij")
    return disc(shape) * (sum(grid) + 1).astype(np.int16)


SHAPE = (40, 44, 36)


@pytest.mark.parametrize("mask", [disc(SHAPE), disc(SHAPE, np.float32), labels(SHAPE)])
def test_few_values_in_patches_are_a_mask(mask):
    assert is_mask(mask)


@pytest.mark.parametrize("bits", [8, 16])
def test_a_scan_is_no_mask(phantom, bits):
    values = phantom(1)
    assert not is_mask(values if bits == 16 else (values / values.max() * 255).astype(np.uint8))
    assert not is_mask(np.zeros(SHAPE))
    assert not is_mask(np.full(SHAPE, np.nan))
    assert not is_mask(np.zeros((1, 1, 1)))


@pytest.mark.parametrize("mask", [disc(SHAPE), labels(SHAPE)], ids=["binary", "labels"])
@pytest.mark.parametrize("first", [True, False])
def test_strangers_with_the_same_mask_are_strangers(tmp_path, dvdup, phantom, mask, first):
    for name, seed in (("a", 1), ("b", 2), ("c", 1)):
        parts = [mask.astype(np.int16), phantom(seed)]
        values = np.stack(parts if first else parts[::-1], -1)
        nib.save(nib.Nifti1Image(values, np.diag([3, 3, 3, 1])), tmp_path / f"{name}.nii.gz")
    assert dvdup(tmp_path, "compare", "a.nii.gz", "b.nii.gz").code == 0
    assert dvdup(tmp_path, "compare", "a.nii.gz", "c.nii.gz").code == 1
    nib.save(nib.Nifti1Image(phantom(1), np.diag([3, 3, 3, 1])), tmp_path / "alone.nii.gz")
    ran = dvdup(tmp_path, "compare", "a.nii.gz", "alone.nii.gz", "-f", "json")
    assert ran.json["pairs"][0]["verdict"] == "identical"


def test_what_is_left_out_is_told(dataset, dvdup, phantom):
    values = np.stack([phantom(20), disc(SHAPE).astype(np.int16)], -1)
    nib.save(nib.Nifti1Image(values, np.eye(4)), dataset.root / "test/two.nii.gz")
    assert "test/two: channel 2 of 2 is a mask" in dvdup(dataset.root, "sync").stderr


def test_masks_alone_are_kept(read, tmp_path):
    values = np.stack([disc(SHAPE), labels(SHAPE)], -1).astype(np.int16)
    nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / "a.nii.gz")
    assert len(read("a.nii.gz").channels) == 2


def test_pictures_with_the_same_round_view_are_strangers(tmp_path, dvdup, phantom):
    alpha = disc((220, 200)) * 255
    for name, seed in (("a", 1), ("b", 2)):
        grey = np.kron(phantom(seed)[:, :, 18], np.ones((5, 5))).T[:220, :200]
        grey = np.clip(grey / 7, 0, 255).astype(np.uint8)
        Image.fromarray(np.dstack([grey, grey, grey, alpha])).save(tmp_path / f"{name}.png")
    assert dvdup(tmp_path, "compare", "a.png", "b.png").code == 0


def test_the_reason_names_files_as_they_are(tmp_path, dvdup, phantom, save):
    save(tmp_path / "a.nii.gz", phantom(1))
    noise = np.random.default_rng(0).normal(0, 20, SHAPE)
    save(tmp_path / "b.nii.gz", (phantom(1) + noise).astype(np.float32))
    ran = dvdup(tmp_path, "compare", "a.nii.gz", "b.nii.gz")
    assert "slices of b.nii.gz match a.nii.gz" in " ".join(ran.stdout.split())
    assert "/a.nii.gz" not in ran.stdout
    assert ran.stdout.startswith("a.nii.gz is the same scan as b.nii.gz.")
    table = ran.stdout.splitlines()[2:]
    rows = [line for line in table if line.startswith("near")]
    assert rows[0].split() == ["near", "a.nii.gz", "b.nii.gz"]
    assert sum("b.nii.gz" in line for line in table) <= 3  # row, reason, summary
