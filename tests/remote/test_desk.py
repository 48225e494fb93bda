"""The folder of one process: its own, gone with it, and cleared by the next where it was killed."""

import subprocess
import sys

from dvdup.remote.desk import Desk


def test_every_place_is_new(tmp_path):
    desk = Desk(tmp_path / "data")
    first, second = desk.place("case"), desk.place("case")
    assert first != second
    assert first.is_dir()
    assert second.is_dir()
    desk.close()
    assert not desk.folder.exists()


def test_those_of_living_processes_stay(tmp_path):
    one, other = Desk(tmp_path / "data"), Desk(tmp_path / "data")
    place = one.place("case")
    other.close()
    Desk(tmp_path / "data").close()
    assert place.is_dir()
    one.close()


KILLED = """
import os, sys
from pathlib import Path
from dvdup.remote.desk import Desk
place = Desk(Path(sys.argv[1])).place("case")
(place / "half").write_bytes(b"x")
print(place, flush=True)
os._exit(9)
"""


def test_what_a_killed_process_left_is_cleared_away(tmp_path):
    folder = tmp_path / "data"
    done = subprocess.run(
        [sys.executable, "-c", KILLED, folder], capture_output=True, text=True, check=False
    )
    assert done.returncode == 9, done.stderr
    left = folder / "desks"
    assert any(left.rglob("half"))
    Desk(folder).close()
    assert not list(left.rglob("*"))
