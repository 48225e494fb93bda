"""An index that is not up to date never answers "clean": what was not seen is told."""

from __future__ import annotations

import os
import shutil

import jsonschema
import pytest

from dvdup import files
from dvdup.report.json import schema


def change(dataset):
    dataset.put("test/p14.nii.gz", 20)


def go(dataset):
    (dataset.root / "test/p14.nii.gz").unlink()


def come(dataset):
    dataset.put("test/new.nii.gz", 3)


def replace(dataset):
    """Other bytes under the old size and mtime."""
    file = dataset.root / "test/p14.nii.gz"
    before = file.stat()
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def declare_otherwise(dataset):
    text = (dataset.root / "dvdup.toml").read_text(encoding="utf-8")
    (dataset.root / "dvdup.toml").write_text(f"{text}group = '(p14)'\n", encoding="utf-8")


WAYS = {
    change: ("p14", "have changed"),
    go: ("p14", "have gone"),
    come: ("new", "not indexed yet"),
    replace: ("p14", "have changed"),
    declare_otherwise: ("p14", "declared otherwise"),
}


@pytest.fixture
def settled(dataset, dvdup):
    """Indexed long after it was written, compared once."""
    for file in dataset.root.rglob("*.nii.gz"):
        os.utime(file, ns=(10**18, 10**18))
    assert dvdup(dataset.root, "sync", "-q").code == 0
    assert dvdup(dataset.root, "diff", "train", "test", "-q").code == 0
    return dataset


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("refs", [("train", "test"), ("test", "test"), ("train@v1", "test")])
def test_diff_is_not_clean(settled, dvdup, way, refs):
    assert dvdup(settled.root, "tag", "v1", "-q").code == 0
    way(settled)
    case, why = WAYS[way]
    ran = dvdup(settled.root, "diff", *refs, "--allow-unreadable", "-f", "json")
    assert ran.code == 2, ran.stderr
    (entry,) = ran.json["unreadable"]
    assert (entry["case"], entry["split"], entry["kind"]) == (case, "test", "stale")
    assert why in entry["reason"]
    assert "dvdup sync" in entry["reason"]
    jsonschema.validate(ran.json, schema())
    table = dvdup(settled.root, "diff", *refs)
    assert table.stdout.startswith("Incomplete: 1 case is not as it was indexed")
    assert "as indexed" in table.stdout
    assert f"test/{case}" in dvdup(settled.root, "diff", *refs, "-f", "markdown").stdout
    assert "\nstale,test," in dvdup(settled.root, "diff", *refs, "-f", "csv").stdout


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_what_is_not_asked_about_does_not_matter(settled, dvdup, way):
    """Another split, and versions that are over."""
    settled.put("val/p21.nii.gz", 21)
    assert dvdup(settled.root, "sync", "-q").code == 0
    assert dvdup(settled.root, "tag", "v1", "-q").code == 0
    way(settled)
    assert dvdup(settled.root, "diff", "train", "val", "-q").code == 0
    assert dvdup(settled.root, "diff", "train@v1", "test@v1", "-q").code == 0


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_query_of_a_stale_index_is_not_clean(settled, dvdup, way):
    asked = shutil.copy(settled.pool / "p22.nii.gz", settled.root.parent / "asked.nii.gz")
    assert dvdup(settled.root, "query", asked).code == 0
    way(settled)
    assert dvdup(settled.root, "query", asked, "--split", "train").code == 0
    ran = dvdup(settled.root, "query", asked, "-f", "json")
    assert ran.code == 2
    assert [entry["case"] for entry in ran.json["unreadable"]] == [WAYS[way][0]]


def test_a_finding_is_still_a_finding(settled, dvdup):
    settled.put("test/leak.nii.gz", 3)
    assert dvdup(settled.root, "sync", "-q").code == 0
    come(settled)
    ran = dvdup(settled.root, "diff", "train", "test")
    assert ran.code == 1
    assert "1 case is not as it was indexed" in ran.stdout


def test_other_times_of_the_same_bytes_are_no_news(settled, dvdup, monkeypatch):
    """A fresh checkout costs hashing once, and then nothing."""
    for file in settled.root.rglob("*.nii.gz"):
        shutil.copy(file, f"{file}.part")
        os.replace(f"{file}.part", file)
        os.utime(file, ns=(10**17, 10**17))
    assert dvdup(settled.root, "diff", "train", "test").code == 0
    monkeypatch.setattr(files, "file_hash", lambda path: pytest.fail(f"{path} is hashed again"))
    assert dvdup(settled.root, "diff", "train", "test").code == 0


def test_a_dataset_that_cannot_be_looked_through_is_told(settled, dvdup):
    with (settled.root / "dvdup.toml").open("a", encoding="utf-8") as stream:
        stream.write('path = "nowhere"\n')
    ran = dvdup(settled.root, "diff", "train", "test", "-f", "json")
    assert ran.code == 2
    assert {entry["case"] for entry in ran.json["unreadable"]} == {"*"}
    assert all("no folder nowhere" in entry["reason"] for entry in ran.json["unreadable"])


def test_a_file_that_is_closed_now_is_told(settled, dvdup, monkeypatch):
    access = os.access

    def closed(path, mode):
        return not str(path).endswith("p14.nii.gz") and access(path, mode)

    monkeypatch.setattr(os, "access", closed)
    ran = dvdup(settled.root, "diff", "train", "test", "-f", "json")
    assert ran.code == 2
    assert "permission denied" in ran.json["unreadable"][0]["reason"]


def test_status_without_a_configuration_tells_of_new_scans(dataset, dvdup):
    (dataset.root / "dvdup.toml").unlink()
    embedder = ("--embedder", "thumbnail")
    assert dvdup(dataset.root, "sync", "-q", *embedder).code == 0
    assert "dvdup sync" not in dvdup(dataset.root, "status").stdout
    come(dataset)
    assert "run `dvdup sync`" in dvdup(dataset.root, "status").stdout


def test_status_tells_what_is_not_checked(settled, dvdup):
    (settled.root / "test/broken.nii.gz").write_bytes(b"no scan")
    (settled.root / "test/empty.nii.gz").write_bytes(b"")
    assert dvdup(settled.root, "sync", "-q").code == 2
    said = dvdup(settled.root, "status").stdout
    assert "2 cases could not be checked, such as test/broken: " in said
    assert "`dvdup check` lists all" in said


def test_status_says_that_new_scans_could_not_be_looked_for(settled, dvdup):
    with (settled.root / "dvdup.toml").open("a", encoding="utf-8") as stream:
        stream.write('path = "nowhere"\n')
    ran = dvdup(settled.root, "status")
    assert "new scans could not be looked for: " in ran.stdout


def test_status_verify_hashes_the_files(settled, dvdup, monkeypatch):
    assert dvdup(settled.root, "status", "--verify").code == 0
    monkeypatch.setattr(files, "_differ", lambda stored, now: False)  # no ctime, no inode
    replace(settled)
    assert "0" in dvdup(settled.root, "status").stdout
    ran = dvdup(settled.root, "status", "--verify")
    assert ran.code == 2
    assert "verified: 1 fault\n" in ran.stdout
    assert "differs: test/p14: test/p14.nii.gz does not hold what was indexed" in ran.stderr
