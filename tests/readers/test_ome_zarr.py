"""OME-Zarr: the first level is the image, and its axes are known by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import zarr
from PIL import Image
from reader_scans import Read, hashes, scan

from dvdup.errors import ReadError
from dvdup.readers.ome_zarr import channels, first_level

VALUES = scan(shape=(9, 10, 11))  # (X, Y, Z)


def saved(path: Path, array: np.ndarray, axes: str, *, version: str = "0.4", **image: Any) -> None:
    """An image of two levels, with labels beside it."""
    made = zarr.open_group(str(path), mode="w", zarr_format=2 if version < "0.5" else 3)
    made.create_array("0", data=array)
    made.create_array("1", data=array[..., ::2, ::2])
    made.create_array("labels/cells/0", data=(array > array.mean()).astype(np.uint8))
    named = [
        {"name": axis, "type": "space" if axis in "zyx" else "channel", **(
            {"unit": "micrometer"} if axis in "zyx" else {})}
        for axis in axes
    ]  # fmt: skip
    scale = {
        "type": "scale",
        "scale": [{"z": 3000.0, "y": 2000.0}.get(axis, 1000.0) for axis in axes],
    }
    datasets = [{"path": level, "coordinateTransformations": [scale]} for level in ("0", "1")]
    scales = [{"axes": named, "datasets": datasets, "version": version, **image}]
    made.attrs.update(
        {"multiscales": scales} if version < "0.5" else {"ome": {"multiscales": scales}}
    )


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("axes", ["zyx", "czyx", "tczyx"])
def test_the_first_level_is_the_volume_with_its_spacing(tmp_path, read: Read, version, axes):
    stored = VALUES.transpose(2, 1, 0)[(None,) * (len(axes) - 3)]
    saved(tmp_path / "a.ome.zarr", stored, axes, version=version)
    volume = read("a.ome.zarr")
    nib.save(nib.Nifti1Image(VALUES, np.eye(4)), tmp_path / "a.nii")
    assert hashes(volume) == hashes(read("a.nii"))
    assert volume.spacing == (1.0, 2.0, 3.0)
    assert not volume.oriented


def test_channels_and_times_are_channels(tmp_path, read: Read):
    stored = np.stack([VALUES.transpose(2, 1, 0) + n for n in range(6)]).reshape(
        2, 3, *VALUES.shape[::-1]
    )
    saved(tmp_path / "a.zarr", stored, "tczyx")
    found = read("a.zarr").channels
    assert [int(channel.min() - VALUES.min()) for channel in found] == list(range(6))


@pytest.mark.parametrize("axes", ["yx", "zyx", "cyx", "tczyx"])
def test_a_picture_is_that_of_the_png(tmp_path, read: Read, axes):
    picture = np.random.default_rng(0).integers(0, 256, (20, 24), np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png")
    saved(tmp_path / "a.zarr", picture.reshape((1,) * (len(axes) - 2) + picture.shape), axes)
    assert hashes(read("a.zarr")) == hashes(read("a.png"))


def test_a_colour_picture_is_that_of_the_png(tmp_path, read: Read):
    picture = np.random.default_rng(0).integers(0, 256, (20, 24, 3), np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png")
    saved(tmp_path / "a.zarr", np.moveaxis(picture, -1, 0), "cyx")
    assert hashes(read("a.zarr")) == hashes(read("a.png"))


def test_a_first_level_that_is_not_here(tmp_path, read: Read):
    saved(tmp_path / "a.zarr", VALUES, "zyx", datasets=[{"path": "gone"}])
    with pytest.raises(ReadError, match="its first level gone is not here"):
        read("a.zarr")


def test_a_level_outside_of_the_store_is_not_opened(tmp_path, read: Read):
    zarr.create_array(str(tmp_path / "other.zarr"), data=VALUES)
    saved(tmp_path / "a.zarr", VALUES, "zyx", datasets=[{"path": "../other.zarr"}])
    with pytest.raises(ReadError):
        read("a.zarr")


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"multiscales": []},
        {"multiscales": 7},
        {"multiscales": [{"datasets": []}]},
        {"multiscales": [{"datasets": [{}]}]},
        {"multiscales": [{"axes": ["q"], "datasets": [{"path": "0"}]}]},
        {"multiscales": [{"axes": [{}], "datasets": [{"path": "0"}]}]},
        {"ome": {"multiscales": None}},
    ],
)
def test_attributes_that_say_nothing(attributes):
    assert first_level(attributes) is None


@pytest.mark.parametrize("unit", [None, "second", "parsec"])
def test_steps_without_a_length_are_no_millimetres(unit):
    axes = [{"name": name, "unit": unit} for name in "zyx"]
    scale = [{"type": "scale", "scale": [2.0, 2.0, 2.0]}]
    image = {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}
    level = first_level({"multiscales": [image]})
    assert level is not None
    assert (level.axes, level.spacing) == ("zyx", (1.0, 1.0, 1.0))


def test_early_versions_without_axes():
    level = first_level({"multiscales": [{"datasets": [{"path": "0"}]}]})
    assert level is not None
    assert level.axes == "tczyx"


def test_any_order_of_axes():
    array = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    first, second = channels(array, "xcyz")[:2]
    assert first.shape == (2, 4, 5)
    np.testing.assert_array_equal(second, array[:, 1])
