"""The main job through the command line: sync, diff, check, query, compare, in every format.

All of it twice: with the index in a folder, and on an object store.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import shutil
from pathlib import Path

import jsonschema
import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from object_server import needs_server

from dvdup.report.json import schema


@pytest.fixture(autouse=True, params=["folder", pytest.param("store", marks=needs_server)])
def index(request, monkeypatch):
    """Where the index lies; gives what puts that of another dataset elsewhere."""
    if request.param == "folder":
        return lambda name: None
    address = request.getfixturevalue("address")
    monkeypatch.setenv("DVDUP_INDEX", address)
    return lambda name: monkeypatch.setenv("DVDUP_INDEX", f"{address}-{name}")


def plain(source, folder, name):
    shutil.copy(source, folder / f"{name}.nii.gz")


def recompressed(source, folder, name):
    (folder / f"{name}.nii.gz").write_bytes(gzip.compress(gzip.decompress(source.read_bytes()), 1))


def as_nrrd(source, folder, name):
    sitk.WriteImage(sitk.ReadImage(str(source)), str(folder / f"{name}.nrrd"))


def reoriented(source, folder, name):
    turned = nib.load(source).as_reoriented(np.array([[2, -1.0], [0, 1], [1, -1]]))
    nib.save(turned, folder / f"{name}.nii.gz")


def as_float64(source, folder, name):
    image = nib.load(source)
    nib.save(nib.Nifti1Image(image.get_fdata(), image.affine), folder / f"{name}.nii")


def other_header(source, folder, name):
    image = nib.load(source)
    image.header["descrip"] = b"resold"
    nib.save(image, folder / f"{name}.nii.gz")


def noisy(source, folder, name):
    image = nib.load(source)
    values = image.get_fdata() + np.random.default_rng(0).normal(0, 30, image.shape)
    nib.save(nib.Nifti1Image(values.astype(np.float32), image.affine), folder / f"{name}.nii.gz")


def brighter(source, folder, name):
    image = nib.load(source)
    values = (image.get_fdata() / 1800) ** 0.67 * 1800
    nib.save(nib.Nifti1Image(values.astype(np.float32), image.affine), folder / f"{name}.nii.gz")


def cropped(source, folder, name):
    nib.save(nib.load(source).slicer[2:-2, 2:-2, 2:-2], folder / f"{name}.nii.gz")


SAME = [plain, recompressed, as_nrrd, reoriented, as_float64, other_header]
PROCESSED = [noisy, brighter, cropped]


def test_clean_dataset_is_clean(dataset, dvdup):
    done = dvdup(dataset.root, "sync")
    assert (done.code, done.stdout) == (0, "")
    assert "20 embedded" in done.stderr
    report = dvdup(dataset.root, "diff", "train", "test", "--format", "json")
    assert report.code == 0
    assert report.json["pairs"] == []
    assert report.json["totals"]["cases"] == {"train": 14, "test": 6}


@pytest.mark.parametrize("disguise", SAME + PROCESSED, ids=lambda d: d.__name__)
def test_a_disguised_copy_is_found(dataset, dvdup, disguise):
    disguise(dataset.root / "train/p03.nii.gz", dataset.root / "test", "new_name")
    report = dvdup(dataset.root, "check", "--format", "json")
    assert report.code == 1, report.stderr
    (pair,) = report.json["pairs"]
    assert (pair["a"]["split"], pair["a"]["case"]) == ("train", "p03")
    assert (pair["b"]["split"], pair["b"]["case"]) == ("test", "new_name")
    assert pair["verdict"] == ("identical" if disguise in SAME else "near")
    jsonschema.validate(report.json, schema())


@pytest.mark.parametrize("copies", [2, 3, 5])
def test_many_copies_share_their_votes(dataset, dvdup, copies, save, phantom):
    """Noisy copies of one scan in train must not split the votes of the one in test."""
    for copy in range(copies):
        noise = np.random.default_rng(copy).normal(0, 15, (40, 44, 36))
        save(dataset.root / f"train/copy{copy}.nii.gz", (phantom(50) + noise).astype(np.float32))
    save(dataset.root / "test/leak.nii.gz", phantom(50))
    report = dvdup(dataset.root, "check", "--format", "json").json
    assert [p["a"]["case"] for p in report["pairs"]] == [f"copy{n}" for n in range(copies)]
    assert {p["b"]["case"] for p in report["pairs"]} == {"leak"}
    assert all(max(p["shared_score"].values()) > 0.9 for p in report["pairs"])
    (group,) = report["groups"]
    assert len(group["members"]) == copies + 1


def test_every_format_tells_of_the_leak(dataset, dvdup):
    dataset.put("test/leak.nii.gz", 3)
    dvdup(dataset.root, "sync", "-q")
    table = dvdup(dataset.root, "diff", "train", "test")
    assert table.code == 1
    assert table.stdout.startswith("1 of 7 test cases is already in train (14.3 %)")
    assert max(map(len, table.stdout.splitlines())) <= 80
    rows = list(
        csv.DictReader(
            io.StringIO(dvdup(dataset.root, "diff", "train", "test", "-f", "csv").stdout)
        )
    )
    assert rows[0]["verdict"] == "identical"
    markdown = dvdup(dataset.root, "diff", "train", "test", "-f", "markdown").stdout
    assert "p03" in markdown
    assert "leak" in markdown


def test_output_goes_to_a_file(dataset, dvdup):
    dvdup(dataset.root, "sync", "-q")
    done = dvdup(dataset.root, "diff", "train", "test", "-f", "json", "-o", "report.json")
    assert done.stdout == ""
    assert json.loads((dataset.root / "report.json").read_text())["totals"]["pairs"] == 0


def test_same_input_same_bytes(dataset, dvdup, tmp_path, index):
    dataset.put("test/leak.nii.gz", 3)
    noisy(dataset.root / "train/p04.nii.gz", dataset.root / "test", "noisy")
    texts = []
    for place in ("one", "two"):
        copy = tmp_path / place
        shutil.copytree(dataset.root, copy)
        index(place)
        for how in ("table", "json", "csv", "markdown"):
            texts.append(dvdup(copy, "check", "-q", "-f", how).stdout)
            texts.append(dvdup(copy, "check", "-q", "-f", how).stdout)  # now from the store
    half = len(texts) // 2
    assert texts[:half] == texts[half:]
    assert texts[0::2] == texts[1::2]


def test_within_one_split(dataset, dvdup):
    dataset.put("train/again.nii.gz", 3)
    assert dvdup(dataset.root, "check").code == 0
    report = dvdup(dataset.root, "diff", "train", "train", "-f", "json")
    assert report.code == 1
    (pair,) = report.json["pairs"]
    assert {pair["a"]["case"], pair["b"]["case"]} == {"again", "p03"}
    assert dvdup(dataset.root, "check", "--within").code == 1


@pytest.mark.parametrize(
    ("fail_on", "code"),
    [("identical", 1), ("near", 1), ("none", 0)],
)
def test_fail_on_decides_the_exit_code_only(dataset, dvdup, fail_on, code):
    dataset.put("test/leak.nii.gz", 3)
    report = dvdup(dataset.root, "check", "-f", "json", "--fail-on", fail_on)
    assert report.code == code
    assert report.json["totals"]["identical"] == 1


def test_declared_groups(dataset, dvdup):
    (dataset.root / "list.csv").write_text(
        "file,split,subject\n"
        + "".join(
            f"{split}/p{n:02}.nii.gz,{split},{'s3' if n in (3, 15) else n}\n"
            for n in range(20)
            for split in ["train" if n < 14 else "test"]
        )
    )
    (dataset.root / "dvdup.toml").write_text('[dataset]\ncsv = "list.csv"\n')
    report = dvdup(dataset.root, "check", "-f", "json")
    assert report.code == 1, report.stderr
    (pair,) = report.json["pairs"]
    assert (pair["verdict"], pair["basis"]) == ("same-subject", "declared")
    assert (pair["a"]["case"], pair["b"]["case"]) == ("p03", "p15")


def test_one_file_in_two_splits(dataset, dvdup):
    (dataset.root / "list.csv").write_text(
        "path,set\ntrain/p01.nii.gz,train\ntrain/p01.nii.gz,test\ntrain/p02.nii.gz,train\n"
    )
    (dataset.root / "dvdup.toml").write_text('[dataset]\ncsv = "list.csv"\n')
    report = dvdup(dataset.root, "check", "-f", "json")
    assert report.code == 1
    assert [pair["verdict"] for pair in report.json["pairs"]] == ["identical"]


def test_query_finds_and_leaves_the_index_alone(dataset, dvdup):
    dvdup(dataset.root, "sync", "-q")
    before = dvdup(dataset.root, "log").stdout
    shutil.copy(dataset.root / "train/p05.nii.gz", dataset.root.parent / "bought.nii.gz")
    report = dvdup(dataset.root, "query", "../bought.nii.gz", "-f", "json")
    assert report.code == 1, report.stderr
    (pair,) = report.json["pairs"]
    assert (pair["a"]["case"], pair["verdict"]) == ("p05", "identical")
    assert pair["b"]["case"] == "bought"
    assert dvdup(dataset.root, "log").stdout == before
    table = dvdup(dataset.root, "query", "../bought.nii.gz")
    assert "train" in table.stdout
    assert dvdup(dataset.root, "query", "../bought.nii.gz", "--split", "test").code == 0


def test_query_of_an_indexed_file_leaves_it_out(dataset, dvdup):
    dvdup(dataset.root, "sync", "-q")
    done = dvdup(dataset.root, "query", "train/p05.nii.gz")
    assert done.code == 0
    assert "train/p05" in done.stderr


def test_compare_needs_no_index(dataset, dvdup):
    reoriented(dataset.root / "train/p05.nii.gz", dataset.root, "turned")
    done = dvdup(dataset.root, "compare", "train/p05.nii.gz", "turned.nii.gz", "-f", "json")
    assert done.code == 1, done.stderr
    assert done.json["pairs"][0]["verdict"] == "identical"
    noisy(dataset.root / "train/p05.nii.gz", dataset.root, "noisy")
    done = dvdup(dataset.root, "compare", "train/p05.nii.gz", "noisy.nii.gz", "-f", "json")
    assert done.json["pairs"][0]["verdict"] == "near"
    assert dvdup(dataset.root, "compare", "train/p05.nii.gz", "train/p06.nii.gz").code == 0
    assert not (dataset.root / ".dvdup").exists()


def test_added_by_hand_without_a_configuration(dataset, dvdup, tmp_path):
    done = dvdup(tmp_path, "add", "--split", "train", "data/train")
    assert done.code == 0, done.stderr
    done = dvdup(tmp_path, "add", "--split", "test", "data/test", "data/train/p02.nii.gz")
    assert done.code == 0, done.stderr
    report = dvdup(tmp_path, "diff", "train", "test", "-f", "json")
    assert [pair["b"]["case"] for pair in report.json["pairs"]] == ["p02"]
    assert report.json["pairs"][0]["b"]["paths"] == ["data/train/p02.nii.gz"]
    again = dvdup(tmp_path, "add", "--split", "test", "data/test")
    assert "6 unchanged" in again.stderr
    assert dvdup(tmp_path, "check").code == 1


def test_tags_keep_the_past(dataset, dvdup):
    dvdup(dataset.root, "sync", "-q")
    assert dvdup(dataset.root, "tag", "v1").code == 0
    dataset.put("train/leak.nii.gz", 15)
    dvdup(dataset.root, "sync", "-q")
    assert dvdup(dataset.root, "diff", "train@v1", "test").code == 0
    assert dvdup(dataset.root, "diff", "train", "test").code == 1
    assert dvdup(dataset.root, "diff", "train@v1", "train").code == 0
    log = dvdup(dataset.root, "log").stdout
    assert "[v1]" in log
    assert log.count("sync") == 2
    (dataset.root / "train/p02.nii.gz").unlink()
    dvdup(dataset.root, "sync", "-q")
    report = dvdup(dataset.root, "diff", "train@v1", "train", "-f", "json").json
    assert [ref["cases"] for ref in report["refs"]] == [14, 14]


def test_a_new_file_like_an_old_one_between_versions(dataset, dvdup):
    dvdup(dataset.root, "sync", "-q")
    dvdup(dataset.root, "tag", "v1")
    dataset.put("train/again.nii.gz", 3)
    dvdup(dataset.root, "sync", "-q")
    report = dvdup(dataset.root, "diff", "train@v1", "train", "-f", "json")
    assert report.code == 1
    assert [(p["a"]["case"], p["b"]["case"]) for p in report.json["pairs"]] == [("p03", "again")]


def test_rm_and_back(dataset, dvdup):
    dvdup(dataset.root, "sync", "-q")
    done = dvdup(dataset.root, "rm", "test/p1[45]")
    assert done.stderr.splitlines() == ["removed test/p14", "removed test/p15"]
    assert dvdup(dataset.root, "diff", "train", "test", "-f", "json").json["refs"][1]["cases"] == 4
    back = dvdup(dataset.root, "sync")
    assert "2 reused" in back.stderr  # their slices were still there
    assert dvdup(dataset.root, "status", "--verify").code == 0


def test_init_recognises_and_writes(dataset, dvdup):
    (dataset.root / "dvdup.toml").unlink()
    done = dvdup(dataset.root, "init")
    assert done.code == 0, done.stderr
    assert 'layout = "folders"' in (dataset.root / "dvdup.toml").read_text()
    assert dvdup(dataset.root, "init").code == 2
    assert dvdup(dataset.root, "init", "--force").code == 0
    assert dvdup(dataset.root, "check").code == 0


def test_status_tells_of_changed_files(dataset, dvdup):
    dvdup(dataset.root, "sync", "-q")
    dataset.put("test/p19.nii.gz", 20)
    (dataset.root / "test/p18.nii.gz").unlink()
    done = dvdup(dataset.root, "status")
    assert done.code == 0
    assert "dvdup sync" in done.stdout


def test_status_tells_of_new_files(dataset, dvdup):
    dvdup(dataset.root, "sync", "-q")
    before = dvdup(dataset.root, "status").stdout
    assert "dvdup sync" not in before
    dataset.put("test/new.nii.gz", 20)
    dataset.put("val/other.nii.gz", 21)
    rows = {
        line.split()[0]: line.split()
        for line in dvdup(dataset.root, "status").stdout.splitlines()
        if line
    }
    assert rows["test"][1:2] + rows["test"][-1:] == ["6", "1"]
    assert rows["val"][1:2] + rows["val"][-1:] == ["0", "1"]
    assert rows["train"][-1] == "0"


def test_models(dataset, dvdup):
    done = dvdup(dataset.root, "models")
    assert done.code == 0
    assert "thumbnail" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert dvdup(dataset.root, "models", "fetch").code == 2
    assert dvdup(dataset.root, "models", "fetch", "thumbnail").code == 2


def what_the_readme_says_of_a_pair() -> str:
    """The reason and the scores, in one line."""
    page = Path(__file__).parents[2].joinpath("README.md").read_text(encoding="utf-8")
    block = page.partition("```text\n")[2].partition("\n\nWhat to do")[0]
    return " ".join(block.split("train/scan-21.nii.gz")[1].split())


def test_demo(tmp_path, console):
    """Through the real console script: a report with leaks, exit code 0."""
    done = console(tmp_path, "demo", "demo")
    assert done.code == 0, done.stderr
    assert "already in train" in done.stdout
    assert what_the_readme_says_of_a_pair() in " ".join(done.stdout.split())
    check = console(tmp_path / "demo", "check", DVDUP_VERIFY_CANDIDATES="5")
    assert check.code == 1
    assert check.stdout == done.stdout
