"""`dvdup gc`, as a user runs it: what goes, what stays, and other commands meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dvdup.cache import NAME as ANSWERS
from dvdup.cache import open_cache, wasted_answers
from dvdup.sealed import SealedFiles
from dvdup.store import Index, find_damage
from dvdup.store.key import index_key
from dvdup.store.tables import folder_bytes
from dvdup.store.variants import VariantTable

WITH_VOXELS = ("check", "-q", "--candidates", "1")


@pytest.fixture
def synced(dataset, dvdup):
    """The clean dataset, indexed and tagged v1, then with two commands more."""
    dvdup(dataset.root, "sync", "-q")
    dvdup(dataset.root, "tag", "v1", "-q")
    dataset.put("train/p03.nii.gz", 20)
    dvdup(dataset.root, "sync", "-q")
    (dataset.root / "train/p04.nii.gz").unlink()
    dvdup(dataset.root, "sync", "-q")
    return dataset


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def caches(folder: Path) -> SealedFiles:
    return SealedFiles(folder, lambda: index_key(folder))


@pytest.mark.parametrize("options", [(), ("--history",), ("--history", "--keep-days", "3")])
def test_a_dry_run_changes_nothing(synced, dvdup, options):
    before = files(synced.root)
    ran = dvdup(synced.root, "gc", "--dry-run", *options)
    assert ran.code == 0, ran.stderr
    assert "nothing was changed" in ran.stdout
    assert ran.stdout.endswith("tags that stay: v1\n")
    assert files(synced.root) == before


def test_history_stays_unless_it_is_asked_for(synced, dvdup):
    entries = dvdup(synced.root, "log").stdout.splitlines()
    assert dvdup(synced.root, "gc").code == 0
    header, newest, *rest = dvdup(synced.root, "log").stdout.splitlines()
    assert " gc " in newest
    assert [line.split() for line in (header, *rest)] == [line.split() for line in entries]


def test_history_goes_and_tags_stay(synced, dvdup):
    ran = dvdup(synced.root, "gc", "--history")
    assert "untagged versions" in ran.stdout
    lines = dvdup(synced.root, "log").stdout.splitlines()
    assert [line.split("Z  ")[1].split("  ")[0] for line in lines[1:]] == [
        "gc --history --keep-days 0",
        "tag v1 [v1]",
    ]
    assert dvdup(synced.root, "status", "--verify").code == 0
    found = dvdup(synced.root, "diff", "train@v1", "train", "-f", "json")
    assert found.json["refs"] == [
        {"ref": "train@v1", "split": "train", "cases": 14},
        {"ref": "train", "split": "train", "cases": 13},
    ]
    assert dvdup(synced.root, "gc", "--history").stdout.startswith("nothing to tidy")
    assert dvdup(synced.root, "diff", "train@4", "test").code == 2


def test_keep_days_wants_history(synced, dvdup):
    ran = dvdup(synced.root, "gc", "--keep-days", "3")
    assert (ran.code, "--history" in ran.stderr) == (2, True)


def test_without_an_index(dataset, dvdup):
    for options in ((), ("--dry-run",)):
        ran = dvdup(dataset.root, "gc", *options)
        assert (ran.code, "no index" in ran.stderr) == (2, True)
    assert not (dataset.root / ".dvdup").exists()


def test_answers_of_what_is_there_are_asked_again(dataset, dvdup):
    """A check after it reads what was known, and answers of a case that went are gone."""
    dataset.put("test/copy.nii.gz", 2)
    first = dvdup(dataset.root, *WITH_VOXELS, "-f", "json")
    folder = dataset.root / ".dvdup"
    known, rows = files(folder), VariantTable(caches(folder)).keys()
    ran = dvdup(dataset.root, "gc", "--history")
    assert "answers" not in ran.stdout
    assert "results" not in ran.stdout
    assert VariantTable(caches(folder)).keys() == rows
    for name in (path for path in known if path.startswith("results/")):
        (folder / name).unlink()
    again = dvdup(dataset.root, *WITH_VOXELS, "-v", "-f", "json")
    assert again.json == first.json
    assert "0 now" in again.stderr
    (dataset.root / "test/p15.nii.gz").unlink()
    dvdup(dataset.root, "sync", "-q")
    assert "answers about no case" not in dvdup(dataset.root, "gc").stdout  # a version has it
    ran = dvdup(dataset.root, "gc", "--history")
    assert "answers about no case" in ran.stdout
    assert len(rows - VariantTable(caches(folder)).keys()) == 1
    assert wasted_answers(caches(folder), lambda name: True) == (0, 0)
    assert dvdup(dataset.root, "gc", "--history").stdout.startswith("nothing to tidy")


def test_answers_under_names_that_nobody_uses_go(dataset, dvdup):
    dvdup(dataset.root, "sync", "-q")
    with open_cache(caches(dataset.root / ".dvdup"), "salt") as cache:
        cache.put("[5.5]", 32 * "a", 32 * "b")  # as `calibrate` did
    for options in (("--dry-run",), ()):
        ran = dvdup(dataset.root, "gc", *options)
        assert (ran.code, "answers about no case" in ran.stdout) == (0, True)
    assert "answers about no case" not in dvdup(dataset.root, "gc").stdout


def test_results_of_a_tag_that_was_forgotten_go(synced, dvdup):
    dvdup(synced.root, "diff", "train@v1", "test", "-q")
    results = synced.root / ".dvdup/results"
    assert len(list(results.iterdir())) == 1
    dvdup(synced.root, "gc", "-q")
    assert len(list(results.iterdir())) == 1
    dvdup(synced.root, "tag", "--delete", "v1", "-q")
    assert "stored results of no version  1" in dvdup(synced.root, "gc").stdout
    assert list(results.iterdir()) == []


def test_what_earlier_versions_and_killed_commands_left_goes(synced, dvdup):
    folder = synced.root / ".dvdup"
    looks, mine = folder / "cache/looks", folder / "cache/looks/notes.txt"
    looks.mkdir(parents=True)
    (looks / f"{'a' * 32}.npz").write_bytes(b"x" * 1000)
    mine.write_text("mine")
    old, young = folder / "cache/tmpabc.part", folder / "cache/tmpabd.part"
    for part in (old, young):
        part.write_bytes(b"x")
    os.utime(old, (time.time() - 7200,) * 2)
    series = folder / f"cache/dicom-{'0' * 32}.json"
    series.write_text("{}")
    ran = dvdup(synced.root, "gc")
    for what in ("caches of earlier versions", "files of stopped commands", "DICOM folders"):
        assert what in ran.stdout
    assert [path.exists() for path in (mine, young, old, series)] == [True, True, False, False]
    assert os.listdir(looks) == ["notes.txt"]
    mine.unlink()
    (looks / f"{'a' * 32}.npz").write_bytes(b"x" * 1000)
    dvdup(synced.root, "gc", "-q")
    assert not looks.exists()


def test_a_cache_of_an_earlier_version_is_taken_over(tmp_path):
    import sqlite3

    sealed = SealedFiles(tmp_path, lambda: b"k" * 32)
    with open_cache(sealed, "salt") as cache:
        cache.put("old", "pair", "a", "b")
    with sqlite3.connect(tmp_path / ANSWERS) as connection:
        connection.execute("ALTER TABLE answers DROP COLUMN about")
    connection.close()
    with open_cache(sealed, "salt") as cache:
        assert cache.get("pair", "a", "b") == "old"
        cache.put("new", "pair", "a", "c")
    assert wasted_answers(sealed, lambda name: False)[0] == 1  # nobody knows what the old one is
    assert not sealed.damaged


def test_two_writers_while_gc_runs_lose_nothing(synced):
    """Real processes: each adds its scans one by one, and gc runs again and again."""
    script = str(Path(sys.executable).parent / "dvdup")

    def started(*words: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [script, *map(str, words)],
            cwd=synced.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    chosen = {"one": (20, 21, 22), "two": (23, 0, 1)}
    for split, persons in chosen.items():
        for person in persons:
            synced.put(f"{split}/p{person:02}.nii.gz", person)
    running = []
    for rounds in range(3):
        for split, persons in chosen.items():
            path = f"{split}/p{persons[rounds]:02}.nii.gz"
            running.append(started("add", path, "--split", split, "-q"))
        running.append(started("gc", "--history"))
    outputs = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0] * len(running), outputs
    index = Index(synced.root / ".dvdup")
    added = {case.key for case in index.cases if case.origin == "added"}
    assert added == {(s, f"p{n:02}") for s, persons in chosen.items() for n in persons}
    assert find_damage(index) == ()
    assert find_damage(Index(synced.root / ".dvdup", "v1")) == ()


def test_many_small_writes_get_small(dataset, dvdup):
    """A folder of files that grow in number becomes one whose size is that of its contents."""
    dvdup(dataset.root, "sync", "-q")
    alone = folder_bytes(dataset.root / ".dvdup/index")
    for _ in range(12):
        dvdup(dataset.root, "rm", "train/p00", "-q")
        dvdup(dataset.root, "sync", "-q")
    folder = dataset.root / ".dvdup/index"
    grown = folder_bytes(folder)
    dvdup(dataset.root, "gc", "--history", "-q")
    assert folder_bytes(folder) < alone + 20_000 < grown
    assert "untagged versions" in dvdup(dataset.root, "log").stdout.splitlines()[1]
