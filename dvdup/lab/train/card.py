"""The model card: what a weight file is, what it was trained on, what it reaches, where it ends.

Every number in it is taken from the run; nothing is typed.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dvdup.embedders import BUILTIN_SIDE
from dvdup.embedders.builtin_network import CopyNetwork, load_network
from dvdup.lab.train.batches import Mix
from dvdup.lab.train.loop import Plan
from dvdup.lab.train.validate import Row

_LIMITS = (
    "It finds copies of a scan, not scans that look alike: it knows no organ and no disease.",
    "Slices cut to less than half of the field of view, and small images under heavy blur, are its "
    "weak side; a whole scan has many slices, a single picture has one.",
    "Persons whose scans show little but an outline (windows that clip nearly everything) may be "
    "taken for one another.",
    "The figures are of the data named here. Measure it on yours with `dvdup bench`.",
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a card says about a run."""

    data: tuple[str, ...]
    """What it was trained on, with licences; a line each."""
    scans: int
    phantoms: int
    kept_out: tuple[str, ...]
    plan: Plan
    mix: Mix
    steps: int
    """Done."""
    seconds: float
    rows: tuple[Row, ...]
    """Of the validation."""
    licence: str = ""
    """Of the weights."""
    tables: tuple[tuple[str, tuple[Row, ...]], ...] = ()
    """Further validations: what they are, and their rows."""


def write_card(weights: Path, facts: Facts) -> Path:
    """Write the card of a weight file beside it, with the suffix .md.

    Raises:
        EmbedderError: The weights cannot be read.
    """
    card = weights.with_suffix(".md")
    card.write_text(render_card(weights, facts), encoding="utf-8", newline="\n")
    return card


def render_card(weights: Path, facts: Facts) -> str:
    """The card as Markdown.

    Raises:
        EmbedderError: The weights cannot be read.
    """
    network = load_network(weights)
    blocks = [
        f"# {weights.name}\n",
        "A network that turns slices of medical scans into embeddings in which copies are near, "
        "for `dvdup`.\n",
        _table(("what", "value"), _figures(weights, network, facts)),
        _section("Data", facts.data),
        _section("Limits", _LIMITS),
        _recipe(facts),
        _validation("Validation", _validated(facts), facts.rows),
        *(_validation(title, (), rows) for title, rows in facts.tables),
    ]
    return "\n".join(block for block in blocks if block)


def _figures(weights: Path, network: CopyNetwork, facts: Facts) -> list[tuple[str, Any]]:
    parameters = sum(each.numel() for each in network.parameters())
    return [
        ("sha256", f"`{hashlib.sha256(weights.read_bytes()).hexdigest()}`"),
        ("size", f"{weights.stat().st_size} bytes, half precision"),
        ("licence", facts.licence or "as its data"),
        ("parameters", parameters),
        ("multiply-adds a slice", f"{multiply_adds(network) / 1e6:.1f} million"),
        ("input", f"{BUILTIN_SIDE} x {BUILTIN_SIDE}, 8 bit, one channel"),
        ("output", f"{network.head.out_features} numbers, unit length"),
        ("steps", facts.steps),
        ("time", f"{facts.seconds / 60:.0f} minutes"),
    ]


def multiply_adds(network: CopyNetwork) -> int:
    """Multiply-adds of the convolutions and the head, for one slice."""
    total, side = 0, BUILTIN_SIDE // 2
    total += network.stem[0].weight.numel() * side**2
    for stage in network.stages:
        side //= stage.first[0].stride[0]
        weights = (stage.first[0].weight, stage.second[0].weight, stage.beside[0].weight)
        total += sum(each.numel() for each in weights) * side**2
    return int(total + network.head.weight.numel())


def _recipe(facts: Facts) -> str:
    settings = {**dataclasses.asdict(facts.plan), **dataclasses.asdict(facts.mix)}
    settings |= {f"strength.{name}": value for name, value in settings.pop("strength").items()}
    settings |= {"scans": facts.scans, "phantoms": facts.phantoms}
    rows = [(f"`{name}`", value) for name, value in settings.items()]
    return "## Recipe\n\nThe settings of `dvdup train`.\n\n" + _table(("setting", "value"), rows)


def _validated(facts: Facts) -> tuple[str, ...]:
    if not facts.rows:
        return ()
    return (
        f"Kept out of the training: {', '.join(facts.kept_out)}. Every one of their scans was "
        "searched for under every edit, among all scans; the columns are shares of the queries.",
    )


def _validation(title: str, lines: Sequence[str], rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    names = [field.name for field in dataclasses.fields(Row)]
    values = [tuple(getattr(row, name) for name in names) for row in rows]
    head = "".join(f"{line}\n\n" for line in lines)
    return f"## {title}\n\n{head}{_table(names, values)}"


def _section(title: str, lines: Sequence[str]) -> str:
    return f"## {title}\n\n" + "".join(f"- {line}\n" for line in lines) if lines else ""


def _table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [names, ["---"] * len(names), *rows]
    return "".join("| " + " | ".join(str(cell) for cell in line) + " |\n" for line in lines)
