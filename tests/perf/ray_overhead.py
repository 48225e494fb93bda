"""What a Ray cluster on this machine costs beside its processes, and that the two agree.

    python tests/perf/ray_overhead.py FOLDER [--jobs 2] [--kill 1]

FOLDER holds train/ and test/. A first `dvdup check` into a new index, with each runner; prints one
line of JSON: seconds (of which on Ray about 8 to start the cluster), their ratio, whether the two
reports are equal to the byte, and how many workers were killed on the way.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

_EVERY = 5.0  # seconds between two workers that are killed


def main() -> None:
    """Run both and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--kill", type=int, default=0, help="workers that are killed")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "dvdup.toml").write_text('[dataset]\nlayout = "folders"\npath = "data"\n')
        (Path(place) / "data").symlink_to(asked.folder.resolve())
        here, local, _ = check(Path(place), "local", asked.jobs, 0)
        there, ray, killed = check(Path(place), "ray", asked.jobs, asked.kill)
    found = {"local_s": round(here, 1), "ray_s": round(there, 1), "ratio": round(there / here, 2)}
    print(json.dumps({**found, "same": local == ray, "killed": killed}))


def check(place: Path, runner: str, jobs: int, kills: int) -> tuple[float, bytes, int]:
    """Seconds of a first check, its report, and how many workers were killed."""
    command = ["check", "-q", "-f", "json", "--runner", runner, "--jobs", str(jobs)]
    start, killed = time.monotonic(), 0
    running = subprocess.Popen(
        [Path(sys.executable).with_name("dvdup"), *command, "--index", f"index-{runner}"],
        cwd=place,
        stdout=(place / "report").open("wb"),
    )
    following = start
    while running.poll() is None:
        time.sleep(0.1)
        worker = next(busy(running.pid), None)
        if worker is not None and killed < kills and time.monotonic() > following:
            os.kill(worker, signal.SIGKILL)
            killed, following = killed + 1, time.monotonic() + _EVERY
    if running.returncode not in (0, 1):
        raise SystemExit(f"dvdup check --runner {runner} gave {running.returncode}")
    return time.monotonic() - start, (place / "report").read_bytes(), killed


def busy(driver: int):
    """The workers of a driver's cluster that do a task; Linux alone."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError):
            at_work = (folder / "cmdline").read_bytes().startswith(b"ray::_work_off")
            if at_work and parent(parent(int(folder.name))) == driver:
                yield int(folder.name)


def parent(process: int) -> int:
    """Who started a process."""
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


if __name__ == "__main__":
    main()
