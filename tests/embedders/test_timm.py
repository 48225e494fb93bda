from __future__ import annotations

import importlib

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra models")

from dvdup.embedders import EMBEDDERS, LoadOptions, load_embedder, quick_weights_hash
from dvdup.embedders.names import split_name
from dvdup.embedders.runtime import import_torch, import_torchvision
from dvdup.embedders.timm import locate
from dvdup.errors import EmbedderError

torch = import_torch()
import_torchvision()
timm = importlib.import_module("timm")

TINY = "embed_dim=32&depth=2&num_heads=2&init_values=1"
"""A Vision Transformer small enough for a test, with LayerScale that does not hide its blocks."""


def _reference(model: str, picture: np.ndarray, **overrides):
    """timm's own transform of one grey slice."""
    from PIL import Image

    published = timm.get_pretrained_cfg(model).to_dict()
    resolved = timm.data.resolve_data_config(overrides, pretrained_cfg=published)
    return timm.data.create_transform(**resolved)(Image.fromarray(picture).convert("RGB"))


@pytest.mark.parametrize(
    ("name", "model", "overrides"),
    [
        ("timm:mobilenetv2_100@random", "mobilenetv2_100", {}),  # bicubic, crop 0.875
        ("timm:test_vit@random", "test_vit", {}),
        (
            "timm:test_resnet@random?interpolation=bilinear",
            "test_resnet",
            {"interpolation": "bilinear"},
        ),
        (f"timm:vit_base_patch16_siglip_224@random?{TINY}", "vit_base_patch16_siglip_224", {}),
        ("timm:test_vit@random?crop_mode=border", "test_vit", {"crop_mode": "border"}),
        ("timm:test_vit@random?crop_mode=squash", "test_vit", {"crop_mode": "squash"}),
        ("timm:test_vit@random?mean=.5&std=.25", "test_vit", {"mean": (0.5,), "std": (0.25,)}),
        (f"dinov1@random?{TINY}", "vit_base_patch16_224.dino", {"crop_pct": 0.875}),
        (
            f"dinov2@random?{TINY}",
            "vit_base_patch14_dinov2.lvd142m",
            {"crop_pct": 0.875, "input_size": (3, 224, 224)},
        ),
    ],
)
def test_the_tensor_equals_timms_own_transform(name, model, overrides, slices):
    embedder = load_embedder(name)
    side = embedder.spec.slice_size
    square = np.random.default_rng(1).integers(0, 256, (2, side, side), np.uint8)
    for pixels in (slices, square):
        entered = embedder.preprocess(pixels, torch.device("cpu"))
        expected = torch.stack([_reference(model, picture, **overrides) for picture in pixels])
        assert entered.shape == expected.shape
        assert (entered - expected).abs().max() < 1e-5


def test_the_published_preprocessing_of_both_dinos():
    for alias in ("dinov1", "dinov2"):
        embedder = load_embedder(f"{alias}@random?{TINY}")
        assert embedder.spec.slice_size == 256
        assert embedder.preprocess(
            np.zeros((1, 256, 256), np.uint8), torch.device("cpu")
        ).shape == (
            1,
            3,
            224,
            224,
        )


