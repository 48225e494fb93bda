from __future__ import annotations

import contextlib
import io
import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest

huggingface_hub = pytest.importorskip("huggingface_hub", reason="needs the extra models")

from huggingface_hub import errors

from dvdup.embedders.hub import HubWeights, cached, download, is_offline, terms
from dvdup.errors import EmbedderError

WEIGHTS = HubWeights("owner/name@v2", ("model.safetensors", "pytorch_model.bin"))


@pytest.fixture
def _reachable(monkeypatch):
    monkeypatch.setattr(urllib.request, "urlopen", lambda *a, **k: contextlib.nullcontext())


class _Missing(errors.EntryNotFoundError):
    def __init__(self) -> None:
        pass


class _Gated(errors.GatedRepoError):
    def __init__(self) -> None:
        pass


def _hub_that(monkeypatch, answer):
    calls = []

    def hf_hub_download(repo, file, *, revision, cache_dir):
        calls.append((repo, file, revision))
        return answer(file)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", hf_hub_download)
    return calls


@pytest.mark.usefixtures("_reachable")
def test_the_second_file_name_is_tried(monkeypatch):
    def answer(file):
        if file == "model.safetensors":
            raise _Missing
        return "/cache/pytorch_model.bin"

    calls = _hub_that(monkeypatch, answer)
    assert download(WEIGHTS, "x") == Path("/cache/pytorch_model.bin")
    assert calls == [("owner/name", file, "v2") for file in WEIGHTS.files]


@pytest.mark.usefixtures("_reachable")
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (_Missing(), "holds none of model.safetensors, pytorch_model.bin"),
        (_Gated(), "need an account"),
        (errors.LocalEntryNotFoundError("gone"), "does not answer"),
        (RuntimeError("disk\nfull"), "weights of x could not be fetched: disk$"),
    ],
)
def test_what_the_hub_refuses_is_one_sentence(error, words, monkeypatch):
    def answer(file):
        raise error

    _hub_that(monkeypatch, answer)
    with pytest.raises(EmbedderError, match=words) as caught:
        download(WEIGHTS, "x")
    assert "\n" not in str(caught.value)


def test_weights_behind_a_plain_address(monkeypatch, tmp_path):
    weights = HubWeights(url="https://host/folder/net-1.pth?download=1")
    assert cached(weights) is None
    monkeypatch.setattr(urllib.request, "urlopen", lambda *a, **k: io.BytesIO(b"weights"))
    path = download(weights, "x")
    assert path == tmp_path / "torch" / "hub" / "checkpoints" / "net-1.pth"
    assert path.read_bytes() == b"weights"
    assert list(path.parent.iterdir()) == [path]
    assert cached(weights) == path


def test_an_address_that_breaks_off_leaves_nothing(monkeypatch, tmp_path):
    def broken(*args, **kwargs):
        raise urllib.error.URLError("reset")

    monkeypatch.setattr(urllib.request, "urlopen", broken)
    with pytest.raises(EmbedderError, match=r"https://host/net\.pth does not answer"):
        download(HubWeights(url="https://host/net.pth"), "x")
    assert list((tmp_path / "torch" / "hub" / "checkpoints").iterdir()) == []


@pytest.mark.parametrize(("value", "expected"), [("1", True), ("on", True), ("0", False)])
def test_the_usual_variables_mean_offline(value, expected, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", value)
    assert is_offline() is expected
    assert is_offline(True)


def test_the_caches_follow_their_variables(monkeypatch, tmp_path):
    repo = tmp_path / "elsewhere" / "models--owner--name"
    (repo / "snapshots" / "v2").mkdir(parents=True)
    (repo / "snapshots" / "v2" / "pytorch_model.bin").write_bytes(b"w")
    assert cached(WEIGHTS) is None
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "elsewhere"))
    assert cached(WEIGHTS) == repo / "snapshots" / "v2" / "pytorch_model.bin"


@pytest.mark.parametrize(
    ("licence", "words"),
    [
        ("Apache-2.0", r"of x \(about 86 MB\) are under Apache-2.0 \(https://host/net.pth\)"),
        ("cc-by-nc-4.0", "cc-by-nc-4.0: not for commercial use"),
        ("DINOv3-License", "terms of its own: read them"),
        ("", "no licence on record"),
    ],
)
def test_terms_are_said(licence, words):
    line = terms(HubWeights(url="https://host/net.pth", licence=licence, megabytes=86), "x")
    assert re.search(words, line)
    assert "\n" not in line
