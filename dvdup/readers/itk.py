"""NRRD (.nrrd, .nhdr) and MetaImage (.mha, .mhd), through SimpleITK.

SimpleITK hands over LPS axis directions and invents an identity where the file has none, so the
text header is looked at first: which files hold the voxels, how many bytes they must have, and
whether an orientation is declared at all. A 2D image is laid out as a picture. Specifications:
https://teem.sourceforge.net/nrrd/format.html, https://itk.org/Wiki/ITK/MetaIO/Documentation.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dvdup.errors import ReadError
from dvdup.readers import isolation, limits
from dvdup.readers.axes import (
    LPS_TO_RAS,
    as_volume,
    colour_channels,
    picture_axes,
    real_channels,
)
from dvdup.readers.sources import (
    MAX_RATIO,
    Source,
    inflated,
    is_inside,
    open_regular,
    peek,
    reason,
    require,
    truncated,
    without_folders,
    wrong_format,
)
from dvdup.records import Volume

SUFFIXES = (".nrrd", ".nhdr", ".mha", ".mhd")

_HEAD_BYTES = 1 << 16
_ANATOMICAL = re.compile(r"(left|right|l|r)[-]?(anterior|posterior|a|p)[-]?(superior|inferior|s|i)")
_COUNTED = re.compile(
    r"(?P<before>[^%]*)%(?P<zero>0?)(?P<width>\d{0,20})d(?P<after>[^%\s]*)"
    r"\s+(?P<low>[0-9]+)\s+(?P<high>[0-9]+)(\s+(?P<step>[0-9]+))?(\s+[0-9]+)?"
)
_LONG_NUMBER = re.compile(rb"[0-9]{41}")
_MAX_AXES = 9
_MAX_WIDTH = 12  # digits in the name of a file
_MAX_FILES = 100_000


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """An image as ITK hands it over."""

    array: np.ndarray
    """([frames,] [slices,] rows, columns[, components]), as stored."""
    components: int
    spacing: tuple[float, ...]
    """mm along the axes, first axis first."""
    direction: tuple[float, ...]
    """LPS direction cosines, a square matrix row by row."""


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


def companions(path: Path, root: Path | None = None) -> tuple[Path, ...]:
    """The voxel files that a .nhdr or .mhd names, but for those outside of the dataset."""
    try:
        with open_regular(path) as stream:
            head = stream.read(_HEAD_BYTES)
    except OSError:
        return ()
    header = _parse(head)
    names = header.data_files if header else ()
    return tuple(path.parent / name for name in names if is_inside(path, name, root))


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
    try:
        header = _parse(head)
    except ValueError as error:
        raise ReadError(f"{source.name}: damaged header: {error}; replace or exclude it") from error
    if header is None:
        wanted = "an NRRD volume" if source.name.lower().endswith("rd") else "a MetaImage volume"
        raise wrong_format(source, wanted, head[:512])
    available = size - header.offset
    files = [source]
    if header.data_files:
        files = _voxel_files(source, header)
        available = sum(require(file) for file in files)
    if header.packed_size > available:  # else the MetaImage library complains on stderr by itself
        raise truncated(source, header.packed_size, max(0, available))
    image = isolation.call(
        "dvdup.readers.itk:load_image",
        *(source, header.raw, available),
        tuple(files),
        0 if header.data_files else header.offset,
        name=source.name,
        stored=available,
    )
    return _volume(image, header, source.name)


def _voxel_files(source: Source, header: _Header) -> list[Source]:
    for name in header.data_files:
        if not is_inside(source.path, name, source.root):
            raise ReadError(
                f"{source.name}: its header names voxels outside of the dataset "
                f"({without_folders(name)}); move them beside it, or exclude it"
            )
    return [source.sibling(source.path.parent / name) for name in header.data_files]


def load_image(
    source: Source, raw: bool, available: int, files: tuple[Source, ...], offset: int
) -> Image:
    """Read an image after checking that its header does not ask for more than is there.

    Runs in a child process, for the libraries of ITK crash on damaged files.

    Args:
        source: The file.
        raw: Whether the voxels are stored uncompressed.
        available: Bytes that hold them.
        files: The files with the voxels.
        offset: Where these begin in each of them.

    Raises:
        ReadError: If the file is damaged, truncated or too big.
    """
    import SimpleITK as sitk  # noqa: N813, the name everybody knows it by

    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(source.path))
    name = source.name
    try:
        reader.ReadImageInformation()
        wanted = math.prod(reader.GetSize()) * reader.GetNumberOfComponents()
        wanted *= _pixel_bytes(sitk, reader.GetPixelID())
        if wanted > available * (1 if raw else MAX_RATIO):
            raise truncated(source, wanted, max(0, available))
        limits.check(name, wanted, available)
        if not raw:
            _check_packed(source, files, offset, wanted)
        image = reader.Execute()
    except RuntimeError as error:
        raise ReadError(
            f"{name}: damaged, truncated or not supported by SimpleITK "
            f"({_itk_reason(error)}); copy it again, or save it as NIfTI"
        ) from error
    return Image(
        array=sitk.GetArrayFromImage(image),
        components=image.GetNumberOfComponentsPerPixel(),
        spacing=image.GetSpacing(),
        direction=image.GetDirection(),
    )


def _check_packed(source: Source, files: Sequence[Source], offset: int, wanted: int) -> None:
    """Decompress to the end: ITK looks neither at checksums nor at what it could not inflate."""
    found = 0
    for file in files:
        with open_regular(file.path) as stream:
            stream.seek(offset)
            magic = stream.read(2)
        if not (magic == b"\x1f\x8b" or (magic[:1] == b"\x78" and len(magic) == 2)):
            return  # text or hexadecimal, which have no checksum
        wbits = 31 if magic == b"\x1f\x8b" else 15
        found += sum(len(piece) for piece in inflated(file, wbits, offset))
    if found < wanted:
        raise truncated(source, wanted, found)


def _volume(image: Image, header: _Header, name: str) -> Volume:
    array = np.transpose(image.array)
    dims = len(image.spacing)
    components = [array] if image.components == 1 else list(array)
    if array.dtype == np.uint8 and len(components) in (3, 4) and dims < 4:
        components = colour_channels(components)
    frames = [part[..., t] for part in components for t in range(part.shape[-1])]
    frames = frames if dims > 3 else components
    if dims == 2:
        frames = [picture_axes(frame.T) for frame in frames]
    notes: list[str] = []
    channels: list[np.ndarray] = []
    for frame in frames:
        parts, said = real_channels(frame, name)
        channels += parts
        notes += [note for note in said if note not in notes]
    return as_volume(
        channels,
        directions=_ras_directions(image) if header.oriented and dims > 2 else None,
        spacing=image.spacing[:3],
        notes=notes,
    )


def _ras_directions(image: Image) -> np.ndarray:
    dims = len(image.spacing)
    lps = np.asarray(image.direction, dtype=np.float64).reshape(dims, dims)[:3, :3]
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
    """Read a text header; None if it is none.

    Raises:
        ValueError: It asks for what no image has, which crashes the libraries.
    """
    header = _parse_nrrd(head) if head.startswith(b"NRRD") else _parse_meta(head)
    if header is not None and _LONG_NUMBER.search(head[: header.offset]):
        raise ValueError("a number of more than 40 digits")
    return header


def _check_axes(count: str, sizes: str) -> None:
    """An image has 1 to 9 axes, and a size for each."""
    if not (count.isascii() and count.isdigit() and 1 <= int(count[:20]) <= _MAX_AXES):
        raise ValueError(f"{count[:20]!r} axes")
    if len(sizes.split()) != int(count):
        raise ValueError(f"it has {count} axes and {len(sizes.split())} sizes")


def _parse_nrrd(head: bytes) -> _Header:
    end = re.search(rb"\r?\n\r?\n", head)
    text = head[: end.start() if end else len(head)].decode("latin-1")
    if "\0" in text:
        raise ValueError("zero bytes in its text")
    lines = [line.rstrip("\r") for line in text.split("\n")]
    fields: dict[str, str] = {}
    for line in lines:
        key, colon, value = line.partition(":")
        if colon and not line.startswith("#") and not value.startswith("="):
            fields[key.strip().lower()] = value.strip()
    _check_axes(fields.get("dimension", ""), fields.get("sizes", ""))
    if "data file" in fields and "datafile" in fields:
        raise ValueError("two names of the file with its voxels")
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
        if not equals or not key.strip().isprintable() or not key.strip():
            return None
        fields[key.strip().lower()] = value.strip()
        if key.strip().lower() == "elementdatafile":
            break
    if not {"ndims", "dimsize", "elementdatafile"} <= fields.keys():
        return None
    _check_axes(fields["ndims"], fields["dimsize"])
    if any("\0" in value for value in fields.values()):
        raise ValueError("zero bytes in its text")
    data = fields["elementdatafile"]
    local = data.upper() == "LOCAL"
    packed = fields.get("compresseddatasize", "")
    return _Header(
        oriented=bool({"transformmatrix", "orientation", "rotation"} & fields.keys()),
        raw=fields.get("compresseddata", "").lower() != "true"
        and fields.get("binarydata", "true").lower() != "false",
        packed_size=int(packed[:20]) if packed.isascii() and packed.isdigit() else 0,
        offset=offset,
        data_files=() if local else _data_files(data, head.decode("latin-1").split("\n")),
    )


def _data_files(data: str, lines: list[str]) -> tuple[str, ...]:
    """The voxel files of a detached header: one name, a numbered pattern, or LIST.

    Raises:
        ValueError: A pattern asks for more than images have.
    """
    if not data:
        return ()
    if data.upper().split()[0] == "LIST":
        start = next(
            (i for i, line in enumerate(lines) if line.rstrip().endswith(data)), len(lines)
        )
        return tuple(line.strip() for line in lines[start + 1 :] if line.strip())
    counted = _COUNTED.fullmatch(data)
    return _numbered(counted) if counted else (data,)


def _numbered(counted: re.Match[str]) -> tuple[str, ...]:
    """The names that a pattern such as `x%03d.raw 1 30 1` stands for."""
    if any(len(counted[key] or "") > 9 for key in ("low", "high", "step")):
        raise ValueError("a numbered pattern with numbers of more than 9 digits")
    low, high, step = (int(counted[key] or 1) for key in ("low", "high", "step"))
    numbers = range(low, high + 1, max(1, step))
    if int(counted["width"] or 0) > _MAX_WIDTH or len(numbers) > _MAX_FILES:
        raise ValueError("a numbered pattern of too many files or digits")
    width, fill = int(counted["width"] or 0), "0" if counted["zero"] else " "
    return tuple(
        counted["before"] + str(number).rjust(width, fill) + counted["after"] for number in numbers
    )
