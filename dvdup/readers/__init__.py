"""Readers: one declared case in, one `Volume` in RAS+ order out.

A new format is one module with `SUFFIXES` and `read(source)`, one row in `READERS` and one test
file. The modules are imported when a file of theirs is read, so that this table costs nothing.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import shlex
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from dvdup import remote, rows
from dvdup.config.uris import is_object_uri
from dvdup.errors import PointerError, ReadError
from dvdup.readers import limits
from dvdup.readers.masks import without_masks
from dvdup.readers.sources import (
    Source,
    absent,
    looks_like,
    peek,
    quieten,
    reason,
    require,
    unread_folder,
)
from dvdup.records import ArrayPart, Case, DicomFolder, Volume
from dvdup.sealed import SealedFiles

__all__ = [
    "READERS",
    "SUFFIXES",
    "Reader",
    "absent",
    "array_parts",
    "case_name",
    "companions",
    "is_readable_name",
    "limits",
    "looks_many",
    "maybe_dicom",
    "nothing_escapes",
    "read_volume",
    "reads",
    "series_cache",
    "series_finder",
]


@dataclass(frozen=True, slots=True)
class Reader:
    """One family of formats."""

    module: str
    """Import path of a module with `read(source) -> Volume`."""
    suffixes: tuple[str, ...]
    """Lower case, with the dot."""
    has_companions: bool = False
    """Whether the module has `companions(path) -> tuple[Path, ...]`."""
    names_companions: bool = False
    """Whether it opens a file to know them."""
    holds_arrays: bool = False
    """Whether a file may hold many cases, as rows or as arrays (`array_rows`)."""


READERS: dict[str, Reader] = {
    "nifti": Reader(
        "dvdup.readers.nifti",
        (".nii", ".nii.gz", ".hdr", ".hdr.gz", ".mgh", ".mgz", ".mgh.gz"),
        has_companions=True,
    ),
    "itk": Reader(
        "dvdup.readers.itk", (".nrrd", ".nhdr", ".mha", ".mhd"), True, names_companions=True
    ),
    "numpy": Reader("dvdup.readers.numpy_arrays", (".npy", ".npz"), holds_arrays=True),
    "hdf5": Reader("dvdup.readers.hdf5", (".h5", ".hdf5"), holds_arrays=True),
    "zarr": Reader("dvdup.readers.zarr_stores", (".zarr", ".zarr.zip"), holds_arrays=True),
    "dicom": Reader("dvdup.readers.dicom", (".dcm", ".dicom", ".ima")),
    "picture": Reader(
        "dvdup.readers.pictures",
        (
            *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".webp", ".gif", ".bmp"),
            *(".jp2", ".jpx", ".j2k", ".ppm", ".pgm", ".pbm", ".pnm"),
        ),
    ),
}

SUFFIXES: tuple[str, ...] = tuple(s for reader in READERS.values() for s in reader.suffixes)
"""Every suffix that a reader claims."""

_logger = logging.getLogger(__name__)
_HEADER = 1 << 16
"""Bytes of a file from which its companions are told, or what it is that no reader claims."""
_FOREIGN_STORE = ".n5"  # a format like Zarr
_HALVES = (".img", ".img.gz", ".raw", ".zraw")


def is_readable_name(name: str) -> bool:
    """Whether a reader claims files of this name."""
    return _suffix(name) != ""


def case_name(name: str) -> str:
    """The name of a file without its folder and its suffix: `a/b.nii.gz` is `b`.

    A suffix that no reader claims stays: it is part of what is told about such a file.
    """
    base = name.replace(os.sep, "/").rpartition("/")[2]
    suffix = _suffix(base)
    return base[: -len(suffix)] if suffix else base


def reads(root: Path, case: Case) -> bool:
    """Whether a reader claims a case, so that its files are worth hashing."""
    if case.series is not None:
        return case.series != ""
    if not case.files:
        return False
    main = case.files[0]
    return is_readable_name(main) or (not is_object_uri(main) and _is_zarr(root / main))


def companions(path: Path, root: Path | None = None) -> tuple[Path, ...]:
    """The files that belong to a file: the .img of a .hdr, the voxel files of a .mhd or .nhdr.

    Args:
        path: A main file.
        root: Folder of the dataset: what a header names outside of it, or outside of the header's
            own folder where that is not in it, is none.

    Returns:
        Their paths, existing or not; empty for a format in one file, and for a damaged header,
        which is told when the file is read.
    """
    reader = _reader_of(path.name)
    if reader is None or not reader.has_companions or not _may_be_opened(path):
        return ()
    try:
        header = remote.opened(path, _HEADER) if reader.names_companions else nullcontext()
        with nothing_escapes(path.name), header:
            module = import_module(reader.module)
            return cast(tuple[Path, ...], module.companions(path, root))
    except ReadError:
        return ()


def _may_be_opened(path: Path) -> bool:
    """Whether opening a path waits for nobody; what is not there harms nobody either."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return True


