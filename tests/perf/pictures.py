"""Pictures made from volumes: what `dvdup diff` finds of them, what it invents, how long it takes.

    python tests/perf/pictures.py slices VOLUMES --absent OTHERS [--dvdup COMMAND]
    python tests/perf/pictures.py pictures VOLUMES [--dvdup COMMAND]

VOLUMES and OTHERS are folders with NIfTI files. `slices`: all volumes are train, and ten slices of
each of the first twenty are test, as PNG, 224 pixels large, as JPEG 75, or turned as a viewer does;
with them twenty slices of each volume of OTHERS. `pictures`: slices of three volumes in four are
train, at most 2,500; test are 200 of them flipped, cropped, as JPEG 20, with text, resized, with a
border, and 200 slices of the other volumes.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
from PIL import Image, ImageDraw

Truth = dict[str, tuple[str, str, int | None]]
"""Test picture -> train case, kind, number of the slice."""


def volume(file: Path) -> np.ndarray:
    """RAS+ voxels of a file."""
    return np.asarray(nib.as_closest_canonical(nib.load(file)).dataobj, np.float32)


def grey(flat: np.ndarray) -> np.ndarray:
    """uint8 of nearly the whole range."""
    low, high = np.percentile(flat, (0.5, 99.5))
    return np.clip((flat - low) / max(high - low, 1e-9) * 255, 0, 255).astype(np.uint8)


def some_slices(values: np.ndarray, n: int, rng: np.random.Generator) -> Iterator[tuple]:
    """(axis, number, picture) of slices that show something."""
    while n:
        axis = int(rng.integers(3))
        i = int(rng.integers(values.shape[axis] // 10, values.shape[axis] * 9 // 10))
        picture = grey(values.take(i, axis))
        if picture.std() > 30:
            n -= 1
            yield axis, i, picture


def sized(picture: np.ndarray, side: int = 224) -> np.ndarray:
    """A square picture."""
    return np.asarray(Image.fromarray(picture).resize((side, side)))


def written_on(picture: np.ndarray) -> np.ndarray:
    """A picture with text."""
    image = Image.fromarray(picture)
    ImageDraw.Draw(image).text((3, 3), "PATIENT 0815", fill=255)
    return np.asarray(image)


def cropped(picture: np.ndarray) -> np.ndarray:
    """A picture without a sixth of it."""
    h, w = picture.shape
    return picture[int(h * 0.08) : int(h * 0.9), int(w * 0.1) : int(w * 0.94)]


EXPORTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as it is": lambda picture: picture,
    "224 px": sized,
    "jpeg 75": lambda picture: picture,
    "viewer": lambda picture: np.rot90(picture)[:, ::-1],
}
EDITS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "flipped": lambda picture: picture[:, ::-1],
    "cropped": cropped,
    "jpeg 20": lambda picture: picture,
    "text": written_on,
    "resized": sized,
    "border": lambda picture: np.pad(picture, ((20, 20), (28, 28))),
}


def save(folder: Path, name: str, picture: np.ndarray, kind: str = "") -> str:
    """Write a picture."""
    image = Image.fromarray(np.ascontiguousarray(picture))
    if kind.startswith("jpeg"):
        image.save(folder / f"{name}.jpg", quality=int(kind[5:]))
    else:
        image.save(folder / f"{name}.png")
    return name


def make_slices(root: Path, volumes: list[Path], absent: list[Path]) -> Truth:
    """Volumes in train, slices in test."""
    truth: Truth = {}
    rng = np.random.default_rng(0)
    for k, file in enumerate(volumes):
        shutil.copy(file, root / "train")
        for n, (_, i, picture) in enumerate(some_slices(volume(file), 10 if k < 20 else 0, rng)):
            kind = list(EXPORTS)[n % len(EXPORTS)]
            name = save(root / "test", f"p{k:02}_{n}", EXPORTS[kind](picture), kind)
            truth[name] = (file.name.split(".")[0], kind, i)
    for k, file in enumerate(absent):
        for n, (_, _, picture) in enumerate(some_slices(volume(file), 20, rng)):
            kind = list(EXPORTS)[n % len(EXPORTS)]
            save(root / "test", f"absent{k:02}_{n}", EXPORTS[kind](picture), kind)
    return truth


def make_pictures(root: Path, volumes: list[Path]) -> Truth:
    """Slices in train, some of them changed in test."""
    rng, n_train = np.random.default_rng(0), len(volumes) * 3 // 4
    kept: dict[str, np.ndarray] = {}
    for k, file in enumerate(volumes[:n_train]):
        for axis, i, picture in some_slices(volume(file), -(-2500 // n_train), rng):
            kept[save(root / "train", f"t{k:02}_{axis}_{i:03}", picture)] = picture
    truth: Truth = {}
    for n, source in enumerate(rng.permutation(sorted(kept))[:200].tolist()):
        kind = list(EDITS)[n % len(EDITS)]
        truth[save(root / "test", f"p{n:03}", EDITS[kind](kept[source]), kind)] = (
            source,
            kind,
            None,
        )
    each = -(-200 // len(volumes[n_train:]))
    for k, file in enumerate(volumes[n_train:]):
        for n, (_, _, picture) in enumerate(some_slices(volume(file), each, rng)):
            save(root / "test", f"absent{k:02}_{n}", picture)
    return truth


def run(root: Path, dvdup: str) -> dict:
    """Sync and diff; the report."""
    (root / "dvdup.toml").write_text('[dataset]\nlayout = "folders"\n', encoding="utf-8")
    start = time.perf_counter()
    synced = subprocess.run([dvdup, "sync", "--quiet"], cwd=root, capture_output=True, text=True)
    print(synced.stderr, end="")  # of pictures without content, as crops may be
    middle = time.perf_counter()
    command = [dvdup, "diff", "train", "test", "-f", "json", "--quiet"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    print(f"sync {middle - start:.0f} s, diff {time.perf_counter() - middle:.0f} s")
    return json.loads(done.stdout)


def tell(report: dict, truth: Truth) -> None:
    """Print what was found by kind, and what was not there."""
    asked, found, right = Counter(), Counter(), Counter()
    pairs = {(pair["b"]["case"], pair["a"]["case"]): pair for pair in report["pairs"]}
    for name, (source, kind, number) in truth.items():
        asked[kind] += 1
        pair = pairs.pop((name, source), None)
        if pair is not None:
            found[kind] += 1
            first = pair["alignment"]["slices"]["slices_a"][0] if number is not None else 0
            right[kind] += number is None or abs(first - number) <= 1
    for kind, n in asked.items():
        print(f"{kind:9} {found[kind]} of {n} found, {right[kind]} with the right slice")
    print(
        f"{found.total()} of {asked.total()} found, {len(pairs)} other pairs: {sorted(pairs)[:5]}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=["slices", "pictures"])
    parser.add_argument("volumes", type=Path)
    parser.add_argument("--absent", type=Path)
    parser.add_argument("--dvdup", default="dvdup")
    asked = parser.parse_args()
    volumes = sorted(asked.volumes.glob("*.nii*"))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for split in ("train", "test"):
            (root / split).mkdir()
        if asked.what == "slices":
            truth = make_slices(root, volumes, sorted((asked.absent or root).glob("*.nii*")))
        else:
            truth = make_pictures(root, volumes)
        tell(run(root, asked.dvdup), truth)


if __name__ == "__main__":
    main()
