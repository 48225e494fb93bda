from __future__ import annotations

import hashlib
import re
import subprocess
import sys

import numpy as np
import pytest
from scipy import ndimage

from dvdup.embedders import LoadOptions, builtin, load_embedder, quick_weights_hash
from dvdup.errors import EmbedderError, InstallError
from dvdup.hashing import file_hash

CPU = LoadOptions(device="cpu")


@pytest.fixture(scope="module")
def embedder():
    return load_embedder("builtin", CPU)


def some_slices(n: int, size: int = 64) -> np.ndarray:
    """Smooth random pictures, all different."""
    rng = np.random.default_rng(0)
    coarse = rng.random((n, 9, 9))
    fine = np.stack([ndimage.zoom(each, size / 9, order=3) for each in coarse])
    return (fine.clip(0, 1) * 255).astype(np.uint8)


def test_the_card_names_the_weights_that_are_shipped():
    weights = builtin.packaged_weights()
    card = weights.with_suffix(".md").read_text(encoding="utf-8")
    digest = re.search(r"sha256 \| `([0-9a-f]{64})`", card)
    assert digest is not None
    assert digest[1] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert f"{weights.stat().st_size} bytes" in card


def test_weights_card_and_model_leave_room_in_a_wheel_of_5_mb():
    sizes = [path.stat().st_size for path in builtin.packaged_weights().parent.iterdir()]
    assert sum(sizes) < 4_000_000


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
    assert np.abs(other.embed(pixels) - embedder.embed(pixels)).max() < 1e-5


@pytest.mark.parametrize("threads", [1, 2])
def test_rows_do_not_depend_on_the_threads(embedder, threads):
    pixels = some_slices(40)
    other = load_embedder("builtin", LoadOptions(device="cpu", threads=threads))
    assert np.abs(other.embed(pixels) - embedder.embed(pixels)).max() < 1e-5


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


@pytest.mark.parametrize("value", [0, 200, 255])
def test_constant_slices_have_an_embedding(embedder, value):
    rows = embedder.embed(np.full((1, 64, 64), value, np.uint8))
    assert np.isfinite(rows).all()


def test_slices_must_be_grey_bytes(embedder):
    with pytest.raises(ValueError, match=r"uint8 \(S, H, W\)"):
        embedder.embed(np.zeros((2, 64, 64), np.float32))


def test_damaged_and_foreign_models_are_told(tmp_path):
    options = LoadOptions(device="cpu", folder=tmp_path)
    with pytest.raises(EmbedderError, match="does not exist"):
        load_embedder("builtin@none.onnx", options)
    whole = builtin.packaged_weights().with_suffix(".onnx").read_bytes()
    for content in (b"", b"nothing of the kind", whole[: len(whole) // 2]):
        (tmp_path / "bad.onnx").write_bytes(content)
        with pytest.raises(EmbedderError, match=r"bad.onnx is no model that ONNX Runtime can load"):
            load_embedder("builtin@bad.onnx", options)
    with pytest.raises(EmbedderError, match="no options"):
        load_embedder("builtin?size=32", options)
    with pytest.raises(EmbedderError, match="fp32 only"):
        load_embedder("builtin", LoadOptions(precision="fp16"))


def test_a_model_that_dvdup_did_not_write_is_refused(tmp_path):
    model = builtin.packaged_weights().with_suffix(".onnx").read_bytes()
    (tmp_path / "other.onnx").write_bytes(model.replace(b"weights", b"heights"))
    with pytest.raises(EmbedderError, match="no weights of the built-in network"):
        load_embedder("builtin@other.onnx", LoadOptions(device="cpu", folder=tmp_path))


def test_the_model_alone_is_enough_and_keeps_the_hash_of_the_weights(tmp_path, embedder):
    model = builtin.packaged_weights().with_suffix(".onnx")
    (tmp_path / "mine.onnx").write_bytes(model.read_bytes())
    mine = load_embedder("builtin@mine.onnx", LoadOptions(device="cpu", folder=tmp_path))
    assert mine.spec.weights_hash == embedder.spec.weights_hash
    assert mine.spec.licence == ""
    assert quick_weights_hash("builtin@mine.onnx", tmp_path) is None
    assert np.array_equal(mine.embed(some_slices(4)), embedder.embed(some_slices(4)))


def test_it_runs_and_its_hash_is_told_without_torch():
    code = (
        "import sys, numpy as np; from dvdup.embedders import load_embedder, quick_weights_hash\n"
        "print(quick_weights_hash('builtin'), 'onnxruntime' in sys.modules)\n"
        "load_embedder('builtin').embed(np.zeros((1, 64, 64), np.uint8))\n"
        "print(*{'torch', 'onnx', 'safetensors', 'huggingface_hub'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [file_hash(builtin.packaged_weights()), "False"]
    assert done.stderr == ""


def test_weights_without_a_model_name_the_extra_where_it_is_missing(tmp_path, monkeypatch):
    weights = builtin.packaged_weights().read_bytes()
    (tmp_path / "mine.safetensors").write_bytes(weights)
    monkeypatch.setattr("dvdup.extras.is_installed", lambda name: False)
    options = LoadOptions(device="cpu", folder=tmp_path)
    with pytest.raises(InstallError, match=r"torch.*run `pip install 'dvdup\[models\]'`"):
        load_embedder("builtin@mine.safetensors", options)
    model = builtin.packaged_weights().with_suffix(".onnx").read_bytes()
    (tmp_path / "mine.onnx").write_bytes(model)
    assert load_embedder("builtin@mine.safetensors", options).spec.weights_hash
