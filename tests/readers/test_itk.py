"""NRRD and MetaImage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813, the name everybody knows it by
from reader_scans import Read, hashes, nifti_bytes, oblique_affine, save, scan, sitk_image

from dvdup import readers, voxels

RAW = b"NRRD0004\ntype: int16\ndimension: 3\nsizes: 5 6 7\nendian: little\nencoding: raw\n"
SPACE = b"space: %s\nspace directions: (1,0,0) (0,1,0) (0,0,1)\nspace origin: (0,0,0)\n"
VOXELS = scan().astype("<i2").tobytes(order="F")
META = (
    b"ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\n"
    b"%sElementSpacing = 1 2 3\nDimSize = 5 6 7\nElementType = MET_SHORT\nElementDataFile = "
)


@pytest.mark.parametrize(
    ("space", "flips"),
    [
        (b"left-posterior-superior", (-1, -1, 1)),
        (b"LPS", (-1, -1, 1)),
        (b"right-anterior-superior", (1, 1, 1)),
        (b"RAS", (1, 1, 1)),
        (b"left-anterior-superior", (-1, 1, 1)),
    ],
)
def test_nrrd_space(tmp_path: Path, read: Read, space: bytes, flips: tuple[int, int, int]) -> None:
    (tmp_path / "a.nrrd").write_bytes(RAW + SPACE % space + b"\n" + VOXELS)
    volume = read("a.nrrd")
    x, y, z = flips
    np.testing.assert_array_equal(volume.channels[0], scan()[::x, ::y, ::z])
    assert volume.oriented


@pytest.mark.parametrize(
    "extra",
    [
        b"",
        b"spacings: 1 2 3\n",
        b"space dimension: 3\nspace directions: (1,0,0) (0,2,0) (0,0,3)\n",
    ],
)
def test_nrrd_without_a_space_is_array_order(tmp_path: Path, read: Read, extra: bytes) -> None:
    (tmp_path / "a.nrrd").write_bytes(RAW + extra + b"\n" + VOXELS)
    volume = read("a.nrrd")
    np.testing.assert_array_equal(volume.channels[0], scan())
    assert not volume.oriented
    assert volume.spacing == ((1.0, 2.0, 3.0) if extra else (1.0, 1.0, 1.0))


@pytest.mark.parametrize(
    ("extra", "oriented"),
    [(b"", False), (b"TransformMatrix = 1 0 0 0 1 0 0 0 1\n", True)],
)
def test_metaimage_orientation(tmp_path: Path, read: Read, extra: bytes, oriented: bool) -> None:
    (tmp_path / "a.mha").write_bytes(META % extra + b"LOCAL\n" + VOXELS)
    volume = read("a.mha")
    step = -1 if oriented else 1
    np.testing.assert_array_equal(volume.channels[0], scan()[::step, ::step])
    assert volume.oriented == oriented
    assert volume.spacing == (1.0, 2.0, 3.0)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_vector_components_are_channels(tmp_path: Path, read: Read, suffix: str) -> None:
    parts = [scan(seed) for seed in range(4)]
    image = sitk.Compose([sitk_image(part, oblique_affine()) for part in parts])
    sitk.WriteImage(image, str(tmp_path / f"a{suffix}"))
    (tmp_path / "b.nii").write_bytes(nifti_bytes(np.stack(parts, axis=-1), oblique_affine()))
    assert hashes(read(f"a{suffix}")) == hashes(read("b.nii"))


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_fourth_axis_is_channels(tmp_path: Path, read: Read, suffix: str) -> None:
    parts = [scan(seed) for seed in range(10)]
    image = sitk.JoinSeries([sitk_image(part, oblique_affine()) for part in parts])
    sitk.WriteImage(image, str(tmp_path / f"a{suffix}"))
    (tmp_path / "b.nii").write_bytes(nifti_bytes(np.stack(parts, axis=-1), oblique_affine()))
    volume = read(f"a{suffix}")
    assert hashes(volume) == hashes(read("b.nii"))
    assert volume.notes == read("b.nii").notes


def test_equal_colours_are_one_channel(tmp_path: Path, read: Read) -> None:
    grey = (scan() // 8).astype(np.uint8)
    image = sitk.Compose([sitk_image(grey, np.eye(4))] * 3)
    sitk.WriteImage(image, str(tmp_path / "a.mha"))
    assert len(read("a.mha").channels) == 1


def test_2d_image_is_a_picture(tmp_path: Path, read: Read) -> None:
    rows = np.random.default_rng(0).integers(0, 255, (6, 9)).astype(np.uint8)
    for name in ("a.png", "a.mha", "a.nrrd"):
        sitk.WriteImage(sitk.GetImageFromArray(rows), str(tmp_path / name))
    assert hashes(read("a.mha")) == hashes(read("a.nrrd")) == hashes(read("a.png"))


@pytest.mark.parametrize(
    ("files", "data_file"),
    [
        (["v.raw"], b"v.raw"),
        (["v1.raw", "v2.raw", "v3.raw"], b"v%d.raw 1 3 1 2"),
        (["p.raw", "q.raw"], b"LIST 2\np.raw\nq.raw"),
    ],
)
def test_nhdr_companions(tmp_path: Path, files: list[str], data_file: bytes) -> None:
    (tmp_path / "a.nhdr").write_bytes(RAW + b"data file: " + data_file + b"\n")
    assert readers.companions(tmp_path / "a.nhdr") == tuple(tmp_path / name for name in files)


def test_mhd_list_of_slices(tmp_path: Path, read: Read) -> None:
    names = [f"s{k}.raw" for k in range(7)]
    for k, name in enumerate(names):
        (tmp_path / name).write_bytes(scan()[:, :, k].astype("<i2").tobytes(order="F"))
    listing = "\n".join(["LIST", *names]).encode()
    (tmp_path / "a.mhd").write_bytes(META % b"" + listing + b"\n")
    assert readers.companions(tmp_path / "a.mhd") == tuple(tmp_path / name for name in names)
    np.testing.assert_array_equal(read("a.mhd").channels[0], scan())


def test_stored_type_is_kept(tmp_path: Path, read: Read) -> None:
    save(tmp_path / "a.nrrd", scan(), oblique_affine())
    volume = read("a.nrrd")
    assert volume.channels[0].dtype == np.int16
    np.testing.assert_array_equal(voxels.channel_values(volume, 0), scan())
    assert volume.spacing == pytest.approx((1.0, 1.5, 2.5))


@pytest.mark.parametrize("name", ["a.mha", "a.mhd"])
def test_metaimage_with_fields_of_its_own(tmp_path: Path, read: Read, name: str) -> None:
    """As SimpleITK writes them from DICOM."""
    save(tmp_path / name, scan(), oblique_affine(), level=0)
    expected = hashes(read(name))
    path = tmp_path / name
    data = path.read_bytes()
    path.write_bytes(
        data.replace(b"NDims", b"0008|0060 = MR\nSeries Description = t1 = a\nNDims", 1)
    )
    assert hashes(read(name)) == expected
