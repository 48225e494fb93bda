"""DICOM files to series: which files of a folder belong together, by their headers.

Headers are read once: what was found is kept in a small cache, one file a folder, so that a
run in which nothing changed opens no DICOM file. UIDs are kept as hashes with the key of the index.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass, field, fields
from pathlib import Path
from typing import Any

from dvdup import remote
from dvdup.errors import ReadError
from dvdup.hashing import seal
from dvdup.readers import dicom_parts, limits
from dvdup.readers.sources import (
    Source,
    fault_words,
    open_regular,
    peek,
    reason,
    require,
    wrong_format,
)
from dvdup.records import DicomFolder, DicomSeries
from dvdup.sealed import SealedFiles

SUFFIXES = (".dcm", ".dicom", ".ima")

_HEAD = 132
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_GROUPS = (b"\x08\x00", b"\x02\x00")  # with what a file without a preamble starts
_GROUP_TAGS = (
    *("SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID", "SOPClassUID"),
    *("PatientID", "IssuerOfPatientID", "SOPInstanceUID"),
    *dicom_parts.GROUP_TAGS,
)
_NOBODY = re.compile(
    r"[\W_0]*|(anon|de-?ident|no ?name|none|unknown|removed).*|patient|test", re.IGNORECASE
)
"""PatientIDs that stand for nobody."""
_PERSON = 16  # hex digits
_RACY_NS = 2_000_000_000  # a file written this recently may change without its mtime changing
_SHORTEST_UID = 12
"""Shorter UIDs are placeholders that some tools write into every file."""

_NO_IMAGE = frozenset(
    (
        *("SR", "RTSTRUCT", "RTPLAN", "RTRECORD", "RTSEGANN", "PLAN", "REG", "FID", "PR", "KO"),
        *("DOC", "ECG", "EPS", "HD", "RESP", "AU", "SMR", "ASMT", "RWV", "STAIN", "VA"),
    )
)
"""Modalities of objects that hold no image."""

_PRIVATE_NO_IMAGE = (
    "1.3.12.2.1107.5.9.1",  # Siemens CSA non-image
    "1.3.46.670589.11.0.0.12.1",  # Philips MR spectrum
    "1.3.46.670589.11.0.0.12.2",  # Philips MR series data
    "1.3.46.670589.11.0.0.12.4",  # Philips MR examcard
)


@dataclass(frozen=True, slots=True)
class Header:
    """What one file says about what it belongs to; nothing of it names a person."""

    kind: str
    """"image", "no image", or "foreign" for what is no DICOM."""
    series: str = ""
    """As `Case.series`."""
    mark: str = ""
    """As `DicomSeries.mark`."""
    study: str = ""
    """Hash of its StudyInstanceUID."""
    stack: str = ""
    """Hash of what all slices of a stack share: study, frame of reference, orientation, size."""
    place: str = ""
    """Where it lies, in mm; "" if it does not say."""
    alone: bool = False
    """Whether its series says little: no UID, or a placeholder."""
    form: str = ""
    """As `dicom_parts.form_of`."""
    person: str = ""
    """As `DicomSeries.person`."""
    instance: str = ""
    """Hash of its SOPInstanceUID, 16 hex digits; "" where it has none that tells it from others."""


@dataclass(slots=True)
class SeriesCache:
    """What each file is, so that unchanged files are not opened again."""

    entries: dict[str, tuple[tuple[int, ...], Header]] = field(default_factory=dict)
    """Path -> (size, mtime, ctime, inode; what was found)."""
    changed: bool = False

    def get(self, path: Path, stamp: tuple[int, ...]) -> Header | None:
        """What a file is that has not changed since, else None."""
        entry = self.entries.get(str(path))
        return entry[1] if entry is not None and entry[0] == stamp else None

    def put(self, path: Path, stamp: tuple[int, ...], header: Header) -> None:
        """Remember what a file is, unless it was written just now."""
        if time.time_ns() - stamp[1] > _RACY_NS:
            self.entries[str(path)] = (stamp, header)
            self.changed = True


def looks_like_dicom(path: Path) -> bool:
    """Whether a file is named as DICOM or starts as DICOM, with a preamble or without."""
    return path.name.lower().endswith(SUFFIXES) or _starts_as_dicom(path)


def group_series(
    files: Sequence[Path],
    cache: SeriesCache,
    key: bytes = b"",
    poll: Callable[[], None] = lambda: None,
) -> DicomFolder:
    """Find out what the files of a folder are, reading headers only.

    Files of one SeriesInstanceUID are one scan, or one for each size and orientation of images.
    Where there is no such UID, or no more than a placeholder, each file is a scan of its own unless
    the files clearly are one stack: of one study, frame of reference, orientation and size, each at
    another place.

    Args:
        files: Candidate files, in any order.
        cache: What is known from before; new findings are added.
        key: Key of the index, for the hashes of UIDs.
        poll: Called for each file; what it raises ends the search.
    """
    images: dict[str, list[tuple[Path, Header]]] = {}
    broken, no_image, foreign = list[Path](), list[Path](), list[Path]()
    for path in sorted(files):
        poll()
        header = _header(path, cache, key)
        if header is None:
            broken.append(path)
        elif header.kind == "image":
            images.setdefault(header.series, []).append((path, header))
        else:
            (no_image if header.kind == "no image" else foreign).append(path)
    series = [one for members in images.values() for one in _scans(members)]
    series.sort(key=lambda one: one.files[0])
    return DicomFolder(tuple(series), tuple(broken), tuple(no_image), tuple(foreign))


def _scans(members: list[tuple[Path, Header]]) -> Iterator[DicomSeries]:
    """The scans that files of one SeriesInstanceUID are."""
    headers = [header for _, header in members]
    first = headers[0]
    if not any(header.alone for header in headers) and len({h.study for h in headers}) == 1:
        forms, known = [(path, header.form) for path, header in members], dict(members)
        for series, files in dicom_parts.parts_of(first.series, forms):
            part = series.removeprefix(first.series)
            mark = _short(first.mark + part) if part else first.mark
            images = _instances([known[path] for path in files])
            yield DicomSeries(series, mark, (*files,), _person_of(headers), images)
        return
    stacks: dict[str, list[tuple[Path, Header]]] = {}
    for path, header in members:
        stacks.setdefault(header.stack, []).append((path, header))
    for stack in stacks.values():
        person = _person_of([header for _, header in stack])
        places = {header.place for _, header in stack}
        is_stack = "" not in places and len(places) == len(stack)
        for scan in [stack] if is_stack else [[member] for member in stack]:
            images = _instances([header for _, header in scan])
            paths = tuple(path for path, _ in scan)
            yield DicomSeries(first.series, first.mark, paths, person, images)


def _person_of(headers: Sequence[Header]) -> str:
    """The person of some files; "" if they do not agree."""
    persons = {header.person for header in headers}
    return persons.pop() if len(persons) == 1 else ""


def _instances(headers: Sequence[Header]) -> bytes:
    """As `Case.instances`."""
    found = sorted({int(header.instance, 16) for header in headers if header.instance})
    return b"".join(each.to_bytes(8, "little") for each in found)


def _short(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=4).hexdigest()


def broken(sources: Sequence[Source]) -> ReadError:
    """Say what is wrong with files that look like DICOM and cannot be read as such.

    Args:
        sources: The files, one at least.

    Returns:
        One line with every kind of fault (three at most), how many files have it, and an example;
        a `PointerError` if the commonest one is that they are pointers.
    """
    faults: dict[str, list[tuple[str, ReadError]]] = {}
    for source in sources:
        error = _fault(source)
        faults.setdefault(fault_words(source, error), []).append((source.name, error))
    kinds = sorted(faults.items(), key=lambda kind: (-len(kind[1]), kind[0]))
    lines = [
        f"{found[0][0]}{f' and {len(found) - 1} more' if len(found) > 1 else ''}: {words}"
        for words, found in kinds[:3]
    ]
    return type(kinds[0][1][0][1])("; also ".join(lines))


def _fault(source: Source) -> ReadError:
    try:
        dataset = read_header(source, _GROUP_TAGS)
    except ReadError as error:
        return error
    if "Rows" in dataset:
        return ReadError(f"{source.name}: changed while it was looked at; run it again")
    return ReadError(
        f"{source.name}: ends before its image, or holds none that dvdup knows; copy it again, or "
        "leave it out with dataset.exclude"
    )


def load_cache(sealed: SealedFiles, folder: Path) -> SeriesCache:
    """Load what is known about the files of one folder; empty if nothing usable is kept.

    Args:
        sealed: Where the caches are.
        folder: The folder with the DICOM files.
    """
    with suppress(ValueError, TypeError, AttributeError):
        files = json.loads(sealed.read(cache_name(folder)) or b"{}")
        return SeriesCache(
            {
                str(folder / name): (tuple(stamp), _kept(values))
                for name, (stamp, values) in files.items()
            }
        )
    return SeriesCache()


def _kept(values: list[Any]) -> Header:
    """A header as it was kept; one of an earlier version lacks what is new.

    Raises:
        ValueError: It does.
    """
    if len(values) != len(fields(Header)):
        raise ValueError("kept by an earlier version")
    return Header(*values)


def save_cache(sealed: SealedFiles, folder: Path, cache: SeriesCache) -> None:
    """Keep a cache; without a place to write (a read-only index) it is simply not kept."""
    files = {
        Path(path).name: [stamp, astuple(header)]
        for path, (stamp, header) in sorted(cache.entries.items())
    }
    with suppress(OSError):
        sealed.write(cache_name(folder), json.dumps(files).encode())


def read_header(source: Source, tags: Iterable[str | int] | None) -> Any:
    """Read a DICOM image.

    Args:
        source: The file, with or without a preamble.
        tags: Keywords or numbers of the tags to read, without pixels; None reads everything.

    Returns:
        The pydicom dataset.

    Raises:
        ReadError: If the file is missing, damaged or no DICOM file.
        PointerError: If it is a pointer.
    """
    dataset = _read(source, tags)
    if "Rows" not in dataset and not _has_preamble(source):
        raise wrong_format(source, "a DICOM image", peek(source, 512))
    return dataset


def _read(source: Source, tags: Iterable[str | int] | None) -> Any:
    """Read a dataset; without a preamble it may be anything."""
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
                return pydicom.dcmread(source.path, force=True, **options)
    except EOFError as error:
        raise ReadError(
            f"{source.name}: truncated: the DICOM file ends too early; copy it again"
        ) from error
    except Exception as error:  # pydicom raises anything on damaged data
        raise _not_dicom(source, error) from error


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
    if not _has_preamble(source):
        return wrong_format(source, "a DICOM image", peek(source, 512))
    return ReadError(
        f"{source.name}: the DICOM file cannot be read: {reason(error)}; copy it again"
    )


def _has_preamble(source: Source) -> bool:
    return peek(source, _HEAD)[128:] == b"DICM"


def _starts_as_dicom(path: Path) -> bool:
    """Whether the bytes are those of a DICOM file; nothing but a regular file is opened."""
    try:
        with open_regular(path) as stream:
            head = stream.read(_HEAD)
    except OSError:
        return False
    return head[128:] == b"DICM" or _starts_as_dataset(head)


def _starts_as_dataset(head: bytes) -> bool:
    """Whether bytes are the first elements of a dataset: its group, then a VR or a length."""
    if len(head) < 16 or head[:2] not in _GROUPS or head[3] != 0:
        return False
    vr, length = head[4:6], int.from_bytes(head[4:8], "little")
    return (vr.isalpha() and vr.isupper()) or length < 1 << 16


def _header(path: Path, cache: SeriesCache, key: bytes) -> Header | None:
    """What a file is; None for one that should be DICOM and cannot be read."""
    named = path.name.lower().endswith(SUFFIXES)
    try:
        stamp = _stamp(path)
    except OSError:
        return None if named else Header("foreign")
    known = cache.get(path, stamp)
    if known is not None:
        return known
    found: Header | None = None
    with suppress(ReadError), remote.opened(path):  # reading the case says what is wrong
        if not looks_like_dicom(path):
            found = Header("foreign")
        else:
            found = _looked_into(Source(path, path.name), key, sure=named)
    if found is not None:
        cache.put(path, stamp, found)
    return found


def _looked_into(source: Source, key: bytes, *, sure: bool) -> Header | None:
    """What a file is that is named as DICOM (`sure`) or starts so; None if it is damaged."""
    try:
        dataset = _read(source, _GROUP_TAGS)
        preamble = _has_preamble(source)
        return _described(dataset, key) or (None if sure or preamble else Header("foreign"))
    except ReadError:
        return None


def _described(dataset: Any, key: bytes) -> Header | None:
    """What a dataset is; None if nothing proves that it is whole: no image, no other object."""
    modality = _text(dataset, "Modality")
    if "Rows" not in dataset:
        return Header("no image") if modality in _NO_IMAGE or _is_no_image(dataset) else None
    if modality == "SEG":
        return Header("no image")
    uid, study = _text(dataset, "SeriesInstanceUID"), _text(dataset, "StudyInstanceUID")
    orientation = _numbers(dataset, "ImageOrientationPatient")
    place = _numbers(dataset, "ImagePositionPatient") if orientation else ""
    shared = [study, orientation] + [
        _text(dataset, tag) for tag in ("FrameOfReferenceUID", "Rows", "Columns")
    ]
    return Header(
        "image",
        series=seal(key, "series", uid.encode()),
        mark=_short(uid),
        study=seal(key, "study", study.encode()),
        stack=seal(key, "stack", "\n".join(shared).encode()),
        place=place,
        alone=len(uid) < _SHORTEST_UID,
        form=dicom_parts.form_of(dataset),
        person=_person(dataset, key),
        instance=_instance(dataset, key),
    )


def _instance(dataset: Any, key: bytes) -> str:
    uid = _text(dataset, "SOPInstanceUID")
    return seal(key, "instance", uid.encode())[:16] if len(uid) >= _SHORTEST_UID else ""


def _person(dataset: Any, key: bytes) -> str:
    """A hash of the PatientID, which means something beside its issuer alone."""
    known = _text(dataset, "PatientID")
    if _NOBODY.fullmatch(known):
        return ""
    text = f"{_text(dataset, 'IssuerOfPatientID')}\0{known}"
    return seal(key, "person", text.encode("utf-8", "surrogateescape"))[:_PERSON]


def _is_no_image(dataset: Any) -> bool:
    """Whether the SOP class is one of objects without an image, as DICOM or a vendor has it."""
    uid = dataset.get("SOPClassUID") or getattr(dataset, "file_meta", {}).get(
        "MediaStorageSOPClassUID"
    )
    if uid is None:
        return False
    if str(uid) in _PRIVATE_NO_IMAGE:
        return True
    name = getattr(uid, "name", "")
    pictures = (
        "Image",
        "Dose",
        "Map",
        "Multi-frame",
        "Photography",
        "US Volume",
        "Analysis",
        "AIT",
    )
    return name != str(uid) and not any(word in name for word in pictures)


def _text(dataset: Any, tag: str) -> str:
    with suppress(Exception):  # values that no conversion of pydicom takes
        return str(dataset.get(tag) or "").strip()
    return ""


def _numbers(dataset: Any, tag: str) -> str:
    """Numbers to a hundredth; "" where there are none, or no numbers."""
    with suppress(Exception):  # as above
        return " ".join(f"{round(float(x), 2) + 0.0:.2f}" for x in dataset.get(tag) or ())
    return ""


def _stamp(path: Path) -> tuple[int, ...]:
    """Size, mtime, ctime and inode; of what is on an object store its size and version."""
    uri = remote.uri_of(path)
    seen = None if uri is None else remote.look(uri)
    if seen is not None:
        return (seen.size, seen.version, 0, 0)
    status = path.stat()
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def cache_name(folder: Path | str) -> str:
    """The file beside the index that keeps what a folder holds, relative to the index folder.

    Args:
        folder: A folder of this machine, a stand-in of one, or its address on an object store.
    """
    named = folder if isinstance(folder, str) else remote.uri_of(folder) or str(folder.resolve())
    name = hashlib.blake2b(named.encode(), digest_size=16).hexdigest()
    return f"cache/dicom-{name}.json"
