"""DICOM files to series: which files of a folder belong together, by SeriesInstanceUID.

Headers are read once: what was found is kept in a small cache, one file a folder, so that a
run in which nothing changed opens no DICOM file.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import warnings
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dvdup.errors import ReadError
from dvdup.readers import dicom_parts, limits
from dvdup.readers.sources import Source, open_regular, peek, reason, require, wrong_format
from dvdup.sealed import SealedFiles

SUFFIXES = (".dcm", ".dicom", ".ima")

NOT_AN_IMAGE = "-"
"""In place of a series UID: DICOM files without voxels, and label maps (SEG)."""

_GROUP_TAGS = ("SeriesInstanceUID", *dicom_parts.GROUP_TAGS)
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_FORM = "|"  # between the series UID of a file and its form
_RACY_NS = 2_000_000_000  # a file written this recently may change without its mtime changing


@dataclass(frozen=True, slots=True)
class Series:
    """The files of one DICOM series, sorted by path."""

    uid: str
    """SeriesInstanceUID, or the id of a part of the series (`dicom_parts`); "" for files named as
    DICOM that could not be read as such."""
    files: tuple[Path, ...]


@dataclass(slots=True)
class SeriesCache:
    """Which series each file belongs to, so that unchanged files are not opened again."""

    entries: dict[str, tuple[int, int, str]] = field(default_factory=dict)
    """Path -> (size, mtime_ns, series UID and form or `NOT_AN_IMAGE`)."""
    changed: bool = False

    def get(self, path: Path, status: os.stat_result) -> str | None:
        """The series of a file that has not changed since, else None."""
        entry = self.entries.get(str(path))
        same = entry is not None and entry[:2] == (status.st_size, status.st_mtime_ns)
        return entry[2] if entry is not None and same else None

    def put(self, path: Path, status: os.stat_result, uid: str) -> None:
        """Remember the series of a file, unless it was written just now."""
        if time.time_ns() - status.st_mtime_ns > _RACY_NS:
            self.entries[str(path)] = (status.st_size, status.st_mtime_ns, uid)
            self.changed = True


def looks_like_dicom(path: Path) -> bool:
    """Whether a file is named as DICOM or has its preamble."""
    if path.name.lower().endswith(SUFFIXES):
        return True
    try:
        with open_regular(path) as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False


def group_series(files: Sequence[Path], cache: SeriesCache) -> list[Series]:
    """Group files by SeriesInstanceUID, reading headers only.

    Args:
        files: Candidate files, in any order; those that are not DICOM are left out, as are DICOM
            objects without voxels (reports, structure sets) and segmentations.
        cache: Series of files read before; new ones are added.

    Returns:
        The series, sorted by their first file; one that holds images of several sizes or
            orientations is one entry for each of these. Files named as DICOM that cannot be read
            as such (damaged, pointers) form one series with the UID "", so that they are reported.
    """
    groups: dict[str, list[tuple[Path, str]]] = {}
    for path in sorted(files):
        found = _series_uid(path, cache)
        if found is not None and found != NOT_AN_IMAGE:
            uid, _, form = found.partition(_FORM)
            groups.setdefault(uid, []).append((path, form))
    series = [
        Series(part, tuple(paths))
        for uid, members in groups.items()
        for part, paths in dicom_parts.parts_of(uid, members)
    ]
    return sorted(series, key=lambda one: one.files[0])


def load_cache(sealed: SealedFiles, cached_folder: Path) -> SeriesCache:
    """Load what is known about the files of one folder; empty if nothing usable is kept.

    Args:
        sealed: Where the caches are.
        cached_folder: The folder with the DICOM files.
    """
    payload = sealed.read(_cache_name(cached_folder))
    with suppress(ValueError, TypeError, AttributeError):
        kept = json.loads(payload or "{}")
        return SeriesCache(
            {
                str(cached_folder / name): (int(size), int(mtime_ns), str(uid))
                for name, (size, mtime_ns, uid) in kept.items()
            }
        )
    return SeriesCache()


def save_cache(sealed: SealedFiles, cached_folder: Path, cache: SeriesCache) -> None:
    """Keep a cache; without a place to write (a read-only index) it is simply not kept."""
    names = {Path(path).name: entry for path, entry in sorted(cache.entries.items())}
    with suppress(OSError):
        sealed.write(_cache_name(cached_folder), json.dumps(names).encode())


def read_header(source: Source, tags: Iterable[str] | None) -> Any:
    """Read a DICOM dataset.

    Args:
        source: The file, with or without a preamble.
        tags: Keywords of the tags to read, without pixels; None reads everything.

    Returns:
        The pydicom dataset.

    Raises:
        ReadError: If the file is missing, damaged or no DICOM file.
        PointerError: If it is a pointer.
    """
    import pydicom
    from pydicom.errors import InvalidDicomError

    size = require(source)
    if _DEFLATED in peek(source, 1024):
        _bound_deflated(source, size)
    options: dict[str, Any] = {}
    if tags is not None:
        options = {"stop_before_pixels": True, "specific_tags": list(tags)}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd but readable values are common in the wild
            try:
                return pydicom.dcmread(source.path, **options)
            except InvalidDicomError:
                dataset = pydicom.dcmread(source.path, force=True, **options)
    except EOFError as error:
        raise ReadError(
            f"{source.name}: truncated: the DICOM file ends too early; copy it again"
        ) from error
    except Exception as error:  # pydicom raises anything on damaged data
        raise _not_dicom(source, error) from error
    if "Rows" not in dataset:  # force reads anything; without a preamble this is the proof
        raise wrong_format(source, "a DICOM image", peek(source, 512))
    return dataset


def _bound_deflated(source: Source, size: int) -> None:
    """Refuse a deflated data set that becomes too big: pydicom inflates it as a whole."""
    allowed, found = limits.allowed(size), 0
    try:
        with open_regular(source.path) as stream:
            stream.seek(144)  # the length of the group stands before it, in its first element
            data = stream.read()[_group_length(source) :]
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        while data and not inflater.eof and found <= allowed:
            found += len(inflater.decompress(data, 1 << 24))
            data = inflater.unconsumed_tail
    except zlib.error:
        return  # pydicom says what is wrong
    limits.check(source.name, found, size)


def _group_length(source: Source) -> int:
    """Bytes of the file meta information behind its first element, which ends at byte 144."""
    head = peek(source, 144)
    return int.from_bytes(head[140:144], "little") if len(head) == 144 else 0


def _not_dicom(source: Source, error: Exception) -> ReadError:
    head = peek(source, 512)
    if head[128:132] != b"DICM":
        return wrong_format(source, "a DICOM image", head)
    return ReadError(
        f"{source.name}: the DICOM file cannot be read: {reason(error)}; copy it again"
    )


def _series_uid(path: Path, cache: SeriesCache) -> str | None:
    """UID and form; "" for a bad file named as DICOM; NOT_AN_IMAGE; None for no DICOM file."""
    try:
        status = path.stat()
    except OSError:
        return "" if looks_like_dicom(path) else None
    known = cache.get(path, status)
    if known is not None:
        return known
    if not looks_like_dicom(path):
        return None
    try:
        header = read_header(Source(path, path.name), _GROUP_TAGS)
    except ReadError:
        return ""
    is_image = "Rows" in header and header.get("Modality") != "SEG"
    uid = NOT_AN_IMAGE
    if is_image:
        uid = f"{header.get('SeriesInstanceUID') or ''}{_FORM}{dicom_parts.form_of(header)}"
    cache.put(path, status, uid)
    return uid


def _cache_name(cached_folder: Path) -> str:
    name = hashlib.blake2b(str(cached_folder.resolve()).encode(), digest_size=16).hexdigest()
    return f"cache/dicom-{name}.json"
