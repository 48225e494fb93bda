"""A SOPInstanceUID names one image in all the world: what it means to find it in two splits."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from reader_dicom import write_slice

CONFIG = 'embedder = "thumbnail"\n[dataset]\nlayout = "folders"\n'
ROOT = "1.2.826.0.1.3680043.8.498"


@pytest.fixture
def tree(tmp_path, phantom):
    """Write series: tree(("train/a", voxels, uids), ...); uids[k] is that of slice k."""

    def write(*scans):
        for number, (folder, volume, uids) in enumerate(scans):
            (tmp_path / folder).mkdir(parents=True)
            for k, uid in enumerate(uids):
                write_slice(
                    tmp_path / folder / f"{k:03}.dcm", volume[k], k,
                    SeriesInstanceUID=f"{ROOT}.{number + 10}", SOPInstanceUID=uid,
                    PatientID=f"P-{number}",
                )  # fmt: skip
        (tmp_path / "dvdup.toml").write_text(CONFIG, encoding="utf-8")
        return tmp_path

    return write


@pytest.fixture
def voxels(phantom):
    return lambda seed: phantom(seed, (20, 20, 10)).astype(np.int16).transpose(2, 0, 1)


def uids(start, n=10):
    return [f"{ROOT}.77.{start + k}" for k in range(n)]


def told(ran):
    return {
        (pair["a"]["case"], pair["b"]["case"]): (pair["verdict"], pair["basis"], pair["reason"])
        for pair in ran.json["pairs"]
    }


def test_told_by_uids_alone_before_a_voxel_is_read(tree, voxels, dvdup):
    root = tree(
        ("train/a", voxels(0), uids(0)), ("train/b", voxels(1), uids(100)),
        ("test/c", voxels(0), uids(0)), ("test/d", voxels(1)[:5], uids(100, 5)),
        ("test/e", voxels(2), uids(200)),
    )  # fmt: skip
    ran = dvdup(root, "check", "--names-only", "-q", "-f", "json")
    assert ran.code == 1
    assert told(ran) == {
        ("a", "c"): ("identical", "dicom-uid", "10 of 10 images have the same SOPInstanceUID"),
        ("b", "d"): ("partial", "dicom-uid", "5 of 10 images have the same SOPInstanceUID"),
    }


def test_equal_voxels_are_told_as_such(tree, voxels, dvdup):
    root = tree(("train/a", voxels(0), uids(0)), ("test/c", voxels(0), uids(0)))
    ran = dvdup(root, "check", "-q", "-f", "json")
    assert told(ran) == {("a", "c"): ("identical", "voxel-hash", "same voxels")}


def test_a_scan_that_cannot_be_read_is_known_by_its_uids(tree, voxels, dvdup):
    root = tree(("train/a", voxels(0), uids(0)), ("test/c", voxels(0), uids(0)))
    for file in (root / "test/c").iterdir():
        data = pydicom.dcmread(file)
        data.PixelData = data.PixelData[:10]
        data.save_as(file)
    ran = dvdup(root, "check", "-q", "-f", "json")
    assert told(ran)["a", "c"][:2] == ("identical", "dicom-uid")
    assert [case["case"] for case in ran.json["unreadable"]] == ["c"]


def test_other_voxels_under_the_same_uids_are_not_called_identical(tree, voxels, dvdup):
    """Two persons, or one scan processed without new UIDs: the voxels have the last word."""
    root = tree(("train/a", voxels(0), uids(0)), ("test/c", voxels(1), uids(0)))
    said = "10 of 10 images have the same SOPInstanceUID, but their voxels differ"
    for candidates in ("0", "1"):
        ran = dvdup(root, "check", "-q", "-f", "json", "--candidates", candidates)
        assert ran.code == 1
        assert told(ran) == {("a", "c"): ("same-subject", "declared", said)}


def test_a_copy_that_was_changed_under_the_same_uids_is_a_copy(tree, voxels, dvdup):
    changed = voxels(0) + np.random.default_rng(0).integers(-20, 20, (10, 20, 20)).astype(np.int16)
    root = tree(("train/a", voxels(0), uids(0)), ("test/c", changed, uids(0)))
    ran = dvdup(root, "check", "-q", "-f", "json", "--candidates", "1")
    assert ran.code == 1
    verdict, basis, _ = told(ran)["a", "c"]
    assert (verdict, basis) in {("near", "voxels"), ("same-subject", "declared")}
    assert verdict != "identical"


def test_uids_that_all_files_have_say_nothing(tree, voxels, dvdup):
    """A broken tool wrote them, or a placeholder."""
    scans = [(f"train/{n}", voxels(n), uids(0)) for n in range(9)]
    root = tree(*scans, ("test/c", voxels(20), uids(0)))
    assert told(dvdup(root, "check", "--names-only", "-q", "-f", "json")) == {}
    short = tree(("val/a", voxels(0), ["1.2"] * 10), ("other/b", voxels(1), ["1.2"] * 10))
    by_uids = told(dvdup(short, "check", "--names-only", "-q", "-f", "json")).values()
    assert not any("SOPInstanceUID" in reason for _, _, reason in by_uids)


def test_uids_are_kept_as_keyed_hashes_and_leave_with_nobody(tree, voxels, dvdup):
    root = tree(("train/a", voxels(0), uids(0)), ("test/c", voxels(0), uids(0)))
    ran = dvdup(root, "check", "-q", "-f", "json")
    dvdup(root, "export", "test.dvdup", "--split", "test", "-q")
    from dvdup.store import Index

    (case,) = [case for case in Index(root / ".dvdup").cases if case.case_id == "a"]
    assert len(case.instances) == 8 * 10
    uid = uids(0)[0].encode()
    kept = b"".join(path.read_bytes() for path in (root / ".dvdup").rglob("*") if path.is_file())
    assert uid not in kept
    assert uid.decode() not in ran.stdout
    import pyarrow.parquet as pq

    shared = repr(pq.read_table(root / "test.dvdup").to_pylist())
    assert case.instances[:8].hex() not in shared
    assert uid.decode() not in shared
