from __future__ import annotations

import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from needs import needs_models

from dvdup.embedders import (
    EMBEDDERS,
    LoadOptions,
    available,
    canonical_name,
    fetch,
    load_embedder,
    quick_weights_hash,
)
from dvdup.embedders.hub import cached
from dvdup.errors import EmbedderError, InstallError
from dvdup.hashing import file_hash


@needs_models
def test_names_lists_and_hashes_import_no_network_library(tmp_path):
    (tmp_path / "w.pth").write_bytes(b"weights")
    program = (
        "import sys; from dvdup import embedders as e; e.available(); e.canonical_name('dinov2')\n"
        "assert e.quick_weights_hash('timm:m@w.pth')\n"
        "try: e.load_embedder('dinov2')\n"
        "except e.EmbedderError: pass\n"
        "heavy = {'torch', 'torchvision', 'timm', 'open_clip', 'PIL', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)


def test_every_row_is_listed():
    rows = {row.name: row for row in available()}
    assert list(rows) == [row.name for row in EMBEDDERS]
    assert rows["thumbnail"].present is True
    assert rows["dinov2"].present is False
    assert rows["timm:"].present is None
    assert all(row.what and row.licence and row.source for row in rows.values())


@pytest.mark.parametrize("name", ["dinov9", "thumbnails", "thumbnail@w.pth", "tim:resnet18", "x"])
def test_an_unknown_name_lists_the_choices(name):
    with pytest.raises(
        EmbedderError, match=r"unknown embedder .* there are builtin, thumbnail, .*timm:"
    ):
        load_embedder(name)


def test_a_slip_of_the_pen_is_guessed():
    with pytest.raises(EmbedderError, match=r"did you mean dinov2\?"):
        load_embedder("dinv2")


def test_the_quick_hash_is_that_of_the_file(tmp_path):
    path = tmp_path / "w.pth"
    path.write_bytes(b"weights")
    assert quick_weights_hash("timm:anything@w.pth?mean=0.5", tmp_path) == file_hash(path)
    assert quick_weights_hash(f"dinov1@{path}") == file_hash(path)
    assert quick_weights_hash(f"open_clip:ViT-B-32/{path}") == file_hash(path)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("thumbnail", ""),
        ("dinov2", None),
        ("dinov2@random", None),
        ("timm:resnet18", None),
        ("open_clip:ViT-B-32/openai", None),
        ("timm:resnet18@missing.pth", None),
    ],
)
def test_the_quick_hash_without_a_file(name, expected):
    assert quick_weights_hash(name) == expected


def test_the_canonical_name_knows_the_table():
    assert canonical_name("dinov2@/a/w.pth") == "dinov2@w.pth"
    with pytest.raises(EmbedderError, match="unknown embedder"):
        canonical_name("nothing")


@needs_models
@pytest.mark.parametrize("name", ["dinov1", "dinov2", "dinov2?img_size=518"])
def test_missing_weights_are_one_sentence_at_once(name):
    start = time.perf_counter()
    with pytest.raises(EmbedderError) as caught:
        load_embedder(name)
    assert time.perf_counter() - start < 5
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith(
        f"the weights of {name} are not on this machine; run `dvdup models fetch"
    )


@needs_models
def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(EmbedderError, match=r"nope\.pth of dinov2@nope\.pth does not exist"):
        load_embedder("dinov2@nope.pth", LoadOptions(folder=tmp_path))


def _no_network(*args, **kwargs):
    raise urllib.error.URLError("no network")


@needs_models
def test_fetching_without_a_network_fails_at_once(monkeypatch):
    monkeypatch.setattr(urllib.request, "urlopen", _no_network)
    with pytest.raises(EmbedderError, match=r"dinov2 cannot be fetched: https\S+ does not answer"):
        fetch("dinov2")


@needs_models
@pytest.mark.parametrize("variable", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", None])
def test_fetching_in_offline_mode_asks_nobody(variable, monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(urllib.request, "urlopen", never)
    if variable:
        monkeypatch.setenv(variable, "1")
    with pytest.raises(EmbedderError, match="offline mode"):
        fetch("dinov1", LoadOptions(offline=variable is None))


@pytest.mark.parametrize("name", ["thumbnail", "dinov2@w.pth", "dinov2@random"])
def test_there_is_nothing_to_fetch(name):
    with pytest.raises(EmbedderError, match="no published weights to fetch"):
        fetch(name)


@needs_models
def test_weights_in_the_cache_are_found_and_hashed(tmp_path):
    (row,) = [row for row in EMBEDDERS if row.name == "dinov1"]
    repo = tmp_path / "hf" / "hub" / "models--timm--vit_base_patch16_224.dino"
    snapshot = repo / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text("0" * 40)
    (snapshot / "model.safetensors").write_bytes(b"weights")
    assert cached(row.weights) == snapshot / "model.safetensors"
    assert fetch("dinov1") == snapshot / "model.safetensors"
    assert quick_weights_hash("dinov1") == file_hash(snapshot / "model.safetensors")
    assert {row.name: row.present for row in available()}["dinov1"] is True


@pytest.mark.parametrize("name", ["dinov2", "timm:resnet18", "open_clip:ViT-B-32/openai", "dinov3"])
def test_an_embedder_without_its_packages_names_the_extra(name, monkeypatch):
    monkeypatch.setattr("dvdup.extras.is_installed", lambda package: False)
    for ask in (load_embedder, fetch):
        with pytest.raises(InstallError, match=r"needs torch.*run `pip install 'dvdup\[models\]'`"):
            ask(name)


def test_the_list_says_what_is_not_installed(monkeypatch):
    monkeypatch.setattr("dvdup.embedders.is_installed", lambda package: False)
    installed = {row.name for row in available() if row.installed}
    assert installed == {"builtin", "thumbnail"}


def test_terms_are_said_before_a_download(monkeypatch):
    pytest.importorskip("huggingface_hub", reason="needs the extra models")
    lines: list[str] = []

    def download(weights, name, *, offline):
        assert lines, "nothing was said before"
        return weights

    monkeypatch.setattr("dvdup.embedders.download", download)
    fetch("dinov3", say=lines.append)
    assert "DINOv3-License" in lines[0]
    assert "86 MB" in lines[0]
