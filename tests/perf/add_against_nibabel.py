"""How long `dvdup add` takes against reading the same volumes with nibabel, and its memory.

    python tests/perf/add_against_nibabel.py FOLDER [--embedder NAME] [--cases 10 50] [--rounds 3]

FOLDER holds NIfTI volumes; for more cases than there are files, files are linked under new names
(with a byte of their own at the end, so that they are read, not recognised).
Printed: seconds of `np.asanyarray(nib.load(f).dataobj)` over all files on one thread, seconds of
`dvdup add`, their ratio (bar: 2); then the peak memory of `dvdup add` by number of cases.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nibabel as nib
import numpy as np


def by_nibabel(files: list[Path]) -> float:
    start = time.perf_counter()
    for file in files:
        np.asanyarray(nib.load(file).dataobj)
    return time.perf_counter() - start


def add(folder: Path, embedder: str | None) -> tuple[float, int]:
    """Seconds and peak memory in MB of one `dvdup add` into a fresh index, in a child process."""
    shutil.rmtree(folder.parent / ".dvdup", ignore_errors=True)
    command = ["dvdup", "add", "-q", "--split", "train", folder.name]
    if embedder:
        command += ["--embedder", embedder]
    code = (
        "import resource, subprocess, sys, time\n"
        f"start = time.perf_counter()\nsubprocess.run({command!r}, check=True)\n"
        "print(time.perf_counter() - start)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder.parent, capture_output=True, text=True, check=True
    )
    seconds, peak = done.stdout.split()
    return float(seconds), int(peak) // 1024


def copies(files: list[Path], folder: Path, n: int) -> None:
    """n distinct files made of the given ones."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for number in range(n):
        target = folder / f"{number:04}_{files[number % len(files)].name}"
        image = nib.load(files[number % len(files)])
        values = np.array(image.dataobj)
        values.flat[number] = number + 1
        nib.save(nib.Nifti1Image(values, image.affine, image.header), target)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--embedder")
    parser.add_argument("--cases", type=int, nargs="*", default=[10, 50, 150])
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    files = sorted(asked.folder.glob("*.nii*"))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "scans"
        folder.mkdir()
        for file in files:
            (folder / file.name).symlink_to(file.resolve())
        by_nibabel(files)
        for _ in range(asked.rounds):
            alone, (ours, _) = by_nibabel(files), add(folder, asked.embedder)
            print(
                f"{len(files)} files: nibabel {alone:.2f} s, dvdup add {ours:.2f} s, "
                f"ratio {ours / alone:.2f}"
            )
        for n in asked.cases:
            copies(files, folder, n)
            seconds, peak = add(folder, asked.embedder)
            print(f"{n} cases: {seconds:.1f} s, peak {peak} MB")


if __name__ == "__main__":
    assert resource is not None
    main()
