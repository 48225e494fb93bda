"""NIfTI, Analyze and MGH: values, axes and spacing agree with nibabel."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from reader_scans import Read, hashes, nifti_bytes, oblique_affine, save, scan

from dvdup import voxels


@pytest.mark.parametrize("container", ["a.nii", "a.nii.gz", "a.hdr", "a.mgz"])
def test_agrees_with_nibabel(tmp_path: Path, read: Read, container: str) -> None:
    affine = oblique_affine() @ nib.orientations.inv_ornt_aff([[1, -1], [2, 1], [0, -1]], (5, 6, 7))
    save(tmp_path / container, scan().astype(np.float32), affine)
    volume = read(container)
    canonical = nib.as_closest_canonical(nib.load(tmp_path / container))
    np.testing.assert_array_equal(voxels.channel_values(volume, 0), canonical.get_fdata())
    assert volume.spacing == pytest.approx(canonical.header.get_zooms(), rel=1e-5)
    assert volume.oriented
    assert volume.notes == ()


def test_stored_type_is_kept(tmp_path: Path, read: Read) -> None:
    (tmp_path / "a.nii").write_bytes(nifti_bytes(scan(), slope=0.5, intercept=3.0))
    volume = read("a.nii")
    assert volume.channels[0].dtype == np.int16
    assert volume.scaling == ((0.5, 3.0),)
    np.testing.assert_array_equal(voxels.channel_values(volume, 0), scan() * 0.5 + 3)


def test_sform_before_qform(tmp_path: Path, read: Read) -> None:
    data = bytearray(nifti_bytes(scan(), np.diag([-1.0, 1, 1, 1]), codes=(1, 0)))
    other = nifti_bytes(scan(), np.diag([1.0, -1, 1, 1]), codes=(1, 1))
    data[252:280] = other[252:280]  # qform code and parameters of the other
    (tmp_path / "a.nii").write_bytes(data)
    np.testing.assert_array_equal(read("a.nii").channels[0], scan()[::-1])


def test_no_orientation_is_array_order(tmp_path: Path, read: Read) -> None:
    affine = np.diag([-2.0, -1, 3, 1])
    (tmp_path / "a.nii").write_bytes(nifti_bytes(scan(), affine, codes=(0, 0)))
    volume = read("a.nii")
    np.testing.assert_array_equal(volume.channels[0], scan())
    assert not volume.oriented
    assert volume.spacing == (2.0, 1.0, 3.0)


@pytest.mark.parametrize("bad", [0.0, np.nan])
def test_unusable_orientation_is_noted(tmp_path: Path, read: Read, bad: float) -> None:
    data = bytearray(nifti_bytes(scan()))
    data[280:296] = np.full(4, bad, "<f4").tobytes()
    (tmp_path / "a.nii").write_bytes(data)
    volume = read("a.nii")
    assert not volume.oriented
    assert volume.notes[0].startswith("orientation ignored")
    np.testing.assert_array_equal(volume.channels[0], scan())


def test_qfac_zero_means_one(tmp_path: Path, read: Read) -> None:
    data = bytearray(nifti_bytes(scan(), codes=(0, 1)))
    data[76:80] = bytes(4)
    (tmp_path / "a.nii").write_bytes(data)
    assert read("a.nii").oriented


@pytest.mark.parametrize(("unit", "factor"), [(0, 1.0), (1, 1000.0), (2, 1.0), (3, 0.001)])
def test_spacing_in_mm(tmp_path: Path, read: Read, unit: int, factor: float) -> None:
    data = bytearray(nifti_bytes(scan(), np.diag([2.0, 3.0, 4.0, 1.0])))
    data[123] = unit
    (tmp_path / "a.nii").write_bytes(data)
    assert read("a.nii").spacing == pytest.approx((2 * factor, 3 * factor, 4 * factor))


@pytest.mark.parametrize(
    ("shape", "channels"),
    [((5, 6), 1), ((5,), 1), ((5, 6, 7, 1), 1), ((5, 6, 7, 4), 4), ((5, 6, 7, 1, 3), 3)],
)
def test_axes_become_channels(
    tmp_path: Path, read: Read, shape: tuple[int, ...], channels: int
) -> None:
    values = scan(shape=shape)
    (tmp_path / "a.nii").write_bytes(nifti_bytes(values))
    volume = read("a.nii")
    assert volume.shape == (*shape[:3], 1, 1)[:3]
    assert len(volume.channels) == len(volume.scaling) == channels
    assert volume.notes == ()
    last = voxels.channel_values(volume, channels - 1)
    expected = values if channels == 1 else values.reshape((*shape[:3], -1), order="F")[..., -1]
    np.testing.assert_array_equal(last, expected.reshape(volume.shape))


def test_all_frames_of_a_time_series_are_kept(tmp_path: Path, read: Read) -> None:
    (tmp_path / "a.nii").write_bytes(nifti_bytes(scan(shape=(5, 6, 7, 9))))
    volume = read("a.nii")
    assert len(volume.channels) == 9
    assert volume.notes == ()  # how many of them vote is not known here


def colours(red: np.ndarray, green: np.ndarray, blue: np.ndarray, *alpha: int) -> np.ndarray:
    fields = "RGBA"[: 3 + len(alpha)]
    values = np.zeros(red.shape, np.dtype([(name, "u1") for name in fields]))
    values["R"], values["G"], values["B"] = red, green, blue
    if alpha:
        values["A"] = alpha[0]
    return values


@pytest.mark.parametrize("alpha", [(), (255,)])
@pytest.mark.parametrize("equal", [True, False])
def test_rgb(tmp_path: Path, read: Read, alpha: tuple[int, ...], equal: bool) -> None:
    grey = (scan() // 8).astype(np.uint8)
    stored = colours(grey, grey, grey if equal else grey + 1, *alpha)
    nib.Nifti1Image(stored, np.eye(4)).to_filename(tmp_path / "a.nii")
    volume = read("a.nii")
    assert len(volume.channels) == (1 if equal else 3)
    np.testing.assert_array_equal(volume.channels[0], grey)


def test_complex_is_its_magnitude(tmp_path: Path, read: Read) -> None:
    (tmp_path / "a.nii").write_bytes(nifti_bytes((scan() * (0.6 + 0.8j)).astype(np.complex64)))
    volume = read("a.nii")
    np.testing.assert_allclose(voxels.channel_values(volume, 0), scan(), rtol=1e-6)
    assert volume.notes == ("complex voxels: their magnitude is compared",)


def test_nan_and_infinity_stay(tmp_path: Path, read: Read) -> None:
    values = scan().astype(np.float32)
    (tmp_path / "a.nii").write_bytes(nifti_bytes(values))
    values[0, 0, :2] = (np.nan, np.inf)
    (tmp_path / "b.nii").write_bytes(nifti_bytes(values))
    volume = read("b.nii")
    np.testing.assert_array_equal(voxels.channel_values(volume, 0), values)
    assert hashes(volume) != hashes(read("a.nii"))


def test_constant_has_no_hash(tmp_path: Path, read: Read) -> None:
    (tmp_path / "a.nii").write_bytes(nifti_bytes(np.full((3, 4, 5), 7, np.int16)))
    assert hashes(read("a.nii")) == [None]


@pytest.mark.parametrize("tail", [b"", b"\0" * 100, b"something else"])
def test_gzip_members_and_tails(tmp_path: Path, read: Read, tail: bytes) -> None:
    data = nifti_bytes(scan())
    packed = gzip.compress(data[:200]) + gzip.compress(data[200:]) + tail
    (tmp_path / "a.nii.gz").write_bytes(packed)
    np.testing.assert_array_equal(read("a.nii.gz").channels[0], scan())


def test_voxels_behind_an_extension(tmp_path: Path, read: Read) -> None:
    image = nib.Nifti1Image(scan(), np.eye(4))
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"x" * 3000))
    image.to_filename(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(read("a.nii.gz").channels[0], scan())


@pytest.mark.parametrize("order", ["<", ">"])
def test_analyze(tmp_path: Path, read: Read, order: str) -> None:
    header = nib.Spm2AnalyzeHeader(endianness=order)
    header.set_data_dtype(np.int16)
    header.set_data_shape((5, 6, 7))
    header.set_zooms((1, 2, 3))
    header["scl_slope"] = 0.5
    (tmp_path / "a.hdr").write_bytes(header.binaryblock)
    (tmp_path / "a.img").write_bytes(scan().astype(f"{order}i2").tobytes(order="F"))
    volume = read("a.hdr")
    np.testing.assert_array_equal(voxels.channel_values(volume, 0), scan() * 0.5)
    assert not volume.oriented
    assert volume.spacing == (1.0, 2.0, 3.0)


def test_packed_pair(tmp_path: Path, read: Read) -> None:
    nib.Nifti1Pair(scan(), oblique_affine()).to_filename(tmp_path / "a.img.gz")
    save(tmp_path / "b.nii", scan(), oblique_affine())
    assert hashes(read("a.hdr.gz")) == hashes(read("b.nii"))


def test_mgh_without_orientation(tmp_path: Path, read: Read) -> None:
    save(tmp_path / "a.mgh", scan().astype(np.int32), np.diag([-1.0, 1, 1, 1]))
    data = bytearray((tmp_path / "a.mgh").read_bytes())
    data[28:30] = bytes(2)
    (tmp_path / "a.mgh").write_bytes(data)
    volume = read("a.mgh")
    assert not volume.oriented
    np.testing.assert_array_equal(volume.channels[0], scan())


def test_4d_mgh(tmp_path: Path, read: Read) -> None:
    save(tmp_path / "a.mgz", scan(shape=(5, 6, 7, 3)).astype(np.int32), np.eye(4))
    assert len(read("a.mgz").channels) == 3
