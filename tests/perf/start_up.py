"""How long commands take that do next to nothing, for one or more installed dvdup.

    python tests/perf/start_up.py SCANS DVDUP [DVDUP...] [--rounds 3]

SCANS is a folder with NIfTI files, of which two in three become train and the others test; one is
kept back for `query`, and one a round for the check with one new file. Every
DVDUP (a path to the command) gets a dataset and an index of its own. Rounds alternate between them;
the best of each is printed, and its share of the first one.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

WAYS = ("--help", "check, nothing changed", "check, one new file", "query FILE")


def seconds(command: Sequence[str | Path], folder: Path) -> float:
    start = time.perf_counter()
    done = subprocess.run([*map(str, command)], cwd=folder, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stderr}")
    return time.perf_counter() - start


def lay_out(scans: Sequence[Path], folder: Path) -> None:
    for number, scan in enumerate(scans):
        split = folder / ("test" if number % 3 == 2 else "train")
        split.mkdir(parents=True, exist_ok=True)
        shutil.copy(scan, split / scan.name)
    text = '[dataset]\nlayout = "folders"\n'
    (folder / "dvdup.toml").write_text(text, encoding="utf-8")


def one_round(dvdup: Path, folder: Path, spare: Path, asked: Path) -> tuple[float, ...]:
    times = [seconds((dvdup, "--help"), folder), seconds((dvdup, "check", "--quiet"), folder)]
    shutil.copy(spare, folder / "train" / f"new-{spare.name}")
    times.append(seconds((dvdup, "check", "--quiet"), folder))
    times.append(seconds((dvdup, "query", asked), folder))
    return tuple(times)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("scans", type=Path)
    parser.add_argument("dvdups", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cases", type=int, default=161)
    asked = parser.parse_args()
    scans = sorted(asked.scans.resolve().glob("*.nii*"))
    if len(scans) < 12:
        raise SystemExit(f"{asked.scans} holds fewer than 12 NIfTI files")
    query, *spares = scans[: asked.rounds + 1]
    used = scans[asked.rounds + 1 :][: asked.cases]
    dvdups = [dvdup.absolute() for dvdup in asked.dvdups]
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / str(number) for number in range(len(dvdups))]
        for dvdup, folder in zip(dvdups, folders, strict=True):
            lay_out(used, folder)
            print(f"{dvdup}: first check of {len(used)} cases: ", end="", flush=True)
            print(f"{seconds((dvdup, 'check', '--quiet'), folder):.1f} s")
        rounds = [
            [one_round(*each, spare, query) for each in zip(dvdups, folders, strict=True)]
            for spare in spares
        ]
    for i, way in enumerate(WAYS):
        best = [min(times[n][i] for times in rounds) for n in range(len(dvdups))]
        cells = (f"{each:.2f} s ({each / best[0]:.2f})" for each in best)
        print(f"{way}: {', '.join(cells)}")


if __name__ == "__main__":
    main()
