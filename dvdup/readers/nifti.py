"""NIfTI-1 and -2 (.nii, .nii.gz, .hdr/.img), Analyze 7.5 and MGH (.mgh, .mgz), through nibabel.

nibabel reads the headers; the voxels are taken straight from the (decompressed) bytes, so that they
keep their stored type and exist once. Orientation: sform if its code is above 0, else qform, else
array order. Specifications: https://nifti.nimh.nih.gov/nifti-1,
https://surfer.nmr.mgh.harvard.edu/fswiki/FsTutorial/MghFormat.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dvdup.errors import ReadError
from dvdup.readers.axes import as_volume, real_channels
from dvdup.readers.sources import (
    Source,
    gunzip_head,
    is_gzip,
    peek,
    read_gzip,
    read_plain,
    reason,
    require,
    wrong_format,
)
from dvdup.records import Volume

SUFFIXES = (".nii", ".nii.gz", ".hdr", ".hdr.gz", ".mgh", ".mgz", ".mgh.gz")

_HEAD_BYTES = 540
_MGH_DATA = 284
_MM_PER_UNIT = {1: 1000.0, 2: 1.0, 3: 0.001}


@dataclass(frozen=True, slots=True)
class _Layout:
    """What a header says about the voxels."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int
    scaling: tuple[float, float]
    directions: np.ndarray | None
    spacing: tuple[float, ...]
    notes: tuple[str, ...] = ()


def companions(path: Path, root: Path | None = None) -> tuple[Path, ...]:
    """The .img of a .hdr: the one that exists, else the name it should have."""
    lower = path.name.lower()
    if not lower.endswith((".hdr", ".hdr.gz")):
        return ()
    packed = lower.endswith(".gz")
    stem = path.name[: -len(".hdr.gz" if packed else ".hdr")]
    upper = ".HDR" in path.name
    names = [".img.gz", ".img"] if packed else [".img", ".img.gz"]
    places = [path.with_name(stem + (n.upper() if upper else n)) for n in names]
    return tuple([place for place in places if place.exists()][:1] or places[:1])


def read(source: Source) -> Volume:
    """Read one NIfTI, Analyze or MGH file.

    Args:
        source: The file; of a pair the .hdr.

    Returns:
        The volume; the fourth and further axes are channels.

    Raises:
        ReadError: If the file is missing, damaged, truncated or not of this format.
        PointerError: If it, or the .img of a .hdr, is a pointer.
    """
    require(source)
    lower = source.name.lower()
    packed = lower.endswith((".gz", ".mgz"))
    if packed != is_gzip(source):
        wanted = "the gzip file its name says" if packed else "an uncompressed volume"
        raise wrong_format(source, wanted, peek(source, 512))
    head = gunzip_head(source, _HEAD_BYTES) if packed else peek(source, _HEAD_BYTES)
    voxels = source
    if lower.endswith((".mgh", ".mgz", ".mgh.gz")):
        layout = _mgh_layout(source, head)
    elif lower.endswith((".hdr", ".hdr.gz")):
        layout = _nifti_layout(source, head, pair=True)
        voxels = source.sibling(companions(source.path)[0])
        require(voxels)
    else:
        layout = _nifti_layout(source, head, pair=False)
    return _volume(layout, _voxels(voxels, layout), source.name)


def _voxels(source: Source, layout: _Layout) -> np.ndarray:
    """The stored array, Fortran order, as the file has it."""
    if not layout.shape or min(layout.shape) < 1:
        raise ReadError(
            f"{source.name}: its header gives no voxels (dimensions {layout.shape}); replace it"
        )
    if layout.dtype.itemsize < 1 or layout.offset < 0:
        raise ReadError(
            f"{source.name}: its header gives voxels of {layout.dtype.itemsize} bytes from byte "
            f"{layout.offset}; replace it"
        )
    if len(layout.shape) > 4 and layout.shape[:4] == (1, 1, 1, 1):
        raise ReadError(
            f"{source.name}: CIFTI, values of a surface and no image grid; leave it out with "
            "dataset.exclude"
        )
    count = math.prod(layout.shape) * layout.dtype.itemsize
    read_bytes = read_gzip if is_gzip(source) else read_plain
    raw = read_bytes(source, layout.offset, count)
    return raw.view(layout.dtype).reshape(layout.shape, order="F")


def _volume(layout: _Layout, array: np.ndarray, name: str) -> Volume:
    notes = list(layout.notes)
    frames = (
        array.reshape((*array.shape[:3], -1), order="F") if array.ndim > 3 else array[..., None]
    )
    channels: list[np.ndarray] = []
    for frame in range(frames.shape[-1]):
        parts, said = real_channels(frames[..., frame], name)
        channels += parts
        notes += [note for note in said if note not in notes]
    plain = array.dtype.kind in "biuf"
    return as_volume(
        channels,
        directions=layout.directions,
        spacing=layout.spacing,
        scaling=[layout.scaling if plain else (1.0, 0.0)] * len(channels),
        notes=notes,
    )


