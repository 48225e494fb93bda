"""Arrays and cubes of a scan against the scan: what `dvdup compare` says of each.

    python tests/perf/clothes.py SCAN... [--kinds KIND...] [--others SCAN...]

SCAN are NIfTI files. Each is kept as trainers keep it: exact voxels, exact ones as float32, scaled
to 0..1, rounded to 8 bits, windowed, with noise of 2 %; as .npy in the order of the file and in
(z, y, x), as .npz, .h5 and .zarr, as NIfTI with an identity affine; and resized to cubes of 64, 96
and 128 voxels. Printed: a table of verdicts, the share of the cells of row 1 of the bar (exact
voxels `identical`, changed ones `identical` or `near`), and how many cubes of --others were called
a copy of the first SCAN. "not read" is a form that dvdup said that it does not read.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
from click.testing import CliRunner
from scipy import ndimage

from dvdup.cli import app

CUBES = (64, 96, 128)


def unit(values: np.ndarray) -> np.ndarray:
    """Values over 0 to 1."""
    return ((values - values.min()) / (values.max() - values.min())).astype(np.float32)


def windowed(values: np.ndarray) -> np.ndarray:
    """uint8 of the range between the first and the last percentile."""
    low, high = np.percentile(values, (1, 99))
    return np.clip((values - low) / max(high - low, 1e-9) * 255, 0, 255).astype(np.uint8)


def noisy(values: np.ndarray) -> np.ndarray:
    """Noise of 2 % of the range."""
    low, high = np.percentile(values, (1, 99))
    noise = np.random.default_rng(0).normal(0, 0.02 * (high - low), values.shape)
    return (values + noise).astype(np.float32)


KINDS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "exact": lambda values: values,
    "float32": lambda values: values.astype(np.float32),
    "0..1": unit,
    "8 bits": lambda values: np.rint(255 * unit(values)).astype(np.uint8),
    "window": windowed,
    "noise": noisy,
}


EXACT = ("exact", "float32")
"""Kinds whose values are those of the scan."""


def forms(values: np.ndarray, kinds: Sequence[str]) -> Iterator[tuple[str, str, np.ndarray]]:
    """(kind, form, array) of a scan."""
    for kind in kinds:
        if kind.startswith("cube"):
            yield kind, "npy zyx", turned(cube(values, int(kind.removeprefix("cube "))))
            continue
        changed = KINDS[kind](values)
        yield from ((kind, form, changed) for form in ("npy xyz", "nii identity"))
        yield from ((kind, f"{suffix} zyx", turned(changed)) for suffix in SAVED)


def turned(array: np.ndarray) -> np.ndarray:
    """The order of axes of SimpleITK."""
    return np.ascontiguousarray(array.transpose(2, 1, 0))


def save_h5(file: Path, array: np.ndarray) -> None:
    import h5py

    with h5py.File(file, "w") as made:
        made.create_dataset("image", data=array, compression="gzip", chunks=True)


def save_zarr(file: Path, array: np.ndarray) -> None:
    import zarr

    chunks = tuple(max(1, n // 2) for n in array.shape)
    zarr.create_array(store=str(file), data=array, chunks=chunks)


SAVED: dict[str, Callable[[Path, np.ndarray], None]] = {
    "npy": np.save,
    "npz": lambda file, array: np.savez_compressed(file, image=array),
    "h5": save_h5,
    "zarr": save_zarr,
}


def cube(values: np.ndarray, n: int) -> np.ndarray:
    """A scan resized to n voxels along each axis."""
    return ndimage.zoom(values.astype(np.float32), [n / size for size in values.shape], order=1)


def read(file: Path) -> tuple[np.ndarray, np.ndarray]:
    """The first volume of a file as it is stored, and its affine."""
    image = nib.load(file)
    values = np.asarray(image.dataobj).squeeze()
    return (values if values.ndim == 3 else values[..., 0]), image.affine


def verdict(source: Path, form: str, array: np.ndarray) -> str:
    """What `dvdup compare` says of a scan and an array."""
    with tempfile.TemporaryDirectory() as folder:
        suffix = form.partition(" ")[0]
        if suffix == "nii":
            target = Path(folder) / "copy.nii.gz"
            kept = (
                array.astype(np.int32) if array.dtype == np.int64 else array
            )  # nibabel refuses int64
            nib.save(nib.Nifti1Image(kept, np.eye(4)), target)
        else:
            target = Path(folder) / f"copy.{suffix}"
            SAVED[suffix](target, array)
        asked = ["compare", str(source), str(target), "-f", "json", "-q"]
        ran = CliRunner().invoke(app, asked)
        try:
            report = json.loads(ran.stdout)
        except ValueError:
            return "not read"
    unread = report.get("unreadable") or []
    pairs = report["pairs"]
    return "not read" if unread else pairs[0]["verdict"] if pairs else "none"


def table(files: Sequence[Path], kinds: Sequence[str], folder: Path) -> None:
    """Print verdicts by kind and form, and how many are as they should be."""
    found: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    base = folder / "base.nii.gz"
    for file in files:
        values, affine = read(file)
        nib.save(nib.Nifti1Image(values, affine), base)
        for kind, form, array in forms(values, kinds):
            found[kind, form][verdict(base, form, array)] += 1
    right: Counter[str] = Counter()
    every: Counter[str] = Counter()
    for (kind, form), counts in found.items():
        said = ", ".join(f"{name} {n}" for name, n in counts.most_common())
        print(f"{kind:9} {form:13} {said}", flush=True)
        group = "exact" if kind in EXACT else "cubes" if kind.startswith("cube") else "changed"
        every[group] += counts.total()
        right[group] += counts["identical"] + (0 if group == "exact" else counts["near"])
    for group, n in every.items():
        print(f"{group}: {right[group]} of {n} as they should be", flush=True)


def strangers(first: Path, others: Sequence[Path], folder: Path) -> None:
    """Print what is said of cubes of other scans."""
    values, affine = read(first)
    base = folder / "base.nii.gz"
    nib.save(nib.Nifti1Image(values, affine), base)
    said = Counter(verdict(base, "npy zyx", turned(cube(read(file)[0], 96))) for file in others)
    print(f"cubes of others: {dict(said)}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    kinds = (*KINDS, *(f"cube {n}" for n in CUBES))
    parser.add_argument("scans", type=Path, nargs="+")
    parser.add_argument("--kinds", nargs="+", choices=kinds, default=kinds)
    parser.add_argument("--others", type=Path, nargs="+", default=[])
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table(asked.scans, asked.kinds, Path(folder))
        if asked.others:
            strangers(asked.scans[0], asked.others, Path(folder))


if __name__ == "__main__":
    main()
