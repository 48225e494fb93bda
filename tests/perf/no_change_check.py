"""How long `dvdup check` takes when nothing has changed, and what it imports.

    python tests/perf/no_change_check.py [--cases 1000] [--rounds 5]

Small random volumes go into train and test, are synced and checked once. Printed: seconds of
`dvdup check` (best of the rounds), of `dvdup --help` and of a bare interpreter in the same run, and
which heavy libraries the check loaded (bar: under 1 s for 1,000 cases, none of them but Lance).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nibabel as nib
import numpy as np

HEAVY = (
    "torch torchvision timm open_clip lance lancedb pyarrow numpy nibabel pydicom scipy PIL rich"
)
LOADED = (
    "import sys; from dvdup.cli import app\n"
    "try: app.main(['check', '-q'])\n"
    f"finally: print([n for n in {HEAVY.split()} if n in sys.modules], file=sys.stderr)"
)


def build(root: Path, n_cases: int) -> None:
    rng = np.random.default_rng(0)
    for number in range(n_cases):
        folder = root / ("train" if number % 5 else "test")
        folder.mkdir(parents=True, exist_ok=True)
        coarse = rng.integers(0, 900, (6, 6, 6)).repeat(4, 0).repeat(4, 1).repeat(4, 2)
        values = (coarse + rng.integers(0, 90, coarse.shape)).astype(np.int16)
        nib.save(nib.Nifti1Image(values, np.eye(4)), folder / f"{number:05}.nii")


def best(rounds: int, root: Path, *command: str) -> float:
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        subprocess.run(command, cwd=root, check=False, capture_output=True)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def main() -> None:
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        build(root, asked.cases)
        start = time.perf_counter()
        subprocess.run(["dvdup", "check", "-q", "--allow-unreadable"], cwd=root, check=False)
        print(f"first check of {asked.cases} cases: {time.perf_counter() - start:.1f} s")
        subprocess.run(["dvdup", "check", "-q"], cwd=root, check=False, capture_output=True)
        for name, command in (
            ("dvdup check, no change", ["dvdup", "check", "-q"]),
            ("dvdup --help", ["dvdup", "--help"]),
            ("bare interpreter", [sys.executable, "-c", "pass"]),
        ):
            print(f"{name}: {best(asked.rounds, root, *command):.2f} s")
        done = subprocess.run([sys.executable, "-c", LOADED], cwd=root, capture_output=True)
        print("loaded by the check:", done.stderr.decode().splitlines()[-1])


if __name__ == "__main__":
    main()
