"""Kill commands that write the index again and again: the next plain run must heal everything.

    python tests/perf/kills.py [--kills 100] [--seed 0] [--cases 30]

A command (`sync`, `sync --rebuild --yes`, `check`, `tag`, `rm`, `gc`, `gc --history`) is killed
with SIGKILL at a random moment of its usual time, with some scans moved away or back before, so
that it has work. After about every second kill a plain `sync` must end well, without `--rebuild`.
In the end all scans are back and a plain `check` must leave an index equal to one that was never
killed, row by row, a clean `status --verify` and the same report, byte by byte.
"""

from __future__ import annotations

import argparse
import collections
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from small_index import DVDUP, differences, env, last_line, rows, run, write_dataset

COMMANDS = (
    ("sync", "-q"),
    ("sync", "--rebuild", "--yes", "-q"),
    ("check", "-q"),
    ("tag", "TAG"),
    ("rm", "train/p01*"),
    ("gc",),
    ("gc", "--history"),
)
REPORT = ("check", "-q", "--format", "json", "--output", "report.json")


@dataclass
class Victim:
    """A dataset whose commands are killed."""

    root: Path
    rng: np.random.Generator

    def shuffle(self) -> None:
        """Move some scans of train away, and others back, so that a sync has work."""
        away = self.root.parent / "away"
        away.mkdir(exist_ok=True)
        for path in sorted(away.iterdir()):
            if self.rng.random() < 0.6:
                path.rename(self.root / "train" / path.name)
        for path in sorted((self.root / "train").iterdir()):
            if self.rng.random() < 0.3:
                path.rename(away / path.name)

    def restore(self) -> None:
        """All scans are back."""
        for path in sorted((self.root.parent / "away").iterdir()):
            path.rename(self.root / "train" / path.name)

    def kill(self, words: tuple[str, ...], after: float) -> bool:
        """Start a command and kill it; whether it had not ended by then."""
        command = [DVDUP, *words]
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(
            command, cwd=self.root, env=env(), stdout=quiet, stderr=quiet, start_new_session=True
        )
        time.sleep(after)
        running = process.poll() is None
        if running:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return running


def usual_seconds(root: Path) -> dict[tuple[str, ...], float]:
    """How long each command takes, on a copy."""
    copy = root.parent / "timed"
    shutil.copytree(root, copy)
    seconds = {}
    for words in COMMANDS:
        start = time.monotonic()
        run(copy, *words)
        seconds[words] = time.monotonic() - start
    return seconds


def kill_all(victim: Victim, kills: int, seconds: dict[tuple[str, ...], float]) -> list[str]:
    """Kill, and now and then run a sync; what went wrong, in words."""
    wrong: list[str] = []
    count: collections.Counter[str] = collections.Counter()
    done = tries = 0
    while done < kills:
        tries += 1
        words = COMMANDS[int(victim.rng.integers(len(COMMANDS)))]
        victim.shuffle()
        after = float(victim.rng.uniform(0.25, 1.0)) * seconds[words]
        named = tuple(f"t{tries}" if word == "TAG" else word for word in words)
        if victim.kill(named, after):
            done += 1
            count[" ".join(words)] += 1
        if victim.rng.random() < 0.5:
            healed = run(victim.root, "sync", "-q")
            if healed.returncode != 0:
                wrong.append(f"after kill {done} of {' '.join(named)}: {last_line(healed)}")
    print(f"{done} kills in {tries} runs: {dict(count)}")
    return wrong


def compare(victim: Victim, reference: Path) -> list[str]:
    """What the killed index, its verification and its report have otherwise."""
    victim.restore()
    done = run(victim.root, *REPORT)
    wrong = (
        [] if done.returncode == 1 else [f"check ends with {done.returncode}: {last_line(done)}"]
    )
    wrong += differences(victim.root / ".dvdup", rows(reference / ".dvdup"))
    verified = run(victim.root, "status", "--verify")
    if verified.returncode != 0:
        wrong.append(f"status --verify: {last_line(verified)}")
    reports = [root / "report.json" for root in (victim.root, reference)]
    if not all(path.exists() for path in reports):
        wrong.append("a report is missing")
    elif reports[0].read_bytes() != reports[1].read_bytes():
        wrong.append("the reports differ")
    return wrong


def main() -> None:
    """Make both datasets, kill, compare."""
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cases", type=int, default=30)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        reference = Path(place) / "reference/data"
        write_dataset(reference, asked.cases, commit_rows=200)
        root = Path(place) / "killed/data"
        shutil.copytree(reference, root)
        seconds = usual_seconds(root)
        run(reference, *REPORT)
        victim = Victim(root, np.random.default_rng(asked.seed))
        wrong = kill_all(victim, asked.kills, seconds)
        wrong += compare(victim, reference)
    print("\n".join(wrong) or "all healed without --rebuild; rows, verification and report equal")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
