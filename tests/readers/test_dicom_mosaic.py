"""Siemens mosaics: one picture of tiles is the volume that dcm2niix makes of it."""

from __future__ import annotations

import gzip
import io
import struct
import warnings
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from reader_dicom import ORIENTATION, dataset, write_slice
from reader_scans import Read, hashes, nifti_bytes

from dvdup.errors import ReadError

NORMAL = np.cross(ORIENTATION[:3], ORIENTATION[3:])
REAL = Path(nib.__file__).parent / "nicom" / "tests" / "data" / "siemens_dwi_0.dcm.gz"


def slices(count: int = 7, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 900, (count, 6, 8)).astype(np.uint16)


def csa(**tags: list[str]) -> bytes:
    """A CSA header (version 2) of these tags, as Siemens lays it out."""
    parts = [b"SV10\4\3\2\1", struct.pack("<2I", len(tags), 77)]
    for name, values in tags.items():
        parts.append(
            struct.pack("<64si4s3i", name.encode(), len(values), b"DS\0\0", 0, len(values), 77)
        )
        for value in values:
            text = value.encode() + b"\0"
            parts += [struct.pack("<4i", len(text), len(text), 77, len(text)), text]
            parts.append(bytes(-len(text) % 4))
    return b"".join(parts)


def mosaic(path: Path, volume: np.ndarray, number: int = 1, **options: Any) -> str:
    """A mosaic of (slices, rows, columns).

    `normal` is the slice direction of the CSA header (None: no CSA header), `count` the number in
    (0019,100A), `csa` other bytes of the CSA header.
    """
    side = int(np.ceil(np.sqrt(len(volume))))
    _, rows, columns = volume.shape
    picture = np.zeros((side * rows, side * columns), volume.dtype)
    for k, one in enumerate(volume):
        y, x = divmod(k, side)
        picture[y * rows : (y + 1) * rows, x * columns : (x + 1) * columns] = one
    one = dataset(picture)
    one.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]
    one.ImageOrientationPatient, one.ImagePositionPatient = ORIENTATION, [-50.0, -60.0, -30.0]
    one.PixelSpacing, one.SliceThickness, one.SpacingBetweenSlices = [1.5, 0.5], 2.0, 2.5
    one.InstanceNumber = number
    _private(one, len(volume), options)
    one.save_as(path, enforce_file_format=True)
    return path.name


def _private(one: Dataset, count: int, options: dict[str, Any]) -> None:
    normal = options.get("normal", NORMAL)
    if normal is not None:
        vector = [f"{number:.8f}" for number in normal]
        head = csa(NumberOfImagesInMosaic=[str(count)], SliceNormalVector=vector)
        block = one.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
        block.add_new(0x10, "OB", options.get("csa", head))
    if "count" in options:
        block = one.private_block(0x0019, "SIEMENS MR HEADER", create=True)
        block.add_new(0x0A, "US", options["count"])


def as_nifti(path: Path, volume: np.ndarray, direction: float = 1.0) -> str:
    """(slices, rows, columns) as dcm2niix stores them: rows from the bottom."""
    affine = np.diag([-0.5, 1.5, 2.5 * direction, 1.0])
    path.write_bytes(nifti_bytes(volume[:, ::-1].transpose(2, 1, 0), affine))
    return path.name


@pytest.mark.parametrize("count", [1, 2, 4, 7, 16])
@pytest.mark.parametrize("direction", [1.0, -1.0])
def test_is_the_volume_of_its_nifti(
    tmp_path: Path, read: Read, count: int, direction: float
) -> None:
    volume = slices(count)
    name = mosaic(tmp_path / "a.dcm", volume, normal=direction * NORMAL)
    found, wanted = read(name), read(as_nifti(tmp_path / "a.nii", volume, direction))
    assert found.shape == (8, 6, count)
    assert hashes(found) == hashes(wanted)
    assert found.spacing == wanted.spacing == (0.5, 1.5, 2.5)
    assert found.oriented
    assert found.notes == ()


