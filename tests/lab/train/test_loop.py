from __future__ import annotations

import json

import pytest

torch = pytest.importorskip("torch", reason="needs the extra models")

from dvdup.embedders.builtin_network import load_network
from dvdup.errors import InputError
from dvdup.lab.train.batches import Batches
from dvdup.lab.train.loop import Files, Plan, Trainer, run
from dvdup.records import Hooks

PLAN = Plan(steps=6, warm_up=2, save_every=2, rate=3e-3)


@pytest.fixture
def batches(scan, small_mix) -> Batches:
    return Batches([scan(seed) for seed in range(5)], (), small_mix, 0)


def losses(files: Files) -> list[float]:
    lines = [json.loads(line) for line in files.log.read_text().splitlines()]
    return [line["loss"] for line in lines]


def test_the_same_seed_gives_the_same_losses(tmp_path, batches):
    of = []
    for name in ("a", "b"):
        files = Files(tmp_path / f"{name}.safetensors")
        assert run(Trainer(PLAN), batches, files, Hooks())
        of.append(losses(files))
    assert of[0] == of[1]
    assert len(of[0]) == 5
    other = Files(tmp_path / "c.safetensors")
    run(Trainer(Plan(steps=1, seed=1)), batches, other, Hooks())
    assert losses(other)[0] != of[0][0]


def test_a_resumed_run_ends_as_one_that_was_never_stopped(tmp_path, batches):
    whole, parts = Files(tmp_path / "whole.safetensors"), Files(tmp_path / "parts.safetensors")
    run(Trainer(PLAN), batches, whole, Hooks())
    asked = iter((False, False, True))
    assert not run(Trainer(PLAN), batches, parts, Hooks(should_stop=lambda: next(asked)))
    trainer = Trainer(PLAN)
    trainer.resume(parts.state)
    assert trainer.step == 2
    assert run(trainer, batches, parts, Hooks())
    assert losses(parts) == losses(whole)
    one, other = (load_network(f.weights).state_dict() for f in (whole, parts))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_training_lowers_the_loss(tmp_path, batches):
    trainer = Trainer(Plan(steps=40, warm_up=5, rate=3e-3))
    batch = batches.make(0)
    first = trainer.take(batch)["loss"]
    for _ in range(14):
        last = trainer.take(batch)["loss"]
    assert last < 0.6 * first


def test_time_ends_a_run_and_it_can_be_resumed(tmp_path, batches):
    files = Files(tmp_path / "a.safetensors")
    assert not run(Trainer(Plan(steps=5, minutes=0.0)), batches, files, Hooks())
    trainer = Trainer(Plan(steps=2))
    trainer.resume(files.state)
    assert run(trainer, batches, files, Hooks())


def test_the_rate_rises_stays_and_falls_to_nothing():
    plan = Plan(steps=100, warm_up=10, falling=0.4, rate=1.0)
    assert plan.rate_at(0) == pytest.approx(0.1)
    assert plan.rate_at(9) == plan.rate_at(60) == 1.0
    assert plan.rate_at(80) == pytest.approx(0.5)
    assert plan.rate_at(99) < 0.01


def test_what_is_no_state_is_told(tmp_path):
    state = tmp_path / "a.state"
    with pytest.raises(InputError, match="there is no"):
        Trainer(PLAN).resume(state)
    state.write_bytes(b"nothing")
    with pytest.raises(InputError, match="no state"):
        Trainer(PLAN).resume(state)
    Trainer(PLAN).save(state, tmp_path / "a.safetensors")
    with pytest.raises(InputError, match="seed 0"):
        Trainer(Plan(seed=1)).resume(state)
