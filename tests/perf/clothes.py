"""Arrays and cubes of a scan against the scan: what `dvdup compare` says of each.

    python tests/perf/clothes.py SCAN... [--others SCAN...]

SCAN are NIfTI files. Each is kept as trainers keep it: exact voxels, scaled to 0..1, rounded to
8 bits, windowed, with noise of 2 %; as .npy in the order of the file and in (z, y, x), as NIfTI
with an identity affine; and resized to cubes of 64, 96 and 128 voxels. Printed: a table of
verdicts, and how many cubes of --others were called a copy of the first SCAN.
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
    "0..1": unit,
    "8 bits": lambda values: np.rint(255 * unit(values)).astype(np.uint8),
    "window": windowed,
    "noise": noisy,
}


def forms(values: np.ndarray) -> Iterator[tuple[str, str, np.ndarray]]:
    """(kind, form, array) of a scan."""
    for kind, change in KINDS.items():
        changed = change(values)
        yield kind, "npy xyz", changed
        yield kind, "npy zyx", np.ascontiguousarray(changed.transpose(2, 1, 0))
        yield kind, "nii identity", changed
    yield from ((f"cube {n}", "npy zyx", cube(values, n).transpose(2, 1, 0)) for n in CUBES)


def cube(values: np.ndarray, n: int) -> np.ndarray:
    """A scan resized to n voxels along each axis."""
    return ndimage.zoom(values.astype(np.float32), [n / size for size in values.shape], order=1)


def read(file: Path) -> tuple[np.ndarray, np.ndarray]:
    """The first volume of a file, and its affine."""
    image = nib.load(file)
    values = np.asarray(image.dataobj, np.float32).squeeze()
    return (values if values.ndim == 3 else values[..., 0]), image.affine


def verdict(folder: Path, source: Path, form: str, array: np.ndarray) -> str:
    """What `dvdup compare` says of a scan and an array."""
    if form == "nii identity":
        target = folder / "copy.nii.gz"
        nib.save(nib.Nifti1Image(array, np.eye(4)), target)
    else:
        target = folder / "copy.npy"
        np.save(target, array)
    ran = CliRunner().invoke(app, ["compare", str(source), str(target), "-f", "json", "-q"])
    pairs = json.loads(ran.stdout)["pairs"]
    return pairs[0]["verdict"] if pairs else "none"


def table(files: Sequence[Path], others: Sequence[Path], folder: Path) -> None:
    """Print verdicts by kind and form."""
    found: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    base = folder / "base.nii.gz"
    for file in files:
        values, affine = read(file)
        nib.save(nib.Nifti1Image(values, affine), base)
        for kind, form, array in forms(values):
            found[kind, form][verdict(folder, base, form, array)] += 1
    for (kind, form), counts in found.items():
        said = ", ".join(f"{name} {n}" for name, n in counts.most_common())
        print(f"{kind:9} {form:13} {said}", flush=True)
    values, affine = read(files[0])
    nib.save(nib.Nifti1Image(values, affine), base)
    cubes = [cube(read(file)[0], 96).transpose(2, 1, 0) for file in others]
    said = Counter(verdict(folder, base, "npy zyx", each) for each in cubes)
    if cubes:
        print(f"cubes of others: {dict(said)}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("scans", type=Path, nargs="+")
    parser.add_argument("--others", type=Path, nargs="+", default=[])
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table(asked.scans, asked.others, Path(folder))


if __name__ == "__main__":
    main()
