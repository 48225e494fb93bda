"""One DICOM series as one volume, through pydicom.

Slices are ordered by position along the normal; the modality LUT or rescale is applied a frame at a
time, never the window or overlays; MONOCHROME1 is not inverted. Siemens mosaics are cut into the
volumes that they are. Compressed transfer syntaxes and
enhanced multi-frame objects are read through pydicom and its plugins. No patient tag is kept: only
the tags listed here are looked at. Standard: https://dicom.nema.org/medical/dicom/current.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dvdup.errors import ReadError
from dvdup.readers import isolation, limits
from dvdup.readers.axes import LPS_TO_RAS, as_volume, colour_channels
from dvdup.readers.dicom_frames import Frame, Stack, frames_of, stacks_of, whole
from dvdup.readers.dicom_mosaic import Mosaic, mosaic_of, mosaic_stacks, untiled
from dvdup.readers.dicom_series import SUFFIXES, read_header
from dvdup.readers.sources import Source, reason, truncated
from dvdup.records import Volume

__all__ = ["SUFFIXES", "read", "read_series"]

_IMAGE_TAGS = [
    *("SeriesInstanceUID", "Modality", "Rows"),
    *("SOPInstanceUID", "Columns", "NumberOfFrames", "SamplesPerPixel", "BitsAllocated"),
    *("PixelRepresentation", "PhotometricInterpretation", "InstanceNumber"),
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "ImagerPixelSpacing"),
    *("SliceThickness", "SpacingBetweenSlices"),
    *("RescaleSlope", "RescaleIntercept", "ModalityLUTSequence"),
    *("EchoTime", "DiffusionBValue", "TemporalPositionIdentifier", "AcquisitionNumber"),
    *("TriggerTime", "ImageType", "DiffusionGradientOrientation", "AcquisitionTime"),
    "ContentTime",
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
]
_COMPRESSED_RATIO = 10_000  # no picture worth reading is packed tighter


def read(source: Source) -> Volume:
    """Read a series that is one file; see `read_series`."""
    return read_series([source])


def read_series(sources: Sequence[Source]) -> Volume:
    """Read the files of one series as one volume.

    Args:
        sources: Its files, in any order; all of one SeriesInstanceUID.

    Returns:
        The volume. Repeats of the whole stack (echoes, b-values, time points) are channels; missing
        slices are noted.

    Raises:
        ReadError: If a file is missing, damaged or of another series, a slice is there twice, or
            slices differ in size or orientation.
        PointerError: If a file is a pointer.
    """
    headers = [(source, read_header(source, _IMAGE_TAGS)) for source in sources]
    _check_one_series(headers)
    _check_size(headers)
    frames = [frame for source, header in headers for frame in frames_of(source, header)]
    mosaics = _mosaics(headers)
    stacks, notes = mosaic_stacks(frames, mosaics) if mosaics else stacks_of(frames)
    _check_size(headers, len(stacks) * len(stacks[0].frames) / len(frames))
    channels: list[np.ndarray] = []
    scaling: list[tuple[float, float]] = []
    for stack in stacks:
        parts, scale = _pixels(stack)
        channels += [untiled(part, mosaics[0]) for part in parts] if mosaics else parts
        scaling += [scale] * len(parts)
    first = stacks[0]
    return as_volume(
        [_stored_axes(part, first) for part in channels],
        directions=None if first.directions is None else LPS_TO_RAS @ first.directions,
        spacing=first.spacing,
        scaling=scaling,
        modality=str(headers[0][1].get("Modality") or ""),
        notes=notes,
    )


def _stored_axes(pixels: np.ndarray, stack: Stack) -> np.ndarray:
    """(slices, rows, columns) to (columns, rows, slices); upright where there is no orientation."""
    upright = pixels[:, ::-1] if stack.directions is None else pixels
    return upright.transpose(2, 1, 0)


def _check_one_series(headers: Sequence[tuple[Source, Any]]) -> None:
    """Every file is an image of the same series and size, none twice."""
    first, head = headers[0]
    seen: dict[str, Source] = {}
    for source, header in headers:
        found = str(header.get("SeriesInstanceUID") or "")
        if found != str(head.get("SeriesInstanceUID") or ""):
            raise ReadError(
                f"{source.name}: belongs to another DICOM series than {first.name}; run dvdup sync"
            )
        if "Rows" not in header or "Columns" not in header:
            raise ReadError(f"{source.name}: a DICOM object without voxels; exclude it")
        size, first_size = (
            tuple(whole(source, h, name) for name in ("Rows", "Columns")) for h in (header, head)
        )
        if size != first_size:
            raise ReadError(
                f"{source.name}: its slices are {size[1]} x {size[0]} pixels, those of "
                f"{first.name} {first_size[1]} x {first_size[0]}; declare them as two cases"
            )
        instance = str(header.get("SOPInstanceUID") or source.name)
        if instance in seen:
            raise ReadError(
                f"{source.name}: the same DICOM slice as {seen[instance].name} (equal "
                "SOPInstanceUID); leave one of the two out with dataset.exclude"
            )
        seen[instance] = source


def _mosaics(headers: Sequence[tuple[Source, Any]]) -> list[Mosaic]:
    """How each file is cut into slices; empty for a series without mosaics."""
    found = [mosaic_of(source, header) for source, header in headers]
    mosaics = [mosaic for mosaic in found if mosaic is not None]
    if mosaics and len(mosaics) < len(found):
        source = headers[found.index(None)][0]
        raise ReadError(
            f"{source.name}: one slice, among Siemens mosaics of the same DICOM series; exclude it"
        )
    return mosaics


def _check_size(headers: Sequence[tuple[Source, Any]], share: float = 1.0) -> None:
    """A damaged header must not make us allocate what the files cannot hold.

    `share` is how many slices the volumes have for each that is stored, where some are empty.
    """
    wanted = stored = 0
    packed = False
    for source, header in headers:
        rows, columns = whole(source, header, "Rows"), whole(source, header, "Columns")
        bits = whole(source, header, "BitsAllocated", 8)
        frames = whole(source, header, "NumberOfFrames", 1)
        if min(rows, columns, bits, frames) < 1:
            raise ReadError(
                f"{source.name}: its header gives no pixels ({columns} x {rows}, {frames} frames); "
                "replace or exclude it"
            )
        samples = max(1, whole(source, header, "SamplesPerPixel", 1))
        wanted += rows * columns * frames * bits * samples // 8
        stored += source.path.stat().st_size
        packed = packed or _is_packed(source, header)
    subsampled = 2  # YBR_FULL_422 keeps two of three samples
    name = headers[0][0]
    if wanted > stored * (_COMPRESSED_RATIO if packed else subsampled):
        raise truncated(name, wanted, stored)
    limits.check(name.name, int(wanted * share), stored)


def _is_packed(source: Source, header: Any) -> bool:
    """Whether the pixels are compressed; refuses transfer syntaxes that nobody knows."""
    syntax = getattr(getattr(header, "file_meta", None), "TransferSyntaxUID", None)
    if syntax is None:
        return False
    if not syntax.is_transfer_syntax:
        raise ReadError(
            f"{source.name}: its transfer syntax {str(syntax)[:64]!r} is not one of DICOM; export "
            "it again, or exclude it"
        )
    return bool(syntax.is_compressed or syntax.is_deflated)


def _pixels(stack: Stack) -> tuple[list[np.ndarray], tuple[float, float]]:
    """Decode a stack: its components (slices, rows, columns) as stored, and their scaling."""
    here = [place for place, frame in enumerate(stack.frames) if frame is not None]
    frames = [frame for frame in stack.frames if frame is not None]
    scalings = {frame.scaling for frame in frames}
    as_values = len(scalings) > 1 or any(frame.has_lut for frame in frames)
    target: np.ndarray | None = None
    for number, pixels in _decoded(frames):
        values = _values(frames[number], pixels) if as_values else pixels
        if target is None:
            target = np.empty((len(stack.frames), *values.shape), dtype=values.dtype)
        elif values.dtype != target.dtype:
            target = target.astype(np.result_type(target, values))
        if values.shape != target.shape[1:]:
            raise ReadError(f"{frames[number].source.name}: another number of colours; exclude it")
        target[here[number]] = values
    if target is None:
        raise ReadError(f"{frames[0].source.name}: holds no slices; exclude it")
    if len(here) < len(target):  # empty slices have no say
        target[np.setdiff1d(np.arange(len(target)), here)] = target[here].min()
    if target.ndim == 4:
        return colour_channels([target[..., c] for c in range(target.shape[-1])]), (1.0, 0.0)
    return [target], (1.0, 0.0) if as_values else frames[0].scaling


def _values(frame: Frame, pixels: np.ndarray) -> np.ndarray:
    """The values of one frame, float32, for stacks that have no common slope and intercept."""
    import pydicom  # noqa: F401  # before its parts
    from pydicom.pixels import apply_modality_lut

    if frame.has_lut:
        table = read_header(frame.source, ["ModalityLUTSequence", "PixelRepresentation"])
        return np.asarray(apply_modality_lut(pixels, table)).astype(np.float32)
    slope, intercept = frame.scaling
    return np.asarray((pixels.astype(np.float64) * slope + intercept).astype(np.float32))


def _decoded(frames: Sequence[Frame]) -> Iterable[tuple[int, np.ndarray]]:
    """Yield (place in the stack, decoded frame), opening each file once."""
    places: dict[Path, list[int]] = {}
    for place, frame in enumerate(frames):
        places.setdefault(frame.source.path, []).append(place)
    for members in places.values():
        source = frames[members[0]].source
        dataset = read_header(source, None)
        pixels = _decode(source, dataset)
        multi = whole(source, dataset, "NumberOfFrames", 1) > 1
        for place in members:
            yield place, pixels[frames[place].index] if multi else pixels


def _decode(source: Source, dataset: Any) -> np.ndarray:
    """The pixels of one file; compressed ones by libraries that may crash, so in a child."""
    if _is_packed(source, dataset):
        pixels = isolation.call(
            "dvdup.readers.dicom:decode_file",
            *(str(source.path), source.name),
            name=source.name,
            stored=source.path.stat().st_size,
        )
        return np.asarray(pixels)
    return _decode_here(source, dataset)


def decode_file(path: str, name: str) -> np.ndarray:
    """Decode the pixels of one file.

    Args:
        path: The file.
        name: What messages call it.

    Returns:
        ([frames,] rows, columns[, components]), palette applied.

    Raises:
        ReadError: If they are missing or damaged.
    """
    source = Source(Path(path), name)
    return np.ascontiguousarray(_decode_here(source, read_header(source, None)))


def _decode_here(source: Source, dataset: Any) -> np.ndarray:
    import pydicom  # noqa: F401  # before its parts
    from pydicom.pixels import apply_color_lut
    from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

    if not any(name in dataset for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise ReadError(f"{source.name}: truncated: its DICOM header has no pixels behind it")
    if "TransferSyntaxUID" not in dataset.file_meta:  # files without a preamble
        implicit = dataset.original_encoding[0]
        dataset.file_meta.TransferSyntaxUID = (
            ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pixels = dataset.pixel_array
            if dataset.PhotometricInterpretation == "PALETTE COLOR":
                pixels = apply_color_lut(pixels, dataset)
    except Exception as error:  # decoders raise anything on damaged data
        if "less than expected" in str(error) or "fewer" in str(error):
            raise ReadError(
                f"{source.name}: truncated: pixels are missing at its end; copy it again"
            ) from error
        raise ReadError(
            f"{source.name}: its pixels cannot be decoded: {reason(error)}; copy it again"
        ) from error
    return np.asarray(pixels)
