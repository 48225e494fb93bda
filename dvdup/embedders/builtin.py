"""The embedder `builtin`: dvdup's own copy-detection network, weights inside the package.

It runs on ONNX Runtime. `builtin@FILE` is the same network with weights that `dvdup train` wrote: a
safetensors file, beside which lies the ONNX model made of it, or that model itself. How the shipped
ones were trained, and what they reach, stands in `weights/builtin.md`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dvdup.embedders.names import RANDOM, EmbedderName
from dvdup.embedders.onnx_session import OnnxEmbedder, open_session, read_model
from dvdup.embedders.packaged import BUILTIN_SIDE, packaged_weights
from dvdup.errors import EmbedderError
from dvdup.extras import CONVERSION, demand
from dvdup.hashing import file_hash
from dvdup.records import EmbedderSpec

if TYPE_CHECKING:
    from dvdup.embedders import LoadOptions

ONNX = ".onnx"
"""Suffix of the model beside the weights."""


def load(name: EmbedderName, title: str, options: LoadOptions) -> OnnxEmbedder:
    """Load the network.

    Args:
        name: `builtin`, `builtin@FILE` or `builtin@random`.
        title: The name to show and to store.
        options: Where and how to run it; it always computes in float32.

    Raises:
        EmbedderError: The weights are missing, damaged or of another network; or options are
            given, of which there are none.
    """
    if name.options:
        raise EmbedderError(f"builtin has no options, but {title} names some; leave them out")
    if options.precision not in ("auto", "fp32"):
        raise EmbedderError(f"builtin computes in fp32 only, not in {options.precision!r}")
    path = options.find(name.file) if name.file else packaged_weights()
    random = name.tag == RANDOM
    model = _random_model() if random else _model_of(path, title)
    session = open_session(model, title if random else str(path), options)
    own = not name.file and not random
    spec = EmbedderSpec(
        name=title,
        weights_hash=_weights_hash(session, path),
        dimensions=session.get_outputs()[0].shape[1],
        slice_size=BUILTIN_SIDE,
        licence="Apache-2.0" if own else "",
        source="dvdup" if own else "",
    )
    return OnnxEmbedder(session, prepare, spec, options.batch)


def prepare(pixels: np.ndarray) -> np.ndarray:
    """Slices as they enter the network.

    The mean is taken away in double precision, here and not in the network: of a slice that is
    nearly constant the rounding of a sum is all that would be left, and every library rounds it
    differently.

    Args:
        pixels: uint8 (S, H, W), resampled where H or W are not 64.

    Returns:
        float32 (S, 1, 64, 64), of mean 0; the range of 8 bits is 1.
    """
    values = pixels.astype(np.float32)
    if values.shape[1:] != (BUILTIN_SIDE, BUILTIN_SIDE):
        values = np.stack([_resampled(slice_) for slice_ in values])
    mean = values.mean(axis=(1, 2), dtype=np.float64, keepdims=True).astype(np.float32)
    images: np.ndarray = ((values - mean) / np.float32(255))[:, None]
    return images


def _resampled(slice_: np.ndarray) -> np.ndarray:
    from PIL import Image

    picture = Image.fromarray(slice_)
    return np.asarray(picture.resize((BUILTIN_SIDE, BUILTIN_SIDE), Image.Resampling.BILINEAR))


def _model_of(path: Path, title: str) -> bytes:
    """The ONNX model of a weight file: itself, the one beside it, or one made here and now."""
    if path.suffix == ONNX:
        return read_model(path)
    beside = path.with_suffix(ONNX)
    if beside.is_file():
        model = read_model(beside)
        if file_hash(path).encode() in model:
            return model
    demand(f"{title}, which has no ONNX model of the same weights beside it,", CONVERSION)
    from dvdup.embedders import builtin_network, builtin_onnx

    return builtin_onnx.onnx_bytes(builtin_network.load_network(path), file_hash(path))


def _random_model() -> bytes:
    demand(f"builtin@{RANDOM}", CONVERSION)
    from dvdup.embedders import builtin_network, builtin_onnx
    from dvdup.embedders.runtime import seeded

    with seeded():
        network = builtin_network.CopyNetwork().eval()
    return builtin_onnx.onnx_bytes(network, RANDOM)


def _weights_hash(session: Any, path: Path) -> str:
    """The hash of the weights, as the model keeps it.

    Raises:
        EmbedderError: It is no model that dvdup wrote.
    """
    inputs, outputs = session.get_inputs(), session.get_outputs()
    digest = session.get_modelmeta().custom_metadata_map.get("weights")
    fits = len(inputs) == len(outputs) == 1 and inputs[0].shape[1:] == [
        1,
        BUILTIN_SIDE,
        BUILTIN_SIDE,
    ]
    if digest is None or not fits:
        raise EmbedderError(
            f"{path} holds no weights of the built-in network; name a file that `dvdup train` wrote"
        )
    return str(digest)