def array_parts(path: Path, name: str) -> tuple[ArrayPart, ...]:
    """The arrays of a file that is declared to hold many cases.

    Args:
        path: The file.
        name: For messages.

    Raises:
        ReadError: It cannot be read, or is of a format that holds one scan.
    """
    if not _holds_arrays(path):
        raise ReadError(f"{name}: is no file of arrays, such as .npy; correct dataset.arrays")
    with nothing_escapes(name), remote.opened(path):
        found = import_module("dvdup.readers.array_rows").parts(path, name)
        return cast(tuple[ArrayPart, ...], found)


def looks_many(path: Path, name: str) -> bool:
    """Whether a file that is not declared seems to hold many cases."""
    if not _holds_arrays(path):
        return False
    with suppress(ReadError), remote.opened(path):
        return bool(import_module("dvdup.readers.array_rows").looks_many(path, name))
    return False


def _holds_arrays(path: Path) -> bool:
    reader = _reader_of(path.name)
    return (reader is not None and reader.holds_arrays) or _is_zarr(path)


def _is_zarr(path: Path) -> bool:
    """Whether a folder that is not called so is a Zarr store."""
    named = path.name.lower().endswith(_FOREIGN_STORE)
    return not named and path.is_dir() and bool(_module("zarr").is_store(path))


def maybe_dicom(path: Path) -> bool:
    """Whether a file is named as DICOM or starts as DICOM (such files often have no suffix)."""
    module = import_module("dvdup.readers.dicom_series")
    if path.name.lower().endswith(module.SUFFIXES):
        return True
    with suppress(ReadError), remote.opened(path, _HEADER):
        return bool(module.looks_like_dicom(path))
    return False


@contextmanager
def nothing_escapes(name: str) -> Iterator[None]:
    """Turn whatever goes wrong with a file into a `ReadError`: no file may end a run.

    The cause is chained and logged at the level of debugging, for it may be a fault of dvdup.

    Args:
        name: The file, for messages.

    Raises:
        ReadError: Anything was raised that asks for nothing else, as Ctrl-C does.
    """
    import numpy as np

    quieten()
    try:
        with np.errstate(all="ignore"):
            yield
    except ReadError:
        raise
    except MemoryError as error:
        raise ReadError(f"{name}: does not fit into memory; use fewer --jobs") from error
    except RecursionError as error:
        raise ReadError(f"{name}: damaged: nested too deeply; replace or exclude it") from error
    except Exception as error:
        _logger.debug("%s", name, exc_info=True)
        said = f"{type(error).__name__}: {reason(error)}"
        raise ReadError(
            f"{name}: damaged or not supported ({said}); replace or exclude it"
        ) from error


def series_finder(
    sealed: SealedFiles,
) -> Callable[[Path, list[Path], Callable[[], None]], DicomFolder]:
    """Make the function that groups the files of one folder into DICOM series.

    Args:
        sealed: Where it keeps what it found; its key hashes UIDs too.

    Returns:
        (folder, files, poll) -> what the files are; `poll` is called for each file.
    """
    dicom_series = import_module("dvdup.readers.dicom_series")

    def find(folder: Path, files: list[Path], poll: Callable[[], None]) -> DicomFolder:
        known = dicom_series.load_cache(sealed, folder)
        try:
            found = dicom_series.group_series(files, known, sealed.key(), poll)
        finally:
            if known.changed:
                dicom_series.save_cache(sealed, folder, known)
        return cast(DicomFolder, found)

    return find


def series_cache(root: Path, file: str) -> str:
    """Where beside the index is kept what `series_finder` found in the folder of a file.

    Args:
        root: What the name of the file is relative to.
        file: As in `Case.files`.

    Returns:
        A name relative to the index folder.
    """
    folder = file.rpartition("/")[0] if is_object_uri(file) else (root / file).parent
    name: str = import_module("dvdup.readers.dicom_series").cache_name(folder)
    return name


def read_volume(root: Path, case: Case) -> Volume:
    """Read a case.

    Args:
        root: The folder that `case.files` are relative to.
        case: The case; its first file is the main one.

    Returns:
        The volume in RAS+ (or array) order, voxels as stored; of several channels those that are
        masks are left out.

    Raises:
        ReadError: If the case cannot be read; names the file, what is wrong and what to do.
        PointerError: If a file is a git-lfs, DVC or git-annex pointer.
    """
    start = time.monotonic()
    volume = _read(root, case)
    _logger.debug("read %s in %.2f s", case.files[0], time.monotonic() - start)
    return volume


