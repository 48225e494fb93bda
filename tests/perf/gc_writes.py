"""What many writing commands leave behind, and what `dvdup gc` makes of it.

    python tests/perf/gc_writes.py [--writes 1000] [--rows 100] [--tags 10]

Every write is a command of its own that adds one case with its slice rows and a proxy, or, every
fourth time, replaces one; some versions are tagged. Printed, before, after `gc` and after
`gc --history`: the size of the index, its files, versions and entries of the log, and how long it
takes to open it and read all cases, to read all slice rows, and to tidy. Ends with 1 if a tagged
version, or the newest one, does not read back as it was.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from dvdup import store
from dvdup.commands.gc import gc
from dvdup.records import Embedded, EmbedderSpec, FileStat, IndexedCase
from dvdup.store import Index, IndexMeta, Writer, find_damage
from dvdup.store.tables import folder_bytes
from dvdup.workspace import open_workspace

_DIMENSIONS = 256
_SIDE = 32  # of a proxy


def made_rows(rng: np.random.Generator, n: int) -> Embedded:
    """Unit rows of one case."""
    rows = rng.normal(size=(n, _DIMENSIONS)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    zeros = np.zeros(n, np.int16)
    index = np.arange(n, dtype=np.int32)
    return Embedded(rows, zeros, zeros.astype(np.uint8), index, index.astype(np.float32))


def made_case(rng: np.random.Generator, number: int, version: int) -> IndexedCase:
    """A case with a proxy of its own."""
    name = f"case-{number:05}"
    return IndexedCase(
        split="train" if number % 3 else "test",
        case_id=name,
        files=(FileStat(f"{name}.nii.gz", 1000, version, f"{version:032x}"),),
        content=f"{number:016x}{version:016x}",
        n_channels=1,
        shape=(64, 64, 64),
        spacing=(1.0, 1.0, 1.0),
        proxy=rng.integers(0, 256, _SIDE**3, dtype=np.uint8).tobytes(),
        proxy_shape=(1, _SIDE, _SIDE, _SIDE),
    )


def fill(folder: Path, writes: int, rows: int, tags: int) -> float:
    """Write the commands; gives the seconds that one takes on average."""
    rng = np.random.default_rng(0)
    start = time.perf_counter()
    for number in range(writes):
        writer = Writer(Index(folder), "sync")
        replaced = number % 4 == 3
        case = made_case(rng, number - 1 if replaced else number, number)
        writer.put(case, made_rows(rng, rows), "embedded")
        writer.flush()
        if number % max(1, writes // tags) == 0:
            store.add_tag(Index(folder), f"v{number}")
    return (time.perf_counter() - start) / writes


def contents(folder: Path) -> dict[str, list[tuple[str, str]]]:
    """What the newest and every tagged version hold."""
    versions = {name: Index(folder, name) for name in store.tags(Index(folder))}
    versions[""] = Index(folder)
    return {
        name: [(case.content, case.checksum) for case in index.cases]
        for name, index in versions.items()
    }


def describe(what: str, folder: Path, took: float) -> None:
    """Print one line of the table."""
    start = time.perf_counter()
    index = Index(folder)
    n_cases = len(index.cases)
    opened = time.perf_counter() - start
    start = time.perf_counter()
    sum(len(block.case) for block in index.blocks(index.cases))
    read = time.perf_counter() - start
    files = sum(path.is_file() for path in folder.rglob("*"))
    versions = len(index.dataset.version_refs())
    print(
        f"{what:<14} {folder_bytes(folder) / 1e6:8.1f} {files:6} {versions:8} "
        f"{len(store.log(index)):7} {n_cases:6} {opened:9.2f} {read:9.2f} {took:8.2f}"
    )


def main() -> None:
    """Write, tidy twice, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--writes", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--tags", type=int, default=10)
    asked = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)
    with tempfile.TemporaryDirectory() as root:
        config = Path(root, "dvdup.toml")
        config.write_text('[dataset]\nlayout = "folders"\n', encoding="utf-8")
        workspace = open_workspace(config, environ={}, overrides={})
        folder = workspace.folder
        store.claim(folder, workspace.root)
        spec = EmbedderSpec("made-up", "abc", _DIMENSIONS, 32)
        store.create(folder, IndexMeta(spec, {}, "recipe"))
        each = fill(folder, asked.writes, asked.rows, asked.tags)
        print(f"{asked.writes} writes, {1000 * each:.1f} ms each, {asked.tags} of them tagged\n")
        print(
            f"{'':<14} {'MB':>8} {'files':>6} {'versions':>8} {'entries':>7} {'cases':>6} "
            f"{'cases, s':>9} {'slices, s':>9} {'tidy, s':>8}"
        )
        before = contents(folder)
        describe("before", folder, 0)
        for what, keep_days in (("gc", None), ("gc --history", 0)):
            start = time.perf_counter()
            gc(workspace, keep_days=keep_days)
            describe(what, folder, time.perf_counter() - start)
            faults = [
                fault for name in before for fault in find_damage(Index(folder, name or None))
            ]
            if contents(folder) != before or faults:
                sys.exit(f"something was lost by {what}: {faults[:3]}")
    print("\nevery tagged version and the newest one read back as they were")


if __name__ == "__main__":
    main()