def _nifti_layout(source: Source, head: bytes, *, pair: bool) -> _Layout:
    """Read a NIfTI-1, NIfTI-2 or (of a pair) Analyze header."""
    import nibabel  # noqa: F401  # before its parts, which threads may not import at a time
    from nibabel.nifti1 import Nifti1Header, Nifti1PairHeader
    from nibabel.nifti2 import Nifti2Header, Nifti2PairHeader
    from nibabel.spatialimages import HeaderDataError
    from nibabel.spm2analyze import Spm2AnalyzeHeader

    size = _header_size(head)
    if size is None:
        raise wrong_format(source, "a NIfTI volume", head)
    try:
        if size == 540:
            header = (Nifti2PairHeader if pair else Nifti2Header)(head[:540], check=False)
        elif head[344:348] in (b"n+1\0", b"ni1\0"):
            header = (Nifti1PairHeader if pair else Nifti1Header)(head[:348], check=False)
        elif pair:
            return _analyze_layout(Spm2AnalyzeHeader(head[:348], check=False))
        else:
            raise wrong_format(source, "a NIfTI volume", head)
        directions, notes = _orientation(header)
        return _Layout(
            dtype=header.get_data_dtype(),
            shape=_shape(header),
            offset=int(header["vox_offset"]) or (0 if pair else size + 4),
            scaling=(float(header["scl_slope"]), float(header["scl_inter"])),
            directions=directions,
            spacing=_spacing(header, directions),
            notes=notes,
        )
    except KeyError as error:
        raise ReadError(
            f"{source.name}: voxel type {error} is not one of NIfTI; replace it"
        ) from error
    except (HeaderDataError, ValueError, OverflowError) as error:
        raise ReadError(
            f"{source.name}: its NIfTI header cannot be used: {reason(error)}; replace it"
        ) from error


def _header_size(head: bytes) -> int | None:
    """348 (NIfTI-1, Analyze) or 540 (NIfTI-2) in either byte order, else None."""
    if len(head) < 348:
        return None
    for order in "<>":
        size = int(struct.unpack(f"{order}i", head[:4])[0])
        if size == 348 or (size == 540 and len(head) >= 540):
            return size
    return None


def _shape(header: Any) -> tuple[int, ...]:
    dims = [int(n) for n in header["dim"]]
    if not 1 <= dims[0] <= 7:
        raise ValueError(f"it has {dims[0]} dimensions")
    return tuple(dims[1 : dims[0] + 1])


def _orientation(header: Any) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """RAS+ directions of the stored axes from sform or qform, and notes."""
    if header["sform_code"] > 0:
        return np.asarray(header.get_sform(), dtype=np.float64)[:3, :3], ()
    if header["qform_code"] <= 0:
        return None, ()
    if header["pixdim"][0] not in (-1, 1):
        header["pixdim"][0] = 1  # the standard: any other value is to be taken as 1
    header["pixdim"][1:4] = np.abs(header["pixdim"][1:4])
    try:
        return np.asarray(header.get_qform(), dtype=np.float64)[:3, :3], ()
    except ValueError as error:
        return None, (f"orientation ignored, correct the header: {reason(error)}",)


def _spacing(header: Any, directions: np.ndarray | None) -> tuple[float, ...]:
    scale = _MM_PER_UNIT.get(int(header["xyzt_units"]) & 7, 1.0)
    steps = header["pixdim"][1:4] if directions is None else np.linalg.norm(directions, axis=0)
    return tuple(float(step) * scale for step in steps)


def _analyze_layout(header: Any) -> _Layout:
    """Analyze 7.5 has no usable orientation; the slope is where SPM writes it, as in nibabel."""
    slope, intercept = header.get_slope_inter()
    return _Layout(
        dtype=header.get_data_dtype(),
        shape=_shape(header),
        offset=int(header["vox_offset"]),
        scaling=(1.0 if slope is None else slope, intercept or 0.0),
        directions=None,
        spacing=tuple(float(step) for step in header["pixdim"][1:4]),
    )


def _mgh_layout(source: Source, head: bytes) -> _Layout:
    import nibabel  # noqa: F401  # before its parts, which threads may not import at a time
    from nibabel.freesurfer.mghformat import MGHHeader

    if len(head) < _MGH_DATA or struct.unpack(">i", head[:4])[0] != 1:
        raise wrong_format(source, "an MGH volume", head)
    has_orientation = struct.unpack(">h", head[28:30])[0] > 0
    header = MGHHeader(head[:_MGH_DATA], check=False)
    try:
        dtype = header.get_data_dtype()
    except KeyError as error:
        raise ReadError(
            f"{source.name}: voxel type {error} is not one of MGH; replace it"
        ) from error
    dims = [int(n) for n in header["dims"]]
    directions = np.asarray(header.get_affine(), dtype=np.float64)[:3, :3]
    return _Layout(
        dtype=dtype,
        shape=tuple(dims[:3]) if dims[3] <= 1 else tuple(dims),
        offset=_MGH_DATA,
        scaling=(1.0, 0.0),
        directions=directions if has_orientation else None,
        spacing=tuple(float(step) for step in header["delta"]),
    )
