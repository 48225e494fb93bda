"""How networks run: import of torch, choice of device, batches and precision.

Everything that torch, torchvision and the machine need in special treatment stands here, so that
`timm.py` and `open_clip.py` only say which network and which preprocessing.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dvdup.embedders.quiet import quiet
from dvdup.embedders.units import demand_slices, unit_rows
from dvdup.errors import EmbedderError

if TYPE_CHECKING:
    import torch

    from dvdup.embedders import LoadOptions
    from dvdup.records import EmbedderSpec

CPU_BATCH = 8
"""Slices a batch on the CPU: larger ones leave the cache, which costs convolutions up to half."""
GPU_BATCH = 256

_kept_alive: list[Any] = []


def import_torch() -> Any:
    """The torch module.

    Raises:
        EmbedderError: If torch is not installed or does not load on this machine.
    """
    if "torch" not in sys.modules:
        try:
            with quiet():
                importlib.import_module("torch")
        except (ImportError, OSError) as error:
            raise EmbedderError(f"torch cannot be imported: {error}") from error
    return sys.modules["torch"]


def import_torchvision() -> None:
    """Make torchvision importable, which timm and open_clip need for their transforms.

    The torchvision wheel of PyPI is built for CUDA. Beside a torch built for the CPU its compiled
    operators do not load, and its import fails at `register_fake("torchvision::nms")` because the
    operator was never declared. Declaring the two operators that are registered so is enough: they
    stay without a kernel, and no transform calls them.
    """
    torch = import_torch()
    with quiet():
        try:
            importlib.import_module("torchvision")
        except RuntimeError as error:
            if "torchvision::" not in str(error):
                raise EmbedderError(f"torchvision does not fit torch: {error}") from error
            for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
                del sys.modules[name]
            _declare_operators(torch)
            importlib.import_module("torchvision")


def _declare_operators(torch: Any) -> None:
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _kept_alive.append(library)  # a Library takes its operators along when it is collected


def choose_device(wanted: str) -> torch.device:
    """The device that `wanted` ("auto", "cpu", "cuda", "cuda:1", "mps") means on this machine.

    Raises:
        EmbedderError: If there is no such device here.
    """
    torch = import_torch()
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
        if wanted == "cpu" and torch.backends.mps.is_available():
            wanted = "mps"
    try:
        device = torch.device(wanted)
    except RuntimeError:
        raise EmbedderError(
            f"unknown device {wanted!r}; use auto, cpu, cuda, cuda:N or mps"
        ) from None
    present = {
        "cpu": 1,
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
    }.get(device.type, 0)
    if (device.index or 0) >= present:
        raise EmbedderError(f"there is no device {wanted!r} on this machine; use --device cpu")
    return device


def choose_precision(wanted: str, device: torch.device) -> torch.dtype | None:
    """The autocast type, or None for plain float32.

    "auto" is half precision on CUDA, where it is several times faster and moves an embedding by
    less than 1e-3, and float32 elsewhere.
    """
    torch = import_torch()
    types = {"fp32": None, "fp16": torch.float16, "bf16": torch.bfloat16}
    if wanted == "auto":
        wanted = "fp16" if device.type == "cuda" else "fp32"
    if wanted not in types:
        raise EmbedderError(f"unknown precision {wanted!r}; use auto, fp32, fp16 or bf16")
    return types[wanted]


@contextmanager
def seeded() -> Iterator[None]:
    """Build a network with random weights that are the same in every run."""
    torch = import_torch()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


class NetworkEmbedder:
    """A network as an embedder: uint8 slices in, unit float32 rows out.

    The rows do not depend on the batch size beyond float rounding. A slice whose embedding is zero
    or not finite ends the run with an EmbedderError: such a network cannot be trusted with any.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        preprocess: Callable[[np.ndarray, torch.device], torch.Tensor],
        spec: EmbedderSpec,
        options: LoadOptions,
    ) -> None:
        torch = import_torch()
        if options.threads is not None:
            torch.set_num_threads(options.threads)
        self.spec = spec
        self.preprocess = preprocess
        self._device = choose_device(options.device)
        self._autocast = choose_precision(options.precision, self._device)
        self._batch = options.batch or (CPU_BATCH if self._device.type == "cpu" else GPU_BATCH)
        network = network.eval().requires_grad_(False).to(self._device)
        self._network = network.to(memory_format=torch.channels_last)
        self.spec = replace(spec, dimensions=self._probe())

    def embed(self, pixels: np.ndarray) -> np.ndarray:
        """Embed slices.

        Args:
            pixels: uint8 (S, H, W), 0 to 255; any H and W, best `spec.slice_size` each.

        Returns:
            float32 (S, D), unit rows in the order of the slices.

        Raises:
            EmbedderError: If the network gives a zero or non-finite embedding.
        """
        demand_slices(pixels)
        rows = np.empty((len(pixels), self.spec.dimensions), np.float32)
        start = 0
        torch = import_torch()
        while start < len(pixels):
            try:
                batch = pixels[start : start + self._batch]
                rows[start : start + len(batch)] = self._rows(batch)
                start += len(batch)
            except torch.OutOfMemoryError:
                if self._batch == 1:
                    raise EmbedderError(
                        f"{self.spec.name} does not fit the memory of {self._device}; "
                        "use --device cpu"
                    ) from None
                self._batch //= 2
        return rows

    def _probe(self) -> int:
        """The length of an embedding: what one black slice gives."""
        side = self.spec.slice_size
        shape = self._forward(np.zeros((1, side, side), np.uint8), None).shape
        if len(shape) != 2:
            raise EmbedderError(f"{self.spec.name} gives shape {shape}, not one row a slice")
        return int(shape[1])

    def _rows(self, pixels: np.ndarray) -> np.ndarray:
        rows = self._forward(pixels, self._autocast)
        if self._autocast is not None and not np.isfinite(rows).all():
            rows = self._forward(pixels, None)  # half precision overflowed
        return unit_rows(rows, self.spec.name)

    def _forward(self, pixels: np.ndarray, autocast: torch.dtype | None) -> np.ndarray:
        torch = import_torch()
        images = self.preprocess(pixels, self._device)
        with ExitStack() as stack:
            stack.enter_context(torch.inference_mode())
            # No search for kernels and no TF32: the same slice gives the same row every time.
            stack.enter_context(
                torch.backends.cudnn.flags(
                    enabled=True, benchmark=False, deterministic=True, allow_tf32=False
                )
            )
            if autocast is not None:
                stack.enter_context(torch.autocast(self._device.type, dtype=autocast))
            rows = self._network(images)
        rows = rows[0] if isinstance(rows, tuple | list) else rows
        values: np.ndarray = rows.float().cpu().numpy()
        return values
