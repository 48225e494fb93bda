"""The same scans in every layout: `dvdup init` and `dvdup check` have to find the same in each.

    python tests/perf/layout_variants.py FOLDER_OF_SCANS [--scans 40] [--keep FOLDER]

Takes the first scans of a folder, plants copies of some training scans among those for tests (the
same bytes; compressed anew; darker and noisy; a part of the slices), writes them as split folders,
MSD, nnU-Net, BIDS, MONAI, tables, lists and Croissant, and compares the findings with those of the
split folders. Nothing is set by hand. Exits with 1 if a layout finds something else.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

_NAME = re.compile(r"h\d{3}")
Finding = tuple[str, str, tuple[str, ...]]
"""(verdict, basis, names of the two scans)."""


@dataclass(frozen=True)
class Scan:
    """One scan of the set."""

    name: str
    split: str
    file: Path


def planted(scans: Sequence[Path], folder: Path) -> list[Scan]:
    """Two thirds of some scans for training, the others and four altered copies for tests."""
    n_train = len(scans) * 2 // 3
    made = [
        Scan(f"h{i:03}", "train" if i < n_train else "test", file) for i, file in enumerate(scans)
    ]
    for number, alter in enumerate((shutil.copyfile, _again, _darker, _part)):
        name = f"h{len(scans) + number:03}"
        alter(scans[number], folder / f"{name}.nii.gz")
        made.append(Scan(name, "test", folder / f"{name}.nii.gz"))
    return made


def _again(source: Path, target: Path) -> None:
    """The same volume, compressed otherwise."""
    target.write_bytes(gzip.compress(gzip.decompress(source.read_bytes()), 1, mtime=1))


def _darker(source: Path, target: Path) -> None:
    image = nib.load(source)
    values = np.asarray(image.dataobj, np.float64)
    noise = np.random.default_rng(0).normal(0, 0.02 * np.ptp(values), values.shape)
    nib.save(nib.Nifti1Image((values * 0.8 + noise).astype(np.float32), image.affine), target)


def _part(source: Path, target: Path) -> None:
    image = nib.load(source)
    n = image.shape[2]
    nib.save(image.slicer[:, :, n // 5 : n - n // 5], target)


def put(scan: Scan, file: Path) -> str:
    """Copy a scan to where a layout has it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(scan.file, file)
    return file.name


def write(root: Path, name: str, text: str) -> None:
    (root / name).write_text(text, encoding="utf-8")


def folders(root: Path, scans: Sequence[Scan]) -> None:
    for scan in scans:
        put(scan, root / scan.split / f"{scan.name}.nii.gz")


_IMAGES = {"train": "imagesTr", "test": "imagesTs"}


def msd(root: Path, scans: Sequence[Scan]) -> None:
    paths: dict[str, list[str]] = {"train": [], "test": []}
    for scan in scans:
        folder = _IMAGES[scan.split]
        paths[scan.split].append(f"./{folder}/{put(scan, root / folder / f'{scan.name}.nii.gz')}")
    found = {
        "modality": {"0": "MRI"},
        "numTraining": len(paths["train"]),
        "training": [{"image": path, "label": "./labelsTr/x.nii.gz"} for path in paths["train"]],
        "test": paths["test"],
    }
    write(root, "dataset.json", json.dumps(found))


def nnunet(root: Path, scans: Sequence[Scan]) -> None:
    for scan in scans:
        put(scan, root / _IMAGES[scan.split] / f"{scan.name}_0000.nii.gz")
    n = sum(scan.split == "train" for scan in scans)
    found = {"channel_names": {"0": "MRI"}, "numTraining": n, "file_ending": ".nii.gz"}
    write(root, "dataset.json", json.dumps(found))


def nnunet_folds(root: Path, scans: Sequence[Scan]) -> None:
    """All of them for training, with one fold."""
    for scan in scans:
        put(scan, root / f"imagesTr/{scan.name}_0000.nii.gz")
    found = {"channel_names": {"0": "MRI"}, "numTraining": len(scans), "file_ending": ".nii.gz"}
    write(root, "dataset.json", json.dumps(found))
    names = {split: [s.name for s in scans if s.split == split] for split in ("train", "test")}
    fold = {"train": names["train"], "val": names["test"]}
    write(root, "splits_final.json", json.dumps([fold]))


