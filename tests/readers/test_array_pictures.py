"""Arrays that are pictures have the hashes of the same picture in a PNG."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from reader_dicom import dataset
from reader_scans import Read, hashes, nifti_bytes

ROWS, COLUMNS = 20, 28


def colours(seed: int = 0, *, components: int = 3) -> np.ndarray:
    """uint8 (rows, columns, components); of four the last is a round field of view."""
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 256, (ROWS, COLUMNS, components), np.uint8)
    if components == 4:
        y, x = np.ogrid[:ROWS, :COLUMNS]
        picture[..., 3] = np.where((y - 10) ** 2 + (x - 14) ** 2 < 90, 255, 0)
    return picture


def png(folder: Path, picture: np.ndarray) -> str:
    Image.fromarray(picture).save(folder / "a.png")
    return "a.png"


LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "last": lambda picture: picture,
    "first": lambda picture: np.moveaxis(picture, -1, 0),
    "batch of one, last": lambda picture: picture[None],
    "batch of one, first": lambda picture: np.moveaxis(picture, -1, 0)[None],
    "Fortran": np.asfortranarray,
}
TYPES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "uint8": lambda picture: picture,
    "int64": lambda picture: picture.astype(np.int64),
    "0 to 255": lambda picture: picture.astype(np.float32),
    "0 to 1": lambda picture: (picture / 255).astype(np.float32),
    "0 to 1, double": lambda picture: picture / 255,
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("components", [3, 4])
@pytest.mark.parametrize("packed", [False, True])
def test_colours(tmp_path: Path, read: Read, layout: str, components: int, packed: bool) -> None:
    picture = colours(components=components)
    name = "a.npz" if packed else "a.npy"
    array = LAYOUTS[layout](picture)
    np.savez(tmp_path / name, image=array) if packed else np.save(tmp_path / name, array)
    found, wanted = read(name), read(png(tmp_path, picture))
    assert hashes(found) == hashes(wanted)
    assert len(found.channels) == 3
    assert (found.shape, found.spacing, found.oriented) == (
        (wanted.shape, wanted.spacing, wanted.oriented)
    )
    assert len(found.notes) == 1
    assert found.notes[0].endswith("read as a colour picture, not as slices")


@pytest.mark.parametrize("kind", TYPES)
def test_types(tmp_path: Path, read: Read, kind: str) -> None:
    picture = colours()
    np.save(tmp_path / "a.npy", np.moveaxis(TYPES[kind](picture), -1, 0))
    assert hashes(read("a.npy")) == hashes(read(png(tmp_path, picture)))


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize(
    "layout", [lambda grey: grey, lambda grey: grey[None], lambda grey: grey[..., None]]
)
def test_grey(
    tmp_path: Path, read: Read, kind: str, layout: Callable[[np.ndarray], np.ndarray]
) -> None:
    grey = colours()[..., 0]
    np.save(tmp_path / "a.npy", layout(TYPES[kind](grey)))
    assert hashes(read("a.npy")) == hashes(read(png(tmp_path, grey)))


def test_a_resized_picture_keeps_its_values(tmp_path: Path, read: Read) -> None:
    picture = np.random.default_rng(0).random((3, ROWS, COLUMNS)).astype(np.float32)
    np.save(tmp_path / "a.npy", picture)
    np.testing.assert_array_equal(read("a.npy").channels[1][:, ::-1, 0].T, picture[1])


@pytest.mark.parametrize("what", ["png", "jpg", "tif", "dcm", "npy", "first.npy", "rgba.png"])
def test_equal_colours_are_grey(tmp_path: Path, read: Read, what: str) -> None:
    grey = np.kron(colours()[:4, :5, 0], np.ones((8, 8), np.uint8))
    three, name = np.dstack([grey] * 3), f"b.{what}"
    plain = png(tmp_path, grey)
    if what == "jpg":
        Image.fromarray(grey).save(tmp_path / "a.jpg", quality=90)
        plain = "a.jpg"
        Image.fromarray(three).save(tmp_path / name, quality=90)
    elif what == "tif":
        tifffile.imwrite(tmp_path / name, three)
    elif what == "dcm":
        one = dataset(grey)
        one.PhotometricInterpretation, one.SamplesPerPixel, one.PlanarConfiguration = "RGB", 3, 0
        one.PixelData = three.tobytes()
        one.save_as(tmp_path / name, enforce_file_format=True)
    elif what.endswith("npy"):
        np.save(tmp_path / name, three if what == "npy" else np.moveaxis(three, -1, 0))
    else:
        alpha = np.full_like(grey, 255)
        Image.fromarray(np.dstack([three, alpha]) if what == "rgba.png" else three).save(
            tmp_path / name
        )
    found = read(name)
    assert len(found.channels) == 1
    assert hashes(found) == hashes(read(plain))


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (colours().astype(np.int16) * 4, "3 slices"),
        (colours() - 100.0, "3 slices"),
        (np.where(colours() > 200, np.nan, colours()), "3 slices"),
        ((colours() > 100).astype(np.uint8), "3 slices"),
        (np.random.default_rng(1).integers(0, 256, (4, ROWS, COLUMNS), np.uint8), "4 slices"),
        (colours()[:12], ""),
        (np.random.default_rng(1).integers(0, 256, (5, ROWS, COLUMNS), np.uint8), ""),
    ],
)
def test_volumes_stay_volumes(tmp_path: Path, read: Read, array: np.ndarray, said: str) -> None:
    np.save(tmp_path / "a.npy", array)
    volume = read("a.npy")
    np.testing.assert_array_equal(volume.channels[0], array)
    assert len(volume.channels) == 1
    assert [note for note in volume.notes if said not in note] == []
    assert len(volume.notes) == bool(said)


def test_four_contrasts_are_not_red_green_blue_and_alpha(tmp_path: Path, read: Read) -> None:
    """Of a slice near the top of the head most is background, and nothing of it may be lost."""
    contrasts = np.zeros((4, 40, 40), np.float32)
    contrasts[:, 15:25, 15:25] = np.random.default_rng(0).random((4, 10, 10))
    contrasts[3, 20, 20] = 1.0
    np.save(tmp_path / "a.npy", contrasts)
    assert sum(channel.size for channel in read("a.npy").channels) == contrasts.size


def test_a_slice_of_a_volume_has_the_hash_of_the_picture(tmp_path: Path, read: Read) -> None:
    """Rows of a slice as SimpleITK gives them, (1, rows, columns)."""
    rows = (np.random.default_rng(0).random((ROWS, COLUMNS)) * 3000).astype(np.int16)
    np.save(tmp_path / "a.npy", rows[None])
    (tmp_path / "b.nii").write_bytes(nifti_bytes(rows[::-1].T[:, :, None]))
    assert hashes(read("a.npy")) == hashes(read("b.nii"))
