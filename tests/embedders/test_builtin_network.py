"""The network in torch, what it writes, and ONNX Runtime held to it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from torch_builtin import torch_embedder

from dvdup.embedders import LoadOptions, builtin, load_embedder, quick_weights_hash
from dvdup.errors import EmbedderError
from dvdup.hashing import file_hash

torch = pytest.importorskip("torch", reason="needs the extra models")

from dvdup.embedders import builtin_network, builtin_onnx

CPU = LoadOptions(device="cpu")


def hard_slices() -> np.ndarray:
    """uint8 (S, 64, 64): noise, ramps, nearly and fully constant pictures, single bright pixels."""
    rng = np.random.default_rng(3)
    noise = rng.integers(0, 256, (60, 64, 64), dtype=np.uint8)
    ramps = np.linspace(0, rng.integers(1, 256, 60), 64, axis=1).astype(np.uint8)
    faint = np.full((20, 64, 64), 7, np.uint8) + rng.integers(0, 2, (20, 64, 64), dtype=np.uint8)
    flat = np.full((3, 64, 64), np.array([0, 90, 255])[:, None, None], np.uint8)
    points = np.zeros((10, 64, 64), np.uint8)
    points[np.arange(10), rng.integers(0, 64, 10), rng.integers(0, 64, 10)] = 255
    return np.concatenate([noise, ramps[:, None].repeat(64, 1), faint, flat, points])


def small_network(seed: int = 1):
    torch.manual_seed(seed)
    return builtin_network.CopyNetwork((8, 8, 16, 16, 24), 32).eval()


def test_onnx_runtime_gives_the_rows_of_torch():
    pixels = hard_slices()
    by_torch = torch_embedder(builtin.packaged_weights(), CPU).embed(pixels)
    rows = load_embedder("builtin", CPU).embed(pixels)
    assert np.linalg.norm(rows - by_torch, axis=1).max() < 1e-5


def test_the_shipped_model_is_what_the_shipped_weights_give():
    weights = builtin.packaged_weights()
    network = builtin_network.load_network(weights)
    model = builtin_onnx.onnx_bytes(network, file_hash(weights))
    assert model == weights.with_suffix(builtin.ONNX).read_bytes()


def test_normalisations_are_folded_without_a_change():
    network = builtin_network.load_network(builtin.packaged_weights())
    images = torch.from_numpy(builtin.prepare(hard_slices()))
    folded = builtin_network.fused(network)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())
    with torch.inference_mode():
        plain, other = (torch.nn.functional.normalize(each(images)) for each in (network, folded))
    assert (plain - other).abs().max() < 1e-4


@pytest.mark.parametrize("size", [(40, 90), (200, 130), (64, 65)])
def test_slices_are_resampled_as_torch_does(size):
    pixels = np.random.default_rng(0).integers(0, 256, (3, *size), np.uint8)
    images = torch.from_numpy(pixels)[:, None].float() / 255
    expected = torch.nn.functional.interpolate(images, (64, 64), mode="bilinear", antialias=True)
    expected -= expected.mean(dim=(2, 3), keepdim=True)
    np.testing.assert_allclose(builtin.prepare(pixels), expected.numpy(), atol=1e-5)


@pytest.mark.parametrize("with_model", [True, False])
def test_other_weights_of_the_same_layout(tmp_path, with_model):
    network, file = small_network(), tmp_path / "mine.safetensors"
    builtin_network.save_network(network, file, {"step": "1"})
    if with_model:
        builtin_onnx.save_onnx(network, tmp_path / "mine.onnx", file_hash(file))
    mine = load_embedder("builtin@mine.safetensors", LoadOptions(device="cpu", folder=tmp_path))
    assert (mine.spec.name, mine.spec.licence) == ("builtin@mine.safetensors", "")
    assert mine.spec.weights_hash == file_hash(file)
    assert quick_weights_hash("builtin@mine.safetensors", tmp_path) == file_hash(file)
    by_torch = torch_embedder(file, CPU).embed(hard_slices())
    assert np.linalg.norm(mine.embed(hard_slices()) - by_torch, axis=1).max() < 1e-5


def test_a_model_of_other_weights_beside_the_file_is_not_used(tmp_path):
    file = tmp_path / "mine.safetensors"
    builtin_network.save_network(small_network(2), file, {})
    builtin_onnx.save_onnx(small_network(2), tmp_path / "mine.onnx", file_hash(file))
    builtin_network.save_network(small_network(3), file, {})
    mine = load_embedder("builtin@mine.safetensors", LoadOptions(device="cpu", folder=tmp_path))
    by_torch = torch_embedder(file, CPU).embed(hard_slices())
    assert np.linalg.norm(mine.embed(hard_slices()) - by_torch, axis=1).max() < 1e-5


def test_random_weights_are_the_same_in_every_run():
    first, second = (load_embedder("builtin@random", CPU) for _ in range(2))
    assert first.spec == second.spec
    assert np.array_equal(first.embed(hard_slices()), second.embed(hard_slices()))


def test_damaged_and_foreign_weights_are_told(tmp_path):
    from safetensors.torch import save_file

    options = LoadOptions(device="cpu", folder=tmp_path)
    (tmp_path / "bad.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(EmbedderError, match="no weights of the built-in network"):
        load_embedder("builtin@bad.safetensors", options)
    save_file({"a": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(EmbedderError, match="no weights of the built-in network"):
        load_embedder("builtin@other.safetensors", options)


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
    network = small_network()
    files = [tmp_path / f"{number}.safetensors" for number in range(6)]
    for number, file in enumerate(files):
        builtin_network.save_network(network, file, {"step": "1", "seed": "2", "b": "3", "a": "4"})
        builtin_onnx.save_onnx(network, tmp_path / f"{number}.onnx", "0")
    assert len({file.read_bytes() for file in files}) == 1
    assert len({file.with_suffix(".onnx").read_bytes() for file in files}) == 1
    assert builtin_network.load_network(files[0]).widths == (8, 8, 16, 16, 24)


def test_a_model_from_the_loaded_file_equals_that_from_the_network(tmp_path):
    network, file = small_network(), tmp_path / "a.safetensors"
    builtin_network.save_network(network, file, {})
    again = builtin_network.load_network(file)
    assert builtin_onnx.onnx_bytes(network, "0") == builtin_onnx.onnx_bytes(again, "0")
