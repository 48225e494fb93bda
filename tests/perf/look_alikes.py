"""Make scans that resemble one another and are no copies, and look what is said about them.

    python tests/perf/look_alikes.py make WORK --heads DIR... --template FILE
        [--small DIR...] [--moving FILE...] [--limit N]
    python tests/perf/look_alikes.py judge WORK [--kinds NAME...] [--pairs 200] [--diff]
        [--seed 0] [--json FILE]

The folders given hold NIfTI volumes, one person a file. `make` leaves alone what is made already:

- `warped`: every head registered to the template (affine, then demons, on a grid of 2 mm),
  `slabs`: 18 coronal slices of each, `fine`: 18 sagittal slices of each at 1 mm;
- `lowres-3`, `lowres-4`: heads, and the small scans of `--small`, averaged to a third and a quarter
  of their resolution;
- `frames`: of every scan of `--moving` two acquisitions, `ID__1` and `ID__2`: a part of the second
  has moved, all of it by half a voxel, and the noise of the two is independent. Files that hold
  several volumes are split into them instead.

`judge` compares pairs of different persons as `dvdup diff` does (`verify.judge`), drawn at random:
within `warped`, `slabs` and `fine`; reduced scans with unreduced ones (`lowres`) and among one
another (`lowres-low`); frames of different scans (`frames-strangers`), and the two of one scan
(`frames`). With `--diff`, the persons of the first three sets are also dealt to train and test, for
`dvdup diff train test`. Printed by kind: pairs, verdicts, quantiles of the strengths, seconds a
pair. `--json` holds every pair.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from itertools import combinations, product
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import SimpleITK as sitk  # noqa: N813, as everybody calls it
from scipy import ndimage
from verify_pairs import judged, load

SLICES = 18
NOISE = 0.04  # of the range, in each of two frames
Pair = tuple[Path, Path]


def identity(file: Path) -> str:
    """The person of a file."""
    return file.name.split(".")[0].split("__")[0]


def person(file: Path) -> str:
    """Whose a scan is; two hippocampi of consecutive numbers are probably one person's."""
    kind, _, number = identity(file).partition("_")
    return f"{kind} {(int(number) + 1) // 2}" if kind == "hippocampus" else identity(file)


def scans(folders: list[Path], limit: int | None = None) -> list[Path]:
    return sorted(file for folder in folders for file in folder.glob("*.nii*"))[:limit]


# Making


def kept(file: Path, make: Callable[[], sitk.Image]) -> None:
    """Write an image unless it is there."""
    if file.exists():
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"part-{file.name}")
    sitk.WriteImage(make(), str(part), useCompression=True)
    part.replace(file)
    print(f"made {file}", flush=True)


def read(file: Path) -> sitk.Image:
    return sitk.DICOMOrient(sitk.ReadImage(str(file), sitk.sitkFloat32), "RAS")


def averaged(image: sitk.Image, factors: tuple[int, int, int]) -> sitk.Image:
    """Means over blocks."""
    return sitk.BinShrink(image, [min(f, n) for f, n in zip(factors, image.GetSize(), strict=True)])


def about(image: sitk.Image, mm: float) -> sitk.Image:
    """The image averaged to voxels of about a size."""
    x, y, z = (max(1, round(mm / each)) for each in image.GetSpacing())
    return averaged(image, (x, y, z))


def affine(fixed: sitk.Image, moving: sitk.Image) -> sitk.Transform:
    start = sitk.CenteredTransformInitializer(
        fixed, moving, sitk.AffineTransform(3), sitk.CenteredTransformInitializerFilter.MOMENTS
    )
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(32)
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentage(0.25)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(1.0, 1e-3, 60)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([2, 1])
    method.SetSmoothingSigmasPerLevel([2, 1])
    method.SetInitialTransform(start, inPlace=False)
    return method.Execute(fixed, moving)


def demons(fixed: sitk.Image, moving: sitk.Image) -> sitk.Transform:
    """A smooth deformation between images on one grid: coarse, then fine."""
    field = None
    for factor, rounds in ((2, 60), (1, 8)):
        one, other = (averaged(each, (factor,) * 3) for each in (fixed, moving))
        method = sitk.DiffeomorphicDemonsRegistrationFilter()
        method.SetNumberOfIterations(rounds)
        method.SetStandardDeviations(1.5)
        method.SetSmoothDisplacementField(True)
        if field is None:
            field = method.Execute(one, other)
        else:
            field = method.Execute(one, other, sitk.Resample(field, one))
    return sitk.DisplacementFieldTransform(sitk.Cast(field, sitk.sitkVectorFloat64))


def warped(head: sitk.Image, template: sitk.Image, grids: list[sitk.Image]) -> list[sitk.Image]:
    """A head on the grids, registered to the template, which is one of them in size."""
    coarse = about(head, 2.0)
    first = affine(template, coarse)
    placed = sitk.Resample(coarse, template, first)
    placed = sitk.HistogramMatching(placed, template, 256, 15)
    whole = sitk.CompositeTransform([first, demons(template, placed)])
    return [sitk.Resample(head, grid, whole, sitk.sitkBSpline) for grid in grids]


