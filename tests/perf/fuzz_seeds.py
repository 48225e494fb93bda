"""Small sound files of every format that dvdup reads: what `fuzz_readers.py` damages.

Written with the libraries that dvdup depends on; a format that the installed dvdup does not claim
is left out, so that the same script runs against older versions.
"""

from __future__ import annotations

import gzip
import io
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import pydicom
import SimpleITK as sitk  # noqa: N813, the name everybody knows it by
import tifffile
import zarr
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from dvdup.readers import SUFFIXES

SHAPE = (9, 10, 11)

_BIG = {"bigtiff": True, "tile": (16, 16), "compression": "zlib", "photometric": "minisblack"}


@dataclass(frozen=True)
class Seed:
    """One sound scan: its files by name; `damaged` is the one that is changed."""

    kind: str
    """The row of the result table, such as "nii.gz" or "dcm rle"."""
    main: str
    files: dict[str, bytes]
    damaged: str
    checksummed_from: int | None = None
    """First byte of what a checksum of the format covers; None: it has none."""


def all_seeds() -> list[Seed]:
    """Every seed whose main file the installed dvdup claims to read; always the same bytes."""
    found = []
    with tempfile.TemporaryDirectory() as place:
        for number, make in enumerate((_nifti, _itk, _arrays, _dicom, _pictures, _tiffs)):
            folder = Path(place) / str(number)
            folder.mkdir()
            found += list(make(folder))
    return [seed for seed in found if seed.main.endswith(SUFFIXES)]


