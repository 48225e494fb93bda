"""Increments: what is embedded again and what is not, through kills, moves and parallel runs."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest

from dvdup.errors import InputError
from dvdup.workspace import LazyEmbedder


def counts(stderr: str) -> dict[str, int]:
    (line,) = [line for line in stderr.splitlines() if line.startswith("cases: ")]
    return {word: int(n) for n, word in re.findall(r"(\d+) ([a-z]+)", line)}


@pytest.fixture
def synced(dataset, dvdup):
    dvdup(dataset.root, "sync", "-q")
    return dataset


def test_nothing_changed(synced, dvdup):
    before = dvdup(synced.root, "log").stdout
    assert counts(dvdup(synced.root, "sync").stderr) == {"unchanged": 20}
    assert dvdup(synced.root, "log").stdout == before


def test_one_file_added(synced, dvdup):
    synced.put("train/new.nii.gz", 20)
    assert counts(dvdup(synced.root, "sync").stderr) == {"embedded": 1, "unchanged": 20}


def test_ten_moved(synced, dvdup):
    (synced.root / "train/sub").mkdir()
    for n in range(10):
        name = f"p{n:02}.nii.gz"
        (synced.root / "train" / name).rename(synced.root / "train/sub" / f"moved{name}")
    assert counts(dvdup(synced.root, "sync").stderr) == {"renamed": 10, "unchanged": 10}
    assert dvdup(synced.root, "status", "--verify").code == 0


def test_two_exchanged(synced, dvdup):
    a, b = (synced.root / "train" / f"p0{n}.nii.gz" for n in (1, 2))
    a.rename(a.with_name("x"))
    b.rename(a)
    a.with_name("x").rename(b)
    assert counts(dvdup(synced.root, "sync").stderr) == {"reused": 2, "unchanged": 18}
    assert dvdup(synced.root, "status", "--verify").code == 0
    report = dvdup(synced.root, "query", synced.pool / "p01.nii.gz", "-f", "json").json
    assert [pair["a"]["case"] for pair in report["pairs"]] == ["p02"]


def test_moved_to_the_other_split(synced, dvdup):
    (synced.root / "train/p03.nii.gz").rename(synced.root / "test/p03.nii.gz")
    assert counts(dvdup(synced.root, "sync").stderr) == {"renamed": 1, "unchanged": 19}
    assert dvdup(synced.root, "check").code == 0


def set_mtimes(dataset, seconds):
    for file in dataset.root.rglob("*.nii.gz"):
        os.utime(file, (seconds, seconds))


def test_all_mtimes_touched(dataset, dvdup):
    set_mtimes(dataset, 1_000_000_000)
    dvdup(dataset.root, "sync", "-q")
    set_mtimes(dataset, 1_100_000_000)
    assert counts(dvdup(dataset.root, "sync").stderr) == {"touched": 20}
    assert counts(dvdup(dataset.root, "sync").stderr) == {"unchanged": 20}
    assert dvdup(dataset.root, "status", "--verify").code == 0


def test_an_unchecked_case_is_told_by_every_sync(dataset, dvdup, save):
    """Also when its stats alone say that nothing has changed: the index stays incomplete."""
    save(dataset.root / "test/flat.nii.gz", np.full((20, 20, 20), 7, np.int16))
    set_mtimes(dataset, 1_000_000_000)
    for _ in range(3):
        done = dvdup(dataset.root, "sync")
        assert done.code == 2
        assert "test/flat: no informative slice" in done.stderr
    assert counts(done.stderr)["unchanged"] == 21


def test_young_files_are_hashed_once_more_and_no_news(dataset, dvdup, monkeypatch):
    """Written within 2 s of the index: hashed by the next run, then trusted by their stats."""
    from dvdup import files

    with monkeypatch.context() as young:
        young.setattr(files, "_RACY_NS", 10**18)
        dvdup(dataset.root, "sync", "-q")
    before = dvdup(dataset.root, "log").stdout
    set_mtimes(dataset, 1_100_000_000)
    assert counts(dvdup(dataset.root, "sync").stderr) == {"unchanged": 20}
    monkeypatch.setattr(files, "file_hash", lambda path: pytest.fail(f"{path} is hashed again"))
    assert counts(dvdup(dataset.root, "sync").stderr) == {"unchanged": 20}
    assert dvdup(dataset.root, "log").stdout == before


def test_changed_at_once_with_same_size_and_mtime(synced, dvdup, save, phantom):
    """Racily clean: written within 2 s of the index, so the stat alone proves nothing."""
    path = save(synced.root / "train/raw.nii", phantom(20))
    dvdup(synced.root, "sync", "-q")
    status = path.stat()
    save(path, phantom(21))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_size == status.st_size
    done = counts(dvdup(synced.root, "sync").stderr)
    assert done["embedded"] == 1


def test_deleted_file_leaves_the_index(synced, dvdup):
    (synced.root / "train/p03.nii.gz").unlink()
    assert counts(dvdup(synced.root, "sync").stderr) == {"removed": 1, "unchanged": 19}


def test_a_copy_is_not_embedded(synced, dvdup):
    synced.put("test/copy.nii.gz", 3)
    assert counts(dvdup(synced.root, "sync").stderr) == {"reused": 1, "unchanged": 20}


def test_re_encoded_copy_is_not_embedded(synced, dvdup, save, phantom):
    save(synced.root / "test/copy.nii", phantom(3))
    assert counts(dvdup(synced.root, "sync").stderr) == {"reused": 1, "unchanged": 20}


def test_stop_request_keeps_what_is_finished(dataset, monkeypatch, dvdup):
    from dvdup.config import load_config
    from dvdup.errors import Interrupted
    from dvdup.records import Hooks
    from dvdup.sync import build
    from dvdup.workspace import Workspace

    monkeypatch.chdir(dataset.root)
    workspace = Workspace(
        load_config(config=None, cwd=dataset.root, environ={}, overrides={"jobs": 1})
    )
    seen = []
    hooks = Hooks(
        progress=lambda what, done, total: seen.append(done), should_stop=lambda: 5 in seen
    )
    with pytest.raises(Interrupted, match="5 of 20"):
        build.sync(workspace, hooks=hooks)
    assert counts(dvdup(dataset.root, "sync").stderr) == {"embedded": 15, "unchanged": 5}


def test_a_failure_keeps_what_is_finished(dataset, monkeypatch, dvdup):
    """As when the workers of a cluster die: the next run does not begin anew."""
    embed, done = LazyEmbedder.embed, []

    def failing(self, stack):
        if len(done) == 4:
            raise InputError("workers died; what was finished is kept")
        done.append(stack)
        return embed(self, stack)

    with monkeypatch.context() as patch:
        patch.setattr(LazyEmbedder, "embed", failing)
        ran = dvdup(dataset.root, "sync")
    assert (ran.code, "workers died" in ran.stderr) == (2, True)
    assert counts(dvdup(dataset.root, "sync").stderr) == {"embedded": 16, "unchanged": 4}


def test_two_at_once(dataset, console, dvdup):
    done = []
    threads = [
        threading.Thread(target=lambda: done.append(console(dataset.root, "sync")))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [ran.code for ran in done] == [0, 0], [ran.stderr for ran in done]
    assert sorted(str(counts(ran.stderr)) for ran in done) == [
        "{'embedded': 20}",
        "{'unchanged': 20}",
    ]
    assert dvdup(dataset.root, "status", "--verify").code == 0


def test_no_change_check_imports_nothing_heavy(synced, dvdup):
    dvdup(synced.root, "check", "-q")
    code = (
        "import sys; from dvdup.cli import app\n"
        "try: app.main(['check'])\n"
        "except SystemExit as stop: assert stop.code == 0, stop.code\n"
        "heavy = 'torch torchvision timm open_clip lancedb nibabel pydicom SimpleITK PIL scipy '\n"
        "heavy += 'ray dvdup.cluster urllib.request rich.console'\n"
        "print([name for name in heavy.split() if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=synced.root, capture_output=True, text=True, check=True
    )
    assert done.stderr.splitlines()[-1] == "[]"


def test_a_killed_swap_is_undone(synced, dvdup):
    index = synced.root / ".dvdup/index"
    index.rename(index.with_name("index.old"))
    assert counts(dvdup(synced.root, "sync").stderr) == {"unchanged": 20}
    assert not index.with_name("index.old").exists()


def test_symlinked_data_and_read_only_root(dataset, dvdup, tmp_path):
    place = tmp_path / "elsewhere"
    place.mkdir()
    (place / "train").symlink_to(dataset.root / "train", target_is_directory=True)
    (place / "test").symlink_to(dataset.root / "test", target_is_directory=True)
    done = dvdup(place, "sync", "--index", tmp_path / "index")
    assert done.code == 0, done.stderr
    assert not (place / ".dvdup").exists()
    assert dvdup(place, "check", "--index", tmp_path / "index").code == 0


# Another file of the same size and mtime


@pytest.fixture
def plain(dataset, dvdup, save, phantom):
    """Uncompressed scans of one size and one mtime, indexed."""
    for split, seeds in (("train", (0, 1)), ("test", (2, 3))):
        for path in (dataset.root / split).iterdir():
            path.unlink()
        for seed in seeds:
            path = save(dataset.root / f"{split}/s{seed}.nii", phantom(seed))
            os.utime(path, (1_000_000_000, 1_000_000_000))
    assert dvdup(dataset.root, "check", "-q").code == 0
    return dataset


@pytest.mark.parametrize("how", ["over it", "in its place"])
def test_a_leak_under_the_old_size_and_mtime_is_found(plain, dvdup, how):
    target, source = plain.root / "test/s2.nii", plain.root / "train/s0.nii"
    status = target.stat()
    if how == "over it":
        target.write_bytes(source.read_bytes())
    else:
        (plain.root / "part").write_bytes(source.read_bytes())
        os.replace(plain.root / "part", target)
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert dvdup(plain.root, "check", "-q").code == 1


def test_two_files_that_are_swapped_are_noticed(plain, dvdup):
    one, other = plain.root / "test/s2.nii", plain.root / "train/s0.nii"
    one.rename(plain.root / "x")
    other.rename(one)
    (plain.root / "x").rename(other)
    assert "1 touched" not in dvdup(plain.root, "sync").stderr
    assert dvdup(plain.root, "status", "--verify").code == 0


def test_a_copy_with_its_times_is_no_version_of_the_index(plain, dvdup, monkeypatch):
    before = dvdup(plain.root, "log").stdout
    for path in plain.root.rglob("*.nii"):
        shutil.copy2(path, plain.root / "x")
        os.replace(plain.root / "x", path)
    assert counts(dvdup(plain.root, "sync").stderr) == {"unchanged": 4}
    assert dvdup(plain.root, "log").stdout == before
    monkeypatch.setattr(
        "dvdup.files.file_hash", lambda path: pytest.fail(f"{path} is hashed again")
    )
    assert counts(dvdup(plain.root, "sync").stderr) == {"unchanged": 4}


@pytest.mark.parametrize("command", ["check", "sync"])
def test_full_hashes_what_seems_unchanged(plain, dvdup, monkeypatch, command):
    """Where a file system keeps neither ctime nor inodes."""
    monkeypatch.setattr("dvdup.files._differ", lambda stored, now: False)
    target = plain.root / "test/s2.nii"
    before = target.stat()
    target.write_bytes((plain.root / "train/s0.nii").read_bytes())
    os.utime(target, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert dvdup(plain.root, "check", "-q").code == 0
    assert dvdup(plain.root, command, "--full", "-q").code == (1 if command == "check" else 0)
    assert dvdup(plain.root, "check", "-q").code == 1


def test_a_file_that_was_closed_is_looked_at_again(plain, dvdup, monkeypatch):
    access = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: not str(path).endswith("s2.nii") and access(path, mode)
    )
    seen = []
    sync = importlib.import_module("dvdup.sync.look")
    whole = sync.prepare
    monkeypatch.setattr(
        sync, "prepare", lambda root, case, *rest: seen.append(case) or whole(root, case, *rest)
    )
    dvdup(plain.root, "sync", "-q")
    assert [case.case_id for case in seen] == ["s2"]
