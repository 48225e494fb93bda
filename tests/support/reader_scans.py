"""Builders of small scans in every format; all of them write through the formats' own libraries."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk  # noqa: N813, the name everybody knows it by
from nibabel.orientations import apply_orientation, inv_ornt_aff

from dvdup import hashing, voxels
from dvdup.records import Volume

Read = Callable[..., Volume]
"""The `read` fixture: file names in, the volume of that case out."""


def oblique_affine() -> np.ndarray:
    """RAS+ grid turned by 20 and 15 degrees, spacing 1, 1.5, 2.5 mm."""
    a, b = np.radians(20), np.radians(15)
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    affine = np.eye(4)
    affine[:3, :3] = about_z @ about_x @ np.diag([1.0, 1.5, 2.5])
    affine[:3, 3] = (-20.0, 30.0, 5.0)
    return affine


def scan(seed: int = 0, shape: tuple[int, ...] = (5, 6, 7)) -> np.ndarray:
    """Even int16 values below 2000, RAS+ order."""
    return (np.random.default_rng(seed).integers(0, 1000, shape) * 2).astype(np.int16)


def restored(
    values: np.ndarray, affine: np.ndarray, orientation: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The same scan with its axes permuted and flipped, and the affine that says so."""
    return (
        apply_orientation(values, orientation),
        affine @ inv_ornt_aff(orientation, values.shape[:3]),
    )


def nifti_bytes(
    stored: np.ndarray,
    affine: np.ndarray | None = None,
    *,
    slope: float = 1.0,
    intercept: float = 0.0,
    order: str = "<",
    version: int = 1,
    codes: tuple[int, int] = (1, 0),
) -> bytes:
    """A NIfTI file with exactly these stored voxels; `codes` are sform and qform."""
    header = (nib.Nifti1Header if version == 1 else nib.Nifti2Header)(endianness=order)
    header.set_data_dtype(stored.dtype)
    header.set_data_shape(stored.shape)
    affine = np.eye(4) if affine is None else affine
    header.set_sform(affine, codes[0])
    header.set_qform(affine, codes[1])
    header["sform_code"], header["qform_code"] = codes
    header["scl_slope"], header["scl_inter"] = slope, intercept
    offset = 352 if version == 1 else 544
    header["vox_offset"] = offset
    head = header.binaryblock.ljust(offset, b"\0")
    return head + stored.astype(stored.dtype.newbyteorder(order)).tobytes(order="F")


def sitk_image(stored: np.ndarray, affine: np.ndarray, *, vector: bool = False) -> sitk.Image:
    """A SimpleITK image of stored (i, j, k) voxels on a RAS+ affine."""
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    image = sitk.GetImageFromArray(np.ascontiguousarray(stored.T), isVector=vector)
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    return image


def save(
    path: Path, stored: np.ndarray, affine: np.ndarray, *, level: int = 6, **options: object
) -> str:
    """Write a scan in the container that the suffix names; returns the file name."""
    name = path.name
    if name.endswith(".nii.gz"):
        path.write_bytes(gzip.compress(nifti_bytes(stored, affine, **options), level, mtime=0))
    elif name.endswith(".nii"):
        path.write_bytes(nifti_bytes(stored, affine, **options))
    elif name.endswith(".hdr"):
        nib.Nifti1Pair(stored, affine, dtype=stored.dtype).to_filename(path)
    elif name.endswith((".mgz", ".mgh")):
        nib.MGHImage(stored, affine).to_filename(path)
    else:
        sitk.WriteImage(sitk_image(stored, affine), str(path), useCompression=level > 0)
    return name


def hashes(volume: Volume) -> list[str | None]:
    """The voxel hash of each channel."""
    count = len(volume.channels)
    return [hashing.voxel_hash(voxels.channel_values(volume, c)) for c in range(count)]
