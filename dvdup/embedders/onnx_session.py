"""How ONNX models run: import of ONNX Runtime, choice of the provider, threads, batches.

The package `onnxruntime` brings the CPU; `onnxruntime-gpu` (CUDA) and `onnxruntime-directml`
(Windows) go in its place and are used where they are installed. CoreML may compute in half
precision, which moves rows further than rounding does: it is used where `--device mps` asks for it.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dvdup.embedders.units import demand_slices, unit_rows
from dvdup.errors import EmbedderError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dvdup.embedders import LoadOptions
    from dvdup.records import EmbedderSpec

CPU = "CPUExecutionProvider"
PROVIDERS: Mapping[str, str] = {
    "cuda": "CUDAExecutionProvider",
    "directml": "DmlExecutionProvider",
    "mps": "CoreMLExecutionProvider",
}
"""Devices, and what ONNX Runtime calls them."""
CPU_BATCH = 64
"""Slices a batch on the CPU."""
GPU_BATCH = 256

_AUTO = ("cuda", "directml")
_ERRORS_ONLY = 3  # of the runtime's log, which goes to stderr


def import_onnxruntime() -> Any:
    """The module onnxruntime, its log and its telemetry turned off.

    Raises:
        EmbedderError: It is not installed or does not load on this machine.
    """
    try:
        # before the import, which else makes an id and a store of events in the home folder
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        runtime = importlib.import_module("onnxruntime")
    except (ImportError, OSError) as error:
        line = str(error).partition("\n")[0]
        raise EmbedderError(
            f"ONNX Runtime cannot be imported ({line}); run `pip install --force-reinstall "
            "onnxruntime`, or use the embedder thumbnail"
        ) from error
    runtime.set_default_logger_severity(_ERRORS_ONLY)
    runtime.disable_telemetry_events()
    return runtime


@dataclass(frozen=True, slots=True)
class Device:
    """Where a model runs."""

    provider: str
    """As ONNX Runtime calls it."""
    options: Mapping[str, str]
    demanded: bool = False
    """Whether the user named it, so that falling back to the CPU is an error."""


def choose_device(wanted: str, available: Callable[[], list[str]]) -> Device:
    """What `wanted` ("auto", "cpu", "cuda", "cuda:1", "directml", "mps") means on this machine.

    Args:
        wanted: As configured.
        available: Gives the providers of the installed ONNX Runtime.

    Raises:
        EmbedderError: There is no such device, or ONNX Runtime is installed without it.
    """
    kind, _, number = wanted.partition(":")
    known = ("auto", "cpu", *PROVIDERS)
    if kind not in known or (number and (kind not in _AUTO or not number.isdecimal())):
        raise EmbedderError(
            f"unknown device {wanted!r}; use auto, cpu, cuda, cuda:N, directml or mps"
        )
    if kind == "auto":
        kind = next((each for each in _AUTO if PROVIDERS[each] in available()), "cpu")
    if kind == "cpu":
        return Device(CPU, {})
    if PROVIDERS[kind] not in available():
        raise EmbedderError(
            f"there is no device {wanted!r} for ONNX Runtime as it is installed here "
            "(onnxruntime-gpu brings CUDA); use --device cpu"
        )
    options = {"device_id": number or "0"} if kind in _AUTO else {}
    if kind == "cuda":  # full precision and no search for kernels: the same row every time
        options |= {"use_tf32": "0", "cudnn_conv_algo_search": "DEFAULT"}
    return Device(PROVIDERS[kind], options, demanded=wanted != "auto")


def open_session(model: bytes, title: str, options: LoadOptions) -> Any:
    """Load an ONNX model.

    Args:
        model: The content of the file.
        title: What it is, for messages.
        options: Where to run it, and in how many threads.

    Returns:
        An `onnxruntime.InferenceSession`.

    Raises:
        EmbedderError: It is no ONNX model, or the device cannot be used.
    """
    runtime = import_onnxruntime()
    device = choose_device(options.device, runtime.get_available_providers)
    settings = runtime.SessionOptions()
    settings.log_severity_level = _ERRORS_ONLY
    settings.use_deterministic_compute = True
    if options.threads is not None:
        settings.intra_op_num_threads = options.threads
    providers = [(device.provider, dict(device.options)), (CPU, {})]
    try:
        session = runtime.InferenceSession(
            model, settings, providers=providers[: 1 if device.provider == CPU else 2]
        )
    except Exception as error:  # the runtime's errors have no common base but this
        line = str(error).partition("\n")[0]
        raise EmbedderError(f"{title} is no model that ONNX Runtime can load: {line}") from error
    if device.demanded and session.get_providers()[0] != device.provider:
        raise EmbedderError(
            f"device {options.device!r} cannot be used by ONNX Runtime; use --device cpu"
        )
    return session


class OnnxEmbedder:
    """An ONNX model as an embedder: uint8 slices in, unit float32 rows out.

    The model takes float32 (S, 1, side, side) and gives float32 (S, D). The rows do not depend on
    the batch size beyond float rounding.
    """

    def __init__(
        self,
        session: Any,
        prepare: Callable[[np.ndarray], np.ndarray],
        spec: EmbedderSpec,
        batch: int | None,
    ) -> None:
        self.spec = spec
        self._session = session
        self._prepare = prepare
        self._input = session.get_inputs()[0].name
        on_cpu = session.get_providers()[0] == CPU
        self._batch = batch or (CPU_BATCH if on_cpu else GPU_BATCH)

    def embed(self, pixels: np.ndarray) -> np.ndarray:
        """Embed slices.

        Args:
            pixels: uint8 (S, H, W), 0 to 255; any H and W, best `spec.slice_size` each.

        Returns:
            float32 (S, D), unit rows in the order of the slices.

        Raises:
            EmbedderError: The model gives a zero or non-finite embedding, or cannot be run.
        """
        demand_slices(pixels)
        rows = np.empty((len(pixels), self.spec.dimensions), np.float32)
        for start in range(0, len(pixels), self._batch):
            batch = pixels[start : start + self._batch]
            rows[start : start + len(batch)] = unit_rows(self._run(batch), self.spec.name)
        return rows

    def _run(self, pixels: np.ndarray) -> np.ndarray:
        try:
            rows: np.ndarray = self._session.run(None, {self._input: self._prepare(pixels)})[0]
        except Exception as error:  # the runtime's errors have no common base but this
            line = str(error).partition("\n")[0]
            raise EmbedderError(
                f"{self.spec.name} cannot be run by ONNX Runtime ({line}); use --device cpu, "
                "or a smaller --batch"
            ) from error
        return rows


def read_model(path: Path) -> bytes:
    """The content of a model file.

    Raises:
        EmbedderError: It cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise EmbedderError(f"{path} cannot be read: {error.strerror or error}") from error
