"""Verify copies and strangers among the scans of a folder, and count what goes wrong.

    python tests/perf/verify_pairs.py FOLDER [--positives 1] [--negatives 50] [--seed 0]
        [--levels mild medium strong] [--edits NAME ...] [--half 0|1] [--all-pairs] [--json FILE]

FOLDER holds NIfTI, NRRD or MetaImage volumes, one subject a file. Positives: every standard edit
(or those of `--edits`, which takes suites too) at every level, `--positives` times, of a scan drawn
at random, against its source. Negatives: pairs of different files, every second one with an edit on
one side; `--all-pairs` takes every pair once, unedited. `--half` uses only the files with even (0)
or odd (1) numbers, sorted by name, so that thresholds fitted on one half can be tried on the other.

As in a run of dvdup, proxies are compared first and the full scans are looked at where needed.
Printed: sensitivity by edit, every miss and false alarm, errors of the placement, seconds of
processor time a pair, peak memory. Exit code 1 if a stranger was called a copy.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
import time
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from dvdup import edits, verify
from dvdup.readers import read_volume
from dvdup.records import Case
from dvdup.report.json import alignment_of, voxel_of
from dvdup.report.sentences import result_reason
from dvdup.verify import Scan, strength
from dvdup.voxels import channel_values, proxy

SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".mha", ".mgz")


def load(file: Path) -> Scan:
    """The first channel, at full resolution."""
    volume = read_volume(file.parent, Case("", file.name, (file.name,)))
    return Scan(channel_values(volume, 0), volume.spacing)


def small(scan: Scan) -> Scan:
    """Its proxy."""
    return verify.of_proxy(proxy(scan.values), scan.values.shape, scan.spacing)


def judged(a: Scan, b: Scan) -> dict[str, Any]:
    """Verify one pair; verdict, evidence, processor time."""
    reads = []

    def full() -> tuple[Scan, Scan]:
        reads.append(1)
        return a, b

    before = time.process_time()
    small_a, small_b = small(a), small(b)
    start = time.process_time()
    found = verify.judge(small_a, small_b, full)
    result = found.result()
    return {
        "verdict": found.decision.verdict,
        "reason": result_reason(result),
        "strength": None if found.evidence is None else strength(found.evidence),
        "voxel": voxel_of(result),
        "alignment": alignment_of(result),
        "seconds": time.process_time() - start,
        "proxy_seconds": start - before,
        "read": bool(reads),
        "place": None if found.evidence is None else found.evidence.place.tolist(),
    }


def truth(edited: edits.Edited, source: Scan) -> np.ndarray:
    """The right placement, mm of the copy to mm of the source, both from their centres."""
    to_source = np.vstack([edited.truth["to_source"], [0, 0, 0, 1]])
    copy_mm = centred(edited.values.shape, edited.spacing)
    source_mm = centred(source.values.shape, source.spacing)
    place: np.ndarray = source_mm @ to_source @ np.linalg.inv(copy_mm)
    return place


def centred(shape: tuple[int, ...], spacing: tuple[float, ...]) -> np.ndarray:
    matrix = np.diag([*spacing, 1.0])
    matrix[:3, 3] = -(np.array(shape) - 1) / 2 * spacing
    return matrix


def errors(found: np.ndarray, right: np.ndarray) -> dict[str, float]:
    """Of angle (degrees), scale (share) and offset (mm)."""
    rest = np.linalg.inv(right[:3, :3]) @ found[:3, :3]
    left, sizes, turned = np.linalg.svd(rest)
    rotation = left @ turned
    cosine = np.clip((np.trace(rotation) - 1) / 2, -1, 1)
    return {
        "angle": float(np.degrees(np.arccos(cosine))),
        "scale": float(np.abs(sizes - 1).max()),
        "offset_mm": float(np.linalg.norm(found[:3, 3] - right[:3, 3])),
    }


def positives(files: list[Path], asked: argparse.Namespace, rng: random.Random) -> list[dict]:
    rows = []
    for _ in range(asked.positives):
        for level in asked.levels:
            for name in edits.available(level, *(edits.SUITES if asked.edits else ())):
                suite = "standard" if name == edits.COMPOSE else edits.EDITS[name].suite
                if asked.edits and not {name, suite} & set(asked.edits):
                    continue
                file = rng.choice(files)
                source = load(file)
                made = edits.apply(name, level, source.values, source.spacing, file.name)
                row = judged(Scan(made.values, made.spacing), source)
                if row["place"] is not None:
                    row |= errors(np.array(row["place"]), truth(made, source))
                done = [each["name"] for each in made.truth["edits"]]
                told = {"file": file.name, "edit": name, "level": level, "done": done}
                rows.append(row | told)
    return rows


def negatives(files: list[Path], asked: argparse.Namespace, rng: random.Random) -> list[dict]:
    if asked.all_pairs:
        pairs = [(a, b, None) for a, b in combinations(files, 2)]
        pairs = rng.sample(pairs, min(asked.negatives, len(pairs)))
    else:
        pairs = [(*rng.sample(files, 2), i % 2 or None) for i in range(asked.negatives)]
    rows = []
    for one, other, edited in pairs:
        a, said = load(one), ""
        if edited:
            level = rng.choice(asked.levels)
            said = rng.choice(edits.available(level))
            made = edits.apply(said, level, a.values, a.spacing, one.name)
            a, said = Scan(made.values, made.spacing), f"{said} {level}"
        rows.append(judged(a, load(other)) | {"pair": [one.name, other.name], "edit": said})
    return rows


def tell_positives(rows: list[dict]) -> None:
    for level in dict.fromkeys(row["level"] for row in rows):
        these = [row for row in rows if row["level"] == level]
        hits = [row for row in these if row["verdict"]]
        print(f"{level}: {len(hits)} of {len(these)} found")
        for row in these:
            if not row["verdict"]:
                told = (row["file"], row["edit"], row["done"], row["strength"], row["voxel"])
                print("   MISS", *told)
    hits = [row for row in rows if row["verdict"]]
    for what in ("angle", "scale", "offset_mm"):
        values = [row[what] for row in hits]
        if values:
            median, most = np.percentile(values, (50, 95))
            print(f"error of {what}: median {median:.3f}, 95th percentile {most:.3f}")


def tell_negatives(rows: list[dict]) -> int:
    alarms = [row for row in rows if row["verdict"]]
    print(f"strangers: {len(alarms)} of {len(rows)} called copies")
    for row in sorted(rows, key=lambda row: -(row["strength"] or 0))[:8]:
        mark = f"ALARM {row['verdict']}" if row["verdict"] else "     "
        print(f"   {mark} {row['pair']} {row['edit']} {row['strength']} {row['voxel']}")
    return len(alarms)


def main() -> None:
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--positives", type=int, default=1)
    parser.add_argument("--negatives", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--levels", nargs="+", default=list(edits.LEVELS))
    parser.add_argument("--edits", nargs="+")
    parser.add_argument("--half", type=int, choices=(0, 1))
    parser.add_argument("--all-pairs", action="store_true")
    parser.add_argument("--only", help="files whose name holds one of these, separated by commas")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    files = sorted(each for each in asked.folder.iterdir() if each.name.endswith(SUFFIXES))
    if asked.half is not None:
        files = files[asked.half :: 2]
    if asked.only:
        files = [each for each in files if any(part in each.name for part in asked.only.split(","))]
    rng = random.Random(asked.seed)
    copies = positives(files, asked, rng)
    tell_positives(copies)
    strangers = negatives(files, asked, rng)
    alarms = tell_negatives(strangers)
    for kind, rows in (("copies", copies), ("strangers", strangers)):
        if rows:
            median, most = np.percentile([row["seconds"] for row in rows], (50, 95))
            read = np.mean([row["read"] for row in rows])
            print(f"{kind}: {median:.2f} s a pair (95th percentile {most:.2f}), {read:.0%} in full")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    if asked.json:
        asked.json.write_text(json.dumps([*copies, *strangers], default=float))
    sys.exit(1 if alarms else 0)


if __name__ == "__main__":
    main()