def bids(root: Path, scans: Sequence[Scan]) -> None:
    for scan in scans:
        put(scan, root / f"sub-{scan.name}/anat/sub-{scan.name}_T1w.nii.gz")
    write(root, "dataset_description.json", '{"Name": "x", "BIDSVersion": "1.9.0"}')
    rows = "".join(f"sub-{scan.name}\t{scan.split}\n" for scan in scans)
    write(root, "participants.tsv", f"participant_id\tsplit\n{rows}")


def flat(root: Path, scans: Sequence[Scan]) -> dict[str, list[str]]:
    """All scans in one folder: paths by split."""
    found: dict[str, list[str]] = {}
    for scan in scans:
        name = put(scan, root / f"scans/{scan.name}.nii.gz")
        found.setdefault(scan.split, []).append(f"scans/{name}")
    return found


def monai(root: Path, scans: Sequence[Scan]) -> None:
    lists = {
        key: [{"image": path, "label": "x.nii.gz"} for path in paths]
        for key, paths in zip(("training", "testing"), flat(root, scans).values(), strict=True)
    }
    write(root, "datalist.json", json.dumps(lists))


def table(root: Path, scans: Sequence[Scan]) -> None:
    paths = flat(root, scans)
    rows = "".join(f"{path},{split}\n" for split in paths for path in paths[split])
    write(root, "splits.csv", f"image_path,split\n{rows}")


def lists(root: Path, scans: Sequence[Scan]) -> None:
    for split, paths in flat(root, scans).items():
        write(root, f"{split}.txt", "".join(f"{path}\n" for path in paths))


def croissant(root: Path, scans: Sequence[Scan]) -> None:
    for scan in scans:
        put(scan, root / f"scans/part-{scan.split}/{scan.name}.nii.gz")
    files = {"@type": "cr:FileSet", "@id": "scans", "encodingFormat": "application/gzip",
             "includes": "scans/**/*.nii.gz"}  # fmt: skip
    source = {"fileSet": {"@id": "scans"}, "extract": {"fileProperty": "fullpath"},
              "transform": {"regex": "^scans/part-(train|test)/"}}  # fmt: skip
    field = {"@type": "cr:Field", "@id": "images/split", "dataType": "cr:Split", "source": source}
    records = {"@type": "cr:RecordSet", "@id": "images", "field": [field]}
    found = {"@type": "sc:Dataset", "name": "x", "distribution": [files], "recordSet": [records]}
    write(root, "croissant.json", json.dumps(found))


VARIANTS: Mapping[str, Callable[[Path, Sequence[Scan]], None]] = {
    "folders": folders, "msd": msd, "nnunet": nnunet, "nnunet_folds": nnunet_folds, "bids": bids,
    "monai": monai, "csv": table, "lists": lists, "croissant": croissant,
}  # fmt: skip


def findings(report: Mapping[str, object]) -> set[Finding]:
    """What a report finds, by the names of the scans."""
    pairs: list[dict] = report["pairs"]  # type: ignore[assignment]
    return {
        (pair["verdict"], pair["basis"], tuple(sorted(
            _NAME.search(Path(pair[side]["paths"][0]).name)[0] for side in "ab"  # type: ignore[index]
        )))
        for pair in pairs
    }  # fmt: skip


def _run(root: Path, *args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dvdup", *args]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


def main() -> int:
    """Write the variants, check each, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scans", type=int, default=40)
    parser.add_argument("--keep", type=Path)
    args = parser.parse_args()
    files = sorted(args.folder.glob("[!.]*.nii.gz"))[: args.scans]
    with tempfile.TemporaryDirectory() as temporary:
        root = args.keep or Path(temporary)
        (root / "copies").mkdir(parents=True)
        scans = planted([file.resolve() for file in files], root / "copies")
        found = {}
        for name, lay_out in VARIANTS.items():
            (root / name).mkdir()
            lay_out(root / name, scans)
            print(f"{name}: {_run(root / name, 'init').stderr.splitlines()[0]}")
            ran = _run(root / name, "check", "-f", "json", "-q")
            found[name] = findings(json.loads(ran.stdout))
            same = "the same" if found[name] == found["folders"] else "OTHER findings"
            print(f"  exit {ran.returncode}, {len(found[name])} findings, {same}", flush=True)
    for verdict, basis, names in sorted(found["folders"]):
        print(f"{verdict} ({basis}): {' = '.join(names)}")
    return int(any(each != found["folders"] for each in found.values()))


if __name__ == "__main__":
    sys.exit(main())
