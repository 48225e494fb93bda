"""Comparisons with voxels, as users run them: what slices alone miss, words, groups, the cache."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from dvdup.compare import engine
from dvdup.compare.alike import Alike


@pytest.fixture(autouse=True)
def _with_voxels(monkeypatch):
    monkeypatch.delenv("DVDUP_VERIFY_CANDIDATES")


def rewrite(change, dataset, person, name):
    """Put a changed copy of a person into test."""
    image = nib.load(dataset.pool / f"p{person:02}.nii.gz")
    values = change(np.asarray(image.dataobj, np.float32))
    nib.save(nib.Nifti1Image(values, image.affine), dataset.root / "test" / f"{name}.nii.gz")


def noisy(values):
    return values + np.random.default_rng(0).normal(0, 90, values.shape).astype(np.float32)


PLANTED = {
    "flipped": (0, lambda values: values[::-1], "identical", "flipped left-right"),
    "turned": (1, lambda values: ndimage.rotate(values, 20, reshape=False, order=1), "near",
               "rotated"),
    "slab": (2, lambda values: values[:, :, 13:23], "partial", "slab of"),
    "noisy": (3, noisy, "near", "local correlation"),
    "part": (6, lambda values: values[14:, :30, 12:], "partial", "cropped to"),
}  # fmt: skip
"""name -> person of train, what is done, verdict, words."""


@pytest.fixture
def planted(dataset):
    """Copies in test whose slices look little like their source."""
    text = (dataset.root / "dvdup.toml").read_text(encoding="utf-8")
    (dataset.root / "dvdup.toml").write_text(text.replace("thumbnail", "builtin"), encoding="utf-8")
    for name, (person, change, _, _) in PLANTED.items():
        rewrite(change, dataset, person, name)
    return dataset


def test_processed_copies_are_found_and_said_what_was_done(planted, dvdup):
    ran = dvdup(planted.root, "check", "-f", "json", "--jobs", "1")
    assert ran.code == 1
    found = {pair["b"]["case"]: pair for pair in ran.json["pairs"]}
    assert set(found) == set(PLANTED)
    for name, (person, _, verdict, words) in PLANTED.items():
        pair = found[name]
        assert pair["a"]["case"] == f"p{person:02}"
        assert (pair["verdict"], pair["basis"]) == (verdict, "voxels")
        assert words in pair["reason"]
        assert pair["voxel"]["correlation"] > 0.5
        assert pair["alignment"] is not None
    assert found["slab"]["alignment"]["slices"]["planes"]
    assert ran.json["settings"]["thresholds"]["voxels"]["candidates"] == 1


def test_copies_that_do_not_stand_out_of_look_alikes_are_withheld_and_told(
    planted, dvdup, monkeypatch
):
    alike = Alike(threshold=8.3, pairs=60, withheld=1)
    monkeypatch.setattr(engine, "own_threshold", lambda verified, limits: alike)
    ran = dvdup(planted.root, "check", "-f", "json", "--jobs", "1")
    told = {"refs": ["train", "test"], "threshold": 8.3, "pairs": 60, "withheld": 1}
    assert ran.json["settings"]["look_alikes"] == [told]
    found = {pair["b"]["case"]: pair for pair in ran.json["pairs"]}
    assert "flipped" in found
    assert "noisy" not in found
    assert all(each["voxel"]["strength"] >= 8.3 for each in found.values() if each["voxel"])
    assert "60 pairs told" in " ".join(dvdup(planted.root, "check", "-q").stdout.split())


def test_two_acquisitions_of_one_anatomy_are_one_subject_and_fail(dataset, dvdup, monkeypatch):
    text = (dataset.root / "dvdup.toml").read_text(encoding="utf-8")
    (dataset.root / "dvdup.toml").write_text(text.replace("thumbnail", "builtin"), encoding="utf-8")
    image = nib.load(dataset.pool / "p03.nii.gz")
    clean = ndimage.gaussian_filter(np.asarray(image.dataobj, np.float32), 1.0)
    for split, name, seed in (("train", "p03", 1), ("test", "again", 2)):
        noise = np.random.default_rng(seed).normal(0, 0.03 * np.ptp(clean), clean.shape)
        scan = nib.Nifti1Image((clean + noise).astype(np.float32), image.affine)
        nib.save(scan, dataset.root / split / f"{name}.nii.gz")
    ran = dvdup(dataset.root, "check", "-f", "json", "--jobs", "1")
    (pair,) = (each for each in ran.json["pairs"] if each["b"]["case"] == "again")
    assert (ran.code, pair["verdict"], pair["basis"]) == (1, "same-subject", "inferred")
    assert pair["reason"].startswith("one anatomy, acquired twice")
    only = ("--fail-on", "same-subject:declared")
    assert dvdup(dataset.root, "check", "-q", *only).code == 0


def forget_results(dataset):
    for result in (dataset.root / ".dvdup/results").glob("*.json"):
        result.unlink()


def test_pairs_are_compared_once(planted, console, dvdup, monkeypatch):
    first = console(planted.root, "check", "-f", "json", "--jobs", "2")
    assert first.code == 1
    forget_results(planted)
    with monkeypatch.context() as without:
        without.setattr(engine, "judge_pair", None)  # whoever compares a pair fails
        assert dvdup(planted.root, "check", "-f", "json").stdout == first.stdout
    forget_results(planted)
    (planted.root / ".dvdup/cache/answers.sqlite").unlink()
    assert console(planted.root, "check", "-f", "json", "--jobs", "1").stdout == first.stdout


def test_copies_of_one_scan_are_one_group(planted, dvdup):
    rewrite(noisy, planted, 0, "flipped-too")
    rewrite(lambda values: ndimage.rotate(values, -15, reshape=False, order=1), planted, 0, "third")
    ran = dvdup(planted.root, "check", "--within", "-f", "json", "--jobs", "1")
    groups = [group["members"] for group in ran.json["groups"]]
    assert ["test/flipped", "test/flipped-too", "test/third", "train/p00"] in groups


def test_a_changed_result_setting_is_seen(planted, dvdup):
    with_voxels = dvdup(planted.root, "check", "-f", "json", "--jobs", "1").json
    without = dvdup(planted.root, "check", "-f", "json", "--candidates", "0").json
    assert without["settings"]["thresholds"]["voxels"] is None
    assert len(without["pairs"]) < len(with_voxels["pairs"])
    assert all(pair["basis"] != "voxels" for pair in without["pairs"])


@pytest.mark.parametrize("name", ["flipped", "slab"])
def test_compare_and_query_look_at_voxels_too(planted, dvdup, name):
    person, _, verdict, words = PLANTED[name]
    ran = dvdup(
        planted.root, "compare", planted.pool / f"p{person:02}.nii.gz", f"test/{name}.nii.gz",
        "-f", "json",
    )  # fmt: skip
    assert [pair["verdict"] for pair in ran.json["pairs"]] == [verdict]
    assert words in ran.json["pairs"][0]["reason"]
    copy = planted.root / "test" / f"{name}.nii.gz"
    outside = planted.root / f"{name}.nii.gz"
    copy.rename(outside)
    assert dvdup(planted.root, "sync", "-q").code == 0
    ran = dvdup(planted.root, "query", outside.name, "-f", "json", "--jobs", "1")
    assert [pair["a"]["case"] for pair in ran.json["pairs"]] == [f"p{person:02}"]
    assert ran.json["pairs"][0]["verdict"] == verdict


def test_strangers_stay_silent(planted, dvdup):
    ran = dvdup(
        planted.root, "compare", planted.pool / "p20.nii.gz", planted.pool / "p21.nii.gz"
    )  # fmt: skip
    assert (ran.code, "is no copy of" in ran.stdout) == (0, True)


def test_the_table_tells_what_was_done(planted, dvdup):
    ran = dvdup(planted.root, "diff", "train", "test")  # nothing is indexed yet
    assert ran.code == 2
    assert dvdup(planted.root, "sync", "-q").code == 0
    ran = dvdup(planted.root, "diff", "train", "test", "--jobs", "1")
    assert ran.code == 1
    assert "slab of" in ran.stdout
    assert max(map(len, ran.stdout.splitlines())) <= 80
