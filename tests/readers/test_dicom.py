"""DICOM series as volumes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless
from reader_dicom import STEP, dataset, write_enhanced, write_series, write_slice
from reader_scans import Read, hashes, nifti_bytes

from dvdup import voxels
from dvdup.errors import PointerError, ReadError

Tags = Callable[[int, int], dict[str, Any]]


def slices(seed: int = 0, shape: tuple[int, ...] = (5, 6, 8), dtype: str = "i2") -> np.ndarray:
    """(slices, rows, columns)."""
    low = 0 if dtype[0] == "u" else -900
    return np.random.default_rng(seed).integers(low, 1000, shape).astype(dtype)


def in_ras(volume: np.ndarray) -> np.ndarray:
    """An axial series: columns go to the left, rows to the back, slices up."""
    return volume.transpose(2, 1, 0)[::-1, ::-1]


def test_geometry(tmp_path: Path, read: Read) -> None:
    names = write_series(tmp_path, slices())
    volume = read(*names)
    np.testing.assert_array_equal(volume.channels[0], in_ras(slices()))
    assert volume.spacing == (0.5, 1.5, STEP)
    assert volume.modality == "MR"
    assert volume.oriented
    assert volume.notes == ()
    assert volume.channels[0].dtype == np.int16


@pytest.mark.parametrize("seed", range(3))
def test_order_of_files_does_not_count(tmp_path: Path, read: Read, seed: int) -> None:
    names = write_series(tmp_path, slices())
    expected = hashes(read(*names))
    shuffled = np.random.default_rng(seed).permutation(names).tolist()
    assert hashes(read(*shuffled)) == expected


@pytest.mark.parametrize(
    "orientation",
    [
        [0.0, 1.0, 0.0, 0.0, 0.0, -1.0],
        [1.0, 0.0, 0.0, 0.0, 0.0, -1.0],
        [-1.0, 0.0, 0.0, 0.0, -1.0, 0.0],
        [0.96, 0.28, 0.0, -0.28, 0.96, 0.0],
        [0.0, 0.96, 0.28, 0.0, 0.28, -0.96],
    ],
)
def test_agrees_with_nifti_of_the_same_grid(
    tmp_path: Path, read: Read, orientation: list[float]
) -> None:
    names = write_series(tmp_path, slices(), ImageOrientationPatient=orientation)
    along_row, along_column = np.array(orientation[:3]), np.array(orientation[3:])
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = along_row * 0.5, along_column * 1.5
    affine[:3, 2] = np.cross(along_row, along_column) * STEP
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    (tmp_path / "a.nii").write_bytes(nifti_bytes(slices().transpose(2, 1, 0), affine))
    series, single = read(*names), read("a.nii")
    assert hashes(series) == hashes(single)
    assert series.spacing == pytest.approx(single.spacing, abs=1e-3)


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless])
def test_compressed(tmp_path: Path, read: Read, syntax: str) -> None:
    pixels = slices(shape=(3, 40, 48), dtype="u2")
    plain = write_series(tmp_path, pixels, "p")
    packed = write_series(tmp_path, pixels, "q", _compress=syntax)
    assert pydicom.dcmread(tmp_path / packed[0]).file_meta.TransferSyntaxUID == syntax
    assert hashes(read(*packed)) == hashes(read(*plain))


def test_rescale(tmp_path: Path, read: Read) -> None:
    names = write_series(tmp_path, slices(), RescaleSlope="2.5", RescaleIntercept="-1024")
    volume = read(*names)
    assert volume.channels[0].dtype == np.int16
    assert volume.scaling == ((2.5, -1024.0),)


def test_rescale_of_each_slice(tmp_path: Path, read: Read) -> None:
    """As PET does it: the values count, not what is stored."""
    slopes = [0.1, 0.25, 1.0, 3.0, 7.5]
    names = [
        write_slice(
            tmp_path / f"{k}.dcm", slices()[k], k, RescaleSlope=slope, RescaleIntercept=1
        ).name
        for k, slope in enumerate(slopes)
    ]
    expected = (slices() * np.array(slopes)[:, None, None] + 1).astype(np.float32)
    values = voxels.channel_values(read(*names), 0)
    np.testing.assert_array_equal(values, in_ras(expected))


def test_modality_lut(tmp_path: Path, read: Read) -> None:
    table = Dataset()
    table.add_new("LUTDescriptor", "US", [256, 0, 16])
    table.add_new("LUTData", "US", list(range(5, 256 * 3 + 5, 3)))
    table.ModalityLUTType = "US"
    pixels = slices(dtype="u2", shape=(3, 6, 8)) % 256
    names = write_series(tmp_path, pixels, ModalityLUTSequence=[table])
    values = voxels.channel_values(read(*names), 0)
    np.testing.assert_array_equal(values, in_ras(pixels * 3.0 + 5))


def test_monochrome1_window_and_overlay_do_not_count(tmp_path: Path, read: Read) -> None:
    plain = write_series(tmp_path, slices(), "p")
    other = write_series(
        tmp_path,
        slices(),
        "q",
        PhotometricInterpretation="MONOCHROME1",
        WindowCenter=40,
        WindowWidth=10,
    )
    assert hashes(read(*plain)) == hashes(read(*other))


def test_missing_slices_are_noted(tmp_path: Path, read: Read) -> None:
    names = write_series(tmp_path, slices(shape=(9, 6, 8)))
    kept = [name for k, name in enumerate(names) if k not in (3, 4)]
    volume = read(*kept)
    assert volume.shape == (8, 6, 7)
    assert volume.notes == ("missing slices: 2 between s007.dcm and s004.dcm (a gap of 7.5 mm)",)
    assert volume.spacing[2] == STEP


def test_uneven_slices_are_noted(tmp_path: Path, read: Read) -> None:
    names = [
        write_slice(tmp_path / f"{k}.dcm", slices()[k], k, ImagePositionPatient=[0, 0, z]).name
        for k, z in enumerate([0.0, 2.0, 4.4, 6.4, 8.4])
    ]
    assert read(*names).notes == ("uneven slices: 2 to 2.4 mm apart",)


def test_same_slice_twice(tmp_path: Path, read: Read) -> None:
    names = write_series(tmp_path, slices())
    (tmp_path / "copy.dcm").write_bytes((tmp_path / names[2]).read_bytes())
    message = r"^copy\.dcm: the same DICOM slice as s003\.dcm \(equal SOPInstanceUID\); leave one"
    with pytest.raises(ReadError, match=message):
        read(*names, "copy.dcm")


def test_two_slices_at_one_position(tmp_path: Path, read: Read) -> None:
    """What cannot be told apart is compared all the same, and nobody is told to remove data."""
    names = write_series(tmp_path, slices())
    write_slice(tmp_path / "t.dcm", slices(1)[0], 2)
    volume = read(*names, "t.dcm")
    np.testing.assert_array_equal(volume.channels[0], in_ras(slices()))
    np.testing.assert_array_equal(volume.channels[1][:, ::-1][::-1, :, 2].T, slices(1)[0])
    assert volume.notes == ("2 volumes of unequal coverage: 4 slices are empty in some of them",)


def one_by_one(folder: Path, volumes: Sequence[np.ndarray], tags: Tags) -> list[str]:
    """Several volumes in one series; `tags` of (volume, slice)."""
    return [
        write_slice(folder / f"v{v}s{k}.dcm", volume[k], k, **tags(v, k)).name
        for v, volume in enumerate(volumes)
        for k in range(len(volume))
    ]


DIRECTIONS = ([1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0])
REPEATS: dict[str, Tags] = {
    "a trigger time a slice": lambda v, k: {
        "TriggerTime": 100 * v + 7 * k, "InstanceNumber": 5 * v + k + 1
    },
    "directions of one b-value": lambda v, k: {
        "DiffusionBValue": 1000.0, "DiffusionGradientOrientation": DIRECTIONS[v],
        "InstanceNumber": 3 * k + (v + k) % 3,
    },
    "times": lambda v, k: {"AcquisitionTime": f"10000{v}", "InstanceNumber": 3 * k + (v + k) % 3},
    "an acquisition number a slice": lambda v, k: {
        "AcquisitionNumber": 5 * v + k, "InstanceNumber": 5 * v + k + 1
    },
    "runs of numbers": lambda v, k: {"InstanceNumber": 5 * v + k + 1},
    "interleaved numbers": lambda v, k: {"InstanceNumber": 3 * k + v + 1},
}  # fmt: skip


@pytest.mark.parametrize("tags", REPEATS.values(), ids=list(REPEATS))
def test_several_volumes_in_one_series(tmp_path: Path, read: Read, tags: Tags) -> None:
    volumes = [slices(seed) for seed in range(3)]
    found = read(*one_by_one(tmp_path, volumes, tags))
    assert found.notes == ()
    expected = {in_ras(volume).tobytes() for volume in volumes}
    assert {channel.tobytes() for channel in found.channels} == expected


def test_phases_of_unequal_coverage(tmp_path: Path, read: Read) -> None:
    whole, part = slices(), slices(1)[:3]
    names = one_by_one(tmp_path, [whole, part], lambda v, k: {"AcquisitionNumber": v + 1})
    found = read(*names)
    np.testing.assert_array_equal(found.channels[0], in_ras(whole))
    np.testing.assert_array_equal(found.channels[1][..., :3], in_ras(part))
    assert set(found.channels[1][..., 3:].ravel()) == {part.min()}
    assert found.notes == ("2 volumes of unequal coverage: 2 slices are empty in some of them",)


DAMAGED = {
    "decimal comma": ("RescaleIntercept", "DS", b"-1024,0 "),
    "two slopes": ("RescaleSlope", "DS", b"1\\2 "),
    "a word and a number": ("InstanceNumber", "IS", b"IM 1"),
    "frames in words": ("NumberOfFrames", "IS", b"one "),
    "no rows": ("Rows", "US", b""),
    "odd rows": ("Rows", "US", b"abc"),
}


@pytest.mark.parametrize(("name", "kind", "raw"), DAMAGED.values(), ids=list(DAMAGED))
def test_damaged_numbers(tmp_path: Path, read: Read, name: str, kind: str, raw: bytes) -> None:
    write_slice(tmp_path / "a.dcm", slices()[0], 0, RescaleSlope=1, RescaleIntercept=0)
    one = pydicom.dcmread(tmp_path / "a.dcm")
    tag = pydicom.datadict.tag_for_keyword(name)
    one[tag] = pydicom.dataelem.RawDataElement(
        pydicom.tag.Tag(tag), kind, len(raw), raw, 0, False, True
    )
    one.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    with pytest.raises(ReadError, match=rf"^a\.dcm: its {name} is "):
        read("a.dcm")


def test_private_transfer_syntax(tmp_path: Path, read: Read) -> None:
    write_slice(tmp_path / "a.dcm", slices()[0], 0)
    data = (tmp_path / "a.dcm").read_bytes()
    (tmp_path / "a.dcm").write_bytes(
        data.replace(b"1.2.840.10008.1.2.1\0", b"1.2.999.10008.1.2.1\0")
    )
    with pytest.raises(ReadError, match=r"its transfer syntax '1\.2\.999.* is not one of DICOM"):
        read("a.dcm")


def test_repeated_stack_is_channels(tmp_path: Path, read: Read) -> None:
    first = write_series(tmp_path, slices(), "p", EchoTime=10)
    second = write_series(tmp_path, slices(1), "q", EchoTime=80)
    volume = read(*second, *first)
    both = hashes(read(*first)) + hashes(read(*second))
    assert sorted(hashes(volume), key=str) == sorted(both, key=str)
    assert hashes(read(*first, *second)) == hashes(volume)


def test_slices_of_other_size(tmp_path: Path, read: Read) -> None:
    names = write_series(tmp_path, slices())
    write_slice(tmp_path / "other.dcm", slices(shape=(1, 7, 8))[0], 9)
    with pytest.raises(ReadError, match=r"^other\.dcm: its slices are 8 x 7 pixels, those of s005"):
        read(*names, "other.dcm")


def test_slices_in_other_planes(tmp_path: Path, read: Read) -> None:
    names = write_series(tmp_path, slices())
    sagittal = [0.0, 1.0, 0.0, 0.0, 0.0, -1.0]
    write_slice(tmp_path / "other.dcm", slices()[0], 9, ImageOrientationPatient=sagittal)
    with pytest.raises(ReadError, match="lies in another plane"):
        read(*names, "other.dcm")


def test_other_series_among_the_files(tmp_path: Path, read: Read) -> None:
    names = write_series(tmp_path, slices())
    write_slice(tmp_path / "other.dcm", slices()[0], 9, SeriesInstanceUID="1.2.3")
    with pytest.raises(ReadError, match="belongs to another DICOM series"):
        read(*names, "other.dcm")


def test_enhanced_multi_frame(tmp_path: Path, read: Read) -> None:
    expected = read(*write_series(tmp_path, slices()))
    name = write_enhanced(tmp_path / "e.dcm", slices(), [3, 0, 4, 1, 2])
    volume = read(name)
    assert hashes(volume) == hashes(expected)
    assert volume.spacing == expected.spacing


def test_enhanced_rescale_of_each_frame(tmp_path: Path, read: Read) -> None:
    order, slopes = [3, 0, 4, 1, 2], [0.5, 1.0, 2.0, 4.0, 8.0]
    name = write_enhanced(tmp_path / "e.dcm", slices(), order, slopes=slopes)
    by_slice = np.array([slope for _, slope in sorted(zip(order, slopes, strict=True))])
    values = voxels.channel_values(read(name), 0)
    np.testing.assert_array_equal(values, in_ras(slices() * by_slice[:, None, None]))


def test_enhanced_with_a_doubled_frame(tmp_path: Path, read: Read) -> None:
    name = write_enhanced(tmp_path / "e.dcm", slices(), [0, 1, 2, 2, 3])
    volume = read(name)
    np.testing.assert_array_equal(volume.channels[0], in_ras(slices()[:4]))
    assert len(volume.channels) == 2


def test_enhanced_of_two_volumes_without_marks(tmp_path: Path, read: Read) -> None:
    name = write_enhanced(tmp_path / "e.dcm", slices(), [0, 1, 2, 3, 4] * 2)
    assert [c.tobytes() for c in read(name).channels] == [in_ras(slices()).tobytes()] * 2


def test_without_orientation_it_is_a_picture(tmp_path: Path, read: Read) -> None:
    pixels = slices()[0]
    dataset(pixels).save_as(tmp_path / "a.dcm", enforce_file_format=True)
    volume = read("a.dcm")
    assert not volume.oriented
    assert volume.notes == ()
    np.testing.assert_array_equal(volume.channels[0][:, ::-1, 0].T, pixels)


def test_plain_multi_frame_is_a_stack(tmp_path: Path, read: Read) -> None:
    one = dataset(slices())
    one.NumberOfFrames = len(slices())
    one.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    assert read("a.dcm").shape == (8, 6, 5)


@pytest.mark.parametrize("equal", [True, False])
def test_colours(tmp_path: Path, read: Read, equal: bool) -> None:
    grey = (slices()[0] % 256).astype(np.uint8)
    rows = np.dstack([grey, grey, grey if equal else 255 - grey])
    one = dataset(grey)
    one.SamplesPerPixel, one.PhotometricInterpretation = 3, "RGB"
    one.PlanarConfiguration = 0
    one.PixelData = rows.tobytes()
    one.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    assert len(read("a.dcm").channels) == (1 if equal else 3)


def test_without_preamble_and_suffix(tmp_path: Path, read: Read) -> None:
    names = write_series(tmp_path, slices()[:1])
    data = (tmp_path / names[0]).read_bytes()
    (tmp_path / "IM0001").write_bytes(data)
    assert hashes(read("IM0001")) == hashes(read(names[0]))
    bare = dataset(slices()[0])
    del bare.file_meta
    bare["PixelData"].VR = "OW"
    bare.save_as(tmp_path / "bare.dcm", implicit_vr=True, little_endian=True)
    np.testing.assert_array_equal(read("bare.dcm").channels[0][:, ::-1, 0].T, slices()[0])


def test_no_patient_tag_in_the_volume(tmp_path: Path, read: Read) -> None:
    text = repr(read(*write_series(tmp_path, slices())))
    assert "Doe" not in text
    assert "secret" not in text


@pytest.mark.parametrize("cut", [20, 500])
def test_truncated(tmp_path: Path, read: Read, cut: int) -> None:
    names = write_series(tmp_path, slices(shape=(3, 30, 40)))
    path = tmp_path / names[1]
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(ReadError, match=r"^s002\.dcm: truncated"):
        read(*names)


def test_damaged_pixels(tmp_path: Path, read: Read) -> None:
    pixels = slices(shape=(3, 40, 48), dtype="u2")
    names = write_series(tmp_path, pixels, _compress=JPEG2000Lossless)
    path = tmp_path / names[1]
    data = path.read_bytes()
    start = data.index(b"\xff\x4f\xff\x51")
    path.write_bytes(data[:start] + bytes(40) + data[start + 40 :])
    with pytest.raises(ReadError, match=r"^s002\.dcm: its pixels cannot be decoded"):
        read(*names)


def test_header_asks_for_terabytes(tmp_path: Path, read: Read) -> None:
    one = dataset(slices())
    one.NumberOfFrames = 100_000_000
    one.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    with pytest.raises(ReadError, match=r"^a\.dcm: truncated: its header promises"):
        read("a.dcm")


def test_no_pixels(tmp_path: Path, read: Read) -> None:
    one = dataset(slices()[0])
    del one.PixelData
    one.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    with pytest.raises(ReadError, match="no pixels behind it"):
        read("a.dcm")


def test_pointer_in_a_series(tmp_path: Path, read: Read) -> None:
    names = write_series(tmp_path, slices())
    (tmp_path / names[0]).write_bytes(b"version https://git-lfs.github.com/spec/v1\noid 1\n")
    with pytest.raises(PointerError, match="git lfs pull"):
        read(*names)