def test_number_of_slices_in_a_tag_of_its_own(tmp_path: Path, read: Read) -> None:
    volume = slices(7)
    found = read(mosaic(tmp_path / "a.dcm", volume, normal=None, count=7))
    assert hashes(found) == hashes(read(as_nifti(tmp_path / "a.nii", volume)))
    assert "mosaic without a slice direction" in found.notes[0]


def test_several_are_the_frames_of_a_time_series(tmp_path: Path, read: Read) -> None:
    volumes = [slices(7, seed) for seed in range(3)]
    names = [mosaic(tmp_path / f"{9 - t}.dcm", volumes[t], t + 1) for t in range(3)]
    wanted = [hashes(read(as_nifti(tmp_path / "a.nii", volume)))[0] for volume in volumes]
    assert hashes(read(*names, series="s")) == wanted


@pytest.mark.skipif(not REAL.exists(), reason="nibabel without its test data")
def test_real_headers_as_nibabel_reads_them(tmp_path: Path, read: Read) -> None:
    """The file has headers of a scanner and no voxels, so it is given some."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from nibabel.nicom.dicomwrappers import wrapper_from_data

    one = pydicom.dcmread(io.BytesIO(gzip.decompress(REAL.read_bytes())))
    voxels = np.random.default_rng(0).integers(0, 900, (one.Rows, one.Columns), np.uint16)
    one.PixelData = voxels.tobytes()
    one.save_as(tmp_path / "a.dcm")
    wrapped = wrapper_from_data(pydicom.dcmread(tmp_path / "a.dcm"))
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ wrapped.affine
    (tmp_path / "a.nii").write_bytes(nifti_bytes(np.asarray(wrapped.get_data()), affine))
    found, wanted = read("a.dcm"), read("a.nii")
    assert found.shape == (128, 128, 48)
    assert None not in hashes(found)
    assert hashes(found) == hashes(wanted)
    np.testing.assert_allclose(found.spacing, wanted.spacing, rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"normal": None}, "without the private header that says how many slices"),
        ({"normal": None, "count": 17}, "of 17 slices, into which its 24 x 18 pixels cannot be"),
        ({"normal": None, "count": 65535}, "of 65535 slices"),
        ({"csa": b"SV10\4\3\2\1" + b"\xff" * 200}, "private header .* is damaged"),
        ({"csa": csa(NumberOfImagesInMosaic=["1e9"])}, "of 1000000000 slices"),
        ({"csa": csa(NumberOfImagesInMosaic=["1e400"])}, "private header .* is damaged"),
        ({"csa": csa(NumberOfImagesInMosaic=["-4"])}, "of -4 slices"),
        ({"csa": csa(NumberOfImagesInMosaic=["9"])[:-20]}, "private header .* is damaged"),
        ({"csa": b"\1" * ((1 << 20) + 2)}, "private header .* is damaged"),
        ({"normal": [1.0, 0.0, 0.0]}, "do not follow one another along the normal"),
    ],
)
def test_what_cannot_be_cut_is_told(
    tmp_path: Path, read: Read, options: dict[str, Any], said: str
) -> None:
    name = mosaic(tmp_path / "a.dcm", slices(7), **options)
    with pytest.raises(ReadError, match=rf"^a\.dcm: .*{said}"):
        read(name)


def test_mosaics_that_differ(tmp_path: Path, read: Read) -> None:
    names = [mosaic(tmp_path / "a.dcm", slices(7)), mosaic(tmp_path / "b.dcm", slices(8), 2)]
    with pytest.raises(ReadError, match=r"^b\.dcm: a Siemens mosaic with other slices than a\.dcm"):
        read(*names, series="s")
    plain = np.zeros((18, 24), np.uint16)
    names[1] = write_slice(tmp_path / "c.dcm", plain, 0).name
    with pytest.raises(ReadError, match=r"^c\.dcm: one slice, among Siemens mosaics"):
        read(*names, series="s")
