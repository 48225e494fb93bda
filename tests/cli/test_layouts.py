"""The same scans in every layout give the same findings; what is listed and not there is told."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from layout_variants import VARIANTS, Scan, findings, write


@pytest.fixture(scope="module")
def scans(_pool, tmp_path_factory):
    """Six persons for training, three for tests, and a copy of two of the former."""
    made = [
        Scan(f"h{n:03}", "train" if n < 6 else "test", _pool / f"p{n:02}.nii.gz") for n in range(9)
    ]
    folder = tmp_path_factory.mktemp("copies")
    again = folder / "again.nii.gz"
    again.write_bytes(gzip.compress(gzip.decompress(made[1].file.read_bytes()), 1, mtime=1))
    return [*made, Scan("h009", "test", made[0].file), Scan("h010", "test", again)]


def init(root: Path, dvdup):
    """Detect the layout; the small embedder is enough here."""
    ran = dvdup(root, "init")
    file = root / "dvdup.toml"
    file.write_text('embedder = "thumbnail"\n' + file.read_text(encoding="utf-8"), encoding="utf-8")
    return ran


@pytest.mark.parametrize("name", list(VARIANTS))
def test_every_layout_finds_the_same(scans, tmp_path, dvdup, name):
    VARIANTS[name](tmp_path, scans)
    said = init(tmp_path, dvdup)
    assert said.code == 0
    assert ": 11 scans (" in said.stderr
    ran = dvdup(tmp_path, "check", "-f", "json", "-q")
    assert ran.code == 1
    assert findings(ran.json) == {
        ("identical", "voxel-hash", ("h000", "h009")),
        ("identical", "voxel-hash", ("h001", "h010")),
    }


def gone(root, name):
    """Take away the last scan of the tests, as a broken download would."""
    (file,) = [path for path in root.rglob("*.nii.gz") if "h010" in path.name]
    file.unlink()
    if name == "folders":  # which list nothing
        (root / "test/metadata.csv").write_text("file_name\nh010.nii.gz\n")
    if name == "nnunet":
        lists = json.loads((root / "dataset.json").read_text())
        lists["test"] = ["./imagesTs/h010.nii.gz"]
        write(root, "dataset.json", json.dumps(lists))
    if name == "bids":
        file.parent.rmdir()
        file.parent.parent.rmdir()


@pytest.mark.parametrize("name", [name for name in VARIANTS if name not in ("croissant",)])
def test_what_is_listed_and_not_there_is_not_checked(scans, tmp_path, dvdup, name):
    VARIANTS[name](tmp_path, [scan for scan in scans if scan.name not in ("h000", "h001")])
    gone(tmp_path, name)
    init(tmp_path, dvdup)
    ran = dvdup(tmp_path, "check", "-f", "json", "-q")
    assert ran.code == 2
    (missing,) = ran.json["unreadable"]
    assert "h010" in missing["paths"][0]
    assert missing["split"] in ("test", "val")


def test_a_set_of_croissant_that_is_not_there(scans, tmp_path, dvdup):
    VARIANTS["croissant"](tmp_path, scans[:7])
    described = json.loads((tmp_path / "croissant.json").read_text())
    described["distribution"].append(
        {"@type": "cr:FileObject", "@id": "x", "contentUrl": "test/h010.nii.gz"}
    )
    write(tmp_path, "croissant.json", json.dumps(described))
    init(tmp_path, dvdup)
    ran = dvdup(tmp_path, "check", "-f", "json", "-q")
    assert (ran.code, [one["paths"] for one in ran.json["unreadable"]]) == (
        2,
        [["test/h010.nii.gz"]],
    )


def test_a_subject_in_two_splits_of_bids(scans, tmp_path, dvdup):
    """Two sessions of a person, told by their names alone."""
    for subject, session, scan in (("a", "1", 0), ("a", "2", 7), ("b", "1", 2), ("c", "1", 8)):
        file = tmp_path / f"sub-{subject}/ses-{session}/anat/sub-{subject}_ses-{session}_T1w.nii.gz"
        file.parent.mkdir(parents=True)
        file.write_bytes(scans[scan].file.read_bytes())
    write(tmp_path, "participants.tsv", "participant_id\tsplit\na\ttrain\nb\ttrain\nc\ttest\n")
    write(
        tmp_path / "sub-a", "sub-a_sessions.tsv", "session_id\tsplit\nses-1\ttrain\nses-2\ttest\n"
    )
    init(tmp_path, dvdup)
    ran = dvdup(tmp_path, "check", "-f", "json", "-q")
    (pair,) = ran.json["pairs"]
    assert (ran.code, pair["verdict"], pair["basis"]) == (1, "same-subject", "declared")
    assert {pair[side]["case"] for side in "ab"} == {"sub-a_ses-1_T1w", "sub-a_ses-2_T1w"}


def test_one_split_is_told_before_anything_is_read(scans, tmp_path, dvdup):
    for name in ("a", "b"):
        (tmp_path / f"sub-{name}/anat").mkdir(parents=True)
        (tmp_path / f"sub-{name}/anat/sub-{name}_T1w.nii.gz").write_bytes(
            scans[0].file.read_bytes()
        )
    said = init(tmp_path, dvdup)
    assert (
        "one split, all: no participants.tsv, sessions.tsv or scans.tsv has a column split"
        in said.stderr
    )
    ran = dvdup(tmp_path, "check", "-q")
    assert ran.code == 2
    assert "only one split, all: there is nothing to compare it with" in ran.stderr
    assert not (tmp_path / ".dvdup/cases.lance").exists()
    found = dvdup(tmp_path, "check", "-q", "--within", "-f", "json")
    assert (found.code, found.json["totals"]["identical"]) == (1, 1)


@pytest.mark.parametrize("ends", ["\n", "\0", "\r\n"])
def test_a_list_on_standard_input(scans, tmp_path, monkeypatch, ends):
    from click.testing import CliRunner

    from dvdup.cli import app

    (tmp_path / "with space").mkdir()
    paths = []
    for number in (0, 1):
        path = Path("with space") / f"{number}.nii.gz"
        (tmp_path / path).write_bytes(scans[number].file.read_bytes())
        paths.append(path.as_posix())
    monkeypatch.chdir(tmp_path)
    args = ["add", "-", "--split", "train", "--embedder", "thumbnail", "-q"]
    ran = CliRunner().invoke(app, args, input=ends.join(paths) + ends)
    assert ran.exit_code == 0, ran.output
    status = json.loads(CliRunner().invoke(app, ["status", "-f", "json"]).stdout)
    assert [(one["split"], one["cases"]) for one in status["splits"]] == [("train", 2)]
    empty = CliRunner().invoke(app, args, input="\n")
    assert (empty.exit_code, "standard input, and none came" in empty.stderr) == (2, True)
