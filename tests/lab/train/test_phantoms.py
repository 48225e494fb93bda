from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra models")

from dvdup.lab.train.phantoms import cached_phantoms, make_family


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def test_a_family_is_the_same_whenever_it_is_made():
    one, again = make_family(0, 1, 2), make_family(0, 1, 2)
    assert all(np.array_equal(a.voxels, b.voxels) for a, b in zip(one, again, strict=True))
    assert not np.array_equal(make_family(1, 1, 1)[0].voxels, one[0].voxels)


def test_members_are_look_alikes_and_not_copies():
    one, other = make_family(0, 0, 2)
    assert one.voxels.shape == other.voxels.shape
    assert 0.2 < correlation(one.voxels, other.voxels) < 0.99


def test_the_cache_gives_what_was_made_and_only_for_the_same_numbers(tmp_path):
    file = tmp_path / "phantoms.npz"
    made = cached_phantoms(file, 0, 1, 2)
    stamp = file.stat().st_mtime_ns
    read = cached_phantoms(file, 0, 1, 2)
    assert file.stat().st_mtime_ns == stamp
    for a, b in zip(made, read, strict=True):
        assert np.array_equal(a.voxels, b.voxels)
        assert (a.name, a.family, a.spacing, a.box) == (b.name, b.family, b.spacing, b.box)
    other = cached_phantoms(file, 1, 1, 2)
    assert not np.array_equal(other[0].voxels, made[0].voxels)


def test_no_phantoms_make_no_file(tmp_path):
    assert cached_phantoms(tmp_path / "phantoms.npz", 0, 0, 3) == ()
    assert not (tmp_path / "phantoms.npz").exists()
