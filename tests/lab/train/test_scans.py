from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra models")

from dvdup.lab.train.scans import content_box, read_scans, shrink
from dvdup.records import Case


def test_reads_unreadable_and_copied_scans_as_data(tmp_path, phantom, save):
    save(tmp_path / "a.nii.gz", phantom(0))
    save(tmp_path / "b.nii.gz", phantom(0))
    (tmp_path / "c.nii.gz").write_bytes(b"no scan")
    save(tmp_path / "d.nii.gz", np.zeros((8, 8, 8), np.int16))
    cases = [Case("", name, (f"{name}.nii.gz",)) for name in "abcd"]
    scans, left_out = read_scans(tmp_path, cases)
    assert [scan.name for scan in scans] == ["a"]
    assert len(left_out) == 3
    assert "b.nii.gz: a copy" in left_out
    assert "d.nii.gz: empty" in left_out
    assert scans[0].voxels.dtype == np.uint8
    assert scans[0].voxels.max() == 255


def test_fine_voxels_are_averaged_and_coarse_ones_stay():
    values = np.arange(8 * 8 * 8, dtype=np.float32).reshape(8, 8, 8)
    small, spacing = shrink(values, (0.5, 0.5, 2.0))
    assert small.shape == (4, 4, 8)
    assert spacing == (1.0, 1.0, 2.0)
    assert small[0, 0, 0] == values[:2, :2, :1].mean()


def test_big_pictures_are_shrunk():
    small, _ = shrink(np.zeros((1024, 700, 1), np.float32), (1.0, 1.0, 1.0))
    assert small.shape == (256, 175, 1)


def test_the_box_is_around_the_content():
    pixels = np.zeros((20, 20, 20), np.uint8)
    pixels[4:9, 5:15, 6:18] = 200
    assert content_box(pixels) == ((4, 9), (5, 15), (6, 18))
    assert content_box(np.zeros((3, 4, 5), np.uint8)) == ((0, 3), (0, 4), (0, 5))
