"""The training loop: seeded, resumable, with a log of JSON lines.

The rate rises for the first steps, stays, and falls to nothing over the last part: until it falls
nothing depends on how many steps there will be, so a run can be resumed to go on for longer. What
is kept are the averaged weights (EMA).
"""

from __future__ import annotations

import copy
import json
import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from dvdup.embedders.builtin import ONNX
from dvdup.embedders.builtin_network import CopyNetwork, save_network
from dvdup.embedders.builtin_onnx import save_onnx
from dvdup.errors import InputError
from dvdup.hashing import file_hash
from dvdup.lab.train.batches import Batch, Batches
from dvdup.lab.train.loss import copy_loss, hits
from dvdup.records import Hooks

_EVERY = 20  # steps a line of the log
_CLIP = 5.0  # of the norm of the gradient


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how fast."""

    steps: int = 6000
    minutes: float | None = None
    """Stop after so much time, wherever it is; resume to go on."""
    seed: int = 0
    rate: float = 2e-3
    warm_up: int = 200
    """Steps in which the rate rises."""
    falling: float = 0.4
    """Share of the steps in which it falls."""
    decay: float = 0.05
    """Of the weights (AdamW)."""
    temperature: float = 0.06
    averaging: float = 0.998
    """Of the averaged weights, a step."""
    save_every: int = 200

    def rate_at(self, step: int) -> float:
        """The learning rate of a step."""
        up = min(1.0, (step + 1) / self.warm_up)
        left = (self.steps - step) / max(1.0, self.steps * self.falling)
        return self.rate * up * (1 - math.cos(math.pi * min(1.0, max(0.0, left)))) / 2


class Trainer:
    """The state of a run: network, averaged network, optimiser, step."""

    def __init__(self, plan: Plan) -> None:
        """Start from random weights of the plan's seed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(plan.seed)
            self.network = CopyNetwork().to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.network).requires_grad_(False).eval()
        self.optimizer = torch.optim.AdamW(_groups(self.network, plan.decay), lr=plan.rate)
        self.plan = plan
        self.step = 0
        self.seconds = 0.0

    def take(self, batch: Batch) -> dict[str, float]:
        """One step; what it found."""
        rate = self.plan.rate_at(self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.network.train()
        rows = torch.nonzero(batch.valid)[:, 0]
        ignore = batch.ignore[rows][:, rows]
        embedded = self.network(torch.cat([batch.first[rows], batch.second[rows]]))
        first, second = embedded.chunk(2)
        loss = copy_loss(first, second, ignore, self.plan.temperature)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), _CLIP)
        self.optimizer.step()
        self._follow()
        self.step += 1
        with torch.no_grad():
            found = hits(first, second, ignore)
        return {"loss": float(loss.detach()), "hits": found, "rate": rate}

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the averaged weights; at first they follow fast."""
        keep = min(self.plan.averaging, (self.step + 1) / (self.step + 10))
        now = self.network.state_dict()
        for name, value in self.average.state_dict().items():
            if value.is_floating_point():
                value.lerp_(now[name], 1 - keep)
            else:
                value.copy_(now[name])

    def save(self, state: Path, weights: Path) -> None:
        """Write the state, to resume from, and the averaged weights with their ONNX model."""
        part = state.with_name(state.name + ".part")
        kept = {
            "step": self.step,
            "seconds": self.seconds,
            "seed": self.plan.seed,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        torch.save(kept, part)
        part.replace(state)
        save_network(self.average, weights, {"step": str(self.step), "seed": str(self.plan.seed)})
        save_onnx(self.average, weights.with_suffix(ONNX), file_hash(weights))

    def resume(self, state: Path) -> None:
        """Go on from a state.

        Raises:
            InputError: It cannot be read, or is of a run with another seed.
        """
        try:
            kept: dict[str, Any] = torch.load(state, weights_only=True)
            if kept["seed"] != self.plan.seed:
                raise InputError(f"{state} is of seed {kept['seed']}; resume it with that seed")
            self.network.load_state_dict(kept["network"])
            self.average.load_state_dict(kept["average"])
            self.optimizer.load_state_dict(kept["optimizer"])
        except FileNotFoundError as error:
            raise InputError(f"there is no {state} to resume; start without --resume") from error
        except (OSError, RuntimeError, KeyError, ValueError, EOFError, UnpicklingError) as error:
            raise InputError(
                f"{state} holds no state of a run, or is damaged; start anew under another name"
            ) from error
        self.step, self.seconds = int(kept["step"]), float(kept["seconds"])


@dataclass(frozen=True, slots=True)
class Files:
    """Where a run writes."""

    weights: Path

    @property
    def state(self) -> Path:
        """What a run resumes from."""
        return self.weights.with_suffix(".state")

    @property
    def phantoms(self) -> Path:
        """Phantoms, which take minutes to make."""
        return self.weights.with_suffix(".phantoms.npz")

    @property
    def log(self) -> Path:
        """JSON lines."""
        return self.weights.with_suffix(".log")


def run(
    trainer: Trainer,
    batches: Batches,
    files: Files,
    hooks: Hooks,
) -> bool:
    """Train until the plan is done, its time is over or a stop is asked for; then save.

    Returns:
        Whether the plan is done.
    """
    plan, last = trainer.plan, time.monotonic()
    limit = math.inf if plan.minutes is None else trainer.seconds + 60 * plan.minutes
    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(_prepare, batches, trainer.step)
        while trainer.step < plan.steps and trainer.seconds < limit and not hooks.should_stop():
            batch = ahead.result()
            ahead = pool.submit(_prepare, batches, trainer.step + 1)
            found = trainer.take(batch)
            now = time.monotonic()
            trainer.seconds, last = trainer.seconds + now - last, now
            hooks.progress("training", trainer.step, plan.steps)
            if trainer.step % _EVERY == 0 or trainer.step <= 5:
                write_line(files.log, {"step": trainer.step, **found, "seconds": trainer.seconds})
            if trainer.step % plan.save_every == 0:
                trainer.save(files.state, files.weights)
    trainer.save(files.state, files.weights)
    return trainer.step >= plan.steps


def write_line(log: Path, line: dict[str, Any]) -> None:
    """Append a line to the log; numbers rounded to 6 places."""
    rounded = {k: round(v, 6) if isinstance(v, float) else v for k, v in line.items()}
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps(rounded) + "\n")


def _prepare(batches: Batches, step: int) -> Batch:
    torch.set_num_threads(1)  # of this thread only: the other cores train
    return batches.make(step)


def _groups(network: CopyNetwork, decay: float) -> list[dict[str, Any]]:
    """Weights decay; biases, normalisation and the pooling power do not."""
    parameters = list(network.parameters())
    return [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
