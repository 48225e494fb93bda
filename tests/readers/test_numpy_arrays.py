"""NumPy arrays."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from reader_scans import Read, hashes, scan

from dvdup.errors import ReadError


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<i2", ">f4", "u1", "?"])
def test_3d_is_array_order(tmp_path: Path, read: Read, order: str, dtype: str) -> None:
    values = np.asarray(scan() % 200, dtype=dtype, order=order)
    np.save(tmp_path / "a.npy", values)
    volume = read("a.npy")
    np.testing.assert_array_equal(volume.channels[0], values)
    assert volume.channels[0].dtype == np.dtype(dtype)
    assert not volume.oriented
    assert volume.spacing == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("shape", "channels", "sides"),
    [
        ((4, 9, 10, 11), 4, (9, 10, 11)),
        ((9, 10, 11, 3), 3, (9, 10, 11)),
        ((1, 9, 10, 11), 1, (9, 10, 11)),
        ((1, 9, 10, 11, 2), 2, (9, 10, 11)),
        ((1, 2, 9, 10, 11), 2, (9, 10, 11)),
        ((9, 10, 1), 1, (9, 10, 1)),
        ((7,), 1, (7, 1, 1)),
    ],
)
def test_shapes(
    tmp_path: Path, read: Read, shape: tuple[int, ...], channels: int, sides: tuple[int, ...]
) -> None:
    np.save(tmp_path / "a.npy", scan(shape=shape))
    volume = read("a.npy")
    assert (len(volume.channels), volume.shape) == (channels, sides)


def test_2d_is_a_picture(tmp_path: Path, read: Read) -> None:
    rows = (scan(shape=(6, 9)) // 8).astype(np.uint8)
    np.save(tmp_path / "a.npy", rows)
    Image.fromarray(rows).save(tmp_path / "a.png")
    assert hashes(read("a.npy")) == hashes(read("a.png"))


def test_complex(tmp_path: Path, read: Read) -> None:
    np.save(tmp_path / "a.npy", scan() * 1j)
    np.testing.assert_array_equal(read("a.npy").channels[0], scan())


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize(
    "arrays",
    [
        {"arr_0": scan()},
        {"anything": scan(), "spacing": np.ones(3)},
        {"image": scan(), "mask": scan(1)},
        {"Image": scan(), "label": scan(1), "affine": np.eye(4)},
    ],
)
def test_npz_image(tmp_path: Path, read: Read, save: object, arrays: dict[str, np.ndarray]) -> None:
    save(tmp_path / "a.npz", **arrays)  # type: ignore[operator]
    np.testing.assert_array_equal(read("a.npz").channels[0], scan())


def pickled(path: Path) -> None:
    np.save(path, np.array([{"a": 1}, None], dtype=object), allow_pickle=True)


def test_npz_of_two_volumes(tmp_path: Path, read: Read) -> None:
    np.savez(tmp_path / "a.npz", first=scan(), second=scan(1))
    with pytest.raises(ReadError, match=r"which array is the image\? It holds first, second"):
        read("a.npz")


def test_objects_are_not_unpickled(tmp_path: Path, read: Read) -> None:
    pickled(tmp_path / "a.npy")
    with pytest.raises(ReadError, match=r"^a\.npy: holds Python objects"):
        read("a.npy")
    np.savez(tmp_path / "b.npz", image=np.array([None], dtype=object))
    with pytest.raises(ReadError, match=r"^b\.npz: holds Python objects"):
        read("b.npz")


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((9, 10, 11, 12), "which axis of"),
        ((2, 3, 9, 10, 11), "has 5 axes"),
        ((0, 3, 4), "holds no voxels"),
        ((), "holds no voxels"),
    ],
)
def test_shapes_that_are_no_scan(
    tmp_path: Path, read: Read, shape: tuple[int, ...], message: str
) -> None:
    np.save(tmp_path / "a.npy", np.zeros(shape))
    with pytest.raises(ReadError, match=message):
        read("a.npy")


@pytest.mark.parametrize("dtype", ["U3", "M8[s]"])
def test_values_that_are_no_voxels(tmp_path: Path, read: Read, dtype: str) -> None:
    np.save(tmp_path / "a.npy", np.zeros((3, 4, 5), dtype))
    with pytest.raises(ReadError, match="not voxels"):
        read("a.npy")


def test_truncated(tmp_path: Path, read: Read) -> None:
    np.save(tmp_path / "a.npy", scan())
    (tmp_path / "a.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:-10])
    with pytest.raises(ReadError, match="promises 420 bytes of voxels, 410 are there"):
        read("a.npy")
    np.savez(tmp_path / "b.npz", scan())
    (tmp_path / "b.npz").write_bytes((tmp_path / "b.npz").read_bytes()[:-100])
    with pytest.raises(ReadError, match=r"^b\.npz: the array cannot be read"):
        read("b.npz")


def test_header_asks_for_terabytes(tmp_path: Path, read: Read) -> None:
    np.save(tmp_path / "a.npy", np.zeros((5, 6, 7), "u1"))
    data = (tmp_path / "a.npy").read_bytes().replace(b"(5, 6, 7), }    ", b"(50000, 60000, 700),}")
    (tmp_path / "a.npy").write_bytes(data)
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.write(tmp_path / "a.npy", "image.npy")
    for name in ("a.npy", "b.npz"):
        with pytest.raises(ReadError, match=rf"^{name}: "):
            read(name)


def test_npz_of_an_image_and_another_one_of_its_size(tmp_path: Path, read: Read) -> None:
    """Pairs for translation or super-resolution: both are looked at, whatever the key says."""
    one, other = scan(shape=(20, 22, 24)), scan(1, shape=(20, 22, 24))
    np.savez(tmp_path / "a.npz", image=one, label=other, spacing=np.ones(3), affine=np.eye(4))
    channels = read("a.npz").channels
    assert len(channels) == 2
    np.testing.assert_array_equal(channels[1], other)


def test_npz_of_an_image_and_a_mask_of_another_size(tmp_path: Path, read: Read) -> None:
    mask = np.zeros((20, 22, 24), np.uint8)
    mask[5:15, 5:15, 5:15] = 1
    np.savez(tmp_path / "a.npz", image=scan(), seg=mask)
    np.testing.assert_array_equal(read("a.npz").channels[0], scan())


def test_npz_of_an_image_and_another_one_of_another_size(tmp_path: Path, read: Read) -> None:
    other = np.random.default_rng(0).normal(size=(30, 20, 10))
    np.savez(tmp_path / "a.npz", x=scan(), y=other)
    with pytest.raises(ReadError, match=r"holds an image of .* and y of \(30, 20, 10\)"):
        read("a.npz")


def test_pictures_beside_their_labels(tmp_path: Path, read: Read) -> None:
    np.save(tmp_path / "x.npy", scan(shape=(20, 22, 24)))
    assert read("x.npy").shape == (20, 22, 24)
    np.save(tmp_path / "y.npy", np.arange(5))
    assert read("x.npy").shape == (20, 22, 24)
    np.save(tmp_path / "y.npy", np.arange(20))
    with pytest.raises(ReadError, match=r"x has 20 rows, and y a label for each.*dataset\.arrays"):
        read("x.npy")


def test_a_side_below_nothing(tmp_path: Path, read: Read) -> None:
    np.save(tmp_path / "a.npy", np.zeros((5, 6, 7), "u1"))
    data = (tmp_path / "a.npy").read_bytes().replace(b"(5, 6, 7), }", b"(-5, 6, 7),}")
    (tmp_path / "a.npy").write_bytes(data)
    with pytest.raises(ReadError, match="has a side of -5"):
        read("a.npy")
