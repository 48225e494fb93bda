from __future__ import annotations

import json

import pytest
from needs import needs_models


@pytest.fixture
def folder(tmp_path, phantom, save):
    for seed in range(4):
        save(tmp_path / "scans" / f"p{seed}.nii.gz", phantom(seed, (24, 26, 22)))
    return tmp_path


@needs_models
def test_train_writes_weights_that_can_be_used(dvdup, folder, monkeypatch):
    monkeypatch.setattr("dvdup.edits.LEVELS", ("mild",))
    monkeypatch.setattr("dvdup.edits.available", lambda level: ("gamma",))
    done = dvdup(folder, "train", "scans", "--out", "net.safetensors", "--steps", 2, "--val", "p0",
                 "--phantoms", 0)  # fmt: skip
    assert done.code == 0, done.stderr
    assert "2 steps in" in done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split()[:3] == ["edit", "level", "queries"]
    assert lines[-1].startswith("all ")
    log = [json.loads(line) for line in (folder / "net.log").read_text().splitlines()]
    assert log[0]["step"] == 1
    assert "validation" in log[-1]
    added = dvdup(folder, "add", "scans", "--split", "train", "--embedder",
                  "builtin@net.safetensors")  # fmt: skip
    assert added.code == 0, added.stderr


@needs_models
def test_no_weights_are_overwritten(dvdup, folder):
    (folder / "net.safetensors").write_bytes(b"precious")
    done = dvdup(folder, "train", "scans", "--out", "net.safetensors", "--steps", 1)
    assert done.code == 2
    assert "there already" in done.stderr


def test_without_the_extra_it_is_named(dvdup, folder, monkeypatch):
    monkeypatch.setattr("dvdup.extras.is_installed", lambda package: False)
    done = dvdup(folder, "train", "scans", "--out", "net.safetensors")
    assert done.code == 2
    assert "needs torch" in done.stderr
    assert "pip install 'dvdup[models]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1
