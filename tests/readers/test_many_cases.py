"""What looks like many cases, and what is one scan."""

from __future__ import annotations

import numpy as np
import pytest

from dvdup.readers.many_cases import Shape, is_label_name, why_many


def why(stem: str, dtype: str = "<f4", **arrays: tuple[int, ...]) -> str:
    shapes = {key: Shape(sides, np.dtype(dtype)) for key, sides in arrays.items()}
    return why_many({key.removeprefix("npy"): shape for key, shape in shapes.items()}, stem)


@pytest.mark.parametrize(
    "stem",
    ["X_train", "x_test", "xval", "train_images", "images_val", "test-data", "train", "Xtr"],
)
def test_names_of_whole_splits(stem):
    assert "pictures of a split" in why(stem, npy=(20, 64, 64))
    assert why(stem, npy=(20, 64)) == ""  # one picture


@pytest.mark.parametrize(
    ("sides", "dtype"),
    [
        ((512, 512, 1500), "<i2"),  # a CT of the whole body, either way round
        ((1500, 512, 512), "<i2"),
        ((64, 64, 64), "<f4"),
        ((300, 40, 40), "<f4"),  # a long crop
        ((4, 240, 240, 155), "<f4"),
        ((240, 240, 155, 3), "<f4"),
        ((1, 128, 128, 128), "<f4"),
        ((128, 128, 128, 1), "<f4"),
        ((48, 48), "|u1"),
        ((480, 640, 3), "|u1"),
        ((3, 480, 640), "|u1"),
        ((5000,), "<f4"),
        ((5000, 3), "<f4"),
        ((), "<f4"),
        ((0, 4, 4), "<f4"),
    ],
)
def test_one_scan(sides, dtype):
    assert why("scan_017", dtype, npy=sides) == ""
    assert why("scan_017", dtype, data=sides) == ""


@pytest.mark.parametrize(
    ("sides", "dtype", "said"),
    [
        ((5000, 28, 28), "<f4", "has 5000 rows"),
        ((2000, 224, 224, 3), "<f4", "has 2000 rows"),
        ((20, 224, 224, 3), "|u1", "20 colour pictures"),
        ((20, 1, 224, 224), "<f4", "20 pictures of one channel"),
    ],
)
def test_shapes_of_many(sides, dtype, said):
    assert said in why("all", dtype, npy=sides)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"train_images": (9, 28, 28), "test_images": (5, 28, 28)}, "train_images is named"),
        ({"train": (9, 28, 28), "test": (5, 28, 28)}, "train is named"),
        ({"x": (20, 64, 64), "y": (20,)}, "x has 20 rows, and y a label for each"),
        ({"images": (20, 64, 64), "labels": (20, 14)}, "and labels a label for each"),
        ({f"arr_{i}": (20, 64, 64) for i in range(9)}, "9 arrays of one size"),
    ],
)
def test_archives_of_many(arrays, said):
    assert said in why("all", **arrays)


@pytest.mark.parametrize(
    "arrays",
    [
        {"data": (1, 90, 96, 80), "seg": (1, 90, 96, 80)},  # as nnU-Net keeps them
        {"image": (40, 64, 64), "label": (40, 64, 64)},
        {"volume": (40, 64, 64), "spacing": (3,), "affine": (4, 4)},
        {"images": (40, 64, 64), "labels": (5,)},
        {"t1": (40, 64, 64), "t2": (40, 64, 64)},
        {},
    ],
)
def test_archives_of_one_scan(arrays):
    assert why("case_017", **arrays) == ""


def test_names_of_labels():
    labels = (
        "y",
        "y_train",
        "train_labels",
        "labels",
        "test_masks",
        "targets",
        "chest_y",
        "Y_test",
    )
    assert [name for name in labels if not is_label_name(name)] == []
    assert [
        name for name in ("x", "images", "X_train", "body", "data") if is_label_name(name)
    ] == []
