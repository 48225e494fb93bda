"""File, voxel and content hashes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dvdup import hashing

VOLUMES = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=1, max_dims=3, max_side=6),
    elements=st.sampled_from([0.0, -0.0, 1.0, -3.5, np.nan, np.inf, -np.inf, 1e-45]),
)


def volume(seed: int = 0, shape: tuple[int, ...] = (4, 5, 6)) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def by_definition(values: np.ndarray) -> str:
    """DESIGN section 4, written down in the plainest way."""
    values = values.copy()
    values[values == 0] = 0.0
    values[np.isnan(values)] = np.nan
    shape = values.shape
    while len(shape) > 1 and shape[-1] == 1:
        shape = shape[:-1]
    head = f"dvdup voxels 1 {'x'.join(map(str, shape))}\n".encode()
    voxels = values.astype("<f4").tobytes(order="F")
    return hashlib.blake2b(head + voxels, digest_size=32).hexdigest()


@settings(max_examples=200, deadline=None)
@given(VOLUMES, st.sampled_from("CF"))
def test_definition(values: np.ndarray, order: str) -> None:
    assert hashing.channel_digest(np.asarray(values, order=order)) == by_definition(values)


@settings(max_examples=100, deadline=None)
@given(VOLUMES)
def test_constant_has_no_hash(values: np.ndarray) -> None:
    patterns = {np.float32(v + 0.0).tobytes() if v == v else b"nan" for v in values.ravel()}
    assert (hashing.voxel_hash(values) is None) == (len(patterns) == 1)


def test_version_1_is_pinned() -> None:
    """Stored indexes hold these; another value here needs another version."""
    values = np.arange(24, dtype=np.float32).reshape((2, 3, 4), order="F")
    assert hashing.voxel_hash(values) == (
        "efb6126f2bb2685d08915d5913a137c516cf5cf88aa90f0cf509c41d0a2c16a3"
    )


def test_blocks_do_not_show() -> None:
    big = volume(1, (70, 80, 90))  # two blocks
    assert hashing.channel_digest(big) == by_definition(big)
    assert hashing.channel_digest(big[::-1].transpose(2, 0, 1)) == by_definition(
        big[::-1].transpose(2, 0, 1)
    )


@pytest.mark.parametrize("place", [0, 100, -1])
def test_a_single_other_voxel(place: int) -> None:
    values = volume()
    other = values.copy()
    other.flat[place] = np.nextafter(values.flat[place], np.float32(np.inf))
    assert hashing.voxel_hash(values) != hashing.voxel_hash(other)


def test_every_nan_and_zero_is_one() -> None:
    values, other = volume(), volume()
    values[0, 0, 0], other[0, 0, 0] = 0.0, -0.0
    values.view(np.uint32)[1, 1, 1] = 0x7FC00000
    other.view(np.uint32)[1, 1, 1] = 0xFFF00123
    assert hashing.voxel_hash(values) == hashing.voxel_hash(other)


def test_shape_counts_but_trailing_ones_do_not() -> None:
    flat = np.arange(12, dtype=np.float32)
    assert hashing.voxel_hash(flat.reshape(3, 4)) != hashing.voxel_hash(flat.reshape(4, 3))
    assert hashing.voxel_hash(flat.reshape(3, 4)) == hashing.voxel_hash(flat.reshape(3, 4, 1))
    assert hashing.voxel_hash(flat.reshape(3, 4)) != hashing.voxel_hash(flat.reshape(1, 3, 4))


def test_input_is_left_alone() -> None:
    values = volume()
    values[0, 0, 0], values[1, 0, 0] = -0.0, np.nan
    before = values.tobytes()
    values.flags.writeable = False
    hashing.voxel_hash(values)
    assert values.tobytes() == before


def test_hash_channel_tells_both() -> None:
    constant = hashing.hash_channel(np.full((2, 2, 2), 3, np.float32))
    assert constant.constant
    assert constant.voxel_hash is None
    assert constant.digest == hashing.channel_digest(np.full((2, 2, 2), 3, np.float32))
    assert constant.digest != hashing.channel_digest(np.full((2, 2, 2), 4, np.float32))
    assert hashing.hash_channel(volume()).voxel_hash == hashing.voxel_hash(volume())


def test_file_hash(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    data = bytes(range(256)) * 5000
    path.write_bytes(data)
    assert hashing.file_hash(path) == hashlib.blake2b(data, digest_size=16).hexdigest()


@pytest.mark.parametrize(
    ("digests", "spacing", "modality"),
    [
        (["a", "c"], (1.0, 1.0, 2.0), "CT"),
        (["b", "a"], (1.0, 1.0, 2.0), "CT"),
        (["a"], (1.0, 1.0, 2.0), "CT"),
        (["a", "b"], (1.0, 1.0, 2.5), "CT"),
        (["a", "b"], (2.0, 1.0, 1.0), "CT"),
        (["a", "b"], (1.0, 1.0, 2.0), "MR"),
        (["a", "b"], (1.0, 1.0, 2.0), ""),
    ],
)
def test_content_key_changes(digests: list[str], spacing: tuple[float, ...], modality: str) -> None:
    base = hashing.content_key(["a", "b"], (1.0, 1.0, 2.0), "CT")
    assert hashing.content_key(digests, spacing, modality) != base


def test_content_key_is_short_and_stable() -> None:
    key = hashing.content_key(["a"], (np.float32(0.7), 1.0, 1.0), "")
    assert len(key) == 32
    assert key == hashing.content_key(("a",), (0.7, 1.0, 1.0), "")
