"""The law of the voxel hash: one picture, one hash, whatever the file looks like."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reader_scans import hashes, nifti_bytes, oblique_affine, restored, save, scan

from dvdup import readers
from dvdup.records import Case

ORIENTATIONS = [
    np.array([[axis, flip] for axis, flip in zip(order, flips, strict=True)], dtype=float)
    for order in itertools.permutations(range(3))
    for flips in itertools.product((1, -1), repeat=3)
]
CONTAINERS = ["a.nii", "a.nii.gz", "a.hdr", "a.mgh", "a.mgz", "a.nrrd", "a.nhdr", "a.mha", "a.mhd"]


def hash_of(folder: Path, name: str) -> list[str | None]:
    return hashes(readers.read_volume(folder, Case("train", "c", (name,))))


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[str | None]:
    folder = tmp_path_factory.mktemp("expected")
    return hash_of(folder, save(folder / "a.nii", scan(), oblique_affine()))


@pytest.mark.parametrize("container", CONTAINERS)
def test_container(tmp_path: Path, expected: list[str], container: str) -> None:
    values = scan().astype(np.float32) if container.startswith("a.mg") else scan()
    assert hash_of(tmp_path, save(tmp_path / container, values, oblique_affine())) == expected


@pytest.mark.parametrize("container", ["a.nii.gz", "a.mgz", "a.nrrd", "a.mha"])
@pytest.mark.parametrize("orientation", ORIENTATIONS[1::5], ids=str)
def test_stored_orientation_in_every_container(
    tmp_path: Path, expected: list[str], container: str, orientation: np.ndarray
) -> None:
    stored, affine = restored(scan().astype(np.float32), oblique_affine(), orientation)
    assert hash_of(tmp_path, save(tmp_path / container, stored, affine)) == expected


@settings(max_examples=120, deadline=None)
@given(
    orientation=st.sampled_from(ORIENTATIONS),
    dtype=st.sampled_from(["i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"]),
    order=st.sampled_from("<>"),
    version=st.sampled_from([1, 2]),
    codes=st.sampled_from([(1, 0), (4, 1), (0, 1), (0, 3)]),
    scaling=st.sampled_from(
        [(1.0, 0.0), (0.0, 5.0), (float("nan"), 0.0), (2.0, 0.0), (0.5, -64.0)]
    ),
    level=st.integers(0, 9),
)
def test_nifti_variants(
    tmp_path_factory: pytest.TempPathFactory,
    expected: list[str],
    orientation: np.ndarray,
    dtype: str,
    order: str,
    version: int,
    codes: tuple[int, int],
    scaling: tuple[float, float],
    level: int,
) -> None:
    """Any stored axis order, type, byte order, header version, compression and slope."""
    slope, intercept = scaling
    used = (slope, intercept) if slope > 0 else (1.0, 0.0)
    raw = (scan().astype(np.float64) - used[1]) / used[0]
    stored, affine = restored(raw.astype(dtype), oblique_affine(), orientation)
    folder = tmp_path_factory.mktemp("variant")
    options = {"order": order, "version": version, "codes": codes}
    options |= {"slope": slope, "intercept": intercept}
    assert hash_of(folder, save(folder / "a.nii.gz", stored, affine, level=level, **options)) == (
        expected
    )


@pytest.mark.parametrize("orientation", ORIENTATIONS, ids=str)
def test_sheared_grid(tmp_path: Path, orientation: np.ndarray) -> None:
    """A tilted gantry: no format but NIfTI's sform holds it."""
    affine = oblique_affine()
    affine[:3, 2] += 0.4 * affine[:3, 1]
    expected = hash_of(tmp_path, save(tmp_path / "a.nii", scan(), affine))
    stored, turned = restored(scan(), affine, orientation)
    assert hash_of(tmp_path, save(tmp_path / "b.nii", stored, turned)) == expected


@pytest.mark.parametrize("orientation", ORIENTATIONS[::7], ids=str)
def test_grid_at_45_degrees(tmp_path: Path, orientation: np.ndarray) -> None:
    """Two axes are equally near to R: the stored order must not decide."""
    affine = np.eye(4)
    affine[:2, :2] = np.array([[1, -1], [1, 1]]) / np.sqrt(2)
    expected = hash_of(tmp_path, save(tmp_path / "a.nii", scan(), affine))
    stored, turned = restored(scan(), affine, orientation)
    assert hash_of(tmp_path, save(tmp_path / "b.nii", stored, turned)) == expected


def test_spacing_and_origin_do_not_count(tmp_path: Path, expected: list[str]) -> None:
    affine = oblique_affine() @ np.diag([2.0, 3.0, 0.5, 1.0])
    affine[:3, 3] = 0.0
    assert hash_of(tmp_path, save(tmp_path / "a.nii", scan(), affine)) == expected


def test_other_voxels_other_hash(tmp_path: Path, expected: list[str]) -> None:
    values = scan()
    values[0, 0, 0] += 1
    assert hash_of(tmp_path, save(tmp_path / "a.nii", values, oblique_affine())) != expected


def test_flip_that_the_header_denies(tmp_path: Path, expected: list[str]) -> None:
    assert hash_of(tmp_path, save(tmp_path / "a.nii", scan()[::-1], oblique_affine())) != expected


def test_4d_file_shares_the_hashes_of_its_parts(tmp_path: Path) -> None:
    parts = [scan(seed) for seed in range(4)]
    affine = oblique_affine()
    single = [hash_of(tmp_path, save(tmp_path / "a.nii", part, affine))[0] for part in parts]
    (tmp_path / "b.nii").write_bytes(nifti_bytes(np.stack(parts, axis=-1), affine))
    assert hash_of(tmp_path, "b.nii") == single


def test_single_slice_in_2d_and_3d(tmp_path: Path) -> None:
    flat = scan(shape=(5, 6))
    (tmp_path / "a.nii").write_bytes(nifti_bytes(flat))
    (tmp_path / "b.nii").write_bytes(nifti_bytes(flat[:, :, None]))
    assert hash_of(tmp_path, "a.nii") == hash_of(tmp_path, "b.nii")
