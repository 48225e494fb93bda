from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from dvdup.embedders import LoadOptions, builtin, onnx_session
from dvdup.embedders.onnx_session import CPU, OnnxEmbedder, choose_device, open_session
from dvdup.errors import EmbedderError
from dvdup.records import EmbedderSpec

CUDA, DIRECTML, COREML = (onnx_session.PROVIDERS[each] for each in ("cuda", "directml", "mps"))


@pytest.mark.parametrize(
    ("wanted", "installed", "expected", "options"),
    [
        ("auto", [CPU], CPU, {}),
        ("auto", [COREML, CPU], CPU, {}),
        ("auto", [CUDA, CPU], CUDA, {"device_id": "0"}),
        ("auto", [DIRECTML, CPU], DIRECTML, {"device_id": "0"}),
        ("cpu", [CUDA, CPU], CPU, {}),
        ("cuda:1", [CUDA, CPU], CUDA, {"device_id": "1", "use_tf32": "0"}),
        ("directml", [DIRECTML, CPU], DIRECTML, {"device_id": "0"}),
        ("mps", [COREML, CPU], COREML, {}),
    ],
)
def test_the_device_is_a_provider(wanted, installed, expected, options):
    device = choose_device(wanted, lambda: installed)
    assert device.provider == expected
    assert options.items() <= device.options.items()
    assert device.demanded is (wanted not in ("auto", "cpu"))


@pytest.mark.parametrize("wanted", ["toaster", "cpu:1", "cuda:x", "mps:0", "auto:1", "", "meta"])
def test_an_unknown_device_lists_the_choices(wanted):
    with pytest.raises(EmbedderError, match=r"unknown device .*use auto, cpu, cuda"):
        choose_device(wanted, lambda: [CUDA, COREML, CPU])


@pytest.mark.parametrize("wanted", ["cuda", "cuda:3", "directml", "mps"])
def test_a_device_that_is_not_installed_is_named(wanted):
    with pytest.raises(EmbedderError, match=f"no device '{wanted}'.*use --device cpu"):
        choose_device(wanted, lambda: [CPU])


def test_a_device_that_only_falls_back_to_the_cpu_is_an_error(monkeypatch):
    monkeypatch.setattr(
        onnx_session, "choose_device", lambda *_: onnx_session.Device(CPU, {}, True)
    )
    model = builtin.packaged_weights().with_suffix(".onnx").read_bytes()
    assert open_session(model, "x", LoadOptions()).get_providers() == [CPU]
    monkeypatch.setattr(
        onnx_session, "choose_device", lambda *_: onnx_session.Device("Other", {}, True)
    )
    with pytest.raises(EmbedderError):
        open_session(model, "x", LoadOptions(device="cuda"))


def test_a_runtime_that_does_not_load_is_told(monkeypatch):
    def broken(name):
        raise ImportError("libfoo.so.1: cannot open shared object file\nmore")

    monkeypatch.setattr(onnx_session.importlib, "import_module", broken)
    with pytest.raises(EmbedderError, match=r"ONNX Runtime cannot be imported \(libfoo[^\n]*"):
        onnx_session.import_onnxruntime()


class _Session:
    """What an `OnnxEmbedder` asks of a session."""

    def __init__(self, rows: np.ndarray | Exception) -> None:
        self.rows = rows

    def get_inputs(self):
        return [type("Input", (), {"name": "slices"})]

    def get_providers(self):
        return [CPU]

    def run(self, names, feeds):
        if isinstance(self.rows, Exception):
            raise self.rows
        return [np.repeat(self.rows, len(feeds["slices"]), axis=0)]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (np.zeros((1, 2), np.float32), "zero or non-finite"),
        (np.full((1, 2), np.nan, np.float32), "zero or non-finite"),
        (
            RuntimeError("out of memory\nat line 3"),
            r"cannot be run .*\(out of memory",
        ),
    ],
)
def test_rows_that_cannot_be_trusted_are_an_error(rows, words):
    spec = EmbedderSpec("x", "", 2, 64)
    embedder = OnnxEmbedder(_Session(rows), builtin.prepare, spec, None)
    with pytest.raises(EmbedderError, match=words) as told:
        embedder.embed(np.zeros((1, 64, 64), np.uint8))
    assert "\n" not in str(told.value)


def test_nothing_is_left_in_the_home_folder(tmp_path):
    """Importing the library made an id of the machine and a store of events there."""
    code = "from dvdup.embedders.onnx_session import import_onnxruntime as get; get()"
    env = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    env.pop("ORT_DISABLE_TELEMETRY", None)
    subprocess.run([sys.executable, "-c", code], check=True, env=env)
    assert list(tmp_path.iterdir()) == []
