from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from dvdup.embedders import LoadOptions, builtin, builtin_network, load_embedder, quick_weights_hash
from dvdup.errors import EmbedderError
from dvdup.hashing import file_hash


@pytest.fixture(scope="module")
def embedder():
    return load_embedder("builtin", LoadOptions(device="cpu"))


def some_slices(n: int, size: int = 64) -> np.ndarray:
    """Smooth random pictures, all different."""
    coarse = torch.rand((n, 1, 9, 9), generator=torch.Generator().manual_seed(0))
    fine = torch.nn.functional.interpolate(coarse, (size, size), mode="bicubic").clamp(0, 1)
    return (fine[:, 0] * 255).to(torch.uint8).numpy()


def test_the_card_names_the_weights_that_are_shipped():
    weights = builtin.packaged_weights()
    card = weights.with_suffix(".md").read_text(encoding="utf-8")
    digest = re.search(r"sha256 \| `([0-9a-f]{64})`", card)
    assert digest is not None
    assert digest[1] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert f"{weights.stat().st_size} bytes" in card
    assert weights.stat().st_size < 8_000_000


def test_the_spec_says_what_it_is(embedder):
    spec = embedder.spec
    assert (spec.name, spec.dimensions, spec.slice_size) == ("builtin", 128, 64)
    assert spec.weights_hash == file_hash(builtin.packaged_weights())
    assert spec.licence == "Apache-2.0"


def test_rows_are_of_unit_length_and_repeatable(embedder):
    pixels = some_slices(40)
    rows = embedder.embed(pixels)
    assert rows.shape == (40, 128)
    assert rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert np.array_equal(rows, embedder.embed(pixels))
    assert embedder.embed(pixels[:0]).shape == (0, 128)


@pytest.mark.parametrize("batch", [1, 7, 200])
def test_rows_do_not_depend_on_the_batch(embedder, batch):
    pixels = some_slices(40)
    other = load_embedder("builtin", LoadOptions(device="cpu", batch=batch))
    assert np.abs(other.embed(pixels) - embedder.embed(pixels)).max() < 1e-4


def test_normalisations_are_folded_without_a_change(embedder):
    network = builtin_network.load_network(builtin.packaged_weights())
    pixels = some_slices(8)
    images = builtin.prepare(pixels, torch.device("cpu"))
    with torch.inference_mode():
        plain = torch.nn.functional.normalize(network(images), dim=1)
    assert not any(
        isinstance(module, torch.nn.BatchNorm2d)
        for module in builtin_network.fused(network).modules()
    )
    assert np.abs(plain.numpy() - embedder.embed(pixels)).max() < 1e-4


def test_a_brightened_copy_is_nearer_than_other_slices(embedder):
    pixels = some_slices(30)
    edited = np.clip(pixels.astype(np.float32) * 0.7 + 40, 0, 255).astype(np.uint8)
    nearest = (embedder.embed(edited) @ embedder.embed(pixels).T).argmax(axis=1)
    assert np.array_equal(nearest, np.arange(30))


def test_slices_of_another_size_are_resampled(embedder):
    pixels = some_slices(5)
    wide = pixels.repeat(2, axis=1).repeat(2, axis=2)
    cosine = (embedder.embed(pixels) * embedder.embed(wide)).sum(axis=1)
    assert cosine.min() > 0.98


def test_constant_slices_have_an_embedding(embedder):
    rows = embedder.embed(np.zeros((1, 64, 64), np.uint8))
    assert np.isfinite(rows).all()


def test_other_weights_of_the_same_network(tmp_path, monkeypatch):
    torch.manual_seed(1)
    network = builtin_network.CopyNetwork().eval()
    file = tmp_path / "mine.safetensors"
    builtin_network.save_network(network, file, {"step": "1"})
    mine = load_embedder("builtin@mine.safetensors", LoadOptions(device="cpu", folder=tmp_path))
    assert mine.spec.name == "builtin@mine.safetensors"
    assert mine.spec.licence == ""
    assert mine.spec.weights_hash == file_hash(file)
    assert quick_weights_hash("builtin@mine.safetensors", tmp_path) == file_hash(file)


def test_damaged_and_foreign_weights_are_told(tmp_path):
    from safetensors.torch import save_file

    options = LoadOptions(device="cpu", folder=tmp_path)
    with pytest.raises(EmbedderError, match="does not exist"):
        load_embedder("builtin@none.safetensors", options)
    (tmp_path / "bad.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(EmbedderError, match="no weights of the built-in network"):
        load_embedder("builtin@bad.safetensors", options)
    save_file({"a": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(EmbedderError, match="no weights of the built-in network"):
        load_embedder("builtin@other.safetensors", options)
    with pytest.raises(EmbedderError, match="no options"):
        load_embedder("builtin?size=32", options)


def test_its_hash_is_told_without_torch():
    code = (
        "import sys; from dvdup.embedders import quick_weights_hash; "
        "print(quick_weights_hash('builtin'), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [file_hash(builtin.packaged_weights()), "False"]


def test_weights_survive_being_saved(tmp_path):
    torch.manual_seed(2)
    network = builtin_network.CopyNetwork().eval()
    file = tmp_path / "a.safetensors"
    builtin_network.save_network(network, file, {})
    again = builtin_network.load_network(file)
    images = torch.rand(3, 1, 64, 64)
    with torch.inference_mode():
        assert torch.allclose(network(images), again(images), atol=2e-2)
    assert not Path(f"{file}.part").exists()


def test_the_same_weights_are_the_same_bytes(tmp_path):
    network = builtin_network.CopyNetwork((8, 8, 16, 16, 24), 32)
    files = [tmp_path / f"{number}.safetensors" for number in range(6)]
    for file in files:
        builtin_network.save_network(network, file, {"step": "1", "seed": "2", "b": "3", "a": "4"})
    assert len({file.read_bytes() for file in files}) == 1
    assert builtin_network.load_network(files[0]).widths == (8, 8, 16, 16, 24)
