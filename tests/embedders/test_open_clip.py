from __future__ import annotations

import importlib
import json

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra models")

from dvdup.embedders import load_embedder, quick_weights_hash
from dvdup.embedders.names import split_name
from dvdup.embedders.open_clip import locate
from dvdup.embedders.quiet import quiet
from dvdup.embedders.runtime import import_torch, import_torchvision
from dvdup.errors import EmbedderError

torch = import_torch()
import_torchvision()
open_clip = importlib.import_module("open_clip")

CONFIG = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 48, "layers": 2, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 16, "vocab_size": 64, "width": 32, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A tiny CLIP with both towers, and its saved weights."""
    folder = tmp_path_factory.mktemp("clip")
    (folder / "dvdup-tiny.json").write_text(json.dumps(CONFIG))
    open_clip.add_model_config(folder / "dvdup-tiny.json")
    torch.manual_seed(2)
    with quiet():
        model = open_clip.create_model("dvdup-tiny").eval()
    torch.save(model.state_dict(), folder / "clip.pt")
    return model, folder / "clip.pt"


def _reference(model, pixels: np.ndarray, **overrides):
    """open_clip's own transform of grey slices."""
    from PIL import Image

    facts = {"mean": None, "std": None, "interpolation": None, "resize_mode": None, **overrides}
    transform = open_clip.image_transform(model.visual.image_size, is_train=False, **facts)
    return torch.stack([transform(Image.fromarray(picture)) for picture in pixels])


@pytest.mark.parametrize(
    ("options", "overrides"),
    [
        ("", {}),
        ("?interpolation=bilinear&mean=0.5", {"interpolation": "bilinear", "mean": (0.5,) * 3}),
        ("?resize_mode=squash", {"resize_mode": "squash"}),
        ("?resize_mode=longest", {"resize_mode": "longest"}),
    ],
)
def test_the_tensor_equals_open_clips_own_transform(options, overrides, checkpoint, slices):
    model, path = checkpoint
    embedder = load_embedder(f"open_clip:dvdup-tiny/{path}{options}")
    square = np.random.default_rng(1).integers(0, 256, (2, 48, 48), np.uint8)
    for pixels in (slices, square):
        entered = embedder.preprocess(pixels, torch.device("cpu"))
        assert (entered - _reference(model, pixels, **overrides)).abs().max() < 1e-5


def test_a_checkpoint_gives_the_image_embedding(checkpoint, slices):
    model, path = checkpoint
    name = f"open_clip:dvdup-tiny/{path}"
    embedder = load_embedder(name)
    with torch.inference_mode():
        expected = model.encode_image(_reference(model, slices), normalize=True).numpy()
    np.testing.assert_allclose(embedder.embed(slices), expected, atol=1e-5)
    assert embedder.spec.name == "open_clip:dvdup-tiny/clip.pt"
    assert (embedder.spec.dimensions, embedder.spec.slice_size) == (24, 48)
    assert embedder.spec.weights_hash == quick_weights_hash(name)


def test_an_image_tower_that_is_a_timm_network(tmp_path, slices):
    config = {
        "embed_dim": 16,
        "vision_cfg": {"timm_model_name": "test_vit", "image_size": 160, "timm_proj": "linear"},
        "text_cfg": CONFIG["text_cfg"],
    }
    (tmp_path / "dvdup-tiny-timm.json").write_text(json.dumps(config))
    open_clip.add_model_config(tmp_path / "dvdup-tiny-timm.json")
    embedder = load_embedder("open_clip:dvdup-tiny-timm/random")
    assert embedder.embed(slices).shape == (5, 16)
    assert embedder.spec.slice_size == 160


def test_published_tags_know_their_weights():
    weights = locate(split_name("open_clip:ViT-B-32/laion2b_s34b_b79k"))
    assert weights.repo == "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"
    assert weights.files == ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("open_clip:ViT-B-33/openai", r"no architecture 'ViT-B-33'; did you mean"),
        ("open_clip:ViT-B-32/nowhere", r"'nowhere' is neither; its tags: openai, "),
        ("open_clip:ViT-B-32", r"'nothing' is neither; its tags: openai, "),
        ("open_clip:dvdup-tiny/random?colour=3", r"cannot build dvdup-tiny: .*colour"),
        ("open_clip:dvdup-tiny/random?resize_mode=up", r"options of .* are not understood"),
    ],
)
def test_what_open_clip_does_not_know_is_one_sentence(name, words, checkpoint):
    with pytest.raises(EmbedderError, match=words) as caught:
        load_embedder(name)
    assert "\n" not in str(caught.value)


def test_missing_weights_are_one_sentence():
    with pytest.raises(EmbedderError, match=r"weights of open_clip:RN50/openai are not on this"):
        load_embedder("open_clip:RN50/openai")


def test_a_checkpoint_without_an_image_tower_is_refused(tmp_path, checkpoint):
    torch.save({"conv.weight": torch.zeros(2)}, tmp_path / "w.pt")
    with pytest.raises(EmbedderError, match=r"w\.pt holds no image tower of open_clip:dvdup-tiny"):
        load_embedder(f"open_clip:dvdup-tiny/{tmp_path / 'w.pt'}")


def test_a_checkpoint_that_does_not_fit_names_the_keys(tmp_path, checkpoint):
    model, _ = checkpoint
    state = {k: v for k, v in model.state_dict().items() if k != "visual.proj"}
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(EmbedderError, match=r"does not fit open_clip:dvdup-tiny: missing proj"):
        load_embedder(f"open_clip:dvdup-tiny/{tmp_path / 'w.pt'}")
