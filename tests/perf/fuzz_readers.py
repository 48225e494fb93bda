"""Damage small scans of every format in every way we know: dvdup must read them or say why not.

    python tests/perf/fuzz_readers.py [--count 10000] [--seed 0] [--jobs 2] [--keep FOLDER]
    python tests/perf/fuzz_readers.py --replay FOLDER/0123-nii-cut

Each mutant goes through `dvdup.readers.read_volume` in a process of its own kind (`fuzz_worker`).
One in `--sample` goes through `dvdup check` too, a few to a dataset. Faults are:

- raised: an exception that is no ReadError
- crashed: the process is gone
- hung, memory: over 20 s, or over 2 GB (children included)
- silent: read as ok with other voxels, although the file was cut off or a checksum covers what
  was changed
- cli: `check` shows a traceback, hangs, ends with another code than 0, 1, 2, or does not name a
  case as unreadable that the reader refused

Prints a table of formats by outcome and each distinct fault; the exit code is 1 if there is any.
With `--keep` the files of the faults stay there, each folder with the line that shows it again.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from fuzz_mutants import Mutant, mutate
from fuzz_seeds import Seed, all_seeds, scan
from fuzz_worker import MAX_BYTES, Answer, Worker, resident

OUTCOMES = ("same", "other", "refused", "raised", "crashed", "hung", "memory", "silent")
FAULTS = OUTCOMES[3:]
PACK = 5  # mutants in one dataset of the command line
CLI_SECONDS = 300.0  # start-up and all, on a machine that does other things too


@dataclass(frozen=True)
class Result:
    """One mutant and what became of it."""

    number: int
    mutant: Mutant
    outcome: str
    detail: str

    @property
    def signature(self) -> str:
        """Equal for faults that are probably one."""
        if self.outcome in {"raised", "cli"}:
            return f"{self.outcome}: {self.detail.partition(': ')[0]}"
        return f"{self.outcome}: {self.mutant.seed.kind}, {self.mutant.mutation}"


def place(mutant: Mutant, folder: Path) -> list[str]:
    """Write the files of a mutant; their names, the main one first."""
    folder.mkdir(parents=True)
    for name, data in mutant.files.items():
        (folder / name).write_bytes(data)
    main = mutant.seed.main
    return [main, *(name for name in mutant.files if name != main)]


def judge(mutant: Mutant, answer: Answer, sound: Answer) -> str:
    """The column of the table for an answer."""
    if answer.outcome != "ok":
        return answer.outcome
    if answer.voxels == sound.voxels:
        return "same"
    return "silent" if mutant.told else "other"


class Reading:
    """Reads mutants in one worker process, beside others."""

    def __init__(self, seeds: Sequence[Seed], run: int, sound: dict[str, Answer]) -> None:
        self._seeds, self._run, self._sound = seeds, run, sound
        self._worker = Worker()

    def all(self, numbers: Sequence[int]) -> list[Result]:
        """Read these mutants, one after the other."""
        found = []
        with tempfile.TemporaryDirectory() as scratch:
            for number in numbers:
                mutant = mutate(self._seeds, self._run, number)
                folder = Path(scratch) / "one"
                answer = self._worker.read(folder, place(mutant, folder))
                shutil.rmtree(folder)
                outcome = judge(mutant, answer, self._sound[mutant.seed.main])
                found.append(Result(number, mutant, outcome, answer.detail))
        self._worker.stop()
        return found


def sound_answers(seeds: Sequence[Seed]) -> dict[str, Answer]:
    """What the undamaged files hold; a seed that is not read as it is ends the script."""
    answers = {}
    worker = Worker()
    with tempfile.TemporaryDirectory() as scratch:
        for number, seed in enumerate(seeds):
            folder = Path(scratch) / str(number)
            names = place(Mutant(seed, "none", seed.files, False), folder)
            answers[seed.main] = worker.read(folder, names)
    worker.stop()
    for seed in seeds:
        if answers[seed.main].outcome != "ok":
            print(f"note: {seed.kind} is not read undamaged: {answers[seed.main].detail}")
    return answers


def read_all(seeds: Sequence[Seed], asked: argparse.Namespace) -> list[Result]:
    """Every mutant through the readers, in `--jobs` processes."""
    sound = sound_answers(seeds)
    shares = [range(job, asked.count, asked.jobs) for job in range(asked.jobs)]
    readings = [Reading(seeds, asked.seed, sound) for _ in shares]
    with ThreadPoolExecutor(asked.jobs) as pool:
        found = pool.map(lambda pair: pair[0].all(pair[1]), zip(readings, shares, strict=True))
        return sorted((r for part in found for r in part), key=lambda result: result.number)


# Through the command line


def check_packs(results: Sequence[Result], asked: argparse.Namespace) -> list[Result]:
    """A sample of the mutants through `dvdup check`; only the faults come back."""
    sample = [r for r in results if r.number % asked.sample == 0]
    packs = [sample[start : start + PACK] for start in range(0, len(sample), PACK)]
    with ThreadPoolExecutor(asked.jobs) as pool:
        return [fault for part in pool.map(check_pack, packs) for fault in part]


def check_pack(pack: Sequence[Result]) -> list[Result]:
    """Check one dataset that holds these mutants beside sound scans."""
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        write_dataset(root, pack)
        command = ["dvdup", "check", "--format", "json", "--output", "report.json"]
        code, text, wrong = supervised(command, root)
        if wrong is None and code not in (0, 1, 2):
            wrong = f"exit code {code}"
        if wrong is None and ("Traceback" in text or "a bug in dvdup" in text):
            wrong = f"traceback, {text.strip().splitlines()[-1][:200]}"
        if wrong is not None:
            return [
                Result(r.number, r.mutant, "cli", f"{wrong}: {r.mutant.seed.kind}") for r in pack
            ]
        return list(untold(pack, root / "report.json", text))


def write_dataset(root: Path, pack: Sequence[Result]) -> None:
    """Two sound scans in train, one in test, and each mutant in a folder of test."""
    import nibabel as nib
    import numpy as np

    (root / "train").mkdir()
    (root / "test").mkdir()
    for number, name in enumerate(("train/a.nii", "train/b.nii", "test/c.nii")):
        nib.save(nib.Nifti1Image(scan(number, (24, 24, 24)), np.eye(4)), root / name)
    for result in pack:
        place(result.mutant, root / "test" / f"m{result.number}")
    (root / "dvdup.toml").write_text(
        'embedder = "thumbnail"\n[dataset]\nlayout = "folders"\n'
        '[dataset.splits]\ntrain = "train"\ntest = "test"\n'
    )


def supervised(command: Sequence[str], root: Path) -> tuple[int, str, str | None]:
    """Exit code, stderr, and what went over a bound."""
    with (root / "stderr").open("wb") as stream:
        env = {**os.environ, "DVDUP_VERIFY_CANDIDATES": "0"}  # seconds a case, of no use here
        run = subprocess.Popen(command, cwd=root, env=env, stdout=subprocess.DEVNULL, stderr=stream)
        end, wrong = time.monotonic() + CLI_SECONDS, None
        while run.poll() is None and wrong is None:
            time.sleep(0.05)
            if time.monotonic() > end:
                wrong = f"over {CLI_SECONDS:.0f} s"
            elif resident(run.pid) > MAX_BYTES:
                wrong = "over 2 GB"
        if wrong is not None:
            run.kill()
        code = run.wait()
    return code, (root / "stderr").read_text(errors="replace"), wrong


def untold(pack: Sequence[Result], report: Path, text: str) -> Iterator[Result]:
    """The mutants that the reader refused and the report does not name as unreadable."""
    said = report.read_text() if report.exists() else ""
    named = {entry["case"] for entry in json.loads(said)["unreadable"]} if said else set()
    for result in pack:
        folder = f"m{result.number}"
        if "belongs to another DICOM series" in result.detail:
            continue  # discovery makes it a case of its own
        if result.outcome != "refused" or any(folder in case.split("/") for case in named):
            continue
        if folder not in text or said:
            detail = f"not told as unreadable: {result.mutant.seed.kind}, {result.mutant.mutation}"
            yield Result(result.number, result.mutant, "cli", f"{detail}; {result.detail}")


# What is shown and kept


def table(results: Sequence[Result]) -> str:
    """Formats by outcome, in Markdown."""
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for result in results:
        counts[result.mutant.seed.kind][result.outcome] += 1
        counts["all"][result.outcome] += 1
    lines = [f"| format | mutants | {' | '.join(OUTCOMES)} |", "|---" * (len(OUTCOMES) + 2) + "|"]
    for kind, count in sorted(counts.items()):
        numbers = " | ".join(str(count[outcome]) for outcome in OUTCOMES)
        lines.append(f"| {kind} | {sum(count.values())} | {numbers} |")
    return "\n".join([*lines[:2], *sorted(lines[2:], key=lambda line: line.startswith("| all "))])


def keep(results: Sequence[Result], folder: Path) -> None:
    """Write the first three files of each distinct fault, with how to see it again."""
    seen: collections.Counter[str] = collections.Counter()
    for result in results:
        seen[result.signature] += 1
        if seen[result.signature] > 3:
            continue
        words = f"{result.mutant.seed.kind} {result.mutant.mutation}".replace("/", " ").split()
        target = folder / "-".join([f"{result.number:05}", *words, result.outcome])
        shutil.rmtree(target, ignore_errors=True)
        names = place(result.mutant, target / "scan")
        again = f"python tests/perf/fuzz_readers.py --replay {target}"
        (target / "fault.json").write_text(
            json.dumps({"files": names, "fault": result.outcome, "detail": result.detail})
        )
        (target / "reproduce.txt").write_text(f"{again}\n{result.outcome}: {result.detail}\n")


def replay(folder: Path) -> int:
    """Read the files of a kept fault again and say what happens."""
    fault = json.loads((folder / "fault.json").read_text())
    worker = Worker()
    answer = worker.read(folder / "scan", fault["files"])
    worker.stop()
    print(f"before: {fault['fault']}: {fault['detail']}")
    print(f"now: {answer.outcome}: {answer.detail} {answer.voxels or ''}")
    return 0 if answer.outcome in {"ok", "refused"} else 1


def show(faults: Sequence[Result], sampled: int) -> None:
    """Each distinct fault once, and how many mutants went through the command line."""
    distinct: dict[str, list[Result]] = collections.defaultdict(list)
    for fault in faults:
        distinct[fault.signature].append(fault)
    print(f"{sampled} of them through dvdup check")
    print(f"{len(faults)} faults, {len(distinct)} distinct")
    for signature, same in sorted(distinct.items()):
        numbers = ", ".join(str(each.number) for each in same[:5])
        print(f"- {len(same)} x {signature} (mutants {numbers})\n  {same[0].detail[:300]}")


def main() -> None:
    """Run the mutants, or one again."""
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--sample", type=int, default=50, help="one in N through the CLI; 0: none")
    parser.add_argument("--only", default="", help="formats that start so, such as 'dcm'")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--replay", type=Path)
    asked = parser.parse_args()
    if asked.replay:
        sys.exit(replay(asked.replay))
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    start = time.monotonic()
    seeds = [seed for seed in all_seeds() if seed.kind.startswith(asked.only)]
    results = read_all(seeds, asked)
    print(f"{len(results)} mutants of {len(seeds)} files in {time.monotonic() - start:.0f} s")
    print(table(results) + "\n", flush=True)
    told = check_packs(results, asked) if asked.sample else []
    faults = [*(result for result in results if result.outcome in FAULTS), *told]
    if asked.keep:
        keep(faults, asked.keep)
    show(faults, -(-asked.count // asked.sample) if asked.sample else 0)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