def slab(image: sitk.Image, axis: int) -> sitk.Image:
    """Slices of the middle, across an axis."""
    first = (image.GetSize()[axis] - SLICES) // 2
    cut = [slice(None)] * 3
    cut[axis] = slice(first, first + SLICES)
    return image[cut[0], cut[1], cut[2]]


def as_stored(image: sitk.Image) -> sitk.Image:
    """int16 of 12 bits, as scanners store."""
    values = sitk.GetArrayViewFromImage(image)
    top = float(np.percentile(values, 99.9))
    greys = sitk.Clamp(image * (4000 / max(top, 1e-6)), sitk.sitkFloat32, 0, 4095)
    return sitk.Cast(greys, sitk.sitkInt16)


def make_warped(work: Path, heads: list[Path], template_file: Path) -> None:
    fine = read(template_file)
    coarse = averaged(fine, (2, 2, 2))
    for file in heads:
        name = f"{identity(file)}.nii.gz"
        if (work / "fine" / name).exists():
            continue
        found = warped(read(file), coarse, [coarse, slab(fine, 0)])
        whole, sagittal = (as_stored(each) for each in found)
        kept(work / "warped" / name, lambda whole=whole: whole)
        kept(work / "slabs" / name, partial(slab, whole, 1))
        kept(work / "fine" / name, lambda sagittal=sagittal: sagittal)


def make_low(work: Path, files: list[Path]) -> None:
    for file, factor in product(files, (3, 4)):

        def low(file: Path = file, factor: int = factor) -> sitk.Image:
            return as_stored(averaged(read(file), (factor,) * 3))

        kept(work / f"lowres-{factor}" / f"{identity(file)}.nii.gz", low)


def make_frames(work: Path, files: list[Path]) -> None:
    folder = work / "frames"
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        image = nib.as_closest_canonical(nib.load(file))
        values = np.asarray(image.dataobj, np.float32)
        two = (
            frames_of(values)
            if values.ndim == 4 and values.shape[3] > 1
            else acquired(file, values)
        )
        for number, frame in enumerate(two, start=1):
            out = folder / f"{identity(file)}__{number}.nii.gz"
            if not out.exists():
                nib.save(nib.Nifti1Image(frame.astype(np.float32), image.affine), out)
                print(f"made {out}", flush=True)


