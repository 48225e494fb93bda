from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra models")

from dvdup.errors import ConfigError, InputError
from dvdup.lab.train import Mix, Plan, Request, train
from dvdup.records import Hooks

EDITS = (("none", ""), ("gamma", "mild"))


def request(**changes) -> Request:
    settings = {
        "paths": ("scans",),
        "weights": Path("net.safetensors"),
        "plan": Plan(steps=2, warm_up=1),
        "mix": Mix(chunks=3, views=4),
        "families": 1,
        "members": 2,
        "validation": EDITS,
        "kept_out": ("p0", "p1"),
    }
    return Request(**{**settings, **changes})


def test_a_run_ends_with_weights_card_and_a_table_in_the_log(persons):
    said: list[str] = []
    result = train(request(notes=("Synthetic, CC0.",)), Hooks(say=said.append))
    assert result.done
    assert result.step == 2
    assert [row.edit for row in result.validation] == ["none", "gamma", "all", "all"]
    lines = [json.loads(line) for line in (persons / "net.log").read_text().splitlines()]
    assert [line["step"] for line in lines[:2]] == [1, 2]
    assert lines[-1]["validation"]["edit"] == "all"
    assert "4 scans, 2 phantoms; kept out: p0, p1" in said
    card = (persons / "net.md").read_text()
    assert hashlib.sha256((persons / "net.safetensors").read_bytes()).hexdigest() in card
    assert "Synthetic, CC0." in card
    assert "Kept out of the training: p0, p1." in card


def test_copies_are_no_strangers(persons):
    copied = persons / "scans" / "p0.nii.gz"
    (persons / "scans" / "p9.nii.gz").write_bytes(copied.read_bytes())
    result = train(request(kept_out=("p0",), validation=(("none", ""),)))
    assert result.validation[0].count_top1 == 1.0
    assert result.validation[0].similar_top1 == 1.0


def test_a_fifth_of_the_persons_is_kept_out(persons):
    said: list[str] = []
    train(request(kept_out=(), validation=(("none", ""),)), Hooks(say=said.append))
    assert "5 scans" in said[0]


def test_phantoms_alone_will_do(persons):
    result = train(request(paths=(), kept_out=()))
    assert result.done
    assert result.validation == ()


def test_weights_are_not_overwritten(persons):
    Path("net.safetensors").write_bytes(b"precious")
    with pytest.raises(InputError, match="there already"):
        train(request())
    assert Path("net.safetensors").read_bytes() == b"precious"


@pytest.mark.parametrize(
    ("changes", "error", "match"),
    [
        ({"kept_out": ("nobody",)}, ConfigError, "no person 'nobody'"),
        ({"weights": Path("no/such/net.safetensors")}, InputError, "no folder"),
        ({"paths": (), "kept_out": (), "families": 0}, InputError, "nothing to train on"),
        ({"resume": True}, InputError, "there is no"),
        ({"persons": "p[0-9]"}, ConfigError, r"--persons .* mark the subject"),
        ({"persons": "("}, ConfigError, "--persons"),
    ],
)
def test_what_cannot_be_done_is_told(persons, changes, error, match):
    with pytest.raises(error, match=match):
        train(request(**changes))
