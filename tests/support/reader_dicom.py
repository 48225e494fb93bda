"""Small DICOM series, written with pydicom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

MR, ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.4.1"
UID = "1.2.826.0.1.3680043.8.498.1"
ORIENTATION = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
STEP = 2.5


def dataset(pixels: np.ndarray, uid: str = UID, syntax: str = ExplicitVRLittleEndian) -> Dataset:
    """An image without geometry; `pixels` are (rows, columns) or (frames, rows, columns)."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MR
    meta.TransferSyntaxUID = syntax
    one = Dataset()
    one.file_meta = meta
    one.SOPClassUID = MR
    one.SeriesInstanceUID = uid
    one.SOPInstanceUID = meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    one.Modality = "MR"
    one.PatientName, one.PatientID = "Doe^Jane", "secret-7"
    one.Rows, one.Columns = pixels.shape[-2:]
    one.SamplesPerPixel = 1
    one.PhotometricInterpretation = "MONOCHROME2"
    one.BitsAllocated = one.BitsStored = 8 * pixels.dtype.itemsize
    one.HighBit = one.BitsStored - 1
    one.PixelRepresentation = int(pixels.dtype.kind == "i")
    one.PixelData = pixels.tobytes()
    one["PixelData"].VR = "OW"
    return one


def write_slice(path: Path, pixels: np.ndarray, k: int, **tags: Any) -> Path:
    """One slice of a series at k steps along the normal; `tags` are added or replaced."""
    one = dataset(pixels, uid=tags.pop("SeriesInstanceUID", UID))
    orientation = tags.get("ImageOrientationPatient", ORIENTATION)
    normal = np.cross(orientation[:3], orientation[3:])
    one.ImageOrientationPatient = ORIENTATION
    one.ImagePositionPatient = [float(x) for x in (-10, -20, -30) + normal * STEP * k]
    one.PixelSpacing = [1.5, 0.5]
    one.SliceThickness = 9.0
    one.InstanceNumber = k + 1
    for name, value in tags.items():
        setattr(one, name, value)
    if "_compress" in tags:
        one.compress(tags["_compress"])
    one.save_as(path, enforce_file_format=True)
    return path


def write_series(folder: Path, volume: np.ndarray, name: str = "s", **tags: Any) -> list[str]:
    """A series of (slices, rows, columns); file names in reverse order of position."""
    count = len(volume)
    return [
        write_slice(folder / f"{name}{count - k:03d}.dcm", volume[k], k, **tags).name
        for k in range(count)
    ]


def write_enhanced(path: Path, volume: np.ndarray, order: list[int], **extra: Any) -> str:
    """One multi-frame file; `order` gives the slice that each frame shows.

    `slopes` gives each frame its own rescale.
    """
    one = dataset(volume[order])
    one.SOPClassUID = one.file_meta.MediaStorageSOPClassUID = ENHANCED_MR
    one.NumberOfFrames = len(order)
    shared, measures, plane = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [1.5, 0.5], STEP
    plane.ImageOrientationPatient = ORIENTATION
    shared.PixelMeasuresSequence = [measures]
    shared.PlaneOrientationSequence = [plane]
    one.SharedFunctionalGroupsSequence = [shared]
    slopes = extra.get("slopes", [1.0] * len(order))
    one.PerFrameFunctionalGroupsSequence = [
        _frame_group(k, slope) for k, slope in zip(order, slopes, strict=True)
    ]
    one.save_as(path, enforce_file_format=True)
    return path.name


def _frame_group(k: int, slope: float) -> Dataset:
    group, position, values = Dataset(), Dataset(), Dataset()
    position.ImagePositionPatient = [-10.0, -20.0, -30.0 + STEP * k]
    values.RescaleSlope, values.RescaleIntercept, values.RescaleType = slope, 0.0, "US"
    group.PlanePositionSequence = [position]
    group.PixelValueTransformationSequence = [values]
    return group
