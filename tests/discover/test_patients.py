"""The PatientID of DICOM files, as a keyed hash, says which scans are of one person."""

from __future__ import annotations

import re

import numpy as np
import pytest
from reader_dicom import write_series

CONFIG = 'embedder = "thumbnail"\n[dataset]\nlayout = "folders"\n'


@pytest.fixture
def tree(tmp_path, phantom):
    """Write series of some persons: tree(("train/a", "P1", "issuer"), ...)."""

    def write(*scans):
        for number, (folder, patient, *issuer) in enumerate(scans):
            (tmp_path / folder).mkdir(parents=True)
            tags = {"IssuerOfPatientID": issuer[0]} if issuer else {}
            values = phantom(number, (20, 20, 10)).astype(np.int16)
            uid = f"1.2.826.0.1.3680043.8.498.{number + 10}"
            write_series(
                tmp_path / folder, values, SeriesInstanceUID=uid, PatientID=patient, **tags
            )
        (tmp_path / "dvdup.toml").write_text(CONFIG, encoding="utf-8")
        return tmp_path

    return write


def related(ran):
    return {
        (pair["a"]["case"], pair["b"]["case"])
        for pair in ran.json["pairs"]
        if (pair["verdict"], pair["basis"]) == ("same-subject", "declared")
    }


def test_a_patient_in_two_splits_fails(tree, dvdup):
    """Other series of the same person, which share no voxels."""
    root = tree(("train/a", "P-17"), ("train/b", "P-18"), ("test/c", "P-17"), ("test/d", "P-19"))
    ran = dvdup(root, "check", "-f", "json", "-q")
    assert (ran.code, related(ran)) == (1, {("a", "c")})
    assert dvdup(root, "check", "-q", "--fail-on", "partial").code == 0


def test_no_patient_id_is_kept_and_no_two_indexes_share_a_hash(tree, dvdup):
    root = tree(("train/a", "P-17"), ("test/b", "P-18"), ("test/c", "P-17"))
    groups = []
    for index in (".dvdup", ".other"):
        ran = dvdup(root, "check", "-f", "json", "-q", "--index", index)
        groups.append({pair["a"]["group"] for pair in ran.json["pairs"]})
        assert "P-17" not in ran.stdout
        kept = b"".join(path.read_bytes() for path in (root / index).rglob("*") if path.is_file())
        assert b"P-17" not in kept
        assert (root / index / "key").read_bytes().hex() not in ran.stdout
    assert all(re.fullmatch("patient-[0-9a-f]{16}", name) for (name,) in groups)
    assert groups[0] != groups[1]


def test_one_number_of_two_hospitals_is_two_persons(tree, dvdup):
    root = tree(("train/a", "17", "north"), ("test/b", "17", "south"), ("test/c", "17", "north"))
    assert related(dvdup(root, "check", "-f", "json", "-q")) == {("a", "c")}


@pytest.mark.parametrize(
    "patient", ["", "0", "000", "ANON", "anonymous 7", "Anonymized", "unknown", "De-identified"]
)
def test_a_placeholder_is_nobody(tree, dvdup, patient):
    root = tree(("train/a", patient), ("train/b", "P-18"), ("test/c", patient), ("test/d", "P-19"))
    assert dvdup(root, "check", "-f", "json", "-q").code == 0


def test_what_all_files_have_is_nobody(tree, dvdup):
    root = tree(("train/a", "STUDY7"), ("train/b", "STUDY7"), ("test/c", "STUDY7"))
    assert dvdup(root, "check", "-f", "json", "-q").code == 0


def test_what_the_dataset_declares_comes_first(tree, dvdup):
    root = tree(("train/s1_a", "P-17"), ("train/s2_b", "P-18"), ("test/s3_c", "P-17"))
    text = CONFIG + "group = '(s[0-9])'\n"
    (root / "dvdup.toml").write_text(text, encoding="utf-8")
    assert dvdup(root, "check", "-f", "json", "-q").code == 0
