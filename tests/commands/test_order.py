"""A report depends on the scans that are there, not on the order in which they came and went."""

from __future__ import annotations

import shutil

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from dvdup.commands.check import check
from dvdup.config import load_config
from dvdup.report import render
from dvdup.workspace import Workspace

CLEAN = [f"train/p{i}" for i in range(6)] + [f"test/p{i}" for i in range(6, 9)]
COPIES = {
    "train/twin": (2, lambda values: values[:, ::-1]),
    "test/mirrored": (2, lambda values: values[::-1]),
    "test/blurred": (4, lambda values: ndimage.gaussian_filter(values.astype(float), 0.5)),
}
ALL = (*CLEAN, *COPIES)

HISTORIES = {
    "one by one from the end": [ALL[i:] for i in range(9, 0, -4)],
    "copies first, and away, and back": [
        (*COPIES, *CLEAN[:2]),
        CLEAN,
        (*COPIES, CLEAN[-1], CLEAN[0]),
    ],
    "another scan had the name": [("train/p0", "train/p1", "test/twisted")],
}
"""What is there at each check before all of it is."""


@pytest.fixture(scope="module")
def scans(tmp_path_factory, phantom, save):
    """All scans, written once: a dataset may be given them in any order."""
    folder = tmp_path_factory.mktemp("scans")
    for name in CLEAN:
        save(folder / f"{name}.nii.gz", phantom(int(name[-1]), (24, 26, 20)))
    for name, (person, edit) in {**COPIES, "test/twisted": (8, lambda v: v[:, :, ::-1])}.items():
        values = edit(phantom(person, (24, 26, 20))).astype(np.int16)
        save(folder / f"{name}.nii.gz", values)
    return folder


def checked(root, scans, names) -> str:
    """The report once exactly these scans are there; some may hold what others held before."""
    for split in ("train", "test"):
        shutil.rmtree(root / split, ignore_errors=True)
        (root / split).mkdir(parents=True)
    for name in names:
        target = name if name != "test/twisted" else "test/p8"
        shutil.copy(scans / f"{name}.nii.gz", root / f"{target}.nii.gz")
    overrides = {"jobs": 1, "verify.candidates": 1, "embedder": "thumbnail"}
    config = load_config(
        config=None, cwd=root, environ={}, overrides={**overrides, "dataset.layout": "folders"}
    )
    return render(check(Workspace(config)), "json")


@pytest.fixture(scope="module")
def at_once(scans, tmp_path_factory) -> str:
    return checked(tmp_path_factory.mktemp("once"), scans, ALL)


def test_all_copies_are_found(at_once):
    for name in ("twin", "mirrored", "blurred"):
        assert f'"case": "{name}"' in at_once


@pytest.mark.parametrize("history", HISTORIES.values(), ids=HISTORIES)
def test_whatever_came_before_the_report_is_the_same(scans, tmp_path, at_once, history):
    for names in history:
        checked(tmp_path, scans, names)
    assert checked(tmp_path, scans, ALL) == at_once


def test_a_stored_scan_is_a_copy_of_nobody_it_was_not(scans):
    """The made-up copies are no byte copies, so that voxels have to tell."""
    one = np.asarray(nib.load(scans / "train/p2.nii.gz").dataobj)
    for name, (_, edit) in COPIES.items():
        if name != "test/blurred":
            other = np.asarray(nib.load(scans / f"{name}.nii.gz").dataobj)
            assert not (one == other).all()
            np.testing.assert_array_equal(edit(one), other)
