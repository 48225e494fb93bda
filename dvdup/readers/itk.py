"""NRRD (.nrrd, .nhdr) and MetaImage (.mha, .mhd), through SimpleITK.

SimpleITK hands over LPS axis directions and invents an identity where the file has none, so the
text header is looked at first: which files hold the voxels, how many bytes they must have, and
whether an orientation is declared at all. A 2D image is laid out as a picture. Specifications:
https://teem.sourceforge.net/nrrd/format.html, https://itk.org/Wiki/ITK/MetaIO/Documentation.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dvdup.errors import ReadError
from dvdup.readers.axes import (
    LPS_TO_RAS,
    as_volume,
    colour_channels,
    frame_notes,
    picture_axes,
    real_channels,
)
from dvdup.readers.sources import MAX_RATIO, Source, peek, reason, require, truncated, wrong_format
from dvdup.records import Volume

SUFFIXES = (".nrrd", ".nhdr", ".mha", ".mhd")

_HEAD_BYTES = 1 << 16
_ANATOMICAL = re.compile(r"(left|right|l|r)[-]?(anterior|posterior|a|p)[-]?(superior|inferior|s|i)")
_COUNTED = re.compile(r"(?P<name>.*%0?\d*d\S*)\s+(?P<low>\d+)\s+(?P<high>\d+)(\s+(?P<step>\d+))?")


@dataclass(frozen=True, slots=True)
class _Header:
    """What the text header says that SimpleITK does not."""

    oriented: bool
    raw: bool
    """Whether the voxels are stored uncompressed, in binary."""
    packed_size: int
    """Bytes of compressed voxels, 0 if the header does not say."""
    offset: int
    """Where the voxels begin, if they are in the same file."""
    data_files: tuple[str, ...]
    """Names as written, empty if the voxels are in the same file."""


def companions(path: Path) -> tuple[Path, ...]:
    """The voxel files that a .nhdr or .mhd names."""
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
    except OSError:
        return ()
    header = _parse(head)
    return tuple(path.parent / name for name in header.data_files) if header else ()


def read(source: Source) -> Volume:
    """Read one NRRD or MetaImage file.

    Args:
        source: The file; the header, where header and voxels are apart.

    Returns:
        The volume; vector components, and the fourth axis, are channels.

    Raises:
        ReadError: If a file is missing, damaged, truncated or not of this format.
        PointerError: If a file is a pointer.
    """
    size = require(source)
    head = peek(source, _HEAD_BYTES)
    header = _parse(head)
    if header is None:
        wanted = "an NRRD volume" if source.name.lower().endswith("rd") else "a MetaImage volume"
        raise wrong_format(source, wanted, head[:512])
    available = size - header.offset
    if header.data_files:
        files = [source.sibling(source.path.parent / name) for name in header.data_files]
        available = sum(require(file) for file in files)
    if header.packed_size > available:  # else the MetaImage library complains on stderr by itself
        raise truncated(source, header.packed_size, max(0, available))
    return _volume(_load(source, header, available), header, source.name)


def _load(source: Source, header: _Header, available: int) -> Any:
    """Read the image after checking that its header does not ask for more than is there."""
    import SimpleITK as sitk  # noqa: N813, the name everybody knows it by

    sitk.ProcessObject.SetGlobalWarningDisplay(False)  # ITK writes to stderr by itself
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(source.path))
    try:
        reader.ReadImageInformation()
        wanted = math.prod(reader.GetSize()) * reader.GetNumberOfComponents()
        wanted *= _pixel_bytes(sitk, reader.GetPixelID())
        if wanted > available * (1 if header.raw else MAX_RATIO):
            raise truncated(source, wanted, max(0, available))
        return reader.Execute()
    except (RuntimeError, MemoryError) as error:
        raise ReadError(
            f"{source.name}: damaged, truncated or not supported by SimpleITK "
            f"({_itk_reason(error)}); copy it again, or save it as NIfTI"
        ) from error


def _volume(image: Any, header: _Header, name: str) -> Volume:
    import SimpleITK as sitk  # noqa: N813

    array = np.transpose(sitk.GetArrayFromImage(image))
    dims = image.GetDimension()
    components = [array] if image.GetNumberOfComponentsPerPixel() == 1 else list(array)
    if array.dtype == np.uint8 and len(components) in (3, 4) and dims < 4:
        components = colour_channels(components)
    frames = [part[..., t] for part in components for t in range(part.shape[-1])]
    frames = frames if dims > 3 else components
    if dims == 2:
        frames = [picture_axes(frame.T) for frame in frames]
    notes = frame_notes(len(frames))
    channels: list[np.ndarray] = []
    for frame in frames:
        parts, said = real_channels(frame, name)
        channels += parts
        notes += [note for note in said if note not in notes]
    return as_volume(
        channels,
        directions=_ras_directions(image) if header.oriented and dims > 2 else None,
        spacing=image.GetSpacing()[:3],
        notes=notes,
    )


def _ras_directions(image: Any) -> np.ndarray:
    dims = image.GetDimension()
    lps = np.asarray(image.GetDirection(), dtype=np.float64).reshape(dims, dims)[:3, :3]
    return np.asarray(LPS_TO_RAS @ lps)


def _pixel_bytes(sitk: Any, pixel_id: int) -> int:
    words = sitk.GetPixelIDValueAsString(pixel_id)  # such as "vector of 16-bit signed integer"
    bits = re.search(r"(\d+)-bit|(\d+) bit", words)
    one = int(bits.group(1) or bits.group(2)) // 8 if bits else 1
    return one * (2 if "complex" in words else 1)


def _itk_reason(error: BaseException) -> str:
    """ITK puts paths of its own sources first and what went wrong last."""
    text = str(error).strip().rpartition("ITK ERROR: ")[2]
    text = re.sub(r"\w+\(0x[0-9a-f]+\): ", "", text)
    text = re.sub(r"\S*/\S*", "the file", text)
    return reason(RuntimeError(text))


def _parse(head: bytes) -> _Header | None:
    if head.startswith(b"NRRD"):
        return _parse_nrrd(head)
    return _parse_meta(head)


def _parse_nrrd(head: bytes) -> _Header:
    end = re.search(rb"\r?\n\r?\n", head)
    text = head[: end.start() if end else len(head)].decode("latin-1")
    lines = text.splitlines()
    fields: dict[str, str] = {}
    for line in lines:
        key, colon, value = line.partition(":")
        if colon and not line.startswith("#") and not value.startswith("="):
            fields[key.strip().lower()] = value.strip()
    space = fields.get("space", "").lower()
    four = fields.get("space dimension") == "4"  # how ITK writes the LPS of a 4D image
    data = fields.get("data file", fields.get("datafile", ""))
    return _Header(
        oriented=bool(_ANATOMICAL.match(space) or four) and "space directions" in fields,
        raw=fields.get("encoding", "").lower() == "raw",
        packed_size=0,
        offset=end.end() if end else len(head),
        data_files=_data_files(data, lines),
    )


def _parse_meta(head: bytes) -> _Header | None:
    fields: dict[str, str] = {}
    offset = 0
    lines = head.split(b"\n")
    for line in lines:
        key, equals, value = line.decode("latin-1").partition("=")
        offset += len(line) + 1
        if not equals or not key.strip().isidentifier():
            return None
        fields[key.strip().lower()] = value.strip()
        if key.strip().lower() == "elementdatafile":
            break
    if not {"ndims", "dimsize", "elementdatafile"} <= fields.keys():
        return None
    data = fields["elementdatafile"]
    local = data.upper() == "LOCAL"
    packed = fields.get("compresseddatasize", "")
    return _Header(
        oriented=bool({"transformmatrix", "orientation", "rotation"} & fields.keys()),
        raw=fields.get("compresseddata", "").lower() != "true"
        and fields.get("binarydata", "true").lower() != "false",
        packed_size=int(packed) if packed.isdecimal() else 0,
        offset=offset,
        data_files=() if local else _data_files(data, head.decode("latin-1").splitlines()),
    )


def _data_files(data: str, lines: list[str]) -> tuple[str, ...]:
    """The voxel files of a detached header: one name, a numbered pattern, or LIST."""
    if not data:
        return ()
    if data.upper().split()[0] == "LIST":
        start = next(
            i for i, line in enumerate(lines) if line.upper().rstrip().endswith(data.upper())
        )
        return tuple(line.strip() for line in lines[start + 1 :] if line.strip())
    counted = _COUNTED.fullmatch(data) or _COUNTED.match(data)
    if counted:
        low, high, step = (int(counted[key] or 1) for key in ("low", "high", "step"))
        numbers = range(low, min(high, low + 100_000) + 1, max(1, step))
        return tuple(counted["name"] % number for number in numbers)
    return (data,)
