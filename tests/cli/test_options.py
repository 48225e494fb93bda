"""Formats, files and variables: what a user types, and what stands in the documents."""

from __future__ import annotations

import errno
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STARTS = {"json": '{\n  "schema"', "csv": "verdict,", "markdown": "## dvdup", "table": "No copy of"}


@pytest.fixture
def synced(dataset, dvdup):
    assert dvdup(dataset.root, "sync", "-q").code == 0
    return dataset


@pytest.mark.parametrize(
    ("file", "flags", "format"),
    [
        ("rep.json", (), "json"),
        ("rep.md", (), "markdown"),
        ("rep.CSV", (), "csv"),
        ("rep.txt", (), "table"),
        ("rep", (), "table"),
        ("rep.json", ("-f", "csv"), "csv"),
        ("rep.txt", ("-f", "md"), "markdown"),
        ("rep.md", ("-f", "table"), "table"),
    ],
)
def test_the_suffix_of_the_file_says_the_format(synced, dvdup, file, flags, format):
    ran = dvdup(synced.root, "diff", "train", "test", "-o", file, *flags)
    assert (ran.code, ran.stdout) == (0, "")
    assert (synced.root / file).read_text(encoding="utf-8").startswith(STARTS[format])


def test_an_unknown_format_is_refused(synced, dvdup):
    ran = dvdup(synced.root, "check", "-f", "pdf")
    assert ran.code == 2
    assert "unknown report format 'pdf': choose one of table, json, csv, markdown" in ran.stderr


@pytest.mark.parametrize("fault", [OSError(errno.ENOSPC, "disk full"), KeyboardInterrupt()])
def test_a_report_that_fails_leaves_nothing_behind(synced, dvdup, monkeypatch, fault):
    (synced.root / "out.json").write_text("before", encoding="utf-8")

    def refuse(source: object, target: object) -> None:
        raise fault

    monkeypatch.setattr("dvdup.commands.output.os.replace", refuse)
    ran = dvdup(synced.root, "diff", "train", "test", "-o", "out.json")
    assert ran.code == 2
    assert (synced.root / "out.json").read_text(encoding="utf-8") == "before"
    assert not list(synced.root.glob("*.part"))


@pytest.mark.parametrize("name", ["DVDUP_VERSION", "DVDUP_FAILON", "DVDUP_OUTPUT"])
def test_a_strange_variable_warns_once_and_does_not_stop(synced, dvdup, monkeypatch, name):
    monkeypatch.setenv(name, "0.1.0")
    ran = dvdup(synced.root, "diff", "train", "test")
    assert ran.code == 0
    assert ran.stderr.count(name) == 1


@pytest.mark.parametrize("how", ["DVDUP_OFFLINE", "HF_HUB_OFFLINE", "dvdup.toml"])
def test_offline_asks_nobody(tmp_path, dvdup, monkeypatch, how):
    def never(*args: object, **kwargs: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(urllib.request, "urlopen", never)
    if how == "dvdup.toml":
        (tmp_path / how).write_text("offline = true\n", encoding="utf-8")
    else:
        monkeypatch.setenv(how, "1")
    ran = dvdup(tmp_path, "models", "fetch", "dinov2")
    assert ran.code == 2
    assert "offline mode" in ran.stderr


def test_a_file_of_no_known_format_is_told_what_to_do(synced, dvdup):
    (synced.root / "x.xyz").write_bytes(b"no scan")
    ran = dvdup(synced.root, "query", "x.xyz")
    said = " ".join((ran.stdout + ran.stderr).split())
    assert ran.code == 2
    assert "dvdup does not read this format (it looks like a text file); convert it" in said


def test_a_split_named_all_is_named_in_good_english(dvdup, dataset, monkeypatch):
    dataset.put("test/leak.nii.gz", 3)
    monkeypatch.setenv("DVDUP_EMBEDDER", "thumbnail")
    assert dvdup(dataset.root.parent, "add", "data", "--split", "all", "-q").code == 0
    ran = dvdup(dataset.root.parent, "diff", "all", "all")
    assert ran.stdout.startswith("2 of 21 cases have a copy within all")


def test_the_table_names_scores_as_json_does(synced, dvdup, save, phantom):
    noisy = phantom(3) + 5
    save(synced.root / "test/leak.nii.gz", noisy)
    ran = dvdup(synced.root, "check", "-f", "json")
    names = [name for name in ran.json["pairs"][0] if name in ("shared_score", "count_score")]
    table = " ".join(dvdup(synced.root, "check").stdout.split())
    for name in [*names, "similarity"]:
        assert f"{name.removesuffix('_score')} 1" in table
        assert f"`{name}`" in (ROOT / "examples/reports.md").read_text(encoding="utf-8")


def test_check_tells_what_it_left_out(synced, dvdup):
    for n in range(4):
        (synced.root / f"train/p{n:02}_seg.nii.gz").write_bytes(b"x")
    ran = dvdup(synced.root, "check")
    assert ran.code == 0
    assert "left out 4 files such as train/p00_seg.nii.gz" in ran.stderr
    assert "left out" not in dvdup(synced.root, "check", "-q").stderr


def test_sync_names_every_file_that_it_left_out(synced, dvdup):
    for name in ("train/.hidden.nii.gz", "train/.more.nii.gz", "test/notes.txt"):
        (synced.root / name).write_bytes(b"x")
    said = dvdup(synced.root, "sync").stderr.splitlines()
    assert "left out 2 files: hidden" in said
    assert {"  train/.hidden.nii.gz", "  train/.more.nii.gz"} <= set(said)
    assert any(line.startswith("left out test/notes.txt: ") for line in said)
