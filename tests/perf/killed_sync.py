"""Kill `dvdup sync` again and again: nothing but the last window may be lost, nothing doubled.

    python tests/perf/killed_sync.py FOLDER [--kills 30] [--cases 8000] [--commit-rows 1500]

FOLDER holds volumes. Copies of them, each with a voxel of its own changed, become one split; an
undisturbed sync of it (it should take a minute at least and commit five times) gives the reference.
Then syncs are killed with SIGKILL, each going on where the last one was stopped, at moments spread
over the whole. After each kill the index must open, hold no case twice, and have every case of the
last commit. In the end one more sync, and two at once in a fresh index, must give a table equal to
the reference, row by row.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import lance
import nibabel as nib
import numpy as np


def table(root: Path) -> dict[tuple, bytes]:
    """Every live slice row by its key, and every case row without what depends on the run."""
    cases = lance.dataset(str(root / ".dvdup/index/cases.lance")).to_table().to_pylist()
    keys = [(c["split"], c["case_id"]) for c in cases]
    assert len(keys) == len(set(keys)), "a case is there twice"
    live = {(c["split"], c["case_id"], c["content"]) for c in cases}
    rows: dict[tuple, bytes] = {}
    for case in cases:
        rows[("case", case["split"], case["case_id"])] = repr(sorted(case.items())).encode()
    names = ["split", "case_id", "content", "channel", "plane", "index", "position_mm"]
    for batch in lance.dataset(str(root / ".dvdup/index/slices.lance")).to_batches():
        vectors = batch.column("embedding").flatten().to_numpy().reshape(len(batch), -1)
        keys = zip(*(batch.column(name).to_pylist() for name in names), strict=True)
        for key, vector in zip(keys, vectors, strict=True):
            if key[:3] in live:
                assert key not in rows, f"slice {key} is there twice"
                rows[key] = vector.tobytes()
    return rows


def n_cases(root: Path) -> int:
    if not (root / ".dvdup/index/cases.lance/_versions").is_dir():
        return 0
    return lance.dataset(str(root / ".dvdup/index/cases.lance")).count_rows()


def commits(root: Path) -> int:
    return len(lance.dataset(str(root / ".dvdup/index/cases.lance")).versions())


def pool(files: list[Path], folder: Path, n_cases: int) -> list[Path]:
    """Distinct volumes: each a copy with one voxel changed."""
    folder.mkdir()
    made = []
    for number in range(n_cases):
        image = nib.load(files[number % len(files)])
        voxels = np.asanyarray(image.dataobj).copy()
        voxels[np.unravel_index(number // len(files), voxels.shape)] += 1
        path = folder / f"{number:05}.nii"
        nib.save(nib.Nifti1Image(voxels, image.affine), path)
        os.utime(path, (1_700_000_000, 1_700_000_000))
        made.append(path)
    return made


def dataset(files: list[Path], root: Path, settings: str) -> Path:
    (root / "train").mkdir(parents=True)
    for file in files:
        (root / "train" / file.name).symlink_to(file.resolve())
    (root / "dvdup.toml").write_text(settings)
    return root


def main() -> None:
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--cases", type=int, default=8000)
    parser.add_argument("--embedder", default="thumbnail")
    parser.add_argument("--commit-rows", type=int, default=1500)
    asked = parser.parse_args()
    sources = sorted(asked.folder.glob("*.nii.gz"))
    settings = (
        f'embedder = "{asked.embedder}"\njobs = 1\n[dataset.splits]\ntrain = "train"\n'
        f"[store]\ncommit_rows = {asked.commit_rows}\n"
    )
    with tempfile.TemporaryDirectory() as place:
        files = pool(sources, Path(place) / "pool", asked.cases)
        whole = dataset(files, Path(place) / "whole", settings)
        start = time.monotonic()
        subprocess.run(["dvdup", "sync", "-q"], cwd=whole, check=True)
        seconds = time.monotonic() - start
        print(f"undisturbed: {seconds:.1f} s, {commits(whole)} versions, {n_cases(whole)} cases")
        reference = table(whole)
        start = time.monotonic()
        subprocess.run(["dvdup", "log"], cwd=whole, check=True, capture_output=True)
        start_up = time.monotonic() - start

        killed = dataset(files, Path(place) / "killed", settings)
        held = 0
        for number in range(asked.kills):
            # each run goes on where the last one stopped, so that the kills spread over the whole
            pause = seconds / asked.kills * (0.6 + 0.8 * (number * 0.618 % 1)) + start_up
            run = subprocess.Popen(["dvdup", "sync", "-q"], cwd=killed, start_new_session=True)
            time.sleep(pause)
            finished = run.poll() is not None
            if not finished:
                os.killpg(run.pid, signal.SIGKILL)
            run.wait()
            now = n_cases(killed)
            assert now >= held, f"{held - now} committed cases are lost"
            if now:
                table(killed)
            print(
                f"kill {number + 1}: after {pause:.1f} s, {now} cases"
                f"{' (had finished)' if finished else ''}"
            )
            held = now
        subprocess.run(["dvdup", "sync", "-q"], cwd=killed, check=True)
        print("killed, then completed: equal" if table(killed) == reference else "NOT EQUAL")

        twice = dataset(files, Path(place) / "twice", settings)
        runs = [subprocess.Popen(["dvdup", "sync", "-q"], cwd=twice) for _ in range(2)]
        codes = [run.wait() for run in runs]
        equal = table(twice) == reference
        print(f"two at once: exit codes {codes}, {'equal' if equal else 'NOT EQUAL'}")
        if table(killed) != reference or not equal or any(codes):
            sys.exit(1)


if __name__ == "__main__":
    main()
