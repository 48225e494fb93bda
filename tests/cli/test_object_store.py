"""An index on an object store through the console: kills of the server, two machines, secrets."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from object_server import BUCKET, SECRET, ObjectServer, needs_server

from dvdup.errors import InputError
from dvdup.objects import ObjectFolder

pytestmark = needs_server


@pytest.fixture
def small(dataset):
    """A dataset with one leak, and commits of every few cases."""
    dataset.put("test/leak.nii.gz", 3)
    (dataset.root / "dvdup.toml").write_text(
        'embedder = "thumbnail"\n[dataset]\nlayout = "folders"\n[store]\ncommit_rows = 60\n'
    )
    return dataset.root


def started(folder: Path, *args: str, **env: str) -> subprocess.Popen[str]:
    """Start the console script and do not wait for it."""
    import os

    script = Path(sys.executable).with_name("dvdup")
    return subprocess.Popen(
        [script, *args], cwd=folder, env={**os.environ, **env}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def test_reports_are_those_of_a_local_index(small, dvdup, address):
    for how in ("json", "table", "csv", "markdown", "sarif"):
        local = dvdup(small, "check", "-q", "-f", how)
        assert (local.code, "leak" in local.stdout) == (1, True)
        assert dvdup(small, "check", "-q", "-f", how, "--index", address).stdout == local.stdout


def test_a_server_that_is_killed_in_the_middle(small, console, tmp_path, monkeypatch):
    server = ObjectServer(tmp_path / "objects")
    server.start()
    for name, value in server.environ.items():
        monkeypatch.setenv(name, value)
    index = ("--index", f"s3://{BUCKET}/index")
    running = started(small, "sync", "-q", *index)
    for _ in range(6000):  # until something has been committed
        if len(server.files("index/index/cases.lance/data")) > 1 or running.poll() is not None:
            break
        time.sleep(0.01)
    server.kill()
    _, stderr = running.communicate(timeout=600)
    assert running.returncode == 2, stderr
    assert "cannot be reached" in stderr
    assert "Traceback" not in stderr
    down = console(small, "diff", "train", "test", *index)
    assert (down.code, "cannot be reached" in down.stderr) == (2, True)
    server.start()
    done = console(small, "sync", *index)
    assert done.code == 0, done.stderr
    kept = re.search(r"(\d+) unchanged", done.stderr)
    assert kept, done.stderr
    assert int(kept[1]) > 0
    assert "verified: all well" in console(small, "status", "--verify", *index).stdout
    assert console(small, "check", "-q", *index).code == 1
    server.kill()


def test_two_machines_at_once(small, console, address, tmp_path):
    """They have caches of their own, so that no file tells one of the other."""
    command = ("check", "-f", "csv", "--index", address)
    running = [
        started(small, *command, XDG_CACHE_HOME=str(tmp_path / name)) for name in ("one", "two")
    ]
    said = [each.communicate(timeout=600) for each in running]
    assert [each.returncode for each in running] == [1, 1], said
    assert said[0][0] == said[1][0]
    index = ("--index", address)
    assert "verified: all well" in console(small, "status", "--verify", *index).stdout
    log = console(small, "log", *index).stdout
    assert log.count("20 embedded, 1 reused") == 1, log  # the second found all done


def test_credentials_are_in_no_file_and_no_line(small, dvdup, address, object_server, tmp_path):
    for args in (
        ("check", "-vv", "-f", "json", "-o", "report.json"), ("tag", "v1"), ("status", "--verify"),
        ("check", "--show-settings"), ("log",), ("gc",), ("audit", "-o", "audit.md"),
    ):  # fmt: skip
        done = dvdup(small, *args, "--index", address)
        assert done.code in (0, 1), done.stderr
        assert SECRET not in done.stdout + done.stderr
    files = [path for top in {tmp_path, small.parent} for path in top.rglob("*") if path.is_file()]
    assert files
    for path in (*files, *object_server.files()):
        assert SECRET.encode() not in path.read_bytes(), path


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("is_remote", [True, False])
def test_a_failure_before_anything_is_indexed_leaves_what_was_there(
    small, dvdup, request, monkeypatch, is_remote, there
):
    from dvdup.sync.run import Run

    def fail(self, todo, declaration):
        raise InputError("no cluster")

    index = request.getfixturevalue("address") if is_remote else str(small / "index")
    if there:
        assert dvdup(small, "sync", "-q", "--index", index).code == 0
    with monkeypatch.context() as patch:
        patch.setattr(Run, "carry_out", fail)
        for command in ("sync", "check"):
            ran = dvdup(small, command, "--index", index)
            assert (ran.code, "no cluster" in ran.stderr) == (2, True)
    assert ("no index" in dvdup(small, "log", "--index", index).stderr) != there
    if not there:
        assert not is_remote or not ObjectFolder(index).names()
        assert is_remote or not (small / "index").exists()


def test_a_configuration_may_not_choose_the_store(small, dvdup, address):
    """It may have come with somebody's data, and the index says much about the scans."""
    text = (small / "dvdup.toml").read_text()
    (small / "dvdup.toml").write_text(f'index = "{address}"\n{text}')
    refused = dvdup(small, "sync")
    assert (refused.code, "--outside-index" in refused.stderr) == (2, True)
    assert dvdup(small, "sync", "--outside-index").code == 0


def test_a_file_address_is_a_folder(small, dvdup):
    there = small.parent / "my index"
    done = dvdup(small, "check", "-q", "--index", there.as_uri())
    assert (done.code, (there / "dvdup-index.json").is_file()) == (1, True)


def test_without_the_extra(small, dvdup, address, monkeypatch):
    monkeypatch.setattr("dvdup.extras.is_installed", lambda name: name != "obstore")
    done = dvdup(small, "sync", "--index", address)
    assert (done.code, "pip install 'dvdup[cloud]'" in done.stderr) == (2, True)


def test_a_command_waits_for_one_on_another_machine(small, dvdup, address, tmp_path, monkeypatch):
    from dvdup.store import lease, storage_at

    monkeypatch.setattr(lease, "_POLL", 0.1)
    dvdup(small, "sync", "-q", "--index", address)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    other = storage_at(address, small)
    entered, leave = threading.Event(), threading.Event()

    def hold():
        with other.locked(small, lambda: None, moved=False):
            entered.set()
            leave.wait(2)

    thread = threading.Thread(target=hold)
    thread.start()
    assert entered.wait(60)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "mine"))
    done = dvdup(small, "tag", "v1", "--index", address)
    thread.join()
    assert (done.code, "waiting" in done.stderr) == (0, True)
