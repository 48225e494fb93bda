"""Alter scans in six ways, put them into test, and look what `dvdup check` says.

    python tests/perf/altered_copies.py FOLDER [--scans 20] [--seed 0] [--jobs 0]

FOLDER holds NIfTI volumes, one subject a file: all of them are train. Test holds, of each of so
many scans drawn at random: a slab of 30 % of the slices, every second slice, slices three times as
thick, the mirror image, axes reordered with a header that says so and with one that does not, and a
copy rotated by 20 degrees, cropped to 80 % and covered with noise of 5 % of the range.

Printed by alteration: how many are found with the right partner and a verdict that fits, the
verdicts, median and 95th percentile of the errors of angle, scale and offset in the alignment that
the report tells, and every miss; then the test cases called copies of anybody else, and seconds.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

Image = nib.Nifti1Image


@dataclass(frozen=True)
class Altered:
    """A copy, and how it truly lies on its source."""

    image: Image
    verdicts: tuple[str, ...]
    """Those that fit."""
    angle: float = 0.0
    offset: tuple[float, float, float] | None = (0.0, 0.0, 0.0)
    """mm from the centre of the copy to that of the source; None where axes were exchanged."""


def made(values: np.ndarray, like: Image, spacing: np.ndarray | None = None) -> Image:
    size = np.array(like.header.get_zooms()[:3]) if spacing is None else spacing
    return nib.Nifti1Image(values.astype(np.float32), np.diag([*size, 1.0]))


def slab(image: Image, values: np.ndarray, size: np.ndarray, rng: np.random.Generator) -> Altered:
    n = values.shape[2]
    kept = max(4, round(0.3 * n))
    first = int(rng.integers(n // 6, max(n // 6 + 1, n - n // 6 - kept)))
    shift = ((n - 1) / 2 - (first + (kept - 1) / 2)) * size[2]
    return Altered(
        made(values[:, :, first : first + kept], image),
        ("partial", "near"),
        offset=(0.0, 0.0, float(shift)),
    )


def every_second(image, values, size, rng) -> Altered:
    kept = values[:, :, ::2]
    shift = ((values.shape[2] - 1) / 2 - (kept.shape[2] - 1)) * size[2]
    spacing = size * (1, 1, 2)
    return Altered(made(kept, image, spacing), ("near",), offset=(0.0, 0.0, float(shift)))


def thick(image, values, size, rng) -> Altered:
    n = values.shape[2] // 3
    means = values[:, :, : 3 * n].reshape(*values.shape[:2], n, 3).mean(axis=3)
    shift = (values.shape[2] - 3 * n) / 2 * size[2]
    return Altered(made(means, image, size * (1, 1, 3)), ("near",), offset=(0.0, 0.0, float(shift)))


def mirrored(image, values, size, rng) -> Altered:
    return Altered(made(values[::-1], image), ("near", "identical"))


def turned_right(image, values, size, rng) -> Altered:
    plain = made(values, image)
    return Altered(plain.as_reoriented(np.array([[1, -1.0], [2, 1], [0, -1]])), ("identical",))


def turned_wrong(image, values, size, rng) -> Altered:
    turned = values.transpose(1, 2, 0)[:, ::-1]
    return Altered(made(turned, image, size[[1, 2, 0]]), ("near", "identical"), offset=None)


def three_at_once(image, values, size, rng) -> Altered:
    low, high = np.percentile(values, (0.5, 99.5))
    done = ndimage.rotate(values, 20, axes=(0, 1), reshape=False, order=1, cval=low)
    cut = tuple(slice(round(n * 0.1), n - round(n * 0.1)) for n in done.shape)
    noise = rng.normal(0, 0.05 * (high - low), done[cut].shape)
    return Altered(made(done[cut] + noise, image), ("near", "partial"), angle=20.0)


ALTERATIONS: dict[str, Callable[..., Altered]] = {
    "slab of 30 %": slab,
    "every second slice": every_second,
    "three times as thick": thick,
    "mirrored": mirrored,
    "axes reordered, header right": turned_right,
    "axes reordered, header wrong": turned_wrong,
    "rotated 20, cropped, noisy": three_at_once,
}


def plant(files: list[Path], root: Path, n: int, seed: int) -> dict[str, tuple[str, str, Altered]]:
    """Write train and test; id of each copy -> (alteration, source, truth)."""
    for split in ("train", "test"):
        (root / split).mkdir()
    for file in files:
        plain = nib.load(file)
        nib.save(made(np.asanyarray(plain.dataobj), plain), root / "train" / file.name)
    chosen = random.Random(seed).sample(files, min(n, len(files)))
    copies = {}
    for number, alter in enumerate(ALTERATIONS.values()):
        for k, file in enumerate(chosen):
            image = nib.load(file)
            values = np.asanyarray(image.dataobj).astype(np.float32)
            size = np.array(image.header.get_zooms()[:3], float)
            rng = np.random.default_rng([seed, number, k])
            done = alter(image, values, size, rng)
            name = f"{number}-{k:02}"
            nib.save(done.image, root / "test" / f"{name}.nii.gz")
            source = file.name.removesuffix(".gz").removesuffix(".nii")
            copies[name] = (list(ALTERATIONS)[number], source, done)
    return copies


def errors(pair: dict, truth: Altered) -> dict[str, float]:
    """Of what the report tells about the placement."""
    told = pair["alignment"]
    found = {
        "angle": abs(told["angle"] - truth.angle),
        "scale": max(abs(s - 1) for s in told["scale"]),
    }
    if truth.offset is not None and not told["mirrored"]:
        apart = np.array(told["offset_mm"]) - truth.offset
        found["offset_mm"] = float(np.linalg.norm(apart))
    return found


def tell(name: str, copies: dict, found: dict[str, list[dict]]) -> int:
    """Print one alteration; number of misses."""
    mine = {key: value for key, value in copies.items() if value[0] == name}
    good, verdicts, wrong = 0, Counter(), []
    by_error: dict[str, list[float]] = {}
    for key, (_, source, truth) in mine.items():
        right = [pair for pair in found.get(key, []) if pair["a"]["case"] == source]
        if right and right[0]["verdict"] in truth.verdicts:
            good += 1
        else:
            wrong.append(
                (key, source, [(p["a"]["case"], p["verdict"]) for p in found.get(key, [])])
            )
        for pair in right:
            verdicts[pair["verdict"]] += 1
            if pair["alignment"]:
                for what, value in errors(pair, truth).items():
                    by_error.setdefault(what, []).append(value)
    print(f"{name}: {good} of {len(mine)} {dict(verdicts)}")
    for what, values in by_error.items():
        print(f"   {what}: median {np.median(values):.3f}, 95 % {np.percentile(values, 95):.3f}")
    for miss in wrong:
        print("   MISS", *miss)
    return len(wrong)


def main() -> None:
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scans", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", default="0")
    asked = parser.parse_args()
    files = sorted(file for file in asked.folder.iterdir() if file.name.endswith(".nii.gz"))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        copies = plant(files, root, asked.scans, asked.seed)
        start = time.perf_counter()
        done = subprocess.run(
            ["dvdup", "check", "-q", "-f", "json", "--jobs", asked.jobs],
            cwd=root, capture_output=True, text=True, check=False,
        )  # fmt: skip
        seconds = time.perf_counter() - start
        if done.returncode == 2:
            sys.exit(done.stderr)
    found: dict[str, list[dict]] = {}
    for pair in json.loads(done.stdout)["pairs"]:
        found.setdefault(pair["b"]["case"], []).append(pair)
    missed = sum(tell(name, copies, found) for name in ALTERATIONS)
    strangers = [
        (pair["b"]["case"], copies[pair["b"]["case"]][1], pair["a"]["case"], pair["verdict"])
        for pairs in found.values()
        for pair in pairs
        if pair["a"]["case"] != copies[pair["b"]["case"]][1]
    ]
    print(f"{missed} missed; called copies of somebody else: {len(strangers)}")
    for each in strangers:
        print("   ALARM", *each)
    print(f"{len(copies)} against {len(files)}: {seconds:.0f} s")


if __name__ == "__main__":
    main()
