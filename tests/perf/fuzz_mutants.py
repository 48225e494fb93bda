"""Ways to damage a file: any file, and files whose structure is known.

Every mutator takes the bytes and a random generator and gives other bytes, or None where the file
has no such structure. The same generator gives the same bytes.
"""

from __future__ import annotations

import functools
import re
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from fuzz_seeds import Seed

Mutator = Callable[[bytes, np.random.Generator], bytes | None]

_INTEGERS = (0, 1, 2, 3, 7, 127, 128, 255, 256, 4096, 32767, 32768, 65535, 65536, 1 << 20)
_HUGE = (2147483647, 2147483648, 4294967295, 4294967296, 1 << 40, (1 << 63) - 1, -1, -2, -32768)
_WORDS = (
    *(str(n).encode() for n in (*_INTEGERS, *_HUGE, -9223372036854775808)),
    *(b"9" * 5000, b"1e400", b"nan", b"-inf", b"1.5", b"x", b"", b"0x7f", b"1 1 1 1", b"\x85 2"),
    *(b"%d", b"%0999999999d", b"%s%d 1 2 1", b"x%d.raw 1 99999999 1", b"LIST", b"LOCAL"),
    *(b"/dev/zero", b"/etc/passwd", b"../../../etc/passwd", b"((((((((", b"(none)", b"\0\0"),
)
_MAGICS = (
    *(b"\x1f\x8b\x08\0", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"II*\0\x08\0\0\0", b"MM\0*"),
    *(b"PK\x03\x04", b"BZh9", b"\xfd7zXZ\0", b"NRRD0005\n", b"\x93NUMPY\x01\0", b"\x89HDF\r\n"),
    *(b"RIFF", b"GIF89a", b"BM", b"version https://git-lfs.github.com/spec/v1\n", b"<html>", b""),
)
_NIFTI = (
    *((40 + 2 * k, "<h") for k in range(8)),
    *((offset, "<h") for offset in (68, 70, 72, 252, 254)),
    *((offset, "<f") for offset in (76, 80, 84, 88, 108, 112, 116, 256, 280, 296)),
    *((0, "<i"), (344, "<i"), (108, "<I")),
)
_MGH = tuple((4 * k, ">i") for k in range(7))
_DICOM = (
    *((0x0028, n) for n in (2, 4, 6, 8, 16, 17, 48, 256, 257, 258, 259, 4178, 4179)),
    *((0x0020, n) for n in (14, 17, 19, 50, 55)),
    *((0x0002, 0), (0x0002, 16), (0x0008, 22), (0x0008, 96), (0x7FE0, 16), (0xFFFE, 57344)),
)
_VRS = (b"OB", b"OW", b"SQ", b"UN", b"US", b"SS", b"DS", b"IS", b"FD", b"UI", b"AT", b"??", b"\0\0")


@dataclass(frozen=True)
class Mutant:
    """A damaged scan."""

    seed: Seed
    mutation: str
    files: dict[str, bytes]
    told: bool
    """Whether the format can tell: cut off, or changed under a checksum."""


def mutate(seeds: Sequence[Seed], run: int, number: int) -> Mutant:
    """Make mutant `number` of run `run`: one seed file with one mutation."""
    rng = np.random.default_rng((run, number))
    seed = seeds[int(rng.integers(len(seeds)))]
    before = seed.files[seed.damaged]
    own = [known for fits, known in _STRUCTURES if fits(seed)]
    while True:
        pool = own[int(rng.integers(len(own)))] if own and rng.random() < 0.5 else _ANY
        name = sorted(pool)[int(rng.integers(len(pool)))]
        after = _splice(seeds, before, rng) if name == "splice" else pool[name](before, rng)
        if after is not None and after != before:
            files = {**seed.files, seed.damaged: after}
            return Mutant(seed, name, files, _can_be_told(seed, name, before, after))


def _can_be_told(seed: Seed, name: str, before: bytes, after: bytes) -> bool:
    """A cut always; the change of some bytes where a checksum covers all of them."""
    if name == "cut":
        return True
    if seed.checksummed_from is None or name not in {"flip", "random run", "zero run"}:
        return False
    old, new = np.frombuffer(before, np.uint8), np.frombuffer(after, np.uint8)
    return bool(np.flatnonzero(old != new)[0] >= seed.checksummed_from)


