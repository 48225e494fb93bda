from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra models")

from dvdup.embedders import LoadOptions, load_embedder
from dvdup.embedders.preprocess import split_transform
from dvdup.embedders.runtime import (
    NetworkEmbedder,
    choose_device,
    choose_precision,
    import_torch,
    import_torchvision,
)
from dvdup.errors import EmbedderError
from dvdup.records import EmbedderSpec

torch = import_torch()


@pytest.fixture(scope="module")
def embedder():
    return load_embedder("timm:test_vit@random", LoadOptions(device="cpu"))


def test_rows_are_unit_float32_in_order(embedder, slices):
    rows = embedder.embed(slices)
    assert (rows.dtype, rows.shape) == (np.float32, (5, embedder.spec.dimensions))
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(embedder.embed(slices[::-1].copy()), rows[::-1], atol=1e-5)


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_the_batch_size_does_not_matter(batch, slices):
    whole = load_embedder("timm:test_resnet@random", LoadOptions(device="cpu", batch=5))
    parts = load_embedder("timm:test_resnet@random", LoadOptions(device="cpu", batch=batch))
    rows = whole.embed(slices)
    np.testing.assert_allclose(parts.embed(slices), rows, atol=1e-5)
    np.testing.assert_allclose(parts.embed(slices[2:3]), rows[2:3], atol=1e-5)


def test_no_slices_give_no_rows(embedder):
    rows = embedder.embed(np.zeros((0, 64, 64), np.uint8))
    assert (rows.shape, rows.dtype) == ((0, embedder.spec.dimensions), np.float32)


def test_the_same_run_gives_the_same_rows(embedder, slices):
    again = load_embedder("timm:test_vit@random", LoadOptions(device="cpu"))
    assert again.spec == embedder.spec
    np.testing.assert_array_equal(again.embed(slices), embedder.embed(slices))


def test_slices_must_be_grey_bytes(embedder):
    with pytest.raises(ValueError, match=r"uint8 \(S, H, W\)"):
        embedder.embed(np.zeros((2, 8, 8), np.float32))


@pytest.mark.parametrize("device", ["cuda:99", "toaster", "meta"])
def test_a_device_that_is_not_here_is_an_error(device):
    with pytest.raises(EmbedderError, match="device"):
        choose_device(device)


def test_half_precision_is_for_cuda():
    assert choose_device("auto").type in ("cpu", "cuda", "mps")
    assert choose_precision("auto", torch.device("cpu")) is None
    assert choose_precision("auto", torch.device("cuda")) == torch.float16
    with pytest.raises(EmbedderError, match="unknown precision 'fp8'"):
        choose_precision("fp8", torch.device("cpu"))


def test_bf16_on_the_cpu_is_close_to_fp32(embedder, slices):
    half = load_embedder("timm:test_vit@random", LoadOptions(device="cpu", precision="bf16"))
    assert (half.embed(slices) * embedder.embed(slices)).sum(axis=1).min() > 0.99


def _made_of(network, **options) -> NetworkEmbedder:
    import_torchvision()
    from torchvision import transforms

    steps = [transforms.Resize(4), transforms.ToTensor(), transforms.Normalize([0.0], [1.0])]
    spec = EmbedderSpec("test", "", 0, 4)
    preprocess = split_transform(transforms.Compose(steps))
    return NetworkEmbedder(network, preprocess, spec, LoadOptions(device="cpu", **options))


class _Mean(torch.nn.Module):
    """(S, C, H, W) to (S, 2): the mean and its half; fails on more than `limit` slices."""

    def __init__(self, limit: int = 99) -> None:
        super().__init__()
        self.limit = limit

    def forward(self, images):
        if len(images) > self.limit:
            raise torch.OutOfMemoryError
        mean = images.mean(dim=(1, 2, 3))
        return torch.stack([mean, mean / 2], dim=1)


def test_a_zero_embedding_is_an_error():
    embedder = _made_of(_Mean())
    with pytest.raises(EmbedderError, match="zero or non-finite"):
        embedder.embed(np.zeros((2, 4, 4), np.uint8))
    assert embedder.spec.dimensions == 2


def test_a_non_finite_embedding_is_an_error():
    class Broken(torch.nn.Module):
        def forward(self, images):
            return torch.full((len(images), 2), float("nan"))

    with pytest.raises(EmbedderError, match="zero or non-finite"):
        _made_of(Broken()).embed(np.ones((1, 4, 4), np.uint8))


def test_half_precision_that_overflows_is_done_again_in_full():
    class Large(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(16, 2)
            torch.nn.init.constant_(self.layer.weight, 1e5)

        def forward(self, images):
            return self.layer(images.flatten(1))

    rows = _made_of(Large(), precision="fp16").embed(np.full((2, 4, 4), 255, np.uint8))
    np.testing.assert_allclose(rows, 0.5**0.5, atol=1e-5)


def test_memory_that_runs_out_halves_the_batch():
    pixels = np.full((9, 4, 4), 100, np.uint8)
    assert _made_of(_Mean(limit=2), batch=8).embed(pixels).shape == (9, 2)
    network = _Mean()
    embedder = _made_of(network)
    network.limit = 0
    with pytest.raises(EmbedderError, match="does not fit the memory of cpu"):
        embedder.embed(pixels)


def test_a_network_that_gives_maps_is_refused():
    with pytest.raises(EmbedderError, match=r"gives shape \(1, 1, 4, 4\), not one row a slice"):
        _made_of(torch.nn.Identity())


def test_torchvision_imports_beside_any_torch():
    program = (
        "from dvdup.embedders.runtime import import_torchvision as go; go(); go()\n"
        "import torchvision, timm, open_clip\n"
        "from torchvision import transforms"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)
