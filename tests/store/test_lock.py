"""One writer at a time, in this process and others; a killed one gives its lock back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dvdup import store
from dvdup.errors import StoreError
from dvdup.store import Index, Writer, write_lock

PATIENCE = 30.0
"""Seconds after which a test that would wait for ever fails."""
HOLD = (
    "import sys, time; from pathlib import Path; from dvdup.store import write_lock\n"
    "with write_lock(Path(sys.argv[1]), Path(sys.argv[1]).parent):\n"
    "    print('held', flush=True); time.sleep(60)"
)


def test_the_second_waits_and_says_so_once(folder):
    order, waits = [], threading.Event()

    def told():
        order.append("waiting")
        waits.set()

    def second():
        with write_lock(folder, folder.parent, told):
            order.append("second")

    with write_lock(folder, folder.parent, lambda: order.append("never")):
        thread = threading.Thread(target=second)
        thread.start()
        waits.wait(PATIENCE)
        order.append("first done")
    thread.join()
    assert order == ["waiting", "first done", "second"]


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
def test_a_killed_process_gives_its_lock_back(folder):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    waited = threading.Event()

    def kill():
        waited.wait(PATIENCE)
        holder.send_signal(signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    with write_lock(folder, folder.parent, waited.set):
        assert waited.is_set()
    thread.join()
    holder.wait()
    holder.stdout.close()


def test_two_writers_lose_nothing_and_double_nothing(folder, rows, case):
    """Each opens the index inside its lock, as commands do."""

    def work(names):
        for name in names:
            with write_lock(folder, folder.parent):
                index = Index(folder)
                writer = Writer(index, f"add {name}")
                writer.put(case(name), rows(ord(name)), "embedded")
                writer.flush()

    threads = [threading.Thread(target=work, args=(names,)) for names in ("abc", "cde")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    index = Index(folder)
    assert [c.case_id for c in index.cases] == list("abcde")
    assert index.slices.count_rows() == 5 * 5
    assert store.find_damage(index) == ()
    assert len(store.log(index)) == 6


def test_an_error_inside_releases_it(folder):
    with pytest.raises(RuntimeError), write_lock(folder, folder.parent):
        raise RuntimeError
    with write_lock(folder, folder.parent, pytest.fail):
        pass


def test_the_folder_keeps_itself_out_of_git(tmp_path):
    with write_lock(tmp_path / "deep/er", tmp_path):
        assert (tmp_path / "deep/er/.gitignore").read_text() == "*\n"
    (tmp_path / "deep/er/.gitignore").write_text("mine\n")
    with write_lock(tmp_path / "deep/er", tmp_path):
        pass
    assert (tmp_path / "deep/er/.gitignore").read_text() == "mine\n"


def test_a_full_disk_is_called_so(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", full)
    held = write_lock(tmp_path / "index", tmp_path)
    with pytest.raises(StoreError, match="No space left on device; free some space, or name"):
        held.__enter__()


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    held = write_lock(tmp_path / "file/store", tmp_path)
    with pytest.raises(StoreError, match="name another one with --index"):
        held.__enter__()