def scan(seed: int = 0, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """Smooth blobs with noise, int16, none of them 0."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(20, 900, [-(-n // 4) for n in shape])
    for axis, n in enumerate(shape):
        coarse = coarse.repeat(4, axis).take(range(n), axis)
    return (coarse + rng.integers(1, 90, shape)).astype(np.int16)


def _one(kind: str, path: Path, checksummed_from: int | None = None) -> Seed:
    return Seed(kind, path.name, {path.name: path.read_bytes()}, path.name, checksummed_from)


def _several(kind: str, main: Path, damaged: Path, *others: Path) -> Seed:
    files = {path.name: path.read_bytes() for path in (main, damaged, *others)}
    return Seed(kind, main.name, files, damaged.name)


def _nifti(folder: Path) -> Iterator[Seed]:
    affine = np.diag([2.0, 2.0, 3.0, 1.0])
    plain = folder / "a.nii"
    nib.save(nib.Nifti1Image(scan(), affine), plain)
    yield _one("nii", plain)
    two = folder / "two.nii"
    nib.save(nib.Nifti2Image(scan(1, (*SHAPE, 3)), affine), two)
    yield _one("nii", two)
    zipped = folder / "b.nii.gz"
    zipped.write_bytes(gzip.compress(plain.read_bytes(), mtime=0))
    yield _one("nii.gz", zipped, 10)
    nib.save(nib.Nifti1Pair(scan(2), affine), folder / "c.hdr")
    yield _several("hdr/img", folder / "c.hdr", folder / "c.hdr", folder / "c.img")
    yield _several("hdr/img", folder / "c.hdr", folder / "c.img")
    mgh = folder / "d.mgh"
    nib.save(nib.MGHImage(scan(3).astype(np.float32), affine), mgh)
    yield _one("mgh", mgh)
    mgz = folder / "e.mgz"
    mgz.write_bytes(gzip.compress(mgh.read_bytes(), mtime=0))
    yield _one("mgz", mgz, 10)


def _itk(folder: Path) -> Iterator[Seed]:
    image = sitk.GetImageFromArray(scan(4).T)
    image.SetSpacing((1.0, 1.5, 2.0))
    for name, packed in (("a.nrrd", False), ("b.nrrd", True), ("c.mha", False), ("d.mha", True)):
        path = folder / name
        sitk.WriteImage(image, str(path), useCompression=packed)
        data = path.read_bytes()
        start = data.find(b"\n\n") + 2 if name.endswith("nrrd") else data.find(b"LOCAL\n") + 6
        kind = f"{path.suffix[1:]} {'zipped' if packed else 'raw'}"
        yield _one(kind, path, start + 10 if packed else None)
    for name, packed in (("e.mhd", False), ("f.mhd", True), ("g.nhdr", False), ("h.nhdr", True)):
        main = folder / name
        sitk.WriteImage(image, str(main), useCompression=packed)
        (voxels,) = set(folder.glob(f"{main.stem}.*")) - {main}
        yield _several(name[2:], main, main, voxels)
        yield _several(f"{name[2:]} voxels", main, voxels)


def _arrays(folder: Path) -> Iterator[Seed]:
    np.save(folder / "a.npy", scan(5))
    yield _one("npy", folder / "a.npy")
    np.save(folder / "f.npy", np.asfortranarray(scan(5).astype(">f4")))
    yield _one("npy", folder / "f.npy")
    np.savez(folder / "b.npz", data=scan(6))
    yield _one("npz stored", folder / "b.npz", 0)
    np.savez_compressed(folder / "c.npz", data=scan(7), seg=np.zeros(SHAPE, np.uint8))
    yield _one("npz deflated", folder / "c.npz", 0)
    yield from _stores(folder)


def _stores(folder: Path) -> Iterator[Seed]:
    """HDF5 of both generations, and Zarr in a zip."""
    for name, version in (("d.h5", "earliest"), ("e.h5", "latest")):
        with h5py.File(folder / name, "w", libver=version) as file:
            chunks = {"chunks": (4, 5, 11), "compression": "gzip", "fletcher32": True}
            file.create_dataset("image", data=scan(8), **chunks)
        yield _one(f"hdf5 {version}", folder / name)
    for version in (2, 3):
        store = folder / f"f{version}.zarr"
        zarr.create_array(str(store), data=scan(9), chunks=(4, 5, 11), zarr_format=version)
        path = folder / f"{store.name}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted(one for one in store.rglob("*") if one.is_file()):
                name = file.relative_to(store).as_posix()
                archive.writestr(zipfile.ZipInfo(name), file.read_bytes())  # without a time
        yield _one(f"zarr {version} zip", path)


def _dicom(folder: Path) -> Iterator[Seed]:
    volume = np.moveaxis(scan(8, (24, 20, 6)), 2, 0)
    flat = volume[0]
    for kind, syntax in (
        ("dcm plain", ExplicitVRLittleEndian),
        ("dcm implicit", ImplicitVRLittleEndian),
        ("dcm deflated", DeflatedExplicitVRLittleEndian),
    ):
        path = folder / f"{kind[4:]}.dcm"
        dicom_image(flat, syntax).save_as(path, enforce_file_format=True)
        yield _one(kind, path)
    packed = dicom_image(flat, ExplicitVRLittleEndian)
    packed.compress(RLELossless, generate_instance_uid=False)
    packed.save_as(folder / "rle.dcm", enforce_file_format=True)
    yield _one("dcm rle", folder / "rle.dcm")
    dicom_image(volume, ExplicitVRLittleEndian).save_as(
        folder / "many.dcm", enforce_file_format=True
    )
    yield _one("dcm frames", folder / "many.dcm")
    bare = folder / "bare.dcm"
    bare.write_bytes((folder / "plain.dcm").read_bytes()[132:])
    yield _one("dcm no preamble", bare)
    names = []
    for k in range(3):
        one = dicom_image(volume[k], ExplicitVRLittleEndian)
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.4.{k + 1}"
        one.ImagePositionPatient = [0.0, 0.0, 2.5 * k]
        one.InstanceNumber = k + 1
        names.append(folder / f"s{k}.dcm")
        one.save_as(names[-1], enforce_file_format=True)
    yield _several("dcm series", names[0], names[1], names[2])


def dicom_image(pixels: np.ndarray, syntax: str = ExplicitVRLittleEndian) -> Dataset:
    """An MR image of int16 (rows, columns) or (frames, rows, columns); always the same UIDs."""
    one = Dataset()
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = syntax
    one.SOPClassUID = one.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4.0"
    one.SeriesInstanceUID, one.StudyInstanceUID = "1.2.3.4", "1.2.3"
    one.Modality = "MR"
    one.Rows, one.Columns = pixels.shape[-2:]
    if pixels.ndim == 3:
        one.NumberOfFrames = len(pixels)
    one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
    one.BitsAllocated = one.BitsStored = 16
    one.HighBit, one.PixelRepresentation = 15, 1
    one.PixelSpacing, one.SliceThickness = [1.5, 0.5], 2.5
    one.ImageOrientationPatient = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    one.ImagePositionPatient = [-10.0, -20.0, -30.0]
    one.RescaleSlope, one.RescaleIntercept = 1.0, -24.0
    one.PixelData = np.ascontiguousarray(pixels).tobytes()
    one["PixelData"].VR = "OW"
    if syntax == ImplicitVRLittleEndian:
        pydicom.dataset.validate_file_meta(one.file_meta, enforce_standard=False)
    return one


def _pictures(folder: Path) -> Iterator[Seed]:
    grey = (scan(9, (40, 48)) // 4).astype(np.uint8)
    colour = np.dstack([grey, grey[::-1], grey[:, ::-1]])
    writers: dict[str, Callable[[Path], object]] = {
        "png 8": Image.fromarray(grey).save,
        "png 16": Image.fromarray(scan(9, (40, 48)).astype(np.uint16)).save,
        "png colour": Image.fromarray(colour).save,
        "png palette": Image.fromarray(colour).quantize(31).save,
        "jpg": Image.fromarray(colour).save,
        "webp": lambda path: Image.fromarray(colour).save(path, lossless=True),
        "gif": lambda path: _animated(path, grey),
        "bmp": Image.fromarray(colour).save,
    }
    for number, (kind, write) in enumerate(writers.items()):
        path = folder / f"p{number}.{kind.split()[0]}"
        write(path)
        yield _one(kind, path, 8 if kind.startswith("png") else None)
    deep = sitk.GetImageFromArray(colour.astype(np.uint16) * 257, isVector=True)
    sitk.WriteImage(deep, str(folder / "deep.png"))
    yield _one("png 16 colour", folder / "deep.png", 8)


def _animated(path: Path, grey: np.ndarray) -> None:
    frames = [Image.fromarray(np.roll(grey, k, 0)) for k in range(3)]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def _tiffs(folder: Path) -> Iterator[Seed]:
    pages = np.moveaxis(scan(10, (40, 48, 5)), 2, 0).astype(np.uint16)
    tifffile.imwrite(folder / "a.tif", pages, photometric="minisblack")
    yield _one("tif stack", folder / "a.tif")
    with tifffile.TiffWriter(folder / "b.tif") as writer:
        for page in pages:
            writer.write(page)
    yield _one("tif pages", folder / "b.tif")
    tifffile.imwrite(folder / "c.tif", pages, compression="zlib", photometric="minisblack")
    yield _one("tif zlib", folder / "c.tif")
    frames = [Image.fromarray(page.astype(np.uint16)) for page in pages]
    for name, compression in (("d.tif", "raw"), ("e.tif", "tiff_lzw"), ("f.tif", "packbits")):
        made = io.BytesIO()
        frames[0].save(
            made, "TIFF", save_all=True, append_images=frames[1:], compression=compression
        )
        (folder / name).write_bytes(made.getvalue())
        yield _one(f"tif {compression.removeprefix('tiff_')}", folder / name)
    tifffile.imwrite(folder / "g.tif", pages, **_BIG)
    yield _one("tif big tiles", folder / "g.tif")
