"""Opening what the user named: pointer files, missing, empty and foreign files, gzip.

Every reader gets its bytes through here, so that each way in which a file can be bad has one
message, whatever the format.
"""

from __future__ import annotations

import logging
import os
import re
import stat
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn, cast

import numpy as np

from dvdup import pointers
from dvdup.errors import PointerError, ReadError
from dvdup.readers import limits
from dvdup.records import Pointer

_CHUNK = 1 << 18  # compressed bytes fed to inflate at once
MAX_RATIO = 1032
"""Deflate cannot expand data further than this."""

_PIECE = 1 << 24  # decompressed bytes taken at once
_TAIL = 64 << 20  # bytes behind the voxels that are decompressed to reach the checksums
_LIBRARIES = ("pydicom", "tifffile", "PIL", "nibabel", "nibabel.global")
_QUOTED_PATH = re.compile(r"""(['"])(?:[A-Za-z]:)?[\\/][^'"]*[\\/]([^'"]*)\1""")
_BARE_PATH = re.compile(r"""(?<![^\s('"=:])(?:[A-Za-z]:)?[\\/](?:[^\s\\/:,;'"()]*[\\/])*""")

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "a gzip file"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"II*\0", "a TIFF picture"),
    (b"MM\0*", "a TIFF picture"),
    (b"GIF8", "a GIF picture"),
    (b"RIFF", "a WebP picture"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (b"PK\x03\x04", "a zip archive"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ", "an xz file"),
    (b"\x28\xb5\x2f\xfd", "a zstd file"),
    (b"%PDF", "a PDF"),
    (b"NRRD", "an NRRD volume"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89HDF", "an HDF5 file"),
)


@dataclass(frozen=True, slots=True)
class Source:
    """A file to read and the name that messages use for it."""

    path: Path
    name: str
    """As in `Case.files`: POSIX, relative to the root."""

    @property
    def root(self) -> Path | None:
        """Folder that the name is relative to; None if the name is no part of the path."""
        path, name = self.path.as_posix(), self.name
        cut = path[: -len(name)] if path.endswith("/" + name) else ""
        return Path(cut) if cut else None

    def sibling(self, path: Path) -> Source:
        """Another file of the same folder, named in the same manner."""
        folder = self.name.rpartition("/")[0]
        return Source(path, f"{folder}/{path.name}" if folder else path.name)


def require(source: Source) -> int:
    """Make sure that a file is there, is no pointer and is not empty.

    Args:
        source: The file.

    Returns:
        Its size in bytes.

    Raises:
        PointerError: If it is a git-lfs, DVC or git-annex pointer.
        ReadError: If it is missing, a folder, empty or not permitted.
    """
    try:
        status = source.path.stat()
    except PermissionError as error:
        raise ReadError(f"{source.name}: permission denied; make it readable") from error
    except OSError as error:
        _explain_missing(source, error)
    if stat.S_ISDIR(status.st_mode):
        raise ReadError(f"{source.name}: is a folder, not a scan; name the files in it")
    if not stat.S_ISREG(status.st_mode):
        raise ReadError(f"{source.name}: is not a regular file; name the scan itself")
    if status.st_size == 0:
        raise ReadError(f"{source.name}: the file is empty (0 bytes); copy it again")
    head = peek(source, pointers.LONGEST if status.st_size < pointers.LONGEST else 64)
    _refuse_pointer_text(source, head)
    return status.st_size


def peek(source: Source, count: int) -> bytes:
    """Read the first bytes of a file.

    Raises:
        ReadError: If it is not permitted or the read fails.
    """
    try:
        with open_regular(source.path) as stream:
            return stream.read(count)
    except PermissionError as error:
        raise ReadError(f"{source.name}: permission denied; make it readable") from error
    except OSError as error:
        raise ReadError(f"{source.name}: cannot be read: {reason(error)}") from error


def open_regular(path: Path) -> IO[bytes]:
    """Open a file that is one: devices never end, and pipes wait for somebody who writes.

    Raises:
        OSError: It is not there, not permitted, or no regular file.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError("not a regular file")
    return path.open("rb", buffering=0)


def is_inside(header: Path, name: str, root: Path | None) -> bool:
    """Whether a file that a header names lies in the dataset, by its name: links are the user's.

    Args:
        header: The file that names it.
        name: As written there.
        root: Folder of the dataset. A header that is not in it may name files below itself only.
    """
    top, folder = (os.path.abspath(path or header.parent) for path in (root, header.parent))
    if not _is_below(folder, top):
        top = folder
    return _is_below(os.path.abspath(os.path.join(folder, name)), top)


def _is_below(path: str, top: str) -> bool:
    return Path(path).is_relative_to(top)


def quieten() -> None:
    """Keep what the libraries log and warn about damaged files off the screen; it becomes notes.

    Their loggers are left as they are where the user has set them up.
    """
    for name in _LIBRARIES:
        logger = logging.getLogger(name)
        if not any(isinstance(handler, logging.NullHandler) for handler in logger.handlers):
            logger.handlers[:] = [logging.NullHandler()]
    for name in ("pydicom", "nibabel", "PIL", "tifffile"):
        warnings.filterwarnings("ignore", module=name)


def looks_like(head: bytes) -> str:
    """Say in words what a file seems to be, from its first bytes; "" if it cannot be told."""
    for magic, words in _MAGIC:
        if head.startswith(magic):
            return words
    if head[128:132] == b"DICM":
        return "a DICOM file"
    text = head.lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return "a web page (HTML), perhaps of a download that failed"
    if text.startswith((b"{", b"[")) and _is_text(head):
        return "a JSON text"
    return "a text file" if head and _is_text(head) else ""


def wrong_format(source: Source, wanted: str, head: bytes) -> ReadError:
    """The error for a file whose content is not what its name says.

    Args:
        source: The file.
        wanted: What it should be, as "a NIfTI volume".
        head: Its first bytes.
    """
    words = looks_like(head)
    seems = f"it looks like {words}" if words else "its header is not known"
    return ReadError(f"{source.name}: is not {wanted}: {seems}; rename, replace or exclude it")


def truncated(source: Source, wanted: int, found: int) -> ReadError:
    """The error for a file that holds fewer bytes than its header promises."""
    return ReadError(
        f"{source.name}: truncated: its header promises {wanted:,} bytes of voxels, {found:,} are "
        "there; copy or download it again"
    )


def reason(error: BaseException) -> str:
    """The first line of a library's error, at most 160 characters, without absolute paths."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    text = without_folders("".join(c if c.isprintable() or c == "\n" else " " for c in text))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    line = lines[0] if lines else type(error).__name__
    return line if len(line) <= 160 else line[:157] + "..."


def without_folders(text: str) -> str:
    """A text in which absolute paths are names of files only."""
    return _BARE_PATH.sub("", _QUOTED_PATH.sub(r"\1\2\1", text))


def is_gzip(source: Source) -> bool:
    """Whether a file starts as gzip does."""
    return peek(source, 2) == b"\x1f\x8b"


def gunzip_head(source: Source, count: int) -> bytes:
    """Decompress the first bytes of a gzip file: `count`, or fewer if it holds fewer.

    Raises:
        ReadError: If the compressed data is damaged or ends too early.
    """
    head = b""
    for piece in inflated(source):
        head += piece[: count - len(head)]
        if len(head) >= count:
            break
    return head


def read_plain(source: Source, offset: int, count: int) -> np.ndarray:
    """Read bytes of an uncompressed file.

    Args:
        source: The file.
        offset: First byte.
        count: How many bytes.

    Returns:
        uint8 (count,).

    Raises:
        ReadError: If the file is shorter.
    """
    size = source.path.stat().st_size
    if size < offset + count:  # before allocating: a damaged header may ask for terabytes
        raise truncated(source, count, max(0, size - offset))
    limits.check(source.name, count, size)
    try:
        return np.fromfile(source.path, dtype=np.uint8, count=count, offset=offset)
    except OSError as error:
        raise ReadError(f"{source.name}: cannot be read: {reason(error)}") from error


def read_gzip(source: Source, offset: int, count: int) -> np.ndarray:
    """Decompress a gzip file (any number of members), checking its checksums to the end.

    Args:
        source: The file.
        offset: First decompressed byte wanted.
        count: How many bytes.

    Returns:
        uint8 (count,).

    Raises:
        ReadError: If the file is cut off, damaged, or holds fewer bytes.
    """
    size = source.path.stat().st_size
    if (offset + count) > size * MAX_RATIO:
        raise truncated(source, count, 0)
    limits.check(source.name, offset + count, size)
    buffer = np.empty(offset + count, dtype=np.uint8)
    filled = tail = 0
    for piece in inflated(source):
        kept = piece[: buffer.size - filled]
        buffer[filled : filled + len(kept)] = np.frombuffer(kept, dtype=np.uint8)
        filled += len(kept)
        tail += len(piece) - len(kept)
        if tail > _TAIL:
            raise ReadError(
                f"{source.name}: damaged: far more data lies behind the voxels than its header "
                "tells of; replace it"
            )
    if filled < buffer.size:
        raise truncated(source, count, max(0, filled - offset))
    return buffer[offset:]


def inflated(source: Source, wbits: int = 31, offset: int = 0) -> Iterator[bytes]:
    """Yield the decompressed bytes of a gzip (or zlib) file, its checksums looked at.

    What stands behind its members is ignored.

    Args:
        source: The file.
        wbits: 31 for gzip, 15 for zlib, which has one member only.
        offset: Where the compressed data begins.

    Raises:
        ReadError: If the data is damaged or ends too early.
    """
    from isal import isal_zlib

    member = isal_zlib.decompressobj(wbits=wbits)
    try:
        with open_regular(source.path) as stream:
            stream.seek(offset)
            while packed := stream.read(_CHUNK):
                more = True
                while more:
                    if member.eof:
                        if wbits != 31 or not packed.startswith(b"\x1f"):
                            return
                        member = isal_zlib.decompressobj(wbits=wbits)
                    piece = member.decompress(packed, _PIECE)
                    yield piece
                    packed = member.unused_data or member.unconsumed_tail
                    more = bool(packed) or (len(piece) == _PIECE and not member.eof)
    except _inflate_error() as error:
        raise _damaged(source, wbits) from error
    except OSError as error:
        raise ReadError(f"{source.name}: cannot be read: {reason(error)}") from error
    if not member.eof:
        raise ReadError(
            f"{source.name}: truncated: the compressed data ends too early; copy or download it "
            "again"
        )


def _inflate_error() -> type[Exception]:
    from isal import igzip_lib

    return cast(type[Exception], igzip_lib.IsalError)  # its stub declares an instance


def _damaged(source: Source, wbits: int) -> ReadError:
    kind = "gzip" if wbits == 31 else "zlib"
    return ReadError(
        f"{source.name}: damaged: the {kind} data cannot be decompressed; copy or download it again"
    )


def _explain_missing(source: Source, error: OSError) -> NoReturn:
    """Raise the right error for a path that cannot be opened."""
    found = pointers.find(source.path, source.root or source.path.parent)
    if found is not None:
        raise _pointer(source, found) from error
    if source.path.is_symlink():
        raise ReadError(
            f"{source.name}: a broken symbolic link: its target is not there; restore or remove it"
        ) from error
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        raise ReadError(
            f"{source.name}: no such file; restore it, or run dvdup sync if it was removed"
        ) from error
    raise ReadError(f"{source.name}: cannot be read: {reason(error)}") from error


def absent(folder: Path) -> str:
    """The command that brings what is not here, of a folder that is known to have more in it.

    Args:
        folder: A folder without anything in it, which may be a git submodule or a DataLad
            subdataset; or the DVC pointer of a folder, of which only a part may be here.

    Returns:
        The command; "" where nothing is known to be missing.
    """
    if folder.suffix == ".dvc":
        return "dvc pull" if _lacks_files(folder) else ""
    for parent in folder.absolute().parents:
        modules = parent / ".gitmodules"
        if modules.is_file():
            return _module_command(modules, folder.absolute().relative_to(parent).as_posix())
        if (parent / ".git").exists():
            break
    return ""


def _lacks_files(pointer: Path) -> bool:
    """Whether the folder of a DVC pointer has fewer files than the pointer counts."""
    try:
        with open_regular(pointer) as stream:
            counted = re.search(rb"^[ -]*nfiles:\s*(\d{1,12})\s*$", stream.read(1 << 16), re.M)
        content = pointer.with_suffix("")
        if counted is None or not content.is_dir():
            return False
    except OSError:
        return False
    wanted, found = int(counted[1]), 0
    for _, _, names in os.walk(content):
        found += len(names)
        if found >= wanted:
            return False
    return found < wanted


def _module_command(modules: Path, name: str) -> str:
    """How to bring a folder that a .gitmodules lists; "" if it does not."""
    try:
        text = modules.read_text("utf-8", errors="replace")
    except OSError:
        return ""
    for section in text.split("[submodule")[1:]:
        values = dict(line.split("=", 1) for line in section.splitlines() if "=" in line)
        named = {key.strip(): value.strip().strip('"') for key, value in values.items()}
        if named.get("path", "").rstrip("/") == name:
            return (
                f"datalad get {name}"
                if "datalad-id" in named
                else (f"git submodule update --init {name}")
            )
    return ""


def unread_folder(source: Source) -> ReadError:
    """The error for a folder that is declared as if it were a scan."""
    command = absent(source.path)
    if command and not any(source.path.iterdir()):
        return _pointer(source, Pointer("git submodule", command))
    return ReadError(
        f"{source.name}: dvdup does not read this format (a folder, such as Zarr); convert it, or "
        "leave it out with dataset.exclude"
    )


def _refuse_pointer_text(source: Source, head: bytes) -> None:
    found = pointers.of_text(head, source.path, source.root or source.path.parent)
    if found is not None:
        raise _pointer(source, found)


def _pointer(source: Source, found: Pointer) -> PointerError:
    return PointerError(f"{source.name}: {_not_here(found.tool, found.command)}")


def _not_here(tool: str, command: str) -> str:
    return f"is not here, only its {tool} pointer; bring it with `{command}`"


def fault_words(source: Source, error: ReadError) -> str:
    """What is wrong with a file, in the words that its whole folder shares where it can."""
    found = pointers.find(source.path, source.root or source.path.parent)
    if found is not None and found.folder_command:
        return _not_here(found.tool, found.folder_command)
    return str(error).removeprefix(f"{source.name}: ")


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:  # else a character cut off at the end
            return False
        text = head[: error.start].decode("utf-8")
    return all(c.isprintable() or c in "\t\r\n" for c in text)