def test_the_alias_rows_name_the_weights_that_timm_names():
    for row in EMBEDDERS:
        if row.target and row.weights.repo.startswith("timm/"):
            known = locate(split_name(row.target))
            assert (known.repo, known.files) == (row.weights.repo, row.weights.files)
            assert known.licence == row.weights.licence.lower()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A model with a classifier of 7 classes, and its saved weights."""
    torch.manual_seed(3)
    model = timm.create_model("test_resnet", num_classes=7).eval()
    path = tmp_path_factory.mktemp("weights") / "resnet.pth"
    torch.save(model.state_dict(), path)
    return model, path


def _features(model, name: str, pixels: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        images = torch.stack([_reference(name, picture) for picture in pixels])
        rows = model.forward_head(model.forward_features(images), pre_logits=True).numpy()
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_a_checkpoint_with_another_classifier_gives_its_features(checkpoint, slices):
    model, path = checkpoint
    embedder = load_embedder(f"timm:test_resnet@{path}")
    rows = embedder.embed(slices)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, _features(model, "test_resnet", slices), atol=1e-5)
    assert embedder.spec.name == "timm:test_resnet@resnet.pth"
    assert embedder.spec.dimensions == rows.shape[1]
    assert embedder.spec.weights_hash == quick_weights_hash(f"timm:test_resnet@{path}")
    assert embedder.spec.licence == ""


def _wrapped(model):
    return {"state_dict": {f"module.{k}": v for k, v in model.state_dict().items()}, "epoch": 3}


def _headless(model):
    return {k: v for k, v in model.state_dict().items() if not k.startswith("fc.")}


def _teacher(model):
    backbone = {f"module.backbone.{k}": v for k, v in _headless(model).items()}
    return {"teacher": {**backbone, "module.head.mlp.weight": torch.zeros(2, 2)}, "epoch": 3}


@pytest.mark.parametrize("wrap", [_wrapped, _headless, _teacher])
def test_training_checkpoints_are_unwrapped(wrap, checkpoint, slices, tmp_path):
    model, path = checkpoint
    torch.save(wrap(model), tmp_path / "w.pth")
    expected = load_embedder(f"timm:test_resnet@{path}").embed(slices)
    found = load_embedder("timm:test_resnet@w.pth", LoadOptions(folder=tmp_path)).embed(slices)
    np.testing.assert_array_equal(found, expected)


def test_safetensors_give_the_same_rows(checkpoint, slices, tmp_path):
    from safetensors.torch import save_file

    model, path = checkpoint
    save_file(model.state_dict(), tmp_path / "w.safetensors")
    found = load_embedder(f"timm:test_resnet@{tmp_path / 'w.safetensors'}").embed(slices)
    np.testing.assert_array_equal(found, load_embedder(f"timm:test_resnet@{path}").embed(slices))


def test_weights_are_taken_from_the_hub_cache(checkpoint, slices, tmp_path):
    from safetensors.torch import save_file

    torch.manual_seed(4)
    model = timm.create_model("test_resnet").eval()
    published = timm.get_pretrained_cfg("test_resnet")
    repo = tmp_path / "hf" / "hub" / f"models--{published.hf_hub_id.replace('/', '--')}"
    (repo / "refs").mkdir(parents=True)
    (repo / "snapshots" / "abc").mkdir(parents=True)
    (repo / "refs" / "main").write_text("abc")
    save_file(model.state_dict(), repo / "snapshots" / "abc" / "model.safetensors")
    embedder = load_embedder("timm:test_resnet")
    np.testing.assert_allclose(
        embedder.embed(slices), _features(model, "test_resnet", slices), atol=1e-5
    )
    assert embedder.spec.licence == published.license
    assert published.hf_hub_id in embedder.spec.source


def test_a_dinov2_file_in_the_original_layout_is_converted(slices, tmp_path):
    # As published: trained at 518 px (37 x 37 patches), with a mask token, without a classifier.
    tiny = {"embed_dim": 32, "depth": 2, "num_heads": 2, "init_values": 1.0}
    torch.manual_seed(5)
    model = timm.create_model("vit_base_patch14_dinov2", num_classes=0, **tiny)
    state = {**model.state_dict(), "mask_token": torch.zeros(1, 32)}
    torch.save(state, tmp_path / "vitb14.pth")
    embedder = load_embedder(f"dinov2@{tmp_path / 'vitb14.pth'}?{TINY}")
    rows = embedder.embed(slices)
    assert rows.shape == (5, 32)
    assert embedder.spec.name.startswith("dinov2@vitb14.pth?")

    model.set_input_size((224, 224))  # timm's own way to another resolution
    with torch.inference_mode():
        class_token = (
            model.eval()
            .forward_features(embedder.preprocess(slices, torch.device("cpu")))[:, 0]
            .numpy()
        )
    expected = class_token / np.linalg.norm(class_token, axis=1, keepdims=True)
    np.testing.assert_allclose(rows, expected, atol=1e-4)


def test_options_reach_the_model(slices):
    plain = load_embedder("timm:test_efficientnet@random")
    padded = load_embedder("timm:test_efficientnet@random?pad_type=same")
    assert plain.spec.weights_hash == padded.spec.weights_hash
    assert np.abs(plain.embed(slices) - padded.embed(slices)).max() > 1e-3


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("timm:mobilnetv2_100", r"no model 'mobilnetv2_100'; did you mean mobilenetv2_100"),
        ("timm:mobilenetv2_100.nowhere", r"no weights .* there are mobilenetv2_100\.ra_in1k"),
        ("timm:test_vit", r"the weights of timm:test_vit are not on this machine"),
        ("timm:test_vit@random?colour=3", r"cannot build test_vit with these options: .*colour"),
        ("timm:test_vit@random?mean=1,2", r"preprocessing options of .* are not understood"),
        ("timm:test_vit@random?crop_pct=wide", r"preprocessing options of .* are not understood"),
    ],
)
def test_what_timm_does_not_know_is_one_sentence(name, words):
    with pytest.raises(EmbedderError, match=words) as caught:
        load_embedder(name)
    assert "\n" not in str(caught.value)


def test_a_checkpoint_of_another_model_names_the_keys(checkpoint):
    _, path = checkpoint
    with pytest.raises(
        EmbedderError, match=r"resnet\.pth does not fit timm:test_vit: missing "
    ) as caught:
        load_embedder(f"timm:test_vit@{path}")
    assert "cls_token" in str(caught.value)
    assert "unexpected conv1" in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_checkpoint_that_lacks_a_part_is_refused(checkpoint, tmp_path):
    model, _ = checkpoint
    state = model.state_dict()
    del state["layer1.0.conv1.weight"]
    state["conv1.0.weight" if "conv1.0.weight" in state else "conv1.weight"] = torch.zeros(
        1, 3, 9, 9
    )
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(EmbedderError, match=r"missing layer1\.0\.conv1\.weight; size of conv1"):
        load_embedder(f"timm:test_resnet@{tmp_path / 'w.pth'}")


ALIASES = [row for row in EMBEDDERS if row.target]


@pytest.mark.parametrize("row", ALIASES, ids=lambda row: row.name)
def test_every_alias_says_what_a_download_is(row):
    assert row.licence
    assert row.weights.megabytes > 50
    assert row.source == row.weights.source
    assert row.dimensions in (384, 768)


@pytest.mark.parametrize(
    ("alias", "side", "mean", "std"),
    [
        ("dinov2-reg", 224, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ("dinov3", 256, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        (
            "biomedclip",
            224,
            (0.48145466, 0.4578275, 0.40821073),
            (0.26862954, 0.26130258, 0.27577711),
        ),
        ("rad-dino", 518, (0.5307,) * 3, (0.2583,) * 3),
    ],
)
def test_the_preprocessing_of_an_alias_is_that_of_its_own_configuration(alias, side, mean, std):
    embedder = load_embedder(f"{alias}@random?embed_dim=32&depth=1&num_heads=2")
    assert embedder.preprocess.mean == pytest.approx(mean, abs=1e-6)
    assert embedder.preprocess.std == pytest.approx(std, abs=1e-6)
    black = embedder.preprocess(np.zeros((1, side, side), np.uint8), torch.device("cpu"))
    assert black.shape == (1, 3, side, side)
    expected = -torch.tensor(mean) / torch.tensor(std)
    assert torch.allclose(black[0, :, 0, 0], expected, atol=1e-6)


def test_dinov3_takes_the_class_token():
    network = load_embedder("dinov3@random?embed_dim=32&depth=1&num_heads=2")._network
    assert network.global_pool == "token"


def test_the_image_tower_is_taken_out_of_a_checkpoint_of_biomedclip(tmp_path, slices):
    toy = {"embed_dim": 32, "depth": 2, "num_heads": 2}
    torch.manual_seed(5)
    trunk = timm.create_model("vit_base_patch16_224", num_classes=0, **toy).eval()
    state = {f"visual.trunk.{key}": value for key, value in trunk.state_dict().items()}
    state |= {"visual.head.proj.weight": torch.zeros(512, 32), "logit_scale": torch.zeros(())}
    state |= {"text.transformer.embeddings.word_embeddings.weight": torch.zeros(4, 8)}
    torch.save(state, tmp_path / "w.bin")
    embedder = load_embedder(f"biomedclip@{tmp_path / 'w.bin'}?embed_dim=32&depth=2&num_heads=2")
    images = embedder.preprocess(slices, torch.device("cpu"))
    with torch.inference_mode():
        rows = torch.nn.functional.normalize(trunk(images)).numpy()
    np.testing.assert_allclose(embedder.embed(slices), rows, atol=1e-5)


def test_published_weights_of_an_alias_come_from_its_own_repository(tmp_path, slices, monkeypatch):
    (row,) = [row for row in EMBEDDERS if row.name == "rad-dino"]
    network = timm.create_model(
        "vit_base_patch14_dinov2", num_classes=0, embed_dim=32, depth=1, num_heads=2
    )
    file = tmp_path / "w.bin"
    torch.save(network.state_dict(), file)
    for room in ("dvdup.embedders", "dvdup.embedders.timm"):
        monkeypatch.setattr(
            f"{room}.cached", lambda weights: file if weights is row.weights else None
        )
    embedder = load_embedder("rad-dino?embed_dim=32&depth=1&num_heads=2")
    assert embedder.embed(slices).shape == (5, 32)
    assert (embedder.spec.licence, embedder.spec.source) == (row.licence, row.source)
