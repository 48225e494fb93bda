"""`dvdup show`: words and a rough view on stdout, a picture in a file."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def indexed(dataset, dvdup):
    dataset.put("test/leak.nii.gz", 3)
    assert dvdup(dataset.root, "sync", "-q").code == 0
    return dataset


def test_a_pair_is_drawn(indexed, dvdup):
    done = dvdup(indexed.root, "show", "train/p03", "test/leak", "--no-progress")
    assert (done.code, done.stderr) == (0, "wrote train_p03-test_leak.png\n")
    lines = done.stdout.splitlines()
    assert lines[0] == "train/p03 and test/leak: identical (confidence 1.00): same voxels"
    assert lines[1].startswith("voxels: strength")
    assert lines[2].startswith("slices: ")
    left, _, right = lines[4].partition(" | ")
    assert (left.strip(), right) == ("train/p03", "test/leak")
    assert max(map(len, lines[4:])) <= 80
    assert sum(" | " in line and line.strip(" |") != "" for line in lines[5:]) > 10
    with Image.open(indexed.root / "train_p03-test_leak.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > 1000
        assert len(np.unique(np.asarray(picture).reshape(-1, 3), axis=0)) > 50


def test_no_copy_is_no_failure(indexed, dvdup):
    done = dvdup(indexed.root, "show", "train/p03", "test/p15", "-q", "--no-picture")
    assert (done.code, done.stderr) == (0, "")
    assert ": no copy" in done.stdout
    assert list(indexed.root.glob("*.png")) == []


def test_a_picture_drawn_again_keeps_its_file_and_spares_others(indexed, dvdup):
    mine = indexed.root / "train_p03-test_leak.png"
    mine.write_bytes(b"somebody's")
    for _ in range(2):
        done = dvdup(indexed.root, "show", "train/p03", "test/leak", "--no-progress")
        assert done.stderr == "wrote train_p03-test_leak-2.png\n"
    assert mine.read_bytes() == b"somebody's"
    assert len(list(indexed.root.glob("*.png"))) == 2
    done = dvdup(indexed.root, "show", "train/p03", "test/leak", "-o", mine.name)
    assert done.code == 0
    assert mine.read_bytes() == (indexed.root / "train_p03-test_leak-2.png").read_bytes()


def test_it_is_as_wide_as_the_screen(indexed, dvdup, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    wide = dvdup(indexed.root, "show", "train/p03", "test/leak", "--no-picture").stdout
    assert 80 < max(map(len, wide.splitlines()[4:])) <= 120


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["train/p03", "test/nobody"], "no case 'nobody' in test"),
        (["train/p03", "train/p03"], "are one scan; name two"),
        (["train/p03", "nowhere.nii"], "there is no file 'nowhere.nii'"),
        (["train/p03"], "Missing argument 'B'"),
        (["train/p03", "test/leak", "-o", "x.jpg"], "ends in .png"),
        (["train/p03", "test/leak", "-o", "no/such/folder.png"], "cannot write"),
        (["train/p03", "test/leak", "-o", "x.png", "--no-picture"], "exclude each other"),
    ],
)
def test_what_cannot_be_drawn_is_said(indexed, dvdup, args, said):
    done = dvdup(indexed.root, "show", *args)
    assert done.code == 2
    assert said in done.stderr
    assert list(indexed.root.glob("**/*.png")) == []
