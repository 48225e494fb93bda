from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra models")

from dvdup.embedders.checkpoints import read_state, state_hash
from dvdup.embedders.runtime import import_torch
from dvdup.errors import EmbedderError

torch = import_torch()


class _Payload:
    """A pickle that would run a command when opened."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return (os.mkdir, (str(self.target),))


def test_a_checkpoint_that_holds_code_is_not_run(tmp_path):
    torch.save({"state_dict": _Payload(tmp_path / "harm")}, tmp_path / "w.pth")
    with pytest.raises(EmbedderError, match=r"w\.pth holds Python objects .* could run code"):
        read_state(tmp_path / "w.pth")
    assert not (tmp_path / "harm").exists()


def _truncated_torch(path: Path) -> None:
    torch.save({"a": torch.zeros(1000)}, path)
    path.write_bytes(path.read_bytes()[:900])


def _truncated_safetensors(path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1000)}, path)
    path.write_bytes(path.read_bytes()[:900])


def _script(path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/code/a.py", "pass")
        archive.writestr("m/constants.pkl", b"\x80\x02).")
        archive.writestr("m/version", "3\n")


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda path: path.write_text("not weights, but words\n" * 9), "is not a checkpoint"),
        (lambda path: path.write_bytes(b""), "is not a checkpoint"),
        (lambda path: path.write_bytes(b"\x80\x02garbage"), "damaged"),
        (_truncated_torch, "damaged"),
        (_truncated_safetensors, "damaged safetensors"),
        (_script, "expected is a state_dict"),
        (lambda path: torch.save([1, 2], path), "no named tensors"),
        (lambda path: torch.save({"epoch": 3}, path), "no named tensors"),
        (lambda path: path.mkdir(), "cannot be read"),
        (lambda path: None, "does not exist"),
    ],
)
def test_what_is_no_checkpoint_is_one_sentence(write, words, tmp_path):
    path = tmp_path / "w.pth"
    write(path)
    with pytest.raises(EmbedderError, match=words) as caught:
        read_state(path)
    assert "w.pth" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        {"a.w": 1},
        {"state_dict": {"a.w": 1}, "epoch": 2},
        {"model": {"module.a.w": 1}},
        {"module._orig_mod.a.w": 1},
        {"teacher": {"backbone.a.w": 1, "head.w": 1}},
    ],
)
def test_wrappers_and_prefixes_are_taken_off(content, tmp_path):
    def filled(values):
        return {k: filled(v) if isinstance(v, dict) else torch.ones(2) for k, v in values.items()}

    torch.save(filled(content), tmp_path / "w.pth")
    assert list(read_state(tmp_path / "w.pth")) == ["a.w"]


def test_the_state_hash_sees_names_types_shapes_and_values():
    base = {"a": torch.zeros(4), "b": torch.ones(2)}
    same = {"b": torch.ones(2), "a": torch.zeros(4)}
    others = [
        {**base, "a": torch.zeros(2, 2)},
        {**base, "a": torch.zeros(4, dtype=torch.int32)},
        {**base, "a": torch.full((4,), 0.5)},
        {"c": base["a"], "b": base["b"]},
    ]
    assert state_hash(base) == state_hash(same)
    assert len({state_hash(base), *map(state_hash, others)}) == 5