def frames_of(values: np.ndarray) -> list[np.ndarray]:
    return [values[..., 0], values[..., values.shape[3] // 2]]


def acquired(file: Path, values: np.ndarray) -> list[np.ndarray]:
    """Two acquisitions: a ball of a quarter of the extent moves by up to 4 % of it."""
    values = values.reshape(values.shape[:3])
    seed = hashlib.blake2b(file.name.encode(), digest_size=8).digest()
    rng = np.random.default_rng(int.from_bytes(seed, "little"))
    shape = np.array(values.shape)
    grid = np.indices(values.shape, np.float32)
    centre = shape * rng.uniform(0.4, 0.6, 3)
    away = ((grid - centre[:, None, None, None]) / (0.25 * shape[:, None, None, None])) ** 2
    bump = np.exp(-away.sum(axis=0) / 2)
    moved = grid + (0.04 * shape * rng.choice((-1, 1), 3))[:, None, None, None] * bump / np.sqrt(3)
    moved += rng.uniform(-0.5, 0.5, 3)[:, None, None, None]
    second = ndimage.map_coordinates(values, moved, order=1, mode="nearest")
    span = float(np.ptp(np.percentile(values, (0.5, 99.5))))
    return [each + NOISE * span * rng.standard_normal(values.shape) for each in (values, second)]


def make(asked: argparse.Namespace) -> None:
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)  # the same sums in the same order
    heads = scans(asked.heads, asked.limit)
    sources = [*heads, *scans(asked.small, asked.limit)]
    asked.work.mkdir(parents=True, exist_ok=True)
    told = {identity(file): str(file.resolve()) for file in sources}
    (asked.work / "sources.json").write_text(json.dumps(told, indent=1, sort_keys=True))
    make_low(asked.work, sources)
    make_frames(asked.work, asked.moving)
    make_warped(asked.work, heads, asked.template)


# Judging


def strangers(files: list[Path]) -> list[Pair]:
    return [(a, b) for a, b in combinations(files, 2) if person(a) != person(b)]


def of_two_sizes(work: Path) -> list[Pair]:
    """Reduced scans with unreduced ones of others of their kind."""
    whole = sources(work)
    return [
        (low, full)
        for low, full in product(scans([*work.glob("lowres-*")]), whole.values())
        if person(low) != person(full) and full.parent == whole[identity(low)].parent
    ]


def both_reduced(work: Path) -> list[Pair]:
    whole = sources(work)
    pairs = strangers(scans([*work.glob("lowres-*")]))
    return [(a, b) for a, b in pairs if whole[identity(a)].parent == whole[identity(b)].parent]


def sources(work: Path) -> dict[str, Path]:
    told = json.loads((work / "sources.json").read_text())
    return {name: Path(file) for name, file in sorted(told.items())}


def same_scan(work: Path) -> list[Pair]:
    files = scans([work / "frames"])
    return [(a, b) for a, b in combinations(files, 2) if identity(a) == identity(b)]


KINDS: dict[str, Callable[[Path], list[Pair]]] = {
    "warped": lambda work: strangers(scans([work / "warped"])),
    "slabs": lambda work: strangers(scans([work / "slabs"])),
    "fine": lambda work: strangers(scans([work / "fine"])),
    "lowres": of_two_sizes,
    "lowres-low": both_reduced,
    "frames": same_scan,
    "frames-strangers": lambda work: strangers(scans([work / "frames"])),
}


def judge_kind(pairs: list[Pair]) -> Iterator[dict[str, Any]]:
    for a, b in pairs:
        found = judged(load(a), load(b))
        wanted = ("verdict", "strength", "reason", "voxel", "seconds")
        row = {key: found[key] for key in wanted}
        yield {"a": f"{a.parent.name}/{a.name}", "b": f"{b.parent.name}/{b.name}", **row}


def tell(kind: str, rows: list[dict[str, Any]]) -> None:
    verdicts = Counter(str(row["verdict"]) for row in rows)
    said = ", ".join(f"{name} {n}" for name, n in sorted(verdicts.items()))
    print(f"{kind}: {len(rows)} pairs: {said}")
    known = [row["strength"] for row in rows if row["strength"] is not None]
    if known:
        cuts = np.quantile(known, (0.5, 0.9, 0.99, 1))
        told = " ".join(f"{cut:.2f}" for cut in cuts)
        print(f"  strength at 50 90 99 100 %: {told} ({len(rows) - len(known)} without)")
    print(f"  {np.median([row['seconds'] for row in rows]):.2f} s a pair (median)", flush=True)


def diff(files: list[Path]) -> dict[str, Any]:
    """Deal persons to train and test, and run the real command."""
    persons = sorted({identity(file) for file in files})
    with tempfile.TemporaryDirectory(prefix="look-alikes-") as place:
        folder = Path(place)
        (folder / "dvdup.toml").write_text('[dataset]\nlayout = "folders"\n')
        for file in files:
            split = ("train", "test")[persons.index(identity(file)) % 2]
            (folder / split).mkdir(exist_ok=True)
            (folder / split / file.name).symlink_to(file.resolve())
        dvdup = [sys.executable, "-m", "dvdup"]
        subprocess.run([*dvdup, "sync", "-q"], cwd=folder, check=False)
        done = subprocess.run(
            [*dvdup, "diff", "train", "test", "-q", "-f", "json"],
            cwd=folder, check=False, capture_output=True, text=True,
        )  # fmt: skip
    if not done.stdout:
        raise SystemExit(done.stderr)
    return {"rc": done.returncode, "report": json.loads(done.stdout)}


def tell_diff(kind: str, found: dict[str, Any], files: list[Path]) -> None:
    pairs = found["report"].get("pairs", found["report"].get("findings", []))
    verdicts = Counter(str(pair.get("verdict")) for pair in pairs)
    print(
        f"{kind}: dvdup diff of {len(files)} scans: exit {found['rc']}, {dict(verdicts)}",
        flush=True,
    )


def judge(asked: argparse.Namespace) -> None:
    result: dict[str, Any] = {}
    for kind in asked.kinds:
        pairs = KINDS[kind](asked.work)
        chosen = random.Random(asked.seed).sample(pairs, min(asked.pairs, len(pairs)))
        if not chosen:
            continue
        rows = list(judge_kind(sorted(chosen)))
        tell(kind, rows)
        result[kind] = {"of": len(pairs), "pairs": rows}
        if asked.diff and kind in {"warped", "slabs", "fine"}:
            files = scans([asked.work / kind])
            result[kind]["diff"] = diff(files)
            tell_diff(kind, result[kind]["diff"], files)
        if asked.json:
            asked.json.write_text(json.dumps(result, indent=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(required=True)
    making = commands.add_parser("make")
    making.set_defaults(do=make)
    making.add_argument("work", type=Path)
    making.add_argument("--heads", type=Path, nargs="+", required=True)
    making.add_argument("--template", type=Path, required=True)
    making.add_argument("--small", type=Path, nargs="*", default=[])
    making.add_argument("--moving", type=Path, nargs="*", default=[])
    making.add_argument("--limit", type=int)
    judging = commands.add_parser("judge")
    judging.set_defaults(do=judge)
    judging.add_argument("work", type=Path)
    judging.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    judging.add_argument("--pairs", type=int, default=200)
    judging.add_argument("--diff", action="store_true")
    judging.add_argument("--seed", type=int, default=0)
    judging.add_argument("--json", type=Path)
    asked = parser.parse_args()
    asked.do(asked)


if __name__ == "__main__":
    main()
