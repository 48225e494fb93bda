"""Trains the built-in network: on its own recipe's data, or on anybody's scans.

Scans and phantoms -> batches of pairs -> network -> validation on persons kept out. `train` does it
all; the parts can be used alone. Loaded by `dvdup train` only, because torch is imported at once.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dvdup import discover
from dvdup.config import DatasetConfig, group_of
from dvdup.embedders import LoadOptions, load_embedder, projection_file
from dvdup.errors import ConfigError, InputError
from dvdup.lab.train import validate
from dvdup.lab.train.batches import Batches, Mix
from dvdup.lab.train.card import Facts, write_card
from dvdup.lab.train.loop import Files, Plan, Trainer, run, write_line
from dvdup.lab.train.phantoms import cached_phantoms
from dvdup.lab.train.projection import save_projection
from dvdup.lab.train.scans import read_scans
from dvdup.lab.train.validate import Row
from dvdup.records import Case, Hooks, Progress, no_progress
from dvdup.sealed import nowhere
from dvdup.slicing import make_recipe
from dvdup.workspace import readers_as_formats

__all__ = ["Files", "Mix", "Plan", "Request", "Result", "Row", "train"]

_KEPT_OUT = 0.2  # share of the persons, where nobody is named
_MOST_KEPT_OUT = 12


@dataclass(frozen=True, slots=True)
class Request:
    """What to train, on what."""

    paths: tuple[str, ...]
    """Files and folders; relative to the working folder."""
    weights: Path
    """Where the weights go; the state and the log go beside them."""
    plan: Plan = dataclasses.field(default_factory=Plan)
    mix: Mix = dataclasses.field(default_factory=Mix)
    persons: str | None = None
    """Regular expression that finds the person in the id or path of a case; None: each its own."""
    kept_out: tuple[str, ...] = ()
    """Patterns of the persons to validate on; empty: a fifth of them, at most 12."""
    families: int = 28
    """Kinds of phantoms."""
    members: int = 10
    """Phantoms of a kind."""
    resume: bool = False
    validation: tuple[tuple[str, str], ...] | None = None
    """(edit, level) to validate on; None: all."""
    notes: tuple[str, ...] = ()
    """What the model card says about the data, its licences above all; empty: the paths."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it."""

    step: int
    seconds: float
    """Of training, over all runs."""
    done: bool
    """False if time was over, or a stop was asked for: resume to go on."""
    validation: tuple[Row, ...]
    """Empty if no volume was kept out, or if it was stopped."""


def train(request: Request, hooks: Hooks | None = None) -> Result:
    """Train a network and validate it.

    Args:
        request: What, on what.
        hooks: Progress, messages, the wish to stop, which is asked for after every step.

    Raises:
        InputError: A path holds no scan; weights are there already; nothing to resume from.
        ConfigError: A pattern of persons to keep out fits nobody.
    """
    hooks = hooks or Hooks()
    files = Files(request.weights)
    trainer = _trainer(request, files)
    cases = _cases(request)
    kept_out = _kept_out(cases, request.kept_out)
    used = [case for case in cases if person_of(case) not in kept_out]
    scans, left_out = read_scans(Path.cwd(), used, hooks.progress)
    for line in left_out:
        hooks.say(f"left out: {line}")
    phantoms = cached_phantoms(
        files.phantoms, request.plan.seed, request.families, request.members, hooks.progress
    )
    if not scans and not phantoms:
        raise InputError("there is nothing to train on: no scan can be read, and no phantoms")
    hooks.say(
        f"{len(scans)} scans, {len(phantoms)} phantoms; kept out: {', '.join(kept_out) or 'nobody'}"
    )
    batches = Batches(scans, phantoms, request.mix, request.plan.seed)
    done = run(trainer, batches, files, hooks)
    rows: tuple[Row, ...] = ()
    if kept_out and not hooks.should_stop():
        rows = validate_file(request.weights, cases, kept_out, request.validation, hooks.progress)
        for row in rows:
            write_line(files.log, {"validation": dataclasses.asdict(row)})
    if phantoms:
        embedder = load_embedder(f"builtin@{request.weights}", LoadOptions(device="cpu"))
        save_projection(projection_file(request.weights), phantoms, embedder.embed)
    facts = Facts(
        data=request.notes or request.paths,
        scans=len(scans),
        phantoms=len(phantoms),
        kept_out=kept_out,
        plan=request.plan,
        mix=request.mix,
        steps=trainer.step,
        seconds=trainer.seconds,
        rows=rows,
    )
    write_card(request.weights, facts)
    return Result(trainer.step, trainer.seconds, done, rows)