# What can happen to any file


def _place(data: bytes, rng: np.random.Generator) -> int:
    """A position, half of them within the first 400 bytes, where headers are."""
    reach = len(data) if rng.random() < 0.5 else min(len(data), 400)
    return int(rng.integers(reach))


def _flip(data: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for _ in range(int(rng.choice([1, 1, 1, 2, 8]))):
        changed[_place(data, rng)] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _run(data: bytes, rng: np.random.Generator) -> tuple[int, int]:
    start = _place(data, rng)
    return start, min(len(data), start + int(rng.choice([1, 2, 4, 16, 64, 512])))


def _random_run(data: bytes, rng: np.random.Generator) -> bytes:
    start, stop = _run(data, rng)
    return data[:start] + rng.bytes(stop - start) + data[stop:]


def _zero_run(data: bytes, rng: np.random.Generator) -> bytes:
    start, stop = _run(data, rng)
    return data[:start] + bytes([int(rng.choice([0, 255]))]) * (stop - start) + data[stop:]


def _doubled(data: bytes, rng: np.random.Generator) -> bytes:
    start, stop = _run(data, rng)
    return data[:stop] + data[start:stop] * int(rng.choice([1, 1, 50])) + data[stop:]


def _left_out(data: bytes, rng: np.random.Generator) -> bytes:
    start, stop = _run(data, rng)
    return data[:start] + data[stop:]


def _cut(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: int(rng.integers(len(data)))]


def _trailing(data: bytes, rng: np.random.Generator) -> bytes:
    more = int(rng.choice([1, 4, 512, 70000]))
    return data + (bytes(more) if rng.random() < 0.5 else rng.bytes(more))


def _magic(data: bytes, rng: np.random.Generator) -> bytes:
    head = _MAGICS[int(rng.integers(len(_MAGICS)))]
    return head + data[len(head) :] if rng.random() < 0.7 else head + data


def _integer(data: bytes, rng: np.random.Generator) -> bytes | None:
    """A telling number, 1 to 8 bytes wide, over bytes of the head."""
    code = str(rng.choice(["b", "<h", ">h", "<i", ">i", "<q", ">q"]))
    return _put(data, int(rng.integers(min(len(data), 160))), code, rng)


def _put(data: bytes, offset: int, code: str, rng: np.random.Generator) -> bytes | None:
    values = (*_INTEGERS, *_HUGE)
    value = values[int(rng.integers(len(values)))]
    if code[-1] in "fd":
        packed = struct.pack(code, float(rng.choice([value, np.nan, np.inf, -np.inf, 1e30])))
    else:
        width = struct.calcsize(code)
        order = "little" if code[0] != ">" else "big"
        packed = (value % (1 << (8 * width))).to_bytes(width, order)
    stop = offset + len(packed)
    return data[:offset] + packed + data[stop:] if stop <= len(data) else None


def _splice(seeds: Sequence[Seed], data: bytes, rng: np.random.Generator) -> bytes:
    """The head of this file and the tail of another."""
    other = seeds[int(rng.integers(len(seeds)))]
    tail = other.files[other.damaged]
    return data[: _place(data, rng)] + tail[_place(tail, rng) :]


# Text headers


def _word(data: bytes, rng: np.random.Generator) -> bytes | None:
    """A number or value of a text header becomes something else."""
    found = list(re.finditer(rb"-?\d[\d.]*|(?<=[=:]) *[^\n]+", data[:1000].split(b"\n\n")[0]))
    if not found:
        return None
    where = found[int(rng.integers(len(found)))]
    word = _WORDS[int(rng.integers(len(_WORDS)))]
    return data[: where.start()] + word + data[where.end() :]


def _line(data: bytes, rng: np.random.Generator) -> bytes | None:
    """A line of a text header is doubled, left out or moved."""
    lines = data.split(b"\n")
    last = min(len(lines) - 1, 16)
    if last < 2:
        return None
    at, to = (int(n) for n in rng.integers(last, size=2))
    kind = int(rng.integers(3))
    if kind == 0:
        lines.insert(to, lines[at])
    else:
        line = lines.pop(at)
        if kind == 1:
            lines.insert(to, line)
    return b"\n".join(lines)


def _npy_header(data: bytes, rng: np.random.Generator) -> bytes | None:
    """A changed header of an array, its length told rightly."""
    length = int.from_bytes(data[8:10], "little")
    head = _word(data[10 : 10 + length], rng)
    if rng.random() < 0.4:
        types = (b"'|O'", b"'<U9'", b"'<M8[s]'", b"'<c16'", b"'|b1'", b"[('a', '<i2')]", b"'<f2'")
        head = re.sub(rb"'[<>|]\w+'", types[int(rng.integers(len(types)))], data[10 : 10 + length])
    if head is None:
        return None
    return data[:8] + min(len(head), 65535).to_bytes(2, "little") + head + data[10 + length :]


# Binary headers


def _field(fields: Sequence[tuple[int, str]]) -> Mutator:
    def change(data: bytes, rng: np.random.Generator) -> bytes | None:
        offset, code = fields[int(rng.integers(len(fields)))]
        return _put(data, offset, code, rng)

    return change


def _dicom_element(data: bytes, rng: np.random.Generator) -> bytes | None:
    """VR, length or value of an element; or the element twice."""
    group, element = _DICOM[int(rng.integers(len(_DICOM)))]
    at = data.find(struct.pack("<HH", group, element))
    if at < 0 or at + 12 > len(data):
        return None
    kind = int(rng.integers(5))
    if kind == 0:
        return data[: at + 4] + _VRS[int(rng.integers(len(_VRS)))] + data[at + 6 :]
    if kind == 1:
        return _put(data, at + 6, "<h", rng)
    if kind == 2:
        return _put(data, at + int(rng.choice([4, 8])), "<i", rng)
    if kind == 3:
        text = (b"1,5 ", b"IM 1", b"-1\\2", b"9999", b"-32 ", b"    ", b"1e99")[
            int(rng.integers(7))
        ]
        return data[: at + 8] + text + data[at + 12 :]
    return data[:at] + data[at : at + 10] + data[at:]


def _dicom_deflated(data: bytes, rng: np.random.Generator) -> bytes | None:
    start = data.find(b"1.2.840.10008.1.2.1.99")
    length = struct.unpack("<I", data[140:144])[0] if len(data) > 144 else 0
    head, packed = data[: 144 + length], data[144 + length :]
    if start < 0:
        return None
    inner = _dicom_element(zlib.decompress(packed, -15), rng)
    if inner is None:
        return None
    deflate = zlib.compressobj(wbits=-15)
    return head + deflate.compress(inner) + deflate.flush()


def _tiff_directories(data: bytes) -> list[tuple[int, int, bool]]:
    """(first entry, number of entries, BigTIFF) of each directory of a little-endian TIFF."""
    big = data[2:3] == b"+"
    found, at = [], int.from_bytes(data[8:16] if big else data[4:8], "little")
    while at and at < len(data) and len(found) < 20:
        width, size = (8, 20) if big else (2, 12)
        count = int.from_bytes(data[at : at + width], "little")
        found.append((at + width, count, big))
        end = at + width + size * count
        at = int.from_bytes(data[end : end + (8 if big else 4)], "little")
    return found


def _tiff_entry(data: bytes, rng: np.random.Generator) -> bytes | None:
    """Tag, type, count, value of an entry, or the link to the next directory."""
    found = _tiff_directories(data)
    if not found:
        return None
    first, count, big = found[int(rng.integers(len(found)))]
    size = 20 if big else 12
    at = first + size * int(rng.integers(count + 1))
    if at == first + size * count:
        return _put(data, at, "<q" if big else "<i", rng)
    offset, code = ((0, "<h"), (2, "<h"), (4, "<i"), (8, "<i"), (8, "<h"))[int(rng.integers(5))]
    return _put(data, at + offset, code, rng)


def _zip_header(data: bytes, rng: np.random.Generator) -> bytes | None:
    """A field of a local header, of the central directory or of its end."""
    found = [m.start() for m in re.finditer(rb"PK(\x03\x04|\x01\x02|\x05\x06)", data)]
    at = found[int(rng.integers(len(found)))] + 2 * int(rng.integers(2, 15))
    return _put(data, at, str(rng.choice(["<h", "<i"])), rng)


def _gzip_member(data: bytes, rng: np.random.Generator) -> bytes | None:
    """Flags, checksum or length of a member; members added; a bomb behind the data."""
    kind = int(rng.integers(6))
    if kind == 0:
        return data[:3] + rng.bytes(1) + data[4:]
    if kind == 1:
        return data[:-8] + rng.bytes(4) + data[-4:]
    if kind == 2:
        return _put(data, len(data) - 4, "<i", rng)
    if kind == 3:
        return data + data
    if kind == 4:
        return _gzip(data)
    return data + _bomb() * int(rng.choice([1, 20, 200]))


def _gzip(data: bytes) -> bytes:
    pack = zlib.compressobj(9, wbits=31)
    return pack.compress(data) + pack.flush()


@functools.cache
def _bomb() -> bytes:
    return _gzip(bytes(1 << 24))


def _inside_gzip(change: Mutator) -> Mutator:
    def inside(data: bytes, rng: np.random.Generator) -> bytes | None:
        changed = change(zlib.decompress(data, 31), rng)
        return None if changed is None else _gzip(changed)

    return inside


def _png_chunk(data: bytes, rng: np.random.Generator) -> bytes | None:
    """A chunk changed, doubled or left out, its checksum right again."""
    chunks, at = [], 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        chunks.append(data[at + 4 : at + 8 + length])
        at += 12 + length
    which = int(rng.integers(len(chunks)))
    kind = int(rng.integers(4))
    if kind == 0:
        chunks.insert(int(rng.integers(len(chunks))), chunks[which])
    elif kind == 1:
        chunks.pop(which)
    elif kind == 2:
        chunks[0] = _put(chunks[0], int(rng.choice([4, 8])), ">i", rng) or chunks[0]
    else:
        chunks[which] = _flip(chunks[which], rng)
    made = ((len(c) - 4).to_bytes(4, "big") + c + zlib.crc32(c).to_bytes(4, "big") for c in chunks)
    return data[:8] + b"".join(made)


_ANY: dict[str, Mutator | None] = {
    "flip": _flip,
    "random run": _random_run,
    "zero run": _zero_run,
    "doubled": _doubled,
    "left out": _left_out,
    "cut": _cut,
    "trailing": _trailing,
    "magic": _magic,
    "integer": _integer,
    "splice": None,
}

_STRUCTURES: tuple[tuple[Callable[[Seed], bool], dict[str, Mutator]], ...] = (
    (lambda s: s.damaged.endswith((".nii", ".hdr")), {"nifti field": _field(_NIFTI)}),
    (lambda s: s.damaged.endswith(".nii.gz"), {"nifti field": _inside_gzip(_field(_NIFTI))}),
    (lambda s: s.damaged.endswith(".mgh"), {"mgh field": _field(_MGH)}),
    (lambda s: s.damaged.endswith(".mgz"), {"mgh field": _inside_gzip(_field(_MGH))}),
    (lambda s: s.damaged.endswith(("gz",)), {"gzip member": _gzip_member}),
    (
        lambda s: s.damaged.endswith((".nrrd", ".nhdr", ".mha", ".mhd")),
        {"word": _word, "line": _line},
    ),
    (lambda s: s.damaged.endswith(".npy"), {"npy header": _npy_header}),
    (lambda s: s.damaged.endswith(".npz"), {"zip header": _zip_header}),
    (
        lambda s: s.damaged.endswith(".dcm"),
        {"dicom element": _dicom_element, "dicom deflated": _dicom_deflated},
    ),
    (lambda s: s.damaged.endswith(".png"), {"png chunk": _png_chunk}),
    (lambda s: s.damaged.endswith(".tif"), {"tiff entry": _tiff_entry}),
)
