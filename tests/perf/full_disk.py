"""Fill the disk while an index is made: it fails with a sentence, and heals once there is space.

    sudo python tests/perf/full_disk.py [--cases 30]

The index (`--index`) lies on a tmpfs of each of 20 limits, in bytes or in inodes, from empty. The
first `sync` must end with 0 or with 2 and a sentence; after the file system has been enlarged the
next plain `sync` must end with 0, without `--rebuild`, and leave an index equal to one made with
enough space, row by row. Mounting needs root on Linux.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from small_index import differences, last_line, rows, run, write_dataset

SIZES = ("4k", "8k", "12k", "16k", "20k", "24k", "32k", "48k", "64k", "96k", "128k", "192k", "256k")
INODES = (2, 4, 6, 10, 16, 24, 40)
LIMITS = (*(f"size={size}" for size in SIZES), *(f"nr_inodes={count}" for count in INODES))
ENOUGH = "size=512m,nr_inodes=100000"


@contextmanager
def mounted(folder: Path, limit: str) -> Iterator[None]:
    """A tmpfs on a folder for a while."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", limit, "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


def try_one(root: Path, limit: str, reference: dict[tuple[object, ...], bytes]) -> tuple[str, str]:
    """What happened on the full and on the enlarged file system; the second is "equal" or not."""
    folder = root.parent / "small"
    with mounted(folder, limit):
        first = run(root, "sync", "-q", "--index", str(folder))
        said = f"{first.returncode}: {last_line(first)}"
        if first.returncode not in (0, 2) or "Traceback" in first.stderr:
            return said, "no sentence"
        enlarge = ["mount", "-o", f"remount,{ENOUGH}", str(folder)]
        subprocess.run(enlarge, check=True)
        second = run(root, "sync", "-q", "--index", str(folder))
        if second.returncode != 0:
            return said, f"stuck, {second.returncode}: {last_line(second)}"
        return said, "; ".join(differences(folder, reference)) or "equal"


def main() -> None:
    """Try every limit and print a table."""
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--cases", type=int, default=30)
    asked = parser.parse_args()
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        sys.exit("mounting a tmpfs needs root: run it with sudo")
    print("| limit | first sync | after more space |\n|---|---|---|")
    bad = 0
    with tempfile.TemporaryDirectory() as place:
        root = Path(place) / "data"
        write_dataset(root, asked.cases, commit_rows=200)
        whole = root.parent / "whole"
        run(root, "sync", "-q", "--index", str(whole))
        reference = rows(whole)
        for limit in LIMITS:
            first, then = try_one(root, limit, reference)
            bad += then != "equal"
            print(f"| {limit} | {first} | {then} |", flush=True)
    print(f"\n{len(LIMITS) - bad} of {len(LIMITS)} equal")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
