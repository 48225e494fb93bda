"""How long commands take: the first comparison, small changes of a dataset, and next to nothing.

    python tests/perf/increments.py SCANS DVDUP [DVDUP...] [--rounds 5] [--firsts 1]

SCANS is a folder with NIfTI files, of which two in three become train and the others test; a few
are kept back, to be added one by one. Every DVDUP (a path to the command) gets a dataset and an
index of its own. Rounds alternate between them. Printed: the median of each, its share of the
first one, and whether copies that were added were found every time.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

CHECK = ("check", "--quiet")
FIRST = "sync and first diff"
Change = Callable[[np.ndarray], np.ndarray]
COPIES = ("a noisy copy added", "a cropped copy added")


@dataclass(frozen=True)
class Dataset:
    """A dataset with an index, and the command that keeps it."""

    dvdup: Path
    root: Path

    def run(self, *words: str | Path, codes: Sequence[int] = (0, 1)) -> tuple[float, int]:
        """Seconds and exit code of a command.

        Raises:
            SystemExit: It ended with another code.
        """
        start = time.perf_counter()
        command = [str(self.dvdup), *map(str, words)]
        done = subprocess.run(command, cwd=self.root, capture_output=True, text=True)
        if done.returncode not in codes:
            raise SystemExit(f"{' '.join(command)}: {done.returncode}\n{done.stderr}")
        return time.perf_counter() - start, done.returncode

    def first(self) -> float:
        """Seconds from nothing to the first report."""
        shutil.rmtree(self.root / ".dvdup", ignore_errors=True)
        return self.run("sync", "--quiet")[0] + self.run("diff", "train", "test", "--quiet")[0]

    def steps(self, spare: Path) -> Iterator[tuple[str, float, int]]:
        """What is done, and the seconds and exit code of the check after it."""
        test, train = self.root / "test", self.root / "train"
        yield "--help", *self.run("--help")
        yield "check, nothing changed", *self.run(*CHECK)
        yield "query FILE", *self.run("query", spare)
        new = test / f"new-{spare.name}"
        shutil.copy(spare, new)
        yield "a clean file added", *self.run(*CHECK)
        new.unlink()
        yield "a file deleted", *self.run(*CHECK)
        source = sorted(train.iterdir())[7]
        for name, change in zip(COPIES, (noisy, cropped), strict=True):
            write_changed(source, test / f"copy-{source.name}", change)
            yield name, *self.run(*CHECK)
            (test / f"copy-{source.name}").unlink()
            self.run(*CHECK)
        other = source.with_name(f"other-{source.name}")
        source.rename(other)
        yield "a file renamed", *self.run(*CHECK)
        other.rename(test / source.name)
        yield "a file moved to test", *self.run(*CHECK)
        (test / source.name).rename(source)
        self.run(*CHECK)


def noisy(values: np.ndarray) -> np.ndarray:
    """A copy with noise of a tenth of its range."""
    low, high = np.percentile(values, (0.5, 99.5))
    return values + np.random.default_rng(0).normal(0, 0.1 * (high - low), values.shape)


def cropped(values: np.ndarray) -> np.ndarray:
    """Three quarters of each extent."""
    return values[tuple(slice(n // 8, n - n // 8) for n in values.shape)]


def write_changed(source: Path, copy: Path, change: Change) -> None:
    """Write a changed copy of a scan."""
    image = nib.load(source)
    values = change(np.asarray(image.dataobj, np.float32))
    nib.save(nib.Nifti1Image(values.astype(np.float32), image.affine), copy)


def lay_out(scans: Sequence[Path], folder: Path) -> None:
    """Write a dataset of two splits."""
    for number, scan in enumerate(scans):
        split = folder / ("test" if number % 3 == 2 else "train")
        split.mkdir(parents=True, exist_ok=True)
        shutil.copy(scan, split / scan.name)
    text = '[dataset]\nlayout = "folders"\n'
    (folder / "dvdup.toml").write_text(text, encoding="utf-8")


def measure(datasets: Sequence[Dataset], spares: Sequence[Path], firsts: int) -> None:
    """Run all rounds and print the table."""
    seconds: dict[str, list[list[float]]] = {}
    found: dict[str, list[int]] = {name: [0] * len(datasets) for name in COPIES}

    def note(name: str, column: int, took: float) -> None:
        seconds.setdefault(name, [[] for _ in datasets])[column].append(took)

    for _ in range(max(1, firsts)):
        for column, dataset in enumerate(datasets):
            note(FIRST, column, dataset.first())
    for dataset in datasets:
        dataset.run(*CHECK)
    for spare in spares:
        for column, dataset in enumerate(datasets):
            for name, took, code in dataset.steps(spare):
                note(name, column, took)
                if name in found:
                    found[name][column] += code == 1
    for name, columns in seconds.items():
        medians = [statistics.median(each) for each in columns]
        shares = " ".join(f"{each:8.2f} s ({each / medians[0]:4.2f})" for each in medians)
        said = f"  found {found[name]} of {len(spares)}" if name in found else ""
        print(f"{name:24s} {shares}{said}", flush=True)


def main() -> None:
    """Lay out a dataset for every command, and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("scans", type=Path)
    parser.add_argument("dvdups", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--firsts", type=int, default=1)
    parser.add_argument("--cases", type=int, default=161)
    asked = parser.parse_args()
    scans = sorted(asked.scans.resolve().rglob("*.nii*"))
    scans = [scan for scan in scans if not scan.name.startswith(".")]
    kept = scans[: asked.cases - asked.rounds]
    if len(kept) < 12:
        raise SystemExit(f"{asked.scans} holds too few NIfTI files")
    with tempfile.TemporaryDirectory() as place:
        datasets = []
        for number, dvdup in enumerate(asked.dvdups):
            root = Path(place) / str(number)
            lay_out(kept, root)
            datasets.append(Dataset(dvdup.absolute(), root))
        measure(datasets, scans[len(kept) : len(kept) + asked.rounds], asked.firsts)


if __name__ == "__main__":
    main()
