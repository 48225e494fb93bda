"""Plant ten disguised copies in a test split and look what `dvdup diff` says.

    python tests/perf/disguised_copies.py FOLDER [--seeds 5] [--copies 1 3 5] [--embedder NAME]

FOLDER holds .nii.gz volumes, at least 161. Sorted by name, the first 100 are train, the last 61
test. Ten files of train go into test as well: six whose voxels are the same under other headers,
containers, types and orders, four processed. With `--copies n` every source lies n times in train:
once as it is, once more as a plain copy, the rest with noise of 1 % of the range.

Printed for each run: exit code, the verdict of each copy, whether the right partner is on top, the
clean test cases that were reported. The last line sums up; exit code 1 if something was missed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk  # noqa: N813, the name everybody knows it by
from scipy import ndimage

N_TRAIN, N_TEST = 100, 61


def plain(image: nib.Nifti1Image, source: Path, target: Path, rng: np.random.Generator) -> Path:
    shutil.copy(source, target.with_name(target.name + ".nii.gz"))
    return target


def recompressed(image: nib.Nifti1Image, source: Path, target: Path, rng: np.random.Generator):
    import gzip

    with gzip.open(source) as packed:
        voxels = packed.read()
    with gzip.open(target.with_name(target.name + ".nii.gz"), "wb", compresslevel=1) as out:
        out.write(voxels)


def as_nrrd(image, source, target, rng):
    sitk.WriteImage(sitk.ReadImage(str(source)), str(target) + ".nrrd", useCompression=True)


def reoriented(image, source, target, rng):
    axes, signs = rng.permutation(3), rng.choice([-1, 1], 3)
    turned = image.as_reoriented(np.column_stack([axes, signs]).astype(float))
    nib.save(turned, str(target) + ".nii.gz")


def as_float64(image, source, target, rng):
    copy = nib.Nifti1Image(image.get_fdata(dtype=np.float64), image.affine)
    copy.set_data_dtype(np.float64)
    nib.save(copy, str(target) + ".nii.gz")


def other_header(image, source, target, rng):
    copy = nib.Nifti1Image(np.asanyarray(image.dataobj), image.affine, image.header)
    copy.header["descrip"] = b"anonymised and resold"
    copy.header["intent_name"] = b"something"
    nib.save(copy, str(target) + ".nii.gz")


def processed(change: Callable[[np.ndarray, np.random.Generator], np.ndarray]):
    def make(image, source, target, rng):
        values = change(image.get_fdata(dtype=np.float32), rng).astype(np.float32)
        nib.save(nib.Nifti1Image(values, image.affine), str(target) + ".nii.gz")

    return make


def span(values: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(values, (0.5, 99.5))
    return float(low), float(high)


def noise(values, rng):
    low, high = span(values)
    return values + rng.normal(0, 0.03 * (high - low), values.shape)


def gamma(values, rng):
    low, high = span(values)
    return np.clip((values - low) / (high - low), 0, 1) ** 1.5 * (high - low) + low


def cropped(values, rng):
    cut = [round(n * 0.05) for n in values.shape]
    return values[tuple(slice(c, n - c) for c, n in zip(cut, values.shape, strict=True))]


def rotated(values, rng):
    return ndimage.rotate(
        values, 3, axes=(0, 1), reshape=False, order=1, cval=float(np.percentile(values, 0.5))
    )


SAME = {
    "plain copy": plain,
    "recompressed": recompressed,
    "nrrd": as_nrrd,
    "re-oriented": reoriented,
    "float64": as_float64,
    "header text": other_header,
}
PROCESSED = {
    "noise 3 %": processed(noise),
    "gamma 1.5": processed(gamma),
    "crop 10 %": processed(cropped),
    "rotation 3": processed(rotated),
}


def one_percent(image: nib.Nifti1Image, target: Path, rng: np.random.Generator) -> None:
    values = image.get_fdata(dtype=np.float32)
    low, high = span(values)
    noisy = values + rng.normal(0, 0.01 * (high - low), values.shape).astype(np.float32)
    nib.save(nib.Nifti1Image(noisy, image.affine), str(target) + ".nii.gz")


def build(files: list[Path], root: Path, seed: int, copies: int) -> dict[str, tuple[str, str]]:
    """Write one dataset, in the place of the one before, so that the clean scans stay indexed.

    Returns:
        Name of the planted case -> (edit, stem of its source).
    """
    rng = np.random.default_rng(seed)
    for split, chosen in (("train", files[:N_TRAIN]), ("test", files[-N_TEST:])):
        folder = root / split
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            if not old.is_symlink():
                old.unlink()
        for file in chosen:
            if not (folder / file.name).is_symlink():
                (folder / file.name).symlink_to(file.resolve())
    planted = {}
    edits = SAME | PROCESSED
    sources = rng.choice(N_TRAIN, len(edits), replace=False)
    for number, (edit, make) in enumerate(edits.items()):
        source = files[sources[number]]
        image = nib.load(source)
        stem = source.name.removesuffix(".nii.gz")
        name = f"planted_{number}"
        make(image, source, root / "test" / name, rng)
        planted[name] = (edit, stem)
        for copy in range(1, copies):
            target = root / "train" / f"{stem}_again{copy}"
            if copy == 1:
                shutil.copy(source, str(target) + ".nii.gz")
            else:
                one_percent(image, target, rng)
    return planted


def diff(root: Path, embedder: str | None) -> tuple[int, dict]:
    """Sync and diff through the command line."""
    (root / "dvdup.toml").write_text(
        '[dataset]\nlayout = "folders"\n'
        if not embedder
        else f'embedder = "{embedder}"\n[dataset]\nlayout = "folders"\n'
    )
    subprocess.run(["dvdup", "sync", "-q"], cwd=root, check=True)
    run = subprocess.run(
        ["dvdup", "diff", "train", "test", "--format", "json", "-q"],
        cwd=root,
        capture_output=True,
        text=True,
    )
    return run.returncode, json.loads(run.stdout)


def judge(planted: dict[str, tuple[str, str]], code: int, report: dict) -> list[str]:
    """What is wrong with a report, in words; prints the evidence."""
    faults = [] if code == 1 else [f"exit code {code}"]
    found: dict[str, list[dict]] = {}
    for pair in report["pairs"]:
        found.setdefault(pair["b"]["case"], []).append(pair)
    for name, (edit, source) in planted.items():
        pairs = found.get(name, [])
        right = [pair["a"]["case"].startswith(source) for pair in pairs]
        verdict = pairs[0]["verdict"] if pairs else "nothing"
        print(f"   {edit:<13} {verdict:<10} {len(pairs)} partners, right on top: {right[:1]}")
        wanted = "identical" if edit in SAME else "near"
        if not pairs or not right[0] or (edit in SAME and verdict != wanted):
            faults.append(f"{edit}: {verdict}")
        faults += [
            f"{edit}: also {p['a']['case']}" for p, ok in zip(pairs, right, strict=True) if not ok
        ]
    clean = sorted(set(found) - set(planted))
    faults += [f"clean {name}: {found[name][0]['verdict']}" for name in clean]
    return faults


def main() -> None:
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--copies", type=int, nargs="+", default=[1, 3, 5])
    parser.add_argument("--embedder")
    asked = parser.parse_args()
    if asked.embedder and "@" in asked.embedder:  # the datasets lie elsewhere
        name, _, file = asked.embedder.partition("@")
        asked.embedder = f"{name}@{Path(file).resolve()}"
    files = sorted(asked.folder.glob("*.nii.gz"))
    total = 0
    with tempfile.TemporaryDirectory() as place:
        for copies in asked.copies:
            for seed in range(asked.seeds):
                print(f"{copies} in train, seed {seed}", flush=True)
                planted = build(files, Path(place), seed, copies)
                faults = judge(planted, *diff(Path(place), asked.embedder))
                for fault in faults:
                    print(f"   FAULT {fault}")
                total += len(faults)
    print(f"{total} faults in {len(asked.copies) * asked.seeds} runs")
    sys.exit(1 if total else 0)


if __name__ == "__main__":
    main()
