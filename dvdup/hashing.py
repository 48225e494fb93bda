"""Hashes of files, voxels and contents.

In: paths, float32 channels in RAS+ order (`voxels.channel_values`), bytes to be sealed. Out: hex
digests of blake2b.

The voxel hash, version 1, is a function of the picture alone: not of the file format, the
compression, the stored type, the stored axis order, the spacing or the origin. It is blake2b-256
over a tag, the shape without trailing axes of 1, and the float32 voxels (little-endian, x fastest),
with -0 counted as +0 and every NaN as one pattern. Infinities are kept. A channel that holds one
value only has no voxel hash, because all empty scans would be copies of one another.

The value hash is a function of the values alone, whatever their arrangement: the sum, modulo 2**64,
of every voxel's scrambled bits. No order or direction of axes, no reshaping and no spacing changes
it, and those of the slices along an axis add up to it. It nominates pairs; the voxels prove them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from errno import EINVAL
from pathlib import Path
from stat import S_ISREG
from typing import NamedTuple

import numpy as np

VOXEL_HASH_VERSION = 1
_SCRAMBLE = (
    (np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)),
    (np.uint64(31), np.uint64(0x9E3779B97F4A7C15)),
)
_BLOCK = 1 << 18  # voxels: 1 MiB of float32, so that the passes over a block stay in cache


class ValueHashes(NamedTuple):
    """The value hashes of one channel."""

    whole: int
    """0 for a constant channel."""
    slices: tuple[np.ndarray, ...]
    """uint64 (X,), (Y,), (Z,): of the slices across each axis; 0 for constant ones."""


class ChannelHash(NamedTuple):
    """The digest of one channel, and whether it holds a single value."""

    digest: str
    """blake2b-256 hex."""
    constant: bool

    @property
    def voxel_hash(self) -> str | None:
        """The digest, or None for a constant channel."""
        return None if self.constant else self.digest


def seal(key: bytes, name: str, payload: bytes) -> str:
    """Seal some bytes under a name, so that damage, edits and mix-ups can be told.

    Args:
        key: Secret of at most 64 bytes; who has it can seal.
        name: What the bytes are, so that one sealed file cannot stand for another one.
        payload: The bytes.

    Returns:
        Keyed blake2b-256, 64 hex digits.
    """
    label = name.encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(len(label).to_bytes(8, "little") + label, key=key, digest_size=32)
    digest.update(payload)
    return digest.hexdigest()


def shared_key(passphrase: str) -> bytes:
    """Make a key of a passphrase that two parties have agreed on: the same at both, 32 bytes.

    scrypt with the cost that its authors propose for files makes each guess cost 1/10 s and 32 MB.
    The salt is the same everywhere, as the parties share nothing but the passphrase.
    """
    return hashlib.scrypt(
        passphrase.encode(), salt=b"dvdup export 1", n=1 << 15, r=8, p=1, maxmem=1 << 26, dklen=32
    )


def key_id(key: bytes) -> str:
    """What tells keys apart and gives none away; 16 hex digits."""
    return seal(key, "key", b"")[:16]


def text_hash(text: str) -> str:
    """Hash a text, surrogates included; blake2b-128, 32 hex digits."""
    encoded = text.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(encoded, digest_size=16).hexdigest()


def voxels_key(hashes: Sequence[str]) -> str:
    """What the voxels of a scan are, whatever it is called and however it is stored.

    Args:
        hashes: The voxel hashes of its channels, in any order.

    Returns:
        blake2b-128, 32 hex digits; "" without a hash, where nothing is known about the voxels.
    """
    return text_hash("\n".join(sorted(set(hashes)))) if hashes else ""


def group_id(labels: Iterable[str]) -> str:
    """The id of a group of cases, made of their names in any order; 16 hex digits."""
    text = "\n".join(sorted(labels))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def file_hash(path: Path) -> str:
    """Hash the bytes of a file without holding them in memory.

    Args:
        path: An existing file.

    Returns:
        blake2b-128, 32 hex digits.

    Raises:
        OSError: If the file cannot be read.
    """
    with path.open("rb", buffering=0) as stream:
        return hashlib.file_digest(stream, _blake2b_128).hexdigest()


def folder_hash(path: Path) -> str:
    """Hash all files of a folder: their names below it and their bytes.

    Args:
        path: An existing folder. Links to files count as these, links to folders are not followed.

    Returns:
        blake2b-128, 32 hex digits.

    Raises:
        OSError: A file cannot be read or is no regular one, or a folder cannot be listed.
    """
    found = _blake2b_128()
    for file in sorted(files_below(path)):
        if not S_ISREG(file.stat().st_mode):  # a pipe would wait for ever
            raise OSError(EINVAL, f"{file.name} in it is not a regular file")
        name = file.relative_to(path).as_posix().encode("utf-8", "surrogateescape")
        found.update(b"%d:%s%s" % (len(name), name, file_hash(file).encode()))
    return found.hexdigest()


def files_below(path: Path) -> Iterator[Path]:
    """Every file in a folder and below, in no order.

    Raises:
        OSError: A folder cannot be listed.
    """

    def refuse(error: OSError) -> None:
        raise error

    for place, folders, names in os.walk(path, onerror=refuse):
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]
        yield from (Path(place, name) for name in (*names, *links))


def hash_channel(values: np.ndarray) -> ChannelHash:
    """Hash one channel and tell whether it is constant, in one pass.

    Args:
        values: float32, up to 3 axes in RAS+ order, (X, Y, Z). Fortran order is fastest; other
            strides are copied a block at a time.

    Returns:
        The digest, equal for equal voxels and shape, and the constant flag.
    """
    trimmed = _without_trailing_ones(values)
    hasher = hashlib.blake2b(digest_size=32)
    shape = "x".join(str(n) for n in trimmed.shape)
    hasher.update(f"dvdup voxels {VOXEL_HASH_VERSION} {shape}\n".encode())
    first: np.ndarray | None = None
    constant = True
    for block in _canonical_blocks(trimmed):
        hasher.update(block.data)
        if constant:
            bits = block.view(np.uint32)
            first = bits[:1].copy() if first is None else first
            constant = not bool(np.any(bits != first))
    return ChannelHash(hasher.hexdigest(), constant)


def value_hashes(values: np.ndarray) -> ValueHashes:
    """Hash the values of one channel and of its slices, whatever their arrangement.

    Args:
        values: float32 (X, Y, Z). Fortran order is fastest.
    """
    sums = [np.zeros(n, np.uint64) for n in values.shape]
    step = max(1, _BLOCK * values.shape[2] // max(1, values.size))
    for start in range(0, values.shape[2], step):
        block = _scrambled(values[..., start : start + step])
        along = block.sum(axis=0)
        sums[0] += block.sum(axis=(1, 2))
        sums[1] += along.sum(axis=1)
        sums[2][start : start + step] = along.sum(axis=0)
    whole = int(sums[0].sum())
    for axis, found in enumerate(sums):
        found[found == _if_constant(values, axis)] = 0
    corner = int(_scrambled(values[:1, :1, :1]).sum())
    constant = whole == corner * values.size % (1 << 64)
    return ValueHashes(0 if constant else whole, tuple(sums))


def _if_constant(values: np.ndarray, axis: int) -> np.ndarray:
    """uint64 (N,): what the slices across an axis would add up to if each held one value."""
    corners = values[tuple(slice(None) if i == axis else slice(1) for i in range(3))]
    expected: np.ndarray = _scrambled(corners).ravel() * np.uint64(
        values.size // len(corners.ravel())
    )
    return expected


def _scrambled(values: np.ndarray) -> np.ndarray:
    """uint64, of the shape of the values: their canonical bits, scrambled as in splitmix64."""
    canonical = values + np.float32(0.0)  # -0 + 0 is +0
    holes = np.isnan(canonical)
    if holes.any():
        canonical[holes] = np.nan
    bits = canonical.view(np.uint32).astype(np.uint64)
    for shift, factor in _SCRAMBLE:
        bits *= factor
        bits ^= bits >> shift
    return bits


def voxel_hash(values: np.ndarray) -> str | None:
    """Hash the voxels of one channel (version 1, see the module).

    Args:
        values: float32 (X, Y, Z) in RAS+ order.

    Returns:
        blake2b-256 hex; None if all voxels hold one value (all NaN included).
    """
    return hash_channel(values).voxel_hash


def channel_digest(values: np.ndarray) -> str:
    """Digest the voxels of one channel, constant or not: the voxel hash where there is one.

    Args:
        values: float32 (X, Y, Z) in RAS+ order.

    Returns:
        blake2b-256 hex.
    """
    return hash_channel(values).digest


def content_key(
    channel_digests: Sequence[str], spacing: Sequence[float], modality: str = ""
) -> str:
    """Key of everything in a scan that changes its slices.

    Args:
        channel_digests: `channel_digest` of each channel, in order.
        spacing: mm along X, Y, Z.
        modality: DICOM modality, or "".

    Returns:
        blake2b-128 hex.
    """
    # float32 first: the same spacing stored as float32 and as text must give the same key
    rounded = [float(np.float32(step)).hex() for step in spacing]
    parts = ["dvdup content 1", modality, *rounded, *channel_digests]
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()


def _blake2b_128() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=16)


def _without_trailing_ones(values: np.ndarray) -> np.ndarray:
    shape = values.shape
    while len(shape) > 1 and shape[-1] == 1:
        shape = shape[:-1]
    return values.reshape(shape, order="F") if shape != values.shape else values


def _canonical_blocks(values: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the voxels x fastest as little-endian float32 with one zero and one NaN.

    Every block is a view of one buffer that the next block overwrites.
    """
    buffer = np.empty(_BLOCK, dtype="<f4")
    for piece in _flat_pieces(values):
        for start in range(0, piece.size, _BLOCK):
            part = piece[start : start + _BLOCK]
            block = buffer[: part.size]
            np.add(part, np.float32(0.0), out=block)  # -0 + 0 is +0
            holes = np.isnan(block)
            if holes.any():
                block.view("<u4")[holes] = 0x7FC00000
            yield block


def _flat_pieces(values: np.ndarray) -> Iterator[np.ndarray]:
    """Yield 1D pieces, x fastest, copying about a block at a time where strides demand it."""
    if values.flags.f_contiguous:
        yield values.reshape(-1, order="F")
        return
    per_layer = max(1, values.size // max(1, values.shape[-1]))
    step = max(1, _BLOCK // per_layer)
    for start in range(0, values.shape[-1], step):
        yield values[..., start : start + step].reshape(-1, order="F")