def validate_file(
    weights: Path,
    cases: Sequence[Case],
    kept_out: Sequence[str],
    wanted: Sequence[tuple[str, str]] | None = None,
    progress: Progress = no_progress,
) -> tuple[Row, ...]:
    """Validate weights on some persons, with every volume in the database.

    Raises:
        EmbedderError: The weights cannot be read.
        ReadError: A scan cannot be read.
    """
    embedder = load_embedder(f"builtin@{weights}", LoadOptions(device="cpu"))
    recipe = make_recipe(size=embedder.spec.slice_size)
    root = Path.cwd()
    database: list[np.ndarray] = []
    persons: list[str] = []
    copies: list[validate.Copy] = []
    seen: set[bytes] = set()
    for done, case in enumerate(cases):
        progress("cutting", done, len(cases))
        stack = validate.cut(root, case, recipe)
        pixels = stack.pixels.tobytes()
        if len(np.unique(stack.plane)) < len(recipe.planes) or pixels in seen:
            continue  # a picture, a scan too thin to have every plane, or a copy of another
        seen.add(pixels)
        if person_of(case) in kept_out:
            copies += validate.edited_copies(root, case, len(database), recipe, wanted)
        database.append(stack.pixels)
        persons.append(person_of(case))
    if not copies or len(set(persons)) < 2:
        return ()
    return validate.validate(embedder.embed, database, persons, copies, progress=progress)


def person_of(case: Case) -> str:
    """Who a case is of."""
    return case.group or case.case_id


def _trainer(request: Request, files: Files) -> Trainer:
    if not request.weights.parent.is_dir():
        raise InputError(f"there is no folder {request.weights.parent}; make it first")
    trainer = Trainer(request.plan)
    if request.resume:
        trainer.resume(files.state)
    else:
        for file in (request.weights, files.state, files.log):
            if file.exists():
                raise InputError(f"{file} is there already; resume it, or name another file")
    return trainer


def _cases(request: Request) -> tuple[Case, ...]:
    """The scans of each path, path by path."""
    formats = readers_as_formats(nowhere())
    if request.persons is not None:
        try:
            group_of(request.persons, "")
        except ValueError as error:
            raise ConfigError(f"--persons {request.persons!r} cannot be used: {error}") from error
    dataset = DatasetConfig(group=request.persons)
    return tuple(
        case
        for path in request.paths
        for case in discover.by_hand(
            Path.cwd(), [path], split="", case=None, group=None, dataset=dataset, formats=formats
        ).cases
    )


def _kept_out(cases: Sequence[Case], patterns: Sequence[str]) -> tuple[str, ...]:
    """The persons to validate on, sorted."""
    persons = sorted({person_of(case) for case in cases})
    if not patterns:
        count = min(_MOST_KEPT_OUT, int(len(persons) * _KEPT_OUT))
        return tuple(sorted(sorted(persons, key=_shuffled)[:count]))
    for pattern in patterns:
        if not fnmatch.filter(persons, pattern):
            raise ConfigError(
                f"there is no person {pattern!r} to keep out; there are {', '.join(persons[:8])}"
            )
    return tuple(p for p in persons if any(fnmatch.fnmatchcase(p, each) for each in patterns))


def _shuffled(person: str) -> str:
    return hashlib.blake2b(person.encode(), digest_size=8).hexdigest()
