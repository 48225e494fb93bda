"""A small dataset, and its index as rows to compare: shared by `kills.py` and `full_disk.py`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import lance
import nibabel as nib
import numpy as np
from fuzz_seeds import scan

DVDUP = str(Path(sys.executable).parent / "dvdup")
OF_THE_RUN = {"files", "row_hash"}
"""Columns of a case that hold times and inodes of its files."""


def write_dataset(root: Path, n_cases: int, commit_rows: int) -> None:
    """Write small scans, four of five in train; the first of them lies in test too."""
    for number in range(n_cases):
        split = "train" if number % 5 else "test"
        path = root / split / f"p{number:03}.nii"
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(scan(number, (20, 20, 16)), np.eye(4)), path)
    (root / "test/copy.nii").write_bytes((root / "train/p001.nii").read_bytes())
    (root / "dvdup.toml").write_text(
        'embedder = "thumbnail"\njobs = 1\n[dataset]\nlayout = "folders"\n'
        '[dataset.splits]\ntrain = "train"\ntest = "test"\n'
        f"[store]\ncommit_rows = {commit_rows}\n"
    )


def run(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run dvdup to its end."""
    return subprocess.run([DVDUP, *words], cwd=root, capture_output=True, text=True, env=env())


def env() -> dict[str, str]:
    """Comparing voxels takes a second a case and writes nothing into the index."""
    return {**os.environ, "DVDUP_VERIFY_CANDIDATES": "0"}


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    """The last thing that a command said on stderr."""
    return (done.stderr.strip().splitlines() or [""])[-1][:200]


def rows(index: Path) -> dict[tuple[object, ...], bytes]:
    """Every case row without what depends on the run, and every live slice row, by key.

    Raises:
        AssertionError: A case or a slice is there twice.
    """
    cases = lance.dataset(str(index / "index/cases.lance")).to_table().to_pylist()
    found: dict[tuple[object, ...], bytes] = {}
    for case in cases:
        key = ("case", case["split"], case["case_id"])
        assert key not in found, f"{key} is there twice"
        files = [(file["path"], file["size"], file["file_hash"]) for file in case["files"]]
        kept = {name: value for name, value in case.items() if name not in OF_THE_RUN}
        found[key] = repr((files, sorted(kept.items()))).encode()
    live = {(case["split"], case["case_id"], case["content"]) for case in cases}
    for key, vector in _slices(index):
        if key[:3] in live:
            assert key not in found, f"slice {key} is there twice"
            found[key] = vector
    return found


def _slices(index: Path) -> list[tuple[tuple[object, ...], bytes]]:
    names = ["split", "case_id", "content", "channel", "plane", "index", "position_mm"]
    found: list[tuple[tuple[object, ...], bytes]] = []
    for batch in lance.dataset(str(index / "index/slices.lance")).to_batches():
        vectors = batch.column("embedding").flatten().to_numpy().reshape(len(batch), -1)
        keys = zip(*(batch.column(name).to_pylist() for name in names), strict=True)
        found += [(key, vector.tobytes()) for key, vector in zip(keys, vectors, strict=True)]
    return found


def differences(
    index: Path, reference: dict[tuple[object, ...], bytes], limit: int = 3
) -> list[str]:
    """What an index has otherwise than the reference, in words; empty if they are equal."""
    try:
        found = rows(index)
    except AssertionError as error:
        return [str(error)]
    keys: Sequence[tuple[object, ...]] = sorted(found.keys() ^ reference.keys(), key=repr)
    other = [key for key in found.keys() & reference.keys() if found[key] != reference[key]]
    return [f"{len(keys)} only in one, {len(other)} differ: {[*keys, *other][:limit]}"] * bool(
        keys or other
    )