def _read(root: Path, case: Case) -> Volume:
    if not case.files:
        raise ReadError(f"{case.case_id}: the case has no files; declare one")
    first = _HEADER if case.series is None and not reads(root, case) else None
    with nothing_escapes(case.files[0]), remote.at_hand(root, case.files, first) as paths:
        sources = [Source(path, name) for path, name in zip(paths, case.files, strict=True)]
        if case.series == "":
            raise cast(ReadError, import_module("dvdup.readers.dicom_series").broken(sources))
        if case.series is not None and rows.is_row(case.series):
            part = import_module("dvdup.readers.array_rows").read(sources[0], case.series)
            return without_masks(cast(Volume, part))
        if case.series is not None or _reader_of(sources[0].name) is READERS["dicom"]:
            volume = cast(Volume, _module("dicom").read_series(sources))
        else:
            mains = _mains(sources)
            volume = _joined(mains, [_read_function(source)(source) for source in mains])
        return without_masks(volume)


def _mains(sources: Sequence[Source]) -> Sequence[Source]:
    """The files that a reader opens; the others are their companions."""
    more = [source for source in sources[1:] if _reader_of(source.name) is not None]
    return [sources[0], *more]


def _joined(sources: Sequence[Source], volumes: Sequence[Volume]) -> Volume:
    """One volume out of files that are its channels, as nnU-Net keeps them."""
    first = volumes[0]
    if len(volumes) == 1:
        return first
    for source, volume in zip(sources, volumes, strict=True):
        if volume.shape != first.shape:
            raise ReadError(
                f"{source.name} is {volume.shape}, but {sources[0].name} is {first.shape}: files "
                "of one case must have the same size; correct the case"
            )
    return dataclasses.replace(
        first,
        channels=tuple(channel for volume in volumes for channel in volume.channels),
        scaling=tuple(scaling for volume in volumes for scaling in volume.scaling),
        notes=tuple(dict.fromkeys(note for volume in volumes for note in volume.notes)),
    )


def _read_function(source: Source) -> Callable[[Source], Volume]:
    reader = _reader_of(source.name)
    if reader is None and _is_zarr(source.path):
        return cast(Callable[[Source], Volume], _module("zarr").read)
    if reader is None:
        if not source.path.is_dir():
            require(source)
            if maybe_dicom(source.path):
                return cast(Callable[[Source], Volume], _module("dicom").read)
        raise _unknown(source)
    return cast(Callable[[Source], Volume], import_module(reader.module).read)


def _unknown(source: Source) -> ReadError:
    if source.path.is_dir():
        return unread_folder(source)
    if source.name.endswith(".dvc") and absent(source.path):
        return PointerError(
            f"{source.name}: some of its files are not here; bring them with "
            f"`dvc pull {shlex.quote(source.name)}`"
        )
    if source.name.lower().endswith(_HALVES):
        return ReadError(
            f"{source.name}: holds voxels only, and no header beside it names it; bring its header "
            "file (.hdr, .mhd, .nhdr), or leave it out with dataset.exclude"
        )
    words = looks_like(peek(source, 512))
    seems = f" (it looks like {words})" if words else ""
    return ReadError(
        f"{source.name}: dvdup does not read this format{seems}; convert it, or leave it out with "
        "dataset.exclude"
    )


def _module(name: str) -> Any:
    return import_module(READERS[name].module)


def share_of_pictures(cases: Sequence[Case]) -> float:
    """How many of some cases are pictures by their names, files or rows of arrays: 0 to 1."""
    readers = [_reader_of(case.files[0]) for case in cases]
    pictures = [
        reader is READERS["picture"] or _is_one_row(case)
        for case, reader in zip(cases, readers, strict=True)
    ]
    return sum(pictures) / max(1, len(pictures))


def _is_one_row(case: Case) -> bool:
    return case.series is not None and rows.is_row(case.series) and not rows.is_array(case.series)


def _reader_of(name: str) -> Reader | None:
    suffix = _suffix(name)
    return next((r for r in READERS.values() if suffix in r.suffixes), None) if suffix else None


def _suffix(name: str) -> str:
    """The longest claimed suffix of a name as written there, or ""."""
    lower = name.lower()
    found = max((s for s in SUFFIXES if lower.endswith(s)), key=len, default="")
    return name[-len(found) :].lower() if found and len(name) > len(found) else ""
